"""Apply: whatever the order, the grouping and the repeats of batches, the content is the same."""

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
import pytest
from contract_maker import long_text, simple_contract_source
from exchange_maker import ERASURE_KEYS

from hub.exchange.apply.batch import Applied, Apply, Work
from hub.exchange.apply.ready import apply_ready
from hub.exchange.apply.target import Target
from hub.exchange.log import Message
from hub.exchange.prepare import prepare
from hub.exchange.quarantine import reasons_of
from hub.release.content import content_digest, read_as_of
from hub.store.tables import create_dataset_tables
from schemas.batch import Limits, sm3_hex
from schemas.contract import Contract, parse_contract
from schemas.envelope import Envelope, KeyList, Operation
from schemas.frame import encode

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
LIMITS = Limits()


@pytest.fixture
def contract() -> Contract:
    return parse_contract(simple_contract_source())


@pytest.fixture
def target(own_connection: psycopg.Connection, contract: Contract) -> Target:
    return _register(own_connection, contract, "420000.simple")


def _register(conn: psycopg.Connection, contract: Contract, dataset: str) -> Target:
    with conn.transaction():
        conn.execute(
            "INSERT INTO organization (id, name_zh, name_en, level, region) VALUES ('tong-ji', '统计局', 'Statistics',"
            " 'province', '420000') ON CONFLICT DO NOTHING"
        )
        conn.execute(
            "INSERT INTO contract_version (name, version, base, source, sm3, compatibility)"
            " VALUES (%s, %s, %s, %s, '', 'backward') ON CONFLICT DO NOTHING",
            [contract.name, contract.version, contract.base, contract.source],
        )
        table = create_dataset_tables(conn, dataset, contract)
        conn.execute(
            "INSERT INTO dataset (id, contract, contract_version, organization, title_zh, title_en, base, table_name)"
            " VALUES (%s, %s, %s, 'tong-ji', '试', 'Test', %s, %s)",
            [dataset, contract.name, contract.version, contract.base, table],
        )
        conn.execute("INSERT INTO dataset_statistics (dataset) VALUES (%s)", [dataset])
    return Target(dataset, contract)


class Sender:
    """Makes batches of one dataset and applies them as the worker does."""

    def __init__(self, conn: psycopg.Connection, target: Target) -> None:
        self.conn = conn
        self.target = target
        self.apply = Apply(conn, close_share_max=0.05, erasure_key=ERASURE_KEYS.commitment_key)
        self.offset = 0

    def work(
        self,
        rows: Sequence[dict[str, object]],
        *,
        operation: Operation = "upsert",
        batch: uuid.UUID | None = None,
        cut_at: datetime = NOW,
        run: uuid.UUID | None = None,
        keys: KeyList | None = None,
    ) -> Work:
        contract = self.target.contract
        schema = {"code": pl.String, "value": pl.Int64, "note": pl.String, "at": pl.Datetime("us")}
        frame = pl.DataFrame(rows, schema=schema)
        container = encode(contract, frame, operation)
        envelope = Envelope(
            v=1,
            hub="420000",
            dataset=self.target.dataset,
            contract=contract.version,
            organization="tong-ji",
            sender="tong-ji",
            batch=str(batch or uuid.uuid4()),
            run=str(run or uuid.uuid4()),
            cut_at=cut_at,
            operation=operation,
            records=frame.height,
            first_row=0,
            bytes=len(container),
            sm3=sm3_hex(container),
            keys=keys,
        )
        self.offset += 1
        message = Message("exchange." + self.target.dataset, "i", 0, self.offset, envelope.batch, {}, container, NOW)
        return Work(message.span, envelope, self.target, prepare(contract, envelope, container, NOW, LIMITS))

    def take(self, *works: Work) -> list[Applied]:
        self.apply.prepare_staging([self.target])
        with self.conn.transaction():
            return self.apply.apply_group(works)

    def content(self) -> dict[str, tuple[object, ...]]:
        rows = self.conn.execute(
            'SELECT code, value, note, at, _version, _deleted FROM data."420000_simple" ORDER BY code'
        ).fetchall()
        self.conn.rollback()
        return {row[0]: row[1:] for row in rows}

    def digest(self) -> str:
        with self.conn.transaction():
            return content_digest(self.conn, [self.target])


@pytest.fixture
def sender(own_connection: psycopg.Connection, target: Target) -> Sender:
    return Sender(own_connection, target)


def row(code: str, value: int | None, minute: int, note: str | None = None) -> dict[str, object]:
    return {"code": code, "value": value, "note": note, "at": datetime(2026, 1, 1) + timedelta(minutes=minute)}  # noqa: DTZ001 - local by contract


def only(applied: list[Applied]):
    assert len(applied) == 1
    assert applied[0].receipt is not None
    return applied[0].receipt


