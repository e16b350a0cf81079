"""Statutory clocks: workdays of the Chinese calendar, make-up days included, and years that nobody knows."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.clock import CLOCKS, Clock, Event, Pause, due
from catalog.clock_errors import CalendarYearUnknown, CalendarYearWrong
from catalog.workdays import SHANGHAI, Calendar, YearArrangement, day_of

CALENDAR = Calendar()
DAYS = st.dates(date(2004, 1, 1), date(2026, 12, 31))
EVENTS = st.sampled_from([event for event, rule in CLOCKS.items() if rule.workdays])
# Starts whose longest clock still ends in a year the package knows.
STARTS = st.integers(0, 16 * 365 * 86_400).map(lambda seconds: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(0, seconds))
# Made up: the real arrangement of 2027 is not announced as this is written.
YEAR_2027 = YearArrangement(
    2027,
    frozenset(date(2027, month, day) for month, day in ((1, 1), (5, 1), (5, 2), (5, 3), (10, 1), (10, 2), (10, 3))),
    frozenset({date(2026, 12, 26), date(2027, 5, 8)}),
    "国办发明电〔2026〕0号(示例)",
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("day", "workday"),
    [
        ("2025-01-26", True),  # Sunday, made up for Spring Festival
        ("2025-02-08", True),  # Saturday, the same
        ("2025-04-27", True),  # Sunday, for Labour Day
        ("2025-09-28", True),  # Sunday, for National Day
        ("2025-10-08", False),  # Wednesday, holiday
        ("2025-10-11", True),
        ("2026-01-02", False),  # Friday, holiday
        ("2026-01-04", True),  # Sunday, for New Year
        ("2026-02-14", True),  # Saturday, for Spring Festival
        ("2026-02-23", False),
        ("2026-02-28", True),
        ("2026-05-09", True),
        ("2026-09-20", True),
        ("2026-10-07", False),
        ("2026-10-10", True),
        ("2026-11-25", True),
        ("2026-11-28", False),
    ],
)
def test_make_up_days_and_holidays_of_2025_and_2026_are_as_announced(day: str, workday: bool):
    assert CALENDAR.is_workday(date.fromisoformat(day)) is workday


@given(DAYS)
def test_a_workday_is_what_the_package_says(day: date):
    assert CALENDAR.is_workday(day) == chinese_calendar.is_workday(day)


@pytest.mark.parametrize(
    ("event", "started", "last_day"),
    [
        ("reply_unconditional", "2026-01-05 09:00", "2026-01-06"),
        ("reply_unconditional", "2026-01-02 09:00", "2026-01-04"),  # asked on a holiday; the Sunday is a workday
        ("reply_unconditional", "2025-12-31 23:59", "2026-01-04"),
        ("reply_conditional", "2026-09-28 10:00", "2026-10-16"),  # 29, 30, 8, 9, Saturday 10, 12 to 16
        ("reply_conditional", "2026-11-25 10:00", "2026-12-09"),
        ("deliver", "2026-11-25 10:00", "2026-12-23"),
        ("catalogue_update", "2026-11-25 10:00", "2026-12-09"),
        ("catalogue_publish", "2026-11-25 10:00", "2026-11-27"),
        ("verify", "2026-11-25 10:00", "2026-12-09"),
        ("usage_records", "2026-11-25 10:00", "2029-11-25"),
        ("usage_records", "2028-02-29 10:00", "2031-03-01"),
    ],
)
def test_a_clock_ends_with_its_last_workday(event: Event, started: str, last_day: str):
    assert due(event, at(started), CALENDAR) == at(last_day) + timedelta(days=1)


def test_the_clocks_are_the_statutes():
    assert {event: (rule.article, rule.workdays, rule.extension_max, rule.years) for event, rule in CLOCKS.items()} == {
        "reply_unconditional": (21, 1, 0, 0),
        "reply_conditional": (21, 10, 10, 0),
        "deliver": (22, 20, 0, 0),
        "catalogue_update": (17, 10, 5, 0),
        "catalogue_publish": (17, 2, 0, 0),
        "verify": (26, 10, 0, 0),
        "emergency_review": (None, 5, 0, 0),
        "usage_records": (29, 0, 0, 3),
    }


def test_days_are_chinas():
    late_evening = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)  # 00:30 on the 25th in China
    assert due("reply_unconditional", late_evening, CALENDAR) == at("2026-11-27")


@given(EVENTS, STARTS, st.integers(0, 10**6))
def test_a_clock_that_starts_later_ends_no_earlier(event: Event, start: datetime, seconds: int):
    later = start + timedelta(seconds=seconds)
    assert due(event, start, CALENDAR) <= due(event, later, CALENDAR)


@given(EVENTS, STARTS, st.integers(0, 10))
def test_the_last_day_is_a_workday_and_exactly_so_many_were_given(event: Event, start: datetime, extension: int):
    ends = due(event, start, CALENDAR, extension=extension)
    last = day_of(ends) - timedelta(days=1)
    assert chinese_calendar.is_workday(last)
    days = (last - day_of(start)).days
    given_days = [day_of(start) + timedelta(days=number) for number in range(1, days + 1)]
    assert sum(map(chinese_calendar.is_workday, given_days)) == CLOCKS[event].workdays + extension


@given(STARTS, st.integers(0, 20), st.integers(0, 40))
def test_a_pause_never_makes_a_clock_end_earlier_and_gives_back_what_it_took(start: datetime, after: int, long: int):
    since = start + timedelta(days=after)
    pause = Pause(since, since + timedelta(days=long))
    plain, paused = (due("reply_conditional", start, CALENDAR, pauses=pauses) for pauses in ((), (pause,)))
    assert paused >= plain
    if since >= plain:
        assert paused == plain


def test_a_clock_waits_while_the_notice_is_not_answered():
    start, notice, answer = at("2026-11-02 10:00"), at("2026-11-04 10:00"), at("2026-11-18 10:00")
    waiting = Clock("reply_conditional", start, pauses=(Pause(notice, None),))
    assert waiting.read(at("2027-12-01"), CALENDAR).state == "paused"
    running = Clock("reply_conditional", start, pauses=(Pause(notice, answer),))
    reading = running.read(at("2026-11-20"), CALENDAR)
    # Two of ten workdays had passed (3 and 4 November); eight follow the 18th.
    assert (reading.state, reading.due) == ("running", at("2026-12-01"))


@pytest.mark.parametrize(
    ("met", "now", "state"),
    [
        (None, "2026-11-26 23:59", "running"),
        (None, "2026-11-27 00:00", "late"),
        ("2026-11-26 23:59", "2026-12-01 00:00", "met"),
        ("2026-11-27 00:00", "2026-12-01 00:00", "late"),
    ],
)
def test_a_clock_is_met_until_its_last_midnight(met: str | None, now: str, state: str):
    clock = Clock("reply_unconditional", at("2026-11-25 10:00"), met_at=None if met is None else at(met))
    assert clock.read(at(now), CALENDAR).state == state


# Years nobody knows --------------------------------------------------------------------------------------------------


def test_a_year_whose_arrangement_is_not_known_is_refused_with_what_to_do():
    with pytest.raises(CalendarYearUnknown) as unknown:
        due("deliver", at("2026-12-10 10:00"), CALENDAR)
    assert unknown.value.year == 2027
    assert "hub calendar add-year" in unknown.value.sentence("zh")
    with pytest.raises(CalendarYearUnknown):
        CALENDAR.is_workday(date(2003, 12, 31))


def test_a_clock_into_an_unknown_year_says_which_instead_of_guessing():
    reading = Clock("deliver", at("2026-12-10 10:00")).read(at("2026-12-11"), CALENDAR)
    assert (reading.state, reading.due, reading.unknown_year) == ("running", None, 2027)


def test_a_year_that_was_entered_counts_and_reaches_back_over_new_year():
    entered = Calendar({2027: YEAR_2027})
    assert entered.is_workday(date(2026, 12, 26))
    assert not CALENDAR.is_workday(date(2026, 12, 26))
    assert due("deliver", at("2026-12-10 10:00"), entered) == at("2027-01-08")


def test_what_was_entered_counts_before_the_package():
    extra = YearArrangement(
        2026,
        frozenset(
            {date(2026, 1, 1), date(2026, 5, 1), *(date(2026, 10, day) for day in range(1, 4)), date(2026, 11, 25)}
        ),
        frozenset(),
        "临时放假",
    )
    assert not Calendar({2026: extra}).is_workday(date(2026, 11, 25))


@pytest.mark.parametrize(
    "changes",
    [
        {"year": 1999},
        {"source": " "},
        {"holidays": frozenset({date(2027, 1, 1)})},
        {"holidays": YEAR_2027.holidays | {date(2028, 1, 1)}},
        {"holidays": YEAR_2027.holidays | {date(2027, 5, 8)}},
        {"workdays": frozenset({date(2027, 5, 10)})},
        {"workdays": frozenset({date(2026, 11, 28)})},
    ],
)
def test_what_can_be_no_official_arrangement_is_refused(changes: dict[str, Any]):
    members = {name: getattr(YEAR_2027, name) for name in ("year", "holidays", "workdays", "source")}
    with pytest.raises(CalendarYearWrong):
        YearArrangement(**(members | changes))


def test_the_calendars_package_is_loaded_by_who_counts_workdays_only():
    script = "import catalog.clock, hub.acts.requests, sys; sys.exit('chinese_calendar' in sys.modules)"
    root = Path(__file__).parent.parent.parent
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 0
