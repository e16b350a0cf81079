import base64
import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_maker import KeySigner

from hub.ledger.checkpoint import (
    NOTE_BYTES_MAX,
    Checkpoint,
    Note,
    SignatureLine,
    key_id_of,
    parse_line,
    parse_note,
    signature_line,
    signed,
)
from hub.ledger.errors import CheckpointWrong
from hub.ledger.tree import EMPTY_ROOT

SIGNER = KeySigner()
HASH = st.binary(min_size=32, max_size=32)
SIZE = st.integers(0, 10**18)
CHECKPOINT = Checkpoint("hub/ledger/x", 7, bytes(range(32)), 1_795_000_000_000, 3, EMPTY_ROOT)


@given(SIZE, HASH, st.integers(1, 10**14), SIZE, HASH, st.none() | HASH, st.integers(1, 4))
def test_a_note_is_read_as_it_was_written(
    size: int, root: bytes, time: int, before: int, before_root: bytes, sha256: bytes | None, signatures: int
):
    checkpoint = Checkpoint("hub/ledger/x", size, root, time, before, before_root, sha256)
    lines = tuple(SignatureLine(f"key-{number}", bytes(4), b"x" * 70) for number in range(signatures))
    note = Note(checkpoint, lines)
    assert parse_note(note.to_text().encode()) == note


def test_the_text_is_as_the_rules_say():
    lines = signed(CHECKPOINT, CHECKPOINT.origin, SIGNER).to_text().split("\n")
    root = base64.b64encode(CHECKPOINT.root).decode()
    before = base64.b64encode(EMPTY_ROOT).decode()
    assert lines[:6] == ["hub/ledger/x", "7", root, "ts 1795000000000", f"prev 3 {before}", ""]
    assert lines[6].startswith("— hub/ledger/x ")
    assert lines[7:] == [""]


def test_a_signature_holds_for_its_key_and_text_only():
    note = signed(CHECKPOINT, CHECKPOINT.origin, SIGNER)
    note.verify(CHECKPOINT.origin, SIGNER.public_pem)
    assert not note.signed_by(CHECKPOINT.origin, KeySigner().public_pem)
    assert not note.signed_by("another", SIGNER.public_pem)
    assert not replace(note, checkpoint=replace(CHECKPOINT, size=8)).signed_by(CHECKPOINT.origin, SIGNER.public_pem)


def test_a_signature_not_in_canonical_der_is_refused():
    line = signature_line(CHECKPOINT, CHECKPOINT.origin, SIGNER)
    der = line.der
    length = der[3]
    padded = b"\x30" + bytes([der[1] + 1]) + b"\x02" + bytes([length + 1]) + b"\x00" + der[4:]
    long_form = b"\x30\x81" + der[1:]
    trailing = der + b"\x00"
    for wrong in (padded, long_form, trailing, der[:-1], b""):
        note = Note(CHECKPOINT, (replace(line, der=wrong),))
        assert not note.signed_by(CHECKPOINT.origin, SIGNER.public_pem)


def test_a_key_id_depends_on_name_and_key():
    one, other = (base64.b64decode("AA==") * 65, b"\x01" * 65)
    assert len({key_id_of("a", one), key_id_of("b", one), key_id_of("a", other)}) == 3


def _text(change: tuple[str, str] = ("", "")) -> bytes:
    return Note(CHECKPOINT, (SignatureLine("k", bytes(4), b"x" * 70),)).to_text().replace(*change, 1).encode()


ROOT = base64.b64encode(CHECKPOINT.root).decode()
WRONG = {
    "no blank line": _text(("\n\n", "\n")),
    "no last line end": _text()[:-1],
    "a leading zero": _text(("\n7\n", "\n07\n")),
    "a negative size": _text(("\n7\n", "\n-7\n")),
    "too large a size": _text(("\n7\n", "\n" + "9" * 20 + "\n")),
    "a root of 31 bytes": _text((ROOT, base64.b64encode(bytes(31)).decode())),
    "base64 written otherwise": _text((ROOT, ROOT[:-2] + chr(ord(ROOT[-2]) + 1) + "=")),
    "a space before": _text(("ts ", " ts ")),
    "an unknown line": _text(("\n\n", "\nmore 1\n\n")),
    "a repeated line": _text(("ts 1795000000000\n", "ts 1795000000000\nts 1795000000000\n")),
    "carriage returns": _text(("\n", "\r\n")),
    "another dash": _text(("— ", "- ")),
    "a name with a plus": _text(("— k ", "— k+ ")),
    "a name with a space": _text(("hub/ledger/x", "hub ledger")),
    "not UTF-8": b"\xff" + _text(),
    "too long": _text() + b"x" * NOTE_BYTES_MAX,
    "no signature": _text().split(b"\n\n")[0] + b"\n\n",
    "one key twice": Note(CHECKPOINT, (SignatureLine("k", bytes(4), b"x" * 70),) * 2).to_text().encode(),
    "too many": Note(CHECKPOINT, tuple(SignatureLine(f"k{n}", bytes(4), b"x") for n in range(17))).to_text().encode(),
    "a signature too long": Note(CHECKPOINT, (SignatureLine("k", bytes(4), b"x" * 73),)).to_text().encode(),
    "nothing": b"",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_every_other_way_to_write_a_note_is_refused(text: bytes):
    with pytest.raises(CheckpointWrong):
        parse_note(text)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_no_text_at_all_breaks_the_parser(text: bytes):
    with contextlib.suppress(CheckpointWrong):
        assert parse_note(text).to_text().encode() == text


def test_a_line_is_read_as_it_was_written():
    line = signature_line(CHECKPOINT, "witness-1", SIGNER)
    assert parse_line(line.to_text()) == line
    with pytest.raises(CheckpointWrong):
        parse_line("hello\n")
