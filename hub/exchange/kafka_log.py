"""The log in Kafka: the port ``hub.exchange.log.Log`` over an Apache Kafka cluster.

Messages are Kafka's, and so are members and their partitions. Groups and positions are the store's: a position moves
in the transaction that takes the messages, and is sought from there whenever a partition is assigned, so what Kafka
itself believes of a group's offsets is for its lag tools alone.

Kafka is reached when it is first needed: what does without the log goes on working while it is away.
"""
# The checker's own stubs are of kafka-python 2.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false

import contextlib
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from kafka import KafkaProducer
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from psycopg import Connection

from hub.errors import LogUnavailable, OutcomeUnknown, TopicUnknown
from hub.exchange import position
from hub.exchange.kafka_log_cluster import KafkaCluster, KafkaOptions, Place
from hub.exchange.kafka_log_consumer import KafkaLogConsumer
from hub.exchange.log import TOPIC_PREFIX, Appended, Lag, PositionSource, Topic, size_of
from hub.exchange.log_backlog import Backlog
from hub.exchange.log_group_store import (
    forget_positions,
    group_positions,
    register_group,
    store_needed,
    topic_prefix_of,
)
from hub.exchange.murmur2 import partition_of
from hub.store.connect import pool

NAME: Final = "kafka"
BACKLOG_BYTES_MAX: Final = 1024**3
SILENT_SECONDS_MAX: Final = 300.0
TOPIC_SECONDS: Final = 2.0  # how long a topic is believed to be what it was
_END_SECONDS: Final = 5.0
_CONNECTIONS_MAX: Final = 2
_OVERHEAD_BYTES: Final = 128 * 1024  # of a request beside its message: the envelope in the headers, and Kafka's own

# The broker said that it did not append. Anything else that goes wrong after sending leaves the outcome open.
_NOT_APPENDED: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    NotEnoughReplicasError,
    TopicAuthorizationFailedError,
)


@dataclass(frozen=True, slots=True)
class _Known:
    topic: Topic
    until: float


