"""Row conditions as JSON, read against the fields they may speak of: every value is of its field's type or refused."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

from catalog.condition import (
    ATOMS_MAX,
    DEPTH_MAX,
    OPERATORS,
    TEXT_CHARACTERS_MAX,
    VALUES_MAX,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Known,
    Not,
    OneOf,
    Operator,
    StartsWith,
    Value,
    Within,
    as_real,
)
from catalog.condition_errors import ConditionWrong
from schemas.contract import FieldType, Kind
from schemas.textform import text_of

Types = Mapping[str, FieldType]

_SHANGHAI: Final = timezone(timedelta(hours=8))  # since 1991 without summer time
_INTEGERS: Final[Mapping[str, int]] = {"int": 2**31, "long": 2**63}
_FORMS: Final = (
    ({"field", "op", "value"}, "compare"),
    ({"field", "in"}, "one_of"),
    ({"field", "prefix"}, "starts_with"),
    ({"field", "from", "until"}, "within"),
    ({"field", "from"}, "within"),
    ({"field", "until"}, "within"),
    ({"field", "known"}, "known"),
)


def condition_from_json(value: object, types: Types) -> Condition:
    """Read a condition.

    Args:
        value: decoded JSON.
        types: the fields it may speak of; every other is refused as unknown, whether it exists or not.

    Raises:
        ConditionWrong: what is wrong, and where in it.
    """
    return _Reader(types).condition(value, "$", 1)


def condition_to_json(condition: Condition) -> dict[str, Any]:  # noqa: PLR0911 - one for each form
    """The inverse of ``condition_from_json``; values without a JSON type are text."""
    match condition:
        case AllOf(parts):
            return {"all": [condition_to_json(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [condition_to_json(part) for part in parts]}
        case Not(part):
            return {"not": condition_to_json(part)}
        case Compare(field, op, value):
            return {"field": field, "op": op, "value": _plain(value)}
        case OneOf(field, values):
            return {"field": field, "in": [_plain(value) for value in values]}
        case StartsWith(field, prefix):
            return {"field": field, "prefix": prefix}
        case Known(field, known):
            return {"field": field, "known": known}
        case Within(field, start, end):
            ends = {"from": start, "until": end}
            return {"field": field} | {name: _plain(one) for name, one in ends.items() if one is not None}


def _plain(value: Value) -> str | int | float | bool | None:
    return value if isinstance(value, str | bool | int | float) else text_of(value)


class _Reader:
    """One reading, which counts its atoms."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._atoms = 0

    def condition(self, value: object, where: str, depth: int) -> Condition:
        if depth > DEPTH_MAX:
            raise ConditionWrong(where=where, rule_zh=f"嵌套至多 {DEPTH_MAX} 层", rule_en=f"at most {DEPTH_MAX} deep")
        if not isinstance(value, dict):
            raise ConditionWrong(where=where, rule_zh="应为 JSON 对象", rule_en="it must be a JSON object")
        members = cast("dict[str, object]", value)
        if len(members) == 1:
            name, inner = next(iter(members.items()))
            if name == "not":
                return Not(self.condition(inner, f"{where}.not", depth + 1))
            if name in {"all", "any"}:
                parts = self._parts(inner, f"{where}.{name}", depth)
                return AllOf(parts) if name == "all" else AnyOf(parts)
        form = next((form for names, form in _FORMS if members.keys() == names), None)
        if form is None:
            raise ConditionWrong(
                where=where,
                rule_zh="应为 all、any、not,或 field 加 op/value、in、prefix、from/until、known 之一",
                rule_en="it must be all, any or not, or field with op and value, in, prefix, from and until, or known",
            )
        return self._atom(form, members, where)

    def _parts(self, value: object, where: str, depth: int) -> tuple[Condition, ...]:
        if not isinstance(value, list):
            raise ConditionWrong(where=where, rule_zh="应为数组", rule_en="it must be an array")
        parts = cast("list[object]", value)
        if len(parts) > ATOMS_MAX:
            raise ConditionWrong(where=where, rule_zh=f"至多 {ATOMS_MAX} 项", rule_en=f"at most {ATOMS_MAX} parts")
        return tuple(self.condition(part, f"{where}[{place}]", depth + 1) for place, part in enumerate(parts))

    def _atom(self, form: str, members: Mapping[str, object], where: str) -> Condition:
        self._atoms += 1
        if self._atoms > ATOMS_MAX:
            raise ConditionWrong(where=where, rule_zh=f"至多 {ATOMS_MAX} 项", rule_en=f"at most {ATOMS_MAX} parts")
        name = members["field"]
        found = self._types.get(name) if isinstance(name, str) else None
        if not isinstance(name, str) or found is None:
            raise ConditionWrong(
                where=f"{where}.field", rule_zh="没有此数据项或不可用于条件", rule_en="no such field here"
            )
        if form == "known":
            known = members["known"]
            if not isinstance(known, bool):
                raise ConditionWrong(where=f"{where}.known", rule_zh="应为 true 或 false", rule_en="true or false")
            return Known(name, known)
        if found.kind not in _TYPED:
            raise ConditionWrong(
                where=where, rule_zh="此类型只能用 known", rule_en="fields of this type can only be asked for known"
            )
        return self._comparison(form, name, found, members, where)

    def _comparison(
        self, form: str, name: str, found: FieldType, members: Mapping[str, object], where: str
    ) -> Condition:
        if form == "compare":
            op = members["op"]
            allowed = ("=", "!=") if found.kind == "boolean" else OPERATORS
            if op not in allowed:
                raise ConditionWrong(
                    where=f"{where}.op", rule_zh=f"应为 {' '.join(allowed)} 之一", rule_en=f"one of {' '.join(allowed)}"
                )
            return Compare(name, cast("Operator", op), typed(members["value"], found, f"{where}.value"))
        if form == "one_of":
            given = members["in"]
            if not isinstance(given, list) or not 0 < len(cast("list[object]", given)) <= VALUES_MAX:
                raise ConditionWrong(
                    where=f"{where}.in",
                    rule_zh=f"应为 1 至 {VALUES_MAX} 个值的数组",
                    rule_en=f"1 to {VALUES_MAX} values",
                )
            values = cast("list[object]", given)
            return OneOf(name, tuple(typed(value, found, f"{where}.in[{place}]") for place, value in enumerate(values)))
        if form == "starts_with":
            if found.kind != "string":
                raise ConditionWrong(where=where, rule_zh="prefix 只用于文本", rule_en="prefix is for texts")
            return StartsWith(name, cast("str", typed(members["prefix"], found, f"{where}.prefix")))
        if found.kind == "boolean":
            raise ConditionWrong(where=where, rule_zh="逻辑型没有区间", rule_en="a boolean has no interval")
        ends = [typed(members[end], found, f"{where}.{end}") if end in members else None for end in ("from", "until")]
        return Within(name, ends[0], ends[1])


