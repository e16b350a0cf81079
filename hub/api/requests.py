"""Requests (申请): one's own, those on one's datasets, or all for administrators, reviewers and auditors."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from catalog.calendar_store import read_calendar
from catalog.grant import Method, Treatment
from catalog.request import Element, Elements, Request, RequestState, RequestStep, Shared
from catalog.request_store import list_requests
from catalog.visible import visible_to
from hub.acts import requests as acts
from hub.acts.shown import shown_request
from hub.api.dependencies import CallerOf, Parts, PartsOf
from hub.api.openapi import header, problems
from hub.api.parameters import Instant

router = APIRouter(prefix="/v1/requests", tags=["requests"])

PAGE_MAX = 100

Text = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
Said = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
FieldName = Annotated[str, Field(max_length=63)]
RequestPath = Annotated[UUID, Path(description="Id of the request.")]
After = Annotated[UUID | None, Query(description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
DATASET = r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$"
DatasetQuery = Annotated[str | None, Query(pattern=DATASET, description="Dataset id.")]
DatasetMember = Annotated[str, Field(pattern=DATASET)]


class ElementsBody(BaseModel):
    """The elements of article 20; what is left out is missing and can be completed after the one notice."""

    model_config = ConfigDict(extra="forbid")

    basis: Text | None = Field(None, description="使用依据: the law or duty.")
    scenario: Text | None = Field(None, description="使用场景: what for; the purpose of the grant.")
    fields: dict[FieldName, Treatment] = Field(
        {}, max_length=1_000, description="使用范围: fields, each as openly as needed."
    )
    rows: dict[str, Any] | None = Field(None, description="使用范围: a row condition; none for all rows.")
    methods: list[Method] = Field([], max_length=4, description="共享方式.")
    valid_from: Instant | None = Field(None, description="使用时限, first instant.")
    valid_until: Instant | None = Field(None, description="使用时限, first instant past it.")
    consent: Text | None = Field(None, description="Document by which your 共享工作机构 lead consented.")

    def elements(self) -> Elements:
        """As the domain has them."""
        return Elements(
            basis=self.basis,
            scenario=self.scenario,
            fields=dict(self.fields),
            rows=self.rows,
            methods=frozenset(self.methods),
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            consent=self.consent,
        )


class SubmitBody(ElementsBody):
    """A request for a dataset."""

    dataset: DatasetMember
    for_itself: bool = Field(default=False, description="The grant shall be the caller's own, not its organization's.")


class NoticeBody(BaseModel):
    """What is missing beyond the elements the hub finds missing."""

    model_config = ConfigDict(extra="forbid")

    text: Text = ""


class ConsentBody(BaseModel):
    """The provider's consent."""

    model_config = ConfigDict(extra="forbid")

    consent: Text = Field(description="Document by which the provider's 共享工作机构 lead consented (article 20).")


class ReasonsBody(BaseModel):
    """Reasons, which are compulsory."""

    model_config = ConfigDict(extra="forbid")

    reasons: Said


class ExtensionBody(ReasonsBody):
    """By how much the reply is to be put off."""

    workdays: int = Field(ge=1, le=10)


class ClockAnswer(BaseModel):
    """A statutory clock."""

    model_config = ConfigDict(extra="forbid")

    event: str
    article: int | None = Field(description="Of 《政务数据共享条例》; null for a rule of the hub's own.")
    zh: str
    en: str
    state: str = Field(description="running, paused, met or late; late stays late when met afterwards.")
    started_at: datetime
    extension: int = Field(description="Workdays added with consent.")
    due: datetime | None = Field(description="First instant at which it is late; null while paused or not known.")
    met_at: datetime | None
    year_unknown: int | None = Field(description="The year whose holidays must be entered before `due` can be told.")


class StepAnswer(BaseModel):
    """One step that was taken."""

    model_config = ConfigDict(extra="forbid")

    step: RequestStep
    article: int
    actor: str
    at: datetime
    detail: dict[str, Any]


