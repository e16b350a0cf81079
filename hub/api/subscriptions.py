"""Subscriptions: standing releases of changes, made, looked at, paused and ended; and fetched where they are pulled."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from catalog.caller import Caller
from catalog.subscription import Kind, State, Subscription, Why
from hub.acts import subscriptions
from hub.acts.subscriptions import WantedSubscription
from hub.api.changes import CHANGES, LIMIT_DEFAULT, WAIT_SECONDS_MAX, answered, until_changed
from hub.api.dependencies import CallerOf, Parts, PartsOf
from hub.api.openapi import problems
from hub.api.parameters import OPAQUE_ID
from hub.release.changes import LIMIT_MAX
from hub.subscription.opened import allowed_of
from hub.subscription.pulling import Pulled, pull

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])

UUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
IdPath = Annotated[str, Path(description="Id of the subscription.", pattern=OPAQUE_ID)]


class SubscriptionWanted(BaseModel):
    """What shall be subscribed to."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(pattern=r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$")
    kind: Kind = Field(description="pull: fetched from here; push: posted to an address; topic: appended to the log.")
    address: str | None = Field(None, description="Of a push, https://…", max_length=2000)
    purpose: str | None = Field(None, description="使用场景: the purpose.", min_length=1, max_length=200)
    grant: str | None = Field(None, description="The one grant to decide under.", min_length=1, max_length=36)


class SubscriptionShown(BaseModel):
    """A subscription as it stands."""

    model_config = ConfigDict(extra="forbid")

    id: str
    subscriber: str
    dataset: str
    kind: Kind
    address: str | None
    topic: str | None = Field(description="Of the log, where it is appended to one.")
    purpose: str | None
    grant: str | None
    state: State
    why: Why = Field(description="It is paused: verification, requested, failing or denied; else empty.")
    verified: bool
    settled: datetime = Field(description="Everything up to this instant was delivered.")
    lag_seconds: int
    pending: str | None = Field(description="The delivery that waits to be acknowledged.")
    deliveries: int
    changes: int
    failures: int = Field(description="In a row.")
    failure: str = Field(description="What the last failure was.")
    created_at: datetime
    delivered_at: datetime | None
    next_at: datetime
    ended_at: datetime | None
    signed_with: str | None = Field(None, description="Public key (PEM) of the signatures, where one is shown alone.")


class SubscriptionList(BaseModel):
    """Subscriptions by id."""

    model_config = ConfigDict(extra="forbid")

    subscriptions: list[SubscriptionShown]


class PullWanted(BaseModel):
    """What is acknowledged, and how much is fetched."""

    model_config = ConfigDict(extra="forbid")

    acknowledge: str | None = Field(None, description="`delivery` of the page before, once it is safe.", max_length=100)
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX)
    wait: int = Field(0, ge=0, le=WAIT_SECONDS_MAX, description="Seconds to wait for a change where there is none.")


class Step(BaseModel):
    """Nothing more is said."""

    model_config = ConfigDict(extra="forbid")


@router.post("", status_code=201, summary="Subscribe to a dataset's changes", responses=problems(403, 404, 409, 429))
def create_subscription(
    body: SubscriptionWanted, caller: CallerOf, parts: PartsOf, response: Response
) -> SubscriptionShown:
    """From now on. Decided now, so that what would never be delivered is refused at once, and at each delivery."""
    wanted = WantedSubscription(body.dataset, body.kind, body.address, body.purpose, body.grant)
    most, now = parts.settings.subscriptions_max, parts.clock()
    with parts.pool.connection() as conn:
        made = subscriptions.create(
            conn, caller, wanted, parts.release_parts.feed, allowed_of(parts.settings), most, now
        )
    response.headers["location"] = f"{router.prefix}/{made.id}"
    return _shown(made, now, parts.release_parts.push_key)


