"""Definitions of aggregates: what may be declared, and that hierarchies are fixed."""

from copy import deepcopy
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.aggregate import Aggregate, aggregate_from_json, aggregate_to_json, definition_digest, require_apart
from catalog.aggregate_errors import AggregateOverlaps, AggregateWrong
from catalog.hierarchy import AGE_BANDS, GROUPINGS, levels_of, node_at, nodes_of
from catalog.tabulation import coarser_cells, tabulate
from schemas.codelists import codes
from schemas.contract import Contract, load_shipped

SEEDS = Path(__file__).parents[2] / "seeds" / "statistics"
CONTRACTS = {contract.name: contract for contract in load_shipped()}
RESIDENT = CONTRACTS["resident"]


def given(name: str = "age_and_sex", **changes: Any) -> dict[str, Any]:
    return deepcopy(yaml.safe_load((SEEDS / f"{name}.yaml").read_text(encoding="utf-8"))) | changes


def made(name: str = "age_and_sex", following: Contract = RESIDENT, **changes: Any) -> Aggregate:
    return aggregate_from_json(given(name, **changes), following)


def test_the_seeds_are_valid_and_fit_each_other():
    found = [made(path.stem) for path in sorted(SEEDS.glob("*.yaml"))]
    assert len(found) == 2
    for one, other in combinations(found, 2):
        require_apart(one, [other])


def test_a_definition_is_read_back_as_it_was_written():
    aggregate = made()
    again = aggregate_from_json(aggregate_to_json(aggregate), RESIDENT)
    assert again == aggregate
    assert definition_digest(again) == definition_digest(aggregate)


def test_each_detail_divides_the_one_before():
    details = made().details
    assert details[0] == ()
    assert details[-1] == (("sex", "code"), ("birth_date", "five_year"))
    assert [len(made().cells(one)) for one in range(len(details))] == [1, 5, 20, 35, 95]
    coarser = coarser_cells(made())
    assert all(set(coarser[one]) == set(made().cells(one)) for one in range(1, len(details)))
    assert coarser[4]["1", "15-19"] == ("1", "15-29")
    assert coarser[2]["1", "60+"] == ("1",)


@pytest.mark.parametrize("member", ["where", "filter", "rows", "condition", "measure", "having"])
def test_a_free_predicate_cannot_be_declared(member: str):
    with pytest.raises(AggregateWrong) as refused:
        aggregate_from_json(given() | {member: "id_number = '1'"}, RESIDENT)
    assert "conditions are not taken" in refused.value.sentence("en")
    with pytest.raises(AggregateWrong):
        made(dimensions=[{"field": "sex", "levels": ["code"], "role": "identifying", member: ["1"]}])
    with pytest.raises(AggregateWrong):
        made(region={"field": "division_code", "digits": 6, member: "4201"})


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"k": 9}, "k"),
        ({"k": True}, "k"),
        ({"k": "10"}, "k"),
        ({"dimensions": []}, "dimensions"),
        ({"aggregate": "Age"}, "aggregate"),
        ({"title": {"zh": "", "en": "x"}}, "title.zh"),
        ({"region": {"field": "division_code", "digits": 9}}, "region.digits"),
        ({"region": {"field": "name", "digits": 6}}, "region.field"),
        ({"dimensions": [{"field": "id_number", "levels": ["code"], "role": "identifying"}]}, "dimensions[0].field"),
        ({"dimensions": [{"field": "nothing", "levels": ["code"], "role": "identifying"}]}, "dimensions[0].field"),
        ({"dimensions": [{"field": "sex", "levels": ["code"], "role": "free"}]}, "dimensions[0].role"),
        ({"dimensions": [{"field": "birth_date", "levels": ["five_year"], "role": "attribute"}]}, "dimensions[0].role"),
        ({"dimensions": [{"field": "birth_date", "levels": ["year"], "role": "identifying"}]}, "dimensions[0].levels"),
        (
            {"dimensions": [{"field": "birth_date", "levels": ["five_year", "life_stage"], "role": "identifying"}]},
            "dimensions[0].levels",
        ),
        ({"dimensions": [{"field": "sex", "levels": ["code"], "role": "identifying"}] * 2}, "dimensions"),
        ([], "definition"),
    ],
)
def test_a_definition_that_breaks_a_rule_is_told_where(changes: Any, where: str):
    with pytest.raises(AggregateWrong) as refused:
        aggregate_from_json(given() | changes if isinstance(changes, dict) else changes, RESIDENT)
    assert refused.value.where == where


