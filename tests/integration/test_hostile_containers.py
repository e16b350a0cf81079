"""Hostile batches through the real decoding child, and every flipped byte of a small one."""

import io
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import fastavro
import polars as pl
import psutil
import pytest
from container_maker import RECORDS, SCHEMA, block, container, deflate, header, record, text, varint
from contract_maker import contract_text
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.exchange.decoder import Decoder
from hub.exchange.prepared import Prepared
from schemas.batch import Limits, Walked, sm3_hex, uuid7, verify, walk
from schemas.contract import parse_contract
from schemas.envelope import Envelope
from schemas.errors import BatchError
from schemas.frame import decode, encode

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
LIMITS = Limits()
GOOD = container([(2, RECORDS)])
TYPES: dict[str, Any] = {
    "code": "string",
    "value": "long",
    "yes": "boolean",
    "sum": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    "list": {"type": "array", "items": ["null", "string"]},
}
CONTRACT = parse_contract(contract_text(TYPES))


def envelope_of(content: bytes, records: int) -> Envelope:
    """What a sender says who knows exactly what it sends."""
    return Envelope(
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
        records=records,
        first_row=0,
        bytes=len(content),
        sm3=sm3_hex(content),
        keys=None,
    )


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    one = Decoder(LIMITS, seconds_max=20)
    yield one
    one.close()


def prepared(decoder: Decoder, content: bytes, records: int) -> Prepared:
    decoder.submit(CONTRACT.source, envelope_of(content, records).to_bytes(), content, NOW)
    return decoder.result()


def schema_with(*fields: tuple[str, Any], name: str = "simple") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": of} for field, of in fields]}


CODE = ("code", ["null", "string"])
CODE_AND_LIST = schema_with(CODE, ("list", ["null", {"type": "array", "items": ["null", "string"]}]))
NODE = {"type": "record", "name": "simple", "fields": [{"name": "code", "type": ["null", "simple"]}]}
ONE = b"\x02" + text("a")
HOSTILE: dict[str, tuple[str, int, bytes]] = {
    "a file cut off": ("container_truncated", 2, GOOD[:-20]),
    "the schema of another dataset": ("schema_of_other_dataset", 2, container([(2, RECORDS)], {**SCHEMA, "name": "x"})),
    "an unknown field": ("field_unknown", 1, container([(1, ONE + ONE)], schema_with(CODE, ("extra", CODE[1])))),
    "a field of another type": (
        "field_type_unfit",
        1,
        container([(1, ONE + ONE)], schema_with(CODE, ("value", "bytes"))),
    ),
    "a recursive schema": ("writer_schema_recursive", 1, container([(1, b"\x02" * 4_600)], NODE)),
    "an array of nothing": (
        "field_type_unfit",
        1,
        container([(1, varint(2**40))], schema_with(("list", {"type": "array", "items": "null"}))),
    ),
    "a field of 2 GB": ("records_damaged", 1, container([(1, b"\x02" + varint(2**31) + b"abc")])),
    "a field of 2^62 bytes": ("records_damaged", 1, container([(1, b"\x02" + varint(2**62) + b"abc")])),
    "a field of negative length": ("records_damaged", 1, container([(1, b"\x02" + varint(-5) + b"abc")])),
    "a deflate bomb": ("batch_too_large", 2, container([(2, deflate(b"\x00" * 200_000_000))], codec="deflate")),
    "a block of 2^40 records": ("batch_too_large", 2**40, container([(2**40, RECORDS)])),
    "1 record claimed, 2 held": ("records_damaged", 1, container([(1, RECORDS)])),
    "3 records claimed, 2 held": ("records_damaged", 3, container([(3, RECORDS)])),
    "a record over two blocks": ("records_damaged", 2, container([(1, RECORDS[:6]), (1, RECORDS[6:])])),
    "1 claimed and 2 held, 2 claimed and 1 held": (
        "records_damaged",
        3,
        container([(1, RECORDS), (2, record("c", 3))]),
    ),
    "a hundred records one block late": (
        "records_damaged",
        200,
        container([(100, RECORDS * 50 + record("c", 3)), (100, RECORDS * 49 + record("c", 3))]),
    ),
    "a union index without a type": ("records_damaged", 2, container([(2, b"\x04" + RECORDS[1:])])),
    "a negative union index": ("records_damaged", 2, container([(2, b"\x01" + RECORDS[1:])])),
    "text that is no UTF-8": ("records_damaged", 1, container([(1, b"\x02" + text(b"\xff\xfe") + b"\x00")])),
    "half a surrogate pair": ("records_damaged", 1, container([(1, b"\x02" + text(b"\xed\xa0\x80") + b"\x00")])),
    "a boolean of 2": (
        "records_damaged",
        1,
        container([(1, ONE + b"\x02\x02")], schema_with(CODE, ("yes", ["null", "boolean"]))),
    ),
    "an integer of eleven bytes": ("records_damaged", 1, container([(1, ONE + b"\x02" + b"\xff" * 10 + b"\x01")])),
    "a decimal of 1 MB": (
        "records_damaged",
        1,
        container([(1, ONE + b"\x02" + text(b"\x7f" * 10**6))], schema_with(CODE, ("sum", ["null", TYPES["sum"]]))),
    ),
    "an array of 2^40 items": ("records_damaged", 1, container([(1, ONE + b"\x02" + varint(2**40))], CODE_AND_LIST)),
    "an array of -2^63 items": (
        "records_damaged",
        1,
        container([(1, ONE + b"\x02" + varint(-(2**63)) + varint(9))], CODE_AND_LIST),
    ),
    "an array that does not end": ("records_damaged", 1, container([(1, ONE + b"\x02\x02\x00")], CODE_AND_LIST)),
    "an array whose size is another": (
        "records_damaged",
        1,
        container([(1, ONE + b"\x02" + varint(-1) + varint(99) + b"\x00\x00")], CODE_AND_LIST),
    ),
}


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_a_hostile_batch_is_refused_with_its_reason_and_the_next_one_is_taken(decoder: Decoder, what: str):
    code, records, content = HOSTILE[what]
    refused = prepared(decoder, content, records)
    assert refused.refusal is not None
    assert refused.refusal["code"] == code
    assert refused.copy == b""
    following = prepared(decoder, GOOD, 2)
    assert (following.refusal, following.rows) == (None, 2)


