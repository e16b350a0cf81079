"""Whose requests and grants a caller may know of: its own, those on its organization's datasets, or all."""

from dataclasses import dataclass
from typing import Final

from catalog.caller import Caller, Role

# The administrator (主管部门), who reviews for it, and who audits it.
SEE_ALL: Final = frozenset[Role]({"administrator", "reviewer", "auditor"})


@dataclass(frozen=True, slots=True)
class Visible:
    """What a list may hold, as its query asks it."""

    holders: tuple[str, ...]
    organization: str | None
    all: bool

    def includes(self, holder: str, *organizations: str | None) -> bool:
        """Whether an object of this holder and these organizations is among them."""
        if self.all or holder in self.holders:
            return True
        return self.organization is not None and self.organization in organizations


def visible_to(caller: Caller) -> Visible:
    """What a caller may know of."""
    return Visible(caller.holders, caller.organization, all=bool(caller.roles & SEE_ALL))
