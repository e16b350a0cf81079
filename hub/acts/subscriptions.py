"""Acts on subscriptions: made by who reads, paused, resumed and ended by its subscriber or an administrator."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog.caller import Caller, Role
from catalog.decision import Asked
from catalog.subscription import Kind, Subscription, ended, paused, resumed
from catalog.subscription_errors import SubscriptionsTooMany, SubscriptionUnknown, SubscriptionWrong
from catalog.subscription_store import (
    add_subscription,
    count_live,
    find_subscription,
    list_subscriptions,
    save_subscription,
)
from hub.identity.standing_callers import standing_caller
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from hub.release.feed import Feed, Whose
from hub.subscription.destination import Allowed, read_destination
from schemas.batch import uuid7

SEE_ALL: Final = frozenset[Role]({"administrator", "auditor", "operator"})
ACT_ON_ALL: Final = frozenset[Role]({"administrator", "operator"})
PURPOSE_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class WantedSubscription:
    """What shall be subscribed to, and how it shall be delivered.

    Args:
        dataset: id.
        kind: fetched by the subscriber, pushed to an address, or appended to a topic.
        address: of a push.
        purpose: as stated.
        grant: the grant named.
    """

    dataset: str
    kind: Kind
    address: str | None = None
    purpose: str | None = None
    grant: str | None = None


def create(
    conn: Connection,
    actor: Caller,
    wanted: WantedSubscription,
    feed: Feed,
    allowed: Allowed,
    most: int,
    now: datetime,
) -> Subscription:
    """Subscribe to what changes from now on. What it opens is decided now, and again at each delivery.

    An address that is pushed to must first answer a challenge, so that nobody has the hub push to somebody else.

    Raises:
        SubscriptionWrong, SubscriptionsTooMany, AddressRefused: it cannot be made so.
        DatasetUnknown, ReleaseRefused, LedgerStale, QuotaUsedUp: nothing would be delivered now.
    """
    if (wanted.kind == "push") != (wanted.address is not None):
        raise SubscriptionWrong(
            "address", "推送订阅须给出地址,其他订阅不得给出", "a push has one, and nothing else has"
        )
    if wanted.address is not None:
        read_destination(wanted.address, allowed)
    if count_live(conn, [actor.id]) >= most:
        raise SubscriptionsTooMany(most=most)
    id_ = uuid7(now)
    subscriber = standing_caller(conn, actor.id, now)
    page = feed.page(conn, whose(id_, wanted, subscriber), None, 1, now)
    verified = wanted.kind != "push"
    subscription = Subscription(
        *(id_, actor.id, actor.organization, wanted.dataset, wanted.kind, wanted.address, wanted.purpose, wanted.grant),
        *("active" if verified else "paused", "" if verified else "verification", verified, page.after, page.settled),
        *(0, None, 0, 0, 0, 0, "", now, None, now, None),
    )
    add_subscription(conn, subscription)
    _leave(conn, actor, subscription, "subscription.created", now)
    return subscription


def whose(id_: str, of: WantedSubscription | Subscription, subscriber: Caller) -> Whose:
    """Who reads the feed of a subscription."""
    return Whose(subscriber, of.dataset, Asked("subscription", of.purpose, of.grant), id_)


def show(conn: Connection, actor: Caller, subscription: str) -> Subscription:
    """One of one's own, or any to those who see all.

    Raises:
        SubscriptionUnknown: there is none, or none the caller may know of.
    """
    return _known(actor, find_subscription(conn, subscription), SEE_ALL)


def list_known(conn: Connection, actor: Caller, *, after: str | None = None, limit: int = 100) -> list[Subscription]:
    """One's own, or all to those who see all, by id."""
    holders = None if actor.roles & SEE_ALL else [actor.id]
    return list_subscriptions(conn, holders, after=after, limit=limit)


def pause(conn: Connection, actor: Caller, subscription: str, now: datetime) -> Subscription:
    """Stop delivering until it is resumed."""
    return _step(conn, actor, subscription, lambda found: paused(found, "requested"), "subscription.paused", now)


def resume(conn: Connection, actor: Caller, subscription: str, now: datetime) -> Subscription:
    """Deliver again, from where it stopped."""
    return _step(conn, actor, subscription, lambda found: resumed(found, now), "subscription.resumed", now)


def end(conn: Connection, actor: Caller, subscription: str, now: datetime) -> Subscription:
    """End it for good."""
    return _step(conn, actor, subscription, lambda found: ended(found, now), "subscription.ended", now)


def _step(
    conn: Connection,
    actor: Caller,
    subscription: str,
    step: Callable[[Subscription], Subscription],
    action: str,
    now: datetime,
) -> Subscription:
    found = _known(actor, find_subscription(conn, subscription, locked=True), ACT_ON_ALL)
    changed = step(found)
    save_subscription(conn, changed)
    _leave(conn, actor, changed, action, now)
    return changed


def _known(actor: Caller, found: Subscription | None, roles: frozenset[Role]) -> Subscription:
    if found is None or not (found.subscriber == actor.id or actor.roles & roles):
        raise SubscriptionUnknown
    return found


def _leave(conn: Connection, actor: Caller, subscription: Subscription, action: str, now: datetime) -> None:
    leaf = Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of="" if actor.id == subscription.subscriber else subscription.subscriber,
        object=f"subscription:{subscription.id}",
        object_version=subscription.state,
        grant=subscription.grant or "",
        confidential={"reason": subscription.purpose} if subscription.purpose else {},
    )
    append(conn, leaf, now)
