"""Verifies ledger bundles offline with the Python standard library alone: no hub, no database, no network.

    python verify_standalone.py bundle.json --key ledger.pem
    python verify_standalone.py bundle.json --key ledger.pem --witness witness-1=w1.pem --earlier kept-checkpoint.txt

The key comes from where you trust it, never from the bundle: the hub prints it (GET /v1/ledger/keys), and so should
its authority. What is checked: the checkpoint's signature; that the record's bytes stand in the tree of exactly the
size that was signed (for one size only one index leads to the root, so an index that was tampered with does not pass);
that the record names this ledger; with --witness that each witness cosigned; with --earlier that the tree still begins
with the one of a checkpoint kept from before. Exit code 0: everything holds. 1: something does not. 2: wrong usage.

A second opinion, by OpenSSL 3 (the signature covers the checkpoint up to its blank line, last line end included):

    python verify_standalone.py bundle.json --key ledger.pem --write-signed head.txt s
    openssl dgst -sm3 -verify ledger.pem -sigopt distid:1234567812345678 -signature s head.txt

Everything here is public data, so running time tells nobody anything.
"""

# ruff: noqa: PLR2004 - the numbers are the standards' own
import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from pathlib import Path

FILE_BYTES_MAX = 64 * 1024 * 1024
NOTE_CHARACTERS_MAX = 8_192
KEY_TYPE = b"\xffsm2-sm3"
SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
Signature = tuple[str, bytes, bytes]  # key name, key id, DER
Head = tuple[str, int, bytes]  # origin, size, root
Point = tuple[int, int] | None


class WrongError(Exception):
    """Something does not hold; its text says what."""


# SM3 (GB/T 32905) ----------------------------------------------------------------------------------------------------


def _rotate(value: int, by: int) -> int:
    by %= 32
    return ((value << by) | (value >> (32 - by))) & 0xFFFFFFFF


