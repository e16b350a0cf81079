"""What every log promises, said against the port alone; runs over the log in PostgreSQL and over the hostile fake."""

import contextlib
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from log_subjects import BYTES_MAX, SECONDS_MAX, Subject, read, values

from hub.errors import LogError, LogUnavailable, TopicUnknown
from hub.exchange.log import Consumer, Message

T = "exchange.420000.simple"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
LATER = timedelta(hours=1)


def until_assigned(consumer: Consumer, partitions: int) -> None:
    """Poll until the member has so many partitions."""
    deadline = time.monotonic() + SECONDS_MAX
    while len(consumer.assignment()) != partitions:
        assert time.monotonic() < deadline
        consumer.poll(1, BYTES_MAX, 0.05)
        consumer.rewind()


# Appending -----------------------------------------------------------------------------------------------------------


def test_messages_of_a_partition_are_read_in_the_order_they_were_acknowledged(subject: Subject):
    subject.log.ensure_topic(T, 1)
    sent = [f"{number}".encode() for number in range(50)]
    for value in sent:
        subject.put(T, "k", value)
    with contextlib.closing(subject.join()) as consumer:
        found = read([consumer], lambda messages: set(values(messages)) >= set(sent))
    assert values(sorted(found, key=lambda message: message.offset)) == sent


def test_offsets_begin_at_zero_and_have_no_gaps(subject: Subject):
    subject.log.ensure_topic(T, 3)
    ends = {0: 0, 1: 0, 2: 0}
    for number in range(60):
        appended = subject.put(T, f"k{number}")
        ends[appended.partition] = appended.offset + 1
    with contextlib.closing(subject.join()) as consumer:
        found = read([consumer], lambda messages: len(messages) >= sum(ends.values()))
    for partition, end in ends.items():
        assert {message.offset for message in found if message.partition == partition} >= set(range(end))


@pytest.mark.parametrize(
    ("key", "murmur2"),  # of Kafka's own UtilsTest.testMurmur2
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536), ("abc", 479470107)],
)
def test_a_key_goes_to_the_partition_kafka_would_choose(subject: Subject, key: str, murmur2: int):
    subject.log.ensure_topic(T, 7)
    assert subject.put(T, key).partition == (murmur2 & 0x7FFF_FFFF) % 7


def test_a_message_comes_as_it_was_appended(subject: Subject):
    topic = subject.log.ensure_topic(T, 1)
    before = datetime.now(UTC) - timedelta(seconds=5)
    headers = {"hub-batch": b'{"v":1}', "other": b"\x00\xff", "empty": b""}
    with contextlib.suppress(LogError):
        subject.log.append(T, "钥匙", headers, b"\x00value\xff")
    subject.put(T, "last", b"last")
    with contextlib.closing(subject.join()) as consumer:
        found = read([consumer], lambda messages: b"last" in values(messages))
    for message in found:
        assert (message.topic, message.incarnation, message.partition) == (T, topic.incarnation, 0)
        assert before < message.appended_at < datetime.now(UTC) + timedelta(seconds=5)
        if message.value != b"last":
            assert (message.key, dict(message.headers), message.value) == ("钥匙", headers, b"\x00value\xff")


def test_a_large_message_comes_whole_even_where_it_is_over_the_limit_of_a_poll(subject: Subject):
    subject.log.ensure_topic(T, 1)
    large = bytes(range(256)) * 4096 * 8  # 8 MiB
    subject.put(T, "k", large)
    with contextlib.closing(subject.join()) as consumer:
        deadline = time.monotonic() + SECONDS_MAX
        while not (found := consumer.poll(10, 1024, 0.1)):
            assert time.monotonic() < deadline
    assert [message.value for message in found] == [large]


def test_appending_to_an_unknown_topic_is_refused(subject: Subject):
    with pytest.raises(TopicUnknown):
        subject.log.append(T, "k", {}, b"v")


def test_making_a_topic_again_leaves_it_as_it_is(subject: Subject):
    made = subject.log.ensure_topic(T, 3)
    assert subject.log.ensure_topic(T, 5) == made
    assert list(subject.log.topics()) == [made]


