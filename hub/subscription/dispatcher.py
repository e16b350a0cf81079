"""The dispatcher: delivers changes to the subscriptions that do not fetch them themselves.

Any number of threads and processes take subscriptions one at a time, each under a lease that is over by itself when
its holder dies. Who subscribes is read anew, what it may have is decided anew, the delivery's number and place are
kept, its leaf is durable, and then it leaves; what was not acknowledged leaves again under the same number. No
transaction is open while a subscriber is waited for, and one that fails is waited for ever longer, then paused: others
never wait for it but for the one thread it holds until its time is over.
"""

import json
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from psycopg import Connection, Error
from psycopg_pool import ConnectionPool, PoolTimeout

from catalog.errors import DatasetUnknown
from catalog.subscription import Subscription, begun, delivered, failed, moved, paused, verified
from catalog.subscription_store import (
    find_subscription,
    holds_lease,
    lease_due,
    release_lease,
    save_subscription,
)
from hub.acts.subscriptions import whose
from hub.errors import LogFull, LogUnavailable, OutcomeUnknown, TopicUnknown
from hub.exchange.log import Log
from hub.identity.errors import NotAuthenticated
from hub.identity.standing_callers import standing_caller
from hub.keys import Signer
from hub.ledger.errors import LedgerError
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from hub.observations import DeliveryFailed, SubscriptionPaused, observe
from hub.release.errors import QuotaUsedUp, ReleaseError, ReleaseRefused
from hub.release.feed import Feed, FeedPage
from hub.subscription.destination import Destination, read_destination
from hub.subscription.errors import PushError, PushFailed
from hub.subscription.pulling import delivery_body
from hub.subscription.push import Pusher
from hub.subscription.signature import signed_headers

CHANGES_MAX: Final = 500  # of one delivery
# What a turn may take beside pushing. A lease that is over too soon costs a delivery that is made twice, no more.
LEASE_SECONDS: Final = 10
CHALLENGE_BYTES: Final = 24
_ACTOR: Final = "hub"

Step = Callable[[Subscription], Subscription]


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Delivers. Threads may share it.

    Args:
        pool: of connections in autocommit.
        feed: of changes.
        pusher: to addresses.
        log: for topics.
        signer: of what is pushed.
        clock: the time.
        failures_max: in a row before a subscription is paused.
        dice: of jitter.
    """

    pool: ConnectionPool
    feed: Feed
    pusher: Pusher
    log: Log
    signer: Signer
    clock: Callable[[], datetime]
    failures_max: int
    dice: random.Random

    def step(self) -> bool:
        """Take the subscription that waits longest and do what it waits for; false where none does."""
        lease, now = uuid4(), self.clock()
        with self.pool.connection() as conn, conn.transaction():
            lasts = timedelta(seconds=2 * self.pusher.seconds_max + LEASE_SECONDS)
            found = lease_due(conn, lease, now, now + lasts)
        if found is None:
            return False
        turn = _Turn(self, found, _Lease(self.pool, found.id, lease, self.clock))
        try:
            turn.challenge() if not found.verified else turn.deliver()
        finally:
            turn.lease.end()
        return True


@dataclass(frozen=True, slots=True)
class _Lease:
    """One subscription that is this thread's for a while."""

    pool: ConnectionPool
    subscription: str
    lease: object
    clock: Callable[[], datetime]

    def keep(self, step: Step, leaf: Leaf | None = None) -> Subscription | None:
        """Take a step from where it stands now, whoever else moved it; None where it is not this thread's any more."""
        with self.pool.connection() as conn, conn.transaction():
            if not holds_lease(conn, self.subscription, self.lease):  # pyright: ignore[reportArgumentType] - a UUID
                return None
            found = find_subscription(conn, self.subscription, locked=True)
            if found is None or found.state == "ended":
                return None
            changed = step(found)
            save_subscription(conn, changed)
            if leaf is not None:
                append(conn, leaf, self.clock())
            return changed

    def end(self) -> None:
        with self.pool.connection() as conn:
            release_lease(conn, self.subscription, self.lease)  # pyright: ignore[reportArgumentType] - a UUID


