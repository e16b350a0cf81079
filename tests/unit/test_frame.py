"""Records as frames: what is encoded decodes the same, and the same as fastavro reads and writes it."""

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import polars as pl
import pytest
from check_maker import ewkb
from container_maker import container, text, varint
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from typed_values import PLAIN, contract_of, frames

from schemas import frame as frame_module
from schemas.batch import Limits, walk
from schemas.container_errors import RecordsDamaged
from schemas.contract import Contract, FieldType
from schemas.envelope import Operation
from schemas.frame import Decoded, decode, encode, polars_type
from schemas.writer_schema import Plan, resolve

LIMITS = Limits()
QUICK = settings(max_examples=150, deadline=None)
MICROS = FieldType("timestamp_micros")


def decoded(contract: Contract, content: bytes, operation: Operation = "upsert") -> Decoded:
    return decode(contract, walk(content, LIMITS), operation)


def written(schema: dict[str, Any], rows: Sequence[dict[str, Any]], codec: str = "null") -> bytes:
    """A container as fastavro writes it."""
    buffer = io.BytesIO()
    fastavro.writer(buffer, fastavro.parse_schema(schema), rows, codec=codec, sync_interval=200)
    return buffer.getvalue()


@given(frames())
@QUICK
def test_what_is_encoded_decodes_the_same(drawn: tuple[Contract, pl.DataFrame]):
    contract, frame = drawn
    back = decoded(contract, encode(contract, frame, "upsert"))
    assert_frame_equal(back.frame, frame)
    assert (back.violations, back.text) == ((), None)


def test_every_digit_of_a_large_decimal_survives_also_in_an_array():
    large = Decimal("12345678901234567890123456789012.345678")
    array = FieldType("array", items=FieldType("decimal", 38, 6))
    contract = contract_of({"one": FieldType("decimal", 38, 6), "many": array})
    rows = [{"code": "x", "one": large, "many": [large, -large, None]}, {"code": "y", "one": -large, "many": None}]
    frame = pl.DataFrame(rows, schema={field.name: polars_type(field.type) for field in contract.fields})
    content = encode(contract, frame, "upsert")
    assert decoded(contract, content).frame.to_dicts() == rows
    assert list(fastavro.reader(io.BytesIO(content))) == rows


@given(frames(records_min=1))
@QUICK
def test_the_strict_reader_reads_the_same_as_polars(drawn: tuple[Contract, pl.DataFrame]):
    contract, frame = drawn
    walked = walk(encode(contract, frame, "upsert"), LIMITS)
    plan = resolve(contract, walked.schema, "upsert")
    fast = frame_module.read_and_prove(plan, walked, contract.name)
    assert fast is not None, "what the hub's own connectors write is read the fast way"
    strict = frame_module.read_strictly(plan, walked.blocks)
    assert_frame_equal(frame_module.convert(contract, plan, strict, "upsert").frame, frame)
    assert_frame_equal(frame_module.convert(contract, plan, fast, "upsert").frame, frame)


@given(frames())
@QUICK
def test_fastavro_reads_what_we_write(drawn: tuple[Contract, pl.DataFrame]):
    contract, frame = drawn
    rows = list(fastavro.reader(io.BytesIO(encode(contract, frame, "upsert"))))
    assert rows == frame.to_dicts()


def plainly(schema: dict[str, Any]) -> dict[str, Any]:
    """Every field with its type alone, and items of arrays too."""

    def bare(of: Any) -> Any:
        of = of[1] if isinstance(of, list) else of
        return {**of, "items": bare(of["items"])} if isinstance(of, dict) and of["type"] == "array" else of

    return {**schema, "fields": [{**field, "type": bare(field["type"])} for field in schema["fields"]]}


def turned(schema: dict[str, Any]) -> dict[str, Any]:
    """Every field as a union with null on the other side."""
    return {**schema, "fields": [{**field, "type": field["type"][::-1]} for field in schema["fields"]]}


def without_nulls(value: Any) -> Any:
    return [without_nulls(one) for one in value if one is not None] if isinstance(value, list) else value


@given(frames(), st.sampled_from(["null", "deflate"]))
@QUICK
def test_we_read_what_fastavro_writes(drawn: tuple[Contract, pl.DataFrame], codec: str):
    contract, frame = drawn
    for schema in (contract.avro_schema(), turned(contract.avro_schema())):
        back = decoded(contract, written(schema, frame.to_dicts(), codec))
        assert_frame_equal(back.frame, frame)
        assert (back.violations, back.text) == ((), None)


