"""What Pydantic finds wrong with a request, in the words of both languages: where, and what it should be.

The value given is never repeated: it may be a person's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.api.errors import RequestInvalid

TOLD_MAX: Final = 10
NAME_CHARACTERS_TOLD: Final = 63  # no parameter's or member's name is longer
_ANY: Final = ("值不合规则", "the value breaks its rule")
# By Pydantic's name of the error; what stands in braces is of its context.
_RULES: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("缺少此项", "it is missing"),
    "extra_forbidden": ("没有此项", "there is nothing of this name here"),
    "json_invalid": ("不是 JSON", "it is not JSON"),
    "string_type": ("应为文本", "it must be text"),
    "string_too_short": ("至少 {min_length} 个字符", "at least {min_length} characters"),
    "string_too_long": ("至多 {max_length} 个字符", "at most {max_length} characters"),
    "string_pattern_mismatch": ("应符合 {pattern}", "it must match {pattern}"),
    "literal_error": ("应为 {expected}", "it must be {expected}"),
    "enum": ("应为 {expected}", "it must be {expected}"),
    "greater_than_equal": ("应不小于 {ge}", "it must be at least {ge}"),
    "greater_than": ("应大于 {gt}", "it must be more than {gt}"),
    "less_than_equal": ("应不大于 {le}", "it must be at most {le}"),
    "less_than": ("应小于 {lt}", "it must be less than {lt}"),
    "too_short": ("至少 {min_length} 项", "at least {min_length} of them"),
    "too_long": ("至多 {max_length} 项", "at most {max_length} of them"),
    "timezone_aware": (
        "应为带时区的时间,如 2026-11-25T08:00:00+08:00",
        "a time with its offset, as in 2026-11-25T08:00:00+08:00",
    ),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"), ("应为整数", "it must be a whole number")
    ),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), ("应为数字", "it must be a number")),
    **dict.fromkeys(("bool_type", "bool_parsing"), ("应为 true 或 false", "it must be true or false")),
    **dict.fromkeys(("list_type", "tuple_type"), ("应为数组", "it must be an array")),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"), ("应为 JSON 对象", "it must be a JSON object")
    ),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"),
        ("应为时间,如 2026-11-25T08:00:00+08:00", "it must be a time, as in 2026-11-25T08:00:00+08:00"),
    ),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        ("应为日期,如 2026-11-25", "it must be a date, as in 2026-11-25"),
    ),
    **dict.fromkeys(("uuid_type", "uuid_parsing"), ("应为 UUID", "it must be a UUID")),
}


def invalid_of(errors: Sequence[Mapping[str, Any]]) -> RequestInvalid:
    """The error that tells of the first of them."""
    invalid = [_told(one) for one in errors[:TOLD_MAX]]
    return RequestInvalid(
        invalid=invalid,
        where_zh=";".join(f"{one['where']} {one['rule_zh']}" for one in invalid),
        where_en="; ".join(f"{one['where']}: {one['rule_en']}" for one in invalid),
    )


def told_name(name: str) -> str:
    """A name as it may be repeated to who sent it: short, and text (a JSON member's name may be a lone surrogate)."""
    return name[:NAME_CHARACTERS_TOLD].encode(errors="replace").decode()


def _told(error: Mapping[str, Any]) -> Mapping[str, str]:
    where = ".".join(told_name(str(part)) for part in error["loc"])
    zh, en = _RULES.get(str(error["type"]), _ANY)
    context: Mapping[str, Any] = error.get("ctx") or {}
    expected = str(context.get("expected", ""))
    return {
        "where": where,
        "rule_zh": zh.format_map({**context, "expected": expected.replace(" or ", " 或 ")}),
        "rule_en": en.format_map(context),
    }
