"""Quotas: what was had of them today, counted in each process and added up in the store a few times a second.

One table holds the sums of all processes. A process counts in memory what it has not told yet, and what it lets pass
may exceed a quota by no more than the other processes let pass meanwhile. A day is of the hub's clock, Asia/Shanghai.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from datetime import time as time_of_day
from functools import lru_cache
from typing import Final

from psycopg import Connection

from catalog.caller import Caller
from catalog.decision import Decision
from catalog.grant import UNLIMITED, Quota
from hub.release.errors import QuotaUsedUp
from hub.release.quota_store import add_uses

TELL_SECONDS: Final = 0.2
BUSY_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 1.0  # then the store is asked again, though nothing was counted here
SUBJECTS_MAX: Final = 100_000
DAY_SECONDS: Final = 86_400
_SHANGHAI: Final = timezone(timedelta(hours=8))
_LIMITS: Final = ("requests", "rows", "bytes")

Amounts = tuple[int, int, int]  # requests, rows, bytes
_NOTHING: Final[Amounts] = (0, 0, 0)


@dataclass(slots=True)
class _Use:
    told: Amounts = _NOTHING  # of all processes, when last asked
    own: Amounts = _NOTHING  # of this process since then
    told_at: float = float("-inf")  # in ticks
    used_at: float = float("-inf")  # in ticks

    @property
    def total(self) -> Amounts:
        return _sum(self.told, self.own)


class Quotas:
    """Counts. Threads may share it."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._uses: dict[tuple[str, date], _Use] = {}

    def known(self, subject: str, quota: Quota, now: datetime) -> bool:
        """Whether the store was lately asked about this subject, or need not be."""
        if quota == UNLIMITED:
            return True
        use = self._uses.get((subject, _day(now)))
        return use is not None and self._ticks() - use.told_at < FRESH_SECONDS

    def tell(self, conn: Connection, now: datetime, subject: str | None = None) -> None:
        """Add what was counted here to the sums, and take over the sums. A failure loses nothing.

        Args:
            conn: a connection in autocommit.
            now: the moment.
            subject: one that is not known.
        """
        with self._telling:
            day = _day(now)
            with self._lock:
                if len(self._uses) > SUBJECTS_MAX:
                    self._uses = {key: use for key, use in self._uses.items() if use.own != _NOTHING}
                busy = self._ticks() - BUSY_SECONDS  # who uses it hears of what others use, so that nobody must wait
                told = {key: use.own for key, use in self._uses.items() if use.own != _NOTHING or use.used_at > busy}
            if subject is not None:
                told.setdefault((subject, day), _NOTHING)
            asked_at = self._ticks()
            sums = add_uses(conn, [(*key, *amounts) for key, amounts in sorted(told.items())])
            with self._lock:
                for key, sum_ in sums.items():
                    use = self._uses.setdefault(key, _Use())
                    use.told, use.own, use.told_at = sum_, _difference(use.own, told[key]), asked_at
                self._uses = {key: use for key, use in self._uses.items() if key[1] == day or use.own != _NOTHING}

    def take(self, subject: str, quota: Quota, amounts: Amounts, now: datetime) -> Amounts:
        """Count something had, unless the quota does not suffice: what was used, this included. No limit, no count.

        Raises:
            QuotaUsedUp: and nothing was counted.
        """
        if quota == UNLIMITED:
            return _NOTHING
        with self._lock:
            use = self._uses.setdefault((subject, _day(now)), _Use())
            use.used_at = self._ticks()
            total = _sum(use.total, amounts)
            _require_within(quota, total, now)
            use.own = _sum(use.own, amounts)
            return total

    def check(self, subject: str, quota: Quota, amounts: Amounts, now: datetime) -> None:
        """Refuse what ``take`` would refuse, and count nothing."""
        with self._lock:
            use = self._uses.get((subject, _day(now)))
            _require_within(quota, amounts if use is None else _sum(use.total, amounts), now)


def subject_of(caller: Caller, decision: Decision) -> str:
    """Whose quota a decision draws on: the grant's whoever of its holder uses it, the public's together."""
    if decision.grant is not None:
        return f"grant:{decision.grant}"
    return caller.id if caller.identified else "tier:public"


def limits(quota: Quota) -> tuple[int | None, int | None, int | None]:
    """In the order of amounts."""
    return quota.requests, quota.rows, quota.bytes


def seconds_left(now: datetime) -> int:
    """Until the next day of Asia/Shanghai."""
    local = now.astimezone(_SHANGHAI)
    end = datetime.combine(local.date() + timedelta(days=1), time_of_day(), _SHANGHAI)
    return max(1, int((end - local).total_seconds()))


def rate_headers(quota: Quota, used: Amounts, now: datetime) -> list[tuple[str, str]]:
    """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10); none where nothing is limited."""
    if quota == UNLIMITED:
        return []
    named: Sequence[tuple[str, int, int | None]] = list(zip(_LIMITS, used, limits(quota), strict=True))
    limited = [(name, amount, limit) for name, amount, limit in named if limit is not None]
    if not limited:
        return []
    left = seconds_left(now)
    state = ", ".join(f'"{name}";r={max(0, limit - amount)};t={left}' for name, amount, limit in limited)
    return [("ratelimit-policy", _policy(quota)), ("ratelimit", state)]


@lru_cache(1_024)
def _policy(quota: Quota) -> str:
    units = {"bytes": ';qu="content-bytes"'}
    named = zip(_LIMITS, limits(quota), strict=True)
    return ", ".join(
        f'"{name}";q={limit};w={DAY_SECONDS}{units.get(name, "")}' for name, limit in named if limit is not None
    )


def _require_within(quota: Quota, total: Amounts, now: datetime) -> None:
    for name, used, limit in zip(_LIMITS, total, limits(quota), strict=True):
        if limit is not None and used > limit:
            raise QuotaUsedUp(name, limit, seconds_left(now))


def _day(now: datetime) -> date:
    return now.astimezone(_SHANGHAI).date()


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _difference(one: Amounts, other: Amounts) -> Amounts:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]
