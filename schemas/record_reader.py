"""Records read one by one, strictly, for containers that polars does not write byte for byte the same.

A loop over records in Python: it serves writers that give a field plain, as an enum or a fixed, and it names the
record that is damaged when the fast reading could not be verified. General Avro libraries are not used on strangers'
bytes: they take a boolean of 2, integers of any length and bytes left over at the end of a block.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from schemas.batch import Block
from schemas.container_errors import RecordsDamaged
from schemas.writer_schema import Plan, Written

Reader = Callable[[bytes, int], tuple[Any, int]]

_VARINT_BITS: Final = 64
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_DECIMAL_MAX: Final = 10**38


class _DamageError(ValueError):
    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def read_columns(plan: Plan, blocks: Sequence[Block]) -> list[list[Any]]:
    """One list of values a planned field. Dates and timestamps are numbers, decimals their unscaled integers.

    Raises:
        RecordsDamaged: the first record that is not what the schema says.
    """
    columns: list[list[Any]] = [[] for _ in plan.fields]
    steps = [(_reader(one.written), column.append) for one, column in zip(plan.fields, columns, strict=True)]
    record = 0
    try:
        for block in blocks:
            data, at = bytes(block.data), 0
            for _ in range(block.records):
                record += 1
                for read, append in steps:
                    value, at = read(data, at)
                    append(value)
            if at != len(data):
                raise _DamageError("块中有多余字节", "bytes are left over at the end of its block")  # noqa: TRY301 - all damage ends alike
    except IndexError:
        zh, en = "块在记录中间结束", "its block ends in the middle of it"
        raise RecordsDamaged(record=record, problem_zh=zh, problem_en=en) from None
    except _DamageError as damage:
        raise RecordsDamaged(record=record, problem_zh=damage.zh, problem_en=damage.en) from None
    return columns


def _reader(written: Written) -> Reader:
    inner = _inner_reader(written)
    if written.null_at is None:
        return inner
    of_null, of_value = 2 * written.null_at, 2 - 2 * written.null_at

    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch = data[at]
        if branch == of_value:
            return inner(data, at + 1)
        if branch == of_null:
            return None, at + 1
        raise _DamageError("联合类型序号有误", "a union names a type it does not have")

    return read


def _inner_reader(written: Written) -> Reader:
    if written.items is not None:
        return _array_reader(_reader(written.items))
    if written.kind == "decimal":
        return _decimal_reader(_fixed_reader(written.size) if written.size else _read_bytes)
    if written.kind == "enum":
        return _enum_reader(written.symbols)
    if written.kind == "fixed":
        return _fixed_reader(written.size)
    return _READERS[written.kind]


def _read_long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:  # noqa: PLR2004 - the continuation bit
        return (byte >> 1) ^ -(byte & 1), at + 1
    value, shift = byte & 0x7F, 7
    while shift < _VARINT_BITS:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            if value >> _VARINT_BITS:
                break
            return (value >> 1) ^ -(value & 1), at + 1
        shift += 7
    raise _DamageError("整数编码过长", "an integer is too long")


def _read_int(data: bytes, at: int) -> tuple[int, int]:
    value, at = _read_long(data, at)
    if not _INT_MIN <= value <= _INT_MAX:
        raise _DamageError("整数超过 32 位", "an int has more than 32 bits")
    return value, at


def _read_boolean(data: bytes, at: int) -> tuple[bool, int]:
    byte = data[at]
    if byte > 1:
        raise _DamageError("布尔值既非 0 也非 1", "a boolean is neither 0 nor 1")
    return byte == 1, at + 1


def _read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _read_long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise _DamageError("字段长度超出块", "a field is longer than its block")
    return data[at:end], end


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    value, at = _read_bytes(data, at)
    try:
        return value.decode("utf-8"), at
    except UnicodeDecodeError:
        raise _DamageError("文本不是 UTF-8 编码", "a text is not UTF-8") from None


def _float_reader(form: str) -> Reader:
    packed = struct.Struct(form)

    def read(data: bytes, at: int) -> tuple[float, int]:
        end = at + packed.size
        if end > len(data):
            raise IndexError
        return packed.unpack_from(data, at)[0], end

    return read


def _fixed_reader(size: int) -> Reader:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        end = at + size
        if end > len(data):
            raise IndexError
        return data[at:end], end

    return read


def _decimal_reader(read_bytes: Reader) -> Reader:
    def read(data: bytes, at: int) -> tuple[int, int]:
        value, at = read_bytes(data, at)
        unscaled = int.from_bytes(value, "big", signed=True)
        if abs(unscaled) >= _DECIMAL_MAX:
            raise _DamageError("小数超过 38 位", "a decimal has more than 38 digits")
        return unscaled, at

    return read


def _enum_reader(symbols: tuple[str, ...]) -> Reader:
    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = _read_long(data, at)
        if not 0 <= index < len(symbols):
            raise _DamageError("枚举序号有误", "an enum names a symbol it does not have")
        return symbols[index], at

    return read


def _array_reader(read_item: Reader) -> Reader:
    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while True:
            count, at = _read_long(data, at)
            if count == 0:
                return items, at
            if count < 0:  # a count with the block's size, for readers that skip
                count = -count
                size, at = _read_long(data, at)
                end = at + size
            else:
                end = None
            if count > len(data) - at:  # an item has at least one byte
                raise _DamageError("数组项数超出块", "an array has more items than its block has bytes")
            for _ in range(count):
                item, at = read_item(data, at)
                items.append(item)
            if end is not None and at != end:
                raise _DamageError("数组长度不符", "an array's size is not the size of its items")

    return read


_READERS: Final[dict[str, Reader]] = {
    "string": _read_string,
    "int": _read_int,
    "long": _read_long,
    "float": _float_reader("<f"),
    "double": _float_reader("<d"),
    "boolean": _read_boolean,
    "bytes": _read_bytes,
    "date": _read_int,
    "timestamp_millis": _read_long,
    "timestamp_micros": _read_long,
    "utc_millis": _read_long,
    "utc_micros": _read_long,
}
