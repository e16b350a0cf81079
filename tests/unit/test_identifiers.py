"""Check digits against the vectors of the standards, and against every single mistake."""

from datetime import date

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.identifier_checks import citizen_id_agreement, citizen_id_failures, credit_code_failures
from schemas.identifiers import citizen_id_problem, credit_code_problem

ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# GB 11643-1999: the examples of the standard; 999999 is no division, so the last one is nobody's.
CITIZEN_IDS = ("11010519491231002X", "440524188001010014", "34052419800101001X", "999999190001010007")
# GB 32100-2015: public companies, and two made ones: remainder 0, and X inside.
CREDIT_CODES = (
    "914403001922038216",
    "9144030071526726XG",
    "91330100716105852F",
    "91110000802100433B",
    "914201000000001820",
    "9142010000000006XU",
)


def citizen_id(body: str) -> str:
    """By the standard's own words, one digit after the other, not as the hub does it."""
    total = sum(int(digit) * weight for digit, weight in zip(body, ID_WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def credit_code(head: str, organisation: str) -> str:
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(character, 36) * weight for character, weight in zip(organisation, weights, strict=True))
    inner = 11 - total % 11
    body = head + organisation + {10: "X", 11: "0"}.get(inner, str(inner))
    total = sum(CREDIT_ALPHABET.index(character) * 3**place for place, character in enumerate(body))
    return body + CREDIT_ALPHABET[(31 - total % 31) % 31]


birthdays = st.dates(date(1800, 1, 1), date(2100, 12, 31))
citizen_ids = st.builds(
    lambda division, born, sequence: citizen_id(f"{division:06d}{born:%Y%m%d}{sequence:03d}"),
    st.integers(0, 999_999),
    birthdays,
    st.integers(0, 999),
)
credit_codes = st.builds(
    credit_code,
    st.text(CREDIT_ALPHABET, min_size=8, max_size=8),
    st.text(CREDIT_ALPHABET, min_size=8, max_size=8),
)


@pytest.mark.parametrize("text", CITIZEN_IDS)
def test_the_published_citizen_ids_are_right(text: str):
    assert citizen_id_problem(text) is None
    assert citizen_id(text[:17]) == text


@pytest.mark.parametrize("text", CREDIT_CODES)
def test_the_published_credit_codes_are_right(text: str):
    assert credit_code_problem(text) is None
    assert credit_code(text[:8], text[8:16]) == text


def test_the_worked_example_of_gb_32100_has_check_character_3():
    # M000100Y4 is the standard's example of arithmetic; its own organisation code check is another.
    assert credit_code_problem("91350100M000100Y43") != "credit_code_check"
    for other in set(CREDIT_ALPHABET) - {"3"}:
        assert credit_code_problem("91350100M000100Y4" + other) == "credit_code_check"


@given(citizen_ids)
def test_a_citizen_id_made_by_the_standard_is_right(text: str):
    assert citizen_id_problem(text) is None


@given(credit_codes)
def test_a_credit_code_made_by_the_standard_is_right(text: str):
    assert credit_code_problem(text) is None


@given(citizen_ids, st.integers(0, 17), st.sampled_from("0123456789X"))
@example("11010519491231002X", 17, "2")
def test_every_single_mistake_in_a_citizen_id_is_found(text: str, at: int, character: str):
    wrong = text[:at] + character + text[at + 1 :]
    assert (citizen_id_problem(wrong) is None) == (wrong == text)


@given(citizen_ids, st.integers(0, 16))
def test_every_swap_of_neighbours_in_a_citizen_id_is_found(text: str, at: int):
    wrong = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    assert (citizen_id_problem(wrong) is None) == (wrong == text)


@given(credit_codes, st.integers(0, 17), st.sampled_from(CREDIT_ALPHABET))
def test_every_single_mistake_in_a_credit_code_is_found(text: str, at: int, character: str):
    wrong = text[:at] + character + text[at + 1 :]
    assert (credit_code_problem(wrong) is None) == (wrong == text)


@pytest.mark.parametrize(
    "text",
    ["", "11010519491231002x", "1101051949123100", "11010519491231002XX", "１1010519491231002X", "X1010519491231002X"],
)
def test_a_citizen_id_out_of_form_is_told_so(text: str):
    assert citizen_id_problem(text) == "citizen_id_form"


@pytest.mark.parametrize(
    ("born", "real"),
    [
        ("19491231", True),
        ("20000229", True),
        ("19000229", False),
        ("20230229", False),
        ("20240230", False),
        ("20240431", False),
        ("20241301", False),
        ("20240001", False),
        ("20240100", False),
        ("00000101", False),
        ("20240132", False),
    ],
)
def test_a_birthday_must_be_a_day_that_was(born: str, real: bool):
    assert citizen_id_problem(citizen_id(f"420106{born}001")) == (None if real else "citizen_id_birthday")


@pytest.mark.parametrize("text", ["", "91440300192203821", "9144030019220382I6", "91440300192203821O", "中" * 18])
def test_a_credit_code_out_of_form_is_told_so(text: str):
    assert credit_code_problem(text) == "credit_code_form"


def test_a_wrong_organisation_code_inside_a_right_credit_code_is_found():
    body = "9142010000000018" + "3"
    total = sum(CREDIT_ALPHABET.index(character) * 3**place for place, character in enumerate(body))
    assert credit_code_problem(body + CREDIT_ALPHABET[(31 - total % 31) % 31]) == "credit_code_organisation"


texts = st.lists(
    st.none()
    | citizen_ids
    | credit_codes
    | st.sampled_from([*CITIZEN_IDS, *CREDIT_CODES, "", "中" * 6, "420106202302290017"])
    | st.text("0123456789X", min_size=17, max_size=19),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(texts)
def test_a_column_is_judged_like_its_values_one_by_one(values: list[str | None]):
    column = pl.Series(values, dtype=pl.String)
    for failures, problem in (
        (citizen_id_failures, citizen_id_problem),
        (credit_code_failures, credit_code_problem),
    ):
        found: list[str | None] = [None] * len(values)
        for code, failed in failures(column):
            for row in failed.arg_true():
                assert found[row] is None, "one mistake has one reason"
                found[row] = code
        assert found == [None if value is None else problem(value) for value in values]


def test_birth_date_and_sex_are_compared_only_where_both_sides_are_there():
    column = pl.Series(["11010519491231002X", "11010519491231002X", "bad", None, "440524188001010014"])
    birth = pl.Series([date(1949, 12, 31), date(1949, 12, 30), date(1949, 12, 31), date(1949, 12, 31), None])
    sex = pl.Series(["2", "1", "1", "1", "9"])  # digit 17 is 2, a woman; the last is 1, a man, not stated
    found = {code: failed.to_list() for code, failed in citizen_id_agreement(column, birth, sex)}
    assert found == {
        "birth_date_disagrees": [False, True, False, False, False],
        "sex_disagrees": [False, True, False, False, False],
    }
