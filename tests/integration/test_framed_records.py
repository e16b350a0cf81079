"""Single records on their way to the store: receipts by run, deletions, what is damaged, whose they are."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from contract_maker import simple_contract_source
from exchange_maker import DATASET, ORGANIZATION, SCHEMA, TOPIC, Batch, Exchange, exchange_in, opened_log, row
from hostile_log import HostileLog
from log_subjects import PositionsOfStore
from running_stack import logs

from catalog import key_store
from catalog.store import find_dataset
from hub.errors import LogUnavailable, OutcomeUnknown
from hub.exchange.log import Log, Message
from hub.exchange.position import reset
from hub.exchange.registry_store import contract_of, register_contract, register_dataset
from hub.exchange.subject_store import SubjectVersion, add_version
from hub.exchange.worker import GROUP
from hub.ledger.leaf_store import last_leaves
from schemas.batch import Limits, walk
from schemas.frame import encode
from schemas.subject_schema import Part, own_schema, read_subject_schema

PLAIN = {
    "type": "record",
    "name": "Other",
    "fields": [{"name": "code", "type": "string"}, {"name": "value", "type": "long"}],
}
UNREADABLE = b"\xff" * 12


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    with exchange_in(database_url) as made:
        yield made


def registered(exchange: Exchange, schema: Any = None, part: Part = "value") -> SubjectVersion:
    dataset = find_dataset(exchange.conn, DATASET)
    assert dataset is not None
    wanted = own_schema(exchange.contract, part) if schema is None else read_subject_schema(json.dumps(schema))
    with exchange.conn.transaction():
        return add_version(exchange.conn, dataset, part, wanted, "test")


def framed(id_: int, body: bytes) -> bytes:
    return b"\x00" + id_.to_bytes(4, "big") + body


def frames_of(exchange: Exchange, rows: Sequence[dict[str, object]]) -> list[bytes]:
    id_ = registered(exchange).id
    frame = pl.DataFrame(list(rows), schema=SCHEMA)
    return [framed(id_, walk(encode(exchange.contract, one, "upsert"), Limits()).data) for one in frame.iter_slices(1)]


def send(log: Log, values: Sequence[bytes], key: str = "k") -> None:
    """One after the other; a single record whose outcome is unknown is sent again, as Kafka's producers do."""
    for value in values:
        while True:
            try:
                log.append(TOPIC, key, {}, value)
            except (OutcomeUnknown, LogUnavailable):
                continue
            break


def receipts_of(exchange: Exchange) -> list[tuple[Any, ...]]:
    return exchange.conn.execute(
        "SELECT status, operation, received, rejected, log_offset, log_offset_last FROM receipt ORDER BY id"
    ).fetchall()


def stored(exchange: Exchange) -> list[tuple[str, int]]:
    return exchange.conn.execute(
        'SELECT code, value FROM data."420000_simple" WHERE NOT _deleted ORDER BY code'
    ).fetchall()


def test_a_run_has_one_receipt_and_one_leaf_named_by_its_place(exchange: Exchange):
    values = frames_of(exchange, [row(f"k{number}", number, 1) for number in range(20)])
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        send(log, values)
        exchange.run(log)
    assert receipts_of(exchange) == [("accepted", "upsert", 20, 0, 0, 19)]
    assert stored(exchange) == sorted((f"k{number}", number) for number in range(20))
    leaf = json.loads(last_leaves(exchange.conn, 1)[0])
    assert (leaf["action"], leaf["trace_id"], leaf["rows"]) == ("receipt.given", f"{TOPIC}/0/0-19", 20)
    assert leaf["actor"] == f"organization:{ORGANIZATION}"


@pytest.mark.parametrize("kind", logs("hostile-1", "hostile-2", "hostile-3"))
def test_whatever_is_cut_off_and_comes_again_each_record_counts_once(exchange: Exchange, kind: str):
    values = frames_of(exchange, [row(f"k{number % 40}", number, number) for number in range(200)])
    batches = [exchange.batch([row(f"b{number}", number, 1)]) for number in range(5)]
    with opened_log(kind, exchange.url) as log:
        log.ensure_topic(TOPIC, 2)
        for number, batch in enumerate(batches):
            send(log, values[number * 40 : number * 40 + 40], key=f"{number}")
            append(batch, log)
        exchange.run(log, workers=2)
    found = dict(stored(exchange))
    assert found == {f"k{number}": number + 160 for number in range(40)} | {f"b{number}": number for number in range(5)}
    received = exchange.conn.execute("SELECT sum(received), sum(rejected) FROM receipt").fetchone()
    assert received is not None
    assert received[0] >= 205
    assert received[1] == 0
    assert exchange.refusals() == []