def test_new_changed_unchanged_and_superseded_records_are_counted_apart(sender: Sender) -> None:
    first = only(sender.take(sender.work([row("a", 1, 1), row("b", 1, 1), row("c", 1, 5)])))
    assert (first.accepted_new, first.rejected) == (3, 0)
    second = only(sender.take(sender.work([row("a", 2, 2), row("b", 1, 2), row("c", 9, 4), row("d", 1, 1)])))
    assert second.accepted_new == 1
    assert second.accepted_changed == 1
    assert second.accepted_unchanged == 1
    assert second.accepted_superseded == 1
    assert {code: values[0] for code, values in sender.content().items()} == {"a": 2, "b": 1, "c": 1, "d": 1}


def test_an_unchanged_record_with_a_higher_version_raises_the_version_and_writes_no_history(sender: Sender) -> None:
    sender.take(sender.work([row("a", 1, 1)]))
    sender.take(sender.work([row("a", 1, 9)]))
    late = only(sender.take(sender.work([row("a", 7, 5)])))
    assert late.accepted_superseded == 1
    assert sender.conn.execute('SELECT count(*) FROM data."420000_simple_history"').fetchone() == (0,)


def test_the_same_batch_twice_takes_effect_once(sender: Sender) -> None:
    batch = uuid.uuid4()
    sender.take(sender.work([row("a", 1, 1)], batch=batch))
    (again,) = sender.take(sender.work([row("a", 1, 1)], batch=batch))
    assert (again.receipt, again.refusal) == (None, None)
    assert sender.conn.execute("SELECT count(*) FROM receipt").fetchone() == (1,)


def test_a_batch_id_used_for_other_bytes_is_refused_and_the_first_stands(sender: Sender) -> None:
    batch = uuid.uuid4()
    sender.take(sender.work([row("a", 1, 1)], batch=batch))
    (other,) = sender.take(sender.work([row("a", 2, 2)], batch=batch))
    assert other.refusal is not None
    assert (other.receipt, other.refusal["code"]) == (None, "batch_id_reused")
    assert sender.content()["a"][0] == 1
    assert sender.conn.execute("SELECT refusal ->> 'code' FROM refused_message").fetchone() == ("batch_id_reused",)


def test_equal_versions_that_differ_end_alike_in_either_order(
    own_connection: psycopg.Connection, sender: Sender
) -> None:
    sender.take(sender.work([row("a", 1, 1)]))
    sender.take(sender.work([row("a", 2, 1)]))
    one = (sender.content(), sender.digest())
    for table in ("quarantine", "receipt"):
        own_connection.execute(f"TRUNCATE {table} CASCADE")
    own_connection.execute('TRUNCATE data."420000_simple"')
    own_connection.commit()
    sender.take(sender.work([row("a", 2, 1)]))
    sender.take(sender.work([row("a", 1, 1)]))
    assert (sender.content(), sender.digest()) == one
    assert reasons_of(own_connection) == {"conflict:": 1}


def test_contradicting_records_inside_a_batch_are_all_quarantined(sender: Sender) -> None:
    receipt = only(sender.take(sender.work([row("a", 1, 1), row("a", 2, 1), row("b", 1, 1), row("b", 1, 1)])))
    assert receipt.rejected == 2
    assert receipt.accepted_new == 1
    assert receipt.accepted_unchanged == 1
    assert set(sender.content()) == {"b"}


def test_a_rejected_record_closes_when_its_key_is_accepted_with_a_higher_version(sender: Sender) -> None:
    bad = only(sender.take(sender.work([row("a", -1, 1), row("b", 1, 1)])))
    assert (bad.rejected, bad.accepted_new) == (1, 1)
    sender.take(sender.work([row("a", 1, 2)]))
    assert reasons_of(sender.conn) == {}
    sender.take(sender.work([row("a", -1, 1)]))
    assert reasons_of(sender.conn) == {}, "a bad record older than what is stored waits for nobody"


def test_a_delete_leaves_a_tombstone_that_older_versions_do_not_pass(sender: Sender) -> None:
    sender.take(sender.work([row("a", 1, 1)]))
    gone = only(sender.take(sender.work([row("a", None, 5)], operation="delete")))
    assert gone.accepted_deleted == 1
    late = only(sender.take(sender.work([row("a", 3, 4)])))
    assert late.accepted_superseded == 1
    assert sender.content()["a"][-1] is True
    back = only(sender.take(sender.work([row("a", 3, 6)])))
    assert back.accepted_changed == 1
    assert sender.content()["a"][-1] is False


