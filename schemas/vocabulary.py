"""The closed vocabulary of checks: what each may be told, and whether what it was told makes sense.

Field checks stand on a field, record checks on the record. ``checks`` carries them out. Whether a check suits the
type of its field is for ``contract_agreement``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas import codelists
from schemas.patterns import Problem, pattern_problem

GEOMETRY_TYPES: Final = frozenset({"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"})
DIVISION_LENGTHS: Final = frozenset({2, 4, 6, 9, 12})
CHOICES_MAX: Final = 1_000


def _is_number(value: object) -> bool:
    return type(value) in {int, float}  # by type: True is an int in Python


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, str) and value in codelists.names()


def _are(allowed: frozenset[Any], kind: type) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, list) and bool(value) and all(type(one) is kind and one in allowed for one in value)
    )


def _are_choices(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= CHOICES_MAX and all(type(one) in _CHOICES for one in value)


def _is_box(value: object) -> bool:
    """West, south, east, north in degrees."""
    if not isinstance(value, list) or len(value) != 4 or not all(map(_is_number, value)):  # noqa: PLR2004 - four sides
        return False
    west, south, east, north = value
    return -180 <= west < east <= 180 and -90 <= south < north <= 90  # noqa: PLR2004 - the Earth


_CHOICES: Final = frozenset({str, int, bool})
# Check → parameter → (what makes it right, whether it may be left out).
_Parameters = Mapping[str, tuple[Callable[[object], bool], bool]]
FIELD_CHECKS: Final[Mapping[str, _Parameters]] = {
    "required": {},
    "length": {"min": (_is_count, True), "max": (_is_count, True)},
    "pattern": {"re": (_is_name, False)},
    "range": {"min": (_is_number, True), "max": (_is_number, True)},
    "code_list": {"list": (_is_list, False)},
    "citizen_id": {},
    "credit_code": {},
    "division": {"lengths": (_are(DIVISION_LENGTHS, int), True), "at": (_is_name, True)},
    "not_future": {},
    "geometry": {"types": (_are(GEOMETRY_TYPES, str), False)},
    "extent": {"box": (_is_box, False)},
}
RECORD_CHECKS: Final[Mapping[str, _Parameters]] = {
    "order": {"first": (_is_name, False), "then": (_is_name, False)},
    "different": {"first": (_is_name, False), "then": (_is_name, False)},
    "citizen_id_agrees": {"citizen_id": (_is_name, False), "birth": (_is_name, True), "sex": (_is_name, True)},
    "required_when": {"field": (_is_name, False), "in": (_are_choices, False), "then": (_is_name, False)},
    "unit": {"indicator": (_is_name, False), "unit_field": (_is_name, False)},
}
# Checks of which some parameter must be there, though none must.
_AT_LEAST_ONE: Final[Mapping[str, tuple[str, ...]]] = {
    "length": ("min", "max"),
    "range": ("min", "max"),
    "citizen_id_agrees": ("birth", "sex"),
}
# Parameters that name a field of the record.
_NAMING: Final = frozenset({"first", "then", "at", "birth", "sex", "citizen_id", "field", "indicator", "unit_field"})


def fields_named(params: Mapping[str, Any]) -> list[str]:
    """The fields that a check's parameters name."""
    return [str(value) for name, value in params.items() if name in _NAMING]


def check_problem(kind: str, params: Mapping[str, Any], *, of_field: bool) -> Problem | None:
    """What is wrong with a check and its parameters, in both languages; None where nothing is."""
    vocabulary = FIELD_CHECKS if of_field else RECORD_CHECKS
    if kind not in vocabulary:
        known = ", ".join(vocabulary)
        return f"没有这种检查;可用:{known}", f"there is no such check; there are {known}"
    expected = vocabulary[kind]
    for name in params:
        if name not in expected:
            return f"不认识的参数 {ascii(name)[1:-1][:40]}", f"it knows no parameter {ascii(name)[1:-1][:40]}"
    for name, (is_right, optional) in expected.items():
        if name not in params:
            if not optional:
                return f"缺少参数 {name}", f"it lacks the parameter {name}"
        elif not is_right(params[name]):
            return f"参数 {name} 有误", f"its parameter {name} is wrong"
    return _together_problem(kind, params)


def _together_problem(kind: str, params: Mapping[str, Any]) -> Problem | None:
    """What single parameters do not show."""
    choices = _AT_LEAST_ONE.get(kind, ())
    if choices and not any(name in params for name in choices):
        return f"至少应有参数 {'、'.join(choices)} 之一", f"it needs one of the parameters {', '.join(choices)}"
    if "min" in params and "max" in params and params["min"] > params["max"]:
        return "参数 min 大于 max", "its parameter min is greater than max"
    if "first" in params and params["first"] == params["then"]:
        return "两个字段相同", "it compares a field with itself"
    return pattern_problem(params["re"]) if kind == "pattern" else None