def append(batch: Batch, log: Log) -> None:
    while True:
        try:
            batch.append(log)
        except (OutcomeUnknown, LogUnavailable):
            continue
        return


def test_read_again_from_the_beginning_in_other_runs_nothing_changes(exchange: Exchange):
    values = frames_of(exchange, [row(f"k{number}", number, 1) for number in range(20)])
    with opened_log("embedded", exchange.url) as log:
        incarnation = log.ensure_topic(TOPIC, 1).incarnation
        send(log, values[:7])
        exchange.run(log)
        send(log, values[7:])
        exchange.run(log)
        before = (exchange.digest(), stored(exchange))
        with exchange.conn.transaction():
            reset(exchange.conn, log.name, TOPIC, incarnation, 0, GROUP, 0)
        exchange.run(log)
    assert (exchange.digest(), stored(exchange)) == before
    assert [one[2:] for one in receipts_of(exchange)] == [(7, 0, 0, 6), (13, 0, 7, 19), (20, 0, 0, 19)]
    unchanged = exchange.conn.execute("SELECT accepted_unchanged FROM receipt ORDER BY id DESC LIMIT 1").fetchone()
    assert unchanged == (20,)


def test_a_damaged_record_waits_in_quarantine_and_costs_no_other(exchange: Exchange):
    values = frames_of(exchange, [row(f"k{number}", number, 1) for number in range(5)])
    values[1] = framed(int.from_bytes(values[1][1:5], "big"), UNREADABLE)
    values[3] = values[3] + b"\x00"
    values.append(frames_of(exchange, [row("bad", -1, 1)])[0])
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        send(log, values)
        exchange.run(log)
    assert receipts_of(exchange) == [("partial", "upsert", 6, 3, 0, 5)]
    assert [code for code, _ in stored(exchange)] == ["k0", "k2", "k4"]
    waiting = exchange.conn.execute(
        "SELECT position, key, reasons -> 0 ->> 'code', version_row FROM quarantine ORDER BY position"
    ).fetchall()
    assert [(position, key, code) for position, key, code, _ in waiting] == [
        (1, None, "record_damaged"),
        (3, None, "record_damaged"),
        (5, "bad", "range"),
    ]


def test_a_writers_own_schema_is_read_by_its_id(exchange: Exchange):
    id_ = registered(exchange, PLAIN).id
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        send(log, [framed(id_, b"\x02a\x02"), framed(id_, b"\x02b\x04")])
        exchange.run(log)
    # The contract's version field is not in that schema, so each is told what it lacks.
    assert [one[:4] for one in receipts_of(exchange)] == [("partial", "upsert", 2, 2)]


def test_a_contract_of_a_later_version_reads_what_was_written_under_an_earlier_one(exchange: Exchange):
    values = frames_of(exchange, [row("a", 1, 1)])
    later = json.loads(simple_contract_source())
    later["hub"]["version"] = 2
    later["fields"].append(
        {
            **later["fields"][-1],
            "name": "extra",
            "type": ["null", "string"],
            "hub": {**later["fields"][1]["hub"], "checks": []},
        }
    )
    with exchange.conn.transaction():
        register_contract(exchange.conn, json.dumps(later))
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        send(log, values)
        exchange.run(log)
    assert exchange.conn.execute("SELECT status, contract FROM receipt").fetchall() == [("accepted", 1)]


# Deletions -----------------------------------------------------------------------------------------------------------


class _OneByOne:
    """A log of messages that other tools wrote, which the port's own append could not."""

    def __init__(self, exchange: Exchange) -> None:
        self.log = HostileLog(1, PositionsOfStore(exchange.conn), hostility=0)
        self.log.ensure_topic(TOPIC, 1)

    def put(self, key: bytes, value: bytes | None, topic: str = TOPIC, at: datetime | None = None) -> None:
        partition = self.log._topics[topic][0]
        place, offset = partition.assigned, partition.next_offset
        text = key.decode("utf-8", "surrogateescape")
        partition.messages.append(
            Message(place.topic, place.incarnation, 0, offset, text, {}, value, at or datetime.now(UTC))
        )


def test_a_message_without_a_value_deletes_the_record_of_its_key(exchange: Exchange):
    one = _OneByOne(exchange)
    key = registered(exchange, None, "key").id
    plain = registered(exchange, "string", "key").id
    for value in frames_of(exchange, [row(code, 1, 1) for code in "abcd"]):
        one.put(b"", value)
    one.put(framed(key, b"\x02\x02a"), None)
    one.put(framed(plain, b"\x02b"), None)
    one.put(b"c", None)  # says nothing that can be relied on
    one.put(framed(key, UNREADABLE), None)
    exchange.run(one.log)
    assert stored(exchange) == [("c", 1), ("d", 1)]
    assert [found[:4] for found in receipts_of(exchange)] == [
        ("accepted", "upsert", 4, 0),
        ("accepted", "delete", 1, 0),
        ("accepted", "delete", 1, 0),
        ("refused", "delete", 1, 1),
        ("partial", "delete", 1, 1),
    ]
    refusals = exchange.conn.execute("SELECT refusal ->> 'code' FROM receipt WHERE status = 'refused'").fetchall()
    assert refusals == [("framed_key_missing",)]


