"""The changes of a dataset since a cursor, as their reader fetches them."""

import asyncio
from typing import Annotated, Final

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from catalog.decision import Asked
from catalog.subscription_store import last_taken_at
from hub.api.asked import asked_of
from hub.api.datasets import STATED, DatasetPath
from hub.api.dependencies import CallerOf, Parts, PartsOf
from hub.api.openapi import header, problems
from hub.release.changes import LIMIT_MAX
from hub.release.feed import FeedPage, Whose

router = APIRouter(prefix="/v1/datasets", tags=["changes"])

LIMIT_DEFAULT: Final = 1_000
WAIT_SECONDS_MAX: Final = 30
LOOK_SECONDS: Final = 0.25

AfterQuery = Annotated[
    str | None, Query(description="`after` of the page before; without it the feed begins now.", max_length=8000)
]
LimitQuery = Annotated[int, Query(description="Most changes of a page.", ge=1, le=LIMIT_MAX)]
WaitQuery = Annotated[
    int, Query(description="Seconds to wait for a change where there is none.", ge=0, le=WAIT_SECONDS_MAX)
]
CHANGES = {
    200: {
        "description": "Changes in order: `put` with the record as it is now given, `gone` with its reference. `after` "
        "goes on from here; `more` says that there is more now; `other_terms`, that fields, treatments or rows are "
        "others than when the cursor was made, or that records were erased since and so long ago that they cannot be "
        "told any more: export the dataset again.",
        "content": {"application/json": {"schema": {"type": "object"}}},
        "headers": {"hub-decision": header("Id of the decision: that of its leaf in the ledger.")},
    },
    **problems(401, 403, 404, 429),
}


@router.get(
    "/{dataset}/changes",
    summary="What changed since a cursor",
    response_class=Response,
    responses=CHANGES,
    openapi_extra={"parameters": STATED},
)
async def read_changes(
    request: Request,
    dataset: DatasetPath,
    caller: CallerOf,
    parts: PartsOf,
    after: AfterQuery = None,
    limit: LimitQuery = LIMIT_DEFAULT,
    wait: WaitQuery = 0,
) -> Response:
    """Under a grant for method `subscription`, or what the caller's tier opens; decided anew at each page."""
    stated = asked_of(request)
    whose = Whose(caller, dataset, Asked("subscription", stated.purpose, stated.grant))
    page = await run_sync(_page, parts, whose, after, limit)
    if after is not None and wait and not page.changes and await until_changed(request, parts, page, wait):
        page = await run_sync(_page, parts, whose, after, limit)
    return await run_sync(_answered, parts, page)


def _page(parts: Parts, whose: Whose, after: str | None, limit: int) -> FeedPage:
    with parts.release_parts.pool.connection() as conn:
        return parts.release_parts.feed.page(conn, whose, after, limit, parts.clock())


async def until_changed(request: Request, parts: Parts, page: FeedPage, seconds: int) -> bool:
    """Wait until the dataset took a batch after the page's instant; false where the time is over or nobody waits.

    No thread and no connection is held meanwhile; so many may wait as for receipts.
    """
    with parts.waiting.place(page.opened.caller.id, page.opened.dataset) as place:
        if place is None:
            return False
        for _ in range(round(seconds / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            if await request.is_disconnected():
                return False
            if await run_sync(_changed, parts, page):
                return True
    return False


def _changed(parts: Parts, page: FeedPage) -> bool:
    with parts.release_parts.pool.connection() as conn:
        taken = last_taken_at(conn, page.opened.dataset)
    return taken is not None and taken >= page.settled


def _answered(parts: Parts, page: FeedPage) -> Response:
    return answered(parts, page, page.body(), "release.changes")


def answered(parts: Parts, page: FeedPage, body: bytes, action: str) -> Response:
    """Count, write the leaf, answer."""
    opener, now = parts.release_parts.feed.opener, parts.clock()
    opener.take(page.opened, (1, len(page.changes), len(body)), now)
    decision = opener.record(page.leaf(action, body), page.trail(now))
    return Response(body, media_type="application/json", headers={"hub-decision": decision})
