"""The changes feed: replayed, it gives the content, whatever the pages, the moments it was asked at and the filter."""

import contextlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from exchange_maker import DATASET, ERASURE_KEYS, Exchange, exchange_in, history, opened_log, row, send
from psycopg import sql
from release_cases import KEYS, compiled_of

from catalog.condition import Compare, Condition
from hub.errors import RecordUnknown
from hub.exchange.apply.erase import erase
from hub.exchange.apply.target import Target
from hub.exchange.erasure_store import NOTICE_TERM, forget_notices
from hub.release.changes import Reached, read_changes, settled
from hub.release.erased import with_erased
from hub.release.reference import make_opaque
from hub.release.select import Compiled

BEGINNING = Reached(datetime(2000, 1, 1, tzinfo=UTC))


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    with exchange_in(database_url) as made:
        made.conn.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto")
        yield made


def told(
    exchange: Exchange, compiled: Compiled, after: Reached, limit: int = 1000
) -> tuple[list[dict[str, Any]], Reached]:
    """Every change up to now, in pages."""
    until = Reached(settled(exchange.conn))
    found: list[dict[str, Any]] = []
    while True:
        page = read_changes(exchange.conn, compiled, after, until, limit)
        page = with_erased(exchange.conn, page, compiled, ERASURE_KEYS, after, limit)
        assert len(page.changes) == len(page.places) <= limit
        assert not page.missed
        found += [json.loads(one) for one in page.changes]
        after = page.reached
        if not page.more:
            return found, after


def erase_code(exchange: Exchange, code: str) -> None:
    with exchange.conn.transaction():
        erase(exchange.conn, Target(DATASET, exchange.contract), (code,), ERASURE_KEYS, reason="test", actor="test")


