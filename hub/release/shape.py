"""The shape of a condition: what of it decides the text of its SQL, apart from its values.

Conditions of one shape differ in their parameters alone, so their statement is written once. Both go through a
condition in the order in which ``compile.condition_sql`` adds its parameters; whoever relies on that compares first.
"""

from collections.abc import Hashable, Iterator
from typing import Any

from catalog.condition import AllOf, AnyOf, Compare, Condition, Known, Not, OneOf, StartsWith, Within


def shape_of(condition: Condition | None) -> Hashable:  # noqa: PLR0911 - one for each form
    """Equal for two conditions whose SQL is the same text."""
    match condition:
        case None:
            return None
        case AllOf(parts) | AnyOf(parts):
            return type(condition).__name__, *(shape_of(part) for part in parts)
        case Not(part):
            return "Not", shape_of(part)
        case Known(field, known):
            return "Known", field, known
        case Compare(field, op, _):
            return "Compare", field, op
        case OneOf(field, _):
            return "OneOf", field
        case StartsWith(field, _):
            return "StartsWith", field
        case Within(field, start, end):
            return "Within", field, start is None, end is None


def values_of(condition: Condition | None) -> Iterator[Any]:
    """The values of its parameters, in order."""
    match condition:
        case None | Known():
            return
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from values_of(part)
        case Not(part):
            yield from values_of(part)
        case Compare(_, _, value):
            yield value
        case OneOf(_, values):
            yield list(values)
        case StartsWith(_, prefix):
            yield prefix
        case Within(_, start, end):
            yield from (value for value in (start, end) if value is not None)
