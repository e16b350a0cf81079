"""When too many bytes of a topic are unread."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

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

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._measuring = threading.Lock()
        self._measured: dict[str, _Measured] = {}

    def admit(self, topic: str, added_bytes: int, measure: Callable[[], int]) -> None:
        """Count a message in.

        Args:
            topic: where it goes.
            added_bytes: its size.
            measure: what the slowest group of the topic has still to read, in bytes.

        Raises:
            LogFull: the slowest group has too much to read already.
        """
        if self._counted_in(topic, added_bytes):
            return
        with self._measuring:
            if self._counted_in(topic, added_bytes):  # another thread measured meanwhile
                return
            found = measure()
            if found >= self._bytes_max:
                raise LogFull(topic=topic, retry_after_seconds=RETRY_AFTER_SECONDS)
            with self._lock:
                self._measured[topic] = _Measured(found + added_bytes, time.monotonic() + REMEMBERED_SECONDS)

    def _counted_in(self, topic: str, added_bytes: int) -> bool:
        with self._lock:
            known = self._measured.get(topic)
            if known is None or known.unread_bytes >= self._bytes_max or time.monotonic() >= known.until:
                return False
            known.unread_bytes += added_bytes
            return True
