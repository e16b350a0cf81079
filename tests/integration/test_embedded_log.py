"""What is PostgreSQL's own of the log: locks, sessions and what becomes of them when they are killed."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from log_subjects import BYTES_MAX, SECONDS_MAX, Subject, embedded, values
from psycopg import Connection

from hub.errors import LogUnavailable, OutcomeUnknown
from hub.exchange import embedded_log, embedded_log_retention
from hub.exchange.embedded_log import EmbeddedLog
from hub.exchange.log import Consumer, Message
from hub.exchange.partition_lock import PartitionLocks
from hub.exchange.retention import sweeping
from hub.store.cluster import Cluster
from hub.store.connect import connect
from hub.store.migrate import migrate

T = "exchange.420000.simple"
LATER = timedelta(hours=1)


@pytest.fixture
def subject(database_url: str) -> Iterator[Subject]:
    with embedded(database_url) as one:
        yield one


@pytest.fixture
def admin(database_url: str) -> Iterator[Connection]:
    """A session that looks at the others and ends them; in autocommit."""
    with closing(connect(database_url, "admin", autocommit=True)) as conn:
        yield conn


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def terminate(admin: Connection, name: str) -> int:
    return len(
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE %s",
            [name],
        ).fetchall()
    )


def waits_for_a_lock(admin: Connection) -> bool:
    return bool(
        admin.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchall()
    )


def share(members: list[Consumer]) -> list[int]:
    """How many partitions each has after all have polled long enough to agree."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        for member in members:
            member.poll(1, BYTES_MAX, 0.05)
    return [len(member.assignment()) for member in members]


# Order ---------------------------------------------------------------------------------------------------------------


def test_what_becomes_visible_is_in_the_order_of_offsets_however_many_append(subject: Subject):
    subject.log.ensure_topic(T, 1)
    threads = [
        threading.Thread(target=lambda n=n: [subject.put(T, "k", bytes(10 + 997 * n)) for _ in range(40)])
        for n in range(6)
    ]
    found: list[Message] = []
    with closing(subject.join()) as consumer:
        for thread in threads:
            thread.start()
        until(lambda: found.extend(consumer.poll(7, BYTES_MAX, 0.1)) or len(found) == 240)
    for thread in threads:
        thread.join()
    assert [message.offset for message in found] == list(range(240))
    assert all(one.appended_at <= two.appended_at for one, two in itertools.pairwise(found))


def test_appends_to_other_partitions_do_not_wait(subject: Subject, database_url: str):
    subject.log.ensure_topic(T, 2)
    with connect(database_url, "blocker") as blocker:
        blocker.execute("SELECT 1 FROM log_partition WHERE partition = 0 FOR UPDATE")
        key = next(f"k{n}" for n in range(100) if embedded_log.partition_of(f"k{n}", 2) == 1)
        assert subject.log.append(T, key, {}, b"v").partition == 1
        blocker.rollback()


def test_a_message_is_read_within_150_ms_of_its_append(subject: Subject):
    subject.log.ensure_topic(T, 1)
    seconds: list[float] = []
    with closing(subject.join()) as consumer:
        consumer.poll(1, BYTES_MAX, 0.6)
        for _ in range(5):
            appended: list[float] = []
            later = threading.Timer(0.3, lambda at=appended: (subject.put(T, "k"), at.append(time.monotonic())))
            later.start()
            assert consumer.poll(1, BYTES_MAX, 5)
            read_at = time.monotonic()
            later.join()
            seconds.append(read_at - appended[0])
    assert sorted(seconds)[2] < 0.15


# Killed sessions -----------------------------------------------------------------------------------------------------


def test_a_session_killed_while_it_appends_leaves_the_outcome_unknown(
    subject: Subject, admin: Connection, database_url: str
):
    subject.log.ensure_topic(T, 1)
    subject.put(T, "k", b"before")
    failed: list[BaseException] = []

    def append() -> None:
        try:
            subject.log.append(T, "k", {}, b"killed")
        except OutcomeUnknown as error:
            failed.append(error)

    with connect(database_url, "blocker") as blocker:
        blocker.execute("SELECT 1 FROM log_partition FOR UPDATE")
        thread = threading.Thread(target=append)
        thread.start()
        until(lambda: waits_for_a_lock(admin))
        terminate(admin, "hub log")
        thread.join(10)
        blocker.rollback()
    assert [type(error) for error in failed] == [OutcomeUnknown]
    assert subject.put(T, "k", b"after").offset == 1, "nothing of the killed append is left, no gap either"


