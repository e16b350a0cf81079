"""Which form an answer has, and how CSV is written."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.release.errors import FormatNotOffered, QueryWrong
from hub.release.formats import FORMATS, JSON, chosen_format, csv_page, for_spreadsheet, json_page


@pytest.mark.parametrize(
    ("accept", "named", "chosen"),
    [
        ("", None, "json"),
        ("*/*", None, "json"),
        ("text/csv", None, "csv"),
        ("text/html, text/csv;q=0.8, application/json;q=0.5", None, "csv"),
        ("application/*;q=0.2, text/*;q=0.9", None, "csv"),
        ("application/geo+json, */*;q=0.1", None, "geojson"),
        ("application/json;q=0, */*;q=0.5", None, "geojson"),
        ("image/png", "avro", "avro"),
        ("application/vnd.apache.parquet", None, "parquet"),
    ],
)
def test_the_form_named_goes_before_the_one_best_accepted(accept: str, named: str | None, chosen: str):
    assert chosen_format(accept, named).name == chosen


@pytest.mark.parametrize(("accept", "named"), [("image/png", None), ("*/*;q=0", None), ("", "xlsx"), ("a;;q=x", None)])
def test_what_is_not_offered_is_told_with_what_is(accept: str, named: str | None):
    with pytest.raises(FormatNotOffered) as refused:
        chosen_format(accept, named)
    assert all(one.media_type in refused.value.offered for one in FORMATS)


def test_a_spreadsheet_is_made_of_csv_alone():
    assert for_spreadsheet("spreadsheet", chosen_format("", "csv"))
    assert not for_spreadsheet(None, JSON)
    for purpose, name in (("spreadsheet", "json"), ("people", "csv")):
        with pytest.raises(QueryWrong):
            for_spreadsheet(purpose, chosen_format("", name))


CELLS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20))


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_csv_gives_back_every_text(rows: list[tuple[str | None, str | None]]):
    records = [tuple(None if cell is None else cell.encode() for cell in row) for row in rows]
    text = csv_page(("a", "b"), records, (True, True), spreadsheet=False).decode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0] == ["a", "b"]
    assert read[1:] == [[cell or "" for cell in row] for row in rows]


def test_no_value_and_an_empty_text_are_told_apart():
    assert csv_page(("a", "b"), [(None, b"")], (True, True), spreadsheet=False) == b'a,b\r\n,""\r\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "－1", '=cmd|" /C calc"!A0'])
def test_formulas_are_disarmed_for_spreadsheets_and_nowhere_else(text: str):
    page = csv_page(("a",), [(text.encode(),)], (True,), spreadsheet=True).decode("utf-8-sig")
    assert next(iter(list(csv.reader(io.StringIO(page, newline="")))[1:])) == [f"'{text}"]
    plain = csv_page(("a",), [(text.encode(),)], (True,), spreadsheet=False).decode()
    assert list(csv.reader(io.StringIO(plain, newline="")))[1] == [text]


def test_negative_numbers_are_no_formulas():
    assert csv_page(("a",), [(b"-5",)], (False,), spreadsheet=True).endswith(b"\r\n-5\r\n")


def test_json_is_what_postgresql_wrote_between_brackets():
    assert json_page([b'{"a":1}', b'{"a":2}'], {"instant": "x"}) == b'{"records":[{"a":1},{"a":2}],"instant":"x"}'
