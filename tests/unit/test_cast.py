"""Text to typed: which spellings are read, and that what cannot be read is told and never guessed."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from check_maker import DATE, contract_with
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cast import cast_column, cast_text
from schemas.contract import Field, FieldType, Kind

INT = FieldType("int")


def field_of(of: FieldType) -> Field:
    return Field("value", of, "", "", "C", 1, None, None, ())


def read(of: FieldType | Kind, *texts: str | None) -> list[Any]:
    """Values as read; ``...`` where a text is told to be unreadable."""
    kind = of if isinstance(of, FieldType) else FieldType(of)
    column, failed = cast_column(field_of(kind), pl.Series("text", texts, dtype=pl.String))
    assert column.name == "value"
    told = [False] * len(texts) if failed is None else failed.to_list()
    return [... if bad else value for value, bad in zip(column.to_list(), told, strict=True)]


def test_a_string_stays_what_it_is_and_every_other_empty_text_is_no_value():
    assert read("string", "", " x ", None) == ["", " x ", None]
    for kind in ("int", "long", "double", "boolean", "date", "timestamp_micros", "bytes", "geometry"):
        assert read(kind, "", "  ", None) == [None, None, None]
    assert read(FieldType("decimal", 5, 2), "", None) == [None, None]
    assert read(FieldType("array", items=INT), "", None) == [None, None]


def test_integers_have_their_width_and_no_fraction():
    assert read("int", "2147483647", "-2147483648", "2147483648", "1.0", "1e3", "１", " 7 ", "+7") == [
        2**31 - 1,
        -(2**31),
        ...,
        ...,
        ...,
        ...,
        7,
        7,
    ]
    assert read("long", "9223372036854775807", "9223372036854775808") == [2**63 - 1, ...]


def test_a_decimal_is_never_rounded():
    money = FieldType("decimal", 7, 2)
    assert read(money, "12345.67", "12345.6", "12345.6700", "-0.01", "+1", ".5", "1.", "0000012345.67") == [
        Decimal("12345.67"),
        Decimal("12345.60"),
        Decimal("12345.67"),
        Decimal("-0.01"),
        Decimal("1.00"),
        Decimal("0.50"),
        Decimal("1.00"),
        Decimal("12345.67"),
    ]
    assert read(money, "0.001", "123456.00", "1e2", "1,000", "１", "x", ".", "-", "--1") == [...] * 9


def test_a_decimal_of_fractions_only_is_read():
    share = FieldType("decimal", 2, 2)
    assert read(share, "0.55", "-.5", "0", "1", "0.555") == [
        Decimal("0.55"),
        Decimal("-0.50"),
        Decimal("0.00"),
        ...,
        ...,
    ]


@given(st.integers(1, 38), st.data())
@settings(max_examples=100, deadline=None)
def test_every_decimal_that_fits_is_read_exactly(precision: int, data: st.DataObject):
    scale = data.draw(st.integers(0, precision))
    unscaled = data.draw(st.integers(-(10**precision) + 1, 10**precision - 1))
    exact = Decimal(f"{unscaled}E-{scale}")
    assert read(FieldType("decimal", precision, scale), format(exact, "f")) == [exact]
    assert read(FieldType("decimal", precision, scale), str(10**precision)) == [...]


def test_booleans_are_read_in_the_spellings_of_databases_and_people():
    assert read("boolean", "true", "FALSE", "1", "0", "t", "F", "是", "否") == [True, False] * 4
    assert read("boolean", "yes", "2", "真", "-") == [...] * 4


def test_dates_are_days_of_four_digit_years():
    assert read("date", "2026-01-31", "2026/1/31", "20260131", "2026-1-5", "0001-01-01", "9999-12-31") == [
        *[date(2026, 1, 31)] * 3,
        date(2026, 1, 5),
        date(1, 1, 1),
        date(9999, 12, 31),
    ]
    wrong = ["2026-02-29", "31/01/2026", "26-01-31", "0000-01-01", "-001-01-01", "+2026-01-31", "12026-01-01", "2026"]
    assert read("date", *wrong) == [...] * len(wrong)


def test_timestamps_are_local_and_name_no_zone():
    moment = datetime(2026, 1, 31, 8, 5)  # noqa: DTZ001 - local, as records have them
    forms = ["2026-01-31T08:05:00.000000", "2026-01-31 08:05:00", "2026-01-31T08:05", "2026-01-31 08:05"]
    assert read("timestamp_micros", *forms) == [moment] * 4
    assert read("timestamp_micros", "2026-01-31") == [moment.replace(hour=0, minute=0)]
    assert read("timestamp_millis", "2026-01-31T08:05:00.125") == [moment.replace(microsecond=125_000)]
    wrong = ["2026-01-31T08:05:00Z", "2026-01-31T08:05:00+08:00", "2026-01-31T24:00", "2026-01-31T08", "0000-01-01"]
    assert read("timestamp_micros", *wrong) == [...] * len(wrong)


def test_bytes_are_hexadecimal():
    assert read("bytes", "00ff", "00FF", "0", "zz", "0x00") == [b"\x00\xff", b"\x00\xff", ..., ..., ...]


def test_arrays_are_json_and_one_bad_item_spoils_its_array():
    assert read(FieldType("array", items=INT), "[1,null,2]", "[]", '["3"]', "[1.5]", "[x]", "1", "{}") == [
        [1, None, 2],
        [],
        [3],
        *[...] * 4,
    ]
    assert read(FieldType("array", items=FieldType("string")), '["a","",null]', "[1]") == [["a", "", None], ["1"]]
    assert read(FieldType("array", items=FieldType("date")), '["2026-01-31"]') == [[date(2026, 1, 31)]]
    nested = FieldType("array", items=FieldType("array", items=INT))
    assert read(nested, "[[1],[2,3],null]", '["[1]"]', "[[x]]") == [[[1], [2, 3], None], [[1]], ...]


def test_an_array_nested_without_end_is_refused():
    assert read(FieldType("array", items=INT), "[" * 100_000, "9" * 5_000, "[" + "9" * 5_000 + "]") == [...] * 3


def test_one_value_in_another_form_costs_the_others_nothing():
    texts = ["2026-01-31"] * 5 + ["20260201", "x", None]
    assert read("date", *texts) == [date(2026, 1, 31)] * 5 + [date(2026, 2, 1), ..., None]


def test_a_frame_of_texts_becomes_the_contracts_fields_and_says_what_could_not_be_read():
    contract = contract_with({"day": DATE, "note": "string", "late": "long"})
    text = pl.DataFrame({"day": ["2026-01-31", "x", None], "row": ["1", "2", "z"], "note": ["a", "", None]})
    frame, violations = cast_text(contract, text)
    assert frame.columns == ["row", "day", "note", "late"]
    assert frame.dtypes == [pl.Int32, pl.Date, pl.String, pl.Int64]
    assert frame["late"].to_list() == [None] * 3
    assert [(one.reason.code, one.reason.field, one.failed.to_list()) for one in violations] == [
        ("type", "row", [False, False, True]),
        ("type", "day", [False, True, False]),
    ]
    assert "date" in violations[1].reason.sentence("en")
    assert "x" not in violations[1].reason.sentence("zh")


def test_a_frame_without_records_keeps_its_types():
    frame, violations = cast_text(contract_with({"day": DATE}), pl.DataFrame({"day": pl.Series([], dtype=pl.String)}))
    assert (frame.height, frame.dtypes, violations) == (0, [pl.Int32, pl.Date], [])


KINDS: tuple[Kind, ...] = ("int", "long", "float", "double", "boolean", "bytes", "date", "timestamp_millis", "geometry")
kinds = st.sampled_from(
    [
        *map(FieldType, KINDS),
        FieldType("timestamp_micros"),
        FieldType("decimal", 5, 2),
        FieldType("decimal", 38, 38),
        FieldType("array", items=INT),
    ]
)
junk = st.none() | st.text(max_size=12) | st.text("0123456789-:T. +eE/,[]()POINT", max_size=16)


@given(kinds, st.lists(junk, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_no_text_does_worse_than_be_told_unreadable(of: FieldType, texts: list[str | None]):
    column, failed = cast_column(field_of(of), pl.Series("text", texts, dtype=pl.String))
    assert len(column) == len(texts)
    told = [False] * len(texts) if failed is None else failed.to_list()
    for value, text, bad in zip(column.to_list(), texts, told, strict=True):
        assert (value is None) == (bad or text is None or not text.strip())
