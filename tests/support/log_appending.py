"""Appending to a log and reading it whole again, through any loss of the log in between."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from log_subjects import BYTES_MAX, Subject, values

from hub.errors import LogError, LogUnavailable, PositionLost
from hub.exchange.log import Consumer, Message

SECONDS_MAX = 90.0


@contextmanager
def appending(subject: Subject, topic: str) -> Generator[list[bytes]]:
    """Append numbers until the block ends; what was acknowledged is in the list."""
    acknowledged: list[bytes] = []
    stopping = threading.Event()

    def append() -> None:
        for number in itertools.count():
            if stopping.is_set():
                return
            value = f"{number}".encode()
            with contextlib.suppress(LogError):
                subject.log.append(topic, f"k{number}", {}, value)
                acknowledged.append(value)
            time.sleep(0.01)

    thread = threading.Thread(target=append)
    thread.start()
    try:
        yield acknowledged
    finally:
        stopping.set()
        thread.join(SECONDS_MAX)


def take_all(subject: Subject, wanted: set[bytes]) -> list[Message]:
    """Read and take, through any loss of the log, until all that is wanted came; each message that was taken."""
    taken: list[Message] = []
    deadline = time.monotonic() + SECONDS_MAX
    while not wanted <= set(values(taken)):
        with contextlib.suppress(LogUnavailable), contextlib.closing(subject.join()) as consumer:
            while not wanted <= set(values(taken)):
                assert time.monotonic() < deadline, f"{len(wanted - set(values(taken)))} are missing"
                for message in consumer.poll(100, BYTES_MAX, 0.2):
                    with contextlib.suppress(PositionLost):
                        subject.take("g", message)
                        taken.append(message)
    return taken


def read_on(subject: Subject, topic: str, interrupt: Callable[[Consumer], None], within_seconds: float) -> None:
    """Read one message, have the reading interrupted, append another, and see the same reader come to it."""
    subject.log.ensure_topic(topic, 1)
    subject.put(topic, "k", b"before")
    with contextlib.closing(subject.join()) as consumer:
        found: list[Message] = []
        while b"before" not in values(found):
            found += consumer.poll(10, BYTES_MAX, 0.2)
        interrupt(consumer)
        subject.put(topic, "k", b"after")
        deadline = time.monotonic() + within_seconds
        while b"after" not in values(found):
            assert time.monotonic() < deadline
            with contextlib.suppress(LogUnavailable):
                found += consumer.poll(10, BYTES_MAX, 0.2)
    assert values(found) == [b"before", b"after"]
