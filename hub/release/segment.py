"""A part of a dataset at an instant, between two keys, in the order of the key.

An export is made of such parts, each read in a transaction of its own that is over before its rows are sent: the
instant makes them fit together as if they had been one. So no reader, however slow, holds back the vacuum.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import ClientCursor, Connection, sql

from hub.release.compile import Parameters, condition_sql
from hub.release.select import Body, Compiled
from hub.store.tables import table_name

Key = tuple[str, ...]  # as text, in the order of the contract's key

_BOUND: Final = sql.SQL("SELECT {key} FROM data.{table} t WHERE {range} ORDER BY {order} OFFSET %(rows)s LIMIT 1")
# Each branch in order by itself: the planner then merges two index scans instead of sorting the whole part.
_BRANCH: Final = sql.SQL(
    "(SELECT {columns} FROM data.{table} t WHERE t._taken <= %(at)s {until} AND NOT t._deleted AND {condition}"
    " AND {range} ORDER BY {order})"
)
_PART: Final = sql.SQL("SELECT {body} FROM ({current} UNION ALL {history}) t ORDER BY {order}")
_UNTIL: Final = sql.SQL("AND t._until > %(at)s")
_CSV: Final = sql.SQL("COPY ({part}) TO STDOUT (FORMAT csv)")
# JSON escapes every control character, so with these for quote and delimiter its lines pass as they are.
_LINES: Final = sql.SQL("COPY ({part}) TO STDOUT (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')")


def bound_after(conn: Connection, compiled: Compiled, after: Key | None, rows: int) -> Key | None:
    """The key some rows further on; None where fewer are left. Current holds every key there ever was."""
    parameters = Parameters("b")
    key = compiled.resource.key
    query = _BOUND.format(
        key=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("t", name)) for name in key),
        table=sql.Identifier(table_name(compiled.resource.dataset)),
        range=_range(compiled, after, None, parameters),
        order=_list(key),
    )
    row = conn.execute(query, parameters.values | {"rows": rows - 1}).fetchone()
    return None if row is None else tuple(row)


def part_sql(
    compiled: Compiled, body: Body, after: Key | None, until: Key | None, at: datetime
) -> tuple[sql.Composed, dict[str, Any]]:
    """The rows after one key up to another, as they were at an instant; with the values of the placeholders."""
    parameters = Parameters("s")
    resource, query = compiled.resource, compiled.query
    types = {name: label.type for name, label in resource.fields.items()}
    parts = {
        "columns": _list(tuple(dict.fromkeys((*query.fields, *resource.key)))),
        "condition": condition_sql(compiled.decision.rows, types, "t", parameters),
        "range": _range(compiled, after, until, parameters),
        "order": _list(resource.key),
    }
    table = table_name(resource.dataset)
    statement = _PART.format(
        body=body.expression,
        current=_BRANCH.format(table=sql.Identifier(table), until=sql.SQL(""), **parts),
        history=_BRANCH.format(table=sql.Identifier(table + "_history"), until=_UNTIL, **parts),
        order=parts["order"],
    )
    references = {} if compiled.references is None else compiled.references.parameters
    return statement, parameters.values | dict(body.parameters) | references | {"at": at}


def copy_statement(conn: Connection, part: sql.Composed, parameters: dict[str, Any], *, lines: bool) -> bytes:
    """A part as COPY, which takes no parameters: psycopg writes the values into it, quoted as literals.

    Args:
        conn: whose encoding and settings the quoting follows.
        part: the query.
        parameters: its values.
        lines: JSON lines; CSV otherwise.
    """
    template = (_LINES if lines else _CSV).format(part=part)
    return ClientCursor(conn).mogrify(template, parameters).encode()


def _range(compiled: Compiled, after: Key | None, until: Key | None, parameters: Parameters) -> sql.Composable:
    ends = [(sql.SQL(">"), after), (sql.SQL("<="), until)]
    found = [
        sql.SQL("ROW({}) {} ROW({})").format(_list(compiled.resource.key), operator, _values(compiled, key, parameters))
        for operator, key in ends
        if key is not None
    ]
    return sql.SQL(" AND ").join(found) if found else sql.SQL("true")


def _values(compiled: Compiled, key: Key, parameters: Parameters) -> sql.Composable:
    fields = compiled.resource.fields
    pairs = zip(compiled.resource.key, key, strict=True)
    return sql.SQL(", ").join(parameters.typed(value, fields[name].type) for name, value in pairs)


def _list(names: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier("t", name) for name in names)
