"""One member of a group of the Kafka log: Kafka shares the partitions, the store says where to read them from."""
# The checker's own stubs are of kafka-python 2.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false

import time
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from hub.errors import LogUnavailable, PositionLost, PositionOutOfRange
from hub.exchange.kafka_log_cluster import MIB, KafkaCluster, KafkaOptions
from hub.exchange.log import Assigned, Message, PositionSource, size_of

LOOK_SECONDS: Final = 1.0  # how often topics are looked at: new ones, and those that were made again
COMMIT_SECONDS: Final = 1.0
ROUND_SECONDS: Final = 0.1  # a rebalance within a round is seen after it
SESSION_SECONDS: Final = 10
HEARTBEAT_SECONDS: Final = 1
FETCH_RECORDS: Final = 10_000  # single records of other tools are many and small
FETCH_BYTES: Final = 16 * MIB


@dataclass(slots=True)
class _Reading:
    """A partition this member reads.

    ``assigned`` is None until its topic's incarnation is known. Until its position was sought nothing is given out.
    """

    assigned: Assigned | None = None
    is_sought: bool = False
    fetched: deque[Message] = field(default_factory=deque[Message])
    following: int = 0  # the offset fetched next
    done: int | None = None  # up to where messages were given out before the last poll


class _Rebalances(ConsumerRebalanceListener):
    """Called within a poll, on the client's own thread, while the member's waits for it."""

    def __init__(self, consumer: KafkaConsumer, readings: dict[TopicPartition, _Reading]) -> None:
        self._consumer = consumer
        self._readings = readings

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        for one in revoked:
            self._readings.pop(one, None)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for one in assigned:
            self._readings[one] = _Reading()
            self._consumer.seek(one, 0)  # any position will do: what Kafka believes it to be is not asked for
            self._consumer.pause(one)


