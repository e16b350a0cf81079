"""The verifier an auditor runs: alone in a folder, with an interpreter that knows the standard library only."""

import base64
import copy
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_maker import KeySigner, leaf

from hub.ledger import verify_standalone
from hub.ledger.checkpoint import Checkpoint, Note, signature_line, signed
from hub.ledger.leaf import record
from hub.ledger.proof import consistency_path, inclusion_path
from hub.ledger.tree import EMPTY_ROOT, Tree, leaf_hashes, node_from_tile, place_of
from hub.ledger.verify_standalone import sm2_verifies, sm3_in_python

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ORIGIN = "hub/ledger/x"
SIZE, EARLIER = 21, 13
SIGNER, WITNESS = KeySigner(), KeySigner()
Bundle = dict[str, Any]


@dataclass(frozen=True)
class Export:
    """What the hub exported, in a bare folder."""

    folder: Path
    bundle: Bundle

    def verify(self, bundle: object, *options: str) -> "subprocess.CompletedProcess[str]":
        (self.folder / "bundle.json").write_text(json.dumps(bundle), encoding="utf-8")
        command = [sys.executable, "-I", "-S", "verify_standalone.py", "bundle.json", "--key", "ledger.pem", *options]
        return subprocess.run(command, cwd=self.folder, env={}, capture_output=True, text=True, check=False, timeout=60)


def base64_of(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    folder = tmp_path_factory.mktemp("auditor")
    shutil.copy(verify_standalone.__file__, folder / "verify_standalone.py")
    (folder / "ledger.pem").write_text(SIGNER.public_pem, encoding="utf-8")
    (folder / "w1.pem").write_text(WITNESS.public_pem, encoding="utf-8")
    (folder / "other.pem").write_text(KeySigner().public_pem, encoding="utf-8")
    records = [record(leaf(number), ORIGIN, NOW) for number in range(SIZE)]
    hashes = leaf_hashes([one.record for one in records])
    tree, roots, tiles = Tree(), {0: EMPTY_ROOT}, dict[tuple[int, int], bytes]()
    for one in hashes:
        tiles |= tree.extend([one])
        roots[tree.size] = tree.root()

    def node(level: int, index: int) -> bytes:
        return node_from_tile(tiles[place_of(level, index)], level, index)

    head = Checkpoint(ORIGIN, SIZE, roots[SIZE], 1_795_000_000_000, EARLIER, roots[EARLIER])
    note = signed(head, ORIGIN, SIGNER)
    note = replace(note, signatures=(*note.signatures, signature_line(head, "witness-1", WITNESS)))
    before = signed(Checkpoint(ORIGIN, EARLIER, roots[EARLIER], 1_794_000_000_000, 0, EMPTY_ROOT), ORIGIN, SIGNER)
    (folder / "earlier.txt").write_text(before.to_text(), encoding="utf-8")
    forked = Checkpoint(ORIGIN, EARLIER, bytes(32), 1_794_000_000_000, 0, EMPTY_ROOT)
    (folder / "forked.txt").write_text(signed(forked, ORIGIN, SIGNER).to_text(), encoding="utf-8")
    bundle = {
        "v": 1,
        "leaf": records[6].id,
        "record": base64.b64encode(records[6].record).decode(),
        "index": 6,
        "size": SIZE,
        "path": base64_of(inclusion_path(6, SIZE, node)),
        "checkpoint": note.to_text(),
        "keys": [],
        "consistency": {"from": EARLIER, "path": base64_of(consistency_path(EARLIER, SIZE, node))},
    }
    return Export(folder, bundle)


def test_a_right_bundle_is_verified_by_the_standard_library_alone(export: Export):
    done = export.verify(export.bundle, "--witness", "witness-1=w1.pem", "--earlier", "earlier.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OK  ")
    assert f"grant.given  grant:6  6/{SIZE}" in done.stdout


def test_several_bundles_are_verified_one_by_one(export: Export):
    done = export.verify([export.bundle, export.bundle])
    assert (done.returncode, done.stdout.count("OK")) == (0, 2)


def flipped(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[7] ^= 1
    return base64.b64encode(raw).decode()


def resigned(bundle: Bundle) -> str:
    """The same head under another key."""
    head, _, _ = verify_standalone.read_checkpoint(bundle["checkpoint"])
    return signed(Checkpoint(*head, 1_795_000_000_000, 0, EMPTY_ROOT), ORIGIN, KeySigner()).to_text()


def mangled_der(bundle: Bundle) -> str:
    """The same signature, its length written in the long form."""
    text, _, lines = bundle["checkpoint"].partition("\n\n")
    dash, name, raw = lines.split("\n")[0].split(" ")
    whole = base64.b64decode(raw)
    long_form = whole[:4] + b"\x30\x81" + whole[5:]
    return f"{text}\n\n{dash} {name} {base64.b64encode(long_form).decode()}\n"


def _change(name: str, value: object) -> Callable[[Bundle], None]:
    def change(bundle: Bundle) -> None:
        bundle[name] = value(bundle) if callable(value) else value

    return change


WRONG: dict[str, Callable[[Bundle], None]] = {
    "a flipped byte of the record": _change("record", lambda bundle: flipped(bundle["record"])),
    "another index": _change("index", 7),
    "an index outside": _change("index", SIZE),
    "an index that is none": _change("index", True),
    "another size": _change("size", SIZE + 1),
    "a shorter path": _change("path", lambda bundle: bundle["path"][:-1]),
    "a longer path": _change("path", lambda bundle: [*bundle["path"], bundle["path"][0]]),
    "a changed path": _change("path", lambda bundle: [flipped(bundle["path"][0]), *bundle["path"][1:]]),
    "a path of no hashes": _change("path", ["AAAA"]),
    "no path": _change("path", None),
    "another leaf's id": _change("leaf", "01890000-0000-7000-8000-000000000000"),
    "a checkpoint of another key": _change("checkpoint", resigned),
    "a changed size in the checkpoint": _change(
        "checkpoint", lambda bundle: bundle["checkpoint"].replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n")
    ),
    "a signature not in canonical DER": _change("checkpoint", mangled_der),
    "an unknown line": _change("checkpoint", lambda bundle: bundle["checkpoint"].replace("\n\n", "\nx 1\n\n")),
    "no checkpoint": _change("checkpoint", ""),
    "no record": _change("record", None),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_bundle_is_refused(export: Export, case: str):
    bundle = copy.deepcopy(export.bundle)
    WRONG[case](bundle)
    done = export.verify(bundle)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("WRONG  ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--witness", "witness-1=other.pem"],
        ["--witness", "witness-2=w1.pem"],
        ["--earlier", "forked.txt"],
        ["--earlier", "ledger.pem"],
        ["--earlier", "nothing.txt"],
    ],
)
def test_a_witness_or_a_past_that_does_not_fit_is_refused(export: Export, options: list[str]):
    done = export.verify(export.bundle, *options)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)