def test_a_complete_key_list_closes_what_the_source_no_longer_has(sender: Sender) -> None:
    rows = [row(f"k{n:03d}", n, 1) for n in range(100)]
    sender.take(sender.work(rows))
    run, cut_at = uuid.uuid4(), datetime.now(UTC) + timedelta(seconds=1)
    parts = [rows[:50], rows[50:97]]
    last = sender.work(parts[1], operation="keys", run=run, cut_at=cut_at, keys=KeyList(2, 97, confirm=False))
    first = sender.work(parts[0], operation="keys", run=run, cut_at=cut_at, keys=KeyList(1, None, confirm=False))
    assert only(sender.take(last)).closed == 0
    assert only(sender.take(first)).closed == 3
    assert sum(values[-1] is True for values in sender.content().values()) == 3
    again = only(sender.take(sender.work([row("k099", 99, 1)])))
    assert again.accepted_changed == 1, "the source may bring back the very same record"


def test_a_key_list_that_would_close_too_much_is_refused_unless_confirmed(sender: Sender) -> None:
    rows = [row(f"k{n:03d}", n, 1) for n in range(100)]
    sender.take(sender.work(rows))
    cut_at = datetime.now(UTC) + timedelta(seconds=1)
    few = sender.work(rows[:10], operation="keys", cut_at=cut_at, keys=KeyList(1, 10, confirm=False))
    refused = only(sender.take(few))
    assert refused.status == "refused"
    assert refused.refusal is not None
    assert refused.refusal["code"] == "key_list_too_small"
    sure = sender.work(rows[:10], operation="keys", cut_at=cut_at, keys=KeyList(1, 10, confirm=True))
    assert only(sender.take(sure)).closed == 90


def test_a_read_as_of_an_instant_repeats(sender: Sender) -> None:
    sender.take(sender.work([row("a", 1, 1), row("b", 1, 1)]))
    before = read_as_of(sender.conn, sender.target, None, limit=10)
    sender.conn.rollback()
    sender.take(sender.work([row("a", 2, 2), row("c", 1, 1)]))
    sender.take(sender.work([row("b", None, 2)], operation="delete"))
    again = read_as_of(sender.conn, sender.target, before.instant, limit=10)
    assert again.records == before.records
    now = read_as_of(sender.conn, sender.target, None, limit=10)
    assert {(one["code"], one["value"]) for one in now.records} == {("a", 2), ("c", 1)}
    sender.conn.rollback()


@pytest.mark.parametrize("seed", range(12))
def test_one_history_ends_in_the_same_content_in_any_order_and_grouping(
    own_connection: psycopg.Connection, contract: Contract, target: Target, seed: int
) -> None:
    rng = random.Random(seed)
    history: list[tuple[Operation, list[dict[str, object]], datetime]] = []
    for minute in range(14):
        operation: Operation = rng.choice(["upsert", "upsert", "upsert", "delete"])
        codes = rng.sample("abcdefgh", rng.randint(1, 5))
        rows = [row(code, rng.choice([-1, 1, 2, 3]), rng.randint(1, 6)) for code in codes]
        history.append((operation, rows, NOW + timedelta(minutes=minute - 60)))
    outcomes: set[str] = set()
    for _ in range(4):
        own_connection.execute(
            'TRUNCATE receipt, quarantine, data."420000_simple", data."420000_simple_history" CASCADE'
        )
        own_connection.commit()
        sender = Sender(own_connection, target)
        order = rng.sample(history, len(history))
        while order:
            group, order = order[: (size := rng.randint(1, 4))], order[size:]
            sender.take(*(sender.work(rows, operation=kind, cut_at=cut_at) for kind, rows, cut_at in group))
        outcomes.add(sender.digest())
    assert len(outcomes) == 1
    del contract


def test_history_and_counts_agree_with_what_is_stored(sender: Sender) -> None:
    rng = random.Random(7)
    for minute in range(12):
        rows = [row(code, rng.randint(0, 3), minute) for code in rng.sample("abcdefgh", 5)]
        sender.take(sender.work(rows, operation=rng.choice(["upsert", "upsert", "delete"])))
    counted = sender.conn.execute("SELECT records, tombstones, history FROM dataset_statistics").fetchone()
    stored = sender.conn.execute(
        "SELECT count(*) FILTER (WHERE NOT _deleted), count(*) FILTER (WHERE _deleted),"
        ' (SELECT count(*) FROM data."420000_simple_history") FROM data."420000_simple"'
    ).fetchone()
    assert counted == stored


def test_a_value_the_database_refuses_costs_that_record_alone(sender: Sender) -> None:
    sender.conn.execute('ALTER TABLE data."420000_simple" ADD CHECK (value <> 2)')
    sender.conn.commit()
    receipt = only(sender.take(sender.work([row(code, n, 1) for n, code in enumerate("abcde")])))
    assert (receipt.accepted_new, receipt.rejected) == (4, 1)
    assert reasons_of(sender.conn) == {"store_refused:": 1}


