"""A batch's container file (Avro object container), walked before anything decodes it.

What arrives was written by strangers, and decoders trust counts: a block count of 2^40 aborts one, 292 KB of deflate
becomes 2.7 GB in another. So the hub reads the outer form itself, with a bound on every count, size and inflation,
and decoders see only what passed. The walk is plain Python per block, never per record.
"""

import hashlib
import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.container_errors import (
    CodecUnknown,
    ContainerDamaged,
    ContainerForeign,
    ContainerTruncated,
    WriterSchemaWrong,
)
from schemas.envelope import Envelope
from schemas.errors import BatchTooLarge, BytesDiffer, DigestDiffers, RecordsDiffer
from schemas.strict_json import INTEGER_MAX, StrictJsonError, read_strict

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
CODECS: Final = ("null", "deflate")
SCHEMA_DEPTH_MAX: Final = 64  # JSON levels; 32 levels of Avro types are at most twice as many
_VARINT_BYTES_MAX: Final = 10
_RAW_DEFLATE: Final = -15
_MIB: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a batch; everything over them is refused before it is allocated."""

    bytes_max: int = 4 * _MIB
    records_max: int = 50_000
    inflated_bytes_max: int = 64 * _MIB
    blocks_max: int = 50_000
    schema_bytes_max: int = 256 * 1024
    metadata_entries_max: int = 64
    metadata_bytes_max: int = 64 * 1024  # each entry other than the schema


@dataclass(frozen=True, slots=True)
class Block:
    """One block: how many records it claims, and their bytes, inflated. Not copied where the codec is null."""

    records: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Walked:
    """A container whose outer form is right; whether its bytes are records of its schema only decoding tells."""

    schema: dict[str, Any]
    codec: str
    sync: bytes
    blocks: tuple[Block, ...]

    @property
    def records(self) -> int:
        """Records that the blocks claim to hold."""
        return sum(block.records for block in self.blocks)

    @property
    def data(self) -> bytes:
        """All records' bytes, concatenated: a copy."""
        return b"".join(block.data for block in self.blocks)


@dataclass(frozen=True, slots=True)
class _Header:
    schema: bytes
    codec: str
    sync: bytes


def walk(container: bytes, limits: Limits) -> Walked:
    """Read the outer form of a container file and inflate its blocks.

    Raises:
        BatchError: the container is over a limit, damaged, or its schema is not readable JSON.
    """
    if len(container) > limits.bytes_max:
        raise _too_large("容器文件字节数", "bytes of container file", len(container), limits.bytes_max)
    cursor = _Cursor(container)
    header = _read_header(cursor, limits)
    schema = _read_schema(header.schema)
    blocks: list[Block] = []
    budget = limits.inflated_bytes_max
    for records, start, stored in _read_blocks(cursor, header.sync, limits):
        data = stored if header.codec == "null" else _inflate(stored, start, budget, limits)
        budget -= len(data)
        if budget < 0:
            raise _too_large("解压后字节数", "bytes when inflated", len(data), limits.inflated_bytes_max)
        if records > len(data):  # a record has at least one field, and a field at least one byte
            raise _damaged(start, "块中的记录数多于其字节数", "a block claims more records than it has bytes")
        blocks.append(Block(records, data))
    return Walked(schema, header.codec, header.sync, tuple(blocks))


def verify(envelope: Envelope, container: bytes) -> None:
    """Check that the container is the one its envelope speaks of: length, digest and number of records.

    Raises:
        BatchError: it is another, or its blocks cannot be counted.
    """
    if len(container) != envelope.bytes:
        raise BytesDiffer(expected=envelope.bytes, found=len(container))
    if sm3_hex(container) != envelope.sm3:
        raise DigestDiffers
    counting = Limits(records_max=INTEGER_MAX)
    cursor = _Cursor(container)
    header = _read_header(cursor, counting)
    records = sum(claimed for claimed, _, _ in _read_blocks(cursor, header.sync, counting))
    if records != envelope.records:
        raise RecordsDiffer(expected=envelope.records, found=records)