@router.get("", summary="The caller's subscriptions", responses=problems())
def list_subscriptions(
    caller: CallerOf,
    parts: PartsOf,
    after: Annotated[
        str | None, Query(description="Id of the last one of the page before.", pattern=UUID_PATTERN)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> SubscriptionList:
    """All of them to administrators, auditors and operators."""
    now = parts.clock()
    with parts.pool.connection() as conn:
        found = subscriptions.list_known(conn, caller, after=after, limit=limit)
    return SubscriptionList(subscriptions=[_shown(one, now) for one in found])


@router.get("/{subscription}", summary="One subscription", responses=problems(404))
def show_subscription(subscription: IdPath, caller: CallerOf, parts: PartsOf) -> SubscriptionShown:
    """State, lag and what failed, and the key its deliveries are signed with."""
    with parts.pool.connection() as conn:
        found = subscriptions.show(conn, caller, subscription)
    return _shown(found, parts.clock(), parts.release_parts.push_key)


@router.post("/{subscription}/pause", summary="Stop delivering for now", responses=problems(404, 409))
def pause_subscription(
    subscription: IdPath, caller: CallerOf, parts: PartsOf, _: Step | None = None
) -> SubscriptionShown:
    """The place reached is kept."""
    return _step(parts, caller, subscription, subscriptions.pause)


@router.post("/{subscription}/resume", summary="Deliver again", responses=problems(404, 409))
def resume_subscription(
    subscription: IdPath, caller: CallerOf, parts: PartsOf, _: Step | None = None
) -> SubscriptionShown:
    """From where it stopped."""
    return _step(parts, caller, subscription, subscriptions.resume)


@router.post("/{subscription}/end", summary="End it for good", responses=problems(404, 409))
def end_subscription(
    subscription: IdPath, caller: CallerOf, parts: PartsOf, _: Step | None = None
) -> SubscriptionShown:
    """What was delivered stays with the subscriber."""
    return _step(parts, caller, subscription, subscriptions.end)


@router.post(
    "/{subscription}/pull",
    summary="The next changes of a subscription that is fetched",
    response_class=Response,
    responses=CHANGES | problems(409),
)
async def pull_changes(
    request: Request, subscription: IdPath, caller: CallerOf, parts: PartsOf, body: PullWanted
) -> Response:
    """The same page again until its `delivery` is acknowledged: at least once, and each delivery under one id."""
    pulled = await run_sync(_pull, parts, caller, subscription, body.acknowledge, body.limit)
    if body.wait and not pulled.page.changes and await until_changed(request, parts, pulled.page, body.wait):
        pulled = await run_sync(_pull, parts, caller, subscription, None, body.limit)
    return await run_sync(answered, parts, pulled.page, pulled.body(), "release.delivery")


def _pull(parts: Parts, caller: Caller, subscription: str, acknowledge: str | None, limit: int) -> Pulled:
    with parts.pool.connection() as conn:
        return pull(conn, parts.release_parts.feed, caller, subscription, acknowledge, limit, parts.clock())


def _step(
    parts: Parts,
    caller: Caller,
    subscription: str,
    act: Callable[[Connection, Caller, str, datetime], Subscription],
) -> SubscriptionShown:
    now = parts.clock()
    with parts.pool.connection() as conn:
        return _shown(act(conn, caller, subscription, now), now)


def _shown(one: Subscription, now: datetime, key: str | None = None) -> SubscriptionShown:
    return SubscriptionShown(
        id=one.id,
        subscriber=one.subscriber,
        dataset=one.dataset,
        kind=one.kind,
        address=one.address,
        topic=one.topic if one.kind == "topic" else None,
        purpose=one.purpose,
        grant=one.grant,
        state=one.state,
        why=one.why,
        verified=one.verified,
        settled=one.settled,
        lag_seconds=max(0, int((now - one.settled).total_seconds())),
        pending=one.delivery(one.pending) if one.pending else None,
        deliveries=one.deliveries,
        changes=one.changes,
        failures=one.failures,
        failure=one.failure,
        created_at=one.created_at,
        delivered_at=one.delivered_at,
        next_at=one.next_at,
        ended_at=one.ended_at,
        signed_with=key if one.kind != "pull" else None,
    )
