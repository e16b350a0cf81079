"""What every log promises of positions, pressure, retention and incarnations; over all logs, as in ``test_log.py``."""

import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest
from log_subjects import BYTES_MAX, SECONDS_MAX, Subject, fill, put, read, values

from hub.errors import LogFull, PositionLost, PositionOutOfRange, TopicUnknown

T = "exchange.420000.simple"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
LATER = timedelta(hours=1)


# Positions -----------------------------------------------------------------------------------------------------------


def test_a_new_member_goes_on_from_the_stored_position(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for number in range(10):
        subject.put(T, "k", f"{number}".encode())
    with contextlib.closing(subject.join()) as consumer:
        read(
            [consumer],
            lambda _: subject.position("g", T) >= 4,
            lambda m: subject.take("g", m) if m.offset < 4 else None,
        )
    with contextlib.closing(subject.join()) as consumer:
        found = read([consumer], lambda messages: len(messages) > 0)
    assert found[0].offset == 4


def test_a_zombie_cannot_move_a_position_that_others_moved_on(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for number in range(4):
        subject.put(T, "k", f"{number}".encode())
    with contextlib.closing(subject.join(member="zombie")) as zombie:
        held = read([zombie], lambda messages: len(messages) >= 2)
    with contextlib.closing(subject.join(member="heir")) as heir:
        subject.read_all(heir)
    reached = subject.position("g", T)
    for message in held:
        with pytest.raises(PositionLost):
            subject.take("g", message)
    assert subject.position("g", T) == reached


def test_rewinding_reads_again_from_the_stored_position(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for number in range(6):
        subject.put(T, "k", f"{number}".encode())
    with contextlib.closing(subject.join()) as consumer:
        read([consumer], lambda messages: len(messages) >= 6, lambda m: subject.take("g", m) if m.offset < 2 else None)
        stored = subject.position("g", T)
        consumer.rewind()
        found = read([consumer], lambda messages: len(messages) > 0)
    assert stored <= 2
    assert found[0].offset == stored


def test_seeking_reads_from_any_offset_and_leaves_the_stored_position(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for number in range(6):
        subject.put(T, "k", f"{number}".encode())
    with contextlib.closing(subject.join()) as consumer:
        subject.read_up_to(consumer, T, 6)
        stored = subject.position("g", T)
        first: list[int] = []
        deadline = time.monotonic() + SECONDS_MAX
        while first[:1] != [2]:  # the partition may be taken away after the seek, and with it where it went
            assert time.monotonic() < deadline
            with contextlib.suppress(PositionLost):
                consumer.seek(T, 0, 2)
            first = [message.offset for message in consumer.poll(10, BYTES_MAX, 0.1)]
    assert subject.position("g", T) == stored


def test_only_an_assigned_partition_can_be_sought(subject: Subject):
    subject.log.ensure_topic(T, 1)
    with contextlib.closing(subject.join()) as consumer:
        consumer.poll(1, BYTES_MAX, 0.05)
        with pytest.raises(PositionLost):
            consumer.seek(T, 7, 0)
        with pytest.raises(PositionLost):
            consumer.seek("exchange.420000.other", 0, 0)


def test_an_offset_is_found_by_time(subject: Subject):
    subject.log.ensure_topic(T, 1)
    assert subject.log.offset_at(T, 0, EPOCH) == 0
    early = subject.put(T, "k", b"early")
    time.sleep(0.02)
    between = datetime.now(UTC)
    time.sleep(0.02)
    subject.put(T, "k", b"late")
    assert subject.log.offset_at(T, 0, EPOCH) == 0
    assert subject.log.offset_at(T, 0, between) == early.offset + 1
    assert subject.log.offset_at(T, 0, datetime.now(UTC) + LATER) > early.offset + 1
    with pytest.raises(TopicUnknown):
        subject.log.offset_at(T, 1, EPOCH)
    with pytest.raises(TopicUnknown):
        subject.log.offset_at("exchange.420000.other", 0, EPOCH)


def test_lag_counts_what_is_unread(subject: Subject):
    subject.log.ensure_topic(T, 2)
    for number in range(12):
        subject.put(T, f"k{number}", bytes(100))
    subject.log.ensure_topic(T + "_other", 1)
    with contextlib.closing(subject.join()) as consumer:
        before = subject.log.lag("g")
        assert [(one.topic, one.partition) for one in before] == [(T, 0), (T, 1), (T + "_other", 0)]
        assert sum(one.messages for one in before) >= 12
        assert sum(one.unread_bytes for one in before) >= 1200
        read(
            [consumer],
            lambda _: not sum(one.messages for one in subject.log.lag("g", T)),
            lambda m: subject.take("g", m),
        )
    assert [one.unread_bytes for one in subject.log.lag("g")] == [0, 0, 0]
    assert [one.topic for one in subject.log.lag("g", T)] == [T, T]


# Pressure, retention, incarnations -----------------------------------------------------------------------------------


def test_too_much_unread_pushes_back_until_it_is_read(subject: Subject):
    log = subject.reopened(50_000)
    log.ensure_topic(T, 1)
    with contextlib.closing(subject.join()) as consumer:
        assert fill(log, T).retry_after_seconds > 0
        assert sum(one.unread_bytes for one in log.lag("g")) < 60_000
        subject.read_all(consumer)
        put(log, T, "again", bytes(1000))


def test_the_slowest_group_pushes_back(subject: Subject):
    log = subject.reopened(20_000)
    log.ensure_topic(T, 1)
    with contextlib.closing(subject.join("quick")) as quick, contextlib.closing(subject.join("slow")):
        fill(log, T)
        subject.read_all(quick, "quick")
        with pytest.raises(LogFull):
            put(log, T, "k", bytes(1000))


def test_retention_never_passes_a_group_that_has_not_read(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for number in range(10):
        subject.put(T, "k", f"{number}".encode())
    with contextlib.closing(subject.join("quick")) as quick, contextlib.closing(subject.join("slow")) as slow:
        read(
            [quick],
            lambda _: not sum(one.messages for one in subject.log.lag("quick")),
            lambda m: subject.take("quick", m),
        )
        assert subject.log.sweep(datetime.now(UTC) + LATER) == 0
        read(
            [slow],
            lambda _: subject.position("slow", T) >= 3,
            lambda m: subject.take("slow", m) if m.offset < 3 else None,
        )
        assert subject.log.sweep(datetime.now(UTC) + LATER) == 3
        assert subject.log.offset_at(T, 0, EPOCH) == 3
        slow.rewind()
        assert read([slow], lambda messages: len(messages) > 0)[0].offset == 3


def test_retention_keeps_what_is_young_and_what_nobody_ever_read(subject: Subject):
    subject.log.ensure_topic(T, 1)
    subject.put(T, "k")
    assert subject.log.sweep(datetime.now(UTC) + LATER) == 0
    with contextlib.closing(subject.join()) as consumer:
        read(
            [consumer], lambda _: not sum(one.messages for one in subject.log.lag("g")), lambda m: subject.take("g", m)
        )
    assert subject.log.sweep(datetime.now(UTC) - LATER) == 0
    assert subject.log.sweep(datetime.now(UTC) + LATER) > 0


def test_reading_what_was_forgotten_is_an_error_and_no_silent_gap(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for number in range(5):
        subject.put(T, "k", f"{number}".encode())
    with contextlib.closing(subject.join()) as consumer:
        read(
            [consumer],
            lambda _: subject.position("g", T) >= 3,
            lambda m: subject.take("g", m) if m.offset < 3 else None,
        )
        subject.log.sweep(datetime.now(UTC) + LATER)
        deadline = time.monotonic() + SECONDS_MAX
        refused: PositionOutOfRange | None = None
        while refused is None:
            assert time.monotonic() < deadline
            try:
                consumer.seek(T, 0, 1)
                consumer.poll(10, BYTES_MAX, 0.1)
            except PositionLost:
                consumer.poll(10, BYTES_MAX, 0.1)
            except PositionOutOfRange as error:
                refused = error
        assert (refused.topic, refused.partition, refused.position, refused.first_offset) == (T, 0, 1, 3)
        consumer.rewind()
        assert read([consumer], lambda messages: len(messages) > 0)[0].offset == 3


def test_a_topic_made_again_is_another_incarnation_that_begins_anew(subject: Subject):
    first = subject.log.ensure_topic(T, 1)
    for number in range(3):
        subject.put(T, "k", f"old {number}".encode())
    with contextlib.closing(subject.join()) as consumer:
        read(
            [consumer], lambda _: not sum(one.messages for one in subject.log.lag("g")), lambda m: subject.take("g", m)
        )
        subject.log.delete_topic(T)
        assert list(subject.log.topics()) == []
        with pytest.raises(TopicUnknown):
            subject.log.append(T, "k", {}, b"v")
        with pytest.raises(TopicUnknown):
            subject.log.delete_topic(T)
        second = subject.log.ensure_topic(T, 1)
        assert second.incarnation != first.incarnation
        assert put(subject.log, T, "k", b"new").offset <= 10
        found = read([consumer], lambda messages: b"new" in values(messages))
    assert {(message.incarnation, message.value) for message in found} == {(second.incarnation, b"new")}
    assert min(message.offset for message in found) == 0
