"""Simulation over real records and a real trail: what a proposal would open, before anyone approves it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from exchange_maker import Exchange, exchange_in
from grant_maker import ADMINISTRATOR, ASKER, REVIEWER, STEWARD, STRANGER, accepted
from release_cases import resource_of_simple
from release_maker import DEPARTMENT, OTHER, PLACE, RESIDENT, WayOut, residents, way_out

from catalog.caller import PUBLIC
from catalog.condition import Compare, Condition, StartsWith
from catalog.errors import RoleNeeded
from catalog.grant_errors import ProposalDecided, ProposalUnknown
from catalog.proposal_store import Proposal
from catalog.resource import FieldLabel, Resource
from catalog.simulation import Covered, totals
from catalog.tier import DEFAULT_TIERS
from catalog.tier_text import text_of_tiers
from hub.acts import grants, tiers
from hub.acts.grants import Wanted
from hub.acts.shown_simulation import shown_grant_simulation
from hub.acts.simulations import GrantSimulation, simulate_grant, simulate_tiers
from hub.ledger.leaf import read_record
from hub.ledger.leaf_store import last_leaves
from hub.release import simulation
from hub.release.errors import ReleaseRefused
from hub.release.simulation import read_coverage
from hub.release.simulation_errors import SimulationTooLong
from hub.store.connect import connect
from schemas.contract import FieldType

WUHAN = {"field": "division_code", "prefix": "4201"}


@pytest.fixture
def out(database_url: str) -> Iterator[WayOut]:
    with way_out(database_url, RESIDENT, PLACE) as made:
        made.take(RESIDENT, [*residents(25), *residents(13, "420103"), *residents(7, "420502")])
        yield made


def proposal(out: WayOut, **changes: Any) -> Proposal:
    terms: dict[str, Any] = {"valid_from": out.now - timedelta(days=1), "valid_until": out.now + timedelta(days=60)}
    with out.conn.transaction():
        request = accepted(out.conn, out.now, **(terms | {"rows": WUHAN} | changes))
        return grants.propose(out.conn, STEWARD, request.id, Wanted(), out.now)


def simulate(out: WayOut, made: Proposal, **changes: Any) -> GrantSimulation:
    arguments: dict[str, Any] = {"actor": REVIEWER, "days": 30, "now": out.now + timedelta(seconds=5)} | changes
    with out.conn.transaction():
        return simulate_grant(out.conn, proposal=made.id, **arguments)


def refused(out: WayOut, times: int, caller: Any = DEPARTMENT, **asked: Any) -> None:
    for _ in range(times):
        with pytest.raises(ReleaseRefused):
            out.get(caller, RESIDENT, **asked)


def test_the_holders_refused_requests_that_would_open_are_told_with_their_fields(out: WayOut):
    refused(out, 3)
    refused(out, 2, purpose="别的用途")
    refused(out, 1, OTHER)  # another's, and no matter of this proposal
    found = simulate(out, proposal(out))
    assert found.replayed.recorded == 5
    assert totals(found.replayed.differences) == {"opened": 3, "closed": 0, "changed": 0, "same": 2}
    opened = found.replayed.differences[0]
    assert (opened.caller, opened.method, opened.kind) == (DEPARTMENT.id, "api", "opened")
    given = {change.field: change.after for change in opened.fields}
    assert given == {
        "id_number": "pseudonymous",
        "name": "clear",
        "birth_date": "generalised",
        "division_code": "clear",
    }
    assert found.fields == opened.fields
    same = found.replayed.differences[-1]
    assert same.refusal is not None
    assert (same.kind, same.refusal.rule) == ("same", "grant.purpose")


def test_rows_are_counted_in_all_and_beyond_what_is_granted_already(out: WayOut):
    made = proposal(out)
    found = simulate(out, made).coverage
    assert found is not None
    assert found.records == found.persons == Covered(38, 38)
    out.grant(rows={"field": "division_code", "prefix": "420102"})
    over: dict[str, Any] = {"valid_from": out.now - timedelta(days=5), "valid_until": out.now - timedelta(days=1)}
    out.grant(rows={"field": "division_code", "prefix": "420103"}, **over)
    out.end(out.grant(rows={"field": "division_code", "prefix": "420103"}))
    out.grant(rows={"field": "division_code", "prefix": "420103"}, holder=OTHER.id)
    found = simulate(out, made).coverage
    assert found is not None
    assert found.records == Covered(38, 13)
    out.grant()  # every row
    found = simulate(out, made)
    assert found.coverage is not None
    assert found.coverage.records == Covered(38, 0)
    shown = shown_grant_simulation(found)
    assert shown["coverage"] == {
        "records": {"in_all": 30, "beyond": "<10"},
        "persons": {"in_all": 30, "beyond": "<10"},
    }


def test_what_was_released_is_replayed_too_and_shows_what_would_be_given_otherwise(out: WayOut):
    out.grant({"name": "masked", "division_code": "clear"}, rows=WUHAN)
    for _ in range(4):
        out.get(DEPARTMENT, RESIDENT)
    found = simulate(out, proposal(out))
    [changed] = found.replayed.differences
    assert (changed.kind, changed.requests, changed.other_rows) == ("changed", 4, False)
    assert ("name", "masked", "clear") in {(one.field, one.before, one.after) for one in changed.fields}
    out.grant({"id_number": "pseudonymous", "name": "clear", "birth_date": "generalised", "division_code": "clear"})
    assert [one.kind for one in simulate(out, proposal(out)).replayed.differences] == ["changed"]


def test_only_the_last_days_are_replayed(out: WayOut):
    refused(out, 2)
    made = proposal(out)
    assert simulate(out, made, days=1).replayed.recorded == 2
    later = simulate(out, made, days=1, now=out.now + timedelta(days=1, minutes=5)).replayed
    assert (later.recorded, later.differences) == (0, [])


def test_a_grant_of_the_future_is_simulated_as_of_its_first_instant(out: WayOut):
    refused(out, 1)
    start = out.now + timedelta(days=10)
    found = simulate(out, proposal(out, valid_from=start))
    assert found.replayed.moment == start
    assert totals(found.replayed.differences)["opened"] == 1
    assert found.refusal is None


def test_who_may_approve_may_simulate_and_a_leaf_tells_that_it_was_done(out: WayOut):
    made = proposal(out)
    for actor in (REVIEWER, ADMINISTRATOR, STEWARD):
        simulate(out, made, actor=actor)
        leaf = read_record(last_leaves(out.conn, 1)[0])
        assert (leaf["action"], leaf["actor"], leaf["object"]) == ("grant.simulated", actor.id, f"grant:{made.id}")
    for actor, error in ((ASKER, ProposalUnknown), (STRANGER, ProposalUnknown), (PUBLIC, ProposalUnknown)):
        with pytest.raises(error):
            simulate(out, made, actor=actor)
    with pytest.raises(RoleNeeded), out.conn.transaction():
        simulate_tiers(out.conn, REVIEWER, 1, 30, out.now)
    with out.conn.transaction():
        grants.withdraw_proposal(out.conn, STEWARD, made.id, out.now)
    with pytest.raises(ProposalDecided):
        simulate(out, made)


def test_nothing_personal_is_in_what_is_shown(out: WayOut):
    refused(out, 1, purpose="为张三查询 420102196001010017")
    text = json.dumps(shown_grant_simulation(simulate(out, proposal(out))), default=str, ensure_ascii=False)
    assert "张三" not in text
    assert "4201021960" not in text


def test_a_trail_that_was_erased_cannot_be_replayed_and_is_counted(out: WayOut):
    refused(out, 2)
    out.conn.execute("DELETE FROM release_decision")
    found = simulate(out, proposal(out)).replayed
    assert (found.recorded, found.unreadable, found.differences) == (2, 2, [])


def test_requests_beyond_what_is_read_are_told(out: WayOut, monkeypatch: pytest.MonkeyPatch):
    refused(out, 3)
    refused(out, 2, purpose="别的用途")
    monkeypatch.setattr(simulation, "GROUPS_MAX", 1)
    found = simulate(out, proposal(out)).replayed
    assert (found.recorded, found.left_out) == (5, 2)


def test_what_takes_too_long_is_not_waited_for(out: WayOut, monkeypatch: pytest.MonkeyPatch):
    made = proposal(out)
    monkeypatch.setattr(simulation, "SECONDS_MAX", 0.2)
    with connect(out.url, "another", autocommit=True) as other:
        with other.transaction():
            other.execute('LOCK TABLE data."420000_resident"')
            assert simulate(out, made).coverage is None
        with other.transaction():
            other.execute("LOCK TABLE release_trail")
            with pytest.raises(SimulationTooLong):
                simulate(out, made)
    assert simulate(out, made).coverage is not None


def test_a_table_of_tiers_is_replayed_on_everyone(out: WayOut):
    given: dict[str, Any] = {"name": "masked", "division_code": "clear"}
    out.grant(given)
    for _ in range(2):
        out.get(DEPARTMENT, RESIDENT)
    for _ in range(3):
        with suppress(ReleaseRefused):
            out.get(PUBLIC, PLACE, purpose=None)
    rules = json.loads(text_of_tiers(DEFAULT_TIERS))
    for rule in rules:
        if (rule["tier"], rule["granted"]) == ("department", True):
            rule["clear_level"], rule["treated_level"], rule["named_level"] = 1, 1, 0
    with out.conn.transaction():
        made = tiers.propose(out.conn, ADMINISTRATOR, rules, "收紧", out.now)
        found = simulate_tiers(out.conn, ADMINISTRATOR, made.version, 30, out.now + timedelta(seconds=5)).replayed
    narrowed = [one for one in found.differences if one.kind != "same"]
    assert [(one.caller, one.dataset, one.requests) for one in narrowed] == [(DEPARTMENT.id, RESIDENT, 2)]
    assert all(not change.more for change in narrowed[0].fields)
    assert read_record(last_leaves(out.conn, 1)[0])["action"] == "tiers.simulated"


# Persons -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    with exchange_in(database_url) as made:
        yield made


def married(exchange: Exchange) -> Resource:
    """Each record names two persons, in fields that are not its key."""
    labels = dict(resource_of_simple(exchange.contract).fields)
    text = FieldType("string")
    labels |= {"code": FieldLabel(text, 3, "citizen_id"), "note": FieldLabel(text, 3, "citizen_id")}
    resource = resource_of_simple(exchange.contract)
    return Resource(
        **{name: getattr(resource, name) for name in Resource.__slots__ if name != "fields"},
        fields=labels,
    )


@pytest.mark.parametrize(
    ("proposed", "present", "records", "persons"),
    [
        (None, [], Covered(3, 3), Covered(4, 4)),
        (Compare("value", ">=", 2), [], Covered(2, 2), Covered(4, 4)),
        (Compare("value", ">=", 2), [Compare("value", "=", 1)], Covered(2, 2), Covered(4, 2)),
        (Compare("value", "=", 1), [StartsWith("code", "a"), None], Covered(1, 0), Covered(2, 0)),
    ],
)
def test_a_person_in_several_records_is_one_person(
    exchange: Exchange, proposed: Condition | None, present: list[Condition | None], records: Covered, persons: Covered
):
    rows = [("a", "b", 1, False), ("c", "a", 2, False), ("d", "b", 3, False), ("e", "f", 3, True)]
    with exchange.conn.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO data."420000_simple" (code, note, value, at, _version, _row, _deleted, _taken, _receipt)'
            " VALUES (%s, %s, %s, now(), 1, 0, %s, now(), 1)",
            rows,
        )
    with exchange.conn.transaction():
        found = read_coverage(exchange.conn, married(exchange), proposed, present)
    assert found is not None
    assert (found.records, found.persons) == (records, persons)


def test_nobody_is_counted_where_no_field_is_a_citizen_id(exchange: Exchange):
    with exchange.conn.transaction():
        found = read_coverage(exchange.conn, resource_of_simple(exchange.contract), None, [])
    assert found is not None
    assert (found.records, found.persons) == (Covered(0, 0), None)
