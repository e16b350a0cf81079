"""One member of a group of the embedded log: shares partitions by session locks and reads them in turn."""

import contextlib
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import Connection

from hub.errors import LogUnavailable, PositionLost, PositionOutOfRange
from hub.exchange.log import Assigned, Message, PositionSource
from hub.exchange.partition_lock import PartitionLocks
from hub.store.connect import connect
from hub.store.errors import StoreUnreachable

SHARE_SECONDS: Final = 0.5  # how often members and topics are looked at
PAUSE_SECONDS: Final = 0.002
PAUSE_SECONDS_MAX: Final = 0.05
_NAME_BYTES_MAX: Final = 63


@dataclass(slots=True)
class _Reading:
    """A partition this member reads; ``offset`` is None where the stored position is to be asked for."""

    number: int
    assigned: Assigned
    offset: int | None = None


class EmbeddedConsumer:
    """One member of a group, with a session of its own. Not shared between threads.

    The partitions are held by locks of that session, so they are free the moment it ends: closed, killed, or ended by
    the server because it was silent for ``silent_seconds_max``.
    """

    def __init__(
        self,
        url: str,
        log: str,
        group: tuple[int, str],
        member: str,
        positions: PositionSource,
        topic_prefix: str,
        silent_seconds_max: float,
    ) -> None:
        self._log = log
        self._group = group[1]
        self._positions = positions
        self._topic_prefix = topic_prefix
        self._readings: dict[int, _Reading] = {}  # the one served longest ago comes first
        self._share_at = 0.0
        self._lost: str | None = None
        try:
            self._conn = connect(
                url,
                f"hub log {self._group} {member}"[:_NAME_BYTES_MAX],
                autocommit=True,
                settings={"idle_session_timeout": str(int(silent_seconds_max * 1000))},
            )
        except StoreUnreachable as error:
            raise LogUnavailable(problem=error.problem) from error
        with contextlib.ExitStack() as unless_joined:
            unless_joined.callback(self._conn.close)
            with self._usable():
                self._locks = PartitionLocks(self._conn, group[0])
            unless_joined.pop_all()

    def poll(self, max_records: int, max_bytes: int, timeout_seconds: float) -> list[Message]:
        """The next messages, waiting for the first no longer than the time-out.

        Raises:
            PositionOutOfRange: the log does not hold the position to read from.
            LogUnavailable: the log is lost, and with it the assignment.
        """
        deadline = time.monotonic() + timeout_seconds
        pause = PAUSE_SECONDS
        while True:
            with self._usable():
                self._share_when_due()
                messages = self._fetch(max_records, max_bytes)
            left = deadline - time.monotonic()
            if messages or left <= 0:
                return messages
            time.sleep(min(pause, left))
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    def assignment(self) -> frozenset[Assigned]:
        """The partitions this consumer reads, as of the last poll."""
        return frozenset(reading.assigned for reading in self._readings.values())

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read an assigned partition on from an offset; the stored position stays.

        Raises:
            PositionLost: the partition is not assigned to this consumer.
        """
        for reading in self._readings.values():
            if (reading.assigned.topic, reading.assigned.partition) == (topic, partition):
                reading.offset = offset
                return
        raise PositionLost(topic=topic, partition=partition)

    def rewind(self) -> None:
        """Forget what was fetched: read every partition on from its stored position."""
        for reading in self._readings.values():
            reading.offset = None

    def close(self) -> None:
        """Leave the group; its partitions are free at once. Closing twice does nothing."""
        self._readings.clear()
        self._lost = self._lost or "closed"
        with contextlib.suppress(psycopg.OperationalError), contextlib.closing(self._conn):
            self._locks.leave()

    @contextmanager
    def _usable(self) -> Generator[None]:
        """Losing the session is losing the assignment, for good."""
        if self._lost is not None:
            raise LogUnavailable(problem=self._lost)
        try:
            yield
        except (psycopg.OperationalError, psycopg.InternalError) as error:
            self._lost = type(error).__name__
            self._readings.clear()
            raise LogUnavailable(problem=self._lost) from error

    def _share_when_due(self) -> None:
        if time.monotonic() < self._share_at:
            return
        self._share_at = time.monotonic() + SHARE_SECONDS
        partitions = _partitions(self._conn, self._topic_prefix)
        share = self._locks.share([one.number for one in partitions])
        for number in share.given_up:
            self._readings.pop(number, None)
        for one in partitions:
            if one.number in share.taken:
                self._readings[one.number] = one

    def _fetch(self, records_max: int, bytes_max: int) -> list[Message]:
        found: list[Message] = []
        bytes_left = bytes_max
        for number in self._with_news():
            reading = self._readings.pop(number)
            self._readings[number] = reading  # to the end: the others come first next time
            part = _read(self._conn, reading, records_max - len(found), bytes_left, at_least_one=not found)
            for size, message in part:
                bytes_left -= size
                reading.offset = message.offset + 1
                found.append(message)
            if len(found) >= records_max or bytes_left <= 0:
                break
        return found

    def _with_news(self) -> list[int]:
        """Partitions with something to read, the one served longest ago first."""
        for reading in self._readings.values():
            if reading.offset is None:
                one = reading.assigned
                reading.offset = self._positions.position(
                    self._log, one.topic, one.incarnation, one.partition, self._group
                )
        ends = _unread(self._conn, list(self._readings.values()))
        for number, first, following in ends:
            reading = self._readings[number]
            if not first <= (reading.offset or 0) <= following:
                raise PositionOutOfRange(
                    topic=reading.assigned.topic,
                    partition=reading.assigned.partition,
                    position=reading.offset or 0,
                    first_offset=first,
                )
        news = {number for number, _, _ in ends}
        return [number for number in self._readings if number in news]


def _partitions(conn: Connection, topic_prefix: str) -> list[_Reading]:
    rows = conn.execute(
        "SELECT p.id, t.name, t.incarnation, p.partition FROM log_topic t JOIN log_partition p ON p.topic = t.id"
        " WHERE t.deleted_at IS NULL AND starts_with(t.name, %s) ORDER BY t.name, p.partition",
        [topic_prefix],
    ).fetchall()
    return [_Reading(number, Assigned(*assigned)) for number, *assigned in rows]


def _unread(conn: Connection, readings: Sequence[_Reading]) -> list[tuple[int, int, int]]:
    """Partitions that do not end where the reader is: number, first and next offset. Deleted ones have no news."""
    if not readings:
        return []
    return conn.execute(
        "SELECT p.id, p.first_offset, p.next_offset FROM unnest(%s::integer[], %s::bigint[]) AS reading (id, at)"
        " JOIN log_partition p ON p.id = reading.id WHERE p.next_offset <> reading.at AND NOT p.closed",
        [[one.number for one in readings], [one.offset for one in readings]],
    ).fetchall()


def _read(
    conn: Connection, reading: _Reading, records_max: int, bytes_max: int, *, at_least_one: bool
) -> list[tuple[int, Message]]:
    """Messages with their sizes. If the first went meanwhile, nothing: a gap is never passed over silently."""
    with conn.cursor(binary=True) as cursor:
        rows = cursor.execute(
            "SELECT m.bytes, m.log_offset, m.key, m.header_names, m.header_values, m.value, m.appended_at"
            " FROM log_message first JOIN log_message m ON m.partition = first.partition"
            " AND m.log_offset >= first.log_offset AND m.log_offset < first.log_offset + %(records)s"
            " WHERE first.partition = %(partition)s AND first.log_offset = %(offset)s"
            " AND (m.bytes_before + m.bytes - first.bytes_before <= %(bytes)s"
            " OR %(at_least_one)s AND m.log_offset = first.log_offset) ORDER BY m.log_offset",
            {
                "partition": reading.number,
                "offset": reading.offset,
                "records": records_max,
                "bytes": bytes_max,
                "at_least_one": at_least_one,
            },
        ).fetchall()
    one = reading.assigned
    return [
        (size, Message(one.topic, one.incarnation, one.partition, offset, key, _headers(names, contents), value, at))
        for size, offset, key, names, contents, value, at in rows
    ]


def _headers(names: Sequence[str], contents: Sequence[bytes]) -> dict[str, bytes]:
    return dict(zip(names, contents, strict=True))
