"""Files as departments really write them: read right, or refused with a sentence that says where and what to do."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from inbox_files import both, chunks, item, rows

from connectors.errors import ColumnRepeated
from connectors.sources import text_encoding, text_records
from connectors.sources.errors import ItemChanged, ItemUnreadable, PositionUnreadable
from connectors.sources.file_errors import (
    ColumnNameless,
    EncodingForeign,
    EncodingUnreadable,
    FileEmpty,
    HeaderOnly,
    QuoteOpen,
    QuoteStray,
    RowRagged,
)
from connectors.sources.files import FilesOptions, FilesSource

LONG_AGO = 1_700_000_000


# Encodings ------------------------------------------------------------------------------------------------------------


def test_utf8_with_and_without_a_byte_order_mark_is_the_same(tmp_path: Path):
    text = "姓名,代码\n张三,1\n"
    plain = rows(tmp_path, "a.csv", text.encode())
    marked = chunks(tmp_path, "b.csv", b"\xef\xbb\xbf" + text.encode())
    assert plain == [("张三", "1")] == marked[0].frame.rows()
    assert marked[0].frame.columns == ["姓名", "代码"]


@pytest.mark.parametrize(
    ("character", "what"),
    [("㐂", "outside GBK"), ("𠮷", "of four bytes"), ("\ue000", "of the private use area"), ("·", "a middle dot")],
)
def test_gb18030_comes_through_whole(tmp_path: Path, character: str, what: str):
    text = f"姓名,代码\r\n王{character}明,1\r\n"
    assert rows(tmp_path, "a.csv", text.encode("gb18030")) == [(f"王{character}明", "1")], what


def test_gb18030_across_the_ends_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_encoding, "_READ_BYTES", 7)
    monkeypatch.setattr(text_records, "_READ_BYTES", 64)
    names = [f"王㐂𠮷{number}" for number in range(200)]
    text = "姓名,代码\n" + "".join(f"{name},1\n" for name in names)
    assert [name for name, _ in rows(tmp_path, "a.csv", text.encode("gb18030"))] == names


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_utf16_is_refused_by_name(tmp_path: Path, encoding: str):
    with pytest.raises(EncodingForeign, match="UTF-"):
        rows(tmp_path, "a.csv", "code,name\n1,a\n".encode(encoding))


def test_bytes_of_no_encoding_are_refused_with_their_place(tmp_path: Path):
    content = "代码,姓名\n1,张\n2,".encode() + b"\xff\xff\n"
    with pytest.raises(EncodingUnreadable) as error:
        rows(tmp_path, "a.csv", content)
    assert error.value.line == 3
    assert content[error.value.offset] == 0xFF
    assert "第 3 行" in both(error.value)


def test_a_named_encoding_that_is_wrong_is_refused(tmp_path: Path):
    with pytest.raises(EncodingUnreadable, match=r"UTF-8.*line 2"):
        rows(tmp_path, "a.csv", "code,name\n1,张\n".encode("gb18030"), encoding="utf-8")


def test_a_character_cut_at_the_end_is_refused(tmp_path: Path):
    with pytest.raises(EncodingUnreadable):
        rows(tmp_path, "a.csv", "code,name\n1,张".encode()[:-1], encoding="utf-8")


# Records --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_line_end_is_understood(tmp_path: Path, end: str, last: bool):
    text = end.join(["code,name", "1,a", "2,b"]) + (end if last else "")
    assert rows(tmp_path, "a.csv", text.encode()) == [("1", "a"), ("2", "b")]


def test_a_carriage_return_inside_a_line_stays_for_the_check_to_find(tmp_path: Path):
    assert rows(tmp_path, "a.csv", b"code,name\n1,a\rb\n") == [("1", "a\rb")]


def test_nul_stays_for_the_check_to_find(tmp_path: Path):
    assert rows(tmp_path, "a.csv", b"code,name\n1,a\0b\n") == [("1", "a\0b")]


def test_nul_in_the_header_is_refused(tmp_path: Path):
    with pytest.raises(ItemUnreadable, match="NUL"):
        rows(tmp_path, "a.csv", b"code,na\0me\n1,a\n")


def test_quoted_values_may_hold_separators_line_ends_and_marks(tmp_path: Path):
    found = chunks(tmp_path, "a.csv", b'code,name\n1,"a,b"\n2,"c\r\nd"\n3,"say ""x"""\n4,e\n')
    assert found[0].frame.rows() == [("1", "a,b"), ("2", "c\r\nd"), ("3", 'say "x"'), ("4", "e")]
    assert found[0].row_numbers is not None
    assert found[0].row_numbers.to_list() == [2, 3, 5, 6]


