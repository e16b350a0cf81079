"""Simulation: a difference is the proposal's and nothing else's, and few are told as few."""

import random

from decision_cases import ASKED, DATASET, DEPARTMENT, NOW, decided, grant, random_case, random_grant, resource
from hypothesis import given
from hypothesis import strategies as st

from catalog.condition import StartsWith
from catalog.decision import Asked, decide
from catalog.simulation import FieldChange, Replay, coarse, difference, differences, totals, widest
from catalog.tier import DEFAULT_TIERS

LABELS = resource({"id_number": 3, "name": 2})


def test_what_was_refused_and_is_given_is_opened_with_its_fields():
    before = decided(DEPARTMENT, LABELS)
    after = decided(DEPARTMENT, LABELS, [grant(fields={"id_number": "masked", "name": "clear"})])
    found = difference(Replay(DEPARTMENT.id, 7, before, after))
    assert (found.kind, found.requests, found.refusal, found.dataset) == ("opened", 7, None, DATASET)
    assert found.fields == (FieldChange("id_number", "withheld", "masked"), FieldChange("name", "withheld", "clear"))
    assert all(change.more for change in found.fields)


def test_what_stays_refused_says_by_which_rule():
    other = Asked("api", "其他用途")
    before = decided(DEPARTMENT, LABELS, asked=other)
    found = difference(Replay(DEPARTMENT.id, 1, before, decided(DEPARTMENT, LABELS, [grant()], asked=other)))
    assert found.kind == "same"
    assert found.refusal is not None
    assert found.refusal.rule == "grant.purpose"


def test_other_rows_are_a_change_though_the_fields_are_the_same():
    before = decided(DEPARTMENT, LABELS, [grant(rows=StartsWith("division", "4201"))])
    after = decided(DEPARTMENT, LABELS, [grant(rows=StartsWith("division", "42"))])
    found = difference(Replay(DEPARTMENT.id, 1, before, after))
    assert (found.kind, found.fields, found.other_rows) == ("changed", (), True)


def test_a_grant_that_only_its_name_reaches_is_replayed_by_its_name():
    old, new = grant(1, fields={"name": "clear"}), grant(2, fields={"name": "clear", "id_number": "masked"})
    before = decided(DEPARTMENT, LABELS, [old])
    unnamed = decided(DEPARTMENT, LABELS, [old, new])
    named = decided(DEPARTMENT, LABELS, [old, new], Asked("api", ASKED.purpose, new.id))
    assert unnamed.fields == before.fields
    assert widest(before, unnamed, named) is named
    narrower = decided(DEPARTMENT, LABELS, [new, old], Asked("api", ASKED.purpose, old.id))
    assert widest(named, unnamed, narrower) is unnamed


@given(st.integers(0, 2**32))
def test_nothing_differs_where_nothing_changed_and_the_reverse_differs_in_reverse(seed: int):
    dice = random.Random(seed)
    caller, of, grants = random_case(dice)
    before = decide(caller, of, grants, ASKED, DEFAULT_TIERS, NOW)
    after = decide(caller, of, [*grants, random_grant(dice, 9, caller)], ASKED, DEFAULT_TIERS, NOW)
    assert difference(Replay("x", 1, before, before)).kind == "same"
    there, back = difference(Replay("x", 1, before, after)), difference(Replay("x", 1, after, before))
    assert there.kind != "closed"  # a grant more never turns yes into no
    assert {"opened": "closed"}.get(there.kind, there.kind) == back.kind
    assert [(one.field, one.after, one.before) for one in there.fields] == [
        (one.field, one.before, one.after) for one in back.fields
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.integers(1, 1000)), max_size=20))
def test_requests_that_are_alike_are_told_together_and_none_is_lost(drawn: list[tuple[int, str, int]]):
    replays: list[Replay] = []
    for seed, caller, requests in drawn:
        dice = random.Random(seed)
        who, of, grants = random_case(dice)
        pair = [decide(who, of, some, ASKED, DEFAULT_TIERS, NOW) for some in (grants, grants[1:])]
        replays.append(Replay(caller, requests, *pair))
    found = differences(replays)
    assert sum(totals(found).values()) == sum(one.requests for one in replays)
    told = [(one.caller, one.dataset, one.method, one.kind, one.fields, one.other_rows, one.refusal) for one in found]
    assert len(told) == len(set(told))


@given(st.integers(0, 10**9))
def test_few_are_few_and_more_are_told_to_the_ten_below(count: int):
    shown = coarse(count)
    if count < 10:
        assert shown == "<10"
    else:
        assert isinstance(shown, int)
        assert shown % 10 == 0
        assert 0 <= count - shown < 10
