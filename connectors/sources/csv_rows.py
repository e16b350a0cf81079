"""CSV and TSV: blocks of records as frames of text."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from connectors.errors import ColumnRepeated
from connectors.port import Chunk
from connectors.sources.errors import ItemUnreadable, PositionUnreadable
from connectors.sources.file_errors import ColumnNameless, FileEmpty, HeaderOnly, RowRagged
from connectors.sources.text_encoding import Encoding, Wanted, encoding_of
from connectors.sources.text_records import QUOTE, Block, Form, blocks, line_end_of

HEADER_ROW_MAX: Final = 1_000
COLUMNS_MAX: Final = 4_096
_COLUMN_BYTES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file of separated values.

    Args:
        file: where it is.
        item: its name.
        separator: one ASCII character.
        encoding: as the configuration says it.
        header_row: number of the line with the column names.
    """

    file: Path
    item: str
    separator: str
    encoding: Wanted
    header_row: int

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Rows as text, from a position on."""
        if self.file.stat().st_size == 0:
            raise FileEmpty(self.item)
        encoding = encoding_of(self.file, self.item, self.encoding)
        form = Form(line_end_of(self.file, encoding.begins), ord(self.separator))
        names, place = self._header(encoding, form)
        if after is not None:
            place = _read_position(self.item, after)
        rows = 0
        for block in blocks(self.file, self.item, form, place, rows_max):
            frame, lines = self._frame(block, encoding, form, names)
            position = json.dumps({"byte": block.next_offset, "line": block.next_line})
            rows += frame.height
            if frame.height:
                yield Chunk(frame, position, int(lines[0]), block.next_offset, pl.Series(lines))
        if rows == 0 and after is None:
            raise HeaderOnly(self.item)

    def _header(self, encoding: Encoding, form: Form) -> tuple[list[str], tuple[int, int]]:
        """The column names, and where the rows begin."""
        place = (encoding.begins, 1)
        block: Block | None = None
        for _ in range(self.header_row):
            block = next(blocks(self.file, self.item, form, place, 1), None)
            if block is None:
                raise FileEmpty(self.item)
            place = (block.next_offset, block.next_line)
        assert block is not None  # noqa: S101 - the configuration has header_row at least 1
        text = encoding.to_utf8(block.content).decode().strip("\r\n")
        if "\0" in text:
            raise ItemUnreadable(self.item, "表头中有 NUL 字符", "there are NUL characters in the header")
        names = [name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator), [])]
        _check_names(self.item, names, int(block.lines[0]))
        return names, place

    def _frame(
        self, block: Block, encoding: Encoding, form: Form, names: Sequence[str]
    ) -> tuple[pl.DataFrame, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
        """The records of a block, and the number of each one's first line."""
        block = _without_blank_lines(block)
        if len(block.ends) == 0:
            return pl.DataFrame(schema=dict.fromkeys(names, pl.String)), block.lines
        self._refuse_ragged(block, form, len(names))
        try:
            frame = pl.read_csv(
                encoding.to_utf8(block.content),
                has_header=False,
                schema=dict.fromkeys(names, pl.String),
                separator=self.separator,
                quote_char='"' if block.quotes else None,
                # Exports that quote everything write "" for nothing.
                null_values=[""] if block.quotes else None,
                eol_char=chr(form.line_end),
                infer_schema=False,
            )
        except pl.exceptions.PolarsError:
            frame = pl.DataFrame()
        if frame.height != len(block.ends):
            line = int(block.lines[0])
            zh, en = f"第 {line} 行起的记录无法切分", f"the records from line {line} on cannot be told apart"
            raise ItemUnreadable(self.item, zh, en)
        return frame, block.lines

    def _refuse_ragged(self, block: Block, form: Form, expected: int) -> None:
        content = np.frombuffer(block.content, np.uint8)
        separators = np.flatnonzero(content == form.separator)
        if block.quotes:
            marks = np.flatnonzero(content == QUOTE)
            separators = separators[np.searchsorted(marks, separators) % 2 == 0]
        if len(separators) == len(block.ends) * (expected - 1) and _evenly(separators, block, expected):
            return
        columns = np.diff(np.searchsorted(separators, block.ends), prepend=0) + 1
        wrong = np.flatnonzero(columns != expected)
        raise RowRagged(self.item, int(block.lines[wrong[0]]), expected, int(columns[wrong[0]]))


def _evenly(separators: "np.ndarray[tuple[int], np.dtype[np.int64]]", block: Block, expected: int) -> bool:
    """Whether every record has its share of the separators, where their number as a whole is right."""
    if expected == 1:
        return True
    first, last = separators[:: expected - 1], separators[expected - 2 :: expected - 1]
    starts = np.concatenate(([0], block.ends[:-1]))
    return bool((first >= starts).all() and (last < block.ends).all())


def _without_blank_lines(block: Block) -> Block:
    """The block without records that have no content at all; the last lines of many files are such."""
    starts = np.concatenate(([0], block.ends[:-1]))
    lengths = block.ends - starts
    short = np.flatnonzero(lengths <= 2)  # noqa: PLR2004 - a carriage return and a line feed
    blank = [int(at) for at in short if not block.content[starts[at] : block.ends[at]].strip(b"\r\n")]
    if not blank:
        return block
    keep = np.ones(len(block.ends), np.bool_)
    keep[blank] = False
    kept = np.repeat(keep, lengths)
    content = np.frombuffer(block.content, np.uint8)[kept].tobytes()
    ends = np.cumsum(lengths[keep])
    return Block(content, ends, block.quotes, block.lines[keep], block.next_offset, block.next_line)


def _check_names(item: str, names: Sequence[str], line: int) -> None:
    if not names or len(names) > COLUMNS_MAX:
        raise ItemUnreadable(item, f"第 {line} 行不是表头", f"line {line} is no header")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise ColumnNameless(item, line, number)
        if name in seen:
            raise ColumnRepeated(item, name[:_COLUMN_BYTES_MAX])
        seen.add(name)


def _read_position(item: str, position: str) -> tuple[int, int]:
    try:
        found = json.loads(position)
        place = int(found["byte"]), int(found["line"])
    except (ValueError, KeyError, TypeError):
        raise PositionUnreadable(item) from None
    if min(place) < 0:
        raise PositionUnreadable(item)
    return place
