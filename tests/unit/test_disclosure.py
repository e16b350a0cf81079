"""What may be stated of a table of persons: the laws, over random tables, and the attacks, by example."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_maker import (
    NOW,
    Persons,
    Shape,
    instant,
    later,
    polytope,
    random_persons,
    random_shape,
    within,
)

from catalog.disclosure import apart, disclose, fewest_values, meets_threshold, rounded
from catalog.disclosure_audit import interval
from catalog.tabulation import Slice, Statement, Table

SEEDS = st.integers(0, 2**32)


def changed(dice: random.Random, persons: Persons, people: int) -> Persons:
    """So many persons added, gone, or moved to anywhere."""
    after = dict(persons)
    for _ in range(people):
        there = [leaf for leaf, count in after.items() if count]
        if there and dice.random() < 0.7:
            after[dice.choice(there)] -= 1
        if not there or dice.random() < 0.7:
            after[dice.choice(list(after))] += 1
    return after


# Laws ----------------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_no_published_table_lets_a_withheld_cell_be_pinned_to_fewer_than_k_candidates(seed: int):
    """Given all stated counts exactly, a withheld cell's feasible interval (an exact linear program's, which is also
    what the closed form says) is at least k wide, or lies at k and above, or the cell is known to be empty."""
    dice = random.Random(seed)
    shape, k = random_shape(dice, leaves_max=5), dice.choice([2, 3, 5])
    table = shape.table(random_persons(dice, shape, dice.choice([3 * k, 6 * k])))
    outcome = disclose(table, k, {}, NOW)
    if outcome.refused is not None:
        return
    stated = set(outcome.shown)
    feasible, leaves = polytope(table, shape, stated)
    for region, detail in outcome.withheld:
        for cell in shape.coarser[detail] or [()]:
            wanted = [place for place, leaf in enumerate(leaves) if within(table, leaf, region, detail, cell)]
            lower, upper = feasible.bounds(wanted)
            assert upper is not None
            closed = interval(table, stated, region, detail, cell)
            assert (closed.lower, closed.upper) == (lower, upper)
            assert upper - lower >= k or lower >= k or upper == 0


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_fewer_than_k_changes_after_a_release_show_nowhere(seed: int):
    dice = random.Random(seed)
    shape, k = random_shape(dice), dice.choice([2, 3, 5])
    persons = random_persons(dice, shape, dice.choice([4 * k, 8 * k]))
    outcome = disclose(shape.table(persons), k, {}, instant(0))
    if outcome.refused is not None:
        return
    earlier = later(outcome, {})
    for _ in range(5):
        after = changed(dice, persons, dice.randint(0, k - 1))
        assert disclose(shape.table(after), k, earlier, instant(1)).refused == "unchanged"


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_of_any_two_published_sets_of_which_one_holds_the_other_none_or_k_persons_are_between(seed: int):
    dice = random.Random(seed)
    shape, k = random_shape(dice), dice.choice([2, 3, 5])
    persons = random_persons(dice, shape, dice.choice([4 * k, 8 * k]))
    earlier: dict[Slice, list[Statement]] = {}
    for number in range(4):
        table = shape.table(persons)
        outcome = disclose(table, k, earlier, instant(number))
        earlier = later(outcome, earlier)
        assert nested_wrong(table, k, earlier, instant(number)) == []
        persons = changed(dice, persons, dice.choice([1, k, 10 * k]))


def nested_wrong(table: Table, k: int, earlier: dict[Slice, list[Statement]], newest: Any) -> list[Any]:
    """Every pair of which the newer was stated now: a plain double loop over all that was ever stated."""
    stated = [
        (region, detail, cell, count, one.instant)
        for (region, detail), statements in earlier.items()
        for one in statements
        if one.stated
        for cell, count in one.counts.items()
    ]
    return [
        (small, large)
        for small in stated
        for large in stated
        if newest in {small[4], large[4]}
        and large[0] in table.above(small[0])
        and large[1] <= small[1]
        and table.line(small[1], small[2])[large[1]] == large[2]
        and 0 < abs(large[3] - small[3]) < k
    ]


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_what_is_shown_has_no_small_cell_no_uniform_group_and_a_safe_remainder(seed: int):
    dice = random.Random(seed)
    shape, k = random_shape(dice), dice.choice([2, 3, 5])
    table = shape.table(random_persons(dice, shape, 8 * k), attributes=1)
    outcome = disclose(table, k, {}, NOW)
    for of, statement in outcome.shown.items():
        assert meets_threshold(statement.counts, k, table.attributes[of[1]])
        rest = [one for one in table.children[of[0]] if (one, of[1]) not in outcome.shown]
        left: dict[Any, int] = {}
        for one in rest:
            for cell, count in table.cells((one, of[1])).items():
                left[cell] = left.get(cell, 0) + count
        assert meets_threshold(left, k, table.attributes[of[1]])
        assert of[1] == 0 or (of[0], of[1] - 1) in outcome.shown
        parent = table.parents[of[0]]
        assert parent is None or (parent, of[1]) in outcome.shown


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_same_table_is_decided_the_same_every_time(seed: int):
    shape = random_shape(random.Random(seed))
    persons = random_persons(random.Random(seed), shape, 30)
    shuffled = dict(sorted(persons.items(), key=lambda one: hash((seed, one))))
    one, other = (disclose(shape.table(each), 3, {}, NOW) for each in (persons, shuffled))
    assert (one.shown, one.withheld, one.refused) == (other.shown, other.withheld, other.refused)


@given(st.integers(0, 10**9))
def test_rounding_is_to_the_nearest_five_and_leaves_no_published_cell_empty(count: int):
    assert rounded(count) % 5 == 0
    assert abs(rounded(count) - count) <= 2
    assert count < 10 or rounded(count) >= 10


# Attacks -------------------------------------------------------------------------------------------------------------

TWO_VALUES: list[dict[tuple[str, ...], tuple[str, ...]]] = [{}, {("yes",): (), ("no",): ()}]


def city(*counties: str, values: list[dict[tuple[str, ...], tuple[str, ...]]] = TWO_VALUES) -> Shape:
    return Shape({"": None, **dict.fromkeys(counties, "")}, values)


def people(**counties: tuple[int, int]) -> Persons:
    return {
        (county, (value,)): count
        for county, counts in counties.items()
        for value, count in zip(("yes", "no"), counts, strict=True)
    }


def shown(shape: Shape, persons: Persons, **options: Any) -> set[Slice]:
    return set(disclose(shape.table(persons, **options), 10, {}, NOW).shown)


def test_a_small_county_takes_another_with_it_so_that_the_total_less_the_rest_is_not_it():
    shape = city("a", "b", "c")
    assert shown(shape, people(a=(50, 50), b=(40, 40), c=(2, 1))) == {("", 0), ("a", 0), ("", 1), ("a", 1)}


def test_two_small_counties_that_together_are_small_take_a_third():
    shape = city("a", "b", "c", "d")
    found = shown(shape, people(a=(50, 50), b=(20, 20), c=(2, 1), d=(1, 2)))
    assert ("a", 0) in found
    assert not {("b", 0), ("c", 0), ("d", 0)} & found


def test_a_breakdown_with_one_small_cell_is_withheld_whole():
    shape = city("a", "b", "c")
    found = shown(shape, people(a=(50, 50), b=(40, 40), c=(3, 60)))
    assert {("a", 0), ("b", 0), ("c", 0), ("", 1)} <= found
    assert ("c", 1) not in found
    assert len({("a", 1), ("b", 1)} & found) == 1


def test_a_group_of_whom_all_share_an_attribute_is_not_shown_to_do_so():
    shape = city("a", "b", "c")
    uniform = people(a=(50, 50), b=(40, 40), c=(0, 60))
    assert ("c", 1) in shown(shape, uniform)  # no attribute: that nobody is there is no secret
    found = shown(shape, uniform, attributes=1)
    assert ("c", 0) in found
    assert ("c", 1) not in found


def test_persons_whose_attribute_is_not_known_protect_nobody():
    assert fewest_values({("yes",): 30, ("unknown",): 30}, (0,)) == 1
    assert fewest_values({("yes",): 30, ("no",): 30, ("unknown",): 30}, (0,)) == 2
    assert fewest_values({("yes", "m"): 30, ("no", "m"): 30, ("yes", "f"): 30}, (0,)) == 1


def test_a_whole_below_the_threshold_is_refused_and_so_is_a_release_that_says_nothing_new():
    shape = city("a", "b")
    assert disclose(shape.table(people(a=(3, 3), b=(1, 2))), 10, {}, NOW).refused == "threshold"
    persons = people(a=(50, 50), b=(40, 40))
    earlier = later(disclose(shape.table(persons), 10, {}, instant(0)), {})
    assert disclose(shape.table(persons), 10, earlier, instant(1)).refused == "unchanged"


def test_a_figure_stands_until_k_persons_have_changed_it_and_says_of_when_it_is():
    shape = city("a", "b", "c")
    first = people(a=(50, 50), b=(40, 40), c=(30, 30))
    earlier = later(disclose(shape.table(first), 10, {}, instant(0)), {})
    second = first | people(a=(70, 70), b=(41, 40))
    outcome = disclose(shape.table(second), 10, earlier, instant(1))
    assert outcome.shown["", 0].instant == instant(1)
    assert outcome.shown["b", 0].instant == instant(0)
    assert sum(outcome.shown["b", 0].counts.values()) == 80
    # b stands, so what is left beside a is b and c: known to have changed by one. Then a cannot be stated either.
    assert outcome.shown["a", 0].instant == instant(0)


def test_a_cell_does_not_appear_with_the_person_who_makes_it_large_enough():
    shape = city("a", "b", "c")
    below = people(a=(50, 50), b=(40, 40), c=(9, 60))
    earlier = later(disclose(shape.table(below), 10, {}, instant(0)), {})
    assert ("c", 1) not in {of for of, found in earlier.items() if found[-1].stated}
    assert disclose(shape.table(below | people(c=(10, 60))), 10, earlier, instant(1)).refused == "unchanged"


@pytest.mark.parametrize(("now", "then", "expected"), [(12, 12, True), (12, 2, True), (12, 3, False), (0, 9, False)])
def test_counts_are_apart_when_they_are_the_same_or_k_away(now: int, then: int, expected: bool):
    assert apart({(): now}, {(): then}, 10) is expected
