"""Freshness: whether a dataset keeps to the update cycle its entry promises. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from catalog.entry import UpdateCycle

Freshness = Literal["empty", "fresh", "late", "stale"]

# The longest a cycle lasts: a month may have 31 days, a quarter 92. In real time is held to an hour.
CYCLE_LASTS: Final[Mapping[UpdateCycle, timedelta]] = {
    "realtime": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "ten_days": timedelta(days=11),
    "monthly": timedelta(days=31),
    "quarterly": timedelta(days=92),
    "half_yearly": timedelta(days=184),
    "yearly": timedelta(days=366),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a dataset stands against its cycle.

    Args:
        freshness: empty before the first batch; fresh within the cycle; late in the next one; stale beyond.
        due_at: by when the next batch is due; None before the first.
    """

    freshness: Freshness
    due_at: datetime | None


def standing_of(cycle: UpdateCycle, last_taken_at: datetime | None, now: datetime) -> Standing:
    """Where a dataset stands now; ``last_taken_at`` is when the hub last took a batch of it."""
    if last_taken_at is None:
        return Standing("empty", None)
    lasts = CYCLE_LASTS[cycle]
    due_at = last_taken_at + lasts
    if now <= due_at:
        return Standing("fresh", due_at)
    return Standing("late" if now <= due_at + lasts else "stale", due_at)
