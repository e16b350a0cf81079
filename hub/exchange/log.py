"""The log port: how batches wait between the door and the worker. Its semantics are Kafka's, not a database's.

Words:

- A **topic** is named and has a fixed number of **partitions**. Deleted and made again under its name it is another
  **incarnation**: its offsets begin anew, and positions in the old one mean nothing in it.
- A **message** is appended to one partition, chosen by its key, and gets the partition's next **offset**, from 0 and
  without gaps. Messages become visible in the order of their offsets. Order holds within a partition only.
- **Append** is durable when it returns. It is never part of a database transaction. `LogFull` and `LogUnavailable` mean
  that nothing was appended; after `OutcomeUnknown` the message may be there. Repeating an append may make a second
  message: who reads must know repeats by what they hold.
- Consumers of one **group** share the partitions, each partition with at most one of them; groups do not see each
  other. The **assignment** may change between any two polls, and a partition may be taken from a consumer that still
  works on what it read of it. So delivery is at least once, and the store decides: it keeps the group's **position**
  (the offset of the next message to read) in each partition, moves it in the transaction that takes the messages, and
  only from where the mover believes it to be (`hub.exchange.position`).
- **Lag** is what lies between a group's position and a partition's end. Topics push back (`LogFull`) when the lag of
  the slowest group holds too many bytes; where no group is known, all that the topic holds is unread.
- **Retention** forgets messages that are old and that every known group has read; `first_offset` rises. Reading below
  it is `PositionOutOfRange`, never a silent gap.
- **Replay** is reading from an earlier offset: `Consumer.seek`, or a moved position; `Log.offset_at` finds an offset by
  time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

TOPIC_PREFIX = "exchange."


@dataclass(frozen=True, slots=True)
class Span:
    """Messages of one partition that follow each other, named by the first and the last of their offsets."""

    topic: str
    incarnation: str
    partition: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.first}-{self.last}"

    @property
    def messages(self) -> int:
        """How many they are."""
        return self.last - self.first + 1

    @property
    def place(self) -> tuple[str, str, int]:
        """The partition: topic, incarnation and number."""
        return (self.topic, self.incarnation, self.partition)

    def goes_on_with(self, message: "Message") -> bool:
        """Whether a message is the one after the last."""
        follows = message.offset == self.last + 1 and message.partition == self.partition
        return follows and message.topic == self.topic and message.incarnation == self.incarnation

    def until(self, last: int) -> "Span":
        """The same up to another offset."""
        return replace(self, last=last)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was appended.

    Others may produce to a log that is Kafka, by their own tools. What they write need not be text, or there: bytes of
    a key that are no UTF-8 are surrogate escapes in it (PEP 383), and ``value`` is None where a message has none.
    """

    topic: str
    incarnation: str
    partition: int
    offset: int
    key: str
    headers: Mapping[str, bytes]
    value: bytes | None
    appended_at: datetime

    @property
    def span(self) -> Span:
        """It alone."""
        return Span(self.topic, self.incarnation, self.partition, self.offset, self.offset)


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an append ended."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it stands now."""

    name: str
    incarnation: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Assigned:
    """A partition that a consumer reads."""

    topic: str
    incarnation: str
    partition: int


@dataclass(frozen=True, slots=True)
class Lag:
    """What a group has still to read of a partition."""

    topic: str
    incarnation: str
    partition: int
    position: int
    next_offset: int
    unread_bytes: int

    @property
    def messages(self) -> int:
        return self.next_offset - self.position


def size_of(key: str, headers: Mapping[str, bytes], value: bytes | None) -> int:
    """What a message counts, in bytes, towards the limits of polls and backlogs."""
    return len(value or b"") + len(key) + sum(len(name) + len(content) for name, content in headers.items())


class PositionSource(Protocol):
    """Where positions are kept: the store."""

    def position(self, log: str, topic: str, incarnation: str, partition: int, group: str) -> int:
        """The offset of the next message to read; 0 where none was ever kept."""
        ...


class Consumer(Protocol):
    """One member of a group. Not shared between threads; after `LogUnavailable` it can only be closed."""

    def poll(self, max_records: int, max_bytes: int, timeout_seconds: float) -> list[Message]:
        """The next messages, waiting for the first no longer than the time-out.

        At least one is returned where there is one, however large; further ones while they fit the limits. Each poll
        goes on after what the last one returned. Polling is also what keeps the assignment true: it is the only call
        that changes it.

        Raises:
            PositionOutOfRange: the log does not hold the position to read from.
            LogUnavailable: the log is lost, and with it the assignment.
        """
        ...

    def assignment(self) -> frozenset[Assigned]:
        """The partitions this consumer reads, as of the last poll."""
        ...

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read an assigned partition on from an offset; the stored position stays.

        Raises:
            PositionLost: the partition is not assigned to this consumer.
        """
        ...

    def rewind(self) -> None:
        """Forget what was fetched: read every partition on from its stored position."""
        ...

    def close(self) -> None:
        """Leave the group; its partitions are free at once. Closing twice does nothing."""
        ...


class Log(Protocol):
    """A log. Threads may share it."""

    @property
    def name(self) -> str:
        """Which log this is, for positions."""
        ...

    def ensure_topic(self, topic: str, partitions: int) -> Topic:
        """Make a topic; one that is there stays as it is."""
        ...

    def topics(self) -> Sequence[Topic]:
        """All topics by name."""
        ...

    def delete_topic(self, topic: str) -> None:
        """Remove a topic with its messages and its groups' positions in this log.

        Raises:
            TopicUnknown: there is none.
        """
        ...

    def append(self, topic: str, key: str, headers: Mapping[str, bytes], value: bytes) -> Appended:
        """Append one message, durable on return.

        Raises:
            LogFull, LogUnavailable, TopicUnknown: nothing was appended.
            OutcomeUnknown: the message may have been appended.
        """
        ...

    def consumer(
        self, group: str, member: str, positions: PositionSource, topic_prefix: str = TOPIC_PREFIX
    ) -> Consumer:
        """Join a group that reads the topics of a prefix; all members of a group name the same prefix."""
        ...

    def offset_at(self, topic: str, partition: int, time: datetime) -> int:
        """The first offset appended at or after a time; the partition's end when there is none.

        Raises:
            TopicUnknown: there is no such topic or partition.
        """
        ...

    def lag(self, group: str, topic: str | None = None) -> Sequence[Lag]:
        """What a group has still to read, by topic and partition; of one topic where it is named."""
        ...

    def sweep(self, before: datetime) -> int:
        """Forget messages appended before a time that every known group has read; returns how many.

        What no group ever read stays.
        """
        ...

    def close(self) -> None:
        """Give back connections; consumers are closed by who opened them."""
        ...