LONG_KEY = long_text(bytes_min=1_001)


@pytest.mark.parametrize("operation", ["upsert", "delete"])
def test_a_key_no_index_can_hold_costs_that_record_alone(sender: Sender, operation: Operation) -> None:
    sender.take(sender.work([row("a", 1, 1)]))
    longer = long_text(bytes_min=9_000)
    rows = [row("a", 2, 2), row(LONG_KEY, 1, 2), row(longer, 1, 2)]
    receipt = only(sender.take(sender.work(rows, operation=operation)))
    assert (receipt.accepted_changed + receipt.accepted_deleted, receipt.rejected) == (1, 2)
    assert reasons_of(sender.conn) == {"key_too_long:code": 2}
    kept = sender.conn.execute("SELECT record ->> 'code', key FROM quarantine ORDER BY position").fetchall()
    assert kept == [(LONG_KEY, LONG_KEY), (longer, None)]


def test_a_key_list_with_a_key_nobody_can_have_closes_as_any_other(sender: Sender) -> None:
    sender.take(sender.work([row(str(number), 1, 1) for number in range(40)]))
    listed = [row(str(number), 1, 1) for number in range(39)] + [row(long_text(bytes_min=9_000), 1, 1)]
    cut_at = datetime.now(UTC) + timedelta(seconds=1)
    keys = KeyList(1, 40, confirm=False)
    receipt = only(sender.take(sender.work(listed, operation="keys", cut_at=cut_at, keys=keys)))
    assert receipt.closed == 1


def test_a_reference_to_a_key_no_index_can_hold_costs_that_record_alone(
    own_connection: psycopg.Connection, target: Target
) -> None:
    child_contract = parse_contract(simple_contract_source(name="child", reference=target.contract.name))
    child = Sender(own_connection, _register(own_connection, child_contract, "420000.child"))
    receipt = only(child.take(child.work([row("x", 1, 1, note=LONG_KEY), row("y", 1, 1, note="b"), row("z", 1, 1)])))
    assert (receipt.rejected, receipt.pending, receipt.accepted_new) == (1, 1, 1)


def test_a_value_an_index_cannot_hold_costs_that_record_alone(sender: Sender) -> None:
    sender.conn.execute('CREATE INDEX ON data."420000_simple" (note)')
    sender.conn.commit()
    rows = [row("a", 1, 1), row("b", 1, 1, note=long_text(bytes_min=9_000)), row("c", 1, 1)]
    receipt = only(sender.take(sender.work(rows)))
    assert (receipt.accepted_new, receipt.rejected) == (2, 1)
    assert reasons_of(sender.conn) == {"store_refused:": 1}


def test_records_without_their_parent_wait_and_are_taken_when_it_comes(
    own_connection: psycopg.Connection, sender: Sender
) -> None:
    child_contract = parse_contract(simple_contract_source(name="child", reference="simple"))
    child = Sender(own_connection, _register(own_connection, child_contract, "420000.child"))
    waiting = only(child.take(child.work([row("x", 1, 1, note="a"), row("y", 1, 1, note="b"), row("z", 1, 1)])))
    assert (waiting.pending, waiting.accepted_new) == (2, 1)
    (parent,) = sender.take(sender.work([row("a", 1, 1)]))
    assert parent.ready == 1
    with own_connection.transaction():
        resolved = apply_ready(own_connection, child.target)
    assert (resolved.taken, resolved.waiting) == (1, 0)
    stored = own_connection.execute('SELECT code FROM data."420000_child" ORDER BY code').fetchall()
    assert stored == [("x",), ("z",)]


def test_a_bad_record_sent_again_as_it_was_waits_once(own_connection: psycopg.Connection, sender: Sender) -> None:
    for _ in range(3):
        receipt = only(sender.take(sender.work([row("a", -1, 1), row("b", 1, 1)])))
        assert (receipt.received, receipt.rejected) == (2, 1)
    assert own_connection.execute("SELECT count(*) FROM quarantine").fetchone() == (1,)


@pytest.mark.usefixtures("target")
def test_a_record_that_waits_for_its_parent_and_is_sent_again_waits_once(own_connection: psycopg.Connection) -> None:
    child = Sender(
        own_connection,
        _register(
            own_connection, parse_contract(simple_contract_source(name="child", reference="simple")), "420000.child"
        ),
    )
    for _ in range(2):
        assert only(child.take(child.work([row("x", 1, 1, note="a")]))).pending == 1
    assert own_connection.execute("SELECT state, count(*) FROM quarantine GROUP BY state").fetchall() == [
        ("pending", 1)
    ]
    assert own_connection.execute("SELECT count(*) FROM pending_reference").fetchone() == (1,)
