"""From a department's columns to the contract's fields."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import Any

import polars as pl
import pytest
from contract_maker import contract_text
from hypothesis import given
from hypothesis import strategies as st

from connectors.column_text import dates_by_form, multiplied, text_form
from connectors.config import FieldRule, MappingPlan
from connectors.errors import ColumnMissing, ColumnUnused, DigitsLost, FieldUnknown
from connectors.mapping import fit
from schemas.contract import Contract, parse_contract

DATE = {"type": "int", "logicalType": "date"}
TIME = {"type": "long", "logicalType": "local-timestamp-micros"}
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}


def contract(**fields: Any) -> Contract:
    return parse_contract(contract_text(fields or {"code": "string", "name": "string"}))


def plan(fields: Mapping[str, Any] | None = None, **others: Any) -> MappingPlan:
    return MappingPlan.model_validate({"fields": fields or {}, **others})


def mapped(of: Contract, columns: Mapping[str, Any], fields: Mapping[str, Any] | None = None, **others: Any) -> Any:
    frame = pl.DataFrame(columns)
    return fit(plan(fields, **others), of, frame.columns).apply(frame, 2)


def test_columns_named_as_fields_need_no_mapping():
    assert mapped(contract(), {"code": ["1"], "name": ["a"]}).to_dict(as_series=False) == {"code": ["1"], "name": ["a"]}


def test_a_column_is_renamed_by_the_short_form():
    assert mapped(contract(), {"代码": ["1"], "name": ["a"]}, {"code": "代码"})["code"].to_list() == ["1"]


def test_fields_come_in_the_contracts_order():
    assert mapped(contract(), {"name": ["a"], "code": ["1"]}).columns == ["code", "name"]


def test_one_column_may_fill_two_fields():
    assert mapped(contract(), {"x": ["1"]}, {"code": "x", "name": "x"}).row(0) == ("1", "1")


def test_a_code_that_is_not_in_the_map_passes_as_it_is():
    rule = {"column": "name", "codes": {"男": "1", "女": "2"}}
    found = mapped(contract(), {"code": ["1"] * 4, "name": ["男", "女", "X", None]}, {"name": rule})
    assert found["name"].to_list() == ["1", "2", "X", None]


def test_codes_apply_to_numbers_by_their_text():
    rule = {"column": "name", "codes": {"1": "男"}}
    assert mapped(contract(), {"code": ["1"], "name": [1.0]}, {"name": rule})["name"].to_list() == ["男"]


def test_texts_that_mean_nothing_are_nothing():
    found = mapped(contract(), {"code": ["1", "2"], "name": ["None", "x"]}, nulls=["None"])
    assert found["name"].to_list() == [None, "x"]


def test_a_constant_fills_every_record():
    assert mapped(contract(), {"code": ["1", "2"]}, {"name": {"constant": "CN"}})["name"].to_list() == ["CN", "CN"]


@pytest.mark.parametrize(
    ("form", "text", "read"),
    [
        ("%Y%m%d", "19900307", "1990-03-07"),
        ("%Y%m%d", "1990037", "1990037"),  # a digit is missing: which one is not ours to guess
        ("%Y%m%d", "19901307", "19901307"),
        ("%Y/%m/%d", "1990/3/7", "1990-03-07"),
        ("%d.%m.%Y", "7.3.1990", "1990-03-07"),
        ("%Y年%m月%d日", "1990年3月7日", "1990-03-07"),
        ("%Y%m%d", "", ""),
    ],
)
def test_a_date_of_the_form_is_read_and_any_other_passes_as_text(form: str, text: str, read: str):
    assert dates_by_form(pl.Series([text, None]), form, "date").to_list() == [read, None]


def test_a_time_of_a_form_keeps_its_time():
    found = dates_by_form(pl.Series(["20260102 03:04:05"]), "%Y%m%d %H:%M:%S", "timestamp_micros")
    assert found.to_list() == ["2026-01-02T03:04:05.000000"]


@given(
    numbers=st.lists(st.decimals(-(10**16), 10**16, places=4, allow_nan=False), min_size=1, max_size=20),
    factor=st.sampled_from(["0.0001", "10000", "1", "-2.5", "0.3048", "1e3", "666.6666667"]),
)
def test_multiplication_is_exact(numbers: list[Decimal], factor: str):
    found = multiplied(pl.Series([format(one, "f") for one in numbers]), factor).to_list()
    with localcontext(prec=80):
        assert [Decimal(one) for one in found] == [one * Decimal(factor) for one in numbers]


def test_what_is_no_number_is_not_multiplied():
    assert multiplied(pl.Series(["x", "1,000", "", None, "1e2"]), "2").to_list() == ["x", "1,000", "", None, "200"]


def test_capital_in_yuan_becomes_units_of_ten_thousand():
    found = mapped(
        contract(code="string", capital=MONEY),
        {"code": ["1"], "c": ["123400.00"]},
        {"capital": {"column": "c", "multiply": "0.0001"}},
    )
    assert found["capital"].to_list() == ["12.34"]


def test_whole_numbers_of_a_spreadsheet_lose_their_point_in_text():
    assert mapped(contract(), {"code": [1.0, 2.5], "name": ["a", "b"]})["code"].to_list() == ["1", "2.5"]


def test_numbers_that_lost_their_digits_are_refused_with_their_row():
    with pytest.raises(DigitsLost) as error:
        mapped(contract(), {"code": [1.0, 4.20102e17], "name": ["a", "b"]})
    assert (error.value.column, error.value.row) == ("code", 3)


def test_typed_columns_keep_their_types_where_nothing_is_lost():
    of = contract(code="string", day=DATE, at=TIME, n="long", x="double", m=MONEY)
    found = mapped(
        of,
        {
            "code": ["1"],
            "day": [datetime(2026, 1, 2)],  # noqa: DTZ001 - as spreadsheets give dates
            "at": [datetime(2026, 1, 2, 3, tzinfo=UTC)],
            "n": pl.Series([5], dtype=pl.Int8),
            "x": pl.Series([5], dtype=pl.Int32),
            "m": [1.25],
        },
    )
    assert found["day"].to_list() == [date(2026, 1, 2)]
    assert found["at"].to_list() == ["2026-01-02T11:00:00.000000"]  # local time, as contracts have it
    assert (found["n"].dtype, found["x"].dtype) == (pl.Int64, pl.Float64)
    assert found["m"].to_list() == ["1.25"]


def test_a_date_with_a_time_of_day_is_not_cut():
    found = mapped(contract(code="string", day=DATE), {"code": ["1"], "day": [datetime(2026, 1, 2, 3)]})  # noqa: DTZ001 - as spreadsheets give dates
    assert found["day"].to_list() == ["2026-01-02T03:00:00.000000"]


def test_a_number_too_large_for_its_field_travels_as_text():
    found = mapped(contract(code="string", n="int"), {"code": ["1"], "n": [2**40]})
    assert found["n"].to_list() == [str(2**40)]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([True, None], ["true", None]),
        ([b"\x01\xff"], ["01ff"]),
        ([date(2026, 1, 2)], ["2026-01-02"]),
        ([Decimal("1.10")], ["1.10"]),
        ([["a", "b"]], ['["a","b"]']),
        ([0.1], ["0.1"]),
    ],
)
def test_every_type_has_its_text_form(values: list[Any], text: list[str | None]):
    assert text_form(pl.Series(values)).to_list() == text


# Headers that do not fit ----------------------------------------------------------------------------------------------


def test_a_column_nobody_said_anything_about_is_refused_by_name():
    with pytest.raises(ColumnUnused) as error:
        fit(plan(), contract(), ["code", "name", "备注"])
    assert "备注" in error.value.sentence("zh")
    assert "mapping.ignore" in error.value.sentence("en")


def test_a_column_on_the_list_is_left_out():
    found = fit(plan(ignore=["备注"]), contract(), ["code", "name", "备注"])
    assert found.ignored == ("备注",)
    assert [one.field.name for one in found.placed] == ["code", "name"]


def test_a_column_under_a_fields_name_that_another_column_fills_must_be_ignored_on_purpose():
    with pytest.raises(ColumnUnused):
        fit(plan({"name": "name_local"}), contract(), ["code", "name", "name_local"])
    fit(plan({"name": "name_local"}, ignore=["name"]), contract(), ["code", "name", "name_local"])


def test_a_renamed_column_is_told_with_the_nearest():
    with pytest.raises(ColumnMissing) as error:
        fit(plan({"name": "姓名"}), contract(), ["code", "姓 名"])
    assert error.value.near == "姓 名"


def test_a_required_field_without_a_column_is_told():
    with pytest.raises(ColumnMissing, match="no column code"):
        fit(plan(ignore=["Code_"]), contract(), ["Code_", "name"])


def test_an_optional_field_without_a_column_is_absent():
    assert fit(plan(), contract(), ["code"]).absent == ("name",)


def test_a_field_the_contract_lacks_is_told_with_the_nearest():
    with pytest.raises(FieldUnknown) as error:
        fit(plan({"nmae": "x"}), contract(), ["code", "x"])
    assert error.value.near == "name"


def test_of_a_key_list_only_the_key_is_looked_for():
    found = fit(plan({"code": "k", "name": "n"}), contract(), ["k"], "keys")
    assert [one.field.name for one in found.placed] == ["code"]


def test_a_rule_of_the_short_form_and_the_long_form_are_one():
    assert plan({"code": "x"}).fields["code"] == FieldRule(column="x")
