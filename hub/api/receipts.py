"""Receipts: what became of a batch."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from hub.api.dependencies import PartsOf, SenderOf
from hub.api.errors import ReceiptAbsent
from hub.api.openapi import problems
from hub.exchange.receipt import Receipt

PATH = "/v1/exchange/receipts/"

router = APIRouter(prefix="/v1/exchange", tags=["exchange"])


class Position(BaseModel):
    """Where in the log the batch stands."""

    model_config = ConfigDict(extra="forbid")

    topic: str
    partition: int
    offset: int


class ReceiptAnswer(BaseModel):
    """What the hub answers to a batch. received = accepted + rejected + pending."""

    model_config = ConfigDict(extra="forbid")

    batch: UUID
    dataset: str
    organization: str
    sender: str
    run: UUID
    operation: Literal["upsert", "delete", "keys"]
    contract: int
    sm3: str
    status: Literal["accepted", "partial", "refused"]
    received: int
    accepted: int = Field(description="new + changed + unchanged + superseded + deleted")
    new: int
    changed: int
    unchanged: int
    superseded: int
    deleted: int
    rejected: int = Field(description="Records in quarantine, each with every reason.")
    pending: int = Field(description="Records that wait for a record they refer to.")
    closed: int = Field(description="Records a key list closed.")
    flags: dict[str, int] = Field(description="Stored all the same, but worth a look: code and count.")
    reasons: dict[str, int] = Field(description="Why records were rejected: code and count.")
    refusal: dict[str, Any] | None = Field(description="Why the whole batch was refused.")
    position: Position
    taken_at: datetime
    seconds: float
    leaf: UUID | None = Field(description="Its leaf in the ledger: GET /v1/ledger/leaves/{leaf}/proof.")


BatchPath = Annotated[UUID, Path(description="The batch id.")]


def answer(receipt: Receipt, headers: dict[str, str] | None = None) -> JSONResponse:
    """A receipt as it is answered: the same body for the same batch, each time."""
    return JSONResponse(receipt.to_json(), headers=headers)


@router.get(
    "/receipts/{batch}",
    summary="The receipt of one of your batches",
    responses={200: {"model": ReceiptAnswer}, **problems(404, on_404="No receipt yet, or not one of yours.")},
)
def read_receipt(batch: BatchPath, sender: SenderOf, parts: PartsOf) -> JSONResponse:
    """The sender's own only. Without a receipt the answer says when to ask again."""
    receipt = parts.door.receipt(sender, batch)
    if receipt is None:
        raise ReceiptAbsent(batch=str(batch))
    return answer(receipt)