def sm3_hex(content: bytes | memoryview) -> str:
    """SM3 (GB/T 32905), hexadecimal."""
    return hashlib.new("sm3", content).hexdigest()


def uuid7(now: datetime, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A UUID of version 7 (RFC 9562): its time is ``now`` in ms, the rest ``random(10)``."""
    milliseconds = (now - _EPOCH) // _MILLISECOND
    value = bytearray(milliseconds.to_bytes(6, "big") + random(10))
    value[6] = value[6] & 0x0F | 0x70
    value[8] = value[8] & 0x3F | 0x80
    return _uuid_text(value)


def uuid8(text: str) -> str:
    """A UUID of version 8 (RFC 9562 §5.8) made from SM3 of a text: one text, one UUID."""
    value = bytearray(hashlib.new("sm3", text.encode()).digest()[:16])
    value[6] = value[6] & 0x0F | 0x80
    value[8] = value[8] & 0x3F | 0x80
    return _uuid_text(value)


def _uuid_text(value: bytearray) -> str:
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def write_container(schema_text: bytes, records: int, blocks: tuple[bytes | memoryview, ...]) -> bytes:
    """A container of one uncompressed block, for what has passed the walk."""
    sync = bytes(SYNC_BYTES)
    size = sum(len(data) for data in blocks)
    header = (zigzag(1), zigzag(len(b"avro.schema")), b"avro.schema", zigzag(len(schema_text)), schema_text, zigzag(0))
    block = (zigzag(records), zigzag(size), *blocks, sync)
    return b"".join((MAGIC, *header, sync, *block))


class _Cursor:
    """A place in a container's bytes."""

    __slots__ = ("_view", "at", "container", "end")

    def __init__(self, container: bytes) -> None:
        self.container = container
        self._view = memoryview(container)
        self.end = len(container)
        self.at = 0

    def long(self) -> int:
        """A zig-zag varint of at most 64 bits."""
        start, shift, value = self.at, 0, 0
        if start < self.end and (byte := self.container[start]) < 0x80:  # noqa: PLR2004 - one byte, as most are
            self.at = start + 1
            return (byte >> 1) ^ -(byte & 1)
        for at in range(start, min(start + _VARINT_BYTES_MAX, self.end)):
            byte = self.container[at]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the continuation bit
                self.at = at + 1
                if value >= 1 << 64:
                    break
                return (value >> 1) ^ -(value & 1)
            shift += 7
        if self.end - start < _VARINT_BYTES_MAX and shift == 7 * (self.end - start):
            raise ContainerTruncated(offset=start)
        raise _damaged(start, "整数编码过长", "an integer is too long")

    def count(self, zh: str, en: str) -> int:
        """A varint that must not be negative; ``zh`` and ``en`` say of what."""
        start = self.at
        value = self.long()
        if value < 0:
            raise _damaged(start, f"{zh}为负数", f"a negative {en}")
        return value

    def take(self, size: int) -> memoryview:
        """The next ``size`` bytes, not copied."""
        if size > self.end - self.at:
            raise ContainerTruncated(offset=self.at)
        taken = self._view[self.at : self.at + size]
        self.at += size
        return taken


def _read_header(cursor: _Cursor, limits: Limits) -> _Header:
    if not cursor.container.startswith(MAGIC):
        raise ContainerForeign
    cursor.at = len(MAGIC)
    metadata = _read_metadata(cursor, limits)
    if "avro.schema" not in metadata:
        raise WriterSchemaWrong(problem_zh="文件中没有模式", problem_en="the file has none")
    codec = metadata.get("avro.codec", b"null").decode("ascii", "backslashreplace")
    if codec not in CODECS:
        raise CodecUnknown(codec=ascii(codec)[1:-1][:32])
    return _Header(metadata["avro.schema"], codec, bytes(cursor.take(SYNC_BYTES)))


def _read_metadata(cursor: _Cursor, limits: Limits) -> dict[str, bytes]:
    metadata: dict[str, bytes] = {}
    while entries := cursor.count("元数据项数", "number of metadata entries"):
        if entries + len(metadata) > limits.metadata_entries_max:
            raise _too_large("元数据项数", "metadata entries", entries + len(metadata), limits.metadata_entries_max)
        for _ in range(entries):
            start = cursor.at
            name = _read_entry(cursor, limits.metadata_bytes_max).decode("utf-8", "backslashreplace")
            most = limits.schema_bytes_max if name == "avro.schema" else limits.metadata_bytes_max
            value = _read_entry(cursor, most)
            if name in metadata:
                raise _damaged(start, "元数据有重名项", "two metadata entries of one name")
            metadata[name] = value
    return metadata


def _read_entry(cursor: _Cursor, bytes_max: int) -> bytes:
    size = cursor.count("元数据长度", "length in the metadata")
    if size > bytes_max:
        raise _too_large("文件头一项的字节数", "bytes in one entry of the file's header", size, bytes_max)
    return bytes(cursor.take(size))


def _read_schema(text: bytes) -> dict[str, Any]:
    try:
        schema = read_strict(text, depth_max=SCHEMA_DEPTH_MAX, floats=True)
    except StrictJsonError as error:
        raise WriterSchemaWrong(problem_zh=error.zh, problem_en=error.en) from None
    if not isinstance(schema, dict):
        raise WriterSchemaWrong(problem_zh="不是记录(record)模式", problem_en="it is no record schema")
    return schema


def _read_blocks(cursor: _Cursor, sync: bytes, limits: Limits) -> Iterator[tuple[int, int, memoryview]]:
    """Each block's claimed records, where its bytes begin, and the bytes as stored."""
    records = blocks = 0
    while cursor.at < cursor.end:
        claimed = cursor.count("块的记录数", "number of records in a block")
        size = cursor.count("块的字节数", "size of a block")
        records, blocks = records + claimed, blocks + 1
        if records > limits.records_max:
            raise _too_large("记录数", "records", records, limits.records_max)
        if blocks > limits.blocks_max:
            raise _too_large("块数", "blocks", blocks, limits.blocks_max)
        start = cursor.at
        if claimed == 0 and size > 0:
            raise _damaged(start, "块没有记录却有内容", "a block without records has bytes")
        stored = cursor.take(size)
        if bytes(cursor.take(SYNC_BYTES)) != sync:
            raise _damaged(cursor.at - SYNC_BYTES, "同步标记不符", "the sync marker is another")
        yield claimed, start, stored


def _inflate(stored: memoryview, start: int, budget: int, limits: Limits) -> bytes:
    if not stored:
        return b""
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        data = inflater.decompress(stored, budget + 1)
    except zlib.error:
        raise _damaged(start, "压缩内容有误", "a block does not inflate") from None
    if len(data) > budget:
        raise _too_large(
            "解压后字节数", "bytes when inflated", limits.inflated_bytes_max + 1, limits.inflated_bytes_max
        )
    # Both Avro libraries for Python leave three bytes of zlib's checksum behind the stream.
    checksum = zlib.adler32(data).to_bytes(4, "big")[:3] if inflater.unused_data else b""
    if not inflater.eof or inflater.unused_data != checksum:
        raise _damaged(start, "压缩内容未完或有多余字节", "a block's deflate stream does not end where the block does")
    return data


def zigzag(value: int) -> bytes:
    """A zig-zag varint of a number that is not negative."""
    rest, out = value << 1, bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _damaged(offset: int, zh: str, en: str) -> ContainerDamaged:
    return ContainerDamaged(offset=offset, problem_zh=zh, problem_en=en)


def _too_large(part_zh: str, part_en: str, found: int, maximum: int) -> BatchTooLarge:
    return BatchTooLarge(part_zh=part_zh, part_en=part_en, found=found, maximum=maximum)