def test_nothing_between_separators_is_nothing_given_quoted_or_not(tmp_path: Path):
    assert rows(tmp_path, "a.csv", b'code,name\n1,""\n2,\n') == [("1", None), ("2", None)]


def test_blank_lines_are_no_records_and_keep_the_numbers_right(tmp_path: Path):
    [chunk] = chunks(tmp_path, "a.csv", b"code,name\n\n1,a\n\r\n2,b\n\n")
    assert chunk.frame.rows() == [("1", "a"), ("2", "b")]
    assert chunk.row_numbers is not None
    assert chunk.row_numbers.to_list() == [3, 5]


@pytest.mark.parametrize(("line", "found"), [("2,b,c", 3), ("2", 1)])
def test_a_ragged_line_is_named(tmp_path: Path, line: str, found: int):
    with pytest.raises(RowRagged) as error:
        rows(tmp_path, "a.csv", f"code,name\n1,a\n{line}\n3,c\n".encode())
    assert (error.value.line, error.value.expected, error.value.found) == (3, 2, found)
    assert "第 3 行" in both(error.value)
    assert "line 3" in both(error.value)


def test_two_ragged_lines_do_not_make_up_for_each_other(tmp_path: Path):
    with pytest.raises(RowRagged, match="line 2"):
        rows(tmp_path, "a.csv", b"code,name\n1\n2,b,c\n")


def test_a_mark_in_the_middle_of_a_value_is_named(tmp_path: Path):
    with pytest.raises(QuoteStray, match="line 3"):
        rows(tmp_path, "a.csv", b'code,name\n1,a\n2,5" pipe\n3,"x"\n4,6" pipe\n')


def test_a_quoted_value_that_does_not_end_is_named(tmp_path: Path):
    with pytest.raises(QuoteOpen, match="line 3"):
        rows(tmp_path, "a.csv", b'code,name\n1,a\n2,"b\n3,c\n')


def test_a_file_without_a_byte_has_a_sentence_of_its_own(tmp_path: Path):
    for name in ("a.csv", "a.ndjson", "a.xlsx", "a.parquet"):
        with pytest.raises(FileEmpty, match="0 bytes"):
            rows(tmp_path, name, b"")


def test_a_header_alone_has_a_sentence_of_its_own(tmp_path: Path):
    with pytest.raises(HeaderOnly, match="no records"):
        rows(tmp_path, "a.csv", b"code,name\n")


def test_a_repeated_column_is_refused_by_name(tmp_path: Path):
    with pytest.raises(ColumnRepeated, match="column name twice"):
        rows(tmp_path, "a.csv", b"code,name,name\n1,a,b\n")


def test_a_nameless_column_is_refused_by_number(tmp_path: Path):
    with pytest.raises(ColumnNameless, match="column 2"):
        rows(tmp_path, "a.csv", b"code,,name\n1,a,b\n")


def test_the_header_may_stand_further_down(tmp_path: Path):
    [chunk] = chunks(tmp_path, "a.csv", "导出\n2026\ncode,name\n1,a\n".encode(), header_row=3)
    assert (chunk.frame.columns, chunk.frame.rows(), chunk.first_row) == (["code", "name"], [("1", "a")], 4)


