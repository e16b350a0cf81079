"""The bytes under a signature never change, and a signature has one form only."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import sm3_hex
from schemas.envelope import Envelope, KeyList, parse_envelope
from schemas.errors import SignatureMalformed
from schemas.signature import SignatureSlot, signing_input

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "envelope.json").read_text(encoding="utf-8")
)["vectors"]


def envelope_of(members: dict[str, Any]) -> Envelope:
    keys = None if members["keys"] is None else KeyList(**members["keys"])
    cut_at = datetime.fromisoformat(members["cut_at"]).astimezone(UTC)
    changed: dict[str, Any] = members | {"keys": keys, "cut_at": cut_at}
    return Envelope(**changed)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_fixed_envelope_has_fixed_signed_bytes_and_a_fixed_digest(vector: dict[str, Any]):
    envelope = envelope_of(vector["members"])
    assert signing_input(envelope) == vector["signed"].encode("ascii") == envelope.to_bytes()
    assert sm3_hex(signing_input(envelope)) == vector["sm3"]
    assert parse_envelope(vector["signed"].encode()) == envelope


def test_the_vectors_hold_every_operation():
    assert {vector["members"]["operation"] for vector in VECTORS} == {"upsert", "delete", "keys"}


def test_signed_bytes_begin_as_nothing_else_an_organization_signs():
    assert all(vector["signed"].startswith('{"batch":') for vector in VECTORS)


def integer(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes([2, len(content)]) + content


def sequence(*parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes([0x30, len(content)]) + content


def header(der: bytes, key_id: str = "gong-an-1") -> str:
    return f"{key_id}:{base64.b64encode(der).decode()}"


numbers = st.integers(1, 2**256 - 1)


@given(numbers, numbers, st.from_regex(r"[a-z][a-z0-9-]{0,63}", fullmatch=True))
def test_a_signature_reads_back_the_same(r: int, s: int, key_id: str):
    slot = SignatureSlot(key_id, sequence(integer(r), integer(s)))
    assert SignatureSlot.from_header(slot.to_header()) == slot


R, S = integer(2**255 + 7), integer(11)
RIGHT = sequence(R, S)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gong-an-1",
        "gong-an-1:",
        header(RIGHT, ""),
        header(RIGHT, "Gong"),
        header(RIGHT, "a" * 65),
        header(RIGHT) + "\n",
        header(RIGHT) + " ",
        header(RIGHT).replace(":", ": "),
        header(RIGHT).rstrip("="),
        header(RIGHT) + "==",
        header(RIGHT)[:-5],
        header(b""),
        header(RIGHT[:-1]),
        header(RIGHT + b"\x00"),
        header(b"\x31" + RIGHT[1:]),
        header(sequence(R)),
        header(sequence(R, S, S)),
        header(sequence(integer(0), S)),
        header(sequence(R, b"\x02\x01\x80")),
        header(sequence(R, b"\x02\x02\x00\x0b")),
        header(sequence(R, b"\x02\x00")),
        header(sequence(R, b"\x04\x01\x0b")),
        header(sequence(b"\x02\x22" + b"\x01" * 34, S)),
        header(b"\x30\x81" + RIGHT[1:]),
        header(b"\x30\x80" + R + S + b"\x00\x00"),
    ],
)
def test_another_form_is_malformed(text: str):
    with pytest.raises(SignatureMalformed) as refused:
        SignatureSlot.from_header(text)
    assert refused.value.sentence("zh")


def test_base64_has_one_spelling_too():
    # The last character of base64 carries bits that decode to nothing: another letter there, the same bytes.
    text = header(sequence(integer(2**120), integer(2**16)))
    assert text.endswith("==")
    twin = text[:-3] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[text[-3]] + "=="
    assert base64.b64decode(text.split(":")[1]) == base64.b64decode(twin.split(":")[1])
    with pytest.raises(SignatureMalformed):
        SignatureSlot.from_header(twin)


@given(st.text(max_size=120) | st.binary(max_size=72).map(header))
def test_no_text_does_worse_than_be_malformed(text: str):
    try:
        assert SignatureSlot.from_header(text).to_header() == text
    except SignatureMalformed as refused:
        refused.to_json()
