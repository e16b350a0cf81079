"""Row conditions: three values, JSON there and back, and what is refused."""

import random
from typing import Any

import pytest
from decision_cases import TYPES, condition_of, row_of
from hypothesis import given
from hypothesis import strategies as st

from catalog.condition import AllOf, AnyOf, Compare, Known, Not, OneOf, StartsWith, Within, fields_of, holds, truth
from catalog.condition_errors import ConditionWrong
from catalog.condition_json import condition_from_json, condition_to_json

SEEDS = st.integers(0, 2**32)


def test_a_missing_value_is_unknown_and_stays_closed_under_not():
    atom = Compare("small", ">", 3)
    assert truth(atom, {"small": None}) is None
    assert truth(Not(atom), {}) is None
    assert not holds(atom, {"small": None})
    assert not holds(Not(atom), {"small": None})


def test_unknown_is_settled_only_by_what_does_not_need_it():
    unknown, yes, no = Compare("small", "=", 1), Known("small", known=False), Known("small", known=True)
    row: dict[str, Any] = {"small": None}
    assert truth(AllOf((unknown, no)), row) is False
    assert truth(AllOf((unknown, yes)), row) is None
    assert truth(AnyOf((unknown, yes)), row) is True
    assert truth(AnyOf((unknown, no)), row) is None


def test_all_of_none_is_true_and_any_of_none_is_false():
    assert holds(AllOf(()), {})
    assert not holds(AnyOf(()), {})
    assert holds(None, {})


def test_nan_is_unknown_like_a_missing_value():
    assert truth(Compare("rate", ">", 1.0), {"rate": float("nan")}) is None
    assert truth(Known("rate", known=True), {"rate": float("nan")}) is True


@given(SEEDS)
def test_a_condition_and_its_negation_never_both_hold(seed: int):
    dice = random.Random(seed)
    condition, row = condition_of(dice), row_of(dice, 1)
    assert not (holds(condition, row) and holds(Not(condition), row))


@given(SEEDS)
def test_narrowing_a_condition_never_opens_a_row(seed: int):
    dice = random.Random(seed)
    condition, other, row = condition_of(dice), condition_of(dice), row_of(dice, 1)
    assert holds(condition, row) or not holds(AllOf((condition, other)), row)


@given(SEEDS)
def test_json_reads_back_as_the_same_condition(seed: int):
    condition = condition_of(random.Random(seed))
    assert condition_from_json(condition_to_json(condition), TYPES) == condition


def test_the_fields_of_a_condition_are_all_it_looks_at():
    condition = AllOf(
        (OneOf("name", ("张三",)), Not(AnyOf((StartsWith("division", "42"), Within("birth", None, None)))))
    )
    assert fields_of(condition) == {"name", "division", "birth"}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([], "$"),
        ({}, "$"),
        ({"field": "none", "op": "=", "value": 1}, "$.field"),
        ({"field": ["name"], "op": "=", "value": 1}, "$.field"),
        ({"field": "small", "op": "like", "value": 1}, "$.op"),
        ({"field": "small", "op": ["="], "value": 1}, "$.op"),
        ({"field": "small", "op": "=", "value": 1, "extra": 1}, "$"),
        ({"field": "small", "op": "=", "value": True}, "$.value"),
        ({"field": "small", "op": "=", "value": 2**31}, "$.value"),
        ({"field": "small", "op": "=", "value": "9" * 50}, "$.value"),
        ({"field": "rate", "op": "=", "value": 1e400}, "$.value"),
        ({"field": "amount", "op": "=", "value": "1e999999999"}, "$.value"),
        ({"field": "amount", "op": "=", "value": "NaN"}, "$.value"),
        ({"field": "name", "op": "=", "value": None}, "$.value"),
        ({"field": "name", "op": "=", "value": "a\x00b"}, "$.value"),
        ({"field": "name", "op": "=", "value": "\ud800"}, "$.value"),
        ({"field": "name", "op": "=", "value": "x" * 1001}, "$.value"),
        ({"field": "birth", "op": "=", "value": "2026-02-30"}, "$.value"),
        ({"field": "alive", "op": "<", "value": True}, "$.op"),
        ({"field": "alive", "from": True}, "$"),
        ({"field": "small", "prefix": "1"}, "$"),
        ({"field": "small", "in": []}, "$.in"),
        ({"field": "small", "in": [1, "x"]}, "$.in[1]"),
        ({"field": "small", "known": "yes"}, "$.known"),
        ({"all": {}}, "$.all"),
        ({"all": [{"not": {"field": "none", "known": True}}]}, "$.all[0].not.field"),
        ({"any": [{"field": "small", "known": True}] * 201}, "$.any"),
    ],
)
def test_what_does_not_fit_is_refused_naming_the_place(value: object, where: str):
    with pytest.raises(ConditionWrong) as caught:
        condition_from_json(value, TYPES)
    assert caught.value.where == where
    assert caught.value.sentence("zh")
    assert caught.value.sentence("en")


def test_depth_and_size_are_bounded():
    deep: object = {"field": "small", "known": True}
    for _ in range(8):
        deep = {"not": deep}
    with pytest.raises(ConditionWrong):
        condition_from_json(deep, TYPES)
    atom = {"field": "small", "known": True}
    with pytest.raises(ConditionWrong):
        condition_from_json({"all": [{"all": [atom] * 150}, {"all": [atom] * 150}]}, TYPES)


def test_a_time_with_an_offset_is_read_in_the_local_time_of_the_store():
    read = condition_from_json({"field": "updated", "op": "<", "value": "2026-11-25T00:00:00Z"}, TYPES)
    assert condition_to_json(read)["value"] == "2026-11-25T08:00:00.000000"