def test_many_at_once_make_one_topic(subject: Subject):
    made: set[str] = set()
    threads = [threading.Thread(target=lambda: made.add(subject.log.ensure_topic(T, 2).incarnation)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


# Reading -------------------------------------------------------------------------------------------------------------


def test_a_poll_with_nothing_to_read_ends_in_time(subject: Subject):
    subject.log.ensure_topic(T, 2)
    with contextlib.closing(subject.join()) as consumer:
        began = time.monotonic()
        assert consumer.poll(10, BYTES_MAX, 0.2) == []
        assert 0.15 < time.monotonic() - began < 5


def test_a_poll_returns_no_more_records_and_bytes_than_it_was_asked_for(subject: Subject):
    subject.log.ensure_topic(T, 2)
    for number in range(30):
        subject.put(T, f"k{number}", bytes(1000))
    with contextlib.closing(subject.join()) as consumer:
        for _ in range(30):
            assert len(consumer.poll(3, BYTES_MAX, 0.01)) <= 3
            consumer.rewind()
            assert sum(len(message.value or b"") for message in consumer.poll(100, 4500, 0.01)) <= 4500


def test_a_full_partition_does_not_starve_the_others(subject: Subject):
    full = "exchange.420000.full"  # comes before the other in every order by name
    subject.log.ensure_topic(full, 1)
    subject.log.ensure_topic(T, 1)
    for number in range(200):
        subject.put(full, f"k{number}", bytes(100))
    subject.put(T, "k", b"the other")
    with contextlib.closing(subject.join()) as consumer:
        polls = 0
        while not any(message.value == b"the other" for message in consumer.poll(2, BYTES_MAX, 0.05)):
            polls += 1
            assert polls < 50


def test_a_topic_that_appears_is_read_by_who_was_there_before(subject: Subject):
    with contextlib.closing(subject.join()) as consumer:
        assert consumer.poll(10, BYTES_MAX, 0.05) == []
        subject.log.ensure_topic(T, 2)
        subject.put(T, "k", b"new")
        assert b"new" in values(read([consumer], lambda messages: b"new" in values(messages)))


def test_topics_of_other_prefixes_are_not_read(subject: Subject):
    subject.log.ensure_topic("changes.simple", 1)
    subject.log.ensure_topic(T, 1)
    subject.put("changes.simple", "k", b"foreign")
    subject.put(T, "k", b"own")
    with contextlib.closing(subject.join()) as consumer:
        found = read([consumer], lambda messages: b"own" in values(messages))
        found += consumer.poll(10, BYTES_MAX, 0.1)
    assert {message.topic for message in found} == {T}


# Groups --------------------------------------------------------------------------------------------------------------


def test_groups_do_not_see_each_other(subject: Subject):
    subject.log.ensure_topic(T, 2)
    sent = {f"{number}".encode() for number in range(20)}
    for value in sent:
        subject.put(T, value.decode(), value)
    with contextlib.closing(subject.join("one")) as one, contextlib.closing(subject.join("two")) as two:
        for group, consumer in (("one", one), ("two", two)):
            found = read(
                [consumer], lambda messages: set(values(messages)) == sent, lambda m, g=group: subject.take(g, m)
            )
            assert set(values(found)) == sent


def test_a_partition_is_read_by_one_member_at_most(subject: Subject):
    subject.log.ensure_topic(T, 5)
    members = [subject.join(member=f"m{number}") for number in range(3)]
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        for member in members:
            member.poll(10, BYTES_MAX, 0.01)
            held = [place for other in members for place in other.assignment()]
            assert len(held) == len(set(held))
    assert len({place for member in members for place in member.assignment()}) <= 5
    for member in members:
        member.close()


def test_members_together_read_everything_and_take_each_message_once(subject: Subject):
    subject.log.ensure_topic(T, 4)
    sent = {f"{number}".encode() for number in range(80)}
    for value in sent:
        subject.put(T, value.decode(), value)
    taken: list[tuple[int, int]] = []

    def take(message: Message) -> None:
        subject.take("g", message)
        taken.append((message.partition, message.offset))

    members = [subject.join(member=f"m{number}") for number in range(3)]
    read(members, lambda _: all(lag.messages == 0 for lag in subject.log.lag("g")), take)
    assert len(taken) == len(set(taken)) >= len(sent)
    for member in members:
        member.close()


def test_who_closes_hands_its_partitions_to_the_others(subject: Subject):
    subject.log.ensure_topic(T, 4)
    leaving, staying = subject.join(member="leaving"), subject.join(member="staying")
    leaving.poll(1, BYTES_MAX, 0.1)
    leaving.close()
    leaving.close()
    until_assigned(staying, 4)
    with pytest.raises(LogUnavailable):
        leaving.poll(1, BYTES_MAX, 0)
    assert leaving.assignment() == frozenset()
    staying.close()


def test_who_comes_later_gets_a_share(subject: Subject):
    subject.log.ensure_topic(T, 4)
    with contextlib.closing(subject.join(member="first")) as first:
        until_assigned(first, 4)
        with contextlib.closing(subject.join(member="second")) as second:
            deadline = time.monotonic() + SECONDS_MAX
            while not (len(first.assignment()) == 2 == len(second.assignment())):
                assert time.monotonic() < deadline
                first.poll(1, BYTES_MAX, 0.05)
                second.poll(1, BYTES_MAX, 0.05)
