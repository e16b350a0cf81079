"""One batch from staging into current and history: classify each staged row, act, count.

A look first: is any staged key known? It ends at the first that is. Where none is, one plain INSERT takes the batch:
half the price of ON CONFLICT DO NOTHING, which announces every row before it inserts it (6.3 against 12.4 µs of the
server's time). Else one statement classifies every staged row against ``current`` with one key lookup, and acts.

========== ============================================================ ==================================
kind       what it is                                                   what happens
========== ============================================================ ==================================
new        key not known                                                inserted
changed    higher version, other content                                old row to history, updated
revived    the same over a tombstone                                    the same
touched    higher version, same content                                 only the version is raised
same       equal version, same content                                  nothing
superseded lower version                                                nothing
deleted    a delete over a live row                                     old row to history, tombstone
conflict   equal version, other content                                 left to ``conflict.py``
========== ============================================================ ==================================

The touch is not optional: without it a version that arrives late, between the two, would wrongly win.
The look and the join by ctid are safe because apply holds the dataset's lock.
"""

from collections import Counter
from datetime import datetime

from psycopg import Connection, sql

from hub.exchange.apply.target import Target

_STEP = sql.SQL("interval '1 microsecond'")

_UPSERT_KIND = sql.SQL("""CASE
    WHEN c._receipt IS NULL THEN 'new'
    WHEN (s._version, s._row) < (c._version, c._row) THEN 'superseded'
    WHEN NOT c._deleted AND {same} THEN
        CASE WHEN (s._version, s._row) > (c._version, c._row) THEN 'touched' ELSE 'same' END
    WHEN (s._version, s._row) = (c._version, c._row) THEN CASE WHEN c._deleted THEN 'superseded' ELSE 'conflict' END
    WHEN c._deleted THEN 'revived'
    ELSE 'changed' END""")

_DELETE_KIND = sql.SQL("""CASE
    WHEN c._receipt IS NULL THEN 'new'
    WHEN (s._version, s._row) < (c._version, c._row) THEN 'superseded'
    WHEN NOT c._deleted THEN 'deleted'
    WHEN (s._version, s._row) > (c._version, c._row) THEN 'touched'
    ELSE 'same' END""")

_MERGE = sql.SQL("""
WITH matched AS MATERIALIZED (
    SELECT s.ctid AS s_at, c.ctid AS c_at, {kind} AS kind
    FROM {staging} s LEFT JOIN {current} c ON {key}
), added AS (
    INSERT INTO {current} ({names})
    SELECT {staged}, s._version, s._row, {deleted}, %(taken)s, %(receipt)s
    FROM matched m JOIN {staging} s ON s.ctid = m.s_at WHERE m.kind = 'new'
), kept AS (
    INSERT INTO {history} ({names}, _until)
    SELECT {stored}, greatest(%(taken)s, c._taken + {step})
    FROM matched m JOIN {current} c ON c.ctid = m.c_at WHERE m.kind IN ('changed', 'revived', 'deleted')
), changed AS (
    UPDATE {current} c SET {assign} _version = s._version, _row = s._row, _deleted = {deleted},
        _taken = greatest(%(taken)s, c._taken + {step}), _receipt = %(receipt)s
    FROM matched m JOIN {staging} s ON s.ctid = m.s_at
    WHERE c.ctid = m.c_at AND m.kind IN ('changed', 'revived', 'deleted')
), touched AS (
    UPDATE {current} c SET {touch} _version = s._version, _row = s._row
    FROM matched m JOIN {staging} s ON s.ctid = m.s_at
    WHERE c.ctid = m.c_at AND m.kind = 'touched'
)
SELECT kind, count(*) FROM matched GROUP BY kind
""")

_ANY_KNOWN = sql.SQL("SELECT EXISTS (SELECT FROM {staging} s JOIN {current} c ON {key})")

_INSERT = sql.SQL("""
INSERT INTO {current} ({names})
SELECT {staged}, s._version, s._row, {deleted}, %(taken)s, %(receipt)s FROM {staging} s
""")


def merge(conn: Connection, target: Target, *, delete: bool, taken: datetime, receipt: int) -> Counter[str]:
    """Merge this connection's staging table; returns how many rows were of each kind."""
    parameters = {"taken": taken, "receipt": receipt}
    look = _ANY_KNOWN.format(staging=target.staging, current=target.current, key=target.key_equal("s", "c"))
    known = conn.execute(look).fetchone()
    if known == (False,):
        return +Counter(new=conn.execute(_statement(_INSERT, target, delete=delete), parameters).rowcount)
    rows = conn.execute(_statement(_MERGE, target, delete=delete), parameters).fetchall()
    return Counter({str(kind): int(count) for kind, count in rows})


def _statement(template: sql.SQL, target: Target, *, delete: bool) -> sql.Composed:
    contract = target.contract
    carried = {*contract.key, contract.version_field} if delete else set(target.columns)
    staged = sql.SQL(", ").join(
        sql.Identifier("s", name) if name in carried else sql.SQL("NULL") for name in target.columns
    )
    assigned = [name for name in target.columns if name not in contract.key]
    assign = sql.SQL(" ").join(
        sql.SQL("{} = {},").format(sql.Identifier(name), sql.Identifier("s", name) if name in carried else sql.NULL)
        for name in assigned
    )
    touch = (
        sql.SQL("{} = {},").format(sql.Identifier(contract.version_field), sql.Identifier("s", contract.version_field))
        if contract.version_field
        else sql.SQL("")
    )
    kind = _DELETE_KIND if delete else _UPSERT_KIND.format(same=target.same_content("s", "c"))
    return template.format(
        kind=kind,
        staging=target.staging,
        current=target.current,
        history=target.history,
        key=target.key_equal("s", "c"),
        names=target.stored_names,
        staged=staged,
        stored=target.stored("c"),
        deleted=sql.Literal(delete),
        step=_STEP,
        assign=assign,
        touch=touch,
    )
