"""Positions: how far each group has taken each partition, kept in the store and moved with what was done.

``advance`` runs in the transaction that stores a batch's effects, with the value the caller expects to find. A process
that was stopped while others took over its partition expects an old one: it meets ``PositionLost``, its transaction is
rolled back, and nothing of what it did is seen.
"""

from psycopg import Connection

from hub.errors import PositionLost


def read(conn: Connection, log: str, topic: str, incarnation: str, partition: int, group: str) -> int:
    """The offset a group reads next; 0 where it has taken nothing yet. ``topic`` is for people, the rest is the key."""
    del topic
    row = conn.execute(
        "SELECT next_offset FROM log_position"
        " WHERE log = %s AND incarnation = %s AND partition = %s AND group_name = %s",
        [log, incarnation, partition, group],
    ).fetchone()
    return row[0] if row is not None else 0


def read_all(conn: Connection, log: str, group: str) -> dict[tuple[str, str, int], int]:
    """A group's position in every partition it has taken anything of, by topic, incarnation and partition."""
    rows = conn.execute(
        "SELECT topic, incarnation, partition, next_offset FROM log_position WHERE log = %s AND group_name = %s",
        [log, group],
    ).fetchall()
    return {(topic, incarnation, partition): following for topic, incarnation, partition, following in rows}


def advance(
    conn: Connection,
    log: str,
    topic: str,
    incarnation: str,
    partition: int,
    group: str,
    expected: int,
    following: int,
) -> None:
    """Move a position on, from where it is expected to be. It stays locked until the transaction ends.

    Raises:
        PositionLost: it is elsewhere, or would go back; roll the transaction back.
    """
    done = 0
    if following >= expected:
        done = conn.execute(
            "INSERT INTO log_position AS p (log, topic, incarnation, partition, group_name, next_offset)"
            " SELECT %(log)s, %(topic)s, %(incarnation)s, %(partition)s, %(group)s, %(following)s"
            # Only where nothing has been taken yet may a row be new; otherwise it must be there to be moved.
            " WHERE %(expected)s = 0 OR EXISTS (SELECT FROM log_position WHERE log = %(log)s"
            " AND incarnation = %(incarnation)s AND partition = %(partition)s AND group_name = %(group)s)"
            " ON CONFLICT (log, incarnation, partition, group_name)"
            " DO UPDATE SET next_offset = EXCLUDED.next_offset, updated_at = clock_timestamp()"
            " WHERE p.next_offset = %(expected)s",
            {
                "log": log,
                "topic": topic,
                "incarnation": incarnation,
                "partition": partition,
                "group": group,
                "expected": expected,
                "following": following,
            },
        ).rowcount
    if done != 1:
        raise PositionLost(topic=topic, partition=partition)


def reset(conn: Connection, log: str, topic: str, incarnation: str, partition: int, group: str, following: int) -> None:
    """Put a position anywhere, for a replay. Whoever reads the partition loses its position and reads from here.

    A worker that sits idle at the end of the partition sees it within a second.
    """
    conn.execute(
        "INSERT INTO log_position (log, topic, incarnation, partition, group_name, next_offset)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (log, incarnation, partition, group_name)"
        " DO UPDATE SET next_offset = EXCLUDED.next_offset, updated_at = clock_timestamp()",
        [log, topic, incarnation, partition, group, following],
    )


class StoredPositions:
    """Positions as a consumer asks for them, over a connection of the consumer's own thread, each in its own read."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def position(self, log: str, topic: str, incarnation: str, partition: int, group: str) -> int:
        """The offset the group reads next."""
        with self._conn.transaction():
            return read(self._conn, log, topic, incarnation, partition, group)
