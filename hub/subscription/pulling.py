"""A subscription its subscriber fetches: the hub keeps the place, and tells a page again until it is acknowledged."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from catalog.caller import Caller
from catalog.subscription import Subscription, begun, delivered, moved
from catalog.subscription_errors import DeliveryUnknown, SubscriptionStepNotNow, SubscriptionUnknown, SubscriptionWrong
from catalog.subscription_store import find_subscription, save_subscription
from hub.acts.subscriptions import whose
from hub.identity.standing_callers import standing_caller
from hub.release.changes import LIMIT_MAX
from hub.release.feed import Feed, FeedPage, Whose


@dataclass(frozen=True, slots=True)
class Pulled:
    """A page, and the delivery it is; empty where there is nothing to acknowledge."""

    page: FeedPage
    delivery: str
    subscription: Subscription

    def body(self) -> bytes:
        """As JSON: ids need no escaping."""
        return delivery_body(self.subscription, self.delivery, self.page)


def delivery_body(subscription: Subscription, delivery: str, page: FeedPage) -> bytes:
    """A delivery as it leaves, by whatever way."""
    head = f'{{"subscription":"{subscription.id}","delivery":"{delivery}","dataset":"{subscription.dataset}",'
    return head.encode() + page.body()[1:]


def pull(
    conn: Connection, feed: Feed, actor: Caller, subscription: str, acknowledged: str | None, limit: int, now: datetime
) -> Pulled:
    """The next page, in a transaction of the caller's that is committed before anything is told.

    Args:
        conn: in a transaction, read committed.
        feed: of changes.
        actor: the subscriber.
        subscription: id.
        acknowledged: the delivery that was told last, once it is safe at the subscriber's.
        limit: most changes.
        now: the moment.

    Raises:
        SubscriptionUnknown, SubscriptionStepNotNow, SubscriptionWrong, DeliveryUnknown: as they say.
        DatasetUnknown, ReleaseRefused, LedgerStale, QuotaUsedUp, CursorWrong: nothing is told.
    """
    found = find_subscription(conn, subscription, locked=True)
    if found is None or found.subscriber != actor.id:
        raise SubscriptionUnknown
    if found.kind != "pull":
        raise SubscriptionWrong("kind", "不是拉取订阅", "it is not fetched but delivered")
    if found.state != "active":
        raise SubscriptionStepNotNow(step="pull", state=found.state)
    reader = whose(found.id, found, standing_caller(conn, found.subscriber, now))
    if acknowledged is not None:
        found = _acknowledged(feed, found, acknowledged, reader, now)
    through = found.pending_after
    page = feed.page(conn, reader, found.after, LIMIT_MAX if through else limit, now, through=through)
    if page.changes or found.pending:
        found = begun(found, page.after, len(page.changes))
    else:
        found = moved(found, page.after, page.settled, now)
    save_subscription(conn, found)
    return Pulled(page, found.delivery(found.pending) if found.pending else "", found)


def _acknowledged(feed: Feed, found: Subscription, acknowledged: str, reader: Whose, now: datetime) -> Subscription:
    if found.pending and found.pending_after is not None and acknowledged == found.delivery(found.pending):
        return delivered(found, feed.reached(reader, found.pending_after, now), now)
    if acknowledged == found.delivery(found.deliveries):  # acknowledged before: the answer to that was lost
        return found
    raise DeliveryUnknown(delivery=acknowledged[:60])
