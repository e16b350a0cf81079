"""Forgetting: what is old and read by every known group, and what is left of deleted topics."""

from datetime import datetime

from psycopg import Connection

STEP_MESSAGES_MAX = 64  # a transaction removes no more, so that nobody waits long for it
_SWEEP_LOCK = 0x5357_4550  # one fixed number of the hub's, "SWEP"


def sweep(conn: Connection, log: str, before: datetime) -> int:
    """Remove in steps of a transaction each; returns how many messages went. One sweeps at a time, others do nothing.

    ``conn`` is in autocommit.
    """
    if not _lock(conn):
        return 0
    try:
        ends = [*_leftovers(conn), *_forgettable(conn, log, before)]
        return sum(empty_partition(conn, partition, end) for partition, end in ends)
    finally:
        # Not where the session broke: its locks are gone with it.
        if not conn.broken:
            conn.execute("SELECT pg_advisory_unlock(%s)", [_SWEEP_LOCK])


def empty_partition(conn: Connection, partition: int, end: int) -> int:
    """Remove a partition's messages below an offset; returns how many."""
    removed = 0
    while (step := _step(conn, partition, end)) is not None:
        removed += step
    return removed


def _step(conn: Connection, partition: int, end: int) -> int | None:
    with conn.transaction():
        row = conn.execute("SELECT first_offset FROM log_partition WHERE id = %s", [partition]).fetchone()
        if row is None or row[0] >= end:
            return None
        following = min(int(row[0]) + STEP_MESSAGES_MAX, end)
        removed = conn.execute(
            "DELETE FROM log_message WHERE partition = %s AND log_offset < %s", [partition, following]
        ).rowcount
        # Last, because appends wait for this row.
        conn.execute(
            "UPDATE log_partition SET first_offset = greatest(first_offset, %s) WHERE id = %s", [following, partition]
        )
    return removed


def _lock(conn: Connection) -> bool:
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", [_SWEEP_LOCK]).fetchone()
    return row is not None and bool(row[0])


def _leftovers(conn: Connection) -> list[tuple[int, int]]:
    """Partitions of deleted topics whose removal was broken off, each with its end."""
    return conn.execute(
        "SELECT id, next_offset FROM log_partition WHERE closed AND first_offset < next_offset"
    ).fetchall()


def _forgettable(conn: Connection, log: str, before: datetime) -> list[tuple[int, int]]:
    """Partitions with the offset below which everything is old and read by every known group of the topic."""
    return conn.execute(
        "SELECT id, least(slowest, coalesce(young.log_offset, next_offset)) FROM ("
        " SELECT p.id, p.first_offset, p.next_offset, min(coalesce(o.next_offset, 0)) AS slowest"
        " FROM log_topic t JOIN log_partition p ON p.topic = t.id"
        " JOIN log_group g ON starts_with(t.name, g.topics)"
        " LEFT JOIN log_position o ON o.log = %(log)s AND o.incarnation = t.incarnation"
        " AND o.partition = p.partition AND o.group_name = g.name"
        " WHERE t.deleted_at IS NULL GROUP BY p.id) AS partitions"
        " LEFT JOIN LATERAL (SELECT m.log_offset FROM log_message m WHERE m.partition = partitions.id"
        " AND m.appended_at >= %(before)s ORDER BY m.appended_at, m.log_offset LIMIT 1) AS young ON true"
        " WHERE first_offset < slowest",
        {"log": log, "before": before},
    ).fetchall()
