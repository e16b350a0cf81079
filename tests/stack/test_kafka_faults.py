"""Faults of the real broker: killed, silent, its members killed. One after the other: they share the broker."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
import running_stack
from log_appending import SECONDS_MAX, appending, read_on, take_all
from log_subjects import BYTES_MAX, PositionsOfStore, Subject, kafka, put, values
from running_door import running

from hub.errors import LogUnavailable, OutcomeUnknown
from hub.exchange.kafka_log import KafkaLog
from hub.exchange.kafka_log_cluster import KafkaOptions
from hub.exchange.log import Consumer
from hub.store.connect import connect

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

T = "exchange.420000.simple"
# A member of a group, to be killed: it says when it reads and then only polls.
MEMBER = """import sys
from hub.exchange.kafka_log import KafkaLog
from hub.exchange.kafka_log_cluster import KafkaOptions

class Zero:
    def position(self, *_):
        return 0

log = KafkaLog(KafkaOptions(sys.argv[1], prefix=sys.argv[2]), sys.argv[3])
consumer = log.consumer("g", "victim", Zero())
told = False
while True:
    consumer.poll(1, 1, 0.1)
    if len(consumer.assignment()) >= 1 and not told:
        told = True
        print("reads", flush=True)
"""


@pytest.fixture
def subject(database_url: str) -> Iterator[Subject]:
    with kafka(running_stack.kafka_servers(), database_url) as one:
        yield one


@pytest.fixture(autouse=True)
def _stack_afterwards() -> Iterator[None]:
    """Whatever a test did to the stack, the next one finds it running."""
    yield
    running_stack.revive()
    gc.collect()  # kafka-python leaves the sockets of refused connections to the garbage collector, which warns of each


def test_a_broker_that_is_killed_loses_nothing_that_was_acknowledged(subject: Subject):
    subject.log.ensure_topic(T, 2)
    with appending(subject, T) as acknowledged:
        time.sleep(1)
        running_stack.process().kill()
        before = len(acknowledged)
        running_stack.revive()
        deadline = time.monotonic() + SECONDS_MAX
        while len(acknowledged) < before + 20:
            assert time.monotonic() < deadline, "nothing is appended after the broker came back"
            time.sleep(0.1)
    taken = take_all(subject, set(acknowledged))
    assert len({(one.partition, one.offset) for one in taken}) == len(taken)


def test_who_was_reading_when_the_broker_was_killed_reads_on(subject: Subject):
    def restart(consumer: Consumer) -> None:
        running_stack.process().kill()
        with contextlib.suppress(LogUnavailable):
            assert consumer.poll(10, BYTES_MAX, 0.5) == []
        running_stack.revive()

    read_on(subject, T, restart, SECONDS_MAX)


def test_an_append_that_the_broker_does_not_answer_may_be_there(database_url: str):
    options = KafkaOptions(running_stack.kafka_servers(), prefix=f"test-{uuid4().hex[:12]}.", wait_seconds_max=2)
    with (
        contextlib.closing(KafkaLog(options, database_url)) as log,
        contextlib.closing(connect(database_url, "test", autocommit=True)) as conn,
    ):
        log.ensure_topic(T, 1)
        put(log, T, "k", b"first")
        broker = running_stack.process()
        broker.suspend()
        try:
            began = time.monotonic()
            with pytest.raises(OutcomeUnknown):
                log.append(T, "k", {}, b"second")
            with pytest.raises((OutcomeUnknown, LogUnavailable)):
                log.append(T, "k", {}, b"third")
            assert time.monotonic() - began < 30
        finally:
            broker.resume()
        put(log, T, "k", b"fourth")
        subject = Subject(log, PositionsOfStore(conn), lambda _: log)
        taken = values(take_all(subject, {b"first", b"fourth"}))
        assert [one for one in taken if one in {b"first", b"fourth"}] == [b"first", b"fourth"]
        log.delete_topic(T)


def test_where_no_broker_answers_it_is_said_in_time_and_nothing_is_appended(database_url: str):
    options = KafkaOptions("127.0.0.1:1", wait_seconds_max=1)
    with contextlib.closing(KafkaLog(options, database_url)) as log:
        for ask in (
            lambda: log.append(T, "k", {}, b"v"),
            log.topics,
            lambda: log.ensure_topic(T, 1),
            lambda: log.lag("g"),
            lambda: log.sweep(datetime.now(UTC)),
        ):
            began = time.monotonic()
            with pytest.raises(LogUnavailable):
                ask()
            assert time.monotonic() - began < 10


def test_a_door_whose_log_is_away_lives_but_is_not_ready(database_url: str):
    with (
        running(database_url, log="kafka", kafka_servers="127.0.0.1:1") as door,
        httpx.Client(base_url=door.url) as client,
    ):
        assert client.get("/v1/health/live").status_code == 200
        answer = client.get("/v1/health/ready", timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable")
        assert "retry-after" in answer.headers


def test_the_partitions_of_a_member_that_is_killed_go_to_the_others(subject: Subject, database_url: str):
    subject.log.ensure_topic(T, 2)
    prefix = subject.log._cluster.wire("")  # pyright: ignore[reportAttributeAccessIssue] - the log is Kafka's here
    command = [sys.executable, "-c", MEMBER, running_stack.kafka_servers(), prefix, database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "reads\n"
        with contextlib.closing(subject.join(member="heir")) as heir:
            deadline = time.monotonic() + SECONDS_MAX
            while len(heir.assignment()) != 1:
                assert time.monotonic() < deadline
                heir.poll(1, BYTES_MAX, 0.1)
            os.kill(victim.pid, signal.SIGKILL)
            while len(heir.assignment()) != 2:
                assert time.monotonic() < deadline
                heir.poll(1, BYTES_MAX, 0.1)
