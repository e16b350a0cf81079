"""Chunks become batches: what the connector makes, the hub decodes to the same."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from contract_maker import contract_text

from connectors.batch_maker import BatchMaker, MadeChunk
from connectors.errors import RecordTooLarge
from schemas.batch import Limits, walk
from schemas.contract import Contract, parse_contract
from schemas.envelope import Operation
from schemas.frame import Decoded, decode

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONTRACT = parse_contract(
    contract_text({"code": "string", "name": "string", "day": {"type": "int", "logicalType": "date"}, "n": "long"})
)


def maker(rejects: str = "send", operation: Operation = "upsert", bytes_max: int = 4 * 2**20) -> BatchMaker:
    return BatchMaker(CONTRACT, operation, rejects, bytes_max)  # pyright: ignore[reportArgumentType]  # named by tests


def make(columns: dict[str, Any], **options: Any) -> MadeChunk:
    return maker(**options).make(pl.DataFrame(columns), 2, NOW)


def read(made: MadeChunk, operation: Operation = "upsert", contract: Contract = CONTRACT) -> list[Decoded]:
    return [decode(contract, walk(one.container, Limits()), operation) for one in made.batches]


def test_text_becomes_typed_and_arrives_as_it_was_meant():
    made = make({"code": ["1", "2"], "name": ["张", None], "day": ["2026-01-01", ""], "n": ["5", " 6 "]})
    [decoded] = read(made)
    assert decoded.text is None
    assert [row[:2] + row[3:] for row in decoded.frame.rows()] == [("1", "张", 5), ("2", None, 6)]
    assert (made.read, made.bad, made.found) == (2, 0, ())


def test_a_value_that_cannot_be_read_travels_as_the_text_it_was():
    made = make({"code": ["1", "2"], "n": ["5", "many"]})
    [decoded] = read(made)
    assert decoded.text is not None
    assert decoded.text["n"].to_list() == ["5", "many"]
    assert decoded.frame["n"].to_list() == [5, None]
    assert [(found.reason.code, found.reason.field, found.rows) for found in made.found] == [("type", "n", (3,))]
    assert made.bad == 1


def test_held_records_are_not_in_the_batch_and_the_rest_is_typed():
    made = make({"code": ["1", "2", None], "n": ["5", "many", "7"]}, rejects="hold")
    [decoded] = read(made)
    assert decoded.text is None
    assert decoded.frame["code"].to_list() == ["1"]
    assert (made.read, made.bad) == (3, 2)


def test_a_chunk_of_bad_records_only_makes_no_batch_when_they_are_held():
    assert make({"code": [None, None]}, rejects="hold").batches == ()


def test_a_flag_is_no_reason_to_hold():
    made = make({"code": ["1"], "name": ["王\ue000"]}, rejects="hold")
    assert [(found.reason.code, found.severity) for found in made.found] == [("private_use_character", "flag")]
    assert len(made.batches) == 1
    assert made.bad == 0


def test_nul_is_found():
    assert [found.reason.code for found in make({"code": ["1\0"]}).found] == ["control_character"]


def test_fields_without_a_column_are_left_out_and_null_at_the_hub():
    [decoded] = read(make({"code": ["1"]}))
    assert decoded.frame.columns == ["code", "name", "day", "n"]
    assert decoded.frame.row(0) == ("1", None, None, None)


def test_numbers_of_rows_are_the_sources_where_it_has_some():
    made = maker().make(pl.DataFrame({"code": ["1", None]}), 2, NOW, pl.Series([7, 9]))
    assert made.found[0].rows == (9,)


@pytest.mark.parametrize("records", [1, 2, 7, 1000])
def test_what_is_too_large_is_cut_in_order_and_nothing_is_lost(records: int):
    codes = [f"{number:03}" for number in range(records)]
    made = make({"code": codes, "name": ["x" * 100] * records}, bytes_max=2_000)
    assert all(len(one.container) <= 2_000 for one in made.batches)
    assert [code for decoded in read(made) for code in decoded.frame["code"]] == codes
    before = [place for _, place in made.numbered()]
    assert before[0] == (0, 0)
    assert [parts for parts, _ in before] == [*range(len(before))]
    assert sum(one.records for one in made.batches) == records


def test_one_record_over_the_limit_is_told_by_its_row():
    with pytest.raises(RecordTooLarge) as error:
        make({"code": ["1", "2"], "name": ["a", "x" * 5_000]}, bytes_max=2_000)
    assert error.value.row == 3


def test_a_key_list_has_keys_only_and_ends_with_an_empty_part():
    keys = maker(operation="keys")
    [decoded] = read(keys.make(pl.DataFrame({"code": ["1", "2"]}), 1, NOW), "keys")
    assert decoded.frame.columns == ["code"]
    closing = keys.closing_part()
    assert closing.records == 0
    assert walk(closing.container, Limits()).records == 0
    assert decode(CONTRACT, walk(closing.container, Limits()), "keys").frame.height == 0