def _sm3_block(state: list[int], block: bytes) -> list[int]:
    words = [int.from_bytes(block[at : at + 4], "big") for at in range(0, 64, 4)]
    for j in range(16, 68):
        mixed = words[j - 16] ^ words[j - 9] ^ _rotate(words[j - 3], 15)
        mixed ^= _rotate(mixed, 15) ^ _rotate(mixed, 23)
        words.append(mixed ^ _rotate(words[j - 13], 7) ^ words[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        constant = _rotate(0x79CC4519 if j < 16 else 0x7A879D8A, j)
        ss1 = _rotate((_rotate(a, 12) + e + constant) & 0xFFFFFFFF, 7)
        ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if j < 16 else (e & f) | (~e & g)
        tt1 = (ff + d + (ss1 ^ _rotate(a, 12)) + (words[j] ^ words[j + 4])) & 0xFFFFFFFF
        tt2 = (gg + h + ss1 + words[j]) & 0xFFFFFFFF
        a, b, c, d = tt1, a, _rotate(b, 9), c
        e, f, g, h = tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17), e, _rotate(f, 19), g
    return [old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def sm3_in_python(message: bytes) -> bytes:
    """SM3 where the interpreter's OpenSSL has none."""
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (len(message) * 8).to_bytes(8, "big")
    for at in range(0, len(padded), 64):
        state = _sm3_block(state, padded[at : at + 64])
    return b"".join(word.to_bytes(4, "big") for word in state)


def sm3(message: bytes) -> bytes:
    """SM3 of a message."""
    try:
        return hashlib.new("sm3", message).digest()
    except ValueError:
        return sm3_in_python(message)


# SM2 (GB/T 32918.2, curve of GB/T 32918.5) ----------------------------------------------------------------------------

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
IDENTIFIER = b"1234567812345678"


def _add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % P == 0:
            return None
        slope = (3 * one[0] * one[0] + A) * pow(2 * one[1], -1, P) % P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def _times(factor: int, point: Point) -> Point:
    total: Point = None
    while factor:
        if factor & 1:
            total = _add(total, point)
        point, factor = _add(point, point), factor >> 1
    return total


def sm2_verifies(point: bytes, message: bytes, der: bytes) -> bool:
    """Whether the DER signature is this key's (0x04 ‖ x ‖ y) over the message, with the identifier of GM/T 0009."""
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    pair = _canonical_pair(der)
    if pair is None or (y * y - x * x * x - A * x - B) % P:
        return False
    r, s = pair
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    curve = b"".join(value.to_bytes(32, "big") for value in (A, B, *G))
    digest = sm3(sm3((len(IDENTIFIER) * 8).to_bytes(2, "big") + IDENTIFIER + curve + point[1:]) + message)
    found = _add(_times(s, G), _times(t, (x, y)))
    return found is not None and (int.from_bytes(digest, "big") + found[0]) % N == r


def _canonical_pair(der: bytes) -> tuple[int, int] | None:
    """The two integers of a DER signature; None for any other way to write them."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2 or der[2] != 2:
        return None
    middle = 4 + der[3]
    if middle + 2 > len(der) or der[middle] != 2:
        return None
    numbers = [int.from_bytes(one, "big", signed=True) for one in (der[4:middle], der[middle + 2 :])]
    if min(numbers) < 1:
        return None
    bodies = [one.to_bytes(one.bit_length() // 8 + 1, "big") for one in numbers]
    whole = b"".join(b"\x02" + bytes([len(body)]) + body for body in bodies)
    return (numbers[0], numbers[1]) if der == b"\x30" + bytes([len(whole)]) + whole else None


def point_of_pem(text: str) -> bytes:
    """The public key's point."""
    found = re.search(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----", text)
    der = base64.b64decode("".join(found[1].split())) if found else b""
    if not der.startswith(SPKI_PREFIX + b"\x04") or len(der) != len(SPKI_PREFIX) + 65:
        raise WrongError("密钥文件不是 SM2 公钥 | the key file holds no SM2 public key")
    return der[-65:]


# Checkpoint ----------------------------------------------------------------------------------------------------------


def read_checkpoint(note: str) -> tuple[Head, bytes, list[Signature]]:
    """Origin, size and root; the signed text; the signatures. Refuses every other way to write a checkpoint."""
    text, blank, tail = note.partition("\n\n")
    lines, signed = text.split("\n"), text.encode() + b"\n"
    number = "(?:0|[1-9][0-9]{0,18})"
    shape = [r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", number, r"\S{44}", r"ts [1-9][0-9]{0,14}", rf"prev {number} \S{{44}}"]
    shape += [r"sha256 \S{44}"] * (len(lines) - len(shape))
    if len(note) > NOTE_CHARACTERS_MAX or not blank or not tail.endswith("\n") or len(lines) not in {5, 6}:
        raise WrongError("检查点格式有误 | the checkpoint has a wrong form")
    if any(not re.fullmatch(one, line) for one, line in zip(shape, lines, strict=True)):
        raise WrongError("检查点有多余或错误的行 | the checkpoint has a line that must not be there")
    signatures: list[Signature] = []
    for line in tail[:-1].split("\n"):
        found = re.fullmatch(r"— (\S{1,100}) (\S{1,120})", line)
        if not found or (raw := decoded(found[2])) is None or len(raw) <= 4:
            raise WrongError("签名行有误 | a signature line is not one")
        signatures.append((found[1], raw[:4], raw[4:]))
    if len({one[:2] for one in signatures}) != len(signatures):
        raise WrongError("同一密钥签了两次 | one key signed twice")
    root = decoded(lines[2])
    if root is None or len(root) != 32:
        raise WrongError("检查点的根有误 | the checkpoint's root is not one")
    return (lines[0], int(lines[1]), root), signed, signatures


def signature_of(name: str, point: bytes, signed: bytes, signatures: list[Signature]) -> bytes:
    """The right signature of this key.

    Raises:
        WrongError: there is none.
    """
    key_id = hashlib.sha256(name.encode() + b"\n" + KEY_TYPE + point).digest()[:4]
    for signer, found_id, der in signatures:
        if (signer, found_id) == (name, key_id) and sm2_verifies(point, signed, der):
            return der
    raise WrongError(f"没有 {name} 用此密钥的有效签名 | no valid signature of {name} by this key")


def decoded(text: str) -> bytes | None:
    """Base64 in its one right form."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


# Proofs (RFC 9162 §2.1.3.2, §2.1.4.2) --------------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """SM3(0x01 ‖ left ‖ right)."""
    return sm3(b"\x01" + left + right)


def sides(number: int, last: int, steps: int) -> list[bool]:
    """On which side each neighbour stands on the way up; True for left."""
    found: list[bool] = []
    for _ in range(steps):
        if last == 0:
            raise WrongError("证明路径过长 | the path is too long")
        found.append(bool(number & 1) or number == last)
        while found[-1] and number and not number & 1:
            number, last = number >> 1, last >> 1
        number, last = number >> 1, last >> 1
    if last:
        raise WrongError("证明路径过短 | the path is too short")
    return found


def check_inclusion(record: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    """The record stands at the index of the tree of this size and root."""
    if not 0 <= index < size:
        raise WrongError("序号不在树内 | the index lies outside the tree")
    found = sm3(b"\x00" + record)
    for neighbour, left in zip(path, sides(index, size - 1, len(path)), strict=True):
        found = node(neighbour, found) if left else node(found, neighbour)
    if found != root:
        raise WrongError("记录不在签名的树中 | the record is not in the tree that was signed")


def check_consistency(earlier: Head, later: Head, path: list[bytes]) -> None:
    """The later tree begins with the earlier one."""
    (_, old_size, old_root), (_, size, root) = earlier, later
    if old_size > size:
        raise WrongError("台账比先前的小 | the ledger is smaller than it was")
    if old_size in {0, size}:
        if path or (old_size and old_root != root):
            raise WrongError("台账不是先前的延续 | the ledger does not go on from what it was")
        return
    steps = ([old_root] if old_size & (old_size - 1) == 0 else []) + path
    number, last = old_size - 1, size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = steps[0] if steps else b""
    for step, left in zip(steps[1:], sides(number, last, len(steps) - 1), strict=True):
        old, new = (node(step, old), node(step, new)) if left else (old, node(new, step))
    if (old, new) != (old_root, root):
        raise WrongError("台账不是先前的延续 | the ledger does not go on from what it was")


# Bundles -------------------------------------------------------------------------------------------------------------


def hashes(texts: object) -> list[bytes]:
    """The hashes of a path."""
    if not isinstance(texts, list) or len(texts) > 64:
        raise WrongError("证明路径有误 | the path is not one")
    found = [decoded(text) if isinstance(text, str) else None for text in texts]
    good = [one for one in found if one is not None and len(one) == 32]
    if len(good) != len(found):
        raise WrongError("证明路径有误 | the path is not one")
    return good


def check_bundle(bundle: dict[str, object], key: bytes, witnesses: dict[str, bytes], earlier: str | None) -> str:
    """Check one bundle; what it proves, in a line."""
    head, signed, signatures = read_checkpoint(str(bundle.get("checkpoint", "")))
    origin, size, root = head
    signature_of(origin, key, signed, signatures)
    for name, point in witnesses.items():
        signature_of(name, point, signed, signatures)
    record, index = decoded(str(bundle.get("record", ""))), bundle.get("index")
    if record is None or not isinstance(index, int) or isinstance(index, bool):
        raise WrongError("缺少记录或序号 | the record or the index is missing")
    if bundle.get("size", size) != size:
        raise WrongError("大小与签名的检查点不符 | the size is not the signed one")
    check_inclusion(record, index, size, hashes(bundle.get("path")), root)
    members = json.loads(record)
    if members.get("log") != origin or members.get("id") != bundle.get("leaf", members.get("id")):
        raise WrongError("记录属于别的台账或别的条目 | the record is of another ledger or another leaf")
    if earlier is not None:
        _check_earlier(bundle, earlier, key, head)
    return f"{members['id']}  {members['ts']}  {members['action']}  {members['object']}  {index}/{size}"


def _check_earlier(bundle: dict[str, object], earlier: str, key: bytes, head: Head) -> None:
    old_head, signed, signatures = read_checkpoint(earlier)
    signature_of(old_head[0], key, signed, signatures)
    consistency = bundle.get("consistency")
    steps = consistency.get("path") if isinstance(consistency, dict) else []
    if old_head[0] != head[0]:
        raise WrongError("先前的检查点属于别的台账 | the earlier checkpoint is of another ledger")
    check_consistency(old_head, head, hashes(steps))


def run(arguments: argparse.Namespace) -> None:
    """Check every bundle of a file, a line for each.

    Raises:
        WrongError: something does not hold.
    """
    key = point_of_pem(arguments.key.read_text(encoding="utf-8"))
    witnesses = {name: point_of_pem(Path(file).read_text(encoding="utf-8")) for name, file in arguments.witness}
    earlier = arguments.earlier.read_bytes().decode() if arguments.earlier else None
    if arguments.bundle.stat().st_size > FILE_BYTES_MAX:
        raise WrongError("文件过大 | the file is too large")
    found = json.loads(arguments.bundle.read_bytes())
    bundles = found if isinstance(found, list) else [found]
    if not bundles:
        raise WrongError("文件为空 | the file holds nothing")
    for bundle in bundles:
        sys.stdout.write(f"OK  {check_bundle(bundle, key, witnesses, earlier)}\n")
    if arguments.write_signed:
        head, signed, signatures = read_checkpoint(bundles[0]["checkpoint"])
        Path(arguments.write_signed[0]).write_bytes(signed)
        Path(arguments.write_signed[1]).write_bytes(signature_of(head[0], key, signed, signatures))


def main() -> int:
    """The command line."""
    arguments = _arguments()
    try:
        run(arguments)
    except WrongError as wrong:
        sys.stderr.write(f"WRONG  {wrong}\n")
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        sys.stderr.write(f"WRONG  无法读取 | unreadable: {type(problem).__name__}: {problem}\n")
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Verify ledger bundles offline.")
    parser.add_argument("bundle", type=Path, help="what hub ledger export or GET …/proof gave: a bundle, or a list")
    parser.add_argument(
        "--key", type=Path, required=True, help="the ledger's public key (PEM), from where you trust it"
    )
    parser.add_argument("--witness", type=_witness, action="append", default=[], metavar="NAME=FILE", help="repeatable")
    parser.add_argument("--earlier", type=Path, help="a checkpoint kept from before")
    parser.add_argument("--write-signed", nargs=2, metavar=("TEXT", "SIGNATURE"), help="for openssl")
    return parser.parse_args()


def _witness(text: str) -> tuple[str, str]:
    name, mark, file = text.partition("=")
    if not mark:
        raise argparse.ArgumentTypeError("NAME=FILE")
    return name, file


if __name__ == "__main__":
    sys.exit(main())
