"""Every kind of check: what passes, what fails and with which reason; null passes all but ``required``."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import re2
from check_maker import DATE, MICROS, NOW, codes_by_row, codes_of, contract_with, found, frame_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.checks import check_frame
from schemas.contract import load_shipped
from schemas.patterns import pattern_problem
from schemas.reasons import REASONS, Reason
from schemas.vocabulary import FIELD_CHECKS, RECORD_CHECKS

SHIPPED = {contract.name: contract for contract in load_shipped()}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}


def test_required_wants_a_value_and_no_empty_text():
    assert codes_of("string", [{"check": "required"}], ["x", "", None]) == [[], ["required"], ["required"]]
    assert codes_of("long", [{"check": "required"}], [0, None]) == [[], ["required"]]
    assert codes_of("boolean", [{"check": "required"}], [False, None]) == [[], ["required"]]


def test_length_is_counted_in_characters():
    check = {"check": "length", "min": 2, "max": 3}
    values = ["ab", "中文字", "𠮷𠮷𠮷", "a", "中文字符", "", None]
    assert codes_of("string", [check], values) == [[], [], [], ["length"], ["length"], ["length"], []]


@given(st.lists(st.none() | st.text("a中𠮷", max_size=6)), st.integers(0, 4), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_length_agrees_with_python(values: list[str | None], least: int, more: int):
    check = {"check": "length", "min": least, "max": least + more}
    expected = [["length"] if v is not None and not least <= len(v) <= least + more else [] for v in values]
    if values:
        assert codes_of("string", [check], values) == expected


def test_length_may_have_one_end_only():
    assert codes_of("string", [{"check": "length", "min": 2}], ["a", "ab" * 99]) == [["length"], []]
    assert codes_of("string", [{"check": "length", "max": 2}], ["", "ab", "abc"]) == [[], [], ["length"]]


def test_a_pattern_matches_the_whole_value():
    check = {"check": "pattern", "re": "[0-9]{2}|[0-9]{4}"}
    values = ["12", "1234", "123", "12\n", "x12", "１２", "", None]
    assert [bool(codes) for codes in codes_of("string", [check], values)] == [False, False, *[True] * 5, False]


@pytest.mark.parametrize(
    ("of", "check", "values", "failing"),
    [
        ("int", {"min": 1, "max": 5}, [1, 5, 0, 6, None], [2, 3]),
        ("long", {"min": 0}, [0, 2**62, -1], [2]),
        ("double", {"min": -0.5}, [-0.5, -0.50001, float("nan"), float("inf"), None], [1, 2, 3]),
        ("float", {"max": 1}, [1.0, 1.5, float("nan"), float("-inf")], [1, 2, 3]),
        (DECIMAL, {"min": 0, "max": 1000000}, [Decimal("0.00"), Decimal("1000000.00"), Decimal("1000000.01")], [2]),
        (DECIMAL, {"min": 0.1}, [Decimal("0.10"), Decimal("0.09"), None], [1]),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2},
            {"max": 1.23},
            [Decimal("1.23"), Decimal("1.24"), Decimal("9" * 36 + ".99"), Decimal("-" + "9" * 36)],
            [1, 2],
        ),
    ],
)
def test_a_range_includes_its_ends(of: Any, check: dict[str, Any], values: list[Any], failing: list[int]):
    codes = codes_of(of, [{"check": "range", **check}], values)
    assert [row for row, one in enumerate(codes) if one == ["range"]] == failing
    assert sum(map(len, codes)) == len(failing)


def test_a_code_must_be_in_its_list():
    check = {"check": "code_list", "list": "gbt2261_1"}
    assert codes_of("string", [check], ["1", "9", "3", "", None]) == [[], [], ["code_unknown"], ["code_unknown"], []]


def test_a_citizen_id_is_told_the_first_thing_that_is_wrong():
    values = ["11010519491231002X", "110105194912310021", "110105194902310021", "11010519491231002x", "", None]
    assert codes_of("string", [{"check": "citizen_id"}], values) == [
        [],
        ["citizen_id_check"],
        ["citizen_id_birthday"],
        ["citizen_id_form"],
        ["citizen_id_form"],
        [],
    ]


def test_a_credit_code_is_told_the_first_thing_that_is_wrong():
    values = ["914403001922038216", "914403001922038217", "91440300192203821I", None]
    assert codes_of("string", [{"check": "credit_code"}], values) == [
        [],
        ["credit_code_check"],
        ["credit_code_form"],
        [],
    ]


def test_a_division_must_exist_and_have_an_allowed_length():
    check = {"check": "division", "lengths": [6, 9, 12]}
    values = ["420106", "429004", "429004001", "429004001005", "42", "999999", "429004999", "42900400100x", "", None]
    unknown = ["division_unknown"]
    assert codes_of("string", [check], values) == [[], [], [], [], unknown, unknown, unknown, unknown, unknown, []]
    assert codes_of("string", [{"check": "division"}], ["420106", "4201"]) == [[], unknown]


def test_a_division_retired_before_the_date_it_is_used_at_is_found():
    # Jingshan county (420821) became a city (420882) after 2018-02-22.
    contract = contract_with(
        {"division": "string", "at": DATE}, {"division": [{"check": "division", "lengths": [6], "at": "at"}]}
    )
    days = [date(2018, 2, 21), date(2018, 2, 22), date(2018, 2, 23), date(2026, 1, 1), None, date(2026, 1, 1)]
    divisions = ["420821"] * 5 + ["420882"]
    expected = [[], [], ["division_retired"], ["division_retired"], [], []]
    assert codes_by_row(contract, {"division": divisions, "at": days}) == expected


def test_a_division_without_a_date_is_used_today():
    check = {"check": "division", "lengths": [6]}
    before, after = datetime(2018, 2, 22, 15, 59, tzinfo=UTC), datetime(2018, 2, 22, 16, 1, tzinfo=UTC)
    assert codes_of("string", [check], ["420821"], before) == [[]], "23:59 at Shanghai, its last day"
    assert codes_of("string", [check], ["420821"], after) == [["division_retired"]]


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-10))])
def test_today_is_the_day_at_shanghai_whatever_the_zone_of_the_clock(zone: timezone):
    now = datetime(2026, 11, 24, 16, 30, tzinfo=UTC).astimezone(zone)
    values = [date(2026, 11, 25), date(2026, 11, 26), None]
    assert codes_of(DATE, [{"check": "not_future"}], values, now) == [[], ["not_future"], []]


def test_a_timestamp_may_be_of_today():
    values = [datetime(2026, 11, 24, 23, 59), datetime(2026, 11, 25)]  # noqa: DTZ001 - local, as records have them
    assert codes_of(MICROS, [{"check": "not_future"}], values) == [[], ["not_future"]]


# Records --------------------------------------------------------------------------------------------------------------


def test_an_order_may_be_equal_and_blames_the_later_field():
    contract = contract_with(
        {"begins": DATE, "ends": DATE}, record_checks=[{"check": "order", "first": "begins", "then": "ends"}]
    )
    early, late = date(2026, 1, 1), date(2026, 1, 2)
    columns = {"begins": [early, early, late, None, late], "ends": [late, early, early, early, None]}
    assert codes_by_row(contract, columns) == [[], [], ["order"], [], []]
    assert [violation.reason.field for violation in found(contract, columns)] == ["ends"]


def test_two_persons_must_differ():
    contract = contract_with(
        {"one": "string", "other": "string"}, record_checks=[{"check": "different", "first": "one", "then": "other"}]
    )
    assert codes_by_row(contract, {"one": ["a", "a", None], "other": ["b", "a", None]}) == [[], ["same_person"], []]


def test_birth_date_and_sex_must_agree_with_the_citizen_id_and_each_is_blamed_itself():
    contract = contract_with(
        {"id": "string", "born": DATE, "sex": "string"},
        record_checks=[{"check": "citizen_id_agrees", "citizen_id": "id", "birth": "born", "sex": "sex"}],
    )
    right, wrong = date(1949, 12, 31), date(1949, 12, 30)
    columns = {
        "id": ["11010519491231002X"] * 4 + [None, "bad"],
        "born": [right, wrong, right, None, wrong, wrong],
        "sex": ["2", "2", "1", "9", "1", "1"],
    }
    assert codes_by_row(contract, columns) == [[], ["birth_date_disagrees"], ["sex_disagrees"], [], [], []]
    assert [(one.reason.code, one.reason.field) for one in found(contract, columns)] == [
        ("birth_date_disagrees", "born"),
        ("sex_disagrees", "sex"),
    ]


@pytest.mark.parametrize(
    ("of", "choices", "values"),
    [("string", ["2", "3"], ["2", "1", None]), ("int", [7], [7, 8, None]), ("boolean", [True], [True, False, None])],
)
def test_a_field_may_be_required_for_some_values_of_another(of: str, choices: list[Any], values: list[Any]):
    contract = contract_with(
        {"given": of, "then": "string"},
        record_checks=[{"check": "required_when", "field": "given", "in": choices, "then": "then"}],
    )
    columns = {"given": [*values, values[0], values[0]], "then": [None, None, None, "x", ""]}
    assert codes_by_row(contract, columns) == [["required_when"], [], [], [], ["required_when"]]


def test_a_unit_that_contradicts_its_indicator_is_told_the_right_one():
    contract = contract_with(
        {"indicator": "string", "unit": "string"},
        record_checks=[{"check": "unit", "indicator": "indicator", "unit_field": "unit"}],
    )
    columns = {
        "indicator": ["pop", "pop", "rgdpe", "unknown", None, "pop"],
        "unit": ["million persons", "heads", "USD", "x", "x", None],
    }
    assert codes_by_row(contract, columns) == [[], ["unit_mismatch"], ["unit_mismatch"], [], [], []]
    told = {one.reason.sentence("en"): one.failed.arg_true().to_list() for one in found(contract, columns)}
    assert [rows for sentence, rows in told.items() if "million persons" in sentence] == [[1]]
    assert [rows for sentence, rows in told.items() if "million 2011 USD" in sentence] == [[2]]


# Text -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["\x00", "\t", "\n", "\x1f", "\x7f", "\x80", "\x85", "\x9f"])
def test_control_characters_are_rejected(character: str):
    assert codes_of("string", [], [f"张{character}三", "张三", None]) == [["control_character"], [], []]


@pytest.mark.parametrize("character", ["\ue000", "\uf8ff", "\U000f0000", "\U0010fffd"])
def test_private_use_characters_are_flagged_not_rejected(character: str):
    contract = contract_with({"name": "string"})
    violations = found(contract, {"name": ["张三", f"张{character}", None]})
    assert [(one.reason.code, one.severity, one.failed.to_list()) for one in violations] == [
        ("private_use_character", "flag", [False, True, False])
    ]
    assert codes_by_row(contract, {"name": [f"张{character}"]}) == [[]]


def test_rare_characters_and_signs_of_names_are_clean():
    values = ["𠮷", "㐂", "阿卜杜·热合曼", "O'Neill–Śmith", "！？，。", "\ufeff", "豈", "é\u0301", "😀"]
    assert found(contract_with({"name": "string"}), {"name": values}) == []


def test_texts_in_arrays_are_looked_at_too():
    contract = contract_with({"names": {"type": "array", "items": ["null", "string"]}})
    columns = {"names": [["a", "b\x00"], ["a", None], [], None, ["\ue000"], ["c\n"]]}
    assert codes_by_row(contract, columns) == [["control_character"], [], [], [], [], ["control_character"]]
    nested = {"type": "array", "items": ["null", {"type": "array", "items": ["null", "string"]}]}
    columns = {"names": [[["a"], ["b", "\x00"]], [[], None], None]}
    assert codes_by_row(contract_with({"names": nested}), columns) == [["control_character"], [], []]


@given(st.lists(st.none() | st.text(max_size=6), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_control_characters_are_found_wherever_they_are(values: list[str | None]):
    has_control = [
        value is not None and any(ord(one) < 0x20 or 0x7F <= ord(one) <= 0x9F for one in value) for value in values
    ]
    assert codes_of("string", [], values) == [["control_character"] if one else [] for one in has_control]


# Patterns -------------------------------------------------------------------------------------------------------------

atoms = st.sampled_from(
    [
        "a",
        "中",
        "0",
        "-",
        " ",
        ".",
        "[0-9]",
        "[^a]",
        "[a-c-]",
        "[一-龥]",
        r"\.",
        r"\-",
        r"[\]a]",
        "^",
        "$",
        "[.+]",
        r"\\",
    ]
)
patterns = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.tuples(inner, inner).map("|".join)
        | inner.map("(?:{})".format)
        | inner.map("({})".format)
        | st.tuples(inner.map("(?:{})".format), st.sampled_from("*+?") | st.sampled_from(["{2}", "{0,2}", "{1,}"])).map(
            "".join
        )
    ),
    max_leaves=6,
)


@given(patterns, st.lists(st.text("abc中0-. ]\\\n9", max_size=5), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_both_engines_read_a_pattern_that_contracts_may_use_alike(pattern: str, values: list[str]):
    if pattern_problem(pattern) is not None:
        return
    check = {"check": "pattern", "re": pattern}
    frame = frame_of(contract := contract_with({"value": "string"}, {"value": [check]}), {"value": values})
    violations = [one for one in check_frame(contract, frame, now=NOW) if one.reason.code == "pattern"]
    failed = violations[0].failed.to_list() if violations else [False] * len(values)
    assert failed == [re2.fullmatch(pattern, value) is None for value in values]


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d{6}",
        r"\w",
        r"\bx",
        r"\<x",
        r"\Qx\E",
        r"\pN",
        r"\x{41}",
        "(?i)a",
        "(?P<n>a)",
        "(?=a)",
        "[[:alpha:]]",
        "[a&&b]",
        "[a--b]",
        "[a~~b]",
        "[[a]b]",
        "[]",
        "[",
        "a{",
        "a{,5}",
        "a{1001}",
        "a{2}{3}",
        "a{3,2}",
        "}",
        "]",
        "*",
        "a**",
        "(a",
        "a)",
        "\\",
        "a\x00",
        ".{1000}" * 20,
        "(?:.?){1000}" * 10,
        "(?:(?:a{100}){100}){100}",
        "(" * 21 + ")" * 21,
        "a" * 501,
    ],
)
def test_a_pattern_that_engines_read_differently_or_that_grows_is_refused(pattern: str):
    assert pattern_problem(pattern) is not None


@pytest.mark.parametrize("pattern", [".{1000}", "[一-龥]{1000}", "(?:a|b){1000}", "(a+)+", "(?:a*)*" * 60])
def test_what_is_let_in_compiles_and_runs_in_linear_time(pattern: str):
    assert pattern_problem(pattern) is None
    value = "a" * 50_000 + "!"
    assert codes_of("string", [{"check": "pattern", "re": pattern}], [value]) == [["pattern"]]


# Together -------------------------------------------------------------------------------------------------------------


def test_every_check_of_the_vocabulary_is_carried_out():
    from schemas.checks import _FIELD, _RECORD

    assert _FIELD.keys() == FIELD_CHECKS.keys()
    assert _RECORD.keys() == RECORD_CHECKS.keys()


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_has_a_sentence_in_both_languages_with_the_same_parameters(code: str):
    import string

    zh, en = REASONS[code]
    names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (zh, en)]
    assert names[0] == names[1]
    assert not zh.isascii()
    assert en.isascii()
    params = dict.fromkeys(names[0], "x")
    assert Reason(code, "field", params).to_json().keys() == {"code", "field", "zh", "en"}


def test_all_reasons_of_a_record_are_told_in_the_order_of_the_checks():
    checks = [{"check": "length", "min": 5, "max": 9}, {"check": "pattern", "re": "[0-9]*"}]
    assert codes_of("string", checks, ["x\x00"]) == [["control_character", "length", "pattern"]]


@pytest.mark.parametrize("height", [0, 1, 3])
def test_a_frame_of_nulls_lacks_what_is_required_and_nothing_else(height: int):
    for contract in SHIPPED.values():
        frame = frame_of(contract, {field.name: [None] * height for field in contract.fields})
        violations = check_frame(contract, frame, now=NOW)
        wanted = [field.name for field in contract.fields if field.required] if height else []
        assert [violation.reason.field for violation in violations] == wanted
        assert {violation.reason.code for violation in violations} <= {"required"}


def test_sliced_and_chunked_columns_are_checked_like_whole_ones():
    contract = contract_with({"value": "string"}, {"value": [{"check": "citizen_id"}]})
    values = ["11010519491231002X", "bad", None, "110105194912310021", "张\x00", "440524188001010014"]
    frame = frame_of(contract, {"value": values})
    pieces = pl.concat([frame.slice(0, 2), frame.slice(2, 3), frame.slice(5, 1)], rechunk=False)
    whole = [(one.reason, one.failed.to_list()) for one in check_frame(contract, frame, now=NOW)]
    assert [(one.reason, one.failed.to_list()) for one in check_frame(contract, pieces, now=NOW)] == whole
    for start in range(1, 6):
        sliced = check_frame(contract, frame.slice(start), now=NOW)
        expected = [(reason, failed[start:]) for reason, failed in whole if any(failed[start:])]
        assert [(one.reason, one.failed.to_list()) for one in sliced] == expected
