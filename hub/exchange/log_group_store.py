"""The groups that read logs: whom retention waits for and whose lag pushes back, whichever log it is."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import Connection

from hub.errors import LogUnavailable
from hub.exchange.log import Topic


@contextmanager
def store_needed() -> Generator[None]:
    """Around what a log asks the store: losing the server, or not getting it, is losing the log.

    Raises:
        LogUnavailable: whatever was asked for can be asked again.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InternalError) as error:
        raise LogUnavailable(problem=type(error).__name__) from error


def register_group(conn: Connection, group: str, topic_prefix: str) -> int:
    """Make a group known, or change what it reads; its number."""
    with conn.transaction():
        conn.execute(
            "INSERT INTO log_group (name, topics) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING", [group, topic_prefix]
        )
        row = conn.execute("SELECT id, topics FROM log_group WHERE name = %s", [group]).fetchone()
        assert row is not None  # noqa: S101 - inserted above, and never removed
        if row[1] != topic_prefix:
            conn.execute("UPDATE log_group SET topics = %s WHERE id = %s", [topic_prefix, row[0]])
    return int(row[0])


def topic_prefix_of(conn: Connection, group: str) -> str:
    """What a group reads; everything where nobody knows it."""
    row = conn.execute("SELECT topics FROM log_group WHERE name = %s", [group]).fetchone()
    return "" if row is None else str(row[0])


def group_positions(conn: Connection, log: str, topic: Topic) -> dict[int, dict[int, int]]:
    """By group's number and partition the offset that the group reads next of a topic."""
    rows = conn.execute(
        "SELECT g.id, p.partition, coalesce(o.next_offset, 0) FROM log_group g"
        " CROSS JOIN generate_series(0, %(partitions)s - 1) AS p (partition)"
        " LEFT JOIN log_position o ON o.log = %(log)s AND o.incarnation = %(incarnation)s"
        " AND o.partition = p.partition AND o.group_name = g.name"
        " WHERE starts_with(%(topic)s, g.topics)",
        {"log": log, "topic": topic.name, "incarnation": topic.incarnation, "partitions": topic.partitions},
    ).fetchall()
    found: dict[int, dict[int, int]] = {}
    for group, partition, following in rows:
        found.setdefault(group, {})[partition] = following
    return found


def forget_positions(conn: Connection, log: str, incarnation: str) -> None:
    """Forget all groups' positions in a topic that is deleted."""
    conn.execute("DELETE FROM log_position WHERE log = %s AND incarnation = %s", [log, incarnation])
