"""Single records decoded many at a time: each is held to its own bytes, and what is damaged costs itself alone."""

import json
from typing import Any

import polars as pl
import pytest
from contract_maker import contract_text
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.batch import Limits, walk, write_container
from schemas.contract import Contract, parse_contract
from schemas.errors import BatchError
from schemas.frame import decode, encode
from schemas.singles import Singles, _sizes, decode_singles
from schemas.writer_schema import resolve

MICROS = {"type": "long", "logicalType": "local-timestamp-micros"}
DATE = {"type": "int", "logicalType": "date"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}
TYPES: dict[str, tuple[Any, pl.DataType]] = {
    "code": ("string", pl.String()),
    "whole": ("int", pl.Int32()),
    "long": ("long", pl.Int64()),
    "single": ("float", pl.Float32()),
    "double": ("double", pl.Float64()),
    "flag": ("boolean", pl.Boolean()),
    "raw": ("bytes", pl.Binary()),
    "day": (DATE, pl.Date()),
    "at": (MICROS, pl.Datetime("us")),
    "money": (DECIMAL, pl.Decimal(38, 2)),
}
CONTRACT = parse_contract(contract_text({name: of for name, (of, _) in TYPES.items()}))
PLAN = resolve(CONTRACT, CONTRACT.avro_schema(), "upsert")
SCHEMA = {name: of for name, (_, of) in TYPES.items()}


def bodies_of(frame: pl.DataFrame, contract: Contract = CONTRACT) -> list[bytes]:
    """Each record's bytes alone, as the hub's own writer makes them."""
    return [walk(encode(contract, row, "upsert"), Limits()).data for row in frame.iter_slices(1)]


def decoded(bodies: list[bytes], contract: Contract = CONTRACT, schema: Any = None) -> Singles:
    text = json.dumps(schema or contract.avro_schema()).encode()
    walked = walk(write_container(text, len(bodies), tuple(bodies)), Limits())
    return decode_singles(contract, walked, [len(body) for body in bodies], "upsert")


ROWS = st.fixed_dictionaries(
    {
        "code": st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=70)),
        "whole": st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
        "long": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        "single": st.one_of(st.none(), st.floats(width=32, allow_nan=False)),
        "double": st.one_of(st.none(), st.floats(allow_nan=False)),
        "flag": st.one_of(st.none(), st.booleans()),
        "raw": st.one_of(st.none(), st.binary(max_size=200)),
        "day": st.one_of(st.none(), st.dates()),
        "at": st.one_of(st.none(), st.datetimes()),
        "money": st.one_of(st.none(), st.decimals(-(10**30), 10**30, places=2)),
    }
)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(ROWS, min_size=1, max_size=8))
def test_what_was_written_is_read_and_no_record_is_taken_for_damaged(rows: list[dict[str, Any]]):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    bodies = bodies_of(frame)
    assert _sizes(PLAN, frame).to_list() == [len(body) for body in bodies]
    found = decoded(bodies)
    assert found.decoded is not None
    assert_frame_equal(
        found.decoded.frame, decode(CONTRACT, walk(encode(CONTRACT, frame, "upsert"), Limits()), "upsert").frame
    )
    assert found.kept.to_list() == list(range(len(rows)))
    assert (found.damaged, found.panicked) == (frozenset(), False)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(ROWS, min_size=2, max_size=6), data=st.data())
def test_bytes_that_moved_from_one_record_to_the_next_are_noticed(rows: list[dict[str, Any]], data: st.DataObject):
    """Their sum is the same, and read end to end they would be the same records."""
    bodies = bodies_of(pl.DataFrame(rows, schema=SCHEMA))
    at = data.draw(st.integers(0, len(bodies) - 2))
    both = bodies[at] + bodies[at + 1]
    cut = data.draw(st.integers(1, len(both) - 1).filter(lambda one: one != len(bodies[at])))
    found = decoded([*bodies[:at], both[:cut], both[cut:], *bodies[at + 2 :]])
    assert {at, at + 1} & found.damaged
    others = [place for place in range(len(bodies)) if place not in {at, at + 1}]
    assert [place for place in found.kept if place in others] == others


@pytest.mark.parametrize("damage", [b"\xff" * 30, b"\x02", b"", b"\x02\xfe\xff\xff\xff\x0fabc"])
def test_a_damaged_record_costs_itself_alone(damage: bytes):
    frame = pl.DataFrame([{"code": f"k{number}", "whole": number} for number in range(5)], schema=SCHEMA)
    bodies = bodies_of(frame)
    bodies[2] = damage or bodies[2][:-1]
    found = decoded(bodies)
    assert found.damaged == {2}
    assert found.decoded is not None
    assert found.decoded.frame["code"].to_list() == ["k0", "k1", "k3", "k4"]
    assert found.kept.to_list() == [0, 1, 3, 4]


def test_where_all_are_damaged_there_is_no_frame():
    found = decoded([b"\xff", b"\xff\xff"])
    assert found.decoded is None
    assert found.damaged == {0, 1}


def test_plain_types_and_arrays_are_read_one_by_one():
    contract = parse_contract(contract_text({"code": "string", "tags": {"type": "array", "items": ["null", "string"]}}))
    fields = [{"name": "code", "type": "string"}, {"name": "tags", "type": {"type": "array", "items": "string"}}]
    schema = {"type": "record", "name": contract.name, "fields": fields}
    bodies = [b"\x02a\x02\x02x\x00", b"\x02b\x00", b"\x02c"]
    found = decoded(bodies, contract, schema)
    assert found.decoded is not None
    assert found.decoded.frame.rows() == [("a", ["x"]), ("b", [])]
    assert found.damaged == {2}


def test_a_schema_that_does_not_resolve_refuses_all():
    with pytest.raises(BatchError):
        decoded(
            [b"\x00"], CONTRACT, {"type": "record", "name": CONTRACT.name, "fields": [{"name": "x", "type": "int"}]}
        )


def test_lengths_around_every_step_of_a_varint():
    numbers = sorted({sign * (1 << bits) + by for bits in range(63) for sign in (1, -1) for by in (-1, 0, 1)})
    frame = pl.DataFrame(
        {"code": [str(one) for one in numbers], "long": numbers}, schema={"code": pl.String, "long": pl.Int64}
    )
    contract = parse_contract(contract_text({"code": "string", "long": "long"}))
    lengths = [len(body) for body in bodies_of(frame, contract)]
    assert len(set(lengths)) > 9
    assert _sizes(resolve(contract, contract.avro_schema(), "upsert"), frame).to_list() == lengths
