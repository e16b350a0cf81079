"""Excel, NDJSON and Parquet as departments really write them."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from inbox_files import both, chunks, item, rows

from connectors.errors import ColumnRepeated, DigitsLost
from connectors.sources.errors import ItemUnreadable
from connectors.sources.file_errors import (
    FormatUnsupported,
    HeaderOnly,
    JsonLineWrong,
    SheetUnclear,
    SheetUnknown,
    WorkbookUnreadable,
)

# Workbooks ------------------------------------------------------------------------------------------------------------


def workbook(file: Path, *sheets: tuple[str, list[list[Any]]]) -> Path:
    with xlsxwriter.Workbook(str(file)) as book:
        as_date = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, table in sheets:
            sheet = book.add_worksheet(name)
            for row, values in enumerate(table):
                for column, value in enumerate(values):
                    if isinstance(value, date):
                        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001 - spreadsheets have no zones
                        sheet.write_datetime(row, column, moment, as_date)
                    elif isinstance(value, str):
                        sheet.write_string(row, column, value)
                    elif value is not None:
                        sheet.write_number(row, column, value)
    return file


def test_dates_of_excel_are_dates_and_numbers_numbers(tmp_path: Path):
    workbook(tmp_path / "a.xlsx", ("s", [["id", "day", "amount"], ["001", date(2026, 1, 2), 1.5], ["2", None, 3]]))
    [chunk] = chunks(tmp_path, "a.xlsx")
    assert chunk.frame["id"].to_list() == ["001", "2"]
    assert chunk.frame["day"].to_list() == [datetime(2026, 1, 2), None]  # noqa: DTZ001 - spreadsheets have no zones
    assert chunk.frame["amount"].to_list() == [1.5, 3.0]


def test_a_date_in_a_column_with_text_is_still_a_date(tmp_path: Path):
    workbook(tmp_path / "a.xlsx", ("s", [["day"], [date(2026, 1, 2)], ["不详"]]))
    assert rows(tmp_path, "a.xlsx") == [("2026-01-02",), ("不详",)]


@pytest.mark.parametrize("others", [[], ["420102199003071234"]])
def test_an_id_that_excel_made_a_number_is_refused_with_its_row(tmp_path: Path, others: list[str]):
    table = [["id"], *([one] for one in others), [420102199003071234]]
    workbook(tmp_path / "a.xlsx", ("s", table))
    with pytest.raises(DigitsLost) as error:
        rows(tmp_path, "a.xlsx")
    assert (error.value.column, error.value.row) == ("id", len(table))
    assert "420102" not in both(error.value)


def test_rows_behind_the_first_thousand_decide_a_type_too(tmp_path: Path):
    workbook(tmp_path / "a.xlsx", ("s", [["code"], *([number] for number in range(1500)), ["x1"]]))
    assert rows(tmp_path, "a.xlsx", rows_max=400)[-2:] == [("1499",), ("x1",)]


def test_a_sheet_is_named_where_there_are_several(tmp_path: Path):
    workbook(tmp_path / "a.xlsx", ("甲", [["code"], ["1"]]), ("乙", [["code"], ["2"]]))
    with pytest.raises(SheetUnclear, match="甲, 乙"):
        rows(tmp_path, "a.xlsx")
    with pytest.raises(SheetUnknown, match="丙"):
        rows(tmp_path, "a.xlsx", sheet="丙")
    assert rows(tmp_path, "a.xlsx", sheet="乙") == [("2",)]


def test_old_excel_and_what_is_no_workbook_are_refused(tmp_path: Path):
    with pytest.raises(FormatUnsupported, match=r"\.xlsx"):
        rows(tmp_path, "a.xls", b"\xd0\xcf\x11\xe0")
    with pytest.raises(WorkbookUnreadable, match="damaged"):
        rows(tmp_path, "a.xlsx", b"PK\x03\x04 and then nothing")


def test_headers_of_a_sheet_are_checked(tmp_path: Path):
    workbook(tmp_path / "a.xlsx", ("s", [["code", "code"], ["1", "2"]]))
    with pytest.raises(ColumnRepeated):
        rows(tmp_path, "a.xlsx")
    workbook(tmp_path / "b.xlsx", ("s", [["code"]]))
    with pytest.raises(HeaderOnly):
        rows(tmp_path, "b.xlsx")


# NDJSON ---------------------------------------------------------------------------------------------------------------


def test_json_keeps_numbers_as_they_are_written(tmp_path: Path):
    content = (
        b'{"id": 420102199003071234, "amount": 1.10, "ok": true, "none": null}\n\n{"id": "2", "tags": ["a", "b"]}\n'
    )
    [chunk] = chunks(tmp_path, "a.ndjson", content)
    assert chunk.frame.row(0, named=True) == {
        "id": "420102199003071234",
        "amount": "1.10",
        "ok": "true",
        "none": None,
        "tags": None,
    }
    assert chunk.frame["tags"].to_list()[1] == '["a", "b"]'
    assert chunk.row_numbers is not None
    assert chunk.row_numbers.to_list() == [1, 3]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": {"b": 1}}', "nested"),
        ('{"a": [[1]]}', "nested"),
        ("[1]", "no JSON object"),
        ('{"a": 1', "no JSON"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_line_that_is_no_flat_object_is_named(tmp_path: Path, line: str, said: str):
    with pytest.raises(JsonLineWrong, match=said) as error:
        rows(tmp_path, "a.ndjson", b'{"a": 1}\n' + line.encode() + b"\n")
    assert error.value.line == 2


# Parquet --------------------------------------------------------------------------------------------------------------


def test_parquet_keeps_its_types_and_resumes(tmp_path: Path):
    frame = pl.DataFrame({"code": [f"{n}" for n in range(100)], "day": [date(2026, 1, 2)] * 100, "n": range(100)})
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=30)
    whole = chunks(tmp_path, "a.parquet", rows_max=25)
    assert pl.concat([chunk.frame for chunk in whole]).equals(frame)
    rest = list(item(tmp_path, "a.parquet").chunks(whole[1].position, 25))
    done = sum(chunk.frame.height for chunk in whole[:2])
    assert pl.concat([chunk.frame for chunk in rest]).equals(frame[done:])
    assert rest[0].first_row == done + 1


def test_what_is_no_parquet_is_refused(tmp_path: Path):
    with pytest.raises(ItemUnreadable, match="Parquet"):
        rows(tmp_path, "a.parquet", json.dumps({"a": 1}).encode())
