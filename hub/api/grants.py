"""Grants (授权) and their proposals: one's own, those on one's datasets, or all for those who oversee."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from catalog.calendar_store import read_calendar
from catalog.grant import GrantKind, GrantState, Method, Quota, Treatment
from catalog.grant_course import GivenGrant, GrantStep
from catalog.grant_store import events_of, list_grants
from catalog.proposal_store import list_proposals
from catalog.visible import visible_to
from hub.acts import grant_course, grants
from hub.acts.grants import Emergency, Wanted
from hub.acts.shown import shown_grant, shown_proposal, shown_usage
from hub.acts.types import types_in
from hub.api.dependencies import CallerOf, Parts, PartsOf
from hub.api.openapi import header, problems
from hub.api.parameters import Instant
from hub.api.requests import (
    PAGE_MAX,
    After,
    ClockAnswer,
    DatasetMember,
    DatasetQuery,
    FieldName,
    Limit,
    ReasonsBody,
    Said,
    Text,
)

router = APIRouter(prefix="/v1/grants", tags=["grants"])

GrantPath = Annotated[UUID, Path(description="Id of the grant.")]
ProposalPath = Annotated[UUID, Path(description="Id of the proposal; the grant will have it.")]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SM3 of the content that was read.")]
Limited = Annotated[int | None, Field(ge=0, lt=2**53)]
ProposalState = Literal["open", "approved", "withdrawn"]


class QuotaBody(BaseModel):
    """Limits within a day of Asia/Shanghai; null is no limit."""

    model_config = ConfigDict(extra="forbid")

    requests: Limited = None
    rows: Limited = None
    bytes: Limited = None


class WantedBody(BaseModel):
    """What shall be granted; what is left out is as the request asks for it, and nothing may be wider."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[FieldName, Treatment] | None = Field(None, max_length=1_000)
    laws: dict[FieldName, Text] = Field(
        {}, max_length=1_000, description="Fields of level 4 given clear: by which law."
    )
    rows: dict[str, Any] | None = Field(None, description="A further row condition; it only takes rows away.")
    methods: list[Method] | None = Field(None, max_length=4)
    quota: QuotaBody = QuotaBody()
    valid_from: Instant | None = None
    valid_until: Instant | None = None

    def wanted(self) -> Wanted:
        """As the acts have it."""
        return Wanted(
            fields=self.fields,
            laws=self.laws,
            rows=self.rows,
            methods=None if self.methods is None else frozenset(self.methods),
            quota=Quota(self.quota.requests, self.quota.rows, self.quota.bytes),
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


class ProposeBody(WantedBody):
    """A proposal on a request."""

    request: UUID


class EmergencyBody(WantedBody):
    """An emergency grant."""

    holder: Annotated[str, Field(max_length=100, pattern="^(organization|application|person):[a-z0-9-]+$")]
    dataset: DatasetMember
    purpose: Said
    basis: Said
    reasons: Said


class ApprovalBody(BaseModel):
    """What is approved."""

    model_config = ConfigDict(extra="forbid")

    digest: Digest


class SuspensionBody(ReasonsBody):
    """Why, and until when it is to be rectified (article 27)."""

    rectify_by: Instant


class OpinionBody(BaseModel):
    """What was found or done."""

    model_config = ConfigDict(extra="forbid")

    text: Said


class UsageBody(BaseModel):
    """A record of use (article 29)."""

    model_config = ConfigDict(extra="forbid")

    scenario: Said = Field(description="使用场景.")
    course: Said = Field(description="使用过程.")
    effect: Said = Field(description="应用成效.")
    storage: Said = Field(description="存储情况.")
    disposal: Said = Field(description="销毁情况.")


class GrantContent(BaseModel):
    """What is allowed."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    kind: GrantKind
    holder: str
    dataset: str
    fields: dict[str, Treatment]
    laws: dict[str, str]
    rows: dict[str, Any] | None
    purpose: str
    basis: str
    methods: list[Method]
    quota: QuotaBody
    valid_from: datetime
    valid_until: datetime
    state: GrantState
    request: UUID | None


class GrantStepAnswer(BaseModel):
    """One step in the course of a grant."""

    model_config = ConfigDict(extra="forbid")

    step: GrantStep
    article: int | None
    actor: str
    at: datetime
    detail: dict[str, Any]


class GrantAnswer(GrantContent):
    """A grant in effect or past."""

    digest: str
    given_by: str
    given_at: datetime
    holds_until: datetime = Field(description="An emergency grant's review date until it is reviewed.")
    lapsed: bool = Field(description="Over by its dates, though nobody ended it.")
    review_by: datetime | None
    reviewed_at: datetime | None
    rectify_by: datetime | None
    rectified_at: datetime | None
    ended_at: datetime | None
    clocks: list[ClockAnswer]
    steps: list[GrantStepAnswer] = Field(description="Empty in lists.")


class GrantList(BaseModel):
    """A page of grants."""

    model_config = ConfigDict(extra="forbid")

    grants: list[GrantAnswer]
    next: UUID | None


class ProposalAnswer(BaseModel):
    """A proposal. An approval names its digest, so what was read is what is given."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    request: UUID | None
    dataset: str
    digest: str
    state: ProposalState
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    grant: GrantContent


class ProposalList(BaseModel):
    """A page of proposals."""

    model_config = ConfigDict(extra="forbid")

    proposals: list[ProposalAnswer]
    next: UUID | None


class UsageAnswer(UsageBody):
    """A record of use as it is kept."""

    id: UUID
    grant: UUID
    told_by: str
    told_at: datetime
    kept_until: datetime


class UsageList(BaseModel):
    """The records of use of a grant."""

    model_config = ConfigDict(extra="forbid")

    usage: list[UsageAnswer]


Act = Callable[[Connection, datetime], GivenGrant]


def _act(parts: Parts, act: Act) -> GrantAnswer:
    """One act in one transaction, and the grant as it stands after it."""
    now = parts.clock()
    with parts.pool.connection() as conn:
        given = act(conn, now)
        return GrantAnswer(**shown_grant(given, now, read_calendar(conn), events_of(conn, given.grant.id)))


# Proposals: before the grants' own addresses, which have the same shape -----------------------------------------------


@router.post("/proposals", summary="Propose a grant on a request", status_code=201, responses=problems(403, 404, 409))
def propose(body: ProposeBody, caller: CallerOf, parts: PartsOf, response: Response) -> ProposalAnswer:
    """As asked for, or narrower. A proposal never changes; another content is another proposal."""
    now = parts.clock()
    with parts.pool.connection() as conn:
        made = grants.propose(conn, caller, str(body.request), body.wanted(), now)
    response.headers["location"] = f"{router.prefix}/proposals/{made.id}"
    return ProposalAnswer(**shown_proposal(made))


@router.get("/proposals", summary="Proposals on one's datasets", responses=problems())
def read_proposals(
    caller: CallerOf,
    parts: PartsOf,
    state: ProposalState | None = None,
    after: After = None,
    limit: Limit = PAGE_MAX,
) -> ProposalList:
    """By the order they were made."""
    start = None if after is None else str(after)
    with parts.pool.connection() as conn:
        found = list_proposals(conn, visible_to(caller), state=state, after=start, limit=limit + 1)
    page = found[:limit]
    return ProposalList(
        proposals=[ProposalAnswer(**shown_proposal(one)) for one in page],
        next=UUID(page[-1].id) if len(found) > limit else None,
    )


@router.get("/proposals/{proposal}", summary="One proposal", responses=problems(404))
def read_proposal(proposal: ProposalPath, caller: CallerOf, parts: PartsOf) -> ProposalAnswer:
    """With its content and digest."""
    with parts.pool.connection() as conn:
        return ProposalAnswer(**shown_proposal(grants.read_proposal(conn, caller, str(proposal))))


@router.post("/proposals/{proposal}/approval", summary="Give what was proposed", responses=problems(403, 404, 409))
def approve(proposal: ProposalPath, body: ApprovalBody, caller: CallerOf, parts: PartsOf) -> GrantAnswer:
    """By neither who asked nor who proposed, under no account; bound to the digest."""
    return _act(parts, lambda conn, now: grants.approve(conn, caller, str(proposal), body.digest, now))


@router.post("/proposals/{proposal}/withdrawal", summary="Take a proposal back", responses=problems(403, 404, 409))
def withdraw_proposal(proposal: ProposalPath, caller: CallerOf, parts: PartsOf) -> ProposalAnswer:
    """Another one with other content can be made."""
    with parts.pool.connection() as conn:
        grants.withdraw_proposal(conn, caller, str(proposal), parts.clock())
        return ProposalAnswer(**shown_proposal(grants.read_proposal(conn, caller, str(proposal))))


@router.post(
    "/emergencies",
    summary="Give at once; another reviews it within five workdays, or it ends",
    status_code=201,
    responses={201: {"headers": {"Location": header("Address of the grant.")}}, **problems(403, 404, 409)},
)
def give_emergency(body: EmergencyBody, caller: CallerOf, parts: PartsOf, response: Response) -> GrantAnswer:
    """By an administrator or reviewer who is not of the organization that gets it."""
    about = Emergency(body.holder, body.dataset, body.purpose, body.basis)
    given = _act(parts, lambda conn, now: grants.give_emergency(conn, caller, about, body.wanted(), body.reasons, now))
    response.headers["location"] = f"{router.prefix}/{given.id}"
    return given


# Grants --------------------------------------------------------------------------------------------------------------


@router.get("", summary="Grants, by the order they were made", responses=problems())
def read_grants(
    caller: CallerOf,
    parts: PartsOf,
    state: Annotated[GrantState | None, Query()] = None,
    dataset: DatasetQuery = None,
    after: After = None,
    limit: Limit = PAGE_MAX,
) -> GrantList:
    """Those the caller may know of."""
    now, start = parts.clock(), None if after is None else str(after)
    with parts.pool.connection() as conn:
        found = list_grants(
            conn, visible_to(caller), types_in(conn), state=state, dataset=dataset, after=start, limit=limit + 1
        )
        calendar = read_calendar(conn)
    page = found[:limit]
    return GrantList(
        grants=[GrantAnswer(**shown_grant(one, now, calendar)) for one in page],
        next=UUID(page[-1].grant.id) if len(found) > limit else None,
    )


# Of a shape of its own, so that the addresses above are not taken for grants by other methods than theirs.
@router.get("/{grant:uuid}", summary="One grant", responses=problems(404))
def read_grant(grant: GrantPath, caller: CallerOf, parts: PartsOf) -> GrantAnswer:
    """With its course, each step with its article."""
    return _act(parts, lambda conn, _: grant_course.read_grant(conn, caller, str(grant)))


@router.post("/{grant}/suspension", summary="Suspend, to be rectified (article 27)", responses=problems(403, 404, 409))
def suspend(grant: GrantPath, body: SuspensionBody, caller: CallerOf, parts: PartsOf) -> GrantAnswer:
    """Takes effect on the next request, and in what is running."""
    return _act(
        parts,
        lambda conn, now: grant_course.suspend(conn, caller, str(grant), body.reasons, body.rectify_by, now),
    )


@router.post("/{grant}/rectification", summary="Tell that it is rectified", responses=problems(403, 404, 409))
def rectify(grant: GrantPath, body: OpinionBody, caller: CallerOf, parts: PartsOf) -> GrantAnswer:
    """By the holder."""
    return _act(parts, lambda conn, now: grant_course.rectify(conn, caller, str(grant), body.text, now))


@router.post("/{grant}/resumption", summary="Active again, once rectified", responses=problems(403, 404, 409))
def resume(grant: GrantPath, caller: CallerOf, parts: PartsOf) -> GrantAnswer:
    """Not by who said that it is rectified."""
    return _act(parts, lambda conn, now: grant_course.resume(conn, caller, str(grant), now))


@router.post("/{grant}/review", summary="Review an emergency grant", responses=problems(403, 404, 409))
def review(grant: GrantPath, body: OpinionBody, caller: CallerOf, parts: PartsOf) -> GrantAnswer:
    """Not by who gave it. What was wrong is ended instead."""
    return _act(parts, lambda conn, now: grant_course.review(conn, caller, str(grant), body.text, now))


@router.post("/{grant}/end", summary="End for good (article 27)", responses=problems(403, 404, 409))
def end(grant: GrantPath, body: ReasonsBody, caller: CallerOf, parts: PartsOf) -> GrantAnswer:
    """Also by the holder, when its purpose is met (article 25)."""
    return _act(parts, lambda conn, now: grant_course.end(conn, caller, str(grant), body.reasons, now))


@router.post("/{grant}/usage", summary="Record use (article 29)", status_code=201, responses=problems(403, 404))
def tell_usage(grant: GrantPath, body: UsageBody, caller: CallerOf, parts: PartsOf) -> UsageAnswer:
    """By the holder; kept for three years at least."""
    usage = grant_course.Usage(**body.model_dump())
    with parts.pool.connection() as conn:
        return UsageAnswer(**shown_usage(grant_course.tell_usage(conn, caller, str(grant), usage, parts.clock())))


@router.get("/{grant}/usage", summary="Records of use (article 29)", responses=problems(404))
def read_usage(grant: GrantPath, caller: CallerOf, parts: PartsOf) -> UsageList:
    """The provider and the administrator may inspect them."""
    with parts.pool.connection() as conn:
        found = grant_course.read_usage(conn, caller, str(grant))
    return UsageList(usage=[UsageAnswer(**shown_usage(one)) for one in found])