@given(frames())
@QUICK
def test_we_read_fields_that_are_written_plain(drawn: tuple[Contract, pl.DataFrame]):
    contract, frame = drawn
    rows = [{name: without_nulls(value) for name, value in row.items()} for row in frame.drop_nulls().to_dicts()]
    back = decoded(contract, written(plainly(contract.avro_schema()), rows))
    assert back.frame.to_dicts() == rows
    assert back.frame.schema == frame.schema


def test_enums_fixed_narrow_numbers_and_utc_timestamps_become_the_contracts_types():
    contract = contract_of(
        {
            "kind": FieldType("string"),
            "wide": FieldType("long"),
            "real": FieldType("double"),
            "raw": FieldType("bytes"),
            "sum": FieldType("decimal", 10, 3),
            "at": MICROS,
            "on": FieldType("timestamp_millis"),
        }
    )
    fields = {
        "code": "string",
        "kind": {"type": "enum", "name": "kinds", "symbols": ["A", "B"]},
        "wide": "int",
        "real": ["null", "float"],
        "raw": {"type": "fixed", "name": "pair", "size": 2},
        "sum": {"type": "fixed", "name": "sum", "size": 4, "logicalType": "decimal", "precision": 8, "scale": 2},
        "at": {"type": "long", "logicalType": "timestamp-millis"},
        "on": ["null", {"type": "long", "logicalType": "timestamp-millis"}],
    }
    schema = {"type": "record", "name": "simple", "fields": [{"name": n, "type": of} for n, of in fields.items()]}
    moment = datetime(2026, 1, 31, 20, 0, 0, 125_000, tzinfo=UTC)
    row = {"code": "x", "kind": "B", "wide": -7, "real": 0.5, "raw": b"ab", "sum": Decimal("-1.25")}
    back = decoded(contract, written(schema, [row | {"at": moment, "on": None}, row | {"at": moment, "on": moment}]))
    local = datetime(2026, 2, 1, 4, 0, 0, 125_000)  # noqa: DTZ001 - the same moment at Shanghai
    expected = row | {"sum": Decimal("-1.250"), "at": local}
    assert back.frame.to_dicts() == [expected | {"on": None}, expected | {"on": local}]
    assert back.violations == ()


