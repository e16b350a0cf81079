"""The closed vocabulary of checks: what each may be told, and whether what it was told makes sense.

Field checks stand on a field, record checks on the record. ``checks`` carries them out. Patterns are RE2's: no
backtracking, so no pattern takes more than linear time.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

from schemas import codelists

Problem = tuple[str, str]
PATTERN_CHARACTERS_MAX: Final = 500
GEOMETRY_TYPES: Final = frozenset({"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"})
DIVISION_LENGTHS: Final = frozenset({2, 4, 6, 9, 12})


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _is_pattern(value: object) -> bool:
    if not isinstance(value, str) or len(value) > PATTERN_CHARACTERS_MAX:
        return False
    try:
        re2.compile(value, _quiet())
    except re2.error:
        return False
    return True


def _quiet() -> Any:  # noqa: ANN401 - re2 has no types
    options = re2.Options()
    options.log_errors = False
    return options


def _is_list(value: object) -> bool:
    return isinstance(value, str) and value in codelists.names()


def _are(allowed: frozenset[Any]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and bool(value) and set(value) <= allowed


def _is_box(value: object) -> bool:
    box = value if isinstance(value, list) else []
    return len(box) == 4 and all(map(_is_number, box)) and box[0] < box[2] and box[1] < box[3]  # noqa: PLR2004 - w s e n


# Check → parameter → (what makes it right, whether it may be left out).
_Parameters = Mapping[str, tuple[Callable[[object], bool], bool]]
FIELD_CHECKS: Final[Mapping[str, _Parameters]] = {
    "required": {},
    "length": {"min": (_is_number, True), "max": (_is_number, True)},
    "pattern": {"re": (_is_pattern, False)},
    "range": {"min": (_is_number, True), "max": (_is_number, True)},
    "code_list": {"list": (_is_list, False)},
    "citizen_id": {},
    "credit_code": {},
    "division": {"lengths": (_are(DIVISION_LENGTHS), True), "at": (_is_name, True)},
    "not_future": {},
    "geometry": {"types": (_are(GEOMETRY_TYPES), False)},
    "extent": {"box": (_is_box, False)},
}
RECORD_CHECKS: Final[Mapping[str, _Parameters]] = {
    "order": {"first": (_is_name, False), "then": (_is_name, False)},
    "different": {"first": (_is_name, False), "then": (_is_name, False)},
    "citizen_id_agrees": {"citizen_id": (_is_name, False), "birth": (_is_name, True), "sex": (_is_name, True)},
    "required_when": {
        "field": (_is_name, False),
        "in": (lambda value: isinstance(value, list), False),
        "then": (_is_name, False),
    },
    "unit": {"indicator": (_is_name, False), "unit_field": (_is_name, False)},
}


def check_problem(kind: str, params: Mapping[str, Any], *, of_field: bool) -> Problem | None:
    """What is wrong with a check and its parameters, in both languages; None where nothing is."""
    vocabulary = FIELD_CHECKS if of_field else RECORD_CHECKS
    if kind not in vocabulary:
        known = ", ".join(vocabulary)
        return f"没有这种检查;可用:{known}", f"there is no such check; there are {known}"
    expected = vocabulary[kind]
    for name in params:
        if name not in expected:
            return f"不认识的参数 {name[:40]}", f"it knows no parameter {name[:40]}"
    for name, (is_right, optional) in expected.items():
        if name not in params:
            if not optional:
                return f"缺少参数 {name}", f"it lacks the parameter {name}"
        elif not is_right(params[name]):
            return f"参数 {name} 有误", f"its parameter {name} is wrong"
    return None
