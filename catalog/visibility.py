"""Which entries a caller may know of, compiled to two values that one SQL fragment compares. Pure.

An entry in force (published, secrecy review passed) is known to everyone where it may be opened, to departments where
it may be shared; a department knows its own organization's in every state, and so do the hub's offices
(administrator, reviewer, auditor) all entries. What one may not know of does not appear: not in search, not in a list,
not in facets or counts, and asked for by name it is as absent as one that never was.
"""

from dataclasses import dataclass
from typing import Final

from catalog.caller import Caller
from catalog.entry import Entry
from catalog.lifecycle import State

EVERYONE, DEPARTMENTS, OFFICES = 0, 1, 2
_OFFICES: Final = frozenset({"administrator", "reviewer", "auditor"})
_DEPARTMENT_TIERS: Final = frozenset({"department", "steward"})


@dataclass(frozen=True, slots=True)
class Sight:
    """What a caller may know of.

    Args:
        audience: entries for at most this audience.
        organization: whose entries are known in any state.
    """

    audience: int
    organization: str | None

    def covers_work_of(self, organization: str) -> bool:
        """Whether drafts, reviews and earlier versions of this organization's entries are known too."""
        return self.audience >= OFFICES or organization == self.organization


def sight_of(caller: Caller) -> Sight:
    """What this caller may know of."""
    own = caller.organization if caller.tier in _DEPARTMENT_TIERS else None
    if caller.roles & _OFFICES:
        return Sight(OFFICES, own)
    return Sight(EVERYONE if own is None else DEPARTMENTS, own)


def audience_of(entry: Entry, state: State, *, secrecy_passed: bool) -> int:
    """Who may know of a version beside its owner. Whatever is not in force is for the offices alone."""
    if state != "published" or not secrecy_passed:
        return OFFICES
    if entry.open.type != "not_open":
        return EVERYONE
    return DEPARTMENTS if entry.share.type != "not_shared" else OFFICES


def may_know(sight: Sight, audience: int, organization: str) -> bool:
    """What the SQL fragment says, for one row: the two are held to agree by a test."""
    return audience <= sight.audience or organization == sight.organization
