"""Checkpoints: the ledger's head as a signed text anyone can keep, compare and verify with a command line.

``origin LF size LF base64(root) LF "ts <unix-ms>" LF "prev <size> <base64 root>" LF ["sha256 <base64>" LF]``, a blank
line, then a line for each signature, ``— <key name> base64(key id ‖ signature)``: C2SP's signed note. A signature is
SM2 with SM3 in DER, identifier 1234567812345678, over the text with its last LF. A key's id is the first four bytes of
SHA-256(name ‖ 0x0A ‖ type ‖ point); the type is C2SP's 0xff, which stands for "named by what follows", and ``sm2-sm3``.

One checkpoint has one form: sizes are capped, and repeated, unknown or differently written lines are refused.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hub.ledger.errors import CheckpointWrong
from hub.ledger.tree import HASH_BYTES
from schemas.national.sm2 import PublicKey

NOTE_BYTES_MAX: Final = 8_192
SIGNATURES_MAX: Final = 16
SIGNATURE_BYTES_MAX: Final = 72
KEY_ID_BYTES: Final = 4
KEY_TYPE: Final = b"\xffsm2-sm3"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_NUMBER = r"(0|[1-9][0-9]{0,18})"  # below 2^63 and a little: a bigint is looked for where it counts
_SIZE = re.compile(_NUMBER)
_TIME = re.compile(r"ts ([1-9][0-9]{0,14})")
_PREVIOUS = re.compile(rf"prev {_NUMBER} (\S{{44}})")
_SHA256 = re.compile(r"sha256 (\S{44})")
_SIGNATURE = re.compile(r"— (\S{1,100}) (\S{1,120})")


class Signer(Protocol):
    """A private key that signs, wherever it is kept."""

    @property
    def public_pem(self) -> str:
        """The public key, PEM."""
        ...

    def sign(self, message: bytes) -> bytes:
        """SM2 with SM3 in DER."""
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head of the tree.

    Args:
        origin: the ledger's name.
        size: leaves in the tree.
        root: MTH of them.
        unix_ms: when it was signed.
        previous_size: of the checkpoint before it; 0 for the first.
        previous_root: of the checkpoint before it.
        sha256: root of a parallel tree under SHA-256, where there is one.
    """

    origin: str
    size: int
    root: bytes
    unix_ms: int
    previous_size: int
    previous_root: bytes
    sha256: bytes | None = None

    def to_text(self) -> bytes:
        """What is signed."""
        lines = [
            self.origin,
            str(self.size),
            _base64(self.root),
            f"ts {self.unix_ms}",
            f"prev {self.previous_size} {_base64(self.previous_root)}",
        ]
        if self.sha256 is not None:
            lines.append(f"sha256 {_base64(self.sha256)}")
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature under a checkpoint."""

    name: str
    key_id: bytes
    der: bytes

    def to_text(self) -> str:
        """The line, with its end."""
        return f"— {self.name} {_base64(self.key_id + self.der)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint with its signatures, whose form is right; whether the signatures are is for ``verify``."""

    checkpoint: Checkpoint
    signatures: tuple[SignatureLine, ...]

    def to_text(self) -> str:
        """The whole note."""
        text = self.checkpoint.to_text().decode()
        return f"{text}\n{''.join(line.to_text() for line in self.signatures)}"

    def verify(self, name: str, public_pem: str) -> None:
        """Check this key's signature; those of other keys are not looked at.

        Raises:
            CheckpointWrong: there is none, or it is not right.
        """
        key = PublicKey.from_pem(public_pem)
        wanted = key_id_of(name, key.point)
        found = [line for line in self.signatures if line.name == name and line.key_id == wanted]
        if not found:
            raise CheckpointWrong(f"没有 {name} 的这把密钥的签名", f"it has no signature by this key of {name}")
        if not key.verify(self.checkpoint.to_text(), found[0].der):
            raise CheckpointWrong(f"{name} 的签名有误", f"the signature of {name} is not right")

    def signed_by(self, name: str, public_pem: str) -> bool:
        """Whether it bears a right signature of this key."""
        try:
            self.verify(name, public_pem)
        except CheckpointWrong:
            return False
        return True


