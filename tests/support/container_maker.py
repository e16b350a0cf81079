"""Avro container files made by hand, byte by byte, so that they can be wrong in every way."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

SYNC = b"\x9a" * 16
SCHEMA: Mapping[str, Any] = {
    "type": "record",
    "name": "simple",
    "fields": [{"name": "code", "type": ["null", "string"]}, {"name": "value", "type": ["null", "long"]}],
}


def varint(value: int) -> bytes:
    """Zig-zag, as Avro writes int and long; also of numbers no long can hold."""
    rest = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def text(value: str | bytes) -> bytes:
    """A string or bytes with its length."""
    content = value.encode() if isinstance(value, str) else value
    return varint(len(content)) + content


def record(code: str, value: int) -> bytes:
    """A record of ``SCHEMA``."""
    return b"\x02" + text(code) + b"\x02" + varint(value)


RECORDS = record("a", 1) + record("b", 2)


def header(schema: Mapping[str, Any] | bytes = SCHEMA, codec: str | None = "null", magic: bytes = b"Obj\x01") -> bytes:
    entries = [("avro.schema", schema if isinstance(schema, bytes) else json.dumps(schema).encode())]
    if codec is not None:
        entries.append(("avro.codec", codec.encode()))
    return magic + varint(len(entries)) + b"".join(text(name) + text(value) for name, value in entries) + b"\x00" + SYNC


def block(records: int, stored: bytes, sync: bytes = SYNC) -> bytes:
    return varint(records) + text(stored) + sync


def container(
    blocks: Sequence[tuple[int, bytes]], schema: Mapping[str, Any] | bytes = SCHEMA, codec: str | None = "null"
) -> bytes:
    return header(schema, codec) + b"".join(block(records, stored) for records, stored in blocks)


def deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()