class KafkaLog:
    """The log in Kafka. Threads may share it.

    Args:
        options: the cluster.
        url: connection string of the store, where groups and positions are.
        backlog_bytes_max: unread bytes of a topic from which on appends meet ``LogFull``.
        silent_seconds_max: a consumer that does not poll for so long loses its partitions.
    """

    def __init__(
        self,
        options: KafkaOptions,
        url: str,
        *,
        backlog_bytes_max: int = BACKLOG_BYTES_MAX,
        silent_seconds_max: float = SILENT_SECONDS_MAX,
    ) -> None:
        self._options = options
        self._silent_seconds_max = silent_seconds_max
        self._cluster = KafkaCluster(options)
        self._backlog = Backlog(backlog_bytes_max)
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._known: dict[str, _Known] = {}
        self._closing = contextlib.ExitStack()
        with store_needed():
            self._pool = self._closing.enter_context(
                pool(url, "hub log", size=_CONNECTIONS_MAX, wait_seconds=options.wait_seconds_max, autocommit=True)
            )

    @property
    def name(self) -> str:
        """Which log this is, for positions."""
        return NAME

    # Topics ----------------------------------------------------------------------------------------------------------

    def ensure_topic(self, topic: str, partitions: int) -> Topic:
        """Make a topic; one that is there stays as it is."""
        found = self._cluster.topics([topic])
        return found[0] if found else self._cluster.make(topic, partitions)

    def topics(self) -> Sequence[Topic]:
        """All topics by name."""
        return self._cluster.topics()

    def delete_topic(self, topic: str) -> None:
        """Remove a topic with its messages and its groups' positions in this log.

        Raises:
            TopicUnknown: there is none.
        """
        gone = self._cluster.topic(topic)
        self._known.pop(topic, None)
        self._cluster.remove(topic)
        with self._session() as conn:
            forget_positions(conn, NAME, gone.incarnation)

    # Messages --------------------------------------------------------------------------------------------------------

    def append(self, topic: str, key: str, headers: Mapping[str, bytes], value: bytes) -> Appended:
        """Append one message, durable on return: every copy that is in step has it.

        Raises:
            LogFull, LogUnavailable, TopicUnknown: nothing was appended.
            OutcomeUnknown: the message may have been appended.
        """
        size = size_of(key, headers, value)
        known = self._topic(topic)
        self._backlog.admit(topic, size, lambda: self._unread_bytes(known))
        partition = partition_of(key, known.partitions)
        with self._outcome(topic):
            appended = self._send(topic, key, headers, value, partition)
        return Appended(topic, partition, appended)

    def offset_at(self, topic: str, partition: int, time: datetime) -> int:
        """The first offset appended at or after a time; the partition's end when there is none.

        Raises:
            TopicUnknown: there is no such topic or partition.
        """
        if not 0 <= partition < self._cluster.topic(topic).partitions:
            raise TopicUnknown(topic=topic)
        found = self._cluster.offset_at((topic, partition), time)
        return self._cluster.bounds([(topic, partition)])[topic, partition][1] if found is None else found

    # Groups ----------------------------------------------------------------------------------------------------------

    def consumer(
        self, group: str, member: str, positions: PositionSource, topic_prefix: str = TOPIC_PREFIX
    ) -> KafkaLogConsumer:
        """Join a group that reads the topics of a prefix. From now on retention waits for the group."""
        with self._session() as conn:
            register_group(conn, group, topic_prefix)
        return KafkaLogConsumer(
            self._options, self._cluster, (NAME, group), member, positions, topic_prefix, self._silent_seconds_max
        )

    def lag(self, group: str, topic: str | None = None) -> Sequence[Lag]:
        """What a group has still to read, by topic and partition; of one topic where it is named.

        Bytes are an estimate: of what the partition takes, the share that its unread messages are of all.
        """
        with self._session() as conn:
            prefix = topic_prefix_of(conn, group)
            stored = position.read_all(conn, NAME, group)
        known = self._cluster.topics(None if topic is None else [topic])
        topics = [one for one in known if one.name.startswith(prefix)]
        bounds, sizes = self._cluster.bounds(_places(topics)), self._cluster.sizes(topics)
        found: list[Lag] = []
        for one in topics:
            for partition in range(one.partitions):
                place = (one.name, partition)
                following = stored.get((one.name, one.incarnation, partition), 0)
                first, end = bounds[place]
                unread = _unread(sizes.get(place, 0), first, end, following)
                found.append(Lag(one.name, one.incarnation, partition, following, end, unread))
        return found

    def sweep(self, before: datetime) -> int:
        """Forget messages appended before a time that every known group has read; returns how many.

        What no group ever read stays.
        """
        topics = self._cluster.topics()
        with self._session() as conn:
            by_topic = {one.name: group_positions(conn, NAME, one) for one in topics}
        read_by = [one for one in topics if by_topic[one.name]]
        ends: dict[Place, int] = {}
        forgotten = 0
        for place, (first, end) in self._cluster.bounds(_places(read_by)).items():
            read = min(of_group[place[1]] for of_group in by_topic[place[0]].values())
            if read > first:
                young = self._cluster.offset_at(place, before)
                keep = min(read, end if young is None else young)
                if keep > first:
                    ends[place] = keep
                    forgotten += keep - first
        self._cluster.forget(ends)
        return forgotten

    def close(self) -> None:
        """Give back connections; consumers are closed by who opened them."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            _end(producer, self._options.wait_seconds_max)
        self._cluster.close()
        self._closing.close()

    def _topic(self, name: str) -> Topic:
        known = self._known.get(name)
        if known is not None and time.monotonic() < known.until:
            return known.topic
        with self._looking:
            known = self._known.get(name)
            if known is None or time.monotonic() >= known.until:  # no other thread looked meanwhile
                known = _Known(self._cluster.topic(name), time.monotonic() + TOPIC_SECONDS)
                self._known[name] = known
            return known.topic

    def _send(self, topic: str, key: str, headers: Mapping[str, bytes], value: bytes, partition: int) -> int:
        """The offset the message got."""
        producer = self._opened_producer()
        try:
            sent = producer.send(
                self._cluster.wire(topic),
                value=value,
                key=key.encode(),
                headers=list(headers.items()),
                partition=partition,
            )
        except (KafkaTimeoutError, MessageSizeTooLargeError) as error:  # it never left
            raise LogUnavailable(problem=f"Kafka: {type(error).__name__}") from error
        try:
            # A little more than the client's own patience, so that it has given up by then.
            return int(sent.get(timeout=2 * self._options.wait_seconds_max).offset)
        except (*_NOT_APPENDED, UnknownTopicOrPartitionError):
            raise
        except KafkaError:
            # Once a message has run out of time an idempotent producer sends no more, whatever it is given.
            self._give_up(producer)
            raise

    def _give_up(self, producer: KafkaProducer) -> None:
        with self._lock:
            if self._producer is not producer:
                return
            self._producer = None
        threading.Thread(target=_end, args=(producer, 0.0), name="log-producer-end", daemon=True).start()

    def _opened_producer(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None:
                wait = int(self._options.wait_seconds_max * 1000)
                try:
                    self._producer = self._options.connected(
                        partial(
                            KafkaProducer,
                            client_id="hub",
                            acks="all",
                            enable_idempotence=True,
                            linger_ms=0,
                            max_block_ms=wait,
                            delivery_timeout_ms=wait + 1000,
                            max_request_size=self._options.message_bytes_max + _OVERHEAD_BYTES,
                        )
                    )
                except KafkaError as error:
                    raise LogUnavailable(problem=f"Kafka: {type(error).__name__}") from error
            return self._producer

    def _unread_bytes(self, topic: Topic) -> int:
        """What the slowest group has still to read; where no group is known, all that the topic holds."""
        with self._session() as conn:
            groups = group_positions(conn, NAME, topic)
        bounds, sizes = self._cluster.bounds(_places([topic])), self._cluster.sizes([topic])
        everything = {partition: 0 for _, partition in bounds}
        return max(
            sum(_unread(sizes.get(place, 0), *bounds[place], read[place[1]]) for place in bounds)
            for read in (groups.values() if groups else [everything])
        )

    @contextmanager
    def _session(self) -> Generator[Connection]:
        with store_needed(), self._pool.connection() as conn:
            yield conn

    @contextmanager
    def _outcome(self, topic: str) -> Generator[None]:
        """Around sending: what the broker refused is not there, what it did not answer may be."""
        try:
            yield
        except UnknownTopicOrPartitionError:
            self._known.pop(topic, None)
            raise TopicUnknown(topic=topic) from None
        except _NOT_APPENDED as error:
            raise LogUnavailable(problem=f"Kafka: {type(error).__name__}") from error
        except (KafkaError, OSError) as error:
            self._known.pop(topic, None)
            raise OutcomeUnknown(topic=topic) from error


def _places(topics: Sequence[Topic]) -> list[Place]:
    return [(one.name, partition) for one in topics for partition in range(one.partitions)]


def _unread(size: int, first: int, end: int, following: int) -> int:
    """Of a partition's bytes the share of the messages from ``following`` on."""
    unread = end - max(following, first)
    return -(-size * unread // (end - first)) if unread > 0 else 0


def _end(producer: KafkaProducer, timeout_seconds: float) -> None:
    """Close a producer, and what it still holds with it."""
    try:
        producer.close(timeout=timeout_seconds)
    except KafkaTimeoutError:
        # It could not send all it holds, and so has not even begun to close: those who sent it know by now.
        producer._sender.force_close()  # noqa: SLF001 - what is public waits for the messages again
        producer.close(timeout=_END_SECONDS)
