"""The decision: deny by default, deny overrides, closed on what is not labelled, monotone in grants."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from decision_cases import (
    ASKED,
    DEPARTMENT,
    FIELDS,
    NOW,
    OWNER,
    decided,
    grant,
    person,
    random_case,
    random_grant,
    resource,
)
from hypothesis import given
from hypothesis import strategies as st

from catalog.caller import PUBLIC
from catalog.decision import Asked, Decision
from catalog.treatment import RANK

SEEDS = st.integers(0, 2**32)


def rule_of(decision: Decision) -> str:
    assert decision.refusal is not None
    return decision.refusal.rule


# Guards --------------------------------------------------------------------------------------------------------------


def test_without_anything_that_permits_the_answer_is_no():
    assert rule_of(decided(PUBLIC, resource())) == "open.unconditional"
    assert rule_of(decided(DEPARTMENT, resource())) == "open.unconditional"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"entry_version": None}, "entry.published"),
        ({"secrecy_passed": False}, "entry.secrecy"),
        ({"share": "not_shared"}, "open.unconditional"),
        ({"share": None}, "open.unconditional"),
    ],
)
def test_no_grant_lifts_what_the_entry_forbids(changes: dict[str, Any], rule: str):
    decision = decided(DEPARTMENT, resource(**changes), [grant()])
    assert not decision.allowed
    assert rule_of(decision) == rule
    assert decision.given_fields == ()


def test_no_record_of_a_person_is_open_without_a_grant_whatever_its_level():
    open_persons = resource(base="population", share="unconditional", opened="unconditional")
    for caller in (PUBLIC, person("registered"), person("approved"), DEPARTMENT):
        assert rule_of(decided(caller, open_persons)) == "open.persons"


# Fields --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [None, "important", "core"])
@pytest.mark.parametrize("way", ["tier", "grant", "steward"])
def test_unlabelled_important_and_core_fields_never_leave(level: Any, way: str):
    of = resource({"name": level, "small": 1}, opened="unconditional")
    callers = {
        "tier": PUBLIC,
        "grant": DEPARTMENT,
        "steward": person("department", organization=OWNER, roles=frozenset({"steward"})),
    }
    laws = {"name": "《某法》第一条"}
    decision = decided(callers[way], of, [grant(laws=laws)])
    assert decision.allowed
    assert decision.way == way
    assert decision.fields["name"].treatment == "withheld"
    assert decision.fields["small"].treatment == "clear"


def test_the_public_sees_level_one_of_what_is_open():
    decision = decided(PUBLIC, resource({"name": 2, "small": 1, "phone": 3}, opened="unconditional"))
    assert decision.fields["small"].treatment == "clear"
    assert decision.fields["name"].treatment == "withheld"
    assert decision.fields["phone"].treatment == "withheld"


def test_an_approved_developer_sees_level_three_masked_and_level_four_not_at_all():
    caller = person("approved")
    of = resource({"division": 2, "phone": 3, "id_number": 4}, opened="conditional")
    decision = decided(caller, of, [grant(holder=caller.id)])
    assert decision.fields["division"].treatment == "clear"
    assert decision.fields["phone"].treatment == "masked"
    assert decision.fields["id_number"].treatment == "withheld"


def test_a_department_sees_level_four_masked_unless_the_grant_names_field_and_law():
    of = resource({"phone": 3, "id_number": 4, "card": 4})
    decision = decided(DEPARTMENT, of, [grant(laws={"card": "《社会保险法》第七十四条"})])
    assert decision.fields["phone"].treatment == "clear"
    assert decision.fields["id_number"].treatment == "masked"
    assert decision.fields["card"].treatment == "clear"


def test_a_field_the_grant_does_not_name_is_withheld():
    decision = decided(DEPARTMENT, resource(), [grant(fields={"name": "clear"})])
    assert decision.given_fields == ("name",)


def test_a_grant_may_ask_for_less_than_the_level_allows():
    decision = decided(DEPARTMENT, resource(), [grant(fields={"name": "pseudonymous", "small": "generalised"})])
    assert decision.fields["name"].treatment == "pseudonymous"
    assert decision.fields["small"].treatment == "generalised"
    assert decision.clear_fields == frozenset()


def test_a_treatment_a_value_does_not_have_falls_to_a_stricter_one():
    decision = decided(DEPARTMENT, resource(), [grant(fields={"small": "masked", "alive": "masked", "name": "clear"})])
    assert decision.fields["small"].treatment == "generalised"
    assert decision.fields["alive"].treatment == "withheld"


def test_a_grant_that_leaves_no_field_is_a_refusal():
    nothing = grant(1, fields={"alive": "masked"})
    assert rule_of(decided(DEPARTMENT, resource(), [nothing])) == "fields.some"
    assert rule_of(decided(DEPARTMENT, resource(), [nothing, grant(2, purpose="另一目的")])) == "fields.some"
    assert rule_of(decided(DEPARTMENT, resource(), [nothing], replace(ASKED, grant=nothing.id))) == "fields.some"


def test_a_grant_that_opens_nothing_stands_in_the_way_of_nothing():
    nothing, something = grant(1, fields={"alive": "masked"}), grant(2, fields={"small": "clear"})
    assert decided(DEPARTMENT, resource(), [nothing, something]).grant == something.id
    anyone = resource(base="geospatial", opened="unconditional")
    assert decided(DEPARTMENT, anyone).allowed
    assert decided(DEPARTMENT, anyone, [nothing]).fields == decided(DEPARTMENT, anyone).fields


# Grants --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"purpose": "其他"}, "grant.purpose"),
        ({"state": "suspended"}, "grant.state"),
        ({"state": "ended"}, "grant.state"),
        ({"valid_until": NOW}, "grant.term"),
        ({"valid_from": NOW + timedelta(microseconds=1)}, "grant.term"),
        ({"methods": frozenset({"file"})}, "grant.method"),
    ],
)
def test_a_grant_that_does_not_fit_is_named_with_the_rule_it_fails(changes: dict[str, Any], rule: str):
    decision = decided(DEPARTMENT, resource(), [grant(**changes)])
    assert not decision.allowed
    assert next(step.rule for step in decision.steps if not step.passed and step.about) == rule


def test_the_first_grant_by_id_that_fits_decides_and_grants_are_never_merged():
    one = grant(1, fields={"name": "clear"}, purpose="另一目的")
    two = grant(2, fields={"small": "clear"})
    three = grant(3, fields={"phone": "clear"})
    decision = decided(DEPARTMENT, resource(), [three, one, two])
    assert decision.grant == two.id
    assert decision.given_fields == ("small",)


def test_a_named_grant_is_the_only_one_tried():
    one, two = grant(1, fields={"name": "clear"}), grant(2, fields={"small": "clear"})
    named = replace(ASKED, grant=two.id)
    assert decided(DEPARTMENT, resource(), [one, two], named).given_fields == ("small",)
    assert rule_of(decided(DEPARTMENT, resource(), [one], named)) == "grant.named"
    # Also where the tier would open it: who names a grant wants that grant.
    assert not decided(DEPARTMENT, resource(opened="unconditional"), [one], named).allowed


def test_another_holders_grant_counts_for_nothing():
    assert not decided(DEPARTMENT, resource(), [grant(holder="organization:jiao-yu")]).allowed
    assert not decided(PUBLIC, resource(), [grant(holder=PUBLIC.id)]).allowed


def test_tiers_that_hold_no_grants_are_refused_with_one():
    for tier in ("public", "registered"):
        caller = person(tier)  # type: ignore[arg-type] - as the case needs it
        decision = decided(caller, resource(opened="conditional"), [grant(holder=caller.id)])
        assert not decision.allowed
        assert "tier.grants" in {step.rule for step in decision.steps if not step.passed}


def test_a_steward_states_a_purpose_and_sees_only_the_own_organizations_records():
    steward = person("department", organization=OWNER, roles=frozenset({"steward"}))
    assert decided(steward, resource({"id_number": 4})).fields["id_number"].treatment == "clear"
    assert rule_of(decided(steward, resource(), asked=Asked("api"))) == "steward.purpose"
    other = person("department", organization="min-zheng", roles=frozenset({"steward"}))
    assert not decided(other, resource()).allowed
    assert not decided(replace(steward, roles=frozenset()), resource()).allowed


# Laws ----------------------------------------------------------------------------------------------------------------


@given(SEEDS)
def test_another_grant_never_turns_yes_into_no(seed: int):
    dice = random.Random(seed)
    caller, of, grants = random_case(dice)
    before = decided(caller, of, grants)
    after = decided(caller, of, [*grants, random_grant(dice, 9, caller)])
    assert after.allowed >= before.allowed


@given(SEEDS)
def test_a_wider_grant_never_gives_a_field_less_openly(seed: int):
    dice = random.Random(seed)
    caller, of, _ = random_case(dice)
    narrow = replace(random_grant(dice, 1, caller), state="active", valid_until=NOW + timedelta(days=1))
    name = dice.choice(list(FIELDS))
    wide = replace(narrow, fields={**narrow.fields, name: "clear"}, laws={**narrow.laws, name: "《某法》"})
    before, after = decided(caller, of, [narrow]), decided(caller, of, [wide])
    for field in FIELDS:
        assert RANK[after.fields[field].treatment] >= RANK[before.fields[field].treatment]


@given(SEEDS)
def test_raising_a_fields_level_never_opens_it(seed: int):
    dice = random.Random(seed)
    caller, of, grants = random_case(dice)
    name = dice.choice(list(FIELDS))
    order = [1, 2, 3, 4, "important", "core"]
    level = of.fields[name].level
    stricter = None if level is None or level == "core" else order[order.index(level) + 1]
    raised = replace(of, fields={**of.fields, name: replace(of.fields[name], level=stricter)})
    before, after = decided(caller, of, grants), decided(caller, raised, grants)
    assert RANK[after.fields[name].treatment] <= RANK[before.fields[name].treatment]


@given(SEEDS)
def test_what_has_no_label_never_leaves_and_a_refusal_gives_nothing(seed: int):
    caller, of, grants = random_case(random.Random(seed))
    decision = decided(caller, of, grants)
    for name, label in of.fields.items():
        if not isinstance(label.level, int):
            assert decision.fields[name].treatment == "withheld"
    if not decision.allowed:
        assert decision.given_fields == ()
        assert decision.refusal is not None
    else:
        assert decision.given_fields
        assert decision.entry_version is not None
        assert of.secrecy_passed


@given(SEEDS)
def test_every_field_has_a_treatment_that_its_kind_has(seed: int):
    caller, of, grants = random_case(random.Random(seed))
    decision = decided(caller, of, grants)
    assert tuple(decision.fields) == tuple(of.fields)
    assert not [name for name in decision.clear_fields if decision.fields[name].treatment != "clear"]
