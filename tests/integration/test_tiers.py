"""The table of tiers: two administrators, exactly what was proposed, and in force from the next decision on."""

import json
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from entry_maker import NOW, person

from catalog.calendar_store import list_years, read_calendar
from catalog.caller import Caller
from catalog.clock import due
from catalog.clock_errors import CalendarYearUnknown
from catalog.epoch_store import current_epoch
from catalog.errors import RoleNeeded
from catalog.organization import Organization
from catalog.request_errors import OnePersonTwice, ReasonsMissing
from catalog.store import add_organization
from catalog.tier import DEFAULT_TIERS
from catalog.tier_errors import TierTableWrong, TierVersionChanged, TierVersionDecided, TierVersionUnknown
from catalog.tier_store import current_policy, current_tiers
from catalog.tier_text import text_of_tiers
from catalog.workdays import YearArrangement
from hub.acts import calendars, tiers
from hub.ledger.leaf import read_record
from hub.ledger.leaf_store import last_leaves

FIRST = person("first", "administrator", organization="da-shu-ju")
SECOND = person("second", "administrator", organization="da-shu-ju")
DOUBLE = person("double", "administrator", organization="da-shu-ju", human="first")


@pytest.fixture
def conn(connection: psycopg.Connection) -> psycopg.Connection:
    add_organization(connection, Organization("da-shu-ju", "数据局", "Data bureau", "province", "420000"))
    return connection


def stricter() -> list[dict[str, Any]]:
    rules = json.loads(text_of_tiers(DEFAULT_TIERS))
    for rule in rules:
        if rule["tier"] == "approved" and rule["granted"]:
            rule["treated_level"] = 2
    return rules


def test_the_designs_table_holds_until_another_is_approved(conn: psycopg.Connection):
    before = current_policy(conn)
    assert (before.tiers, before.version) == (DEFAULT_TIERS, 0)
    made = tiers.propose(conn, FIRST, stricter(), "收紧", NOW)
    assert current_policy(conn) == before
    epoch = current_epoch(conn)
    tiers.approve(conn, SECOND, made.version, made.digest, NOW)
    policy = current_policy(conn)
    assert (policy.version, policy.digest) == (1, made.digest)
    assert policy.digest != before.digest
    assert current_tiers(conn)["approved", True].treated_level == 2
    assert current_epoch(conn) > epoch
    leaf = read_record(last_leaves(conn, 1)[0])
    assert (leaf["action"], leaf["object_ver"], leaf["policy_hash"]) == ("tiers.approved", "1", made.digest)


def test_who_proposed_does_not_approve_under_any_account(conn: psycopg.Connection):
    made = tiers.propose(conn, FIRST, stricter(), "收紧", NOW)
    for actor in (FIRST, DOUBLE):
        with pytest.raises(OnePersonTwice):
            tiers.approve(conn, actor, made.version, made.digest, NOW)
    with pytest.raises(psycopg.errors.CheckViolation), conn.transaction():
        conn.execute("UPDATE tier_version SET approved_by = 'x', approved_person = 'first', approved_at = now()")
    assert current_tiers(conn) == DEFAULT_TIERS


def test_an_approval_is_of_exactly_the_table_that_was_read(conn: psycopg.Connection):
    made = tiers.propose(conn, FIRST, stricter(), "收紧", NOW)
    with pytest.raises(TierVersionChanged):
        tiers.approve(conn, SECOND, made.version, "0" * 64, NOW)
    conn.execute("UPDATE tier_version SET rules = replace(rules, '\"clear_level\":2', '\"clear_level\":3')")
    with pytest.raises(TierVersionChanged):
        tiers.approve(conn, SECOND, made.version, made.digest, NOW)


def test_a_version_is_approved_once_and_not_after_a_newer_one(conn: psycopg.Connection):
    older = tiers.propose(conn, FIRST, stricter(), "收紧", NOW)
    newer = tiers.propose(conn, FIRST, stricter(), "再收紧", NOW)
    tiers.approve(conn, SECOND, newer.version, newer.digest, NOW)
    for version in (newer, older):
        with pytest.raises(TierVersionDecided):
            tiers.approve(conn, SECOND, version.version, version.digest, NOW)
    with pytest.raises(TierVersionUnknown):
        tiers.approve(conn, SECOND, 99, older.digest, NOW)


@pytest.mark.parametrize(
    "actor", [person("r", "reviewer"), person("s", "steward"), person("d", "developer"), person("p")]
)
def test_only_administrators_change_the_table_and_who_oversees_reads_it(conn: psycopg.Connection, actor: Caller):
    with pytest.raises(RoleNeeded):
        tiers.propose(conn, actor, stricter(), "收紧", NOW)
    if not actor.roles & {"reviewer"}:
        with pytest.raises(RoleNeeded):
            tiers.read_versions(conn, actor)


def test_a_proposal_takes_a_reason_and_keeps_the_bounds(conn: psycopg.Connection):
    with pytest.raises(ReasonsMissing):
        tiers.propose(conn, FIRST, stricter(), " ", NOW)
    with pytest.raises(TierTableWrong):
        tiers.propose(
            conn, FIRST, [{"tier": "public", "granted": False, "scope": "open", "clear_level": 4}], "放开", NOW
        )


# Calendar ------------------------------------------------------------------------------------------------------------


def test_an_administrator_enters_a_year_and_clocks_run_into_it(conn: psycopg.Connection):
    started = datetime(2026, 12, 30, 2, tzinfo=UTC)
    with pytest.raises(CalendarYearUnknown):
        due("deliver", started, read_calendar(conn))
    days = {date(2027, 1, 1), date(2027, 5, 1), *(date(2027, 10, day) for day in range(1, 4))}
    year = YearArrangement(2027, frozenset(days), frozenset({date(2027, 1, 9)}), "国办发明电〔2026〕0号(示例)")
    with pytest.raises(RoleNeeded):
        calendars.enter_year(conn, person("r", "reviewer"), year, NOW)
    calendars.enter_year(conn, FIRST, year, NOW)
    assert read_calendar(conn).entered == {2027: year}
    assert due("deliver", started, read_calendar(conn)) == datetime(2027, 1, 27, 16, tzinfo=UTC)
    calendars.enter_year(conn, SECOND, YearArrangement(2027, year.holidays, frozenset(), year.source), NOW)
    assert [(one.year, one.workdays, one.entered_by) for one in list_years(conn)] == [(2027, [], SECOND.id)]
    assert read_record(last_leaves(conn, 1)[0])["object"] == "calendar:2027"
