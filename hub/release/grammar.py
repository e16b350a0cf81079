"""The filter grammar of addresses: short forms of row conditions, read into their JSON, which is read in one place.

========================== ============================================ =========================================
in the address             JSON                                         true where the field
========================== ============================================ =========================================
``f=v``, ``f=eq:v``        {"field": f, "op": "=", "value": v}          is the value, taken as it stands
``f=ne:v`` lt le gt ge     {"field": f, "op": "!=", "value": v} …       stands so to the value, taken as it stands
``f=prefix:4201``          {"field": f, "prefix": "4201"}               is a text that begins so
``f=in:a,b``               {"field": f, "in": ["a", "b"]}               is one of these, parted by commas
``f=from:a,until:b``       {"field": f, "from": a, "until": b}          is in the interval, either end may be left out
``f=known:true``           {"field": f, "known": true}                  has a value, or with false has none
========================== ============================================ =========================================

Parameters, and repetitions of one, are joined by and; what this cannot say is said by POST with a condition's JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.release.errors import QueryWrong
from schemas.contract import FieldType

FILTERS_MAX: Final = 50
_COMPARISONS: Final[Mapping[str, str]] = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NUMBERS: Final = frozenset({"float", "double"})  # whose conditions take no text
_BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "false": False}


def filter_json(filters: Sequence[tuple[str, str]], types: Mapping[str, FieldType]) -> dict[str, Any] | None:
    """The condition of an address's filters as JSON; None where there is none.

    Args:
        filters: name and text of each parameter, in order.
        types: the fields that may be filtered by; what another's text means is not looked at.
    """
    if not filters:
        return None
    if len(filters) > FILTERS_MAX:
        raise QueryWrong("?", f"至多 {FILTERS_MAX} 个筛选条件", f"at most {FILTERS_MAX} filters")
    return {"all": [_atom(name, text, types.get(name)) for name, text in filters]}


def _atom(name: str, text: str, of: FieldType | None) -> dict[str, Any]:  # noqa: PLR0911 - one for each form
    form, colon, rest = text.partition(":")
    if not colon:
        return {"field": name, "op": "=", "value": value_of(text, of)}
    if form in _COMPARISONS:
        return {"field": name, "op": _COMPARISONS[form], "value": value_of(rest, of)}
    match form:
        case "prefix":
            return {"field": name, "prefix": rest}
        case "in":
            return {"field": name, "in": [value_of(one, of) for one in rest.split(",")]}
        case "known":
            return {"field": name, "known": _BOOLEANS.get(rest, rest)}
        case "from" | "until":
            return {"field": name} | _ends(name, text, of)
        case _:  # a text or a time may hold a colon of its own
            return {"field": name, "op": "=", "value": value_of(text, of)}


def _ends(name: str, text: str, of: FieldType | None) -> dict[str, Any]:
    ends: dict[str, Any] = {}
    for part in text.split(","):
        end, _, value = part.partition(":")
        if end not in {"from", "until"} or end in ends:
            raise QueryWrong(
                name, "区间应写作 from:值,until:值", "an interval is written from:value,until:value, each at most once"
            )
        ends[end] = value_of(value, of)
    return ends


def value_of(text: str, of: FieldType | None) -> str | float | bool:
    """The text as the JSON type the field's conditions take; what does not fit is refused where conditions are read."""
    if of is not None and of.kind == "boolean":
        return _BOOLEANS.get(text, text)
    if of is not None and of.kind in _NUMBERS:
        try:
            return float(text)
        except ValueError:
            return text
    return text
