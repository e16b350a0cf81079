"""Simulation (授权前试算): what a proposal would open, replayed on recorded requests before it is approved."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from catalog.grant import Method, Treatment
from hub.acts.shown_simulation import shown_grant_simulation, shown_tier_simulation
from hub.acts.simulations import DAYS_MAX, simulate_grant, simulate_tiers
from hub.api.dependencies import CallerOf, PartsOf
from hub.api.grants import ProposalPath
from hub.api.openapi import problems
from hub.api.tiers import VersionPath

router = APIRouter(prefix="/v1", tags=["simulation"])

Days = Annotated[int, Query(ge=1, le=DAYS_MAX, description="Requests of so many last days.")]
Coarse = int | Literal["<10"]


class RuleAnswer(BaseModel):
    """A rule that refuses."""

    model_config = ConfigDict(extra="forbid")

    rule: str
    zh: str
    en: str


class StillRefused(RuleAnswer):
    """Requests that stay refused."""

    requests: int


class FieldChangeAnswer(BaseModel):
    """A field given otherwise than before."""

    model_config = ConfigDict(extra="forbid")

    field: str
    before: Treatment
    after: Treatment


class DifferenceAnswer(BaseModel):
    """Recorded requests that are alike, and what becomes of them."""

    model_config = ConfigDict(extra="forbid")

    caller: str = Field(description="Opaque id.")
    dataset: str
    method: Method
    kind: Literal["opened", "closed", "changed"]
    requests: int
    fields: list[FieldChangeAnswer]
    other_rows: bool = Field(description="Open before and after, with another row condition.")
    refused_by: RuleAnswer | None


class RequestSums(BaseModel):
    """Recorded requests, by what becomes of them."""

    model_config = ConfigDict(extra="forbid")

    recorded: int
    opened: int
    closed: int
    changed: int
    same: int
    unreadable: int = Field(description="Whose caller or decision is not there any more.")
    left_out: int = Field(description="Beyond the kinds of requests that were read, the most frequent ones.")


class Simulation(BaseModel):
    """Recorded requests, replayed."""

    model_config = ConfigDict(extra="forbid")

    days: int
    moment: datetime = Field(description="As of when both sides were decided.")
    requests: RequestSums
    differences: list[DifferenceAnswer]
    still_refused: list[StillRefused]


class CoveredAnswer(BaseModel):
    """To the ten below; few as `<10`."""

    model_config = ConfigDict(extra="forbid")

    in_all: Coarse
    beyond: Coarse = Field(description="Not covered by the holder's present grants.")


class CoverageAnswer(BaseModel):
    """What the row condition covers."""

    model_config = ConfigDict(extra="forbid")

    records: CoveredAnswer
    persons: CoveredAnswer | None = Field(description="Where the dataset names persons by their citizen id.")


class GrantSimulationAnswer(Simulation):
    """What a proposed grant would open."""

    proposal: UUID
    dataset: str
    holder: str
    fields: list[FieldChangeAnswer] = Field(description="For the holder that names it, whether it ever asked or not.")
    holder_stands: bool = Field(description="There is such a holder, not suspended.")
    refused_by: RuleAnswer | None = Field(description="The rule that would refuse the holder all the same.")
    coverage: CoverageAnswer | None = Field(description="Null where there was no time to count.")


class TierSimulationAnswer(Simulation):
    """Who would gain or lose what under a proposed table."""

    version: int
    digest: str


@router.get(
    "/grants/proposals/{proposal}/simulation",
    summary="What a proposed grant would open",
    responses=problems(403, 404, 409),
)
def read_grant_simulation(
    proposal: ProposalPath, caller: CallerOf, parts: PartsOf, days: Days = 30
) -> GrantSimulationAnswer:
    """For who may approve it. Counts, rules and opaque ids; each simulation leaves a leaf."""
    with parts.pool.connection() as conn:
        found = simulate_grant(conn, caller, str(proposal), days, parts.clock())
    return GrantSimulationAnswer(**shown_grant_simulation(found))


@router.get(
    "/tiers/{version}/simulation",
    summary="Who would gain or lose what under a table of tiers",
    responses=problems(403, 404),
)
def read_tier_simulation(
    version: VersionPath, caller: CallerOf, parts: PartsOf, days: Days = 30
) -> TierSimulationAnswer:
    """For administrators: the callers recorded, under the table that holds and under this one."""
    with parts.pool.connection() as conn:
        found = simulate_tiers(conn, caller, version, days, parts.clock())
    return TierSimulationAnswer(**shown_tier_simulation(found))