def test_hostile_batches_leave_the_child_as_small_as_it_was(decoder: Decoder):
    prepared(decoder, GOOD, 2)
    for name in ("a deflate bomb", "a decimal of 1 MB", "a block of 2^40 records"):
        for _ in range(3):
            _, records, content = HOSTILE[name]
            prepared(decoder, content, records)
    assert psutil.Process(decoder.pid).memory_info().rss < 400 * 1024 * 1024


# Every flipped byte ---------------------------------------------------------------------------------------------------


def small() -> bytes:
    """Three records of every shape that damage could hide in, 400 bytes in all."""
    frame = pl.DataFrame(
        {
            "code": ["a", "b", None],
            "value": [1, -70_000, None],
            "yes": [True, False, None],
            "sum": pl.Series(["1.50", "-0.01", None]).cast(pl.Decimal(9, 2)),
            "list": pl.Series([["x", None], [], None], dtype=pl.List(pl.String)),
        }
    )
    return encode(CONTRACT, frame, "upsert")


def oracle(content: bytes) -> list[Any]:
    """The records as fastavro reads them: laxer than the hub, but a reading of its own."""
    return list(fastavro.reader(io.BytesIO(content)))


SMALL = small()
SMALL_RECORDS = oracle(SMALL)
SMALL_SCHEMA = walk(SMALL, LIMITS).schema


def read(content: bytes) -> tuple[Walked, list[Any] | None]:
    walked = walk(content, LIMITS)
    decoded = decode(CONTRACT, walked, "upsert")
    # Where a value was out of its type's meaning it is null and told; such a batch is not compared.
    return walked, None if decoded.text is not None else decoded.frame.to_dicts()


def refused_or_as_fastavro(content: bytes) -> str:
    """What became of a damaged container; never another reading than an independent one."""
    try:
        walked, records = read(content)
    except BatchError as refusal:
        return str(refusal.to_json()["code"])
    if walked.schema != SMALL_SCHEMA or records is None:
        return "another schema"
    assert records == oracle(content)
    return "same" if records == SMALL_RECORDS else "other values"


