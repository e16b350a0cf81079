"""Workdays of the Chinese calendar, make-up days (调休) included.

Each year's arrangement is announced by the General Office of the State Council, as a rule in November of the year
before. A well-kept package knows the years announced when it was published; an administrator may enter a later one,
and what was entered counts before the package. A year that neither knows is refused, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Final

from catalog.clock_errors import CalendarYearUnknown, CalendarYearWrong

SHANGHAI: Final = timezone(timedelta(hours=8))  # since 1991 without summer time
ONE_DAY: Final = timedelta(days=1)
FIRST_YEAR, LAST_YEAR = 2004, 2999
HOLIDAYS_MAX, MAKE_UP_DAYS_MAX = 60, 30
SOURCE_CHARACTERS_MAX = 200
_SATURDAY = 5
_DECEMBER = 12
# Those with a fixed date (《全国年节及纪念日放假办法》): an arrangement without them was cut short on its way.
_FIXED: Final = ((1, 1), (5, 1), (10, 1), (10, 2), (10, 3))


@dataclass(frozen=True, slots=True)
class YearArrangement:
    """A year's official arrangement; valid when made.

    Args:
        year: whose holidays they are.
        holidays: every day off by the arrangement, weekends within it included.
        workdays: Saturdays and Sundays that are workdays; either may reach into December of the year before.
        source: the notice it was taken from.
    """

    year: int
    holidays: frozenset[date]
    workdays: frozenset[date]
    source: str

    def __post_init__(self) -> None:
        """Refuse what no official arrangement can be.

        Raises:
            CalendarYearWrong: naming the rule.
        """
        for broken, zh, en in self._rules():
            if broken:
                raise CalendarYearWrong(year=self.year, rule_zh=zh, rule_en=en)

    def _rules(self) -> tuple[tuple[bool, str, str], ...]:
        days = self.holidays | self.workdays
        strangers = [day for day in days if day.year != self.year and (day.year, day.month) != self._december]
        known = FIRST_YEAR <= self.year <= LAST_YEAR
        fixed = {date(self.year, month, day) for month, day in _FIXED} if known else set[date]()
        return (
            (not known, f"年份应在 {FIRST_YEAR} 至 {LAST_YEAR} 之间",
             f"the year must be {FIRST_YEAR} to {LAST_YEAR}"),
            (not self.source.strip() or not self.source.isprintable() or len(self.source) > SOURCE_CHARACTERS_MAX,
             "缺少通知文号", "the notice it was taken from is not named"),
            (bool(strangers), "含有其他年份的日期", "it has days of another year"),
            (bool(self.holidays & self.workdays), "同一天既放假又上班", "a day is both a holiday and a workday"),
            (any(day.weekday() < _SATURDAY for day in self.workdays), "调休上班日应为周六或周日",
             "a make-up workday must be a Saturday or Sunday"),
            (not fixed <= self.holidays, "缺少元旦、劳动节或国庆节", "New Year, 1 May or 1 to 3 October are missing"),
            (len(self.holidays) > HOLIDAYS_MAX or len(self.workdays) > MAKE_UP_DAYS_MAX, "日期过多", "too many days"),
        )  # fmt: skip

    @property
    def _december(self) -> tuple[int, int]:
        return (self.year - 1, _DECEMBER)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days are workdays.

    Args:
        entered: arrangements an administrator entered, by year.
    """

    entered: Mapping[int, YearArrangement] = field(default_factory=dict[int, YearArrangement])

    def is_workday(self, day: date) -> bool:
        """Whether public authorities work on a day.

        Raises:
            CalendarYearUnknown: nobody has told the year's arrangement.
        """
        own = self.entered.get(day.year) or _packaged(day.year)
        if own is None:
            raise CalendarYearUnknown(year=day.year)
        # The next year's arrangement, where it is entered, may reach back over New Year.
        known = [one for one in (self.entered.get(day.year + 1), own) if one is not None]
        for arrangement in known:
            if day in arrangement.workdays:
                return True
            if day in arrangement.holidays:
                return False
        return day.weekday() < _SATURDAY

    def knows(self, year: int) -> bool:
        """Whether workdays of the year can be counted."""
        return year in self.entered or _packaged(year) is not None


def day_of(instant: datetime) -> date:
    """The day of an instant in China."""
    return instant.astimezone(SHANGHAI).date()


def end_of(day: date) -> datetime:
    """The first instant after a day in China, in UTC as every instant of the store."""
    return (datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + ONE_DAY).astimezone(UTC)


@cache
def _packaged(year: int) -> YearArrangement | None:
    from chinese_calendar import constants  # 45 ms, which only who counts workdays shall pay

    holidays = frozenset(day for day in constants.holidays if day.year == year)
    if not holidays:
        return None
    workdays = frozenset(day for day in constants.workdays if day.year == year)
    return YearArrangement(year, holidays, workdays, "chinesecalendar")
