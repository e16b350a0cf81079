"""A query under a decision as one SQL statement: what is not allowed has no expression in it, so it cannot leave.

A page's statement also returns the policy epoch of its own snapshot. Who remembers a decision by its epoch compares the
two before anything is given out: a decision that was overtaken is made again, at no cost while nothing changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from psycopg import sql

from catalog.condition import Condition, conjunction
from catalog.decision import Decision
from catalog.epoch_store import EPOCH_BESIDE
from catalog.resource import Resource
from hub.release import reference, shaped, source
from hub.release.compile import Parameters, condition_sql
from hub.release.query import Box, Order, Query
from hub.release.reference import ReferenceKeys
from schemas.contract import FieldType

SHAPES_REMEMBERED: Final = 4_096
# The epoch beside the page's rows, in the page's order: nested loops keep it. An empty page is one row of NULLs.
_PAGE: Final = sql.SQL(
    "SELECT e.epoch, p.* FROM "  # noqa: S608 - constants alone
    + EPOCH_BESIDE
    + " LEFT JOIN LATERAL (SELECT {body}, {place} FROM {source}{order}) p ON true"
)
_COUNT: Final = sql.SQL("SELECT count(*) FROM {source}")
_EXPLAIN: Final = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {source}")
# No parameter: of a page of unknown length the planner makes a new plan each time it is asked for.
_ORDER: Final = sql.SQL(" ORDER BY {order} LIMIT {limit}")
_TOUCHES: Final = sql.SQL(
    "ST_Intersects({column}, ST_MakeEnvelope(%(west)s::float8, %(south)s::float8, %(east)s::float8, %(north)s::float8,"
    " 4490))"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with named placeholders, and its values.

    Args:
        text: of the statement.
        parameters: by name.
        stays: those among them that are this very mapping each time the text is run again; None where none are.
    """

    text: str
    parameters: Mapping[str, Any]
    stays: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query under a decision.

    Args:
        resource: the dataset.
        decision: which allows.
        query: held against the decision.
        references: the caller's keys; None where references are the key itself.
        pseudonym_key: of the dataset.
    """

    resource: Resource
    decision: Decision
    query: Query
    references: ReferenceKeys | None
    pseudonym_key: bytes

    def page(
        self,
        body: "Body",
        limit: int,
        *,
        after: Sequence[str | None] | None = None,
        at: datetime | None = None,
    ) -> Statement:
        """A page: the epoch, the body's columns, then the order's values as text; one record more than the limit.

        Args:
            body: what each row shows.
            limit: most records; the statement asks for one more, which tells whether there is another page.
            after: the place of the last record of the page before.
            at: the moment; None for the newest.
        """
        parameters = Parameters()
        conditions = self._conditions(parameters)
        if after is not None:
            conditions = sql.SQL("{} AND {}").format(conditions, self._beyond(after, parameters))
        ordered = shaped.written(_ordered(self.query.order, limit))
        text = _PAGE.format(
            body=body.expression,
            place=shaped.written(_place(self.query.order)),
            source=self._source(conditions, ordered, at),
            order=ordered,
        ).as_string(None)
        return Statement(text, parameters.values | dict(body.parameters) | self._values(at))

    def count(self, *, exact: bool, at: datetime | None = None) -> Statement:
        """How many records match in all, exactly, or as EXPLAIN tells the planner's estimate."""
        parameters = Parameters()
        found = self._source(self._conditions(parameters), sql.SQL(""), at)
        text = (_COUNT if exact else _EXPLAIN).format(source=found).as_string(None)
        return Statement(text, parameters.values | self._values(at))

    def _source(self, conditions: sql.Composable, order: sql.Composable, at: datetime | None) -> sql.Composable:
        if at is None:
            return source.newest(self.resource.dataset, conditions)
        return source.of_moment(self.resource.dataset, self._columns_read(), conditions, order)

    def _columns_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.query.fields, *(one.field for one in self.query.order))))

    def sides(self) -> dict[str, float]:
        """The parameters of the box."""
        return {} if self.query.box is None else _sides(self.query.box[1])

    def _values(self, at: datetime | None) -> dict[str, Any]:
        found: dict[str, Any] = {**self.sides()}
        if self.references is not None:
            found |= self.references.parameters
        return found if at is None else found | {"at": at}

    def _conditions(self, parameters: Parameters) -> sql.Composable:
        types = {name: label.type for name, label in self.resource.fields.items()}
        condition: Condition | None = conjunction(self.decision.rows, self.query.condition)
        found = condition_sql(condition, types, "t", parameters)
        if self.query.box is not None:
            touches = _TOUCHES.format(column=sql.Identifier("t", self.query.box[0]))
            found = sql.SQL("{} AND {}").format(found, touches)
        return found

    # Order -----------------------------------------------------------------------------------------------------------

    def _beyond(self, after: Sequence[str | None], parameters: Parameters) -> sql.Composable:
        """Everything that comes after a place in PostgreSQL's own order: NULL is the greatest, and so is NaN but it."""
        order = self.query.order
        if all(one.field in self.resource.key and not one.descending for one in order):
            columns = sql.SQL(", ").join(sql.Identifier("t", one.field) for one in order)
            values = sql.SQL(", ").join(
                self._value(one, value, parameters) for one, value in zip(order, after, strict=True)
            )
            return sql.SQL("ROW({}) > ROW({})").format(columns, values)
        found: sql.Composable = sql.SQL("false")
        for one, value in reversed(list(zip(order, after, strict=True))):
            column = sql.Identifier("t", one.field)
            if value is None:
                beyond = sql.SQL("{} IS NOT NULL" if one.descending else "false").format(column)
                found = sql.SQL("({} OR ({} IS NULL AND {}))").format(beyond, column, found)
                continue
            typed = self._value(one, value, parameters)
            beyond = sql.SQL("{c} < {v}" if one.descending else "({c} > {v} OR {c} IS NULL)").format(c=column, v=typed)
            found = sql.SQL("({} OR ({} = {} AND {}))").format(beyond, column, typed, found)
        return found

    def _value(self, order: Order, value: str | None, parameters: Parameters) -> sql.Composable:
        return parameters.typed(value, self.resource.fields[order.field].type)


