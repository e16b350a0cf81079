"""The worker: whatever log it reads and whatever is killed, every acknowledged batch takes effect once."""

import random
import threading
import time
from collections.abc import Iterator

import pytest
from exchange_maker import ORGANIZATION, TOPIC, Exchange, exchange_in, history, opened_log, row, send
from log_subjects import put
from psycopg import sql
from running_stack import logs

from hub.errors import PositionLost
from hub.exchange.position import reset
from hub.exchange.worker import GROUP
from hub.main_processes import run_worker
from hub.settings import Settings
from schemas.batch import sm3_hex
from schemas.envelope import HEADER

LOGS = logs("embedded", "hostile-1", "hostile-2", "hostile-3")


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    with exchange_in(database_url) as made:
        yield made


@pytest.mark.parametrize("kind", LOGS)
def test_every_acknowledged_batch_is_stored_exactly_once(exchange: Exchange, kind: str):
    batches = [exchange.batch([row(f"k{number}-{n}", n, 1) for n in range(20)]) for number in range(30)]
    with opened_log(kind, exchange.url) as log:
        log.ensure_topic(TOPIC, 4)
        send(log, batches)
        exchange.run(log, workers=2)
    assert exchange.receipts() == {str(batch.envelope.batch): ("accepted", None) for batch in batches}
    counted = exchange.conn.execute("SELECT records, batches, received, rejected FROM dataset_statistics").fetchone()
    assert counted == (600, 30, 600, 0)
    assert exchange.conn.execute('SELECT count(*) FROM data."420000_simple"').fetchone() == (600,)
    assert exchange.refusals() == []


@pytest.mark.parametrize("kind", LOGS)
def test_a_batch_that_comes_many_times_has_one_receipt(exchange: Exchange, kind: str):
    batch = exchange.batch([row("a", 1, 1), row("b", -1, 1)])
    with opened_log(kind, exchange.url) as log:
        log.ensure_topic(TOPIC, 2)
        send(log, [batch] * 12)
        exchange.run(log)
    assert exchange.receipts() == {str(batch.envelope.batch): ("partial", None)}
    assert exchange.conn.execute("SELECT count(*) FROM quarantine").fetchone() == (1,)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_one_history_shuffled_over_1_2_and_8_partitions_ends_in_the_same_content(exchange: Exchange, seed: int):
    batches = history(exchange, seed)
    rng = random.Random(seed)
    outcomes: dict[str, str] = {}
    for kind, partitions, workers in (
        ("embedded", 1, 1),
        ("embedded", 2, 2),
        ("embedded", 8, 3),
        (f"hostile-{seed}", 8, 2),
    ):
        exchange.forget()
        with opened_log(kind, exchange.url) as log:
            log.ensure_topic(TOPIC, partitions)
            send(log, rng.sample(batches, len(batches)))
            exchange.run(log, workers)
            log.delete_topic(TOPIC)
        outcomes[f"{kind} {partitions}"] = exchange.digest()
    assert len(set(outcomes.values())) == 1, outcomes


def test_what_a_zombie_did_is_rolled_back(exchange: Exchange):
    batches = [exchange.batch([row(code, number, 1)]) for number, code in enumerate("abcd")]
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        send(log, batches[:1])
        with exchange.worker(log, "zombie") as zombie:
            while not zombie.turn(1):
                pass
            send(log, batches[1:])
            held = zombie._consumer.poll(10, 2**24, 5)
            assert [message.offset for message in held] == [1, 2, 3]
            zombie._consumer.close()
            with exchange.worker(log, "heir") as heir:
                first = heir._consumer.poll(1, 2**24, 5)
                assert heir._work_off(first) == 1
                before = (exchange.receipts(), exchange.digest())
                with pytest.raises(PositionLost):
                    zombie._work_off(held)
                assert (exchange.receipts(), exchange.digest()) == before
                assert len(before[0]) == 2
                while len(exchange.receipts()) < 4:
                    heir.turn(1)
    assert exchange.conn.execute("SELECT next_offset FROM log_position").fetchone() == (4,)


def test_a_worker_that_lost_its_position_goes_on_from_the_stored_one(exchange: Exchange):
    batches = [exchange.batch([row(code, number, 1)]) for number, code in enumerate("abcd")]
    with opened_log("embedded", exchange.url) as log:
        incarnation = log.ensure_topic(TOPIC, 1).incarnation
        send(log, batches[:2])
        with exchange.worker(log) as worker:
            while len(exchange.receipts()) < 2:
                worker.turn(1)
            with exchange.conn.transaction():
                exchange.conn.execute('TRUNCATE receipt, data."420000_simple" CASCADE')
                reset(exchange.conn, log.name, TOPIC, incarnation, 0, GROUP, 0)
            send(log, batches[2:])
            assert worker.turn(1) == 0, "it met a position that was moved"
            while len(exchange.receipts()) < 4:
                worker.turn(1)
    assert exchange.conn.execute('SELECT count(*) FROM data."420000_simple"').fetchone() == (4,)


