"""Excel workbooks: one sheet, its dates as dates, its numbers as numbers.

A sheet has at most 1,048,576 rows and is read whole. What Excel has destroyed is not repaired: a number of 16 digits or
more has lost its last ones, and the item is refused.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import fastexcel
import polars as pl

from connectors.errors import ColumnRepeated, DigitsLost
from connectors.port import Chunk
from connectors.sources.errors import PositionUnreadable
from connectors.sources.file_errors import (
    ColumnNameless,
    FileEmpty,
    FormatUnsupported,
    HeaderOnly,
    SheetUnclear,
    SheetUnknown,
    WorkbookUnreadable,
)

_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # also what a protected .xlsx is wrapped in
_PART_BYTES_MAX: Final = 16 * 1024 * 1024
_READ_BYTES: Final = 1024 * 1024
# A cell without type or with type n is a number; a whole number of 16 digits, or an exponent of 15 and more.
_LONG_NUMBER: Final = re.compile(
    rb'<c r="([A-Z]{1,3})([0-9]{1,7})"(?![^>]*\bt="(?!n"))[^>]*><v>-?(?:[0-9]{16,}|[0-9.]+[eE]\+?(?:1[5-9]|[2-9][0-9]))'
)
_CELL_BYTES_MAX: Final = 400
_MIDNIGHT: Final = r"^(\d{4}-\d{2}-\d{2}) 00:00:00$"


@dataclass(frozen=True, slots=True)
class Workbook:
    """A workbook.

    Args:
        file: where it is.
        item: its name.
        sheet: the sheet's name, needed where there are several.
        header_row: number of the row with the column names.
    """

    file: Path
    item: str
    sheet: str | None
    header_row: int

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Rows of the sheet; a position is how many were read."""
        if self.file.stat().st_size == 0:
            raise FileEmpty(self.item)
        with self.file.open("rb") as opened:
            if opened.read(len(_OLD_EXCEL)) == _OLD_EXCEL:
                raise FormatUnsupported(self.item, "Excel 97–2003 (.xls) / encrypted")
        done = _read_position(self.item, after)
        frame = self._frame()
        if frame.height == 0:
            raise HeaderOnly(self.item)
        while done < frame.height:
            rows = frame.slice(done, rows_max)
            first, done = self.header_row + 1 + done, done + rows.height
            yield Chunk(rows, json.dumps({"rows": done}), first, done)

    def _frame(self) -> pl.DataFrame:
        try:
            reader = fastexcel.read_excel(str(self.file))
            name = self._sheet_name(reader.sheet_names)
            header = reader.load_sheet(name, header_row=None, n_rows=self.header_row, dtypes="string").to_polars()
            names = self._names(header)
            self._refuse_lost_digits(name, names)
            # All rows decide a column's type: a sample would turn what comes later into nothing.
            sheet = reader.load_sheet(name, header_row=self.header_row - 1, column_names=None, schema_sample_rows=None)
            frame = sheet.to_polars()
        except (fastexcel.FastExcelError, zipfile.BadZipFile, KeyError, ET.ParseError):
            raise WorkbookUnreadable(self.item) from None
        frame = frame.select(frame.columns[: len(names)])
        frame.columns = names
        mixed = [column for column in frame.columns if frame[column].dtype == pl.String]
        frame = frame.with_columns(
            # Dates in a column that also has text; and cells that look empty.
            pl.col(mixed).str.replace(_MIDNIGHT, "$1").replace("", None)
        )
        return _without_blank_tail(frame)

    def _sheet_name(self, sheets: list[str]) -> str:
        if self.sheet is not None:
            if self.sheet not in sheets:
                raise SheetUnknown(self.item, self.sheet, ", ".join(sheets))
            return self.sheet
        if len(sheets) != 1:
            raise SheetUnclear(self.item, ", ".join(sheets))
        return sheets[0]

    def _names(self, header: pl.DataFrame) -> list[str]:
        if header.height < self.header_row:
            raise HeaderOnly(self.item) if header.height else FileEmpty(self.item)
        names = [(str(value) if value is not None else "").strip() for value in header.row(self.header_row - 1)]
        while names and not names[-1]:
            names.pop()  # formats reach further than content
        seen: set[str] = set()
        for number, name in enumerate(names, 1):
            if not name:
                raise ColumnNameless(self.item, self.header_row, number)
            if name in seen:
                raise ColumnRepeated(self.item, name)
            seen.add(name)
        return names

    def _refuse_lost_digits(self, sheet: str, names: list[str]) -> None:
        """Look at the cells as they are stored: read into a column with text, such a number would look like an id."""
        with zipfile.ZipFile(self.file) as parts, parts.open(_part_of(parts, sheet)) as opened:
            tail = b""
            while more := opened.read(_READ_BYTES):
                found = _LONG_NUMBER.search(tail + more)
                if found is not None:
                    at = _column_number(found[1].decode())
                    if at < len(names) and int(found[2]) > self.header_row:
                        raise DigitsLost(names[at], int(found[2]))
                tail = (tail + more)[-_CELL_BYTES_MAX:]


def _part_of(parts: zipfile.ZipFile, sheet: str) -> str:
    """The part of the workbook that holds a sheet."""
    relation_id = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    book = _parsed(parts, "xl/workbook.xml")
    wanted = next(
        one.get(relation_id) for one in book.iter() if one.tag.endswith("}sheet") and one.get("name") == sheet
    )
    relations = _parsed(parts, "xl/_rels/workbook.xml.rels")
    target = next(one.get("Target", "") for one in relations.iter() if one.get("Id") == wanted)
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _parsed(parts: zipfile.ZipFile, name: str) -> ET.Element:
    with parts.open(name) as opened:
        text = opened.read(_PART_BYTES_MAX)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise zipfile.BadZipFile(name)
    return ET.fromstring(text)  # noqa: S314 - without entities there is nothing to expand


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _without_blank_tail(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the empty rows that formats leave behind the last record."""
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1) if len(filled) else frame.clear()


def _read_position(item: str, position: str | None) -> int:
    if position is None:
        return 0
    try:
        return int(json.loads(position)["rows"])
    except (ValueError, KeyError, TypeError):
        raise PositionUnreadable(item) from None
