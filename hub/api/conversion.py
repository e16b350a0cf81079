"""NDJSON and JSON to a container file, so that a batch can be handed in with curl.

Values go in text form, every field a string, so a value that does not fit its type ends in quarantine with its text.
What is no JSON, or JSON that two programs would read differently, is refused with its row: there is no text to keep.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import fastavro

from hub.api.errors import BodyEmpty, RowsTooMany, RowUnreadable
from schemas.contract import Contract
from schemas.envelope import Operation
from schemas.writer_schema import operation_fields

# Equal rows give equal bytes: a repeated request is known by its digest.
SYNC_MARKER = b"hub text form v1"
BLOCK_BYTES = 1 << 20
FIELD_NAME_CHARACTERS_MAX = 64

_SPACE = re.compile(r"[ \t\n\r]*")

_PROBLEMS: dict[str, tuple[str, str]] = {
    "encoding": ("不是 UTF-8 编码", "it is not UTF-8"),
    "syntax": ("不是合法的 JSON", "it is not JSON"),
    "separator": ("记录之间缺少逗号,或数组没有结束", "a comma is missing between records, or the array does not end"),
    "object": ("应为 JSON 对象 {{字段: 值}}", "it must be a JSON object of field and value"),
    "duplicate_field": ("字段 {field} 重复", "field {field} stands twice"),
    "unknown_field": ("契约中没有字段 {field}", "the contract has no field {field}"),
    "not_a_number": ("NaN 和 Infinity 不是 JSON", "NaN and Infinity are not JSON"),
    "depth": ("嵌套过深", "it is nested too deeply"),
    "surrogate": ("字段 {field} 含有不成对的代理字符", "field {field} holds a lone surrogate"),
    "nested": ("字段 {field} 应为单个值", "field {field} must be a single value"),
}


@dataclass(frozen=True, slots=True)
class Converted:
    """A container file and how many records it holds."""

    container: bytes
    records: int


class _Refused(Exception):
    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.field = field


def from_ndjson(body: bytes, contract: Contract, operation: Operation, records_max: int) -> Converted:
    """One JSON object a line; empty lines do not count."""
    return _convert(_lines(body), contract, operation, records_max)


def from_json(body: bytes, contract: Contract, operation: Operation, records_max: int) -> Converted:
    """An array of objects, or one object."""
    return _convert(_elements(body), contract, operation, records_max)


def _convert(rows: Iterator[Any], contract: Contract, operation: Operation, records_max: int) -> Converted:
    names = operation_fields(contract, operation)
    schema = {
        "type": "record",
        "name": contract.name,
        "fields": [{"name": name, "type": ["null", "string"]} for name in names],
    }
    texts = {name: _array_text if contract.field(name).type.kind == "array" else _value_text for name in names}
    taken = _Taken(rows, texts, records_max)
    file = io.BytesIO()
    fastavro.writer(file, schema, taken.records(), sync_interval=BLOCK_BYTES, sync_marker=SYNC_MARKER)
    if not taken.count:
        raise BodyEmpty
    return Converted(file.getvalue(), taken.count)


class _Taken:
    """Rows as records in text form, one at a time, so that only one is held; counts them."""

    def __init__(self, rows: Iterator[Any], texts: dict[str, Callable[[str, Any], str | None]], maximum: int) -> None:
        self._rows = rows
        self._texts = texts
        self._maximum = maximum
        self.count = 0

    def records(self) -> Iterator[dict[str, str | None]]:
        """Yield each row's record.

        Raises:
            RowUnreadable, RowsTooMany: naming the row, counted from 1.
        """
        while True:
            try:
                row = next(self._rows, None)
                if row is None:
                    return
                record = self._record(row[0])
            except _Refused as refused:
                raise _unreadable(self.count + 1, refused) from None
            except RecursionError:
                raise _unreadable(self.count + 1, _Refused("depth")) from None
            except UnicodeDecodeError:
                raise _unreadable(self.count + 1, _Refused("encoding")) from None
            except ValueError:
                raise _unreadable(self.count + 1, _Refused("syntax")) from None
            if self.count == self._maximum:
                raise RowsTooMany(row=self.count + 1, records_max=self._maximum)
            self.count += 1
            yield record

    def _record(self, row: object) -> dict[str, str | None]:
        if not isinstance(row, dict):
            raise _Refused("object")
        record: dict[str, str | None] = {}
        for name, value in row.items():
            text = self._texts.get(name)
            if text is None:
                raise _Refused("unknown_field", name)
            record[name] = text(name, value)
        return record


def _lines(body: bytes) -> Iterator[tuple[Any]]:
    decoder = _decoder()
    for line in io.BytesIO(body.removeprefix(b"\xef\xbb\xbf")):
        text = line.decode("utf-8").strip(" \t\r\n")
        if text:
            yield (decoder.decode(text),)


def _elements(body: bytes) -> Iterator[tuple[Any]]:
    # Element by element, so that a row can be named and the whole is never held as objects.
    decoder = _decoder()
    text = body.decode("utf-8-sig")
    at = _past_space(text, 0)
    if text[at : at + 1] != "[":
        if at < len(text):
            yield (decoder.decode(text[at:]),)
        return
    at = _past_space(text, at + 1)
    if text[at : at + 1] == "]":
        at += 1
    else:
        while True:
            value, at = decoder.raw_decode(text, at)
            yield (value,)
            at = _past_space(text, at)
            if text[at : at + 1] == "]":
                at += 1
                break
            if text[at : at + 1] != ",":
                raise _Refused("separator")
            at = _past_space(text, at + 1)
    if _past_space(text, at) != len(text):
        raise _Refused("syntax")


def _decoder() -> json.JSONDecoder:
    # Numbers keep their text: no rounding, no overflow, and the contract decides what they are.
    return json.JSONDecoder(
        object_pairs_hook=_unrepeated, parse_int=str, parse_float=str, parse_constant=_not_a_number, strict=True
    )


def _unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Refused("duplicate_field", name)
            seen.add(name)
    return found


def _not_a_number(_: str) -> NoReturn:
    raise _Refused("not_a_number")


def _value_text(name: str, value: object) -> str | None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Refused("surrogate", name) from None
        return value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    raise _Refused("nested", name)


def _array_text(name: str, value: object) -> str | None:
    if isinstance(value, list):
        return json.dumps([_value_text(name, item) for item in value], ensure_ascii=False, separators=(",", ":"))
    return _value_text(name, value)


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _unreadable(row: int, refused: _Refused) -> RowUnreadable:
    # A field name comes from a stranger: shortened and escaped before it stands in a sentence.
    field = ascii(refused.field[:FIELD_NAME_CHARACTERS_MAX])[1:-1]
    if refused.field.isprintable() and len(refused.field) <= FIELD_NAME_CHARACTERS_MAX:
        field = refused.field
    zh, en = (text.format(field=field) for text in _PROBLEMS[refused.problem])
    return RowUnreadable(row=row, problem=refused.problem, problem_zh=zh, problem_en=en)
