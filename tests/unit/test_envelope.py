import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import ENVELOPE_BYTES_MAX, Envelope, KeyList, Operation, parse_envelope
from schemas.errors import BatchError, EnvelopeMemberWrong, EnvelopeNotCanonical, EnvelopeUnreadable

ENVELOPE = Envelope(
    v=1,
    hub="420000",
    dataset="420000.resident",
    contract=1,
    organization="hubei-gongan",
    sender="hubei-gongan",
    batch="01936000-0000-7000-8000-000000000001",
    run="01936000-0000-7000-8000-000000000002",
    cut_at=datetime(2026, 11, 24, 8, 30, 0, 125, tzinfo=UTC),
    operation="upsert",
    records=25_000,
    first_row=0,
    bytes=3_800_000,
    sm3="66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    keys=None,
)
MEMBERS: dict[str, Any] = json.loads(ENVELOPE.to_bytes())


def canonical(members: dict[str, Any]) -> bytes:
    return rfc8785.dumps(members)


slugs = st.from_regex(r"[a-z][a-z0-9-]{1,39}", fullmatch=True)
counts = st.integers(0, 2**53 - 1)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    operation: Operation = draw(st.sampled_from(get_args(Operation)))
    key_list = st.builds(KeyList, part=st.integers(1, 2**31 - 1), total=st.none() | counts, confirm=st.booleans())
    return Envelope(
        v=1,
        hub=draw(st.from_regex(r"[0-9]{6}", fullmatch=True)),
        dataset=draw(st.from_regex(r"[0-9]{6}\.[a-z][a-z0-9_]{0,62}", fullmatch=True)),
        contract=draw(st.integers(1, 2**31 - 1)),
        organization=draw(slugs),
        sender=draw(slugs),
        batch=str(draw(st.uuids(version=4))),
        run=str(draw(st.uuids(version=4))),
        cut_at=draw(st.datetimes(timezones=st.just(UTC))),
        operation=operation,
        records=draw(st.integers(0 if operation == "keys" else 1, 2**53 - 1)),
        first_row=draw(counts),
        bytes=draw(st.integers(1, 2**53 - 1)),
        sm3=draw(st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
        keys=draw(key_list) if operation == "keys" else None,
    )


@given(envelopes())
def test_what_is_written_reads_back_the_same(envelope: Envelope):
    text = envelope.to_bytes()
    assert parse_envelope(text) == envelope
    assert parse_envelope(text).to_bytes() == text


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_do_worse_than_be_refused(text: bytes):
    with pytest.raises(BatchError):
        parse_envelope(text)


@given(st.integers(0, len(ENVELOPE.to_bytes()) - 1), st.integers(1, 255))
def test_a_changed_byte_never_reads_as_the_same_envelope(at: int, change: int):
    text = bytearray(ENVELOPE.to_bytes())
    text[at] ^= change
    try:
        assert parse_envelope(bytes(text)) != ENVELOPE
    except BatchError as refused:
        refused.to_json()


def test_the_canonical_bytes_are_fixed():
    assert ENVELOPE.to_bytes() == (
        b'{"batch":"01936000-0000-7000-8000-000000000001","bytes":3800000,"contract":1,'
        b'"cut_at":"2026-11-24T08:30:00.000125Z","dataset":"420000.resident","first_row":0,"hub":"420000","keys":null,'
        b'"operation":"upsert","organization":"hubei-gongan","records":25000,"run":"01936000-0000-7000-8000-000000000002",'
        b'"sender":"hubei-gongan","sm3":"66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0","v":1}'
    )


def test_the_time_is_written_at_utc_whatever_zone_it_came_in():
    shanghai = replace(ENVELOPE, cut_at=ENVELOPE.cut_at.astimezone(timezone(timedelta(hours=8))))
    assert shanghai.to_bytes() == ENVELOPE.to_bytes()


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_missing_member_is_named(name: str):
    rest = {key: value for key, value in MEMBERS.items() if key != name}
    with pytest.raises(EnvelopeMemberWrong) as refused:
        parse_envelope(canonical(rest))
    assert refused.value.member == name


def test_an_unknown_member_is_named_in_harmless_characters():
    with pytest.raises(EnvelopeMemberWrong) as refused:
        parse_envelope(canonical(MEMBERS | {"\x1b[31m多余" + "x" * 500: 1}))
    assert refused.value.member.isascii()
    assert refused.value.member.isprintable()
    assert len(refused.value.member) <= 64


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 2),
        ("v", True),
        ("hub", "42000"),
        ("hub", "42000０"),
        ("dataset", "resident"),
        ("dataset", "420000.resident\n"),
        ("dataset", "420000._resident"),
        ("contract", 0),
        ("contract", True),
        ("contract", "1"),
        ("organization", "湖北公安"),
        ("sender", ""),
        ("batch", "01936000-0000-7000-8000-00000000000G"),
        ("batch", "01936000-0000-7000-8000-00000000000A"),
        ("batch", "00000000-0000-0000-0000-000000000000"),
        ("run", 7),
        ("cut_at", "2026-11-24T08:30:00Z"),
        ("cut_at", "2026-11-24T08:30:00.000125+00:00"),
        ("cut_at", "2026-02-30T08:30:00.000125Z"),
        ("cut_at", 1),
        ("operation", "UPSERT"),
        ("operation", ["upsert"]),
        ("records", -1),
        ("records", None),
        ("first_row", -1),
        ("bytes", 0),
        ("sm3", "66C7" + "0" * 60),
        ("keys", []),
    ],
)
def test_a_wrong_member_is_named(name: str, value: object):
    with pytest.raises(EnvelopeMemberWrong) as refused:
        parse_envelope(json.dumps(MEMBERS | {name: value}, ensure_ascii=False, sort_keys=True).encode())
    assert refused.value.member == name


