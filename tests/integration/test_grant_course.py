"""Acts on grants that were given, over a real store: suspended, ended, emergencies, and records of use."""

import json
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from entry_maker import person
from grant_maker import (
    ADMINISTRATOR,
    ASKER,
    AUDITOR,
    NOW,
    RESIDENT,
    SECOND,
    STEWARD,
    given,
    published,
)

from catalog.condition import StartsWith
from catalog.decision import Asked, Decision, decide
from catalog.epoch_store import current_epoch
from catalog.errors import OrganizationUnknown, RoleNeeded
from catalog.grant import Quota
from catalog.grant_errors import (
    DeadlineWrong,
    GrantStepNotNow,
    GrantWrong,
    UsageWrong,
)
from catalog.grant_store import events_of, grants_for
from catalog.request_errors import OnePersonTwice, ReasonsMissing
from catalog.resource_store import resource_of
from catalog.tier_store import current_tiers
from hub.acts import grant_course, grants
from hub.acts.grants import Emergency, Wanted
from hub.acts.types import types_in
from hub.lapsing import ending_lapsed
from hub.store.connect import connect

WANTED = Wanted(
    fields={"name": "masked", "division_code": "clear"},
    methods=frozenset({"api"}),
    quota=Quota(requests=1_000, rows=100_000),
    valid_until=NOW + timedelta(days=20),
)
ABOUT = Emergency("organization:ren-she", RESIDENT, "洪灾人员安置", "突发事件应对法第四十八条")


@pytest.fixture
def conn(connection: psycopg.Connection) -> psycopg.Connection:
    return published(connection)


def held(conn: psycopg.Connection, holder: str = "organization:ren-she"):
    return grants_for(conn, [holder], RESIDENT, types_in(conn)(RESIDENT))


# Course --------------------------------------------------------------------------------------------------------------


def test_a_grant_is_suspended_rectified_resumed_and_ended(conn: psycopg.Connection):
    made = given(conn)
    id_, deadline = made.grant.id, NOW + timedelta(days=10)
    grant_course.suspend(conn, STEWARD, id_, "超范围使用", deadline, NOW)
    assert [one.state for one in held(conn)] == ["suspended"]
    with pytest.raises(GrantStepNotNow):
        grant_course.resume(conn, STEWARD, id_, NOW)
    with pytest.raises(RoleNeeded):
        grant_course.rectify(conn, STEWARD, id_, "已整改", NOW)
    grant_course.rectify(conn, ASKER, id_, "已删除超范围数据", NOW)
    both = person("asker", "administrator", organization="ren-she")
    with pytest.raises(OnePersonTwice):
        grant_course.resume(conn, both, id_, NOW)
    grant_course.resume(conn, STEWARD, id_, NOW)
    assert held(conn) == [made.grant]
    grant_course.end(conn, ADMINISTRATOR, id_, "目的已实现", NOW)
    assert held(conn) == []
    steps = [event.step for event in events_of(conn, id_)]
    assert steps == ["given", "suspended", "rectified", "resumed", "ended"]
    with pytest.raises(GrantStepNotNow):
        grant_course.resume(conn, STEWARD, id_, NOW)


def test_suspension_takes_effect_on_the_next_decision(conn: psycopg.Connection):
    made = given(conn)
    resource = resource_of(conn, RESIDENT)
    assert resource is not None

    def decision() -> Decision:
        asked = Asked("api", purpose=made.grant.purpose)
        return decide(ASKER, resource, held(conn), asked, current_tiers(conn), NOW)

    assert decision().grant == made.grant.id
    assert decision().rows == StartsWith("division_code", "4201")
    grant_course.suspend(conn, STEWARD, made.grant.id, "违规", NOW + timedelta(days=1), NOW)
    assert not decision().allowed


def test_every_step_raises_the_epoch(conn: psycopg.Connection):
    made = given(conn)
    before = current_epoch(conn)
    grant_course.suspend(conn, STEWARD, made.grant.id, "超范围使用", NOW + timedelta(days=1), NOW)
    assert current_epoch(conn) > before


