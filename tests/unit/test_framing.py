"""Which messages are single records, and which of them make one run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.exchange.framing import BYTES_MAX, FramedRun, gathered, read_marks
from hub.exchange.log import Message, Span
from hub.exchange.subject_errors import FramedKeyMissing, FramedRecordEmpty
from schemas.batch import Limits

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
TOPIC = "exchange.420000.simple"


def message(offset: int, value: bytes | None, *, key: bytes = b"", partition: int = 0, batch: bool = False) -> Message:
    headers = {"hub-batch": b"{}"} if batch else {"hub-organization": b"root"}
    text = key.decode("utf-8", "surrogateescape")
    return Message(TOPIC, "i", partition, offset, text, headers, value, NOW + timedelta(milliseconds=offset))


def framed(schema: int, body: bytes) -> bytes:
    return b"\x00" + schema.to_bytes(4, "big") + body


def runs(messages: list[Message], limits: Limits | None = None) -> list[Message | FramedRun]:
    return list(gathered(messages, limits or Limits()))


def spans(messages: list[Message], limits: Limits | None = None) -> list[tuple[int, int, str]]:
    return [
        (one.span.first, one.span.last, one.part if isinstance(one, FramedRun) else "batch")
        for one in runs(messages, limits)
    ]


def test_records_of_one_schema_that_follow_each_other_are_one_run():
    (run,) = runs([message(number, framed(7, b"r%d" % number)) for number in range(3, 6)])
    assert isinstance(run, FramedRun)
    assert (run.span, run.part, run.schema, run.refusal) == (Span(TOPIC, "i", 0, 3, 5), "value", 7, None)
    assert run.bodies == [b"r3", b"r4", b"r5"]
    assert str(run.span) == "exchange.420000.simple/0/3-5"
    assert run.cut_at == NOW + timedelta(milliseconds=5)
    lengths, moments = read_marks(run.marks)
    assert list(lengths) == [2, 2, 2]
    assert [one - moments[0] for one in moments] == [0, 1000, 2000]


def test_another_schema_partition_operation_or_a_batch_ends_a_run():
    key = framed(2, b"k")
    messages = [
        message(0, framed(1, b"a")),
        message(1, framed(2, b"a")),  # another schema
        message(2, None, key=key),  # a deletion
        message(3, None, key=key),
        message(4, b"Obj\x01", batch=True),
        message(5, framed(2, b"a")),
        message(9, framed(2, b"a"), partition=1),
        message(11, framed(2, b"a"), partition=1),  # not the one after
    ]
    assert spans(messages) == [
        (0, 0, "value"),
        (1, 1, "value"),
        (2, 3, "key"),
        (4, 4, "batch"),
        (5, 5, "value"),
        (9, 9, "value"),
        (11, 11, "value"),
    ]


def test_what_looks_framed_and_has_an_envelope_is_a_batch_and_what_is_neither_too():
    assert spans([message(0, framed(1, b"a"), batch=True)]) == [(0, 0, "batch")]
    assert spans([message(0, b""), message(1, b"{}"), message(2, b"\x00\x00\x00")]) == [
        (number, number, "batch") for number in range(3)
    ]


def test_a_key_may_be_any_bytes_and_only_a_framed_one_deletes():
    (run,) = runs([message(0, None, key=framed(3, b"\xff\xfe\x00k"))])
    assert isinstance(run, FramedRun)
    assert (run.bodies, run.schema, run.refusal) == ([b"\xff\xfe\x00k"], 3, None)
    for key in (b"", b"plain", b"\x00\x00"):
        (run,) = runs([message(0, None, key=key)])
        assert isinstance(run, FramedRun)
        assert run.refusal is FramedKeyMissing


def test_frames_without_a_record_are_a_run_of_their_own():
    found = runs([message(0, framed(1, b"a")), message(1, framed(1, b"")), message(2, framed(1, b""))])
    assert [one.refusal for one in found if isinstance(one, FramedRun)] == [None, FramedRecordEmpty]


def test_a_run_keeps_within_the_limits_of_a_batch():
    messages = [message(number, framed(1, b"x" * 100)) for number in range(25)]
    assert spans(messages, Limits(records_max=10)) == [(0, 9, "value"), (10, 19, "value"), (20, 24, "value")]
    assert spans(messages, Limits(bytes_max=1000)) == [(first, first + 4, "value") for first in range(0, 25, 5)]
    large = [message(number, framed(1, bytes(BYTES_MAX - 1))) for number in range(2)]
    assert spans(large) == [(0, 0, "value"), (1, 1, "value")]


def test_the_same_messages_are_the_same_batch_and_others_are_not():
    (run,) = runs([message(number, framed(1, b"a")) for number in range(3)])
    assert isinstance(run, FramedRun)
    others = [
        replace(run.span, last=1),
        replace(run.span, partition=1),
        replace(run.span, incarnation="j"),
        replace(run.span, topic=TOPIC + "x"),
    ]
    ids = {replace(run, span=span).batch for span in others} | {run.batch}
    assert len(ids) == 5
    assert replace(run, span=replace(run.span)).batch == run.batch
    assert replace(run, span=others[0]).stream == run.stream
