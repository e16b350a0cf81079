"""The experiment of the security rules: one person comes, goes, moves or changes, and what an attacker learns of him.

992 persons who are alone in their county with their day of birth; 8 in 100 of all persons are ill. The attacker knows
everybody's county and day of birth and wants to know who of the 992 is ill. A claim is "this one is ill".
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import pytest
from statistics_maker import Persons, Shape, instant, later

from catalog.disclosure import Outcome, disclose, rounded
from catalog.tabulation import Slice, Statement

PERSONS, TARGETS, PREVALENCE, K, K_SENSITIVE = 40_000, 992, 0.08, 10, 20
COUNTIES = [f"{city}{county}" for city in "ABCD" for county in "12345"]
REGIONS: dict[str, str | None] = {"": None, **dict.fromkeys("ABCD", ""), **{one: one[0] for one in COUNTIES}}
AGES = ("young", "grown", "old")
ILL, WELL = "ill", "well"
# all → ill or well → the same by age: the attribute is hidden first, and then in smaller and smaller groups.
CELLS: list[dict[tuple[str, ...], tuple[str, ...]]] = [
    {},
    {(one,): () for one in (ILL, WELL)},
    {(one, age): (one,) for one in (ILL, WELL) for age in AGES},
]
SHAPE = Shape(REGIONS, CELLS)
Published = Mapping[tuple[str, tuple[str, ...]], int]


@dataclass(frozen=True, slots=True)
class Person:
    county: str
    born: int  # day
    ill: bool

    @property
    def leaf(self) -> tuple[str, tuple[str, ...]]:
        return self.county, (ILL if self.ill else WELL, AGES[self.born * 3 // 30_000])


@pytest.fixture(scope="module")
def population() -> list[Person]:
    dice = random.Random(20261125)
    weights = [dice.uniform(0.2, 3) for _ in COUNTIES]
    return [
        Person(dice.choices(COUNTIES, weights)[0], dice.randrange(30_000), dice.random() < PREVALENCE)
        for _ in range(PERSONS)
    ]


@pytest.fixture(scope="module")
def targets(population: list[Person]) -> list[Person]:
    alike = Counter((one.county, one.born) for one in population)
    alone = [one for one in population if alike[one.county, one.born] == 1]
    return random.Random(992).sample(alone, TARGETS)


def persons_of(people: Iterable[Person]) -> Persons:
    counts = Counter(one.leaf for one in people)
    return {(county, cell): counts[county, cell] for county in COUNTIES for cell in CELLS[-1]}


def precision(claimed: list[Person]) -> float:
    return sum(one.ill for one in claimed) / len(claimed)


# What is not enough --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "least"), [(lambda count: count, 60), (rounded, 8)], ids=["threshold", "rounded"])
def test_with_predicates_of_ones_own_a_threshold_even_with_rounding_gives_every_target_away(
    population: list[Person], targets: list[Person], answer: Callable[[int], int], least: int
):
    """All ill of a county, and all but those born on one day: both are many, and the difference is one person."""
    ill = Counter(one.county for one in population if one.ill)

    def asked(county: str, without: int | None) -> int | None:
        count = ill[county] - sum(
            1 for one in by_day.get((county, without), ()) if one.ill
        )  # free predicate: born <> day
        return answer(count) if count >= K else None

    by_day: dict[tuple[str, int | None], list[Person]] = {}
    for one in population:
        by_day.setdefault((one.county, one.born), []).append(one)
    claimed = [one for one in targets if asked(one.county, None) != asked(one.county, one.born)]
    assert len(claimed) >= least
    assert precision(claimed) == 1.0


def test_fixed_tables_with_a_threshold_alone_give_a_person_away_who_is_added(
    population: list[Person], targets: list[Person]
):
    """The same table before and after: the cell that grew is his. Pre-declaring is not enough without a ledger."""
    everybody = persons_of(population)
    claimed: list[Person] = []
    told = 0
    for one in targets[:200]:
        before, after = threshold_only(without(everybody, one)), threshold_only(everybody)
        grown = {
            cell[0] for (region, cell) in after if region == one.county and cell and grew(before, after, region, cell)
        }
        told += bool(grown)
        if ILL in grown:
            claimed.append(one)
    assert told == 200
    assert claimed == [one for one in targets[:200] if one.ill]


def test_suppressing_single_cells_that_changed_gives_the_person_away_by_what_is_missing(
    population: list[Person], targets: list[Person]
):
    """Why whole breakdowns are withheld, or stand: the cell that is missing now is the one that he came to."""
    everybody = persons_of(population)
    for one in targets[:50]:
        before, after = threshold_only(without(everybody, one)), threshold_only(everybody)
        kept = {at for at, count in after.items() if not 0 < abs(count - before.get(at, 0)) < K}
        missing = {cell[0] for region, cell in after if (region, cell) not in kept and region == one.county and cell}
        assert missing == {ILL if one.ill else WELL}


def without(persons: Persons, one: Person) -> Persons:
    return persons | {one.leaf: persons[one.leaf] - 1}


def threshold_only(persons: Persons) -> Published:
    table = SHAPE.table(persons)
    return {
        (region, cell): count
        for detail in range(2)
        for region in REGIONS
        for cell, count in table.cells((region, detail)).items()
        if count >= K
    }


def grew(before: Published, after: Published, region: str, cell: tuple[str, ...]) -> bool:
    return after[region, cell] > before.get((region, cell), 0)


# What the hub does ---------------------------------------------------------------------------------------------------


def released(persons: Persons, earlier: dict[Slice, list[Statement]], number: int) -> Outcome:
    return disclose(SHAPE.table(persons, attributes=1), K_SENSITIVE, earlier, instant(number))


def seen(outcome: Outcome) -> Published:
    """What everybody can read of a release."""
    return {
        (region, cell): rounded(count)
        for (region, _), statement in outcome.shown.items()
        for cell, count in statement.counts.items()
    }


@pytest.mark.parametrize("event", ["added", "gone", "moved", "changed"])
def test_not_one_claim_can_be_made_of_any_of_the_992_targets(
    population: list[Person], targets: list[Person], event: str
):
    """Whatever one person does between two releases, the second says nothing that the first did not: not one claim."""
    everybody = persons_of(population)
    claimed = 0
    ledger_of_everybody = later(released(everybody, {}, 0), {})
    for place, one in enumerate(targets):
        elsewhere = COUNTIES[(COUNTIES.index(one.county) + 1 + place % 19) % len(COUNTIES)]
        match event:
            case "added":  # the ledger knows all but him; then he comes
                earlier, after = later(released(without(everybody, one), {}, 0), {}), everybody
            case "gone":
                earlier, after = ledger_of_everybody, without(everybody, one)
            case "moved":
                moved = replace(one, county=elsewhere)
                left = without(everybody, one)
                earlier, after = ledger_of_everybody, left | {moved.leaf: left[moved.leaf] + 1}
            case _:
                other = replace(one, ill=not one.ill)
                left = without(everybody, one)
                earlier, after = ledger_of_everybody, left | {other.leaf: left[other.leaf] + 1}
        claimed += released(after, earlier, 1).refused is None
    assert claimed == 0


def test_the_tables_are_worth_having(population: list[Person]):
    """Refusing everything would be safe too."""
    outcome = released(persons_of(population), {}, 0)
    shown = Counter(detail for _, detail in outcome.shown)
    assert shown[0] == len(REGIONS)
    assert shown[1] >= 20
    assert shown[2] >= 10


def test_amid_the_changes_of_a_year_a_claim_is_no_better_than_a_guess(population: list[Person], targets: list[Person]):
    """All targets come between two releases, among others. The attacker claims "ill" wherever the ill have grown."""
    coming = set(targets)
    before = persons_of(one for one in population if one not in coming)
    first = released(before, {}, 0)
    second = released(persons_of(population), later(first, {}), 1)
    assert second.refused is None
    old, new = seen(first), seen(second)
    claimed = [
        one
        for one in targets
        if any(
            new.get((region, cell), 0) > old.get((region, cell), 0)
            for region in (one.county, one.county[0], "")
            for cell in ((ILL,), one.leaf[1])
            if cell[0] == ILL
        )
    ]
    assert len(claimed) > 100
    deviation = math.sqrt(PREVALENCE * (1 - PREVALENCE) / len(claimed))
    assert precision(claimed) < PREVALENCE + 3 * deviation
