"""Applications and their keys: yours, your organization's, and for administrators all."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from hub.acts import applications
from hub.acts.applications import NewApplication
from hub.api.dependencies import CallerOf, PartsOf
from hub.api.openapi import problems
from hub.api.people import Line, ReasonBody
from hub.identity.application_keys import KEY_DAYS
from hub.identity.application_store import Application

router = APIRouter(prefix="/v1/applications", tags=["applications"])

PAGE_MAX = 1_000
ApplicationPath = Annotated[UUID, Path(description="Id of an application.")]
KeyPath = Annotated[str, Path(description="Id of a key.", pattern=r"^[0-9a-f]{12}$")]
RedirectUri = Annotated[str, Field(min_length=1, max_length=1_000)]
RedirectUris = Annotated[list[RedirectUri], Field(max_length=10)]


class ApplicationAnswer(BaseModel):
    """An application."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(description="Also its OpenID client id.")
    name: str
    organization: str | None
    account: UUID | None
    stands_for_organization: bool = Field(description="Its keys are the organization's own tokens.")
    public_client: bool
    redirect_uris: list[str]
    created_at: datetime
    suspended_at: datetime | None


class ApplicationPage(BaseModel):
    """Applications by id; ``next`` leads to the following page."""

    model_config = ConfigDict(extra="forbid")

    applications: list[ApplicationAnswer]
    next: str | None


class NewApplicationBody(BaseModel):
    """An application to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    organization: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="The owner; without it your own account."
    )
    public_client: bool = Field(default=False, description="It runs where it cannot keep a key, and gets none.")
    redirect_uris: RedirectUris = []


class RedirectsBody(BaseModel):
    """Where people who sign in may be sent back to; compared exactly."""

    model_config = ConfigDict(extra="forbid")

    redirect_uris: RedirectUris


class KeyBody(BaseModel):
    """How long the key lives."""

    model_config = ConfigDict(extra="forbid")

    days: int = Field(default=KEY_DAYS, ge=1, le=3650)


class IssuedKeyAnswer(BaseModel):
    """A new key, shown this once."""

    model_config = ConfigDict(extra="forbid")

    key: str
    id: str
    expires_at: datetime


class KeyAnswer(BaseModel):
    """A key by its id."""

    model_config = ConfigDict(extra="forbid")

    id: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class KeyList(BaseModel):
    """All keys, the newest first."""

    model_config = ConfigDict(extra="forbid")

    keys: list[KeyAnswer]


@router.get("", summary="Applications", responses=problems(403))
def read_applications(
    caller: CallerOf,
    parts: PartsOf,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX, description="Applications on a page.")] = 100,
    after: Annotated[UUID | None, Query(description="Applications after this id.")] = None,
) -> ApplicationPage:
    """Yours and your organization's; all for administrators and auditors."""
    with parts.pool.connection() as conn:
        found = applications.applications(conn, caller, limit + 1, None if after is None else str(after))
    page = found[:limit]
    following = f"{router.prefix}?limit={limit}&after={page[-1].id}" if len(found) > limit else None
    return ApplicationPage(applications=[_shown(one) for one in page], next=following)


@router.post("", status_code=201, summary="Register an application", responses=problems(403, 404))
def add_application(body: NewApplicationBody, caller: CallerOf, parts: PartsOf) -> ApplicationAnswer:
    """For developers (their own), for developers and stewards of an organization (its), and for administrators."""
    new = NewApplication(
        name=body.name,
        organization=body.organization,
        public_client=body.public_client,
        redirect_uris=tuple(body.redirect_uris),
    )
    with parts.pool.connection() as conn:
        return _shown(applications.add_application(conn, caller, new, parts.clock()))


@router.get("/{application}", summary="One application", responses=problems(404))
def read_application(application: ApplicationPath, caller: CallerOf, parts: PartsOf) -> ApplicationAnswer:
    """One of yours; another's answers as one that is not there."""
    with parts.pool.connection() as conn:
        return _shown(applications.application(conn, caller, str(application)))


@router.put("/{application}/redirect-uris", summary="Replace the redirect URIs", responses=problems(403, 404))
def set_redirect_uris(
    application: ApplicationPath, body: RedirectsBody, caller: CallerOf, parts: PartsOf
) -> ApplicationAnswer:
    """https, or http on the loopback address; no fragment."""
    with parts.pool.connection() as conn:
        return _shown(applications.set_redirect_uris(conn, caller, str(application), body.redirect_uris, parts.clock()))


@router.post(
    "/{application}/suspend",
    status_code=204,
    summary="Suspend an application",
    responses=problems(403, 404),
    response_class=Response,
)
def suspend(application: ApplicationPath, body: ReasonBody, caller: CallerOf, parts: PartsOf) -> Response:
    """Takes effect within a second, on its keys and on tokens given out."""
    with parts.pool.connection() as conn:
        applications.suspend(conn, caller, str(application), body.reason, parts.clock())
    return Response(status_code=204)


@router.post(
    "/{application}/resume",
    status_code=204,
    summary="End a suspension",
    responses=problems(403, 404),
    response_class=Response,
)
def resume(application: ApplicationPath, body: ReasonBody, caller: CallerOf, parts: PartsOf) -> Response:
    """For administrators."""
    with parts.pool.connection() as conn:
        applications.resume(conn, caller, str(application), body.reason, parts.clock())
    return Response(status_code=204)


# Keys ----------------------------------------------------------------------------------------------------------------


@router.get("/{application}/keys", summary="Keys of an application", responses=problems(404))
def read_keys(application: ApplicationPath, caller: CallerOf, parts: PartsOf) -> KeyList:
    """Their ids and terms; a key itself is never shown again."""
    with parts.pool.connection() as conn:
        found = applications.keys(conn, caller, str(application))
    return KeyList(
        keys=[
            KeyAnswer(id=one.id, created_at=one.created_at, expires_at=one.expires_at, revoked_at=one.revoked_at)
            for one in found
        ]
    )


@router.post("/{application}/keys", status_code=201, summary="Make a key", responses=problems(403, 404, 409))
def add_key(application: ApplicationPath, body: KeyBody, caller: CallerOf, parts: PartsOf) -> IssuedKeyAnswer:
    """Shown this once. Two live at once: make the next, put it in use, revoke the last."""
    with parts.pool.connection() as conn:
        issued = applications.add_key(conn, caller, str(application), parts.clock(), body.days)
    return IssuedKeyAnswer(key=issued.key, id=issued.id, expires_at=issued.expires_at)


@router.delete(
    "/{application}/keys/{key}",
    status_code=204,
    summary="Revoke a key",
    responses=problems(403, 404),
    response_class=Response,
)
def revoke_key(application: ApplicationPath, key: KeyPath, caller: CallerOf, parts: PartsOf) -> Response:
    """Takes effect within a second, on the tokens issued for it too."""
    with parts.pool.connection() as conn:
        applications.revoke_key(conn, caller, str(application), key, parts.clock())
    return Response(status_code=204)


def _shown(application: Application) -> ApplicationAnswer:
    return ApplicationAnswer.model_validate(
        {name: getattr(application, name) for name in ApplicationAnswer.model_fields}
    )
