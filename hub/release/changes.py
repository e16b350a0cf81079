"""What changed in a dataset since a cursor: every content a record took, once and in order, under the decision of now.

A change is told as ``put`` where the record is now among those the decision opens, and as ``gone`` where it was until
then and is not any more: deleted, or outside the row condition since. Where it never was, nothing is told. ``gone``
holds the record's reference, and its key where the decision gives that clear and the record had been open. Of an
erased record nothing is left here; that it is gone is told by ``erased``, to everyone and by its reference alone, which
says something only to those who hold the record.

The order is that of transaction times, then keys; up to the horizon it never changes any more (``content``).

Three places hold the changes since an instant. History keeps what was superseded, by the time of that; a record that
was superseded by what is in current now is found through it; and a key that is new is found by ``_since``, which tells
when it came. All three are found by block ranges, so what it costs depends on what changed and not on what there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg import Connection, sql

from hub.exchange.apply.locks import horizon
from hub.release.compile import Parameters, condition_sql
from hub.release.select import Compiled, body_of
from hub.store.tables import table_name

LIMIT_MAX: Final = 10_000
LOOKED_AT_MAX: Final = 20_000  # of one statement: changes that are not told count too
STATEMENTS_MAX: Final = 10  # of one page
# A key's _since is read off the clock a moment after its _taken; a clock put back in between must not hide it.
SLACK: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Reached:
    """How far changes were told.

    Args:
        taken: up to this transaction time.
        key: up to this key, as text, of those taken then; None for all of them.
    """

    taken: datetime
    key: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Changes in order.

    Args:
        changes: a JSON object each.
        reached: where the next page goes on.
        more: whether there is more now.
        epoch: the policy epoch of the snapshot they were read in.
        places: of each change.
        missed: whether an erasure could not be told any more (``hub.release.erased``).
    """

    changes: Sequence[bytes]
    reached: Reached
    more: bool
    epoch: int
    places: Sequence[Reached]
    missed: bool = False


_CURRENT_NEW: Final = sql.SQL(
    "(SELECT {columns} FROM {current} t WHERE t._since > %(since)s AND {window} ORDER BY {order} LIMIT %(looked_at)s)"
)
_CURRENT_CHANGED: Final = sql.SQL(
    "(SELECT {columns} FROM {history} h JOIN {current} t ON {same} AND t._taken = h._until"
    " WHERE h._until >= %(taken)s AND t._since <= %(since)s AND {window} ORDER BY {order} LIMIT %(looked_at)s)"
)
_SUPERSEDED: Final = sql.SQL(
    "(SELECT {columns} FROM {history} t WHERE t._until >= %(taken)s AND {window} ORDER BY {order} LIMIT %(looked_at)s)"
)
_PAGE: Final = sql.SQL(
    "SELECT e.epoch, c.* FROM policy_epoch e LEFT JOIN LATERAL ("
    ' SELECT CASE WHEN {now} THEN \'{{"op":"put","at":"\' || {at} || \'","record":\' || ({body})::text || \'}}\''
    ' WHEN {before} THEN \'{{"op":"gone","at":"\' || {at} || \'","record":\' || ({gone})::text || \'}}\''
    " END, t._taken, {key}"
    " FROM ({new} UNION ALL {changed} UNION ALL {superseded} ORDER BY {plain_order} LIMIT %(looked_at)s) t"
    " LEFT JOIN {history} p ON {predecessor} AND p._until = t._taken ORDER BY {order}) c ON true"
)
_AT: Final = sql.SQL("to_char(t._taken AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")


def settled(conn: Connection) -> datetime:
    """The instant up to which changes can be told. Ask before the snapshot that reads them."""
    return horizon(conn)


def read_changes(conn: Connection, compiled: Compiled, after: Reached, until: Reached, limit: int) -> ChangesPage:
    """The changes after one place up to another, not past an instant that ``settled`` gave.

    Each statement has a snapshot of its own.

    Args:
        conn: a connection in read committed.
        compiled: the dataset under its decision; the query's fields are those given.
        after: the end of the page before.
        until: the last place told.
        limit: most changes.
    """
    told: list[bytes] = []
    places: list[Reached] = []
    reached, epoch = after, 0
    for _ in range(STATEMENTS_MAX):
        if reached == until or (reached.key is None and reached.taken >= until.taken):
            return ChangesPage(told, reached, more=False, epoch=epoch, places=places)
        looked_at = min(LOOKED_AT_MAX, 2 * limit)
        text, parameters = _statement(compiled, reached, until, looked_at)
        with conn.cursor() as cursor:
            cursor.execute(text, parameters)
            rows = cursor.fetchall()
        epoch = int(rows[0][0])
        found = [row for row in rows if row[2] is not None]
        for row in found:
            reached = Reached(row[2], tuple(row[3:]))
            if row[1] is not None:
                told.append(row[1].encode())
                places.append(reached)
                if len(told) >= limit:
                    return ChangesPage(told, reached, more=True, epoch=epoch, places=places)
        if len(found) < looked_at:
            return ChangesPage(told, until, more=False, epoch=epoch, places=places)
    return ChangesPage(told, reached, more=True, epoch=epoch, places=places)


