"""A cluster of three brokers whose leaders die: nothing that was acknowledged is lost, and nothing waits for the dead.

Against a stack of three brokers, as ``make nightly`` starts one.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
import pytest
import running_stack
from kafka import KafkaAdminClient
from log_appending import appending, read_on, take_all
from log_subjects import Subject, kafka
from running_door import OURS, populate, running

from hub.exchange.log import Consumer
from hub.store.connect import connect
from schemas.batch import uuid7

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

T = "exchange.420000.simple"
COPIES = 3
ON_WITHIN_SECONDS = 30.0
BATCHES = 40


@pytest.fixture(autouse=True)
def _stack_afterwards() -> Iterator[None]:
    """Whatever a test did to the brokers, the next one finds three that are in step."""
    yield
    running_stack.revive()
    time.sleep(10)  # the copies catch up; a broker that is behind may not lead


@pytest.fixture
def subject(database_url: str) -> Iterator[Subject]:
    with kafka(running_stack.kafka_servers(), database_url, COPIES) as one:
        yield one


def leader_of(topic: str, partition: int = 0) -> str:
    """The broker that leads a partition, as the stack calls its process."""
    client = KafkaAdminClient(bootstrap_servers=running_stack.kafka_servers().split(","))
    try:
        [described] = client.describe_topics([topic])
        return (
            f"kafka-{next(one['leader_id'] for one in described['partitions'] if one['partition_index'] == partition)}"
        )
    finally:
        client.close()


def wire_name(subject: Subject) -> str:
    return subject.log._cluster.wire(T)  # pyright: ignore[reportAttributeAccessIssue] - the log is Kafka's here


def test_appending_goes_on_with_another_leader_and_nothing_acknowledged_is_lost(subject: Subject):
    subject.log.ensure_topic(T, 2)
    with appending(subject, T) as acknowledged:
        time.sleep(1)
        dead = leader_of(wire_name(subject))
        running_stack.process(dead).kill()
        killed, before = time.monotonic(), len(acknowledged)
        while len(acknowledged) < before + 50:
            assert time.monotonic() - killed < ON_WITHIN_SECONDS, "nothing is appended without the old leader"
            time.sleep(0.05)
        assert leader_of(wire_name(subject)) != dead
    assert len(set(acknowledged)) == len(acknowledged)
    taken = take_all(subject, set(acknowledged))  # while the old leader is still dead
    assert len({(one.partition, one.offset) for one in taken}) == len(taken)


def test_a_leader_that_falls_silent_is_replaced_and_what_it_wakes_to_changes_nothing(subject: Subject):
    subject.log.ensure_topic(T, 1)
    with appending(subject, T) as acknowledged:
        time.sleep(1)
        silent = running_stack.process(leader_of(wire_name(subject)))
        silent.suspend()
        try:
            stopped, before = time.monotonic(), len(acknowledged)
            while len(acknowledged) < before + 50:
                assert time.monotonic() - stopped < 2 * ON_WITHIN_SECONDS, "nothing is appended past a silent leader"
                time.sleep(0.05)
        finally:
            silent.resume()
        time.sleep(5)
    taken = take_all(subject, set(acknowledged))
    assert len({(one.partition, one.offset) for one in taken}) == len(taken)


def test_who_was_reading_reads_on_from_the_next_leader(subject: Subject):
    def kill_leader(_consumer: Consumer) -> None:
        running_stack.process(leader_of(wire_name(subject))).kill()

    read_on(subject, T, kill_leader, ON_WITHIN_SECONDS)


def test_batches_pushed_while_leaders_die_one_after_the_other_are_each_stored_once(database_url: str):
    """A department pushes; each answer that is no 2xx is sent again under the same batch id, as a connector does."""
    with running(database_url, kafka_replication=COPIES) as door:
        populate(door)
        topic = f"{door.settings.kafka_prefix}exchange.{OURS}"
        pushed = threading.Event()

        def push(number: int) -> str:
            row = {"code": "420000", "name": f"湖北省 {number}", "parent_code": None, "level": 1}
            key, deadline = str(uuid7(datetime.now(UTC))), time.monotonic() + 120
            with door.client() as client:
                while time.monotonic() < deadline:
                    with contextlib.suppress(httpx.TransportError):
                        answer = client.post(
                            f"/v1/exchange/{OURS}/batches",
                            json=[row],
                            headers={"prefer": "wait=10", "idempotency-key": key},
                        )
                        if answer.status_code == HTTPStatus.OK:
                            return key
                        assert answer.status_code in {202, 503}, answer.text
                    time.sleep(0.5)
            raise AssertionError(f"batch {number} was never stored")

        def kill_leaders() -> None:
            for _ in range(2):
                running_stack.process(leader_of(topic)).kill()
                pushed.wait(15)
                running_stack.revive()
                pushed.wait(10)

        with door.worker(), ThreadPoolExecutor(4) as pool:
            dying = threading.Thread(target=kill_leaders)
            dying.start()
            batches = list(pool.map(push, range(BATCHES)))
            pushed.set()
            dying.join(120)
    with connect(database_url, "test") as conn:
        receipts = conn.execute("SELECT batch::text FROM receipt").fetchall()
    assert sorted(str(row[0]) for row in receipts) == sorted(batches)
    assert len(set(batches)) == BATCHES