class RequestAnswer(BaseModel):
    """A request."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    dataset: str
    holder: str
    organization: str | None
    provider: str
    share: Shared
    state: RequestState
    held_by: str | None = Field(description="Who must act next: an organization, the holder, or administrator.")
    missing: list[Element]
    late: list[str]
    elements: ElementsBody
    clocks: list[ClockAnswer]
    steps: list[StepAnswer]


class RequestList(BaseModel):
    """A page of requests."""

    model_config = ConfigDict(extra="forbid")

    requests: list[RequestAnswer]
    next: UUID | None = Field(description="Ask for the next page with `after`; null on the last.")


Act = Callable[[Connection, datetime], Request]


def _act(parts: Parts, act: Act) -> RequestAnswer:
    """One act in one transaction, and the request as it stands after it."""
    now = parts.clock()
    with parts.pool.connection() as conn:
        return RequestAnswer(**shown_request(act(conn, now), now, read_calendar(conn)))


@router.post(
    "",
    summary="Ask for a dataset (article 20)",
    status_code=201,
    responses={201: {"headers": {"Location": header("Address of the request.")}}, **problems(404)},
)
def submit(body: SubmitBody, caller: CallerOf, parts: PartsOf, response: Response) -> RequestAnswer:
    """A request that lacks elements is taken; its notice names all that is missing."""
    elements = body.elements()
    made = _act(
        parts,
        lambda conn, now: acts.submit(conn, caller, body.dataset, elements, now, for_itself=body.for_itself),
    )
    response.headers["location"] = f"{router.prefix}/{made.id}"
    return made


@router.get("", summary="Requests, by the order they were asked", responses=problems())
def read_requests(
    caller: CallerOf,
    parts: PartsOf,
    state: RequestState | None = None,
    dataset: DatasetQuery = None,
    after: After = None,
    limit: Limit = PAGE_MAX,
) -> RequestList:
    """Those the caller may know of, with their clocks."""
    now = parts.clock()
    with parts.pool.connection() as conn:
        start = None if after is None else str(after)
        found = list_requests(conn, visible_to(caller), state=state, dataset=dataset, after=start, limit=limit + 1)
        calendar = read_calendar(conn)
    page = found[:limit]
    return RequestList(
        requests=[RequestAnswer(**shown_request(one, now, calendar)) for one in page],
        next=UUID(page[-1].id) if len(found) > limit else None,
    )


@router.get("/{request}", summary="One request", responses=problems(404))
def read_request(request: RequestPath, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """Where it stands, who holds it, what is late, and every step with its article."""
    return _act(parts, lambda conn, _: acts.read_request(conn, caller, str(request)))


@router.post(
    "/{request}/notice", summary="Tell everything missing, once (article 21)", responses=problems(403, 404, 409)
)
def give_notice(request: RequestPath, body: NoticeBody, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """The provider's one notice; the clock of the reply is paused until it is answered."""
    return _act(parts, lambda conn, now: acts.notice(conn, caller, str(request), body.text, now))


@router.post("/{request}/completion", summary="Complete a request after its notice", responses=problems(403, 404, 409))
def complete(request: RequestPath, body: ElementsBody, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """The elements given take the place of the earlier ones."""
    return _act(parts, lambda conn, now: acts.complete(conn, caller, str(request), body.elements(), now))


@router.post("/{request}/acceptance", summary="Agree (article 21)", responses=problems(403, 404, 409))
def accept(request: RequestPath, body: ConsentBody, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """Not by who asked. A grant can be proposed from here on."""
    return _act(parts, lambda conn, now: acts.accept(conn, caller, str(request), body.consent, now))


@router.post("/{request}/refusal", summary="Refuse with reasons (article 21)", responses=problems(403, 404, 409))
def refuse(request: RequestPath, body: ReasonsBody, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """An incomplete request only after its notice."""
    return _act(parts, lambda conn, now: acts.refuse(conn, caller, str(request), body.reasons, now))


@router.post("/{request}/extension", summary="Ask to reply later (article 21)", responses=problems(403, 404, 409))
def ask_extension(request: RequestPath, body: ExtensionBody, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """Of the administrator, once."""
    return _act(
        parts,
        lambda conn, now: acts.ask_extension(conn, caller, str(request), body.workdays, body.reasons, now),
    )


@router.post(
    "/{request}/extension/consent", summary="Consent to a later reply (article 21)", responses=problems(403, 404, 409)
)
def extend(request: RequestPath, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """By the administrator, to exactly the workdays asked for."""
    return _act(parts, lambda conn, now: acts.extend(conn, caller, str(request), now))


@router.post("/{request}/delivery", summary="Delivered (article 22)", responses=problems(403, 404, 409))
def deliver(request: RequestPath, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """A grant must be in effect."""
    return _act(parts, lambda conn, now: acts.deliver(conn, caller, str(request), now))


@router.post("/{request}/closing", summary="Content with what was delivered", responses=problems(403, 404, 409))
def close(request: RequestPath, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """By the requester."""
    return _act(parts, lambda conn, now: acts.close(conn, caller, str(request), now))


@router.post("/{request}/withdrawal", summary="Take a request back", responses=problems(403, 404, 409))
def withdraw(request: RequestPath, body: ReasonsBody, caller: CallerOf, parts: PartsOf) -> RequestAnswer:
    """By the requester, or by the administrator."""
    return _act(parts, lambda conn, now: acts.withdraw(conn, caller, str(request), body.reasons, now))
