"""The exchange over HTTP: hand in a batch, see how a dataset stands, read back what waits in quarantine."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from hub.api.body import Bodies, length_of, media_type_of, wait_seconds_of
from hub.api.dependencies import PartsOf, SenderOf
from hub.api.handed_in import Handing, batch_of, given_envelope, given_signature
from hub.api.openapi import BATCH_BODY, header, problems
from hub.api.receipts import PATH as RECEIPTS
from hub.api.receipts import ReceiptAnswer, answer
from hub.exchange.door import HandedIn
from hub.exchange.receipt import Receipt

router = APIRouter(prefix="/v1/exchange", tags=["exchange"])

PAGE_ENTRIES_MAX = 1_000
BIGINT_MAX = 2**63 - 1

EntryId = Annotated[int, Query(ge=1, le=BIGINT_MAX)]
DatasetPath = Annotated[
    str, Path(description="Dataset id, as in 420000.resident.", pattern=r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$")
]


def reads_itself(path: str) -> bool:
    """Whether a path is that of batches, whose bodies are read under a limit of their own."""
    return path.startswith(f"{router.prefix}/") and path.endswith("/batches")


class Accepted(BaseModel):
    """The batch is durable in the log and will take effect once."""

    model_config = ConfigDict(extra="forbid")

    batch: UUID
    receipt: str


class QuarantineEntry(BaseModel):
    """A rejected or waiting record of yours, with every reason."""

    model_config = ConfigDict(extra="forbid")

    id: int
    batch: UUID
    position: int | None
    record: dict[str, str | None] | None
    digest: str
    reasons: list[dict[str, Any]]
    state: Literal["open", "pending", "ready"]
    created_at: datetime


class QuarantinePage(BaseModel):
    """Waiting records by id; ``next`` leads to the following page."""

    model_config = ConfigDict(extra="forbid")

    dataset: str
    entries: list[QuarantineEntry]
    next: str | None


class StandingAnswer(BaseModel):
    """How a dataset stands. Counts are those kept while batches are taken."""

    model_config = ConfigDict(extra="forbid")

    dataset: str
    hub: str
    organization: str
    base: str
    title: dict[Literal["zh", "en"], str]
    contract: dict[Literal["name", "version"], str | int]
    records: int
    tombstones: int
    history: int
    batches: int
    received: int
    rejected: int
    quarantine: dict[Literal["open", "pending"], int]
    lag: int
    last_taken_at: datetime | None
    last_receipt: dict[Literal["batch", "status"], str] | None


_HAND_IN_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ReceiptAnswer,
        "description": "The receipt: waited for, or known because this batch came before.",
        "headers": {"Location": header("The receipt."), "Preference-Applied": header("wait=N, where it was waited.")},
    },
    202: {
        "model": Accepted,
        "description": "Durable; the receipt follows.",
        "headers": {"Location": header("Where the receipt will be."), "Retry-After": header("Seconds.", "integer")},
    },
    **problems(
        403,
        404,
        408,
        409,
        413,
        415,
        on_403="The batch's signature is missing where it must be, or not right; keep the batch and sign it anew.",
        on_404="No such dataset, none of yours, or no such version of its contract.",
        on_409="The batch id was used for other content.",
        on_413="More than one batch; use the connector.",
        on_503="The log is full or does not answer: not taken; send the same batch again after Retry-After.",
    ),
}


@router.post(
    "/{dataset}/batches",
    status_code=202,
    summary="Hand in a batch",
    responses=_HAND_IN_RESPONSES,
    response_model=None,
    openapi_extra={"requestBody": BATCH_BODY},
)
async def hand_in_batch(
    request: Request,
    dataset: DatasetPath,
    sender: SenderOf,
    parts: PartsOf,
    _envelope: Annotated[
        str | None, Header(alias="hub-batch", description="Envelope of a container file: canonical JSON.")
    ] = None,
    _signature: Annotated[
        str | None,
        Header(alias="hub-signature", description="Of the envelope: <key id>:<base64 of SM2 with SM3 in DER>."),
    ] = None,
    _idempotency: Annotated[
        str | None, Header(alias="Idempotency-Key", description="Batch id of NDJSON or JSON: a UUID; new without it.")
    ] = None,
    _prefer: Annotated[
        str | None, Header(alias="Prefer", description="wait=N: wait up to N seconds for the receipt (RFC 7240).")
    ] = None,
    operation: Annotated[
        Literal["upsert", "delete"], Query(description="Of NDJSON or JSON; a container file's envelope says its own.")
    ] = "upsert",
    replays: Annotated[
        Sequence[EntryId],
        Query(max_length=PAGE_ENTRIES_MAX, description="Quarantine entries of yours that this batch corrects."),
    ] = (),
) -> JSONResponse:
    """Answers 202 once the batch is durable in the log: from then on it takes effect, once, whatever fails.

    The same batch again, id and digest, has the same receipt; the same id with other content is refused. With
    `Prefer: wait=N` the answer is the receipt itself if it is there within N seconds. Entries named by `replays` close
    when the batch is taken: their corrected records are accepted, or wait under entries of their own.
    """
    media_type = media_type_of(request)
    length = length_of(request, int(parts.settings.batch_bytes_max))
    found = await run_in_threadpool(parts.door.dataset, sender, dataset)
    given = given_envelope(request, media_type)
    if given is not None:
        parts.door.check_envelope(sender, found, given, length, parts.clock())
    signature = given_signature(request, given)
    handing = Handing(request, parts, sender, found, media_type, given, signature, operation, tuple(replays))
    seconds = wait_seconds_of(request, parts.settings.wait_seconds_max)
    with ExitStack() as places:
        handed, event = await _append(handing, places, wanted=seconds > 0)
        receipt = handed.receipt
        if receipt is None and event is not None:
            receipt = await _receipt_within(seconds, handing, handed.batch, event)
    location = f"{RECEIPTS}{handed.batch}"
    if receipt is not None:
        applied = {"preference-applied": f"wait={seconds}"} if event is not None else {}
        return answer(receipt, {"location": location, **applied})
    body: Mapping[str, str] = {"batch": str(handed.batch), "receipt": location}
    return JSONResponse(body, status_code=202, headers={"location": location, "retry-after": "1"})


async def _append(handing: Handing, places: ExitStack, *, wanted: bool) -> tuple[HandedIn, asyncio.Event | None]:
    """Make the batch durable; its bytes leave memory before anyone waits."""
    parts = handing.parts
    bodies = cast("Bodies", handing.request.app.state.bodies)
    async with bodies.read(handing.request, int(parts.settings.batch_bytes_max)) as body:
        envelope, container = await run_in_threadpool(batch_of, handing, body)
        # The place is taken before the append: no receipt can slip by.
        event = places.enter_context(parts.waiting.place(envelope.organization, envelope.batch, wanted=wanted))
        handed = await run_in_threadpool(
            parts.door.hand_in,
            handing.dataset,
            envelope,
            container,
            parts.clock(),
            handing.signature,
            handing.replays,
        )
        return handed, event


async def _receipt_within(seconds: float, handing: Handing, batch: UUID, event: asyncio.Event) -> Receipt | None:
    """Wait to be woken, look, and wait on; give the place up when the sender has gone."""
    deadline = time.monotonic() + seconds
    # The body is read: what comes next is the end of the connection.
    gone = asyncio.ensure_future(handing.request.receive())
    try:
        while True:
            woken = asyncio.ensure_future(event.wait())
            left = max(0.0, deadline - time.monotonic())
            await asyncio.wait({woken, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            event.clear()
            receipt = await run_in_threadpool(handing.parts.door.receipt, handing.sender, batch)
            if receipt is not None or gone.done() or time.monotonic() >= deadline:
                return receipt
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone


@router.get(
    "/{dataset}/quarantine",
    summary="Your records that wait in quarantine",
    responses=problems(404),
)
def read_quarantine(
    dataset: DatasetPath,
    sender: SenderOf,
    parts: PartsOf,
    limit: Annotated[int, Query(ge=1, le=PAGE_ENTRIES_MAX, description="Entries on a page.")] = 100,
    after: Annotated[int, Query(ge=0, le=BIGINT_MAX, description="Entries after this id.")] = 0,
) -> QuarantinePage:
    """Each with its record, its place in its batch and every reason in both languages."""
    entries = parts.door.quarantine(sender, dataset, limit + 1, after)
    page = entries[:limit]
    following = f"{router.prefix}/{dataset}/quarantine?limit={limit}&after={page[-1].id}" if page else None
    return QuarantinePage(
        dataset=dataset,
        entries=[QuarantineEntry.model_validate(entry.to_json()) for entry in page],
        next=following if len(entries) > limit else None,
    )


@router.get("/{dataset}", summary="How a dataset of yours stands", responses=problems(404))
def read_standing(dataset: DatasetPath, sender: SenderOf, parts: PartsOf) -> StandingAnswer:
    """Counts, contract, the hub's id, the last receipt, and how many batches wait in the log."""
    return StandingAnswer.model_validate(parts.door.standing(sender, dataset))
