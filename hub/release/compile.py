"""Conditions as SQL: word for word what ``catalog.condition.truth`` says, in the three values both have.

Identifiers are the contract's fields, every value is a parameter with the field's type written beside it. A condition
stands bare in WHERE, which gives a row only where it is true: an ``IS TRUE`` around it would mean the same and would
keep PostgreSQL from using an index.
"""

from collections.abc import Mapping
from typing import Any, Final, LiteralString

from psycopg import sql

from catalog.condition import AllOf, AnyOf, Compare, Condition, Known, Not, OneOf, Operator, StartsWith, Within
from hub.store.tables import column_type
from schemas.contract import FieldType

_OPERATORS: Final[Mapping[Operator, LiteralString]] = {
    "=": "=",
    "!=": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}


class Parameters:
    """The values of one statement, named in the order they come."""

    def __init__(self, prefix: str = "p") -> None:
        self._prefix = prefix
        self.values: dict[str, Any] = {}

    def add(self, value: object) -> sql.Composable:
        """A placeholder for the value."""
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        return sql.Placeholder(name)

    def typed(self, value: object, of: FieldType, *, array: bool = False) -> sql.Composable:
        """A placeholder cast to the field's type, or an array of it."""
        cast = sql.SQL(column_type(of) + ("[]" if array else ""))  # pyright: ignore[reportArgumentType] - a closed table of types
        return sql.SQL("{}::{}").format(self.add(value), cast)


def condition_sql(
    condition: Condition | None, types: Mapping[str, FieldType], alias: str, parameters: Parameters
) -> sql.Composable:
    """A condition over the row ``alias``; ``true`` for None. KeyError where it names a field that is none."""
    match condition:
        case None:
            return sql.SQL("true")
        case AllOf(parts) | AnyOf(parts):
            every = isinstance(condition, AllOf)
            if not parts:
                return sql.SQL("true") if every else sql.SQL("false")
            inner = [condition_sql(part, types, alias, parameters) for part in parts]
            return sql.SQL("({})").format((sql.SQL(" AND ") if every else sql.SQL(" OR ")).join(inner))
        case Not(part):
            return sql.SQL("(NOT {})").format(condition_sql(part, types, alias, parameters))
        case Known(field, known):
            return sql.SQL("({} {})").format(
                sql.Identifier(alias, field), sql.SQL("IS NOT NULL") if known else sql.SQL("IS NULL")
            )
        case _:
            return _atom(condition, types[condition.field], alias, parameters)


def _atom(
    atom: Compare | OneOf | StartsWith | Within, of: FieldType, alias: str, parameters: Parameters
) -> sql.Composable:
    column: sql.Composable = sql.Identifier(alias, atom.field)
    if of.kind in ("float", "double"):  # PostgreSQL orders NaN above every number; a condition knows it as unknown
        column = sql.SQL("nullif({}, 'NaN')").format(column)
    match atom:
        case Compare(_, op, value):
            return sql.SQL("({} {} {})").format(column, sql.SQL(_OPERATORS[op]), parameters.typed(value, of))
        case OneOf(_, values):
            return sql.SQL("({} = ANY({}))").format(column, parameters.typed(list(values), of, array=True))
        case StartsWith(_, prefix):
            return sql.SQL("({} ^@ {}::text)").format(column, parameters.add(prefix))
        case Within(_, start, end):
            ends = [(sql.SQL(">="), start), (sql.SQL("<"), end)]
            parts = [
                sql.SQL("{} {} {}").format(column, op, parameters.typed(value, of))
                for op, value in ends
                if value is not None
            ]
            return sql.SQL("({})").format(sql.SQL(" AND ").join(parts))