def test_an_idle_worker_reads_again_what_a_position_was_put_back_for(exchange: Exchange):
    batches = [exchange.batch([row(code, number, 1)]) for number, code in enumerate("abc")]
    with opened_log("embedded", exchange.url) as log:
        incarnation = log.ensure_topic(TOPIC, 1).incarnation
        send(log, batches)
        with exchange.worker(log) as worker:
            while len(exchange.receipts()) < 3:
                worker.turn(1)
            with exchange.conn.transaction():
                exchange.conn.execute('TRUNCATE receipt, data."420000_simple" CASCADE')
                reset(exchange.conn, log.name, TOPIC, incarnation, 0, GROUP, 1)
            deadline = time.monotonic() + 10
            while len(exchange.receipts()) < 2 and time.monotonic() < deadline:
                worker.turn(0.2)
    assert exchange.conn.execute('SELECT code FROM data."420000_simple" ORDER BY code').fetchall() == [("b",), ("c",)]


@pytest.mark.parametrize("kind", logs("embedded", "hostile-4"))
def test_what_cannot_be_taken_is_refused_and_the_partition_goes_on(exchange: Exchange, kind: str):
    good = exchange.batch([row("a", 1, 1)])
    undecodable = b"Obj\x01 and nothing that follows"
    refused = {
        "container": exchange.batch([row("b", 1, 1)]).changed(bytes=len(undecodable), sm3=sm3_hex(undecodable)),
        "digest": exchange.batch([row("c", 1, 1)]).changed(sm3="0" * 64),
        "records": exchange.batch([row("d", 1, 1)]).changed(records=7),
        "large": exchange.batch([row(f"e{n}", 1, 1) for n in range(60_000)]),
        "hub": exchange.batch([row("f", 1, 1)]).changed(hub="430000"),
        "topic": exchange.batch([row("g", 1, 1)]).changed(dataset="420000.other"),
        "contract": exchange.batch([row("h", 1, 1)]).changed(contract=9),
        "organization": exchange.batch([row("i", 1, 1)]).changed(organization="nobody", sender="nobody"),
    }
    with opened_log(kind, exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        for name, one in refused.items():
            container = undecodable if name == "container" else one.container
            put(log, TOPIC, name, container, {HEADER: one.envelope.to_bytes()})
        put(log, TOPIC, "no envelope", b"v")
        put(log, TOPIC, "unreadable", b"v", {HEADER: b"{not json"})
        send(log, [good])
        exchange.run(log)
    receipts = exchange.receipts()
    assert receipts.pop(str(good.envelope.batch)) == ("accepted", None)
    with_receipt = {name for name, one in refused.items() if str(one.envelope.batch) in receipts}
    assert with_receipt == set(refused) - {"organization"}
    assert all(status == "refused" and code for status, code in receipts.values())
    assert set(exchange.refusals()) == {"dataset_not_yours", "envelope_missing", "envelope_unreadable"}
    assert exchange.conn.execute('SELECT code FROM data."420000_simple"').fetchall() == [("a",)]


def test_killed_sessions_cost_nothing(exchange: Exchange):
    """Every session of the worker is ended by the server, again and again, while it works."""
    batches = [exchange.batch([row(f"k{number}-{n}", n, 1) for n in range(20)]) for number in range(60)]
    stopping = threading.Event()
    settings = Settings(database_url=exchange.url)
    worker = threading.Thread(target=run_worker, args=(settings, lambda _: None, stopping.is_set))
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 2)
        worker.start()
        try:
            for name in ("hub worker", "hub worker reads", f"hub log {GROUP} %", "hub worker"):
                send(log, [batches.pop() for _ in range(15)])
                kill(exchange, name)
            exchange.wait_until_read(log)
        finally:
            stopping.set()
            worker.join(60)
    assert not worker.is_alive()
    assert {status for status, _ in exchange.receipts().values()} == {"accepted"}
    assert exchange.conn.execute("SELECT records, batches FROM dataset_statistics").fetchone() == (1200, 60)
    assert exchange.conn.execute("SELECT DISTINCT organization FROM receipt").fetchall() == [(ORGANIZATION,)]


def kill(exchange: Exchange, name: str) -> None:
    """End a session as soon as there is one of that name."""
    deadline = time.monotonic() + 30
    query = sql.SQL(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE %s"
    )
    while not exchange.conn.execute(query, [name]).fetchall():
        assert time.monotonic() < deadline
        time.sleep(0.05)
