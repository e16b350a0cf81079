"""The logs that the contract suite runs over, each with positions it goes by."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from hostile_log import HostileLog
from psycopg import Connection

from hub.errors import LogFull, LogUnavailable, OutcomeUnknown, PositionLost
from hub.exchange import position
from hub.exchange.embedded_log import EmbeddedLog
from hub.exchange.kafka_log import KafkaLog
from hub.exchange.kafka_log_cluster import KafkaOptions
from hub.exchange.log import Appended, Consumer, Log, Message, PositionSource
from hub.store.connect import connect

SECONDS_MAX = 30.0
BYTES_MAX = 16 * 1024 * 1024


class Positions(PositionSource, Protocol):
    """Positions that can be moved."""

    def advance(
        self, log: str, topic: str, incarnation: str, partition: int, group: str, expected: int, following: int
    ) -> None:
        """Move from where it is expected to be, or raise ``PositionLost``."""
        ...


class RememberedPositions:
    """Positions in memory."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, int, str], int] = {}
        self._lock = threading.Lock()

    def position(self, log: str, topic: str, incarnation: str, partition: int, group: str) -> int:
        del topic
        return self._kept.get((log, incarnation, partition, group), 0)

    def advance(
        self, log: str, topic: str, incarnation: str, partition: int, group: str, expected: int, following: int
    ) -> None:
        with self._lock:
            if self.position(log, topic, incarnation, partition, group) != expected or following < expected:
                raise PositionLost(topic=topic, partition=partition)
            self._kept[log, incarnation, partition, group] = following


class PositionsOfStore:
    """Positions in the store, each move in a transaction of its own."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def position(self, log: str, topic: str, incarnation: str, partition: int, group: str) -> int:
        return position.read(self._conn, log, topic, incarnation, partition, group)

    def advance(
        self, log: str, topic: str, incarnation: str, partition: int, group: str, expected: int, following: int
    ) -> None:
        with self._conn.transaction():
            position.advance(self._conn, log, topic, incarnation, partition, group, expected, following)


@dataclass(slots=True)
class Subject:
    """One log under test. ``reopened`` gives the same log with another limit of unread bytes."""

    log: Log
    positions: Positions
    reopened: Callable[[int], Log]

    def join(self, group: str = "g", member: str = "m", topic_prefix: str = "exchange.") -> Consumer:
        """A member of a group."""
        return self.log.consumer(group, member, self.positions, topic_prefix)

    def put(self, topic: str, key: str, value: bytes = b"v") -> Appended:
        """Append until it is acknowledged, as a sender does."""
        return put(self.log, topic, key, value)

    def take(self, group: str, message: Message) -> None:
        """Move the group's position past a message, from where a reader of it believes it to be."""
        place = (message.topic, message.incarnation, message.partition)
        self.positions.advance(self.log.name, *place, group, message.offset, message.offset + 1)

    def position(self, group: str, topic: str, partition: int = 0) -> int:
        """The stored position."""
        incarnation = next(one.incarnation for one in self.log.topics() if one.name == topic)
        return self.positions.position(self.log.name, topic, incarnation, partition, group)

    def read_all(self, consumer: Consumer, group: str = "g") -> list[Message]:
        """Read and take until the group has no lag."""
        return read([consumer], lambda _: not self.lag(group), lambda message: self.take(group, message))

    def read_up_to(self, consumer: Consumer, topic: str, offset: int, group: str = "g") -> list[Message]:
        """Read and take a topic's one partition until the group's position is at an offset."""

        def take(message: Message) -> None:
            if message.offset < offset:
                self.take(group, message)

        return read([consumer], lambda _: self.position(group, topic) >= offset, take)

    def lag(self, group: str = "g") -> int:
        """Messages that a group has still to read."""
        return sum(one.messages for one in self.log.lag(group))


def put(log: Log, topic: str, key: str, value: bytes = b"v", headers: Mapping[str, bytes] | None = None) -> Appended:
    """Append until it is acknowledged. After an unknown outcome a second message may be there."""
    for _ in range(100):
        with contextlib.suppress(OutcomeUnknown, LogUnavailable):
            return log.append(topic, key, headers or {}, value)
    raise AssertionError("no append was acknowledged")


def read(
    consumers: Sequence[Consumer],
    enough: Callable[[list[Message]], bool],
    taken: Callable[[Message], None] = lambda _: None,
) -> list[Message]:
    """Poll the members in turn until enough was read; what comes again is left out."""
    seen: set[tuple[str, int, int]] = set()
    found: list[Message] = []
    deadline = time.monotonic() + SECONDS_MAX
    for consumer in itertools.cycle(consumers):
        if enough(found):
            return found
        assert time.monotonic() < deadline, f"only {len(found)} messages came"
        for message in consumer.poll(100, BYTES_MAX, 0.05):
            with contextlib.suppress(PositionLost):
                taken(message)
            place = (message.incarnation, message.partition, message.offset)
            if place not in seen:
                seen.add(place)
                found.append(message)
    raise AssertionError("no consumers")


def fill(log: Log, topic: str) -> LogFull:
    """Append messages of 1,000 bytes until the log pushes back."""
    for number in range(200):
        try:
            put(log, topic, f"k{number}", bytes(1000))
        except LogFull as full:
            return full
    raise AssertionError("the log took everything")


def values(messages: Sequence[Message]) -> list[bytes | None]:
    """The values, each where it came first."""
    return list(dict.fromkeys(message.value for message in messages))


@contextmanager
def embedded(database_url: str) -> Generator[Subject]:
    """The log in PostgreSQL."""
    with contextlib.ExitStack() as closing:
        conn = closing.enter_context(contextlib.closing(connect(database_url, "test positions", autocommit=True)))

        def opened(backlog_bytes_max: int) -> Log:
            log = EmbeddedLog(database_url, backlog_bytes_max=backlog_bytes_max, wait_seconds_max=5)
            return closing.enter_context(contextlib.closing(log))

        yield Subject(opened(1024**3), PositionsOfStore(conn), opened)


@contextmanager
def kafka(servers: str, database_url: str, replication: int = 1) -> Generator[Subject]:
    """The log in Kafka, behind a prefix of its own; its topics are removed afterwards."""
    prefix = f"test-{uuid4().hex[:12]}."
    options = KafkaOptions(servers, prefix=prefix, message_bytes_max=BYTES_MAX, replication=replication)
    with contextlib.ExitStack() as closing:
        conn = closing.enter_context(contextlib.closing(connect(database_url, "test positions", autocommit=True)))

        def opened(backlog_bytes_max: int) -> Log:
            log = KafkaLog(options, database_url, backlog_bytes_max=backlog_bytes_max)
            return closing.enter_context(contextlib.closing(log))

        log = opened(1024**3)
        yield Subject(log, PositionsOfStore(conn), opened)
        for topic in log.topics():
            log.delete_topic(topic.name)


@contextmanager
def hostile(seed: int) -> Generator[Subject]:
    """The fake that does whatever the port allows."""
    positions = RememberedPositions()
    log = HostileLog(seed, positions)

    def narrowed(backlog_bytes_max: int) -> Log:
        log.backlog_bytes_max = backlog_bytes_max
        return log

    yield Subject(log, positions, narrowed)
