"""How many bytes of a topic are unread, and when that is too many."""

import threading
import time
from dataclasses import dataclass

from psycopg import Connection

from hub.errors import LogFull

REMEMBERED_SECONDS = 0.5
RETRY_AFTER_SECONDS = 2.0


@dataclass(slots=True)
class _Measured:
    unread_bytes: int
    until: float


class Backlog:
    """Admits appends while the slowest group is not too far behind. Threads may share it.

    Between two measurements it counts what this process appends itself, so a limit is passed by no more than one
    message and by what other processes append in half a second.
    """

    def __init__(self, log: str, bytes_max: int) -> None:
        self._log = log
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._measured: dict[str, _Measured] = {}

    def admit(self, conn: Connection, topic: str, added_bytes: int) -> None:
        """Count a message in.

        Raises:
            LogFull: the slowest group has too much to read already.
        """
        with self._lock:
            known = self._measured.get(topic)
            if known is not None and known.unread_bytes < self._bytes_max and time.monotonic() < known.until:
                known.unread_bytes += added_bytes
                return
        found = unread_bytes(conn, self._log, topic)
        if found >= self._bytes_max:
            raise LogFull(topic=topic, retry_after_seconds=RETRY_AFTER_SECONDS)
        with self._lock:
            self._measured[topic] = _Measured(found + added_bytes, time.monotonic() + REMEMBERED_SECONDS)


def unread_bytes(conn: Connection, log: str, topic: str) -> int:
    """What the slowest group of a topic has still to read; where no group is known, all that is held."""
    row = conn.execute(
        "SELECT max(unread) FROM ("
        " SELECT sum(p.bytes_total - coalesce(m.bytes_before, p.bytes_total)) AS unread"
        " FROM log_topic t JOIN log_partition p ON p.topic = t.id"
        " LEFT JOIN log_group g ON starts_with(t.name, g.topics)"
        " LEFT JOIN log_position o ON o.log = %(log)s AND o.incarnation = t.incarnation"
        " AND o.partition = p.partition AND o.group_name = g.name"
        # Offsets have no gaps, so the first unread message is there, unless everything is read.
        " LEFT JOIN log_message m ON m.partition = p.id"
        " AND m.log_offset = greatest(coalesce(o.next_offset, 0), p.first_offset)"
        " WHERE t.name = %(topic)s AND t.deleted_at IS NULL GROUP BY g.id) AS by_group",
        {"log": log, "topic": topic},
    ).fetchone()
    return int(row[0] or 0) if row is not None else 0
