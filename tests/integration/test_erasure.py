"""Erasure: nothing of the key stays anywhere, what was erased does not come back, and what is newer is a new record."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from exchange_maker import DATASET, ERASURE_KEYS, ORGANIZATION, TOPIC, Batch, Exchange, exchange_in, row
from psycopg import Connection

from catalog.caller import Caller
from catalog.errors import RoleNeeded
from catalog.request_errors import ReasonsMissing
from hub.acts.erasures import erase_record
from hub.errors import RecordUnknown
from hub.exchange.apply.batch import SESSION_SETTINGS, Apply, Work
from hub.exchange.apply.erase import Erased
from hub.exchange.apply.target import Target
from hub.exchange.erasure_keys import commitment
from hub.exchange.erasure_store import NOTICE_TERM, forget_notices
from hub.exchange.log import Message
from hub.exchange.prepare import prepare
from hub.ledger.leaf import read_record
from hub.ledger.leaf_store import find_openings
from hub.store.connect import connect
from schemas.batch import Limits
from schemas.envelope import KeyList, Operation

STEWARD = Caller("person:steward", ORGANIZATION, frozenset({"steward"}), "department", "steward")
ADMINISTRATOR = Caller("person:administrator", "da-shu-ju", frozenset({"administrator"}), "department", "administrator")
SECRET = "k-420102196001010017"


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    with exchange_in(database_url) as made:
        yield made


class Sender:
    """Applies batches as the worker does."""

    def __init__(self, exchange: Exchange, conn: Connection) -> None:
        self.exchange = exchange
        self.conn = conn
        self.target = Target(DATASET, exchange.contract)
        self.apply = Apply(conn, close_share_max=0.05, erasure_key=ERASURE_KEYS.commitment_key)
        self.offset = 0

    def take(self, batch: Batch) -> None:
        self.offset += 1
        envelope, now = batch.envelope, datetime.now(UTC)
        message = Message(TOPIC, "i", 0, self.offset, str(envelope.batch), {}, batch.container, now)
        prepared = prepare(self.exchange.contract, envelope, batch.container, now, Limits())
        self.apply.prepare_staging([self.target])
        with self.conn.transaction():
            self.apply.apply_group([Work(message.span, envelope, self.target, prepared)])


@pytest.fixture
def sender(exchange: Exchange) -> Iterator[Sender]:
    with connect(exchange.url, "hub worker", autocommit=True, settings=SESSION_SETTINGS) as conn:
        yield Sender(exchange, conn)


def erase(exchange: Exchange, code: str = SECRET, actor: Caller = STEWARD, reason: str = "本人申请") -> Erased:
    now = datetime.now(UTC)
    with exchange.conn.transaction():
        return erase_record(exchange.conn, actor, DATASET, (code,), reason, ERASURE_KEYS, now)


def take(
    exchange: Exchange, sender: Sender, *rows: dict[str, object], operation: Operation = "upsert", **members: Any
) -> tuple[int, ...]:
    """One batch; (received, new, changed, unchanged, superseded, deleted, rejected, pending)."""
    batch = exchange.batch(rows, operation=operation, **members)
    sender.take(batch)
    counts = exchange.conn.execute(
        "SELECT received, accepted_new, accepted_changed, accepted_unchanged, accepted_superseded, accepted_deleted,"
        " rejected, pending FROM receipt WHERE batch = %s",
        [str(batch.envelope.batch)],
    ).fetchone()
    assert counts is not None
    assert counts[0] == sum(counts[1:])
    return tuple(counts)


def content(exchange: Exchange) -> dict[str, tuple[object, ...]]:
    rows = exchange.conn.execute('SELECT code, value, _deleted FROM data."420000_simple" ORDER BY code').fetchall()
    return {code: (value, deleted) for code, value, deleted in rows}


def statistics(exchange: Exchange) -> tuple[int, int, int]:
    row_ = exchange.conn.execute("SELECT records, tombstones, history FROM dataset_statistics").fetchone()
    assert row_ is not None
    return tuple(row_)


def counted(exchange: Exchange) -> tuple[int, int, int]:
    """What the statistics should say."""
    row_ = exchange.conn.execute(
        'SELECT (SELECT count(*) FROM data."420000_simple" WHERE NOT _deleted),'
        ' (SELECT count(*) FROM data."420000_simple" WHERE _deleted),'
        ' (SELECT count(*) FROM data."420000_simple_history")'
    ).fetchone()
    assert row_ is not None
    return tuple(row_)


def mentions(exchange: Exchange, secret: str) -> list[str]:
    """Tables of the hub in which a row says the secret, but for the log, which has its retention."""
    tables = exchange.conn.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'data') AND tablename !~ '^log_'"
    ).fetchall()
    found: list[str] = []
    for schema, table in tables:
        query = f'SELECT count(*) FROM "{schema}"."{table}" t WHERE t::text LIKE %s'  # noqa: S608 - names of the test's own database
        count = exchange.conn.execute(
            query,  # pyright: ignore[reportArgumentType, reportCallIssue] - as above
            [f"%{secret}%"],
        ).fetchone()
        if count != (0,):
            found.append(table)
    return found


def test_nothing_of_the_key_stays_in_any_table(exchange: Exchange, sender: Sender):
    take(exchange, sender, row(SECRET, 1, 1), row("other", 1, 1))
    take(exchange, sender, row(SECRET, 2, 2))
    take(exchange, sender, row(SECRET, -1, 3))  # quarantined
    assert mentions(exchange, SECRET)
    erased = erase(exchange)
    assert (erased.records, erased.history_rows, erased.quarantine_entries) == (1, 1, 1)
    assert mentions(exchange, SECRET) == []
    assert list(content(exchange)) == ["other"]
    assert statistics(exchange) == counted(exchange) == (1, 0, 0)
    kept = exchange.conn.execute("SELECT commitment, version, version_row, digest FROM erasure").fetchone()
    assert kept is not None
    assert kept[0] == erased.commitment == commitment(ERASURE_KEYS.commitment_key, DATASET, SECRET)
    assert kept[1:3] == erased.version
    assert len(kept[3]) == 64


def test_its_leaf_tells_of_it_and_nothing_that_opens_the_leaf_is_the_key(exchange: Exchange, sender: Sender):
    take(exchange, sender, row(SECRET, 1, 1))
    erased = erase(exchange)
    records = exchange.conn.execute("SELECT leaf, bytes FROM ledger_leaf").fetchall()
    leaves = {str(leaf): read_record(bytes(text)) for leaf, text in records}
    [(id_, leaf)] = [(id_, one) for id_, one in leaves.items() if one["action"] == "record.erased"]
    assert (leaf["actor"], leaf["object"], leaf["rows"]) == (STEWARD.id, f"dataset:{DATASET}", 1)
    assert {one.member: one.value for one in find_openings(exchange.conn, id_)} == {
        "record_key": erased.commitment,
        "reason": "本人申请",
    }


def test_what_is_not_newer_stays_out_and_what_is_newer_is_a_new_record(exchange: Exchange, sender: Sender):
    take(exchange, sender, row(SECRET, 1, 1), row("other", 1, 1))
    take(exchange, sender, row(SECRET, 2, 5))
    erase(exchange)
    assert take(exchange, sender, row(SECRET, 1, 1), row("new", 1, 1)) == (2, 1, 0, 0, 1, 0, 0, 0)
    assert take(exchange, sender, row(SECRET, 9, 5), row("other", 1, 1)) == (2, 0, 0, 1, 1, 0, 0, 0)
    assert mentions(exchange, SECRET) == []
    assert take(exchange, sender, row(SECRET, 3, 6)) == (1, 1, 0, 0, 0, 0, 0, 0)
    assert content(exchange)[SECRET] == (3, False)
    assert take(exchange, sender, row(SECRET, 1, 4)) == (1, 0, 0, 0, 1, 0, 0, 0)
    assert statistics(exchange) == counted(exchange) == (3, 0, 0)
    erase(exchange)
    assert take(exchange, sender, row(SECRET, 3, 6)) == (1, 0, 0, 0, 1, 0, 0, 0)
    assert mentions(exchange, SECRET) == []


def test_a_bad_record_that_is_not_newer_does_not_wait_in_quarantine(exchange: Exchange, sender: Sender):
    take(exchange, sender, row(SECRET, 1, 2))
    erase(exchange)
    assert take(exchange, sender, row(SECRET, -1, 1), row("other", -1, 1)) == (2, 0, 0, 0, 1, 0, 1, 0)
    assert mentions(exchange, SECRET) == []
    assert take(exchange, sender, row(SECRET, -1, 3)) == (1, 0, 0, 0, 0, 0, 1, 0)


def test_the_sources_own_delete_leaves_no_tombstone_and_keeps_out_what_was_before_it(
    exchange: Exchange, sender: Sender
):
    take(exchange, sender, row(SECRET, 1, 1))
    erase(exchange)
    assert take(exchange, sender, row(SECRET, None, 1), operation="delete") == (1, 0, 0, 0, 1, 0, 0, 0)
    assert take(exchange, sender, row(SECRET, None, 5), row("x", None, 5), operation="delete") == (
        2,
        0,
        0,
        0,
        0,
        2,
        0,
        0,
    )
    assert mentions(exchange, SECRET) == []
    assert take(exchange, sender, row(SECRET, 1, 4)) == (1, 0, 0, 0, 1, 0, 0, 0)
    assert take(exchange, sender, row(SECRET, 1, 6)) == (1, 1, 0, 0, 0, 0, 0, 0)
    assert take(exchange, sender, row(SECRET, None, 7), operation="delete") == (1, 0, 0, 0, 0, 1, 0, 0)
    assert statistics(exchange) == counted(exchange) == (0, 2, 1)
    erase(exchange)
    assert statistics(exchange) == counted(exchange) == (0, 1, 0)
    assert mentions(exchange, SECRET) == []


def test_a_complete_key_list_does_not_bring_it_back(exchange: Exchange, sender: Sender):
    take(exchange, sender, row(SECRET, 1, 1), row("other", 1, 1))
    run = str(uuid.uuid4())
    later = datetime.now(UTC) + timedelta(seconds=30)
    first: dict[str, Any] = {"operation": "keys", "run": run, "cut_at": later, "keys": KeyList(1, None, confirm=False)}
    take(exchange, sender, row(SECRET, None, 1), **first)
    assert "key_list" in mentions(exchange, SECRET)
    erase(exchange)
    assert mentions(exchange, SECRET) == []  # in the part that waits, too
    last: dict[str, Any] = first | {"keys": KeyList(2, 2, confirm=False)}
    assert take(exchange, sender, row("other", None, 1), **last)[0] == 1
    refusals = exchange.conn.execute("SELECT refusal FROM receipt WHERE refusal IS NOT NULL").fetchall()
    assert refusals == []
    assert list(content(exchange)) == ["other"]
    whole: dict[str, Any] = {
        "operation": "keys",
        "run": str(uuid.uuid4()),
        "cut_at": later,
        "keys": KeyList(1, 2, confirm=False),
    }
    take(exchange, sender, row(SECRET, None, 1), row("other", None, 1), **whole)
    assert list(content(exchange)) == ["other"]
    assert mentions(exchange, SECRET) == []


def test_what_a_key_list_closed_and_was_then_erased_does_not_come_back_in_its_old_version(
    exchange: Exchange, sender: Sender
):
    take(exchange, sender, row(SECRET, 1, 1))
    later = datetime.now(UTC) + timedelta(seconds=30)
    closing: dict[str, Any] = {
        "operation": "keys",
        "run": str(uuid.uuid4()),
        "cut_at": later,
        "keys": KeyList(1, 1, confirm=True),
    }
    take(exchange, sender, row("none", None, 1), **closing)
    assert content(exchange) == {SECRET: (None, True)}
    erase(exchange)
    assert take(exchange, sender, row(SECRET, 1, 1)) == (1, 0, 0, 0, 1, 0, 0, 0)


def test_erasing_again_finds_nothing_unless_something_came(exchange: Exchange, sender: Sender):
    take(exchange, sender, row(SECRET, 1, 1))
    erase(exchange)
    with pytest.raises(RecordUnknown):
        erase(exchange)
    with pytest.raises(RecordUnknown):
        erase(exchange, "never")
    take(exchange, sender, row("bad", -1, 1))
    erased = erase(exchange, "bad")
    assert (erased.records, erased.quarantine_entries) == (0, 1)
    assert take(exchange, sender, row("bad", 1, 1)) == (1, 0, 0, 0, 1, 0, 0, 0)


def test_who_may_erase(exchange: Exchange, sender: Sender):
    take(exchange, sender, row("a", 1, 1), row("b", 1, 1))
    for actor in (
        Caller("person:x", "min-zheng", frozenset({"steward"}), "department", "x"),
        Caller("person:y", ORGANIZATION, frozenset({"auditor", "reviewer", "operator"}), "department", "y"),
    ):
        with pytest.raises(RoleNeeded):
            erase(exchange, "a", actor)
    with pytest.raises(ReasonsMissing):
        erase(exchange, "a", reason=" ")
    erase(exchange, "a", STEWARD)
    erase(exchange, "b", ADMINISTRATOR)


def test_the_sealed_key_is_forgotten_after_its_term(exchange: Exchange, sender: Sender):
    take(exchange, sender, row("a", 1, 1))
    erased = erase(exchange, "a")
    assert forget_notices(exchange.conn, erased.erased_at + NOTICE_TERM) == 0
    assert forget_notices(exchange.conn, erased.erased_at + NOTICE_TERM + timedelta(seconds=1)) == 1
    assert exchange.conn.execute("SELECT notice FROM erasure").fetchall() == [(None,)]


@pytest.mark.parametrize("seed", range(1, 9))
def test_whatever_comes_in_whatever_order_nothing_up_to_the_erased_version_is_there(
    exchange: Exchange, sender: Sender, seed: int
):
    dice = random.Random(seed)
    codes = [f"c{number}" for number in range(6)]
    highest: dict[str, int] = {}
    bars: dict[str, int] = {}
    for _ in range(25):
        minute = dice.randint(1, 30)
        chosen = dice.sample(codes, 3)
        operation: Operation = dice.choice(["upsert", "upsert", "delete"])
        take(exchange, sender, *(row(code, dice.choice([-1, 1, 2]), minute) for code in chosen), operation=operation)
        for code in chosen:
            highest[code] = max(highest.get(code, 0), minute)
        if dice.random() < 0.3:
            code = dice.choice(chosen)
            try:
                erase(exchange, code)
            except RecordUnknown:
                continue
            bars[code] = highest[code]
        held = exchange.conn.execute(
            "SELECT code, extract(epoch FROM at - timestamp '2026-01-01') / 60 FROM data.\"420000_simple\""
        )
        assert all(minute_ > bars.get(code, 0) for code, minute_ in held.fetchall())
        assert statistics(exchange) == counted(exchange)
