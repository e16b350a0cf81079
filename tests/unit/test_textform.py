"""The text form of values: one text a value, and the same value back."""

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cast import cast_column
from schemas.contract import Field, FieldType
from schemas.frame import polars_type
from schemas.textform import KEY_SEPARATOR, canonical, key_text, record_digest, text_of

TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 30))  # noqa: DTZ001 - local, as records have them
VALUES: Mapping[FieldType, st.SearchStrategy[Any]] = {
    FieldType("string"): st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    FieldType("int"): st.integers(-(2**31), 2**31 - 1),
    FieldType("long"): st.integers(-(2**63), 2**63 - 1),
    FieldType("double"): st.floats(allow_nan=False),
    FieldType("float"): st.floats(allow_nan=False, width=32),
    FieldType("boolean"): st.booleans(),
    FieldType("bytes"): st.binary(min_size=1, max_size=8),
    FieldType("date"): st.dates(),
    FieldType("decimal", 38, 10): st.decimals(-(10**27), 10**27, places=10),
    FieldType("decimal", 3, 3): st.decimals(Decimal("-0.999"), Decimal("0.999"), places=3),
    FieldType("timestamp_micros"): TIMES,
    FieldType("timestamp_millis"): TIMES.map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
    ),
}
fields = st.sampled_from(sorted(VALUES, key=repr))
arrays = fields.map(lambda of: FieldType("array", items=of)) | fields.map(
    lambda of: FieldType("array", items=FieldType("array", items=of))
)


def values_of(of: FieldType) -> st.SearchStrategy[Any]:
    if of.items is None:
        return VALUES[of]
    return st.lists(st.none() | values_of(of.items), max_size=3)


@st.composite
def typed_columns(draw: st.DrawFn) -> tuple[FieldType, list[Any]]:
    of = draw(fields | arrays)
    return of, draw(st.lists(st.none() | values_of(of), min_size=1, max_size=5))


@given(typed_columns())
@settings(max_examples=300, deadline=None)
def test_every_value_reads_back_from_its_text(drawn: tuple[FieldType, list[Any]]):
    of, values = drawn
    column = pl.Series("value", values, dtype=polars_type(of))
    texts = [text_of(value) for value in column.to_list()]
    field = Field("value", of, "", "", "C", 1, None, None, ())
    back, failed = cast_column(field, pl.Series("value", texts, dtype=pl.String))
    assert failed is None or not failed.any()
    assert back.to_list() == column.to_list()
    assert [text_of(value) for value in back.to_list()] == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        (" 张 ", " 张 "),
        (True, "true"),
        (False, "false"),
        (-7, "-7"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (-0.0, "-0.0"),
        (math.inf, "inf"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.0000001"), "0.0000001"),
        (date(1, 2, 3), "0001-02-03"),
        (datetime(2026, 1, 31, 8, 0), "2026-01-31T08:00:00.000000"),  # noqa: DTZ001 - local, as records have them
        (b"\x00\xff", "00ff"),
        (memoryview(b"\x01"), "01"),
        ([], "[]"),
        ([1, None, "张", True, Decimal("1.50")], '["1",null,"张","true","1.50"]'),
    ],
)
def test_the_text_form_is_fixed(value: object, text: str | None):
    assert text_of(value) == text


def test_a_key_is_one_text_and_lacks_no_part():
    assert key_text(["420106", date(2026, 1, 1), 7]) == KEY_SEPARATOR.join(["420106", "2026-01-01", "7"])
    assert key_text(["a", None]) is None
    assert key_text(["a", "b"]) != key_text(["ab", ""])


records = st.dictionaries(
    st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    max_size=6,
)


@given(records)
def test_the_canonical_form_is_rfc_8785_of_what_is_there(record: dict[str, str | None]):
    present = {name: value for name, value in record.items() if value is not None}
    assert canonical(record) == rfc8785.dumps(present)
    assert record_digest(record) == hashlib.new("sm3", canonical(record)).hexdigest()
    assert json.loads(canonical(record)) == present


@given(records)
def test_a_field_that_is_missing_changes_no_digest(record: dict[str, str | None]):
    assert record_digest(record | {"~new": None}) == record_digest(record)
    assert record_digest(dict(reversed(record.items()))) == record_digest(record)
    assert record_digest(record | {"~new": ""}) != record_digest(record)
