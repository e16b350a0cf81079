"""One batch from staging into current and history: classify each staged row, act, count.

Measured in the project's store study: two steps, the second only when needed. Step one inserts what is new and leaves
the rest alone; step two classifies every staged row against ``current`` with one key lookup and acts in one statement.
When most of the last batch was known already, step two goes first, alone.

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
The join by ctid is safe because apply holds the dataset's lock.
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

_INSERT = sql.SQL("""
INSERT INTO {current} ({names})
SELECT {staged}, s._version, s._row, {deleted}, %(taken)s, %(receipt)s FROM {staging} s
ON CONFLICT DO NOTHING
""")


def merge(
    conn: Connection, target: Target, *, delete: bool, staged: int, mostly_known: bool, taken: datetime, receipt: int
) -> Counter[str]:
    """Merge this connection's staging table; returns how many rows were of each kind."""
    parameters = {"taken": taken, "receipt": receipt}
    inserted = 0
    if not mostly_known:
        inserted = conn.execute(_statement(_INSERT, target, delete=delete), parameters).rowcount
        if inserted == staged:
            return Counter(new=inserted)
    rows = conn.execute(_statement(_MERGE, target, delete=delete), parameters).fetchall()
    counts = Counter({str(kind): int(count) for kind, count in rows})
    # A row that step one put in meets itself in step two and is the same as itself.
    counts["same"] -= inserted
    counts["new"] += inserted
    return +counts


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