def test_tabs_and_other_separators(tmp_path: Path):
    assert rows(tmp_path, "a.tsv", b"code\tname\n1\ta,b\n") == [("1", "a,b")]
    assert rows(tmp_path, "a.csv", b"code|name\n1|a,b\n", delimiter="|") == [("1", "a,b")]


@pytest.mark.parametrize("seed", range(20))
def test_however_a_file_is_cut_and_resumed_its_rows_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
):
    random = np.random.default_rng(seed)
    words = ["", "a", "张三", "x,y", "l\nm", 'q"q', "\u3402", "长" * 30]
    values = [[f"{number}", words[random.integers(len(words))]] for number in range(60)]
    frame = pl.DataFrame(values, schema=["code", "name"], orient="row")
    end = ["\n", "\r\n"][seed % 2]
    content = frame.write_csv(line_terminator=end).encode(["utf-8", "gb18030"][seed // 2 % 2])
    monkeypatch.setattr(text_records, "_READ_BYTES", int(random.integers(8, 300)))
    whole = chunks(tmp_path, "a.csv", content)
    expected = [(code, name or None) for code, name in values]
    assert [row for chunk in whole for row in chunk.frame.rows()] == expected
    size = int(random.integers(1, 30))
    pieces = list(item(tmp_path, "a.csv").chunks(None, size))
    assert max(piece.frame.height for piece in pieces) <= size
    assert [row for piece in pieces for row in piece.frame.rows()] == expected
    at = int(random.integers(len(pieces)))
    resumed = list(item(tmp_path, "a.csv").chunks(pieces[at].position, size))
    for after, before in zip(resumed, pieces[at + 1 :], strict=True):
        assert after.frame.equals(before.frame)
        assert (after.position, after.first_row) == (before.position, before.first_row)


def test_progress_is_bytes_and_ends_at_the_files_size(tmp_path: Path):
    content = b"code,name\n" + b"1,a\n" * 50
    one = item(tmp_path, "a.csv", content)
    found = list(one.chunks(None, 10))
    assert [chunk.progress for chunk in found] == sorted(chunk.progress for chunk in found)
    assert found[-1].progress == one.size == len(content)


def test_a_strange_position_is_refused(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"code\n1\n")
    for position in ("x", "{}", '{"byte":-1,"line":1}'):
        with pytest.raises(PositionUnreadable):
            list(item(tmp_path, "a.csv").chunks(position, 10))


# The folder -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_still_written_is_not_touched(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"code\n1\n")
    now = (tmp_path / "a.csv").stat().st_ctime
    source = FilesSource(FilesOptions(inbox=".", settle_seconds=2), tmp_path, lambda: now + 1)
    assert list(source.items()) == []
    later = FilesSource(FilesOptions(inbox=".", settle_seconds=2), tmp_path, lambda: now + 3)
    assert [one.name for one in later.items()] == ["a.csv"]


def test_hidden_and_temporary_names_are_not_read(tmp_path: Path):
    for name in (".a.csv", "~$a.xlsx", "a.csv.part", "a.tmp", "a.txt"):
        (tmp_path / name).write_bytes(b"code\n1\n")
    assert list(FilesSource(FilesOptions(inbox=".", settle_seconds=0), tmp_path).items()) == []


def test_a_file_that_changes_while_it_is_read_is_left_for_later(tmp_path: Path):
    reading = item(tmp_path, "a.csv", b"code\n" + b"1\n" * 100).chunks(None, 10)
    next(reading)
    with (tmp_path / "a.csv").open("ab") as more:
        more.write(b"2\n")
    os.utime(tmp_path / "a.csv", (LONG_AGO, LONG_AGO))
    with pytest.raises(ItemChanged, match="changed while it was read"):
        list(reading)


def test_a_file_put_away_keeps_what_lies_there_already(tmp_path: Path):
    for _ in range(2):
        item(tmp_path, "a.csv", b"code\n1\n").finish("done", "{}")
    assert sorted(file.name for file in (tmp_path / "done").iterdir()) == [
        "a-2.csv",
        "a-2.csv.report.json",
        "a.csv",
        "a.csv.report.json",
    ]