# Whose they are ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_taken_is_refused_with_a_receipt_of_the_owners(exchange: Exchange):
    one = _OneByOne(exchange)
    one.put(b"\x00\xff personal", framed(4711, b"x"))
    one.put(b"", framed(4711, b"x"))
    one.put(b"", framed(registered(exchange, None, "key").id, b"\x02\x02a"))  # a key's schema is no value's
    one.put(b"", framed(registered(exchange).id, b""))
    one.put(b"\x00 personal", b"neither framed nor a batch")
    exchange.run(one.log)
    assert [found[0] for found in receipts_of(exchange)] == ["refused"] * 3
    found = exchange.conn.execute("SELECT organization, refusal ->> 'code' FROM receipt ORDER BY id").fetchall()
    assert found == [
        (ORGANIZATION, "framed_schema_unknown"),
        (ORGANIZATION, "framed_schema_unknown"),
        (ORGANIZATION, "framed_record_empty"),
    ]
    assert exchange.refusals() == ["envelope_missing"]
    kept = exchange.conn.execute("SELECT message_key FROM refused_message").fetchall()
    assert kept == [("",)]  # a key that others wrote may be a person's


def test_a_topic_of_no_dataset_is_refused_and_the_worker_goes_on(exchange: Exchange):
    one = _OneByOne(exchange)
    one.log.ensure_topic("exchange.420000.nothing", 1)
    for _ in range(3):
        one.put(b"", framed(1, b"x"), "exchange.420000.nothing")
    one.put(b"", frames_of(exchange, [row("a", 1, 1)])[0])
    exchange.run(one.log)
    assert stored(exchange) == [("a", 1)]
    found = exchange.conn.execute(
        "SELECT log_offset, log_offset_last, refusal ->> 'code' FROM refused_message"
    ).fetchall()
    assert found == [(0, 2, "dataset_unknown")]


def test_where_an_organization_must_sign_its_single_records_are_refused(exchange: Exchange):
    with exchange.conn.transaction():
        key_store.set_signature_required(exchange.conn, ORGANIZATION, required=True)
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic(TOPIC, 1)
        send(log, frames_of(exchange, [row("a", 1, 1)]))
        exchange.run(log)
    assert exchange.conn.execute("SELECT status, refusal ->> 'code' FROM receipt").fetchall() == [
        ("refused", "signature_missing")
    ]
    assert stored(exchange) == []


def test_without_a_version_field_the_later_message_counts(exchange: Exchange):
    source = json.loads(simple_contract_source(name="unversioned"))
    del source["hub"]["version_field"]
    dataset, topic = "420000.unversioned", "exchange.420000.unversioned"
    with exchange.conn.transaction():
        register_contract(exchange.conn, json.dumps(source))
        made, _ = register_dataset(exchange.conn, dataset, "unversioned", ORGANIZATION)
        contract = contract_of(exchange.conn, made)
        value = add_version(exchange.conn, made, "value", own_schema(contract, "value"), "test").id
        key = add_version(exchange.conn, made, "key", own_schema(contract, "key"), "test").id
    now = datetime.now(UTC) - timedelta(minutes=1)
    one = _OneByOne(exchange)
    one.log.ensure_topic(topic, 1)
    said = [("a", 1, 0), ("a", 2, 1), ("b", 1, 2), ("a", 3, 2), ("b", 2, 2)]  # the last three in one millisecond
    for code, number, at in said:
        frame = pl.DataFrame([{**row(code, number, 1)}], schema=SCHEMA)
        body = walk(encode(contract, frame, "upsert"), Limits()).data
        one.put(b"", framed(value, body), topic, now + timedelta(milliseconds=at))
    exchange.run(one.log)
    found = exchange.conn.execute('SELECT code, value FROM data."420000_unversioned" ORDER BY code').fetchall()
    assert found == [("a", 3), ("b", 2)]
    # A deletion is as old as its message: what came before it is gone, what comes after it stays.
    one.put(framed(key, b"\x02\x02a"), None, topic, now + timedelta(milliseconds=3))
    one.put(framed(key, b"\x02\x02b"), None, topic, now + timedelta(milliseconds=1))
    exchange.run(one.log)
    left = exchange.conn.execute('SELECT code FROM data."420000_unversioned" WHERE NOT _deleted').fetchall()
    assert left == [("b",)]
