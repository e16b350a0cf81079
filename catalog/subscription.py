"""A subscription (订阅): a standing release of a dataset's changes, and what becomes of it. Pure.

========= ==================================================================================================
state     meaning
========= ==================================================================================================
active    changes are delivered, each delivery decided anew
paused    nothing is delivered; the place reached is kept, and ``why`` says what it waits for
ended     for good
========= ==================================================================================================

=============== ============================================================================================
why             paused because
=============== ============================================================================================
verification    the address has not yet answered the challenge; the hub goes on asking
requested       its subscriber or an administrator asked for it
failing         deliveries failed too often in a row
denied          the decision was no: the grant ended, a level rose, the subscriber is suspended …
=============== ============================================================================================
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from catalog.subscription_errors import SubscriptionStepNotNow

Kind = Literal["pull", "push", "topic"]
State = Literal["active", "paused", "ended"]
Why = Literal["", "verification", "requested", "failing", "denied"]

TOPIC_PREFIX: Final = "subscription."
PAUSE_SECONDS: Final = 1.0  # after the first failure; doubled with each further one
PAUSE_SECONDS_MAX: Final = 3600.0
JITTER: Final = 0.5  # of a pause, either way


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription.

    Args:
        id: UUID version 7 in text.
        subscriber: the caller's id; who that is, is read anew at each delivery.
        organization: the subscriber's when it was made.
        dataset: id.
        kind: fetched by the subscriber, pushed to an address, or appended to a topic of the log.
        address: of a push; None otherwise.
        purpose: as stated; every delivery is decided for it.
        grant: the grant named; None leaves the choice to the hub.
        state: as above.
        why: of a pause; empty otherwise.
        verified: whether the address answered the challenge; true where there is none.
        after: sealed cursor up to which everything was delivered; None for the beginning.
        settled: the instant that cursor reaches.
        pending: number of the delivery under way or to be repeated; 0 where there is none.
        pending_after: sealed cursor at its end: a repetition covers the same changes.
        pending_changes: how many it holds.
        deliveries: how many were acknowledged.
        changes: how many changes those held.
        failures: deliveries that failed since the last that did not.
        failure: what the last failure was; a code, never what the address answered.
        created_at: when.
        delivered_at: when the last delivery was acknowledged.
        next_at: before this nothing is tried.
        ended_at: when it ended.
    """

    id: str
    subscriber: str
    organization: str | None
    dataset: str
    kind: Kind
    address: str | None
    purpose: str | None
    grant: str | None
    state: State
    why: Why
    verified: bool
    after: str | None
    settled: datetime
    pending: int
    pending_after: str | None
    pending_changes: int
    deliveries: int
    changes: int
    failures: int
    failure: str
    created_at: datetime
    delivered_at: datetime | None
    next_at: datetime
    ended_at: datetime | None

    @property
    def topic(self) -> str:
        """The topic of the log its changes go to."""
        return topic_of(self.id)

    def delivery(self, number: int) -> str:
        """The id of a delivery: a repetition has the same, so that a receiver knows it."""
        return f"{self.id}:{number}"


def topic_of(subscription: str) -> str:
    """``subscription.<id>``."""
    return TOPIC_PREFIX + subscription


# Steps ---------------------------------------------------------------------------------------------------------------


def paused(subscription: Subscription, why: Why) -> Subscription:
    """Stop delivering for now. A pause that was asked for outlasts every other reason.

    Raises:
        SubscriptionStepNotNow: it has ended.
    """
    _refuse_ended(subscription, "pause")
    if subscription.why == "requested":
        return subscription
    return replace(subscription, state="paused", why=why)


def resumed(subscription: Subscription, now: datetime) -> Subscription:
    """Deliver again, from where it stopped, at once; an address that never answered the challenge is asked again.

    Raises:
        SubscriptionStepNotNow: it is not paused.
    """
    if subscription.state != "paused":
        raise SubscriptionStepNotNow(step="resume", state=subscription.state)
    if not subscription.verified:
        return replace(subscription, state="paused", why="verification", failures=0, failure="", next_at=now)
    return replace(subscription, state="active", why="", failures=0, failure="", next_at=now)


def ended(subscription: Subscription, now: datetime) -> Subscription:
    """End it for good.

    Raises:
        SubscriptionStepNotNow: it has ended already.
    """
    _refuse_ended(subscription, "end")
    return replace(subscription, state="ended", why="", pending=0, pending_after=None, pending_changes=0, ended_at=now)


def verified(subscription: Subscription, now: datetime) -> Subscription:
    """The address answered the challenge."""
    active = subscription.why == "verification"
    return replace(
        subscription,
        verified=True,
        state="active" if active else subscription.state,
        why="" if active else subscription.why,
        failures=0,
        failure="",
        next_at=now,
    )


def begun(subscription: Subscription, through: str, changes: int) -> Subscription:
    """A delivery of the changes up to a cursor is about to leave, or to be repeated.

    A repetition never reaches further than the first time, or a receiver that knows it already would miss the rest.
    What it holds may differ: it is decided anew.
    """
    number = subscription.pending or subscription.deliveries + 1
    return replace(subscription, pending=number, pending_after=through, pending_changes=changes)


def delivered(subscription: Subscription, settled: datetime, now: datetime) -> Subscription:
    """The delivery under way was acknowledged."""
    return replace(
        subscription,
        after=subscription.pending_after,
        settled=settled,
        pending=0,
        pending_after=None,
        pending_changes=0,
        deliveries=subscription.pending,
        changes=subscription.changes + subscription.pending_changes,
        failures=0,
        failure="",
        delivered_at=now,
        next_at=now,
    )


def moved(subscription: Subscription, after: str, settled: datetime, next_at: datetime) -> Subscription:
    """There was nothing to tell up to a cursor: it goes on from there without a delivery."""
    return replace(
        subscription,
        after=after,
        settled=settled,
        pending=0,
        pending_after=None,
        pending_changes=0,
        failures=0,
        failure="",
        next_at=next_at,
    )


def failed(
    subscription: Subscription, failure: str, now: datetime, failures_max: int, dice: random.Random
) -> Subscription:
    """A delivery or the challenge failed: tried again after a pause that grows, until it failed too often in a row."""
    failures = subscription.failures + 1
    seconds = pause_seconds(failures, dice.uniform(1 - JITTER, 1 + JITTER))
    counted = replace(subscription, failures=failures, failure=failure, next_at=now + timedelta(seconds=seconds))
    return paused(counted, "failing") if failures >= failures_max else counted


def pause_seconds(failures: int, jitter: float) -> float:
    """How long to wait after so many failures in a row."""
    return min(PAUSE_SECONDS * 2.0 ** min(failures - 1, 30), PAUSE_SECONDS_MAX) * jitter


def _refuse_ended(subscription: Subscription, step: str) -> None:
    if subscription.state == "ended":
        raise SubscriptionStepNotNow(step=step, state=subscription.state)
