"""What is read: a table, or a fixed query that stands for one; with its columns, as the database knows them."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from connectors.sources.database_errors import ColumnUnknown, TableUnknown
from connectors.sources.errors import OptionWrong

_NEAR_MAX = 3
# SQLAlchemy would take :word in a query for a value to be filled in; the query is fixed.
_PLACEHOLDER = re.compile(r"(?<![:\w\\]):(?=\w)")
_READS = re.compile(r"\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|with)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or query.

    Args:
        name: for sentences.
        source: what statements select from.
        names: all its columns.
        nullable: those that may be without a value, as far as the database says.
    """

    name: str
    source: sa.FromClause
    names: tuple[str, ...]
    nullable: frozenset[str]

    def column(self, name: str) -> sa.ColumnElement[Any]:
        """A column by name.

        Raises:
            ColumnUnknown: there is none; near names are told.
        """
        if name not in self.names:
            raise ColumnUnknown(self.name, name, near(name, self.names))
        return self.source.c[name]


def checked_query(query: str) -> str:
    """A query that can stand in brackets.

    Raises:
        OptionWrong: it is not one statement that reads.
    """
    text = query.strip().removesuffix(";").rstrip()
    if ";" in text or not _READS.match(text):
        raise OptionWrong("query", "应为一条 SELECT 语句", "it must be one SELECT statement")
    return text


def table_of(connection: sa.Connection, place: str, table: str) -> Relation:
    """A table or view, ``name`` or ``schema.name``.

    Raises:
        TableUnknown: there is none; near names are told.
    """
    schema, _, name = table.rpartition(".")
    look = sa.inspect(connection)
    try:
        columns = look.get_columns(name, schema or None)
    except exc.NoSuchTableError as problem:
        there = [*look.get_table_names(schema or None), *look.get_view_names(schema or None)]
        raise TableUnknown(place, table, near(name, there)) from problem
    names = tuple(str(column["name"]) for column in columns)
    nullable = frozenset(str(column["name"]) for column in columns if column["nullable"])
    source = sa.table(name, *(sa.column(one) for one in names), schema=schema or None)
    return Relation(table, source, names, nullable)


def query_of(connection: sa.Connection, name: str, query: str) -> Relation:
    """A query, asked for its columns without reading a row."""
    text = sa.text(_PLACEHOLDER.sub(r"\\:", checked_query(query)))
    probe = sa.select(sa.text("*")).select_from(text.columns().subquery("source_rows")).where(sa.false())
    names = tuple(connection.execute(probe).keys())
    source = text.columns(*(sa.column(one) for one in names)).subquery("source_rows")
    return Relation(name, source, names, frozenset(names))


def near(name: str, among: Sequence[str]) -> str:
    """Names that may have been meant."""
    lowered = {one.lower(): one for one in among}
    found = difflib.get_close_matches(name.lower(), [*lowered], _NEAR_MAX, 0.4)
    return ", ".join(lowered[one] for one in found) or ", ".join(sorted(among)[:10]) or "-"