def replay(state: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    for change in changes:
        record = change["record"]
        if change["op"] == "put":
            state[record["_ref"]] = record
        else:
            state.pop(record["_ref"], None)


def held(exchange: Exchange, at_least: int | None) -> dict[str, Any]:
    query = sql.SQL(
        'SELECT code, value, note FROM data."420000_simple" WHERE NOT _deleted AND (%s::bigint IS NULL OR value >= %s)'
    )
    return {code: (value, note) for code, value, note in exchange.conn.execute(query, [at_least, at_least]).fetchall()}


@pytest.mark.parametrize(("seed", "limit"), [(1, 1), (2, 3), (3, 1000)])
def test_the_feed_replayed_gives_the_content_under_any_filter(exchange: Exchange, seed: int, limit: int):
    dice = random.Random(seed)
    filters: dict[int | None, Condition | None] = {
        None: None,
        2: Compare("value", ">=", 2),
        3: Compare("value", ">=", 3),
    }
    compiled = {least: compiled_of(exchange.contract, condition) for least, condition in filters.items()}
    states: dict[int | None, dict[str, Any]] = {least: {} for least in filters}
    reached = dict.fromkeys(filters, BEGINNING)
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic("exchange." + DATASET, 2)
        batches = history(exchange, seed)
        while batches:
            taken, batches = batches[: (count := dice.randint(3, 10))], batches[count:]
            send(log, taken)
            exchange.run(log)
            for code in dice.sample("abcdefgh", dice.choice([0, 0, 1, 4])):
                with contextlib.suppress(RecordUnknown):
                    erase_code(exchange, code)
            for least in filters:
                if dice.random() < 0.7 or not batches:
                    changes, reached[least] = told(exchange, compiled[least], reached[least], limit)
                    assert [change["at"] for change in changes] == sorted(change["at"] for change in changes)
                    replay(states[least], changes)
    for least in filters:
        assert {ref: (one["value"], one["note"]) for ref, one in states[least].items()} == held(exchange, least)


def test_each_change_comes_once_and_nothing_is_told_of_records_never_open(exchange: Exchange):
    compiled = compiled_of(exchange.contract, Compare("value", ">=", 2))
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic("exchange." + DATASET, 1)
        for number, value in enumerate((1, 3, 4, 1, 0)):
            send(log, [exchange.batch([row("a", value, number), row("closed", 1, number)])])
            exchange.run(log)
        changes, reached = told(exchange, compiled, BEGINNING)
        assert [(one["op"], one["record"].get("value"), one["record"]["code"]) for one in changes] == [
            ("put", 3, "a"),
            ("put", 4, "a"),
            ("gone", None, "a"),
        ]
        assert told(exchange, compiled, reached)[0] == []
        send(log, [exchange.batch([row("a", None, 9), row("b", 5, 9)], operation="upsert")])
        exchange.run(log)
        send(log, [exchange.batch([row("b", None, 10)], operation="delete")])
        exchange.run(log)
        changes, reached = told(exchange, compiled, reached, limit=1)
        assert [(one["op"], one["record"]["code"]) for one in changes] == [("put", "b"), ("gone", "b")]


def test_an_erased_record_is_gone_for_everyone_by_its_reference_alone(exchange: Exchange):
    compiled = compiled_of(exchange.contract, Compare("value", ">=", 2), key_level=3, opaque=True)
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic("exchange." + DATASET, 1)
        send(log, [exchange.batch([row("a", 3, 1)])])
        exchange.run(log)
        changes, reached = told(exchange, compiled, BEGINNING)
        assert changes[0]["record"] | {"at": ""} == {
            "_ref": make_opaque(["a"], KEYS),
            "code": "a",
            "value": 3,
            "note": None,
            "at": "",
        }
        erase_code(exchange, "a")
        changes, _ = told(exchange, compiled, reached)
        assert [(one["op"], one["record"]) for one in changes] == [("gone", {"_ref": make_opaque(["a"], KEYS)})]


def test_erasures_come_one_a_page_in_their_order_and_the_forgotten_ones_are_missed(exchange: Exchange):
    compiled = compiled_of(exchange.contract)
    codes = ["a b", "c/d", "e"]  # references that are the key, written as PostgreSQL writes them
    with opened_log("embedded", exchange.url) as log:
        log.ensure_topic("exchange." + DATASET, 1)
        send(log, [exchange.batch([row(code, 3, 1) for code in codes])])
        exchange.run(log)
        changes, reached = told(exchange, compiled, BEGINNING)
        references = {one["record"]["code"]: one["record"]["_ref"] for one in changes}
        for code in reversed(codes):
            erase_code(exchange, code)
        send(log, [exchange.batch([row("e", 4, 2)])])
        exchange.run(log)
        changes, _ = told(exchange, compiled, reached, limit=1)
        assert [(one["op"], one["record"]["_ref"]) for one in changes] == [
            *(("gone", references[code]) for code in reversed(codes)),
            ("put", references["e"]),
        ]
        forget_notices(exchange.conn, datetime.now(UTC) + 2 * NOTICE_TERM)
        until = Reached(settled(exchange.conn))
        page = read_changes(exchange.conn, compiled, reached, until, 10)
        page = with_erased(exchange.conn, page, compiled, ERASURE_KEYS, reached, 10)
        assert page.missed
        assert [json.loads(one)["op"] for one in page.changes] == ["put"]


def test_changes_are_found_by_block_ranges_and_not_by_reading_the_table(exchange: Exchange):
    exchange.conn.execute(
        'INSERT INTO data."420000_simple" (code, value, note, at, _version, _row, _deleted, _taken, _receipt, _since)'
        " SELECT 'k' || g, g, 'x', now(), 1, 0, false, '2026-01-01'::timestamptz + g * interval '1 ms', 1,"
        " '2026-01-01'::timestamptz + g * interval '1 ms' FROM generate_series(1, 100000) g"
    )
    exchange.conn.execute('VACUUM ANALYZE data."420000_simple"')
    from hub.release.changes import _statement

    compiled = compiled_of(exchange.contract)
    text, parameters = _statement(
        compiled, Reached(datetime(2026, 1, 1, 0, 1, 35, tzinfo=UTC)), Reached(settled(exchange.conn)), 1000
    )
    plan = "\n".join(line for (line,) in exchange.conn.cursor().execute(b"EXPLAIN " + text, parameters).fetchall())
    assert "__since_idx" in plan, plan
    assert "Seq Scan on 420000_simple " not in plan, plan
    assert '"420000_simple" t' not in "".join(line for line in plan.splitlines() if "Seq Scan" in line), plan
