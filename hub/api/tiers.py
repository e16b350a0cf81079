"""The table of tiers (授权等级): read by those who oversee, changed by two administrators."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from catalog.caller import Tier
from catalog.tier import Scope
from catalog.tier_store import current_policy
from catalog.tier_text import text_of_tiers
from hub.acts import tiers
from hub.acts.shown import shown_tiers
from hub.api.dependencies import CallerOf, PartsOf
from hub.api.grants import ApprovalBody, QuotaBody
from hub.api.openapi import problems
from hub.api.requests import Said

router = APIRouter(prefix="/v1/tiers", tags=["tiers"])

Level = Annotated[int, Field(ge=0, le=4)]
VersionPath = Annotated[int, Path(ge=1, le=2**31 - 1, description="A version of the table.")]


class TierCell(BaseModel):
    """What one tier opens, with a grant or without."""

    model_config = ConfigDict(extra="forbid")

    tier: Tier
    granted: bool
    scope: Scope
    clear_level: Level
    treated_level: Level = 0
    named_level: Level = 0
    purpose_required: bool = False
    quota: QuotaBody = QuotaBody()


class ProposeBody(BaseModel):
    """A whole table, and why."""

    model_config = ConfigDict(extra="forbid")

    rules: list[TierCell] = Field(max_length=20)
    reason: Said


class TierVersionAnswer(BaseModel):
    """A version of the table."""

    model_config = ConfigDict(extra="forbid")

    version: int
    digest: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    rules: list[TierCell]


class TierVersionList(BaseModel):
    """The table that holds, and all versions of it."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(description="The version that holds; 0 is the design's own.")
    digest: str = Field(description="Its SM3: the policy that decisions name.")
    rules: list[TierCell]
    versions: list[TierVersionAnswer]


@router.get("", summary="The table that holds, and its versions", responses=problems(403))
def read_tiers(caller: CallerOf, parts: PartsOf) -> TierVersionList:
    """For administrators, reviewers and auditors."""
    with parts.pool.connection() as conn:
        versions = tiers.read_versions(conn, caller)
        policy = current_policy(conn)
    return TierVersionList(
        version=policy.version,
        digest=policy.digest,
        rules=_cells(text_of_tiers(policy.tiers)),
        versions=[TierVersionAnswer(**shown_tiers(one)) for one in versions],
    )


@router.get("/{version}", summary="One version", responses=problems(403, 404))
def read_version(version: VersionPath, caller: CallerOf, parts: PartsOf) -> TierVersionAnswer:
    """Approved or not."""
    with parts.pool.connection() as conn:
        return TierVersionAnswer(**shown_tiers(tiers.read_version(conn, caller, version)))


@router.post("", summary="Propose a table", status_code=201, responses=problems(403))
def propose(body: ProposeBody, caller: CallerOf, parts: PartsOf, response: Response) -> TierVersionAnswer:
    """By an administrator; it holds once another has approved it."""
    rules: list[dict[str, Any]] = [cell.model_dump() for cell in body.rules]
    with parts.pool.connection() as conn:
        made = tiers.propose(conn, caller, rules, body.reason, parts.clock())
    response.headers["location"] = f"{router.prefix}/{made.version}"
    return TierVersionAnswer(**shown_tiers(made))


@router.post("/{version}/approval", summary="Approve a table", responses=problems(403, 404, 409))
def approve(version: VersionPath, body: ApprovalBody, caller: CallerOf, parts: PartsOf) -> TierVersionAnswer:
    """By an administrator other than the one who proposed it; bound to its digest."""
    with parts.pool.connection() as conn:
        return TierVersionAnswer(**shown_tiers(tiers.approve(conn, caller, version, body.digest, parts.clock())))


def _cells(rules: str) -> list[TierCell]:
    return [TierCell(**cell) for cell in json.loads(rules)]
