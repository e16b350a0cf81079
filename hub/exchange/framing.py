"""Single records in Confluent framing, as Kafka's own tools write them, gathered into runs.

A frame is a zero, the id of a schema (four bytes, big-endian) and the bytes of one record. A message without a value
deletes the record that its framed key names. What follows each other in one partition, is written with one schema and
means the same is one run: the hub makes one batch of it, with one receipt and one leaf, named by topic, partition,
first and last offset. Who sends is what the broker vouches for, which is the topic alone: no header of such a message
is looked at.
"""

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.exchange.log import Message, Span
from hub.exchange.subject_errors import FramedKeyMissing, FramedRecordEmpty
from schemas.batch import Limits, uuid8
from schemas.envelope import HEADER
from schemas.errors import BatchError
from schemas.subject_schema import Part

RECORDS_MAX: Final = 10_000  # of a run
BYTES_MAX: Final = 2 * 1024 * 1024
_HEAD: Final = struct.Struct(">BI")
_MAGIC: Final = 0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What one message says: where ``refusal`` is, nothing else counts."""

    part: Part
    schema: int
    body: bytes
    refusal: type[BatchError] | None = None

    def goes_with(self, other: "_Frame") -> bool:
        return (self.part, self.schema, self.refusal) == (other.part, other.schema, other.refusal)


@dataclass(slots=True)
class FramedRun:
    """A run.

    Args:
        span: where it stands in the log.
        part: ``value`` for records, ``key`` for the keys of those to delete.
        schema: the id that all of its frames name; 0 where they name none.
        refusal: why none of it can be taken.
        bodies: the records' bytes.
        moments: when each reached the log, microseconds since 1970: what tells versions apart where the contract has
            no field for them.
    """

    span: Span
    part: Part
    schema: int
    refusal: type[BatchError] | None
    bodies: list[bytes] = field(default_factory=list[bytes])
    moments: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def batch(self) -> str:
        """The id of its batch: the same for the same messages, whoever reads them and how often."""
        return uuid8(f"{self.span.incarnation}/{self.span}")

    @property
    def stream(self) -> str:
        """The id of what stands for a sender's run: the partition."""
        return uuid8(f"{self.span.incarnation}/{self.span.topic}/{self.span.partition}")

    @property
    def cut_at(self) -> datetime:
        """When its last record reached the log."""
        return _EPOCH + self.moments[-1] * _MICROSECOND

    @property
    def marks(self) -> bytes:
        """Lengths and moments of its records, for who decodes them."""
        return array("q", map(len, self.bodies)).tobytes() + self.moments.tobytes()


def read_marks(marks: bytes) -> "tuple[array[int], array[int]]":
    """The inverse of ``FramedRun.marks``: lengths and moments."""
    numbers = array("q")
    numbers.frombytes(marks)
    half = len(numbers) // 2
    return numbers[:half], numbers[half:]


def gathered(messages: Sequence[Message], limits: Limits) -> Iterator[Message | FramedRun]:
    """Messages in their order, single records gathered into runs that keep within the limits of a batch."""
    records_max = min(RECORDS_MAX, limits.records_max)
    bytes_max = min(BYTES_MAX, limits.bytes_max // 2)  # beside a schema of its own
    run: FramedRun | None = None
    last: _Frame | None = None
    size = 0
    for message in messages:
        frame = _frame_of(message)
        size += 0 if frame is None else len(frame.body)
        if run is not None and last is not None:
            goes_on = (
                frame is not None
                and frame.goes_with(last)
                and run.span.goes_on_with(message)
                and len(run.bodies) < records_max
                and size <= bytes_max
            )
            if not goes_on:
                yield run
                run = None
        if frame is None:
            yield message
            continue
        if run is None:
            run, size = FramedRun(message.span, frame.part, frame.schema, frame.refusal), len(frame.body)
        run.bodies.append(frame.body)
        run.moments.append((message.appended_at - _EPOCH) // _MICROSECOND)
        run.span = run.span.until(message.offset)
        last = frame
    if run is not None:
        yield run


def _frame_of(message: Message) -> _Frame | None:
    """None for what is, or was meant to be, a batch."""
    if HEADER in message.headers:
        return None
    if message.value is None:
        key = message.key.encode("utf-8", "surrogateescape")
        return _opened(key, "key") or _Frame("key", 0, b"", FramedKeyMissing)
    return _opened(message.value, "value")


def _opened(framed: bytes, part: Part) -> _Frame | None:
    if not framed or framed[0] != _MAGIC or len(framed) < _HEAD.size:
        return None
    schema = _HEAD.unpack_from(framed)[1]
    body = framed[_HEAD.size :]
    return _Frame(part, schema, body, None if body else FramedRecordEmpty)
