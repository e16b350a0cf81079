"""People's accounts: yourself, and for administrators everyone."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from catalog.caller import Caller, Role, Tier
from hub.acts import people
from hub.acts.people import NewPerson
from hub.api.dependencies import AnyCallerOf, CallerOf, PartsOf
from hub.api.openapi import problems
from hub.api.parameters import Instant
from hub.identity.errors import PasswordWrong, PersonUnknown, SignInRefused
from hub.identity.person_store import PersonAccount, find_account
from hub.identity.sign_in import sign_in

router = APIRouter(prefix="/v1", tags=["people"])

PAGE_MAX = 1_000
PersonPath = Annotated[UUID, Path(description="Id of an account.")]
Line = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Login = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,63}$")]
Reason = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Password = Annotated[str, Field(min_length=1, max_length=128)]


class Me(BaseModel):
    """Who asks, as the hub knows it now."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="person:…, application:…, organization:… or public.")
    organization: str | None
    roles: list[Role] = Field(description="Empty where an application's consent does not reach to them (scope act).")
    tier: Tier
    application: str | None


class PersonAnswer(BaseModel):
    """An account."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    login: str
    display_name: str
    organization: str | None
    roles: list[Role]
    approved_from: datetime | None
    approved_until: datetime | None
    created_at: datetime
    suspended_at: datetime | None


class PersonPage(BaseModel):
    """Accounts by login; ``next`` leads to the following page."""

    model_config = ConfigDict(extra="forbid")

    people: list[PersonAnswer]
    next: str | None


class NewPersonBody(BaseModel):
    """An account to be made."""

    model_config = ConfigDict(extra="forbid")

    login: Login
    display_name: Line
    organization: Annotated[str, Field(max_length=40)] | None = None
    roles: list[Role] = Field(default=[], max_length=6)
    person_of: Login | None = Field(default=None, description="Login of another account of the same natural person.")
    signs_in: bool = Field(default=True, description="False: no password; it signs in elsewhere.")


class AddedPersonAnswer(BaseModel):
    """The account, and its first password, shown this once."""

    model_config = ConfigDict(extra="forbid")

    person: PersonAnswer
    password: str | None


class RolesBody(BaseModel):
    """Roles to give and to take."""

    model_config = ConfigDict(extra="forbid")

    give: list[Role] = Field(default=[], max_length=6)
    take: list[Role] = Field(default=[], max_length=6)


class ApprovalBody(BaseModel):
    """The term of tier approved."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    since: Instant = Field(alias="from")
    until: Instant


class ReasonBody(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class PasswordBody(BaseModel):
    """The present password and the next one."""

    model_config = ConfigDict(extra="forbid")

    present: Password
    next: Annotated[str, Field(min_length=12, max_length=128)]


class PasswordAnswer(BaseModel):
    """A new password, shown this once."""

    model_config = ConfigDict(extra="forbid")

    password: str


# Yourself ------------------------------------------------------------------------------------------------------------


@router.get("/me", summary="Who you are to the hub", responses=problems())
def read_me(caller: AnyCallerOf) -> Me:
    """Without a credential: the public."""
    return Me(
        id=caller.id,
        organization=caller.organization,
        roles=sorted(caller.roles),
        tier=caller.tier,
        application=caller.application,
    )


@router.post(
    "/me/password",
    status_code=204,
    summary="Change your password",
    responses=problems(403, 404, 429),
    response_class=Response,
)
def change_my_password(body: PasswordBody, caller: CallerOf, parts: PartsOf, request: Request) -> Response:
    """The present one is asked for, and failures count as failed sign-ins. Every sign-in of yours ends."""
    now = parts.clock()
    address = request.client.host if request.client is not None else ""
    with parts.pool.connection() as conn:
        account = _account_of(caller)
        found = find_account(conn, account)
    if found is None:
        raise PersonUnknown
    try:
        sign_in(parts.pool, found.login, body.present, address, now)
    except SignInRefused:
        raise PasswordWrong from None
    with parts.pool.connection() as conn:
        people.change_password(conn, caller, body.next, now)
    return Response(status_code=204)


# Everyone ------------------------------------------------------------------------------------------------------------


@router.get("/people", summary="Accounts", responses=problems(403))
def read_people(
    caller: CallerOf,
    parts: PartsOf,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="Accounts on a page.")] = 100,
    after: Annotated[str, Query(max_length=64, pattern=r"^[a-z0-9._-]*$", description="Logins after this one.")] = "",
) -> PersonPage:
    """For administrators and auditors."""
    with parts.pool.connection() as conn:
        found = people.people(conn, caller, limit + 1, after)
    page = found[:limit]
    following = f"{router.prefix}/people?limit={limit}&after={page[-1].login}" if len(found) > limit else None
    return PersonPage(people=[_shown(one) for one in page], next=following)


