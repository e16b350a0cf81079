"""A log in memory that does, on purpose and by a seed, whatever the port ``hub.exchange.log`` allows a log to do.

Appends end unknown, with the message in the log or not. Partitions are taken away at any member's poll, given to
another or back again, and then read on from the stored position, so that what was not taken comes again. Polls come
back with nothing, or with less than there is.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hub.errors import LogFull, LogUnavailable, OutcomeUnknown, PositionLost, PositionOutOfRange, TopicUnknown
from hub.exchange.log import TOPIC_PREFIX, Appended, Assigned, Lag, Message, PositionSource, Topic
from hub.exchange.murmur2 import partition_of

PAUSE_SECONDS = 0.005


@dataclass(slots=True)
class _Partition:
    assigned: Assigned
    first_offset: int = 0
    messages: list[Message] = field(default_factory=list[Message])

    @property
    def next_offset(self) -> int:
        return self.first_offset + len(self.messages)

    def bytes_from(self, offset: int) -> int:
        return sum(len(message.value or b"") for message in self.messages[max(offset - self.first_offset, 0) :])


@dataclass(slots=True)
class _Group:
    topic_prefix: str
    members: list["HostileConsumer"] = field(default_factory=list["HostileConsumer"])
    owners: dict[Assigned, "HostileConsumer"] = field(default_factory=dict[Assigned, "HostileConsumer"])


class HostileLog:
    """The fake. ``positions`` are those of all groups: what lag, pressure and retention go by.

    Args:
        seed: of everything that happens by chance.
        positions: the stored positions.
        hostility: how often something is done that need not be, from 0 to 1.
        backlog_bytes_max: unread bytes of a topic from which on appends meet ``LogFull``.
        clock: what messages are stamped with.
    """

    name = "hostile"

    def __init__(
        self,
        seed: int,
        positions: PositionSource,
        *,
        hostility: float = 0.2,
        backlog_bytes_max: int = 1024**3,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._random = random.Random(seed)
        self._positions = positions
        self._hostility = hostility
        self.backlog_bytes_max = backlog_bytes_max
        self._clock = clock
        self._topics: dict[str, list[_Partition]] = {}
        self._groups: dict[str, _Group] = {}
        self._lock = threading.RLock()

    def ensure_topic(self, topic: str, partitions: int) -> Topic:
        with self._lock:
            if topic not in self._topics:
                incarnation = str(uuid.UUID(int=self._random.getrandbits(128)))
                self._topics[topic] = [
                    _Partition(Assigned(topic, incarnation, partition)) for partition in range(partitions)
                ]
            return self._topic(topic)

    def topics(self) -> Sequence[Topic]:
        with self._lock:
            return [self._topic(topic) for topic in sorted(self._topics)]

    def delete_topic(self, topic: str) -> None:
        with self._lock:
            self._known(topic)
            del self._topics[topic]
            for group in self._groups.values():
                group.owners = {one: owner for one, owner in group.owners.items() if one.topic != topic}

    def append(self, topic: str, key: str, headers: Mapping[str, bytes], value: bytes) -> Appended:
        with self._lock:
            partitions = self._known(topic)
            if self._unread_bytes(partitions) >= self.backlog_bytes_max:
                raise LogFull(topic=topic, retry_after_seconds=0.1)
            if self._strikes():
                if self._random.random() < 0.5:
                    self._put(partitions, key, headers, value)
                elif self._random.random() < 0.5:
                    raise LogUnavailable(problem="hostile")
                raise OutcomeUnknown(topic=topic)
            return self._put(partitions, key, headers, value)

    def consumer(
        self, group: str, member: str, positions: PositionSource, topic_prefix: str = TOPIC_PREFIX
    ) -> "HostileConsumer":
        with self._lock:
            known = self._groups.setdefault(group, _Group(topic_prefix))
            consumer = HostileConsumer(self, group, member, positions)
            known.members.append(consumer)
            self._deal(known)
            return consumer

    def offset_at(self, topic: str, partition: int, time: datetime) -> int:
        with self._lock:
            partitions = self._known(topic)
            if partition >= len(partitions):
                raise TopicUnknown(topic=topic)
            one = partitions[partition]
            return next((message.offset for message in one.messages if message.appended_at >= time), one.next_offset)

    def lag(self, group: str, topic: str | None = None) -> Sequence[Lag]:
        with self._lock:
            prefix = self._groups[group].topic_prefix if group in self._groups else ""
            found: list[Lag] = []
            for name in sorted(self._topics):
                if name.startswith(prefix) and topic in {None, name}:
                    for one in self._topics[name]:
                        place, position = one.assigned, self._position(group, one.assigned)
                        unread = one.bytes_from(position)
                        found.append(Lag(name, place.incarnation, place.partition, position, one.next_offset, unread))
            return found

    def sweep(self, before: datetime) -> int:
        with self._lock:
            swept = 0
            for one in (partition for partitions in self._topics.values() for partition in partitions):
                groups = self._groups_of(one.assigned.topic)
                read = min((self._position(group, one.assigned) for group in groups), default=0)
                while one.messages and one.first_offset < read and one.messages[0].appended_at < before:
                    one.messages.pop(0)
                    one.first_offset += 1
                    swept += 1
            return swept

    def close(self) -> None:
        """Nothing to give back."""

    # What consumers ask --------------------------------------------------------------------------------------------

    def fetch(self, consumer: "HostileConsumer", records_max: int, bytes_max: int) -> list[Message]:
        """One look at the log on a consumer's behalf; this is where partitions change hands."""
        with self._lock:
            group = self._groups[consumer.group]
            here = self._partitions_of(group)
            if set(group.owners) != set(here) or self._strikes():
                self._deal(group)
            mine = [one for place, one in here.items() if group.owners[place] is consumer]
            consumer.keep({one.assigned for one in mine})
            if self._strikes():
                return []
            self._random.shuffle(mine)
            return self._read(consumer, mine, records_max, bytes_max)

    def owned(self, consumer: "HostileConsumer") -> frozenset[Assigned]:
        """What is the consumer's at this moment."""
        with self._lock:
            owners = self._groups[consumer.group].owners
            return frozenset(place for place, owner in owners.items() if owner is consumer)

    def leave(self, consumer: "HostileConsumer") -> None:
        """A member leaves; the others get what it had."""
        with self._lock:
            group = self._groups[consumer.group]
            if consumer in group.members:
                group.members.remove(consumer)
                self._deal(group)

    def _read(
        self, consumer: "HostileConsumer", mine: Sequence[_Partition], records_max: int, bytes_max: int
    ) -> list[Message]:
        offsets = {one.assigned: consumer.offset_of(one.assigned) for one in mine}
        for one in mine:
            if not one.first_offset <= offsets[one.assigned] <= one.next_offset:
                place = one.assigned
                raise PositionOutOfRange(place.topic, place.partition, offsets[place], one.first_offset)
        found: list[Message] = []
        enough = self._random.randint(1, records_max) if self._strikes() else records_max
        for one in mine:
            for message in one.messages[offsets[one.assigned] - one.first_offset :]:
                bytes_max -= len(message.value or b"")
                if found and (len(found) >= enough or bytes_max < 0):
                    break
                found.append(message)
                consumer.went_on(one.assigned, message.offset + 1)
        return found

    # By chance, and what it is about ---------------------------------------------------------------------------------

    def _strikes(self) -> bool:
        return self._random.random() < self._hostility

    def _deal(self, group: _Group) -> None:
        """Give every partition to some member; whose it stays or becomes reads on from the stored position."""
        places = list(self._partitions_of(group))
        self._random.shuffle(places)
        members = group.members
        group.owners = {place: members[number % len(members)] for number, place in enumerate(places)} if members else {}
        for member in members:
            member.keep(set())

    def _partitions_of(self, group: _Group) -> dict[Assigned, _Partition]:
        return {
            one.assigned: one
            for topic, partitions in self._topics.items()
            if topic.startswith(group.topic_prefix)
            for one in partitions
        }

    def _groups_of(self, topic: str) -> list[str]:
        return [name for name, group in self._groups.items() if topic.startswith(group.topic_prefix)]

    def _position(self, group: str, place: Assigned) -> int:
        return self._positions.position(self.name, place.topic, place.incarnation, place.partition, group)

    def _unread_bytes(self, partitions: Sequence[_Partition]) -> int:
        groups = self._groups_of(partitions[0].assigned.topic)
        return max(
            (sum(one.bytes_from(self._position(group, one.assigned)) for one in partitions) for group in groups),
            default=sum(one.bytes_from(0) for one in partitions),
        )

    def _put(self, partitions: Sequence[_Partition], key: str, headers: Mapping[str, bytes], value: bytes) -> Appended:
        one = partitions[partition_of(key, len(partitions))]
        place, offset = one.assigned, one.next_offset
        now = self._clock()
        at = max(now, one.messages[-1].appended_at) if one.messages else now
        one.messages.append(
            Message(place.topic, place.incarnation, place.partition, offset, key, dict(headers), value, at)
        )
        return Appended(place.topic, place.partition, offset)

    def _known(self, topic: str) -> list[_Partition]:
        if topic not in self._topics:
            raise TopicUnknown(topic=topic)
        return self._topics[topic]

    def _topic(self, topic: str) -> Topic:
        partitions = self._topics[topic]
        return Topic(topic, partitions[0].assigned.incarnation, len(partitions))


