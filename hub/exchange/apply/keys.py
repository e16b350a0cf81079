"""The ``keys`` operation: the source's complete key list, in parts; what the hub holds beyond it is closed.

Parts may arrive in any order. When all are there, the hub closes the records it holds, did not find in the list and
took before the run began, and refuses when that is more than a share of the dataset, unless confirmed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from hub.exchange.apply.target import Target
from schemas.envelope import Envelope
from schemas.errors import HubError, KeyListIncomplete, KeyListTooSmall

Refusal = Mapping[str, Any]


def take_part(
    conn: Connection,
    target: Target,
    envelope: Envelope,
    keys: Sequence[str],
    taken: datetime,
    receipt: int,
    close_share_max: float,
) -> tuple[int, Refusal | None]:
    """Keep one part; with the last missing one, close. Returns (records closed, refusal)."""
    part = envelope.keys
    assert part is not None  # noqa: S101 - the envelope's parser demands it for this operation
    conn.execute(
        "INSERT INTO key_list (dataset, run, part, total, confirm, cut_at, keys, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [target.dataset, envelope.run, part.part, part.total, part.confirm, envelope.cut_at, list(keys), taken],
    )
    have = conn.execute(
        "SELECT count(*), sum(cardinality(keys)), max(total), max(part) FILTER (WHERE total IS NOT NULL),"
        " bool_or(confirm) FROM key_list WHERE dataset = %s AND run = %s",
        [target.dataset, envelope.run],
    ).fetchone()
    assert have is not None  # noqa: S101 - an aggregate has one row
    parts, listed, total, last, confirmed = have
    if last is None or parts < last:
        return 0, None
    try:
        if listed != total:
            raise KeyListIncomplete(total=int(total), listed=int(listed))
        closed = _close(conn, target, envelope, taken, receipt, 1.0 if confirmed else close_share_max)
    except HubError as refusal:
        return 0, refusal.to_json()
    finally:
        conn.execute("DELETE FROM key_list WHERE dataset = %s AND run = %s", [target.dataset, envelope.run])
    return closed, None


def _close(
    conn: Connection, target: Target, envelope: Envelope, taken: datetime, receipt: int, share_max: float
) -> int:
    conn.execute("SET LOCAL enable_hashjoin = on")
    conn.execute("SET LOCAL enable_seqscan = on")
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE closing ON COMMIT DROP AS"
            " SELECT {key} FROM {current} c WHERE NOT c._deleted AND c._taken < %(cut_at)s AND NOT EXISTS ("
            " SELECT FROM (SELECT unnest(keys) AS key FROM key_list WHERE dataset = %(dataset)s AND run = %(run)s) k"
            " WHERE k.key = {text})"
        ).format(key=target.list("c", target.contract.key), current=target.current, text=target.key_text("c")),
        {"cut_at": envelope.cut_at, "dataset": target.dataset, "run": envelope.run},
    )
    row = conn.execute(
        "SELECT (SELECT count(*) FROM pg_temp.closing), records FROM dataset_statistics WHERE dataset = %s",
        [target.dataset],
    ).fetchone()
    assert row is not None  # noqa: S101 - statistics exist with the dataset
    closing, records = row
    if closing > share_max * records:
        conn.execute("DROP TABLE pg_temp.closing")
        raise KeyListTooSmall(closing=closing, records=records, percent=round(share_max * 100, 1))
    _write_tombstones(conn, target, taken, receipt)
    conn.execute("DROP TABLE pg_temp.closing")
    conn.execute(
        "UPDATE dataset_statistics SET records = records - %(n)s, tombstones = tombstones + %(n)s,"
        " history = history + %(n)s WHERE dataset = %(dataset)s",
        {"n": closing, "dataset": target.dataset},
    )
    return int(closing)


def _write_tombstones(conn: Connection, target: Target, taken: datetime, receipt: int) -> None:
    parameters = {"taken": taken, "receipt": receipt}
    join = target.key_equal("c", "k")
    conn.execute(
        sql.SQL(
            "INSERT INTO {history} ({names}, _until)"
            " SELECT {stored}, greatest(%(taken)s, c._taken + interval '1 microsecond')"
            " FROM pg_temp.closing k JOIN {current} c ON {join}"
        ).format(
            history=target.history,
            names=target.stored_names,
            stored=target.stored("c"),
            current=target.current,
            join=join,
        ),
        parameters,
    )
    emptied = sql.SQL("").join(
        sql.SQL("{} = NULL, ").format(sql.Identifier(name)) for name in target.columns if name in target.content
    )
    # The version stays and its row falls below any record's: the source may bring back the very same record.
    conn.execute(
        sql.SQL(
            "UPDATE {current} c SET {emptied} _row = -1, _deleted = true,"
            " _taken = greatest(%(taken)s, c._taken + interval '1 microsecond'), _receipt = %(receipt)s"
            " FROM pg_temp.closing k WHERE {join}"
        ).format(current=target.current, emptied=emptied, join=join),
        parameters,
    )