def test_shanghai_had_summer_time_and_other_offsets_once():
    contract = contract_of({"at": MICROS})
    schema = {
        "type": "record",
        "name": "simple",
        "fields": [
            {"name": "code", "type": "string"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        ],
    }
    moments = [datetime(1988, 7, 1, tzinfo=UTC), datetime(1988, 12, 1, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC)]
    back = decoded(contract, written(schema, [{"code": "x", "at": moment} for moment in moments]))
    offsets = [
        local - moment.replace(tzinfo=None) for local, moment in zip(back.frame["at"].to_list(), moments, strict=True)
    ]
    assert offsets == [timedelta(hours=9), timedelta(hours=8), timedelta(hours=8, minutes=5, seconds=43)]


# Text form ------------------------------------------------------------------------------------------------------------


def test_a_field_in_text_form_is_read_and_what_cannot_be_is_kept_as_it_was_written():
    contract = contract_of({"day": FieldType("date"), "shape": FieldType("geometry")})
    columns = {
        "code": ["a", "b", "c"],
        "day": ["2026-01-31", "31.1.2026", None],
        "shape": ["POINT(114 30)", "POINT(", ""],
    }
    back = decoded(contract, encode(contract, pl.DataFrame(columns), "upsert"))
    assert back.frame["day"].to_list() == [date(2026, 1, 31), None, None]
    assert back.frame["shape"].to_list() == [ewkb("POINT(114 30)"), None, None]
    assert [(one.reason.field, one.failed.to_list()) for one in back.violations] == [
        ("day", [False, True, False]),
        ("shape", [False, True, False]),
    ]
    assert back.text is not None
    assert back.text.to_dict(as_series=False) == {"day": columns["day"], "shape": columns["shape"]}


@pytest.mark.parametrize(
    ("of", "unscaled", "fits"),
    [
        (FieldType("decimal", 3, 1), [999, -999, 1000, -1000, 10**30], [True, True, False, False, False]),
        (
            FieldType("date"),
            [0, -719_162, -719_163, 2_932_896, 2_932_897, 2**31 - 1],
            [True, True, False, True, False, False],
        ),
        (MICROS, [0, 2**62, -(2**62)], [True, False, False]),
        (FieldType("timestamp_millis"), [0, 2**62, -(2**62)], [True, False, False]),
    ],
)
def test_a_value_its_type_has_no_meaning_for_is_told_and_null(of: FieldType, unscaled: list[int], fits: list[bool]):
    def record(number: int) -> bytes:
        size = number.bit_length() // 8 + 1
        value = text(number.to_bytes(size, "big", signed=True)) if of.kind == "decimal" else varint(number)
        return b"\x02" + text("x") + b"\x02" + value

    contract = contract_of({"value": of})
    content = container([(len(unscaled), b"".join(map(record, unscaled)))], schema=contract.avro_schema(), codec="null")
    back = decoded(contract, content)
    assert back.frame["value"].is_not_null().to_list() == fits
    assert [(one.reason.code, one.failed.to_list()) for one in back.violations] == [("type", [not one for one in fits])]
    assert back.text is not None
    assert back.text["value"].to_list() == [None if ok else str(one) for one, ok in zip(unscaled, fits, strict=True)]


# Operations -----------------------------------------------------------------------------------------------------------


def test_fields_a_writer_left_out_are_null_and_in_the_contracts_order():
    contract = contract_of(
        {"first": FieldType("int"), "second": FieldType("string"), "third": FieldType("decimal", 9, 2)}
    )
    frame = pl.DataFrame({"second": ["x"], "code": ["a"]})
    back = decoded(contract, encode(contract, frame, "upsert")).frame
    assert back.columns == ["code", "first", "second", "third"]
    assert back.row(0) == ("a", None, "x", None)
    assert back.schema["third"] == pl.Decimal(9, 2)


def test_a_delete_and_a_key_list_carry_their_fields_only():
    contract = contract_of({"first": FieldType("int")})
    frame = pl.DataFrame({"code": ["a", "b"], "first": pl.Series([1, 2], dtype=pl.Int32)})
    for operation in ("delete", "keys"):
        back = decoded(contract, encode(contract, frame, operation), operation).frame
        assert back.to_dict(as_series=False) == {"code": ["a", "b"]}


def test_a_container_without_records_has_the_contracts_columns():
    contract = contract_of({f"f{number}": of for number, of in enumerate(PLAIN)})
    empty = decoded(contract, container([], schema=contract.avro_schema())).frame
    assert empty.height == 0
    assert_frame_equal(empty, decoded(contract, encode(contract, empty, "upsert")).frame)


def test_several_blocks_are_one_frame():
    contract = contract_of({"value": FieldType("long")})
    rows = [{"code": f"c{number}", "value": number} for number in range(500)]
    content = written(contract.avro_schema(), rows, "deflate")
    assert len(walk(content, LIMITS).blocks) > 5
    assert decoded(contract, content).frame.to_dicts() == rows


def test_a_batch_of_another_writer_is_read_though_polars_would_write_it_otherwise():
    # A length in more bytes than needed is the same number: read one by one, never guessed.
    contract = contract_of({"value": FieldType("long")})
    record = b"\x02\x82\x00a\x02" + varint(7)
    back = decoded(contract, container([(1, record)], schema=contract.avro_schema()))
    assert back.frame.to_dicts() == [{"code": "a", "value": 7}]


def test_a_panic_of_polars_stays_visible_behind_the_refusal(monkeypatch: pytest.MonkeyPatch):
    class PanicException(BaseException):
        pass

    def panics(_: object) -> pl.DataFrame:
        raise PanicException

    contract = contract_of({"value": FieldType("long")})
    content = encode(contract, pl.DataFrame({"code": ["a"], "value": [1]}), "upsert")
    monkeypatch.setattr(pl, "read_avro", panics)
    with pytest.raises(RecordsDamaged) as refused:
        decoded(contract, content)
    assert isinstance(refused.value.__cause__, PanicException)


def test_a_plan_says_whether_polars_can_be_proved():
    contract = contract_of({"value": FieldType("long")})

    def plan_of(schema: dict[str, Any]) -> Plan:
        return resolve(contract, schema, "upsert")

    assert plan_of(contract.avro_schema()).columnar
    assert not plan_of(turned(contract.avro_schema())).columnar
    assert not plan_of(plainly(contract.avro_schema())).columnar
