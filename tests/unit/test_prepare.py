"""From a batch's bytes to rows and quarantine entries: what is taken, what waits and why."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from contract_maker import contract_text

from hub.exchange.prepare import prepare
from hub.exchange.prepared import Prepared
from schemas.batch import Limits, sm3_hex, uuid7
from schemas.contract import Contract, parse_contract
from schemas.envelope import Envelope
from schemas.errors import AllOrNothing
from schemas.frame import encode

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
LOCAL = NOW.replace(tzinfo=None) + timedelta(hours=8)
MICROS = {"type": "long", "logicalType": "local-timestamp-micros"}
SCHEMA = json.loads(contract_text({"code": "string", "name": "string", "at": MICROS}, version_field="at"))


def contract_with(**hub: Any) -> Contract:
    return parse_contract(json.dumps(SCHEMA | {"hub": SCHEMA["hub"] | hub}))


def prepared(rows: Sequence[tuple[str | None, str | None, datetime | None]], **hub: Any) -> Prepared:
    contract = contract_with(**hub)
    frame = pl.DataFrame(rows, schema={"code": pl.String, "name": pl.String, "at": pl.Datetime("us")}, orient="row")
    container = encode(contract, frame, "upsert")
    envelope = Envelope(
        v=1,
        hub="420000",
        dataset="420000.simple",
        contract=1,
        organization="tong-ji",
        sender="tong-ji",
        batch=uuid7(NOW),
        run=uuid7(NOW),
        cut_at=NOW,
        operation="upsert",
        records=frame.height,
        first_row=0,
        bytes=len(container),
        sm3=sm3_hex(container),
        keys=None,
    )
    return prepare(contract, envelope, container, NOW, Limits())


def told(result: Prepared) -> dict[int, list[str | None]]:
    return {entry.position: [reason["code"] for reason in entry.reasons] for entry in result.rejected}


def test_a_version_may_lie_sixty_seconds_ahead_and_no_more():
    minute, microsecond = timedelta(seconds=60), timedelta(microseconds=1)
    result = prepared([("a", "x", LOCAL + minute), ("b", "x", LOCAL + minute + microsecond), ("c", "x", LOCAL)])
    assert told(result) == {1: ["version_ahead"]}
    assert (result.received, result.rows) == (3, 2)


def test_a_record_with_a_control_character_waits_and_one_with_a_private_character_is_taken_and_flagged():
    result = prepared([("a", "张\x00", LOCAL), ("b", "张\ue000", LOCAL), ("c", "张三", LOCAL)])
    assert told(result) == {0: ["control_character"]}
    assert result.flags == {"private_use_character": 1}
    assert result.rows == 2


def test_a_record_without_key_or_version_is_told_both():
    assert told(prepared([(None, "x", None), ("b", "x", LOCAL)])) == {0: ["required", "required"]}


def test_a_rejected_record_is_kept_as_it_came():
    entry = prepared([("a", "张\x00", LOCAL)]).rejected[0]
    assert entry.record == {"code": "a", "name": "张\x00", "at": LOCAL.isoformat(timespec="microseconds")}
    assert entry.key == "a"


def test_equal_versions_that_differ_are_all_told_and_identical_ones_fold():
    result = prepared([("a", "x", LOCAL), ("a", "y", LOCAL), ("b", "x", LOCAL), ("b", "x", LOCAL)])
    assert told(result) == {0: ["conflict_in_batch"], 1: ["conflict_in_batch"]}
    assert (result.rows, result.unchanged) == (1, 1)


def test_the_highest_version_of_a_key_wins_within_a_batch():
    result = prepared([("a", "new", LOCAL), ("a", "old", LOCAL - timedelta(days=1))])
    assert (result.rows, result.superseded) == (1, 1)
    assert b"new" in result.copy
    assert b"old" not in result.copy


def test_a_contract_may_take_a_batch_whole_or_not_at_all():
    with pytest.raises(AllOrNothing) as refused:
        prepared([("a", "\x00", LOCAL), ("b", "x", LOCAL)], all_or_nothing=True)
    assert refused.value.rejected == 1
