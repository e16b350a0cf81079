"""Statutory clocks as data: how long each event may take, by which article of 《政务数据共享条例》, and how one stands.

Days are counted in China: the day on which a clock starts does not count, and it ends with the last day
(《民法典》 201, 203). A clock that waits for the other side is paused: from the day after the notice to the day the
answer comes, none counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from catalog.clock_errors import CalendarYearUnknown
from catalog.workdays import ONE_DAY, Calendar, day_of, end_of

Event = Literal[
    "reply_unconditional",
    "reply_conditional",
    "deliver",
    "catalogue_update",
    "catalogue_publish",
    "verify",
    "emergency_review",
    "usage_records",
]
ClockState = Literal["running", "paused", "met", "late"]


@dataclass(frozen=True, slots=True)
class ClockRule:
    """How long one event may take.

    Args:
        event: what the clock is for.
        article: of the statute; None for a rule of the hub's own.
        zh: the event in Chinese.
        en: the event in English.
        workdays: allowed; 0 where years are.
        years: of the calendar, where no workdays are counted.
        extension_max: workdays by which it may be prolonged, with consent.
    """

    event: Event
    article: int | None
    zh: str
    en: str
    workdays: int = 0
    years: int = 0
    extension_max: int = 0


_RULES: Final = (
    ClockRule("reply_unconditional", 21, "答复无条件共享申请", "reply to an unconditional request", 1),
    ClockRule("reply_conditional", 21, "答复有条件共享申请", "reply to a conditional request", 10, extension_max=10),
    ClockRule("deliver", 22, "同意后提供数据", "deliver after consent", 20),
    ClockRule("catalogue_update", 17, "更新目录", "update the catalogue", 10, extension_max=5),
    ClockRule("catalogue_publish", 17, "审核并发布目录更新", "review and publish an update of the catalogue", 2),
    ClockRule("verify", 26, "校核并反馈", "verify reported errors and answer", 10),
    # The statute knows no emergency grant; five workdays is the hub's own bound on a decision taken by one person.
    ClockRule("emergency_review", None, "应急授权事后复核", "review of an emergency grant", 5),
    ClockRule("usage_records", 29, "使用记录保存", "keep records of use", years=3),
)
CLOCKS: Final[Mapping[Event, ClockRule]] = {rule.event: rule for rule in _RULES}


@dataclass(frozen=True, slots=True)
class Pause:
    """From a notice until its answer; None while it is awaited."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of one request, entry or grant.

    Args:
        event: by whose rule it runs.
        started_at: what starts it.
        extension: workdays added with consent.
        pauses: when the other side had to act.
        met_at: when what it waits for was done.
    """

    event: Event
    started_at: datetime
    extension: int = 0
    pauses: tuple[Pause, ...] = ()
    met_at: datetime | None = None

    @property
    def paused(self) -> bool:
        """Whether it waits for the other side."""
        return self.met_at is None and any(pause.until is None for pause in self.pauses)

    def read(self, now: datetime, calendar: Calendar) -> "Reading":
        """How it stands. A due day in a year whose arrangement is not known yet is named as such, not guessed."""
        if self.paused:
            return Reading(self, "paused", None, None)
        try:
            ends_at = due(self.event, self.started_at, calendar, extension=self.extension, pauses=self.pauses)
        except CalendarYearUnknown as unknown:
            return Reading(self, "running" if self.met_at is None else "met", None, unknown.year)
        late = (now if self.met_at is None else self.met_at) >= ends_at
        return Reading(self, "late" if late else "running" if self.met_at is None else "met", ends_at, None)


@dataclass(frozen=True, slots=True)
class Reading:
    """A clock at an instant.

    Args:
        clock: that was read.
        state: late stays late when it was met afterwards; the clock's ``met_at`` tells.
        due: first instant at which it is late; None while paused or not known.
        unknown_year: the year whose arrangement must be entered before ``due`` can be told.
    """

    clock: Clock
    state: ClockState
    due: datetime | None
    unknown_year: int | None


def due(
    event: Event, started_at: datetime, calendar: Calendar, *, extension: int = 0, pauses: tuple[Pause, ...] = ()
) -> datetime:
    """The first instant at which an event that started then is late.

    Args:
        event: by whose rule.
        started_at: what starts it; that day does not count.
        calendar: the workdays.
        extension: workdays added with consent.
        pauses: all of them ended.

    Raises:
        CalendarYearUnknown: it reaches into a year whose arrangement is not known.
    """
    rule = CLOCKS[event]
    day = day_of(started_at)
    if rule.years:
        return end_of(_years_later(day, rule.years))
    paused = [(day_of(pause.since), day_of(pause.until)) for pause in pauses if pause.until is not None]
    left = rule.workdays + extension
    while left:
        day += ONE_DAY
        if calendar.is_workday(day) and not any(since < day <= until for since, until in paused):
            left -= 1
    return end_of(day)


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 3, 1)
