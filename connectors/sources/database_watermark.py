"""How far a run reads, and where the next one begins: no row is missed, however late it was committed.

A row's watermark is set when its transaction writes it, and the row is seen when the transaction commits. So after a
run has read up to ``top``, rows below ``top`` may still appear, but only such as were written less than the **lag**
before: the longest a transaction at the source stays open, with what its clocks differ.

- A run asks for the highest watermark first and reads no further (``top``): it ends, however fast the table grows, and
  can be resumed days later without skipping what was committed meanwhile.
- The next run begins at ``top`` minus the lag, and so reads some rows again; the hub folds what it has.
- When ``top`` is still the highest once the lag has passed, that run's reading was the last one needed: the position is
  **settled**, and the next run begins behind ``top``. A table at rest costs one question a run and sends nothing.

Watermarks are times, text that holds times in one form, or whole numbers (sequences are handed out before commit too);
the lag of times is in seconds, that of numbers in numbers. Only time that has passed at the connector is measured,
never the source's clock, with one exception: times more than a day ahead of China's clock are refused, as one record of
the year 2099 would make all that follow look old.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from connectors.sources.database_position import Position, Value

CHINA = timezone(timedelta(hours=8))
_DAY = timedelta(days=1)
_DAY_SECONDS = 86_400.0
# Forms in which text sorts as time does. A fraction of a second or an offset behind them is left alone.
_TEXT_FORMS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S"),
    *("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"),
)
_WITH_TAIL = re.compile(r"(.*?\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?(?:Z|[+-]\d{2}(?::?\d{2})?)?")
_DAYS_ONLY = {"%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"}


@dataclass(frozen=True, slots=True)
class Lag:
    """How late a row may become visible.

    Args:
        seconds: for watermarks that are times.
        numbers: for watermarks that are whole numbers.
    """

    seconds: float
    numbers: int


@dataclass(frozen=True, slots=True)
class Floor:
    """Where a run begins: at ``value``, or behind it."""

    value: Value
    inclusive: bool


def floor_after(last: Position, lag: Lag) -> Floor | None:
    """Where the run after a finished one begins; None: at the beginning."""
    if last.top is None:
        return None
    if last.settled:
        return Floor(last.top, inclusive=False)
    return Floor(lowered(last.top, lag), inclusive=True)


def begin(top: Value, last: Position | None, lag: Lag, now: float) -> Position:
    """The run that reads up to ``top``, as its end will be.

    Args:
        top: the highest watermark now.
        last: the end of the run before.
        lag: of the table.
        now: seconds since 1970.
    """
    if last is None or last.top != top:
        return Position(0, None, top, now)
    passed = now - last.seen_at >= settling_seconds(top, lag)
    return Position(0, None, top, last.seen_at, last.settled or passed)


def usable(value: object) -> bool:
    """Whether a watermark is of a kind that something can be taken from."""
    if isinstance(value, str):
        return _text_form(value) is not None
    return type(value) in {int, Decimal, datetime, date}


def lowered(value: Value, lag: Lag) -> Value:
    """A watermark minus the lag, of its own kind. A date is lowered by whole days, one more than the lag needs."""
    if isinstance(value, datetime):
        return value - timedelta(seconds=lag.seconds)
    if isinstance(value, date):
        return value - timedelta(days=int(lag.seconds // _DAY_SECONDS) + 1)
    if isinstance(value, str):
        form = _text_form(value) or ""
        days = 1 if form in _DAYS_ONLY else 0
        return (_parsed(value, form) - timedelta(seconds=lag.seconds, days=days)).strftime(form)
    assert isinstance(value, int | Decimal)  # noqa: S101 - other kinds are refused before
    return value - lag.numbers


def settling_seconds(value: Value, lag: Lag) -> float:
    """How long rows up to this watermark may still come: the lag, and as long as the same value is given."""
    days_only = isinstance(value, str) and _text_form(value) in _DAYS_ONLY
    if days_only or (isinstance(value, date) and not isinstance(value, datetime)):
        return lag.seconds + _DAY_SECONDS
    minutes_only = isinstance(value, str) and (_text_form(value) or "").endswith("%H:%M")
    return lag.seconds + (60.0 if minutes_only else 1.0)


def ceiling(value: Value, now: float, *, tomorrow: bool = False) -> Value | None:
    """Now, or the same time tomorrow, as a watermark of the value's kind; None for numbers, which know no now."""
    moment = datetime.fromtimestamp(now, CHINA) + (_DAY if tomorrow else timedelta())
    if isinstance(value, datetime):
        return moment if value.tzinfo is not None else moment.replace(tzinfo=None)
    if isinstance(value, date):
        return moment.date()
    if isinstance(value, str):
        # The sign sorts after the fraction of a second or the offset that may follow: all of this second is "now".
        return moment.strftime(_text_form(value) or "") + "~"
    return None


def _text_form(text: str) -> str | None:
    for form in _TEXT_FORMS:
        try:
            moment = _parsed(text, form)
        except ValueError:
            continue
        # strptime takes "2024-5-1" too, which does not sort.
        if text.startswith(moment.strftime(form)):
            return form
    return None


def _parsed(text: str, form: str) -> datetime:
    timed = _WITH_TAIL.fullmatch(text)
    return datetime.strptime(text if timed is None else timed[1], form).replace(tzinfo=UTC)