@dataclass(frozen=True, slots=True)
class _Turn:
    """One subscription's turn."""

    hub: Dispatcher
    subscription: Subscription
    lease: _Lease

    # Verification ----------------------------------------------------------------------------------------------------

    def challenge(self) -> None:
        """Ask the address whether it wants this; only who can answer with the text can be pushed to."""
        text, id_ = secrets.token_urlsafe(CHALLENGE_BYTES), self.subscription.id
        body = json.dumps({"subscription": id_, "challenge": text}, separators=(",", ":")).encode()
        try:
            answer = self._push(self.subscription.delivery(0), body, going=self._unended)
            if not _answers(answer, text):
                raise PushFailed("challenge")
        except PushError as problem:
            self._failed(problem)
            return
        self.lease.keep(lambda found: verified(found, self.hub.clock()))

    # Delivery --------------------------------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Decide, read, record, send."""
        now = self.hub.clock()
        try:
            with self.hub.pool.connection() as conn:
                page = self._page(conn, now)
        except (NotAuthenticated, DatasetUnknown, ReleaseRefused) as refusal:
            self._denied(refusal)
            return
        except QuotaUsedUp as spent:
            self._spent(spent, now)
            return
        except (ReleaseError, LedgerError) as problem:
            self._failed(problem)
            return
        if not page.changes and not self.subscription.pending:
            self.lease.keep(lambda found: moved(found, page.after, page.settled, now))
            return
        begun_ = self.lease.keep(lambda found: begun(found, page.after, len(page.changes)))
        if begun_ is None or begun_.state != "active":
            return
        self._send(begun_, page)

    def _page(self, conn: Connection, now: datetime) -> FeedPage:
        of = self.subscription
        reader = whose(of.id, of, standing_caller(conn, of.subscriber, now))
        return self.hub.feed.page(conn, reader, of.after, CHANGES_MAX, now, through=of.pending_after)

    def _send(self, begun_: Subscription, page: FeedPage) -> None:
        delivery = begun_.delivery(begun_.pending)
        body, now = delivery_body(begun_, delivery, page), self.hub.clock()
        opener = self.hub.feed.opener
        try:
            opener.take(page.opened, (1, len(page.changes), len(body)), now)
            leaf = replace(page.leaf("release.delivery", body), on_behalf_of="", trace=delivery)
            opener.record(leaf, page.trail(now))
            if begun_.kind == "topic":
                self._append(begun_, delivery, body)
            else:
                self._push(delivery, body, going=lambda: self._still(page))
        except QuotaUsedUp as spent:
            self._spent(spent, now)
        except (PushError, LedgerError, LogFull, LogUnavailable, OutcomeUnknown) as problem:
            self._failed(problem)
        else:
            self.lease.keep(lambda found: delivered(found, page.settled, self.hub.clock()))

    def _push(self, delivery: str, body: bytes, going: Callable[[], bool]) -> bytes:
        address = self.subscription.address or ""
        destination: Destination = read_destination(address, self.hub.pusher.allowed)
        headers: Mapping[str, str] = {
            "Content-Type": "application/json",
            **signed_headers(self.hub.signer, delivery, self.hub.clock(), address, body),
        }
        answer = self.hub.pusher.post(destination, headers, body, going)
        if not answer.acknowledges:
            raise PushFailed(f"status {answer.status}")
        return answer.body

    def _append(self, subscription: Subscription, delivery: str, body: bytes) -> None:
        now = self.hub.clock()
        headers = signed_headers(self.hub.signer, delivery, now, subscription.topic, body)
        encoded = {name.lower(): value.encode() for name, value in headers.items()}
        try:
            self.hub.log.append(subscription.topic, delivery, encoded, body)
        except TopicUnknown:
            self.hub.log.ensure_topic(subscription.topic, 1)  # one partition: changes stay in order
            self.hub.log.append(subscription.topic, delivery, encoded, body)

    # While it leaves -------------------------------------------------------------------------------------------------

    def _unended(self) -> bool:
        with self.hub.pool.connection() as conn:
            found = find_subscription(conn, self.subscription.id)
        return found is not None and found.state != "ended"

    def _still(self, page: FeedPage) -> bool:
        """Whether what is leaving may still leave: the same terms for the same subscriber, and nobody paused it."""
        now = self.hub.clock()
        try:
            with self.hub.pool.connection() as conn:
                found = find_subscription(conn, self.subscription.id)
                caller = standing_caller(conn, self.subscription.subscriber, now)
                opened = self.hub.feed.opener.look_again(conn, page.opened, caller, now)
        except (NotAuthenticated, DatasetUnknown, ReleaseError, LedgerError, Error, PoolTimeout):
            return False
        return found is not None and found.state == "active" and opened.terms == page.opened.terms

    # Not delivered ---------------------------------------------------------------------------------------------------

    def _failed(
        self, problem: PushError | ReleaseError | LedgerError | LogFull | LogUnavailable | OutcomeUnknown
    ) -> None:
        code = f"{problem.code}:{problem.problem}" if isinstance(problem, PushFailed) else problem.code
        now = self.hub.clock()
        kept = self.lease.keep(lambda found: failed(found, code, now, self.hub.failures_max, self.hub.dice))
        observe(DeliveryFailed(self.subscription.id, code))
        if kept is not None and kept.why == "failing":
            self._leave(kept, "failing", code)

    def _spent(self, spent: QuotaUsedUp, now: datetime) -> None:
        """Nothing failed: it goes on when the quota's day is over."""
        later = now + timedelta(seconds=spent.retry_after_seconds)
        self.lease.keep(lambda found: replace(found, failure=spent.code, next_at=later))

    def _denied(self, refusal: NotAuthenticated | DatasetUnknown | ReleaseRefused) -> None:
        rule = refusal.rule if isinstance(refusal, ReleaseRefused) else refusal.code
        kept = self.lease.keep(lambda found: replace(paused(found, "denied"), failure=rule))
        if kept is not None and kept.why == "denied":
            self._leave(kept, "denied", rule)

    def _leave(self, subscription: Subscription, why: str, rule: str) -> None:
        leaf = Leaf(
            action="subscription.paused",
            actor=_ACTOR,
            on_behalf_of=subscription.subscriber,
            object=f"subscription:{subscription.id}",
            object_version=subscription.state,
            decision="denied" if why == "denied" else "",
            rules=(why, rule),
        )
        with self.hub.pool.connection() as conn, conn.transaction():
            append(conn, leaf, self.hub.clock())
        observe(SubscriptionPaused(subscription.id, why))


def _answers(body: bytes, text: str) -> bool:
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and secrets.compare_digest(str(answer.get("challenge", "")).encode(), text.encode())