@pytest.mark.parametrize(
    "key_list",
    [
        {"part": 0, "total": None, "confirm": False},
        {"part": 1, "total": -1, "confirm": False},
        {"part": 1, "total": True, "confirm": False},
        {"part": 1, "total": None, "confirm": 0},
        {"part": 1, "total": None},
        {"part": 1, "total": None, "confirm": False, "more": 1},
    ],
)
def test_a_wrong_key_list_is_refused(key_list: dict[str, object]):
    with pytest.raises(EnvelopeMemberWrong) as refused:
        parse_envelope(canonical(MEMBERS | {"operation": "keys", "keys": key_list}))
    assert refused.value.member.startswith("keys.")


def test_a_key_list_goes_with_its_operation_only():
    key_list = {"part": 1, "total": None, "confirm": False}
    for members in (MEMBERS | {"keys": key_list}, MEMBERS | {"operation": "keys"}):
        with pytest.raises(EnvelopeMemberWrong):
            parse_envelope(canonical(members))


def test_only_a_key_list_may_be_empty():
    with pytest.raises(EnvelopeMemberWrong) as refused:
        parse_envelope(canonical(MEMBERS | {"records": 0}))
    assert refused.value.member == "records"
    empty = replace(ENVELOPE, operation="keys", records=0, keys=KeyList(part=1, total=0, confirm=True))
    assert parse_envelope(empty.to_bytes()) == empty


TEXT = ENVELOPE.to_bytes().decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        TEXT[:-1],
        TEXT + "x",
        "\ufeff" + TEXT,
        TEXT.replace('"v":1', '"v":1,"v":1'),
        TEXT.replace('"v":1', '"v":1.0'),
        TEXT.replace('"v":1', '"v":1e0'),
        TEXT.replace('"v":1', '"v":1e400'),
        TEXT.replace('"v":1', '"v":NaN'),
        TEXT.replace('"v":1', '"v":-Infinity'),
        TEXT.replace('"v":1', '"v":9223372036854775809'),
        TEXT.replace('"v":1', '"v":' + "9" * 3_000),
        TEXT.replace('"hubei-gongan"', '"\\ud800"', 1),
        TEXT.replace('"v":1', '"v":' + "[" * 1_500 + "]" * 1_500),
        TEXT.replace('"v":1', '"v":' + '{"a":' * 300 + "1" + "}" * 300),
        TEXT + " " * ENVELOPE_BYTES_MAX,
    ],
)
def test_what_is_no_strict_json_is_refused_as_such(text: str):
    with pytest.raises(EnvelopeUnreadable) as refused:
        parse_envelope(text.encode("utf-8", "surrogatepass"))
    assert len(refused.value.sentence("en")) < 200


def test_bytes_that_are_not_utf8_are_refused():
    with pytest.raises(EnvelopeUnreadable):
        parse_envelope(ENVELOPE.to_bytes().replace(b"hubei", b"h\xff\xfee"))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(MEMBERS),
        TEXT.replace('"v":1', '"v":1 '),
        TEXT.replace("hubei-gongan", "\\u0068ubei-gongan", 1),
        json.dumps(dict(sorted(MEMBERS.items(), reverse=True)), separators=(",", ":")),
    ],
)
def test_another_spelling_of_the_same_content_is_refused(text: str):
    with pytest.raises(EnvelopeNotCanonical):
        parse_envelope(text.encode())