class HostileConsumer:
    """One member of a group of the fake."""

    def __init__(self, log: HostileLog, group: str, member: str, positions: PositionSource) -> None:
        self.group = group
        self.member = member
        self._log = log
        self._positions = positions
        self._assignment: frozenset[Assigned] = frozenset()
        self._offsets: dict[Assigned, int] = {}
        self._closed = False

    def poll(self, max_records: int, max_bytes: int, timeout_seconds: float) -> list[Message]:
        deadline = time.monotonic() + timeout_seconds
        while True:
            if self._closed:
                raise LogUnavailable(problem="closed")
            messages = self._log.fetch(self, max_records, max_bytes)
            if messages or time.monotonic() >= deadline:
                return messages
            time.sleep(PAUSE_SECONDS)

    def assignment(self) -> frozenset[Assigned]:
        return self._assignment & self._log.owned(self)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        for place in self.assignment():
            if (place.topic, place.partition) == (topic, partition):
                self._offsets[place] = offset
                return
        raise PositionLost(topic=topic, partition=partition)

    def rewind(self) -> None:
        self._offsets.clear()

    def close(self) -> None:
        self._closed = True
        self._assignment = frozenset()
        self._log.leave(self)

    # What the log tells it -------------------------------------------------------------------------------------------

    def keep(self, places: set[Assigned]) -> None:
        """Only these are this member's; of others it forgets where it was."""
        self._assignment = frozenset(places)
        self._offsets = {place: offset for place, offset in self._offsets.items() if place in places}

    def offset_of(self, place: Assigned) -> int:
        """Where it reads on: where it was, else where the group is."""
        if place not in self._offsets:
            self._offsets[place] = self._positions.position(
                self._log.name, place.topic, place.incarnation, place.partition, self.group
            )
        return self._offsets[place]

    def went_on(self, place: Assigned, offset: int) -> None:
        """It was handed what lies before the offset."""
        self._offsets[place] = offset
