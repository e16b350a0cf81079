"""NDJSON: a flat JSON object a line, as columns.

The reader is the standard library's, line by line: it alone tells repeated keys and keeps numbers as they are written.
That costs several microseconds a record; who has millions exports CSV or Parquet.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from connectors.port import Chunk
from connectors.sources.errors import PositionUnreadable
from connectors.sources.file_errors import FileEmpty, HeaderOnly, JsonLineWrong
from connectors.sources.text_encoding import Encoding, Wanted, encoding_of
from connectors.sources.text_records import Form, blocks, line_end_of

COLUMNS_MAX: Final = 4_096


class _LineError(ValueError):
    """What is wrong with a line, in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A file of JSON objects.

    Args:
        file: where it is.
        item: its name.
        encoding: as the configuration says it.
    """

    file: Path
    item: str
    encoding: Wanted

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Rows as text; a member that is absent or null is nothing given."""
        if self.file.stat().st_size == 0:
            raise FileEmpty(self.item)
        encoding = encoding_of(self.file, self.item, self.encoding)
        form = Form(line_end_of(self.file, encoding.begins), None)
        place, columns = self._begin(encoding, after)
        rows = 0
        for block in blocks(self.file, self.item, form, place, rows_max):
            lines, records = self._records(encoding.to_utf8(block.content), int(block.lines[0]), chr(form.line_end))
            rows += len(records)
            columns = self._columns(columns, records)
            position = json.dumps({"byte": block.next_offset, "line": block.next_line, "columns": columns})
            if records:
                frame = pl.DataFrame(
                    [pl.Series(name, [one.get(name) for one in records], dtype=pl.String) for name in columns]
                )
                yield Chunk(frame, position, lines[0], block.next_offset, pl.Series(lines))
        if rows == 0 and after is None:
            raise HeaderOnly(self.item)

    def _begin(self, encoding: Encoding, after: str | None) -> tuple[tuple[int, int], list[str]]:
        if after is None:
            return (encoding.begins, 1), []
        try:
            found = json.loads(after)
            return (int(found["byte"]), int(found["line"])), [str(name) for name in found["columns"]]
        except (ValueError, KeyError, TypeError):
            raise PositionUnreadable(self.item) from None

    def _columns(self, known: list[str], records: list[dict[str, str | None]]) -> list[str]:
        """The members seen so far, in the order they came."""
        seen = dict.fromkeys(known)
        for one in records:
            if one.keys() - seen.keys():
                seen |= dict.fromkeys(one)
        return [*seen][:COLUMNS_MAX]

    def _records(self, text: bytes, first: int, line_end: str) -> tuple[list[int], list[dict[str, str | None]]]:
        numbers: list[int] = []
        records: list[dict[str, str | None]] = []
        for number, line in enumerate(text.decode().split(line_end), first):
            if not line or line.isspace():
                continue
            try:
                found = json.loads(
                    line, object_pairs_hook=_flat, parse_int=str, parse_float=str, parse_constant=_refuse
                )
            except _LineError as wrong:
                raise JsonLineWrong(self.item, number, wrong.zh, wrong.en) from None
            except (ValueError, RecursionError):
                raise JsonLineWrong(self.item, number, "不是 JSON", "it is no JSON") from None
            if not isinstance(found, dict):
                raise JsonLineWrong(self.item, number, "不是 JSON 对象", "it is no JSON object")
            numbers.append(number)
            records.append(found)
        return numbers, records


def _flat(pairs: list[tuple[str, Any]]) -> dict[str, str | None]:
    record: dict[str, str | None] = {}
    for name, value in pairs:
        if name in record:
            raise _LineError(f"成员 {name[:64]} 重复", f"member {name[:64]} stands twice")
        if isinstance(value, dict):
            raise _LineError(f"成员 {name[:64]} 是嵌套对象", f"member {name[:64]} is a nested object")
        if isinstance(value, bool):
            record[name] = "true" if value else "false"
        else:
            record[name] = _array(name, value) if isinstance(value, list) else value
    return record


def _array(name: str, values: list[Any]) -> str:
    """An array of plain values as its text form: JSON."""
    if any(isinstance(one, list | dict) for one in values):
        raise _LineError(f"成员 {name[:64]} 是嵌套数组", f"member {name[:64]} is a nested array")
    return json.dumps(values, ensure_ascii=False)


def _refuse(_constant: str) -> None:
    raise _LineError("NaN 与 Infinity 不是 JSON 数值", "NaN and Infinity are no JSON numbers")