@dataclass(frozen=True, slots=True)
class Body:
    """What a row shows: an expression of one column or more over row ``t``, and its parameters."""

    expression: sql.Composable
    parameters: Mapping[str, Any]


# What follows is written once for each shape: psycopg takes 20 µs for a piece, and a page has dozens. Nothing of it
# depends on who asks, or for which records.


@lru_cache(SHAPES_REMEMBERED)
def _ordered(order: tuple[Order, ...], limit: int) -> str:
    columns = [sql.SQL("{} DESC" if one.descending else "{}").format(sql.Identifier("t", one.field)) for one in order]
    return _ORDER.format(order=sql.SQL(", ").join(columns), limit=sql.Literal(limit + 1)).as_string(None)


@lru_cache(SHAPES_REMEMBERED)
def _place(order: tuple[Order, ...]) -> str:
    return (
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("t", one.field)) for one in order).as_string(None)
    )


def body_of(compiled: Compiled, form: str) -> Body:
    """The columns of a row in a form of ``shaped``: ``json`` and ``feature`` make one, the others one a field.

    The first is always the record's reference.
    """
    inner = "json" if form == "feature" else form
    resource, names = compiled.resource, compiled.query.fields
    columns = tuple(
        (name, shaped.given_text(compiled.decision, resource, name, compiled.pseudonym_key, inner)) for name in names
    )
    geometry = None
    if form == "feature":
        geometry = geometry_of(shaped.given_types(compiled.decision, resource, names))
    key = tuple((name, resource.fields[name].type) for name in resource.key)
    text = _body_text(form, geometry, columns, key, opaque=compiled.references is not None)
    parameters = shaped.column_parameters(compiled.decision, resource, names, compiled.pseudonym_key, inner)
    return Body(shaped.written(text), parameters)


def reference_column(compiled: Compiled) -> sql.Composable:
    """The expression of a record's reference."""
    fields = compiled.resource.fields
    key = tuple((name, fields[name].type) for name in compiled.resource.key)
    return _referenced(key, opaque=compiled.references is not None)


def geometry_of(types: Mapping[str, FieldType]) -> str | None:
    """The field that is a feature's geometry: the first of its kind."""
    return next((name for name, of in types.items() if of.kind == "geometry"), None)


@lru_cache(SHAPES_REMEMBERED)
def _body_text(
    form: str,
    geometry: str | None,
    columns: tuple[tuple[str, str], ...],
    key: tuple[tuple[str, FieldType], ...],
    *,
    opaque: bool,
) -> str:
    referenced = _referenced(key, opaque=opaque)
    written = {name: shaped.written(text) for name, text in columns}
    if form == "json":
        return _object({"_ref": referenced} | written).as_string(None)
    if form == "feature":
        return _feature(referenced, geometry, written).as_string(None)
    return sql.SQL(", ").join((referenced, *written.values())).as_string(None)


def _referenced(key: tuple[tuple[str, FieldType], ...], *, opaque: bool) -> sql.Composable:
    parts = [reference.key_part(name, "t", of) for name, of in key]
    return reference.opaque_reference(parts) if opaque else reference.plain_reference(parts)


def _feature(referenced: sql.Composable, geometry: str | None, columns: Mapping[str, sql.Composable]) -> sql.Composable:
    properties = {name: column for name, column in columns.items() if name != geometry}
    return _object(
        {
            "type": sql.SQL("'Feature'::text"),
            "id": referenced,
            "geometry": columns[geometry] if geometry is not None else sql.SQL("NULL::json"),
            "properties": _object(properties) if properties else sql.SQL("'{}'::json"),
        }
    )


def _object(members: Mapping[str, sql.Composable]) -> sql.Composable:
    """A JSON object. A row has 1,600 columns at the most, a call of json_build_object 50 members."""
    named = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(expression, sql.Identifier(name)) for name, expression in members.items()
    )
    return sql.SQL("(SELECT row_to_json(r) FROM (SELECT {}) r)").format(named)


def _sides(box: Box) -> dict[str, float]:
    return {"west": box.west, "south": box.south, "east": box.east, "north": box.north}