def test_suspension_and_end_take_reasons_and_a_deadline_ahead(conn: psycopg.Connection):
    made = given(conn)
    with pytest.raises(ReasonsMissing):
        grant_course.suspend(conn, STEWARD, made.grant.id, " ", NOW + timedelta(days=1), NOW)
    for days in (0, 91):
        with pytest.raises(DeadlineWrong):
            grant_course.suspend(conn, STEWARD, made.grant.id, "违规", NOW + timedelta(days=days), NOW)
    with pytest.raises(ReasonsMissing):
        grant_course.end(conn, ASKER, made.grant.id, "", NOW)
    assert grant_course.end(conn, ASKER, made.grant.id, "目的已实现", NOW).grant.state == "ended"  # article 25


def test_what_is_not_rectified_in_time_or_past_its_term_is_ended_by_the_hub(conn: psycopg.Connection):
    late, running = given(conn), given(conn)
    grant_course.suspend(conn, STEWARD, late.grant.id, "违规", NOW + timedelta(days=1), NOW)
    assert grant_course.end_lapsed(conn, NOW) == 0
    assert grant_course.end_lapsed(conn, NOW + timedelta(days=1)) == 1
    assert [one.id for one in held(conn)] == [running.grant.id]
    assert events_of(conn, late.grant.id)[-1].actor == "hub"
    assert grant_course.end_lapsed(conn, running.grant.valid_until) == 1


def lapsing(url: str) -> int:
    """Leaves of grants that the hub ended, and steps of their courses: as many of one as of the other."""
    with connect(url, "test") as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        leaves = conn.execute(
            "SELECT count(*) FROM ledger_leaf WHERE convert_from(bytes, 'UTF8')::jsonb ->> 'action' = 'grant.lapsed'"
        ).fetchone()
        steps = conn.execute("SELECT count(*) FROM grant_event WHERE step = 'lapsed'").fetchone()
    assert leaves is not None
    assert leaves == steps
    return leaves[0]


def turned(url: str, ended: int) -> bool:
    """Whether so many have been ended before long."""
    deadline = time.monotonic() + 20
    while lapsing(url) != ended and time.monotonic() < deadline:
        time.sleep(0.02)
    return lapsing(url) == ended


def opened(url: str) -> Callable[[], AbstractContextManager[psycopg.Connection]]:
    return lambda: closing(connect(url, "test", autocommit=True))


def test_of_two_hubs_on_one_database_one_ends_a_grant_and_writes_one_leaf(conn: psycopg.Connection, database_url: str):
    made, after = given(conn), NOW + timedelta(days=400)
    conn.commit()
    with connect(database_url, "one") as one, connect(database_url, "other") as other:
        assert grant_course.end_lapsed(one, after) == 1
        assert grant_course.end_lapsed(other, after) == 0  # passed over, not waited for
        other.commit()
        one.commit()
        assert grant_course.end_lapsed(other, after) == 0
        assert lapsing(database_url) == 1
        assert [event.step for event in events_of(other, made.grant.id)] == ["given", "lapsed"]


def test_hubs_that_end_at_the_same_time_end_each_grant_once(conn: psycopg.Connection, database_url: str):
    for _ in range(6):
        given(conn)
    conn.commit()
    hubs = [ending_lapsed(opened(database_url), lambda: NOW + timedelta(days=400), 0.01) for _ in range(3)]
    with hubs[0], hubs[1], hubs[2]:
        assert turned(database_url, 6)
        time.sleep(0.1)  # some turns more, which find nothing
    assert lapsing(database_url) == 6


def test_a_turn_that_finds_nothing_leaves_every_decision_standing(conn: psycopg.Connection):
    given(conn)
    before = current_epoch(conn)
    assert grant_course.end_lapsed(conn, NOW) == 0
    assert current_epoch(conn) == before


def test_what_fails_is_told_and_the_next_turn_ends_what_lapsed(
    conn: psycopg.Connection, database_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logging.getLogger("hub"), "propagate", True)
    given(conn)
    conn.commit()
    failures = iter([RuntimeError("a defect"), DeadlineWrong("理由", "a reason"), psycopg.OperationalError("gone")])

    def failing() -> AbstractContextManager[psycopg.Connection]:
        if (failure := next(failures, None)) is not None:
            raise failure
        return opened(database_url)()

    with caplog.at_level(logging.INFO, "hub"), ending_lapsed(failing, lambda: NOW + timedelta(days=400), 0.01):
        assert turned(database_url, 1)
    told = [(one["event"], one.get("error", "")) for one in map(json.loads, caplog.messages)]
    levels = {json.loads(record.getMessage())["event"]: record.levelname for record in caplog.records}
    order = list(dict.fromkeys(told))  # each once, in order: another test's handler may have told some of it twice
    assert [event for event, _ in order] == ["LapsingFailed", "LapsingFailed", "StoreLost", "GrantsLapsed"]
    assert order[0][1] == "RuntimeError"
    assert "a reason" in order[1][1]
    assert levels == {"LapsingFailed": "WARNING", "StoreLost": "WARNING", "GrantsLapsed": "INFO"}


