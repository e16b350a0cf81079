"""Row conditions: a small closed language over a record's fields, in which grants and queries say which rows.

It is decided in three values (Kleene): an atom over a field without a value is unknown, and so is what only it could
settle. A row is given where its condition is true, so unknown stays closed, under ``not`` as well. SQL has the same
three values, which is why ``hub/release/compile.py`` can translate it word for word. The language is frozen: what it
cannot say is not granted by rows.

==================== ======================================== ==================================================
condition            JSON                                     true where
==================== ======================================== ==================================================
``Compare``          {"field": f, "op": "<", "value": v}      the field's value stands so to the value
``OneOf``            {"field": f, "in": [v, …]}               it is one of the values
``StartsWith``       {"field": f, "prefix": "4201"}           a text begins so: a region by its code
``Within``           {"field": f, "from": v, "until": v}      from ≤ value < until: a period
``Known``            {"field": f, "known": true | false}      it has a value, or has none
``AllOf``, ``AnyOf``   {"all": [c, …]}, {"any": [c, …]}         every one is, or at least one
``Not``              {"not": c}                               it is false (not: unknown)
==================== ======================================== ==================================================
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Value = str | int | float | bool | Decimal | date | datetime
Record = Mapping[str, Any]

OPERATORS: Final[tuple[Operator, ...]] = ("=", "!=", "<", "<=", ">", ">=")
DEPTH_MAX = 8
ATOMS_MAX = 200
VALUES_MAX = 1_000
TEXT_CHARACTERS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a value of its type."""

    field: str
    op: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field among values of its type."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class StartsWith:
    """A text that begins with a prefix, character by character."""

    field: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Within:
    """A half-open interval; at least one end is given."""

    field: str
    start: Value | None
    end: Value | None


@dataclass(frozen=True, slots=True)
class Known:
    """Whether a field has a value: never unknown itself."""

    field: str
    known: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    """And; true of none."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Or; false of none."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """Negation; unknown stays unknown."""

    part: "Condition"


Condition = Compare | OneOf | StartsWith | Within | Known | AllOf | AnyOf | Not


def conjunction(*conditions: Condition | None) -> Condition | None:
    """All of the given ones that are there; None where none is: every row."""
    parts = tuple(one for one in conditions if one is not None)
    return parts[0] if len(parts) == 1 else AllOf(parts) if parts else None


def fields_of(condition: Condition) -> frozenset[str]:
    """The fields a condition looks at."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return frozenset().union(*(fields_of(part) for part in parts))
        case Not(part):
            return fields_of(part)
        case _:
            return frozenset((condition.field,))


# Deciding ------------------------------------------------------------------------------------------------------------


def holds(condition: Condition | None, record: Record) -> bool:
    """Whether a row may be given: its condition is true, not merely not false."""
    return condition is None or truth(condition, record) is True


def truth(condition: Condition, record: Record) -> bool | None:
    """True, false, or None for unknown. This is what the SQL must agree with, row by row."""
    match condition:
        case AllOf(parts):
            return _and([truth(part, record) for part in parts])
        case AnyOf(parts):
            return _not(_and([_not(truth(part, record)) for part in parts]))
        case Not(part):
            return _not(truth(part, record))
        case Known(field, known):
            return (record.get(field) is not None) is known
        case _:
            value = record.get(condition.field)
            return None if value is None or value != value else _atom(condition, value)  # noqa: PLR0124 - NaN


def _and(parts: Sequence[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _atom(atom: Compare | OneOf | StartsWith | Within, value: Any) -> bool:  # noqa: ANN401 - of the field's type
    match atom:
        case Compare(_, op, other):
            return _COMPARE[op](value, other)
        case OneOf(_, values):
            return value in values
        case StartsWith(_, prefix):
            return value.startswith(prefix)
        case Within(_, start, end):
            return (start is None or value >= start) and (end is None or value < end)


_COMPARE: Final[Mapping[Operator, Any]] = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def as_real(value: float) -> float:
    """The nearest value of a four-byte float, as the store holds it."""
    return struct.unpack("f", struct.pack("f", value))[0]
