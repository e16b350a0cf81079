"""The walk over hostile container files. Containers are made by hand: no library writes what is tested here."""

import hashlib
import io
import json
import random
import time
import tracemalloc
import uuid
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import fastavro
import pytest
from container_maker import RECORDS, SCHEMA, SYNC, container, deflate, header, varint
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import Limits, Walked, sm3_hex, uuid7, verify, walk, write_container
from schemas.container_errors import (
    CodecUnknown,
    ContainerDamaged,
    ContainerForeign,
    ContainerTruncated,
    WriterSchemaWrong,
)
from schemas.envelope import Envelope
from schemas.errors import BatchError, BatchTooLarge, BytesDiffer, DigestDiffers, RecordsDiffer

LIMITS = Limits()
NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
GOOD = container([(2, RECORDS)])


def envelope_of(content: bytes, records: int) -> Envelope:
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


E = TypeVar("E", bound=BatchError)


def refused(kind: type[E], content: bytes, limits: Limits = LIMITS) -> E:
    """The refusal, after a look that it was cheap and speaks both languages."""
    started = time.process_time()
    with pytest.raises(BatchError):
        walk(content, limits)
    assert time.process_time() - started < 1
    tracemalloc.start()  # a look of its own: tracing slows what it traces
    with pytest.raises(BatchError) as caught:
        walk(content, limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * limits.inflated_bytes_max
    assert type(caught.value) is kind
    assert "{" not in caught.value.sentence("zh") + caught.value.sentence("en")
    return caught.value


# What is right --------------------------------------------------------------------------------------------------------


def test_a_plain_container_is_walked_without_copying():
    walked = walk(GOOD, LIMITS)
    assert (walked.records, walked.codec, walked.sync, walked.schema) == (2, "null", SYNC, SCHEMA)
    assert walked.data == RECORDS
    assert isinstance(walked.blocks[0].data, memoryview)


def test_several_deflated_blocks_are_inflated_in_order():
    walked = walk(container([(1, deflate(b"ab")), (3, deflate(b"cdef"))], codec="deflate"), LIMITS)
    assert [(one.records, bytes(one.data)) for one in walked.blocks] == [(1, b"ab"), (3, b"cdef")]


def test_a_container_without_blocks_or_with_an_empty_one_has_no_records():
    assert walk(header(), LIMITS).records == 0
    assert walk(container([(0, b"")]), LIMITS).records == 0
    assert walk(container([(0, b"")], codec="deflate"), LIMITS).records == 0


def test_the_codec_is_null_where_none_is_named():
    assert walk(container([(2, RECORDS)], codec=None), LIMITS).codec == "null"


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_what_fastavro_writes_is_walked(codec: str):
    buffer = io.BytesIO()
    rows = [{"code": f"k{n}", "value": n} for n in range(3_000)]
    fastavro.writer(buffer, dict(SCHEMA), rows, codec=codec, sync_interval=2_000, metadata={"made.by": "a test"})
    walked = walk(buffer.getvalue(), LIMITS)
    assert walked.records == 3_000
    assert len(walked.blocks) > 3


def test_a_rewritten_container_has_one_block_of_the_same_bytes():
    walked = walk(container([(1, deflate(b"ab")), (3, deflate(b"cdef"))], codec="deflate"), LIMITS)
    text = json.dumps(walked.schema).encode()
    again = walk(write_container(text, walked.records, tuple(one.data for one in walked.blocks)), LIMITS)
    assert (again.schema, again.records, again.data) == (walked.schema, 4, b"abcdef")
    assert len(again.blocks) == 1


# What is hostile ------------------------------------------------------------------------------------------------------


def test_another_kind_of_file_is_refused():
    for content in (b"", b"Obj", b"Obj\x02" + GOOD[4:], b"PK\x03\x04" + b"\x00" * 100, b"{}", b"PAR1"):
        refused(ContainerForeign, content)


def test_every_truncation_is_refused():
    for length in range(4, len(GOOD)):
        if length == len(header()):
            continue  # a file that ends after its header is whole, and empty
        refused(ContainerTruncated, GOOD[:length])


def test_trailing_bytes_are_refused():
    for tail in (b"x", b"\x00", RECORDS, b"\x80", SYNC, b"\x00" * 64):
        with pytest.raises(BatchError):
            walk(GOOD + tail, LIMITS)


def test_a_changed_sync_marker_is_refused():
    refused(ContainerDamaged, header() + block_with_sync(b"\x9a" * 15 + b"\x00"))


def block_with_sync(sync: bytes) -> bytes:
    return varint(2) + varint(len(RECORDS)) + RECORDS + sync


@pytest.mark.parametrize("count", [50_001, 2**31, 2**40, 2**62])
def test_a_huge_block_count_is_refused(count: int):
    assert refused(BatchTooLarge, container([(count, RECORDS)])).maximum == LIMITS.records_max


def test_counts_that_add_up_beyond_the_limit_are_refused():
    refused(BatchTooLarge, container([(2, RECORDS)] * 3), replace(LIMITS, records_max=5))
    refused(BatchTooLarge, container([(2, RECORDS)] * 3), replace(LIMITS, blocks_max=2))


def test_a_flood_of_empty_blocks_is_refused():
    refused(BatchTooLarge, header() + (b"\x00\x00" + SYNC) * 200_000)


@pytest.mark.parametrize("count", [-1, -(2**40), -(2**63)])
def test_negative_counts_and_sizes_are_refused(count: int):
    refused(ContainerDamaged, header() + varint(count) + varint(len(RECORDS)) + RECORDS + SYNC)
    refused(ContainerDamaged, header() + varint(2) + varint(count) + RECORDS + SYNC)
    refused(ContainerDamaged, b"Obj\x01" + varint(count) + GOOD[5:])
    refused(ContainerDamaged, b"Obj\x01" + varint(1) + varint(count) + GOOD[6:])


@pytest.mark.parametrize("number", [b"\x80" * 10 + b"\x01", b"\xff" * 9 + b"\x02", b"\xff" * 200])
def test_integers_that_are_too_long_are_refused(number: bytes):
    refused(ContainerDamaged, header() + number + GOOD[len(header()) :])
    refused(ContainerDamaged, header() + varint(2) + number + RECORDS + SYNC)
    refused(ContainerDamaged, b"Obj\x01" + number)


def test_a_block_said_to_be_two_gigabytes_is_refused():
    for size in (2**31, 2**40, 2**62):
        refused(ContainerTruncated, header() + varint(2) + varint(size) + RECORDS + SYNC)


def test_more_records_than_bytes_are_refused():
    refused(ContainerDamaged, container([(49_000, RECORDS)]))
    refused(ContainerDamaged, container([(1, b"")]))
    refused(ContainerDamaged, container([(49_000, deflate(b"\x00" * 1_000))], codec="deflate"))


def test_a_block_without_records_must_be_empty():
    refused(ContainerDamaged, container([(0, RECORDS)]))


def test_a_deflate_bomb_is_refused_before_it_unfolds():
    bomb = deflate(b"\x00" * 300_000_000)
    assert len(bomb) < 300_000
    refused(BatchTooLarge, container([(2, bomb)], codec="deflate"))


def test_a_bomb_in_many_blocks_meets_the_same_bound():
    part = deflate(b"\x00" * 20_000_000)
    refused(BatchTooLarge, container([(2, part)] * 10, codec="deflate"))


@pytest.mark.parametrize(
    "stored",
    [deflate(RECORDS)[:-1], deflate(RECORDS) + b"x", zlib.compress(RECORDS), b"\xff" * 20, deflate(RECORDS) * 2],
)
def test_a_deflate_stream_must_end_where_its_block_does(stored: bytes):
    refused(ContainerDamaged, container([(2, stored)], codec="deflate"))


@pytest.mark.parametrize("codec", ["snappy", "zstandard", "bzip2", "xz", "", "NULL", "\x1b[31m" + "x" * 300])
def test_an_unknown_codec_is_named(codec: str):
    named = refused(CodecUnknown, container([(2, RECORDS)], codec=codec)).codec
    assert len(named) <= 32
    assert named.isprintable()


def test_metadata_are_bounded():
    refused(BatchTooLarge, b"Obj\x01" + varint(2**40))
    refused(BatchTooLarge, b"Obj\x01" + varint(65) + (varint(1) + b"k" + varint(0)) * 65)
    refused(BatchTooLarge, b"Obj\x01" + varint(1) + varint(2**31))
    refused(BatchTooLarge, b"Obj\x01" + varint(1) + varint(1) + b"k" + varint(2**31))
    refused(BatchTooLarge, container([(2, RECORDS)], schema=b'"' + b"x" * 300_000 + b'"'))


def test_two_metadata_entries_of_one_name_are_refused():
    entry = varint(11) + b"avro.schema" + varint(2) + b"{}"
    refused(ContainerDamaged, b"Obj\x01" + varint(2) + entry + entry + b"\x00" + SYNC)
    refused(ContainerDamaged, b"Obj\x01" + (varint(1) + entry) * 2 + b"\x00" + SYNC)


@pytest.mark.parametrize(
    "schema",
    [
        b"",
        b"null",
        b'"string"',
        b"[]",
        b"{",
        b'{"type":"record","type":"record"}',
        b'{"type":"\\ud800"}',
        b"\xff\xfe",
        b'{"size":1e400}',
        b'{"size":' + b"9" * 5_000 + b"}",
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"[" * 100_000,
    ],
)
def test_a_schema_that_is_no_strict_json_object_is_refused(schema: bytes):
    refused(WriterSchemaWrong, container([(2, RECORDS)], schema=schema))


def test_a_container_without_schema_is_refused():
    refused(WriterSchemaWrong, b"Obj\x01" + varint(1) + varint(1) + b"k" + varint(0) + b"\x00" + SYNC)


def test_a_container_over_the_limit_is_not_looked_at():
    refused(BatchTooLarge, b"x" * 101, replace(LIMITS, bytes_max=100))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_walked_or_refused(at: int, change: int):
    content = bytearray(GOOD)
    content[at] ^= change
    try:
        assert isinstance(walk(bytes(content), LIMITS), Walked)
    except BatchError as error:
        error.to_json()


@given(st.binary(max_size=400))
def test_no_bytes_after_the_header_do_worse_than_be_refused(tail: bytes):
    try:
        assert walk(header() + tail, LIMITS).records <= len(tail)
    except BatchError as error:
        error.to_json()


# Container and envelope -----------------------------------------------------------------------------------------------


def test_the_container_must_be_the_one_of_its_envelope():
    envelope = envelope_of(GOOD, 2)
    verify(envelope, GOOD)
    with pytest.raises(BytesDiffer):
        verify(envelope, GOOD[:-1])
    with pytest.raises(DigestDiffers):
        verify(envelope, GOOD[:-1] + b"x")


@pytest.mark.parametrize("records", [1, 3])
def test_the_number_of_records_must_be_the_one_of_its_envelope(records: int):
    with pytest.raises(RecordsDiffer) as caught:
        verify(envelope_of(GOOD, records), GOOD)
    assert (caught.value.expected, caught.value.found) == (records, 2)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_every_flipped_byte_is_found_by_the_digest(at: int, change: int):
    content = bytearray(GOOD)
    content[at] ^= change
    with pytest.raises(DigestDiffers):
        verify(envelope_of(GOOD, 2), bytes(content))


def test_a_container_that_cannot_be_counted_is_refused():
    content = header() + varint(-5)
    with pytest.raises(ContainerDamaged):
        verify(envelope_of(content, 1), content)


# Digest and ids -------------------------------------------------------------------------------------------------------


def test_sm3_gives_the_published_digests():
    # GB/T 32905-2016, annex A.
    assert sm3_hex(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3_hex(b"abcd" * 16) == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    assert sm3_hex(memoryview(b"abc")) == hashlib.new("sm3", b"abc").hexdigest()


def test_uuid7_has_the_published_form():
    # RFC 9562, appendix A.6.
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    text = uuid7(moment, lambda count: bytes.fromhex("0cc318c4dc0c0c07398f")[:count])
    assert text == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_uuid7_sorts_by_time_and_is_a_uuid():
    rng = random.Random(1)
    ids = [
        uuid7(datetime.fromtimestamp(seconds, UTC), rng.randbytes) for seconds in range(0, 4_000_000_000, 40_000_000)
    ]
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