class KafkaLogConsumer:
    """One member of a group. Not shared between threads."""

    def __init__(
        self,
        options: KafkaOptions,
        cluster: KafkaCluster,
        log_and_group: tuple[str, str],
        member: str,
        positions: PositionSource,
        topic_prefix: str,
        silent_seconds_max: float,
    ) -> None:
        self._cluster = cluster
        self._log, self._group = log_and_group
        self._positions = positions
        self._topic_prefix = topic_prefix
        self._subscribed: frozenset[str] = frozenset()
        self._readings: dict[TopicPartition, _Reading] = {}  # the one served longest ago comes first
        self._lost: str | None = None
        self._look_at = 0.0
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        with self._usable():
            self._consumer = options.connected(
                partial(
                    KafkaConsumer,
                    client_id=f"hub {member}",
                    group_id=cluster.wire(self._group),
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    allow_auto_create_topics=False,
                    partition_assignment_strategy=(RoundRobinPartitionAssignor,),
                    session_timeout_ms=SESSION_SECONDS * 1000,
                    heartbeat_interval_ms=HEARTBEAT_SECONDS * 1000,
                    max_poll_interval_ms=int(silent_seconds_max * 1000),
                    fetch_max_bytes=FETCH_BYTES,
                    max_partition_fetch_bytes=max(FETCH_BYTES // 2, options.message_bytes_max),
                )
            )
        self._listener = _Rebalances(self._consumer, self._readings)

    def poll(self, max_records: int, max_bytes: int, timeout_seconds: float) -> list[Message]:
        """The next messages, waiting for the first no longer than the time-out.

        Raises:
            PositionOutOfRange: the log does not hold the position to read from.
            LogUnavailable: the log is lost, and with it the assignment.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._usable():
            self._tell_done()
            while True:
                self._look_when_due()
                self._place()
                self._fetch(0.0 if self._has_fetched() else max(0.0, min(deadline - time.monotonic(), ROUND_SECONDS)))
                messages = self._given_out(max_records, max_bytes)
                if messages or time.monotonic() >= deadline:
                    self._place()
                    return messages

    def assignment(self) -> frozenset[Assigned]:
        """The partitions this consumer reads, as of the last poll."""
        return frozenset(one.assigned for one in self._readings.values() if one.assigned is not None)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read an assigned partition on from an offset; the stored position stays.

        Raises:
            PositionLost: the partition is not assigned to this consumer.
        """
        place = TopicPartition(self._cluster.wire(topic), partition)
        reading = self._readings.get(place)
        if reading is None or reading.assigned is None:
            raise PositionLost(topic=topic, partition=partition)
        self._go_to(place, reading, offset)

    def rewind(self) -> None:
        """Forget what was fetched: read every partition on from its stored position."""
        for place, one in self._readings.items():
            self._readings[place] = _Reading(one.assigned)
            self._consumer.pause(place)

    def close(self) -> None:
        """Leave the group; its partitions are free at once. Closing twice does nothing."""
        self._readings.clear()
        self._lost = self._lost or "closed"
        self._consumer.close(autocommit=False, timeout_ms=2000)

    # Places ----------------------------------------------------------------------------------------------------------

    def _look_when_due(self) -> None:
        """Read all topics of the prefix that are there now; what was made again, from the position in what it is now.

        A subscription by pattern would do the first, but no poll shorter than a look at the cluster would ever join.
        """
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        now = {one.name: one.incarnation for one in self._cluster.topics() if one.name.startswith(self._topic_prefix)}
        for place, one in list(self._readings.items()):
            if one.assigned is not None and now.get(one.assigned.topic) != one.assigned.incarnation:
                self._readings[place] = _Reading()
                self._consumer.pause(place)
        if now.keys() != self._subscribed:
            self._subscribed = frozenset(now)
            if now:
                self._consumer.subscribe(sorted(map(self._cluster.wire, now)), listener=self._listener)
                self._consumer.topics()  # who leads the group deals out only what it knows the partitions of
            else:
                self._consumer.unsubscribe()
                self._readings.clear()

    def _place(self) -> None:
        """Seek the stored positions of what was newly assigned."""
        new = [place for place, one in self._readings.items() if not one.is_sought]
        if not new:
            return
        prefix = self._cluster.wire("")
        topics = {one.name: one for one in self._cluster.topics({one.topic.removeprefix(prefix) for one in new})}
        for place in new:
            name = place.topic.removeprefix(prefix)
            if name in topics:  # otherwise it was deleted at this moment
                assigned = Assigned(name, topics[name].incarnation, place.partition)
                stored = self._positions.position(
                    self._log, assigned.topic, assigned.incarnation, assigned.partition, self._group
                )
                self._readings[place] = reading = _Reading(assigned)
                self._go_to(place, reading, stored)

    def _go_to(self, place: TopicPartition, reading: _Reading, offset: int) -> None:
        reading.fetched.clear()
        reading.done = None
        reading.is_sought = True
        reading.following = offset
        self._consumer.seek(place, offset)
        self._consumer.resume(place)

    # Messages --------------------------------------------------------------------------------------------------------

    def _has_fetched(self) -> bool:
        return any(one.fetched for one in self._readings.values())

    def _fetch(self, timeout_seconds: float) -> None:
        """One round of Kafka's own poll. Partitions with messages at hand rest, so that no more of them pile up."""
        resting = [place for place, one in self._readings.items() if one.fetched]
        if resting:
            self._consumer.pause(*resting)
        try:
            records = self._consumer.poll(int(timeout_seconds * 1000), max_records=FETCH_RECORDS)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            self._refuse_position(error.divergent_offsets if isinstance(error, LogTruncationError) else error.args[0])
            return
        for place, found in records.items():
            reading = self._readings.get(place)
            if reading is not None and reading.assigned is not None and reading.is_sought:
                reading.fetched.extend(_message(reading.assigned, record) for record in found)
                reading.following = found[-1].offset + 1

    def _refuse_position(self, places: Iterable[TopicPartition]) -> None:
        """Where the topic is another by now, its position is another too; otherwise the log does not hold it."""
        self._look_at = 0.0
        self._look_when_due()
        for place in places:
            reading = self._readings.get(place)
            if reading is not None and reading.assigned is not None:
                name, partition = reading.assigned.topic, reading.assigned.partition
                first, _ = self._cluster.bounds([(name, partition)])[name, partition]
                raise PositionOutOfRange(
                    topic=name, partition=partition, position=reading.following, first_offset=first
                )

    def _given_out(self, records_max: int, bytes_max: int) -> list[Message]:
        given: list[Message] = []
        bytes_left = bytes_max
        for place in [place for place, one in self._readings.items() if one.fetched]:
            reading = self._readings.pop(place)
            self._readings[place] = reading  # to the end: the others come first next time
            while reading.fetched and len(given) < records_max:
                first = reading.fetched[0]
                size = size_of(first.key, first.headers, first.value)
                if size > bytes_left and given:
                    return given
                bytes_left -= size
                given.append(reading.fetched.popleft())
                reading.done = given[-1].offset + 1
            if not reading.fetched:
                self._consumer.resume(place)
            if len(given) >= records_max:
                break
        return given

    def _tell_done(self) -> None:
        """Tell Kafka, for its lag tools, how far the group is: what was given out is taken when one polls again."""
        if time.monotonic() < self._commit_at:
            return
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        done = {place: OffsetAndMetadata(one.done) for place, one in self._readings.items() if one.done is not None}
        if done:
            self._consumer.commit_async(done)

    @contextmanager
    def _usable(self) -> Generator[None]:
        """Losing the group is losing the assignment, for good."""
        if self._lost is not None:
            raise LogUnavailable(problem=self._lost)
        try:
            yield
        except (KafkaError, OSError) as error:
            self._lost = f"Kafka: {type(error).__name__}"
            self._readings.clear()
            raise LogUnavailable(problem=self._lost) from error


def _message(assigned: Assigned, record: Any) -> Message:  # noqa: ANN401 - kafka-python has no types
    return Message(
        topic=assigned.topic,
        incarnation=assigned.incarnation,
        partition=assigned.partition,
        offset=record.offset,
        key="" if record.key is None else record.key.decode("utf-8", "surrogateescape"),
        headers={name: content or b"" for name, content in record.headers},
        value=record.value,
        appended_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )
