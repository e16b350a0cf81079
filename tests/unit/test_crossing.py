"""Sets of two aggregates that lie in each other because of who the persons are."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from catalog.aggregate import Aggregate, aggregate_from_json
from catalog.crossing import Other, crossed_slices
from catalog.disclosure import disclose
from catalog.tabulation import Leaves, Slice, Statement, tabulate
from schemas.contract import load_shipped

RESIDENT = next(contract for contract in load_shipped() if contract.name == "resident")
AT = datetime(2026, 11, 1, tzinfo=UTC)
K = 10


def aggregate(name: str, *dimensions: dict[str, Any]) -> Aggregate:
    given = {
        "dataset": "420000.resident",
        "aggregate": name,
        "title": {"zh": name, "en": name},
        "k": K,
        "region": {"field": "division_code", "digits": 2},
        "dimensions": list(dimensions),
    }
    return aggregate_from_json(given, RESIDENT)


AGE = aggregate("age", {"field": "birth_date", "levels": ["life_stage"], "role": "identifying"})
EDUCATION = aggregate("education", {"field": "education", "levels": ["stage"], "role": "attribute"})


def crossed(persons: dict[tuple[str, str], int]) -> set[Slice]:
    """EDUCATION after AGE was published, of persons by first year of their band and education."""
    pairs: Counter[tuple[Leaves, Leaves]] = Counter()
    for (age, education), count in persons.items():
        pairs[("420102", education), ("420102", age)] += count
    own: Counter[Leaves] = Counter()
    its: Counter[Leaves] = Counter()
    for (one, other), count in pairs.items():
        own[one] += count
        its[other] += count
    published = disclose(tabulate(AGE, its), K, {}, AT)
    earlier = {of: [one] for of, one in published.recorded.items()}
    return crossed_slices(EDUCATION, tabulate(EDUCATION, own), K, Other(AGE, earlier, pairs))


def test_pupils_who_are_all_the_children_and_five_others_are_not_published_beside_the_children():
    persons = {("5", "80"): 40, ("30", "80"): 5, ("30", "20"): 60, ("30", "60"): 50, ("60", "20"): 30}
    assert crossed(persons) == {("", 1), ("42", 1)}


def test_pupils_who_are_all_the_children_and_ten_others_are():
    persons = {("5", "80"): 40, ("30", "80"): 10, ("30", "20"): 60, ("30", "60"): 50, ("60", "20"): 30}
    assert crossed(persons) == set()


def test_children_who_are_all_the_pupils_and_five_others_are_not_published_beside_the_pupils():
    persons = {("5", "80"): 40, ("5", "20"): 5, ("30", "20"): 60, ("30", "60"): 50, ("60", "20"): 30}
    assert ("42", 1) in crossed(persons)


def test_sets_that_merely_overlap_are_free():
    persons = {("5", "80"): 40, ("5", "20"): 5, ("30", "80"): 5, ("30", "20"): 60, ("30", "60"): 50, ("60", "20"): 30}
    assert crossed(persons) == set()


def test_what_was_withheld_of_the_other_does_not_count():
    pairs = {(("420102", "80"), ("420102", "5")): 40, (("420102", "80"), ("420102", "30")): 5}
    withheld = {("42", 1): [Statement(AT, stated=False, counts={("0-14",): 40})]}
    table = tabulate(EDUCATION, {("420102", "80"): 45})
    assert crossed_slices(EDUCATION, table, K, Other(AGE, withheld, pairs)) == set()
