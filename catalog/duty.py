"""Separation of duties: two acts that must be two persons'."""

from dataclasses import dataclass

from catalog.caller import Caller, same_person
from catalog.request_errors import OnePersonTwice


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier act: what it was, by which account, and which person was behind it."""

    act: str
    actor: str
    person: str | None


def require_another(actor: Caller, act: str, *earlier: Earlier) -> None:
    """Refuse an act to whoever did one of the earlier ones, also through another account.

    An organization's own token is nobody's in particular, so whoever is of that organization may be behind it.

    Raises:
        OnePersonTwice: naming the earlier act.
    """
    for one in earlier:
        if same_person(actor, one.actor, one.person) or _may_be_behind(actor, one):
            raise OnePersonTwice(act=act, earlier=one.act)


def _may_be_behind(actor: Caller, earlier: Earlier) -> bool:
    return actor.organization is not None and earlier.actor == f"organization:{actor.organization}"
