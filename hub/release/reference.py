"""Record references: the last part of a record's address.

Where the key may stand in an address and the caller is given it, the reference is the key itself: percent-encoded,
several parts joined by commas. Else it is opaque: the key under deterministic authenticated encryption. The design
speaks of an opaque uuid; a uuid would be one more column with an index on every table, paid for by every record that
comes in. This costs a read some microseconds instead:

    tag = first 16 bytes of HMAC-SM3(k1, key);   reference = base64url(AES-128-CBC(k2, iv = 0, tag ‖ key))

It is a synthetic-IV scheme (Rogaway and Shrimpton 2006): the first ciphertext block is the encrypted tag, which is
what chains into the next as their initialisation vector, so equal keys give equal references and nothing else of the
key shows but its length in blocks of 16 bytes. Opening it verifies the tag, so a forged reference is no reference.
Both keys are derived for one dataset and one holder: two organizations cannot join what they hold by comparing
references. PostgreSQL makes them (pgcrypto has HMAC-SM3 and AES, not SM4); Python opens them. Erasing a record leaves
nothing behind.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from psycopg import sql

from schemas.contract import FieldType
from schemas.textform import KEY_SEPARATOR

TAG_BYTES: Final = 16
REFERENCE_CHARACTERS_MAX: Final = 4_000
_BLOCK_BYTES: Final = 16
_ZERO: Final = bytes(_BLOCK_BYTES)
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]+")

# The % of a pattern stands twice: the driver reads the statement for placeholders.
_PLAIN_PART: Final = sql.SQL(
    "CASE WHEN {part} ~ '^[A-Za-z0-9._~-]+$' THEN {part}"
    " ELSE regexp_replace(upper(encode(convert_to({part}, 'UTF8'), 'hex')), '(..)', '%%\\1', 'g') END"
)
_OPAQUE: Final = sql.SQL(
    "translate(encode(encrypt(substr(hmac({key}, %(reference_mac)s::bytea, 'sm3'), 1, {tag}) || {key},"
    " %(reference_key)s::bytea, 'aes-cbc/pad:pkcs'), 'base64'), E'+/=\\n', '-_')"
)


@dataclass(frozen=True, slots=True)
class ReferenceKeys:
    """The two keys of one dataset and holder.

    Args:
        mac: 32 bytes.
        cipher: 16 bytes.
    """

    mac: bytes
    cipher: bytes

    @property
    def parameters(self) -> dict[str, bytes]:
        """For the statement that makes opaque references."""
        return {"reference_mac": self.mac, "reference_key": self.cipher}


def key_part(name: str, alias: str, of: FieldType) -> sql.Composable:
    """One part of a key as text, as ``schemas.textform`` writes it but for what no key is made of."""
    column = sql.Identifier(alias, name)
    return column if of.kind == "string" else sql.SQL("({})::text").format(column)


def plain_reference(parts: Sequence[sql.Composable]) -> sql.Composable:
    """The expression of a reference that is the key."""
    return sql.SQL(" || ',' || ").join(_PLAIN_PART.format(part=part) for part in parts)


def opaque_reference(parts: Sequence[sql.Composable]) -> sql.Composable:
    """The expression of an opaque reference; its keys are the parameters of ``ReferenceKeys``."""
    joined = sql.SQL(" || chr(31) || ").join(parts)  # textform.KEY_SEPARATOR
    key = sql.SQL("convert_to({}, 'UTF8')").format(joined)
    return _OPAQUE.format(key=key, tag=sql.Literal(TAG_BYTES))


def read_plain(reference: str, parts: int) -> tuple[str, ...] | None:
    """The parts of a key from a path segment as it stood in the address; None where it is none."""
    if not 0 < len(reference) <= REFERENCE_CHARACTERS_MAX or "/" in reference:
        return None
    try:
        found = tuple(unquote_to_bytes(part).decode() if "%" in part else part for part in reference.split(","))
    except UnicodeDecodeError:
        return None
    return found if len(found) == parts and not any("\x00" in part for part in found) else None


def make_plain(parts: Sequence[str]) -> str:
    """What the expression of ``plain_reference`` makes, in Python."""
    return ",".join(
        part if _UNRESERVED.fullmatch(part) else "".join(f"%{one:02X}" for one in part.encode()) for part in parts
    )


def read_opaque(reference: str, parts: int, keys: ReferenceKeys) -> tuple[str, ...] | None:
    """The parts of the key an opaque reference holds; None where it is malformed, forged or another holder's."""
    if not 0 < len(reference) <= REFERENCE_CHARACTERS_MAX:
        return None
    try:
        sealed = base64.b64decode(reference + "=" * (-len(reference) % 4), altchars=b"-_", validate=True)
        opened = _decrypted(sealed, keys.cipher)
    except (binascii.Error, ValueError):
        return None
    tag, key = opened[:TAG_BYTES], opened[TAG_BYTES:]
    if not hmac.compare_digest(tag, hmac.digest(keys.mac, key, "sm3")[:TAG_BYTES]):
        return None
    found = tuple(key.decode().split(KEY_SEPARATOR))
    return found if len(found) == parts else None


def make_opaque(parts: Sequence[str], keys: ReferenceKeys) -> str:
    """What the expression of ``opaque_reference`` makes, in Python: of erased records, and what tests hold it to."""
    key = KEY_SEPARATOR.join(parts).encode()
    padder = PKCS7(_BLOCK_BYTES * 8).padder()
    padded = padder.update(hmac.digest(keys.mac, key, "sm3")[:TAG_BYTES] + key) + padder.finalize()
    sealing = Cipher(algorithms.AES128(keys.cipher), modes.CBC(_ZERO)).encryptor()
    return base64.urlsafe_b64encode(sealing.update(padded) + sealing.finalize()).rstrip(b"=").decode()


def _decrypted(sealed: bytes, key: bytes) -> bytes:
    opening = Cipher(algorithms.AES128(key), modes.CBC(_ZERO)).decryptor()
    padded = opening.update(sealed) + opening.finalize()
    unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
    return unpadder.update(padded) + unpadder.finalize()