@router.post("/people", status_code=201, summary="Make an account", responses=problems(403, 404, 409))
def add_person(body: NewPersonBody, caller: CallerOf, parts: PartsOf) -> AddedPersonAnswer:
    """For administrators. The password is shown this once; its owner changes it."""
    new = NewPerson(
        login=body.login,
        display_name=body.display_name,
        organization=body.organization,
        roles=frozenset(body.roles),
        person_of=body.person_of,
        signs_in=body.signs_in,
    )
    with parts.pool.connection() as conn:
        added = people.add_person(conn, caller, new, parts.clock())
    return AddedPersonAnswer(person=_shown(added.account), password=added.password)


@router.post("/people/{person}/roles", summary="Give and take roles", responses=problems(403, 404))
def change_roles(person: PersonPath, body: RolesBody, caller: CallerOf, parts: PartsOf) -> PersonAnswer:
    """For administrators, and never for oneself."""
    with parts.pool.connection() as conn:
        return _shown(
            people.change_roles(conn, caller, str(person), frozenset(body.give), frozenset(body.take), parts.clock())
        )


@router.put(
    "/people/{person}/approval",
    status_code=204,
    summary="Give tier approved for a term",
    responses=problems(403, 404),
    response_class=Response,
)
def approve(person: PersonPath, body: ApprovalBody, caller: CallerOf, parts: PartsOf) -> Response:
    """For administrators, and never for oneself."""
    with parts.pool.connection() as conn:
        people.approve(conn, caller, str(person), body.since, body.until, parts.clock())
    return Response(status_code=204)


@router.delete(
    "/people/{person}/approval",
    status_code=204,
    summary="Take tier approved back",
    responses=problems(403, 404),
    response_class=Response,
)
def end_approval(person: PersonPath, caller: CallerOf, parts: PartsOf) -> Response:
    """For administrators."""
    with parts.pool.connection() as conn:
        people.end_approval(conn, caller, str(person), parts.clock())
    return Response(status_code=204)


@router.post(
    "/people/{person}/suspend",
    status_code=204,
    summary="Suspend an account",
    responses=problems(403, 404),
    response_class=Response,
)
def suspend(person: PersonPath, body: ReasonBody, caller: CallerOf, parts: PartsOf) -> Response:
    """For administrators. Takes effect within a second, on its applications and on tokens given out too."""
    with parts.pool.connection() as conn:
        people.suspend(conn, caller, str(person), body.reason, parts.clock())
    return Response(status_code=204)


@router.post(
    "/people/{person}/resume",
    status_code=204,
    summary="End a suspension",
    responses=problems(403, 404),
    response_class=Response,
)
def resume(person: PersonPath, body: ReasonBody, caller: CallerOf, parts: PartsOf) -> Response:
    """For administrators, and never for oneself."""
    with parts.pool.connection() as conn:
        people.resume(conn, caller, str(person), body.reason, parts.clock())
    return Response(status_code=204)


@router.post("/people/{person}/password", summary="Make a new password", responses=problems(403, 404))
def reset_password(person: PersonPath, caller: CallerOf, parts: PartsOf) -> PasswordAnswer:
    """For administrators. Shown this once; every sign-in of the account ends."""
    with parts.pool.connection() as conn:
        return PasswordAnswer(password=people.reset_password(conn, caller, str(person), parts.clock()))


def _account_of(caller: Caller) -> str:
    kind, _, account = caller.id.partition(":")
    if kind != "person":
        raise PersonUnknown
    return account


def _shown(account: PersonAccount) -> PersonAnswer:
    return PersonAnswer.model_validate({name: getattr(account, name) for name in PersonAnswer.model_fields})
