"""The code lists that come with the hub."""

from datetime import date

import pytest

from schemas import codelists


def test_sex_has_the_four_codes_of_gbt_2261_1():
    titles = {row["code"]: row["name_en"] for row in codelists.rows("gbt2261_1")}
    assert titles == {"0": "unknown", "1": "male", "2": "female", "9": "not stated"}


@pytest.mark.parametrize("name", sorted(codelists.names() - {"divisions"}))
def test_every_list_has_codes_once_with_a_title(name: str):
    rows = codelists.rows(name)
    assert rows
    assert len({row["code"] for row in rows}) == len(rows) == len(codelists.codes(name))
    assert all(row["code"].strip() == row["code"] and row["code"] and row["name_zh"] for row in rows)


def test_ethnic_groups_are_the_fifty_six_of_gbt_3304_and_two_more():
    codes = codelists.codes("gbt3304")
    assert {f"{number:02d}" for number in range(1, 57)} <= codes
    assert len(codes) == 58


def test_the_sections_of_gbt_4754_are_twenty():
    assert codelists.codes("gbt4754_section") == frozenset("ABCDEFGHIJKLMNOPQRST")


def test_every_indicator_has_a_unit():
    assert all(unit for unit in codelists.units().values())
    assert codelists.units().keys() == codelists.codes("indicator_unit")


def test_the_divisions_are_hubei_with_its_directly_administered_counties():
    divisions = codelists.divisions()
    assert divisions["42"].name == "湖北省"
    assert divisions["4201"].name == "武汉市"
    direct = {"429004": "仙桃市", "429005": "潜江市", "429006": "天门市", "429021": "神农架林区"}
    assert {code: divisions[code].name for code in direct} == direct
    assert all(divisions[code].valid_to is None for code in direct)


def test_every_division_that_stands_is_under_another_one():
    divisions = codelists.divisions()
    parents = {12: 9, 9: 6, 6: 4, 4: 2}
    standing = [one.code for one in divisions.values() if one.valid_to is None and len(one.code) > 2]
    assert [code for code in standing if code[: parents[len(code)]] not in divisions] == []


def test_a_retired_division_has_its_last_day_and_a_successor_that_stands():
    divisions = codelists.divisions()
    retired = [one for one in divisions.values() if one.valid_to is not None]
    assert {one.code for one in retired} >= {"420321", "420521", "420619", "420821", "421023"}
    for one in retired:
        assert one.valid_to is not None
        assert date(1980, 1, 1) < one.valid_to < date(2026, 1, 1)
        assert one.successor is not None
        assert divisions[one.successor].valid_to is None


def test_every_division_says_whether_it_was_read_or_remembered():
    rows = codelists.rows("divisions")
    assert {row["provenance"] for row in rows} == {"V", "M"}
    assert all(row["provenance"] == "M" for row in rows if row["valid_to"]), "what retired is from memory, and says so"
