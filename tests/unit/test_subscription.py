"""What becomes of a subscription."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.subscription import (
    PAUSE_SECONDS_MAX,
    Subscription,
    begun,
    delivered,
    ended,
    failed,
    moved,
    pause_seconds,
    paused,
    resumed,
    verified,
)
from catalog.subscription_errors import SubscriptionStepNotNow

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def subscription(kind: str = "pull") -> Subscription:
    push = kind == "push"
    return Subscription(
        *("01900000-0000-7000-8000-000000000001", "organization:min-zheng", "min-zheng", "420000.resident", kind),  # pyright: ignore[reportArgumentType] - as the case needs it
        *("https://a.example/" if push else None, None, None, "paused" if push else "active"),
        *("verification" if push else "", not push, "c0", NOW, 0, None, 0, 0, 0, 0, "", NOW, None, NOW, None),
    )


def test_a_delivery_keeps_its_number_and_never_grows_until_it_is_acknowledged():
    one = begun(subscription(), "c1", 3)
    assert one.delivery(one.pending) == f"{one.id}:1"
    again = begun(one, "c1", 2)
    assert (again.pending, again.pending_after, again.pending_changes) == (1, "c1", 2)
    done = delivered(again, LATER, LATER)
    assert (done.deliveries, done.changes, done.after, done.settled, done.pending) == (1, 2, "c1", LATER, 0)
    assert begun(done, "c2", 1).pending == 2


def test_nothing_to_tell_moves_the_place_without_a_delivery():
    one = moved(subscription(), "c1", LATER, LATER)
    assert (one.after, one.settled, one.deliveries) == ("c1", LATER, 0)


def test_a_push_begins_when_its_address_answered():
    one = subscription("push")
    assert (one.state, one.why) == ("paused", "verification")
    assert (verified(one, NOW).state, verified(one, NOW).verified) == ("active", True)


def test_who_asked_for_a_pause_is_not_overruled_by_an_answer_or_a_failure():
    one = paused(subscription("push"), "requested")
    assert verified(one, NOW).why == "requested"
    assert paused(one, "denied").why == "requested"
    assert resumed(one, NOW).why == "verification"  # never answered: asked again
    assert resumed(verified(one, NOW), NOW).state == "active"


def test_it_fails_ever_more_slowly_and_then_pauses():
    one, dice = subscription(), random.Random(1)
    for number in range(1, 5):
        one = failed(one, "push_failed", NOW, 5, dice)
        assert (one.state, one.failures) == ("active", number)
    one = failed(one, "push_failed", NOW, 5, dice)
    assert (one.state, one.why, one.failure) == ("paused", "failing", "push_failed")
    assert resumed(one, LATER).failures == 0


@given(st.integers(1, 10_000), st.floats(0.5, 1.5))
def test_pauses_grow_and_are_bounded(failures: int, jitter: float):
    assert 0 < pause_seconds(failures, jitter) <= 1.5 * PAUSE_SECONDS_MAX
    assert pause_seconds(failures + 1, jitter) >= pause_seconds(failures, jitter)


def test_what_has_ended_stays_so():
    one = ended(begun(subscription(), "c1", 1), NOW)
    assert (one.state, one.pending, one.ended_at) == ("ended", 0, NOW)
    for step in (lambda: ended(one, NOW), lambda: paused(one, "requested"), lambda: resumed(one, NOW)):
        with pytest.raises(SubscriptionStepNotNow):
            step()
    with pytest.raises(SubscriptionStepNotNow):
        resumed(replace(one, state="active", ended_at=None), NOW)