def signed(checkpoint: Checkpoint, name: str, signer: Signer) -> Note:
    """A note with one signature."""
    return Note(checkpoint, (signature_line(checkpoint, name, signer),))


def signature_line(checkpoint: Checkpoint, name: str, signer: Signer) -> SignatureLine:
    """Sign a checkpoint."""
    point = PublicKey.from_pem(signer.public_pem).point
    return SignatureLine(name, key_id_of(name, point), signer.sign(checkpoint.to_text()))


def key_id_of(name: str, point: bytes) -> bytes:
    """C2SP signed-note: the first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key)."""
    return hashlib.sha256(name.encode() + b"\n" + KEY_TYPE + point).digest()[:KEY_ID_BYTES]


def parse_note(text: bytes) -> Note:
    """Read a note: the inverse of ``to_text``, and of nothing else.

    Raises:
        CheckpointWrong: it is not one, is too large, or is written in another way.
    """
    if len(text) > NOTE_BYTES_MAX:
        raise CheckpointWrong(f"超过 {NOTE_BYTES_MAX} 字节", f"it is over {NOTE_BYTES_MAX} bytes")
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise CheckpointWrong("不是 UTF-8", "it is not UTF-8") from None
    head, blank, tail = decoded.partition("\n\n")
    lines = tail.split("\n")
    if not blank or lines.pop() != "":
        raise CheckpointWrong("缺少空行或末尾换行", "it lacks the blank line or the last line's end")
    note = Note(_checkpoint_of(head.split("\n")), _signatures_of(lines))
    if note.to_text() != decoded:
        raise CheckpointWrong("写法不规范", "it is not written in the one right way")
    return note


def parse_line(text: str) -> SignatureLine:
    """Read one signature line, with its end.

    Raises:
        CheckpointWrong: it is not one.
    """
    return _signature_of(text.removesuffix("\n"))


def _checkpoint_of(lines: Sequence[str]) -> Checkpoint:
    if len(lines) not in {5, 6}:
        raise CheckpointWrong("行数不对", "it has too few or too many lines")
    origin, size, root, time, previous, *rest = lines
    found = (_SIZE.fullmatch(size), _TIME.fullmatch(time), _PREVIOUS.fullmatch(previous))
    sha256 = [_SHA256.fullmatch(line) for line in rest]
    if not NAME.fullmatch(origin) or not all((*found, *sha256)):
        raise CheckpointWrong("某一行不是应有的内容", "one of its lines is not what must stand there")
    size_found, time_found, previous_found = found
    assert size_found is not None and time_found is not None and previous_found is not None  # noqa: S101, PT018 - seen above
    return Checkpoint(
        origin,
        int(size_found[0]),
        _hash_of(root),
        int(time_found[1]),
        int(previous_found[1]),
        _hash_of(previous_found[2]),
        _hash_of(sha256[0][1]) if sha256 and sha256[0] is not None else None,
    )


def _signatures_of(lines: Sequence[str]) -> tuple[SignatureLine, ...]:
    if not 1 <= len(lines) <= SIGNATURES_MAX:
        raise CheckpointWrong(f"签名须有 1 至 {SIGNATURES_MAX} 行", f"it must have 1 to {SIGNATURES_MAX} signatures")
    found = tuple(_signature_of(line) for line in lines)
    if len({(line.name, line.key_id) for line in found}) != len(found):
        raise CheckpointWrong("同一密钥签了两次", "one key signed it twice")
    return found


def _signature_of(line: str) -> SignatureLine:
    found = _SIGNATURE.fullmatch(line)
    if found is None or not NAME.fullmatch(found[1]):
        raise CheckpointWrong("签名行有误", "a signature line is not one")
    signature = _bytes_of(found[2])
    if not KEY_ID_BYTES < len(signature) <= KEY_ID_BYTES + SIGNATURE_BYTES_MAX:
        raise CheckpointWrong("签名长度有误", "a signature has a wrong length")
    return SignatureLine(found[1], signature[:KEY_ID_BYTES], signature[KEY_ID_BYTES:])


def _hash_of(text: str) -> bytes:
    found = _bytes_of(text)
    if len(found) != HASH_BYTES:
        raise CheckpointWrong("摘要长度有误", "a digest has a wrong length")
    return found


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CheckpointWrong("base64 有误", "its base64 is wrong") from None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