def _statement(compiled: Compiled, after: Reached, until: Reached, looked_at: int) -> tuple[bytes, dict[str, Any]]:
    resource = compiled.resource
    parameters = Parameters("c")
    body = body_of(compiled, "json")
    clear_key = resource.key if compiled.decision.clear_fields.issuperset(resource.key) else ()
    columns = [*resource.fields, "_deleted", "_taken"]
    tables = {
        "current": sql.SQL("data.{}").format(sql.Identifier(table_name(resource.dataset))),
        "history": sql.SQL("data.{}").format(sql.Identifier(table_name(resource.dataset) + "_history")),
    }
    parts = {
        **tables,
        "columns": _list("t", columns),
        "window": _window(compiled, after, until, parameters),
        "order": _list("t", ["_taken", *resource.key]),
        "same": _same("h", "t", resource.key),
    }
    text = _PAGE.format(
        new=_CURRENT_NEW.format(**parts),
        changed=_CURRENT_CHANGED.format(**parts),
        superseded=_SUPERSEDED.format(**parts),
        plain_order=sql.SQL(", ").join(map(sql.Identifier, ["_taken", *resource.key])),
        order=parts["order"],
        history=tables["history"],
        predecessor=_same("p", "t", resource.key),
        now=_open(compiled, "t", parameters),
        before=_open(compiled, "p", parameters),
        body=body.expression,
        gone=_gone(compiled, clear_key),
        at=_AT,
        key=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("t", name)) for name in resource.key),
    ).as_bytes(None)
    references = {} if compiled.references is None else compiled.references.parameters
    window = {"taken": after.taken, "since": after.taken - SLACK, "until": until.taken, "looked_at": looked_at}
    return text, parameters.values | dict(body.parameters) | references | window


def _window(compiled: Compiled, after: Reached, until: Reached, parameters: Parameters) -> sql.Composable:
    """After one place, up to the other. The times stand by themselves too, for the planner."""
    beyond, within = sql.SQL("t._taken > %(taken)s"), sql.SQL("true")
    if after.key is not None:
        beyond = sql.SQL("(t._taken > %(taken)s OR (t._taken = %(taken)s AND {}))").format(
            _against(compiled, ">", after.key, parameters)
        )
    if until.key is not None:
        within = sql.SQL("(t._taken < %(until)s OR (t._taken = %(until)s AND {}))").format(
            _against(compiled, "<=", until.key, parameters)
        )
    return sql.SQL("t._taken >= %(taken)s AND t._taken <= %(until)s AND {} AND {}").format(beyond, within)


def _against(
    compiled: Compiled, operator: LiteralString, key: tuple[str, ...], parameters: Parameters
) -> sql.Composable:
    names, fields = compiled.resource.key, compiled.resource.fields
    values = [parameters.typed(value, fields[name].type) for name, value in zip(names, key, strict=True)]
    return sql.SQL("ROW({}) {} ROW({})").format(_list("t", names), sql.SQL(operator), sql.SQL(", ").join(values))


def _open(compiled: Compiled, alias: str, parameters: Parameters) -> sql.Composable:
    """Whether a record is among those the decision opens; not unknown where there is none."""
    types = {name: label.type for name, label in compiled.resource.fields.items()}
    condition = condition_sql(compiled.decision.rows, types, alias, parameters)
    return sql.SQL("({a}._taken IS NOT NULL AND NOT {a}._deleted AND {condition})").format(
        a=sql.Identifier(alias), condition=condition
    )


def _gone(compiled: Compiled, fields: tuple[str, ...]) -> sql.Composable:
    """The reference, and some fields. Their parameters are among those of the whole body."""
    return body_of(replace(compiled, query=replace(compiled.query, fields=fields)), "json").expression


def _list(alias: str, names: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


def _same(left: str, right: str, key: Sequence[str]) -> sql.Composable:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name)) for name in key
    )
