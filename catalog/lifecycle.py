"""The lifecycle of an entry's version. Pure: who may do what from where, and which acts must be two persons'.

::

    draft ─submit─► submitted ─review─► reviewed ─publish─► published ─► revised (the next version is published)
      ▲ edited          └──────┬──────────┘                     └─withdraw─► withdrawn
      └ as the next version    └─send_back─► sent_back

A version's content never changes once it is submitted: what is sent back is corrected in a new version, so nothing can
be approved and then edited. Review (登记审核) and publication (发布审核) are two persons', neither of them the
provider's who drafted or submitted. The secrecy review (保密审查) stands beside the line: any number of times from
submission on, the last outcome counts, and without a passed one nothing is published and nothing leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from catalog.caller import Caller, Role
from catalog.duty import Earlier, require_another
from catalog.entry_errors import EntryChanged, EntryStepWrong, EntryUnknown

State = Literal["draft", "submitted", "reviewed", "published", "sent_back", "revised", "withdrawn"]
Act = Literal["draft", "submit", "review", "secrecy_review", "send_back", "publish", "withdraw"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One act.

    Args:
        begins: the states it begins from.
        ends: the state it ends in; None leaves the state.
        roles: any of which it takes.
        of_owner: whether a steward must be the owner's own; other roles act for the whole hub.
        not_by: whoever did one of these to this version may not do this.
    """

    begins: frozenset[State]
    ends: State | None
    roles: tuple[Role, ...]
    not_by: tuple[Act, ...] = ()


_PROVIDERS: Final[tuple[Act, ...]] = ("draft", "submit")
RULES: Final[Mapping[Act, Rule]] = {
    "draft": Rule(frozenset({"draft"}), "draft", ("steward",)),
    "submit": Rule(frozenset({"draft"}), "submitted", ("steward",)),
    "review": Rule(frozenset({"submitted"}), "reviewed", ("reviewer",), _PROVIDERS),
    "secrecy_review": Rule(frozenset({"submitted", "reviewed", "published"}), None, ("reviewer",), _PROVIDERS),
    "send_back": Rule(frozenset({"submitted", "reviewed"}), "sent_back", ("reviewer", "administrator"), _PROVIDERS),
    "publish": Rule(frozenset({"reviewed"}), "published", ("administrator",), (*_PROVIDERS, "review")),
    "withdraw": Rule(frozenset({"published"}), "withdrawn", ("steward", "administrator")),
}


@dataclass(frozen=True, slots=True)
class EntryEvent:
    """An act on a version.

    Args:
        number: in the version, from 1.
        act: which.
        actor: the caller's id.
        person: the natural person behind the account, where known.
        at: when.
        sm3: digest of the content it was done to.
        note: reasons, in the actor's words.
    """

    number: int
    act: Act
    actor: str
    person: str | None
    at: datetime
    sm3: str
    note: str


def require_may(actor: Caller, act: Act, dataset: str, owner: str, history: Sequence[EntryEvent] = ()) -> None:
    """Whether this caller may do this, before looking where the version stands.

    A steward of another organization learns no more than that there is no such entry.

    Raises:
        RoleNeeded: naming the roles.
        EntryUnknown: a steward, of another organization.
        OnePersonTwice: naming the earlier act.
    """
    rule = RULES[act]
    actor.require(*rule.roles)
    for_the_hub = actor.roles & (set(rule.roles) - {"steward"})
    if not for_the_hub and actor.organization != owner:
        raise EntryUnknown(dataset=dataset)
    earlier = [Earlier(one.act, one.actor, one.person) for one in history if one.act in rule.not_by]
    require_another(actor, act, *earlier)


def after(act: Act, dataset: str, version: int, state: State) -> State:
    """The state a version is in after an act.

    Raises:
        EntryStepWrong: the act does not begin from ``state``.
    """
    rule = RULES[act]
    if state not in rule.begins:
        needed = ", ".join(sorted(rule.begins))
        raise EntryStepWrong(dataset=dataset, version=version, state=state, act=act, needed=needed)
    return state if rule.ends is None else rule.ends


def require_same_content(dataset: str, version: int, seen_sm3: str, stored_sm3: str, content_sm3: str) -> None:
    """An approval counts for exactly what was looked at: the digest seen, the one kept, and the content's own.

    Raises:
        EntryChanged: one of the three differs.
    """
    if not seen_sm3 == stored_sm3 == content_sm3:
        raise EntryChanged(dataset=dataset, version=version)