# Emergency -----------------------------------------------------------------------------------------------------------


def test_an_emergency_grant_takes_effect_with_one_person_and_ends_unless_another_reviews_it(conn: psycopg.Connection):
    made = grants.give_emergency(conn, ADMINISTRATOR, ABOUT, WANTED, "洪峰将至", NOW)
    # Wednesday 2026-11-25: five workdays end with Wednesday 2 December, in China.
    assert made.review_by == datetime(2026, 12, 2, 16, tzinfo=UTC)
    (read,) = held(conn)
    assert (read.kind, read.valid_until) == ("emergency", made.review_by)
    for actor in (ADMINISTRATOR, person("double", "reviewer", organization="da-shu-ju", human="administrator")):
        with pytest.raises(OnePersonTwice):
            grant_course.review(conn, actor, made.grant.id, "情况属实", NOW)
    assert made.review_by is not None
    with pytest.raises(GrantStepNotNow):
        grant_course.review(conn, SECOND, made.grant.id, "情况属实", made.review_by)
    grant_course.review(conn, SECOND, made.grant.id, "情况属实", NOW)
    assert held(conn)[0].valid_until == WANTED.valid_until
    assert grant_course.end_lapsed(conn, made.review_by) == 0


def test_an_emergency_grant_that_nobody_reviewed_is_over(conn: psycopg.Connection):
    made = grants.give_emergency(conn, ADMINISTRATOR, ABOUT, WANTED, "洪峰将至", NOW)
    assert made.review_by is not None
    assert grant_course.end_lapsed(conn, made.review_by) == 1
    assert held(conn) == []


def test_an_emergency_is_not_given_to_oneself_without_reasons_or_for_long(conn: psycopg.Connection):
    own = person("insider", "administrator", organization="ren-she")
    with pytest.raises(OnePersonTwice):
        grants.give_emergency(conn, own, ABOUT, WANTED, "洪峰将至", NOW)
    with pytest.raises(RoleNeeded):
        grants.give_emergency(conn, STEWARD, ABOUT, WANTED, "洪峰将至", NOW)
    with pytest.raises(ReasonsMissing):
        grants.give_emergency(conn, ADMINISTRATOR, ABOUT, WANTED, "", NOW)
    unknown = replace(ABOUT, holder="organization:nobody")
    with pytest.raises(OrganizationUnknown):
        grants.give_emergency(conn, ADMINISTRATOR, unknown, WANTED, "洪峰将至", NOW)
    longer = replace(WANTED, valid_until=NOW + timedelta(days=31))
    with pytest.raises(GrantWrong):
        grants.give_emergency(conn, ADMINISTRATOR, ABOUT, longer, "洪峰将至", NOW)


# Use -----------------------------------------------------------------------------------------------------------------


def test_records_of_use_are_kept_three_years_and_read_by_provider_and_administrator(conn: psycopg.Connection):
    made = given(conn)
    usage = grant_course.Usage("资格核验", "每月比对", "减少冒领", "政务云", "未销毁")
    told = grant_course.tell_usage(conn, ASKER, made.grant.id, usage, NOW)
    assert told.kept_until == datetime(2029, 11, 25, 16, tzinfo=UTC)
    for actor in (ASKER, STEWARD, ADMINISTRATOR, AUDITOR):
        assert grant_course.read_usage(conn, actor, made.grant.id) == [told]
    with pytest.raises(UsageWrong):
        grant_course.tell_usage(conn, ASKER, made.grant.id, replace(usage, effect=" "), NOW)
    with pytest.raises(RoleNeeded):
        grant_course.tell_usage(conn, STEWARD, made.grant.id, usage, NOW)
    with pytest.raises(psycopg.errors.RaiseException):
        conn.execute("DELETE FROM usage_record")