# Values --------------------------------------------------------------------------------------------------------------


def typed(value: object, of: FieldType, where: str) -> Value:
    """A JSON value as a value of a field's type; numbers that JSON cannot hold exactly may be given as text.

    Raises:
        ConditionWrong: it is none.
    """
    read, zh, en = _TYPED[of.kind]
    try:
        found = read(value, of)
    except (ValueError, InvalidOperation, OverflowError):
        found = None
    if found is None:
        raise ConditionWrong(where=where, rule_zh=f"应为{zh}", rule_en=f"it must be {en}")
    return found


def _text(value: object, _: FieldType) -> Value | None:
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX or "\x00" in value:
        return None
    return value if value.isascii() else value.encode("utf-8").decode("utf-8")  # a lone surrogate is a ValueError


def _integer(value: object, of: FieldType) -> Value | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    number = int(value) if isinstance(value, int) or _is_digits(value) else None
    return number if number is not None and -_INTEGERS[of.kind] <= number < _INTEGERS[of.kind] else None


def _is_digits(text: str) -> bool:
    return len(text) <= 20 and text.isascii() and text.removeprefix("-").isdigit()  # noqa: PLR2004 - digits of 2^63 and a sign


def _float(value: object, of: FieldType) -> Value | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    if not math.isfinite(number):
        return None
    return as_real(number) if of.kind == "float" else number


def _decimal(value: object, of: FieldType) -> Value | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 60:  # noqa: PLR2004 - 38 digits, sign, point and exponent
        return None
    number = Decimal(str(value))
    exponent = number.as_tuple().exponent
    if not number.is_finite() or not isinstance(exponent, int) or number.adjusted() >= of.precision - of.scale:
        return None
    return number if -exponent <= of.precision else None


def _boolean(value: object, _: FieldType) -> Value | None:
    return value if isinstance(value, bool) else None


def _date(value: object, _: FieldType) -> Value | None:
    return date.fromisoformat(value) if isinstance(value, str) else None


def _timestamp(value: object, _: FieldType) -> Value | None:
    if not isinstance(value, str):
        return None
    instant = datetime.fromisoformat(value)
    return instant if instant.tzinfo is None else instant.astimezone(_SHANGHAI).replace(tzinfo=None)


_TYPED: Final[Mapping[Kind, tuple[Callable[[object, FieldType], Value | None], str, str]]] = {
    "string": (_text, f"至多 {TEXT_CHARACTERS_MAX} 字的文本", f"a text of at most {TEXT_CHARACTERS_MAX} characters"),
    "int": (_integer, "32 位整数", "a 32-bit integer"),
    "long": (_integer, "64 位整数", "a 64-bit integer"),
    "float": (_float, "有限的数", "a finite number"),
    "double": (_float, "有限的数", "a finite number"),
    "boolean": (_boolean, " true 或 false", "true or false"),
    "date": (_date, "日期,如 2026-11-25", "a date as in 2026-11-25"),
    "decimal": (_decimal, "该精度内的数", "a number within its precision"),
    "timestamp_millis": (_timestamp, "时间,如 2026-11-25T08:00:00", "a time as in 2026-11-25T08:00:00"),
    "timestamp_micros": (_timestamp, "时间,如 2026-11-25T08:00:00", "a time as in 2026-11-25T08:00:00"),
}


def sortable(of: FieldType) -> bool:
    """Whether values of the type can be compared, and so filtered and sorted by."""
    return of.kind in _TYPED


def listed(values: Sequence[Value]) -> list[Any]:
    """Values as JSON has them, in the form ``typed`` reads."""
    return [_plain(value) for value in values]
