"""How openly a field is given, from clear to withheld, and which treatments its kind of value has.

Masking is display protection, not anonymisation (GB/T 37964-2019 treats it as one technique among others): with a birth
year known, few candidates are left behind a masked citizen ID. That is why it opens fields to grants only, never to the
open tier. The patterns are convention; no standard fixes one.
"""

from collections.abc import Mapping
from typing import Final

from catalog.grant import Treatment
from catalog.resource import FieldKind

# From most to least open. The three in the middle are of one rank: none shows what another hides in every case.
RANK: Final[Mapping[Treatment, int]] = {"clear": 2, "masked": 1, "generalised": 1, "pseudonymous": 1, "withheld": 0}

_INSTEAD: Final[tuple[Treatment, ...]] = ("masked", "generalised", "pseudonymous")
_TEXT: Final = frozenset[Treatment]({"masked", "pseudonymous"})
_HAS: Final[Mapping[FieldKind, frozenset[Treatment]]] = {
    "citizen_id": frozenset({"masked", "generalised", "pseudonymous"}),
    "name": _TEXT,
    "phone": _TEXT,
    "address": frozenset({"masked", "generalised", "pseudonymous"}),
    "bank_card": _TEXT,
    "email": _TEXT,
    "credit_code": _TEXT,
    "date": frozenset({"generalised"}),
    "code": frozenset({"generalised", "pseudonymous"}),
    "number": frozenset({"generalised"}),
    "text": _TEXT,
    "geometry": frozenset({"generalised"}),
    "other": frozenset(),
}


def strictest_needed(kind: FieldKind, wanted: Treatment) -> Treatment:
    """The treatment a kind of value can be given where ``wanted`` is asked and clear is not allowed.

    What a kind does not have falls to another of the same rank, in a fixed order, and at last to withheld: never up.
    """
    has = _HAS[kind]
    if wanted in has:
        return wanted
    if wanted == "withheld":
        return "withheld"
    for treatment in _INSTEAD:
        if treatment in has:
            return treatment
    return "withheld"
