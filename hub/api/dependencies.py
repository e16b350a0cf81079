"""What endpoints ask for. An endpoint's signature is its policy.

``CallerOf`` means no token, no answer; ``AnyCallerOf`` and ``CallerNowOf`` serve the public too; ``SenderOf`` is for
organizations alone.

No endpoint holds a connection while it waits for a thread: connections are taken inside the work, as many as there are
threads, so neither can starve the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from psycopg_pool import ConnectionPool

from catalog.caller import PUBLIC, Caller
from hub.api.problems import language_of
from hub.api.release import ReleaseParts
from hub.api.waiting import ReceiptListener, Waiting
from hub.exchange.door import Door
from hub.identity.embedded_issuer import EmbeddedIssuer
from hub.identity.errors import NotAuthenticated, OrganizationNeeded
from hub.identity.port import Identity
from hub.identity.tokens import TOKEN_CHARACTERS_MAX, Tokens
from hub.release.release import Release
from hub.release.whole import CallerNow
from hub.settings import Settings
from schemas.errors import Language

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An application key (`hub_…`, the token of `hub organization add` is one) or an OpenID access token.",
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the composition root hands to the API."""

    settings: Settings
    pool: ConnectionPool
    identity: Identity
    tokens: Tokens
    issuer: EmbeddedIssuer | None
    door: Door
    waiting: Waiting
    listener: ReceiptListener
    release_parts: ReleaseParts
    clock: Callable[[], datetime]

    @property
    def release(self) -> Release:
        """The way out."""
        return self.release_parts.release


def parts_of(request: Request) -> Parts:
    """The parts this application was made from."""
    return cast("Parts", request.app.state.parts)


PartsOf = Annotated[Parts, Depends(parts_of)]


BearerOf = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


def bearer_of(request: Request, bearer: HTTPAuthorizationCredentials | None) -> str:
    """The one credential of a request."""
    headers = request.headers.getlist("authorization")
    if bearer is None or len(headers) != 1 or len(bearer.credentials) > TOKEN_CHARACTERS_MAX:
        raise NotAuthenticated
    return bearer.credentials


def caller_of(request: Request, parts: PartsOf, bearer: BearerOf) -> Caller:
    """Who asks; refuses what is not one plain bearer token."""
    return parts.identity.caller(bearer_of(request, bearer), parts.clock())


def any_caller_of(request: Request, parts: PartsOf, bearer: BearerOf) -> Caller:
    """Who asks, the public too: whoever shows no credential at all. A wrong one is refused, never overlooked."""
    if "authorization" not in request.headers:
        return PUBLIC
    return caller_of(request, parts, bearer)


def caller_now_of(request: Request, parts: PartsOf, bearer: BearerOf) -> CallerNow:
    """Who asks, the public too, whenever it is looked at: a credential that is revoked is refused from then on."""
    if "authorization" not in request.headers:
        return lambda: PUBLIC
    token = bearer_of(request, bearer)

    def caller_now() -> Caller:
        return parts.identity.caller(token, parts.clock())

    return caller_now


CallerOf = Annotated[Caller, Depends(caller_of)]
AnyCallerOf = Annotated[Caller, Depends(any_caller_of)]
CallerNowOf = Annotated[CallerNow, Depends(caller_now_of)]
PUBLIC_TOO = (any_caller_of, caller_now_of)


def sender_of(caller: CallerOf) -> str:
    """The id of the organization on whose behalf the caller asks."""
    if caller.organization is None:
        raise OrganizationNeeded
    return caller.organization


SenderOf = Annotated[str, Depends(sender_of)]
LanguageOf = Annotated[Language, Depends(language_of)]