def test_the_small_container_is_right():
    assert refused_or_as_fastavro(SMALL) == "same"


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_flipped_byte_at_any_position_is_refused_or_read_as_others_read_it(codec: str):
    content = SMALL
    if codec == "deflate":
        walked = walk(SMALL, LIMITS)
        content = container([(3, deflate(walked.data))], schema=SMALL_SCHEMA, codec="deflate")
    chance = random.Random(20261124)
    outcomes: dict[str, int] = {}
    for at in range(len(content)):
        for change in {1, 0x80, chance.randrange(1, 256)}:
            flipped = content[:at] + bytes([content[at] ^ change]) + content[at + 1 :]
            outcome = refused_or_as_fastavro(flipped)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            with pytest.raises(BatchError):
                verify(envelope_of(content, 3), flipped)
    assert outcomes.keys() >= {"container_damaged", "field_unknown"}


def test_a_file_cut_off_anywhere_is_refused_or_empty():
    for length in range(len(SMALL)):
        try:
            walked, records = read(SMALL[:length])
        except BatchError:
            continue
        assert (walked.records, records) == (0, []), "only a file cut off after its header is whole"


def test_bytes_swapped_between_two_good_containers_never_mix_records():
    other = encode(CONTRACT, pl.DataFrame({"code": ["c" * 40], "value": [2**62]}), "upsert")
    for at in range(0, min(len(SMALL), len(other)), 3):
        refused_or_as_fastavro(SMALL[:at] + other[at:])
        refused_or_as_fastavro(other[:at] + SMALL[at:])


# Mutations ------------------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([0, 1, -1, 2, 63, 64, 2**31, -(2**31), 2**40, 2**62, -(2**63)])
PIECES = (
    st.binary(max_size=6) | NUMBERS.map(varint) | st.sampled_from([b"\x00" * 16, RECORDS, SMALL[-40:], b"\xff" * 11])
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(SMALL)), st.integers(0, 24), PIECES),
    min_size=1,
    max_size=4,
)


@given(EDITS)
@settings(max_examples=400, deadline=None)
def test_a_mutated_container_is_refused_by_a_batch_error_or_read_as_others_read_it(edits: list[tuple[int, int, bytes]]):
    content = SMALL
    for at, dropped, put in edits:
        content = content[:at] + put + content[at + dropped :]
    refused_or_as_fastavro(content)


BLOCK_SIZE = len(walk(SMALL, LIMITS).data)


@given(st.integers(0, 6), EDITS)
@settings(max_examples=400, deadline=None)
def test_mutated_records_in_a_right_container_are_refused_or_read_as_others_read_them(
    records: int, edits: list[tuple[int, int, bytes]]
):
    content = walk(SMALL, LIMITS).data
    for at, dropped, put in edits:
        place = at % (BLOCK_SIZE + 1)
        content = content[:place] + put + content[place + dropped :]
    made = container([(records, content)], schema=SMALL_SCHEMA)
    with suppress(BatchError):
        walked, found = read(made)
        assert walked.records == records
        assert found is None or (len(found) == records and found == oracle(made))


@given(
    st.lists(st.tuples(st.integers(-2, 5), st.binary(max_size=30)), max_size=4), st.sampled_from(["null", "deflate"])
)
@settings(max_examples=150, deadline=None)
def test_random_blocks_under_a_right_header_are_refused_or_counted(blocks: list[tuple[int, bytes]], codec: str):
    stored = [(records, deflate(content) if codec == "deflate" else content) for records, content in blocks]
    made = header(SMALL_SCHEMA, codec) + b"".join(block(records, content) for records, content in stored)
    with suppress(BatchError):
        walked, found = read(made)
        assert found is None or len(found) == walked.records == sum(records for records, _ in blocks)


def test_limits_hold_below_what_the_container_claims():
    many = container([(1, record("a", 1))] * 40)
    assert walk(many, LIMITS).records == 40
    for tight in (replace(LIMITS, records_max=39), replace(LIMITS, blocks_max=39), replace(LIMITS, bytes_max=100)):
        with pytest.raises(BatchError):
            walk(many, tight)


def test_the_contract_of_these_tests_is_what_its_containers_say():
    assert json.loads(json.dumps(SMALL_SCHEMA)) == CONTRACT.avro_schema()
