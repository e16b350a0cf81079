"""The course of a grant: given, suspended, rectified, active again or ended (articles 25 and 27). Pure.

::

    active ─ suspended ─► suspended ─ rectified (by the holder) ─► suspended ─ resumed ─► active
      └────────────────────┴─ ended, or lapsed by itself ─► ended, for good

An emergency grant is active from the approval of one person on, and ends by itself where a second has not reviewed it
by its date: the date stands in the grant, so no job has to run for it to end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from catalog.clock import Clock
from catalog.grant import Grant, GrantState
from catalog.grant_errors import DeadlineWrong, GrantStepNotNow

GrantStep = Literal["given", "suspended", "rectified", "resumed", "reviewed", "ended", "lapsed"]

RECTIFY_DAYS_MAX = 90

GRANT_ARTICLES: Final[Mapping[GrantStep, int | None]] = {
    "given": 21,
    "suspended": 27,
    "rectified": 27,
    "resumed": 27,
    "reviewed": None,  # a rule of the hub's own
    "ended": 27,
    "lapsed": 25,
}


@dataclass(frozen=True, slots=True)
class GivenGrant:
    """A grant in effect or past, with who gave it and its dates.

    Args:
        grant: what was allowed; ``valid_until`` as it was given.
        digest: SM3 of exactly what was approved.
        given_by: the approver's account.
        given_person: the person behind it.
        given_at: when.
        review_by: an emergency grant's date of after-review.
        reviewed_at: when it was reviewed.
        rectify_by: deadline of 限期整改 while suspended.
        rectified_at: when the holder said it was done.
        ended_at: when it ended.
    """

    grant: Grant
    digest: str
    given_by: str
    given_person: str | None
    given_at: datetime
    review_by: datetime | None = None
    reviewed_at: datetime | None = None
    rectify_by: datetime | None = None
    rectified_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def holds_until(self) -> datetime:
        """The first instant at which it holds no more: an emergency grant's review date, while nobody has reviewed."""
        if self.review_by is not None and self.reviewed_at is None:
            return min(self.grant.valid_until, self.review_by)
        return self.grant.valid_until

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The after-review's clock, of an emergency grant."""
        if self.review_by is None:
            return ()
        return (Clock("emergency_review", self.given_at, met_at=self.reviewed_at),)

    def lapsed(self, now: datetime) -> bool:
        """Whether it is over although nobody ended it: past its term, unreviewed, or not rectified in time."""
        overdue = self.rectify_by is not None and self.rectified_at is None and now >= self.rectify_by
        return self.grant.state != "ended" and (now >= self.holds_until or overdue)


def suspend(given: GivenGrant, rectify_by: datetime, now: datetime) -> GivenGrant:
    """Suspend until it is rectified, by a deadline (暂停、限期整改).

    Raises:
        GrantStepNotNow: it is not active.
        DeadlineWrong: the deadline has passed or lies too far ahead.
    """
    _require(given, "suspended", "active", now)
    days = (rectify_by - now).total_seconds() / 86_400
    if not 0 < days <= RECTIFY_DAYS_MAX:
        raise DeadlineWrong(
            rule_zh=f"整改期限须在今后 {RECTIFY_DAYS_MAX} 天内", rule_en=f"it must lie within {RECTIFY_DAYS_MAX} days"
        )
    return replace(given, grant=_in_state(given, "suspended"), rectify_by=rectify_by, rectified_at=None)


def rectify(given: GivenGrant, now: datetime) -> GivenGrant:
    """The holder says that it is rectified; whether it is so is another's to say."""
    _require(given, "rectified", "suspended", now)
    if given.rectified_at is not None:
        raise GrantStepNotNow(step="rectified", state="rectified")
    return replace(given, rectified_at=now)


def resume(given: GivenGrant, now: datetime) -> GivenGrant:
    """Active again, once rectified."""
    _require(given, "resumed", "suspended", now)
    if given.rectified_at is None:
        raise GrantStepNotNow(step="resumed", state="suspended, not rectified")
    return replace(given, grant=_in_state(given, "active"), rectify_by=None, rectified_at=None)


def review(given: GivenGrant, now: datetime) -> GivenGrant:
    """An emergency grant was right: it holds for its whole term."""
    if given.review_by is None or given.reviewed_at is not None:
        raise GrantStepNotNow(step="reviewed", state="ordinary" if given.review_by is None else "reviewed")
    if given.grant.state == "ended" or given.lapsed(now):
        raise GrantStepNotNow(step="reviewed", state="ended")
    return replace(given, reviewed_at=now)


def end(given: GivenGrant, now: datetime) -> GivenGrant:
    """Ended for good (终止)."""
    if given.grant.state == "ended":
        raise GrantStepNotNow(step="ended", state="ended")
    return replace(given, grant=_in_state(given, "ended"), rectify_by=None, rectified_at=None, ended_at=now)


def _require(given: GivenGrant, step: GrantStep, state: GrantState, now: datetime) -> None:
    if given.grant.state != state or given.lapsed(now):
        raise GrantStepNotNow(step=step, state="ended" if given.lapsed(now) else given.grant.state)


def _in_state(given: GivenGrant, state: GrantState) -> Grant:
    return replace(given.grant, state=state)
