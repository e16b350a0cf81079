"""The log in PostgreSQL: the port ``hub.exchange.log.Log`` over the tables of ``0002_log.sql``.

Sessions here are the log's own and in autocommit: an append is one statement and one transaction, and has nothing to
do with any transaction of whoever appends. The statement takes the offset under the partition's row lock and holds
that to its commit, so that messages of a partition become visible in the order of their offsets.
"""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from hub.errors import OutcomeUnknown, TopicUnknown
from hub.exchange.embedded_log_backlog import unread_bytes
from hub.exchange.embedded_log_consumer import EmbeddedConsumer
from hub.exchange.embedded_log_retention import empty_partition, sweep
from hub.exchange.log import TOPIC_PREFIX, Appended, Lag, PositionSource, Topic, size_of
from hub.exchange.log_backlog import Backlog
from hub.exchange.log_group_store import forget_positions, register_group, store_needed
from hub.exchange.murmur2 import partition_of
from hub.store.connect import pool

NAME: Final = "embedded"
BACKLOG_BYTES_MAX: Final = 1024**3
CONNECTIONS_MAX: Final = 4  # a commit is one disk flush, and a few at once already share it
WAIT_SECONDS_MAX: Final = 10.0
SILENT_SECONDS_MAX: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Partitions:
    """A topic's incarnation with the row numbers of its partitions, in their order."""

    incarnation: str
    numbers: Sequence[int]


class EmbeddedLog:
    """The log in PostgreSQL. Threads may share it.

    Args:
        url: connection string of the store.
        backlog_bytes_max: unread bytes of a topic from which on appends meet ``LogFull``.
        silent_seconds_max: a consumer that does not poll for so long loses its session and with it its partitions.
        wait_seconds_max: how long anything waits for a connection before it is ``LogUnavailable``.
    """

    def __init__(
        self,
        url: str,
        *,
        backlog_bytes_max: int = BACKLOG_BYTES_MAX,
        silent_seconds_max: float = SILENT_SECONDS_MAX,
        wait_seconds_max: float = WAIT_SECONDS_MAX,
    ) -> None:
        self._url = url
        self._silent_seconds_max = silent_seconds_max
        self._backlog = Backlog(backlog_bytes_max)
        self._partitions: dict[str, _Partitions] = {}
        self._closing = contextlib.ExitStack()
        with store_needed():
            self._pool = self._closing.enter_context(
                pool(
                    url,
                    "hub log",
                    size=CONNECTIONS_MAX,
                    wait_seconds=wait_seconds_max,
                    autocommit=True,
                    # Durable on return, also on a server that was set to be faster than that.
                    settings={"synchronous_commit": "on"},
                )
            )

    @property
    def name(self) -> str:
        """Which log this is, for positions."""
        return NAME

    # Topics ----------------------------------------------------------------------------------------------------------

    def ensure_topic(self, topic: str, partitions: int) -> Topic:
        """Make a topic; one that is there stays as it is."""
        with self._session() as conn:
            while True:
                with conn.transaction():
                    made = conn.execute(
                        "INSERT INTO log_topic (name, partitions) VALUES (%s, %s)"
                        " ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING RETURNING id",
                        [topic, partitions],
                    ).fetchone()
                    if made is not None:
                        conn.execute(
                            "INSERT INTO log_partition (topic, partition)"
                            " SELECT %s, number FROM generate_series(0, %s - 1) AS number",
                            [made[0], partitions],
                        )
                found = next((one for one in _topics(conn) if one.name == topic), None)
                if found is not None:  # otherwise somebody deleted it at this moment
                    return found

    def topics(self) -> Sequence[Topic]:
        """All topics by name."""
        with self._session() as conn:
            return _topics(conn)

    def delete_topic(self, topic: str) -> None:
        """Remove a topic with its messages and its groups' positions in this log. What is broken off, a sweep ends.

        Raises:
            TopicUnknown: there is none.
        """
        self._partitions.pop(topic, None)
        with self._session() as conn:
            for partition, end in _close_topic(conn, topic):
                empty_partition(conn, partition, end)

    # Messages --------------------------------------------------------------------------------------------------------

    def append(self, topic: str, key: str, headers: Mapping[str, bytes], value: bytes) -> Appended:
        """Append one message, durable on return.

        Raises:
            LogFull, LogUnavailable, TopicUnknown: nothing was appended.
            OutcomeUnknown: the message may have been appended.
        """
        size = size_of(key, headers, value)
        with self._session() as conn:
            self._backlog.admit(topic, size, lambda: unread_bytes(conn, NAME, topic))
            while True:
                partitions = self._partitions.get(topic) or self._look_up(conn, topic)
                partition = partition_of(key, len(partitions.numbers))
                with _outcome(topic):
                    offset = _append(conn, partitions.numbers[partition], size, key, headers, value)
                if offset is not None:
                    return Appended(topic, partition, offset)
                # What was remembered is a deleted topic's; there may be a new one of its name.
                self._partitions.pop(topic, None)

    def offset_at(self, topic: str, partition: int, time: datetime) -> int:
        """The first offset appended at or after a time; the partition's end when there is none.

        Raises:
            TopicUnknown: there is no such topic or partition.
        """
        with self._session() as conn:
            row = conn.execute(
                "SELECT coalesce((SELECT m.log_offset FROM log_message m WHERE m.partition = p.id"
                " AND m.appended_at >= %s ORDER BY m.appended_at, m.log_offset LIMIT 1), p.next_offset)"
                " FROM log_topic t JOIN log_partition p ON p.topic = t.id"
                " WHERE t.name = %s AND t.deleted_at IS NULL AND p.partition = %s",
                [time, topic, partition],
            ).fetchone()
        if row is None:
            raise TopicUnknown(topic=topic)
        return int(row[0])

    # Groups ----------------------------------------------------------------------------------------------------------

    def consumer(
        self, group: str, member: str, positions: PositionSource, topic_prefix: str = TOPIC_PREFIX
    ) -> EmbeddedConsumer:
        """Join a group that reads the topics of a prefix. From now on retention waits for the group."""
        with self._session() as conn:
            number = register_group(conn, group, topic_prefix)
        return EmbeddedConsumer(
            self._url, NAME, (number, group), member, positions, topic_prefix, self._silent_seconds_max
        )

    def lag(self, group: str, topic: str | None = None) -> Sequence[Lag]:
        """What a group has still to read, by topic and partition; of one topic where it is named."""
        with self._session() as conn, conn.cursor(row_factory=class_row(Lag)) as cursor:
            return cursor.execute(
                "SELECT t.name AS topic, t.incarnation, p.partition, coalesce(o.next_offset, 0) AS position,"
                " p.next_offset, p.bytes_total - coalesce(m.bytes_before, p.bytes_total) AS unread_bytes"
                " FROM log_topic t JOIN log_partition p ON p.topic = t.id"
                " LEFT JOIN log_group g ON g.name = %(group)s"
                " LEFT JOIN log_position o ON o.log = %(log)s AND o.incarnation = t.incarnation"
                " AND o.partition = p.partition AND o.group_name = %(group)s"
                " LEFT JOIN log_message m ON m.partition = p.id"
                " AND m.log_offset = greatest(coalesce(o.next_offset, 0), p.first_offset)"
                " WHERE t.deleted_at IS NULL AND starts_with(t.name, coalesce(g.topics, ''))"
                " AND (%(topic)s::text IS NULL OR t.name = %(topic)s) ORDER BY t.name, p.partition",
                {"group": group, "log": NAME, "topic": topic},
            ).fetchall()

    def sweep(self, before: datetime) -> int:
        """Forget messages appended before a time that every known group has read; returns how many.

        What no group ever read stays.
        """
        with self._session() as conn:
            return sweep(conn, NAME, before)

    def close(self) -> None:
        """Give back connections; consumers are closed by who opened them."""
        self._closing.close()

    @contextmanager
    def _session(self) -> Generator[Connection]:
        with store_needed(), self._pool.connection() as conn:
            yield conn

    def _look_up(self, conn: Connection, topic: str) -> _Partitions:
        rows = conn.execute(
            "SELECT t.incarnation, p.id FROM log_topic t JOIN log_partition p ON p.topic = t.id"
            " WHERE t.name = %s AND t.deleted_at IS NULL ORDER BY p.partition",
            [topic],
        ).fetchall()
        if not rows:
            raise TopicUnknown(topic=topic)
        self._partitions[topic] = _Partitions(rows[0][0], [row[1] for row in rows])
        return self._partitions[topic]