def test_what_is_no_bundle_is_refused(export: Export):
    for nothing in ([], 7, {"a": 1}, [[]], None):
        assert export.verify(nothing).returncode == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")
def test_openssl_gives_the_second_opinion_the_docstring_promises(export: Export):
    assert export.verify(export.bundle, "--write-signed", "head.txt", "s").returncode == 0
    command = ["openssl", "dgst", "-sm3", "-verify", "ledger.pem", "-sigopt", "distid:1234567812345678"]
    done = subprocess.run(
        [*command, "-signature", "s", "head.txt"], cwd=export.folder, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "Verified OK"


def test_sm3_in_plain_python_is_the_standards():
    assert sm3_in_python(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3_in_python(b"") == EMPTY_ROOT


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_sm3_in_plain_python_is_hashlibs(message: bytes):
    assert sm3_in_python(message) == hashlib.new("sm3", message).digest()


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=200))
def test_sm2_in_plain_python_accepts_what_openssl_signs_and_nothing_else(message: bytes):
    signer = KeySigner()
    point = verify_standalone.point_of_pem(signer.public_pem)
    der = signer.sign(message)
    assert sm2_verifies(point, message, der)
    assert not sm2_verifies(point, message + b"x", der)
    assert not sm2_verifies(point, message, der[:-1] + bytes([der[-1] ^ 1]))


def test_a_note_is_read_by_both_verifiers_alike(export: Export):
    head, text, signatures = verify_standalone.read_checkpoint(export.bundle["checkpoint"])
    assert head[:2] == (ORIGIN, SIZE)
    note = Note(Checkpoint(ORIGIN, SIZE, head[2], 1_795_000_000_000, EARLIER, EMPTY_ROOT), ())
    assert len(signatures) == 2
    assert text.startswith(note.checkpoint.to_text().split(b"ts")[0])