def test_an_append_the_server_rolled_back_was_not_made(subject: Subject, admin: Connection, database_url: str):
    subject.log.ensure_topic(T, 1)
    failed: list[BaseException] = []

    def append() -> None:
        try:
            subject.log.append(T, "k", {}, b"cancelled")
        except LogUnavailable as error:
            failed.append(error)

    with connect(database_url, "blocker") as blocker:
        blocker.execute("SELECT 1 FROM log_partition FOR UPDATE")
        thread = threading.Thread(target=append)
        thread.start()
        until(lambda: waits_for_a_lock(admin))
        admin.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'hub log'")
        thread.join(10)
        blocker.rollback()
    assert [type(error) for error in failed] == [LogUnavailable]
    assert subject.put(T, "k").offset == 0


def test_a_session_killed_between_appends_is_replaced(subject: Subject, admin: Connection):
    subject.log.ensure_topic(T, 1)
    assert terminate(admin, "hub log") > 0
    assert subject.log.append(T, "k", {}, b"v").offset == 0


def test_a_consumer_whose_session_was_killed_can_only_be_closed(subject: Subject, admin: Connection):
    subject.log.ensure_topic(T, 2)
    consumer = subject.join()
    consumer.poll(1, BYTES_MAX, 0)
    assert len(consumer.assignment()) == 2
    assert terminate(admin, "hub log g %") == 1
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            consumer.poll(1, BYTES_MAX, 1)
    assert consumer.assignment() == frozenset()
    consumer.close()


def test_partitions_of_a_killed_consumer_are_free_at_once(subject: Subject, admin: Connection):
    subject.log.ensure_topic(T, 2)
    subject.put(T, "k", b"v")
    killed = subject.join(member="killed")
    assert killed.poll(10, BYTES_MAX, 5)
    terminate(admin, "hub log g %")
    with closing(subject.join(member="heir")) as heir:
        assert values(heir.poll(10, BYTES_MAX, 5)) == [b"v"]
        assert len(heir.assignment()) == 2
    killed.close()


def test_a_consumer_that_is_silent_too_long_loses_its_partitions(subject: Subject, database_url: str):
    with closing(EmbeddedLog(database_url, silent_seconds_max=0.3)) as log:
        log.ensure_topic(T, 1)
        silent = log.consumer("g", "silent", subject.positions)
        silent.poll(1, BYTES_MAX, 0)
        assert len(silent.assignment()) == 1
        time.sleep(1)
        with closing(log.consumer("g", "other", subject.positions)) as other:
            other.poll(1, BYTES_MAX, 0)
            assert len(other.assignment()) == 1
        with pytest.raises(LogUnavailable):
            silent.poll(1, BYTES_MAX, 0)
        silent.close()


# Sharing -------------------------------------------------------------------------------------------------------------


def test_shares_differ_by_one_partition_at_most_and_spread_every_topic(subject: Subject):
    topics = {"exchange.a", "exchange.b", "exchange.c", "exchange.d"}
    for topic in topics:
        subject.log.ensure_topic(topic, 2)
    members = [subject.join(member=f"m{number}") for number in range(3)]
    assert sorted(share(members)) == [2, 3, 3]
    members.pop().close()
    assert share(members) == [4, 4]
    for member in members:
        assert {place.topic for place in member.assignment()} == topics
        member.close()


def test_a_lock_decides_where_two_members_saw_a_partition_free(database_url: str, monkeypatch: pytest.MonkeyPatch):
    with (
        closing(connect(database_url, "one", autocommit=True)) as first,
        closing(connect(database_url, "two", autocommit=True)) as second,
    ):
        one, two = PartitionLocks(first, 1), PartitionLocks(second, 1)
        for locks, conn in ((one, first), (two, second)):
            # Each believes to be alone, as in the moment before the other's locks are seen.
            monkeypatch.setattr(locks, "_locked", lambda pid=conn.info.backend_pid: [(0, pid)])
        assert one.share([1, 2, 3]).taken == {1, 2, 3}
        assert two.share([1, 2, 3]).taken == frozenset()
        one.leave()
        assert two.share([1, 2, 3]).taken == {1, 2, 3}


# Figures -------------------------------------------------------------------------------------------------------------