def _topics(conn: Connection) -> list[Topic]:
    with conn.cursor(row_factory=class_row(Topic)) as cursor:
        return cursor.execute(
            "SELECT name, incarnation, partitions FROM log_topic WHERE deleted_at IS NULL ORDER BY name"
        ).fetchall()


def _close_topic(conn: Connection, topic: str) -> list[tuple[int, int]]:
    """From here on nobody appends and nobody reads; returns the partitions with their ends."""
    with conn.transaction():
        row = conn.execute(
            "UPDATE log_topic SET deleted_at = clock_timestamp() WHERE name = %s AND deleted_at IS NULL"
            " RETURNING id, incarnation",
            [topic],
        ).fetchone()
        if row is None:
            raise TopicUnknown(topic=topic)
        forget_positions(conn, NAME, row[1])
        return conn.execute(
            "UPDATE log_partition SET closed = true WHERE topic = %s RETURNING id, next_offset", [row[0]]
        ).fetchall()


def _append(
    conn: Connection, partition: int, size: int, key: str, headers: Mapping[str, bytes], value: bytes
) -> int | None:
    """The offset the message got; None where the partition is closed."""
    row = conn.execute(
        "WITH place AS (UPDATE log_partition SET next_offset = next_offset + 1, bytes_total = bytes_total + %(size)s,"
        # Times never go back within a partition, whatever the clock does: an offset is found by them.
        " last_appended_at = greatest(last_appended_at, clock_timestamp())"
        " WHERE id = %(partition)s AND NOT closed"
        " RETURNING id, next_offset - 1 AS log_offset, bytes_total - %(size)s AS bytes_before, last_appended_at)"
        " INSERT INTO log_message (partition, log_offset, bytes_before, bytes, key, header_names, header_values,"
        " value, appended_at) SELECT id, log_offset, bytes_before, %(size)s, %(key)s, %(names)s, %(contents)b,"
        " %(value)b, last_appended_at FROM place RETURNING log_offset",
        {
            "partition": partition,
            "size": size,
            "key": key,
            "names": list(headers),
            "contents": list(headers.values()),
            "value": value,
        },
    ).fetchone()
    return None if row is None else int(row[0])


@contextmanager
def _outcome(topic: str) -> Generator[None]:
    """Around the statement that appends: lost is unknown, unless the server itself said that it rolled back."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InternalError) as error:
        if error.diag.severity_nonlocalized == "ERROR":
            raise
        raise OutcomeUnknown(topic=topic) from error