def test_a_field_of_level_three_is_sensitive_and_takes_the_higher_threshold():
    status: dict[str, Any] = {"field": "marital_status", "levels": ["status", "code"], "role": "attribute"}
    with pytest.raises(AggregateWrong) as refused:
        made(k=20, dimensions=[status])
    assert refused.value.where == "dimensions[0].role"
    with pytest.raises(AggregateWrong) as refused:
        made(k=19, dimensions=[status | {"role": "sensitive"}])
    assert refused.value.where == "k"
    assert made(k=20, dimensions=[status | {"role": "sensitive"}]).k == 20


@pytest.mark.parametrize("name", ["marriage", "social_insurance", "registration", "division"])
def test_only_records_that_are_persons_are_counted(name: str):
    with pytest.raises(AggregateWrong) as refused:
        made(following=CONTRACTS[name])
    assert refused.value.where == "dataset"


def test_aggregates_that_cross_are_refused_and_those_that_begin_alike_are_not():
    sex = {"field": "sex", "levels": ["code"], "role": "identifying"}
    age = {"field": "birth_date", "levels": ["life_stage"], "role": "identifying"}
    education = {"field": "education", "levels": ["stage"], "role": "attribute"}
    first = made(aggregate="first", dimensions=[sex, age])
    require_apart(made(aggregate="second", dimensions=[sex, education]), [first])
    require_apart(made(aggregate="second", dimensions=[education]), [first])
    for dimensions in ([age, sex], [age, education], [education, sex]):
        with pytest.raises(AggregateOverlaps):
            require_apart(made(aggregate="second", dimensions=dimensions), [first])
    with pytest.raises(AggregateOverlaps):
        require_apart(made(aggregate="second", dimensions=[education], region=None), [first])
    with pytest.raises(AggregateOverlaps):  # the next version of one aggregate divides persons as the last did
        require_apart(made(aggregate="first", dimensions=[sex]), [first])
    require_apart(made(aggregate="first", dimensions=[sex, age], k=15), [first])


def test_bands_and_groups_are_nested_without_gaps():
    for coarse, fine in pairwise(AGE_BANDS.values()):
        assert set(coarse) < set(fine)
    for name, levels in GROUPINGS.items():
        for groups in levels.values():
            listed = [code for members, _, _ in groups.values() for code in members]
            assert sorted(listed) == sorted(codes(name))
    for level in levels_of("age", None):
        assert {node_at("age", None, level, str(leaf)) for leaf in range(0, 90, 5)} == set(
            nodes_of("age", None, level)[:-1]
        )


def test_all_levels_of_a_table_are_sums_of_the_same_leaves():
    leaves = {("420102", "1", "20"): 12, ("420103", "2", "85"): 15, ("unknown", "1", "unknown"): 3}
    table = tabulate(made(), leaves)
    assert list(table.parents) == ["", "42", "unknown", "4201", "420102", "420103"]
    assert table.parents["420102"] == "4201"
    assert table.cells(("", 0)) == {(): 30}
    assert table.cells(("4201", 1)) == {("1",): 12, ("2",): 15}
    assert table.cells(("420103", 4)) == {("2", "85+"): 15}
    assert table.cells(("unknown", 2)) == {("1", "unknown"): 3}