def test_lag_and_pressure_go_by_bytes_without_counting_messages(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for size in (100, 1000, 10_000):
        subject.log.append(T, "k", {"n": b"v"}, bytes(size))
    (lag,) = subject.log.lag("g")
    assert (lag.position, lag.next_offset, lag.messages, lag.unread_bytes) == (0, 3, 3, 11_100 + 3 * 3)
    with closing(subject.join()) as consumer:
        subject.read_up_to(consumer, T, 2)
    (lag,) = subject.log.lag("g")
    assert (lag.position, lag.messages, lag.unread_bytes) == (2, 1, 10_003)


def test_a_sweep_removes_in_bounded_steps(subject: Subject, admin: Connection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded_log_retention, "STEP_MESSAGES_MAX", 4)
    admin.execute("CREATE TABLE step (messages bigint)")
    admin.execute(
        "CREATE FUNCTION note_step() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO step SELECT count(*) FROM gone; RETURN NULL; END'"
    )
    admin.execute(
        "CREATE TRIGGER note AFTER DELETE ON log_message REFERENCING OLD TABLE AS gone"
        " FOR EACH STATEMENT EXECUTE FUNCTION note_step()"
    )
    subject.log.ensure_topic(T, 1)
    for _ in range(10):
        subject.put(T, "k")
    with closing(subject.join()) as consumer:
        subject.read_all(consumer)
    assert subject.log.sweep(datetime.now(UTC) + LATER) == 10
    assert admin.execute("SELECT messages FROM step").fetchall() == [(4,), (4,), (2,)]
    assert admin.execute("SELECT first_offset, next_offset FROM log_partition").fetchone() == (10, 10)
    assert subject.put(T, "k").offset == 10


def test_two_sweeps_at_once_do_not_count_a_message_twice(subject: Subject):
    subject.log.ensure_topic(T, 1)
    for _ in range(200):
        subject.put(T, "k")
    with closing(subject.join()) as consumer:
        subject.read_all(consumer)
    swept: list[int] = []
    threads = [
        threading.Thread(target=lambda: swept.append(subject.log.sweep(datetime.now(UTC) + LATER))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(swept) == 200


def test_what_a_broken_off_removal_left_is_swept(subject: Subject, admin: Connection):
    subject.log.ensure_topic(T, 1)
    for _ in range(5):
        subject.put(T, "k")
    embedded_log._close_topic(admin, T)
    assert subject.log.sweep(datetime.now(UTC) - LATER) == 5
    assert admin.execute("SELECT count(*) FROM log_message").fetchone() == (0,)


def test_retention_runs_while_workers_do(subject: Subject, admin: Connection):
    subject.log.ensure_topic(T, 1)
    subject.put(T, "k")
    with closing(subject.join()) as consumer:
        subject.read_all(consumer)
    with sweeping(subject.log, -LATER, lambda: datetime.now(UTC), every_seconds=0.02):
        until(lambda: admin.execute("SELECT count(*) FROM log_message").fetchone() == (0,))


# The server ----------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(LogUnavailable):
        EmbeddedLog("postgresql://hub@127.0.0.1:1/hub", wait_seconds_max=0.2)


@pytest.mark.slow
def test_a_restart_of_the_server_loses_nothing(watched_folder: Callable[[], AbstractContextManager[Path]]):
    with watched_folder() as folder, Cluster(folder / "own", memory_mb=128, durable=False) as cluster:
        migrate(cluster.url())
        with embedded(cluster.url()) as subject:
            subject.log.ensure_topic(T, 1)
            sent = {f"{number}".encode() for number in range(20)}
            for value in sent:
                subject.put(T, "k", value)
            consumer = subject.join()
            assert consumer.poll(1, BYTES_MAX, 5)
            cluster.stop()
            with pytest.raises(LogUnavailable):
                subject.log.append(T, "k", {}, b"while it is down")
            with pytest.raises(LogUnavailable):
                consumer.poll(1, BYTES_MAX, 1)
            with suppress(LogUnavailable):
                consumer.close()
            assert cluster.ensure_running()
            until(lambda: _appends(subject, b"after"))
            with closing(connect(cluster.url(), "count")) as conn:
                count = conn.execute("SELECT count(*), count(DISTINCT log_offset) FROM log_message").fetchone()
    assert count == (21, 21)


def _appends(subject: Subject, value: bytes) -> bool:
    try:
        return subject.log.append(T, "k", {}, value).offset == 20
    except LogUnavailable:
        return False
