"""What endpoints ask for. An endpoint's signature is its policy: ``CallerOf`` in it means no token, no answer.

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

from hub.api.problems import language_of
from hub.api.waiting import ReceiptListener, Waiting
from hub.exchange.door import Door
from hub.identity.errors import NotAuthenticated
from hub.identity.port import Caller, Identity
from hub.settings import Settings
from schemas.errors import Language

TOKEN_CHARACTERS_MAX = 4_096

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="organization token", description="The token of `hub organization add`."
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the composition root hands to the API."""

    settings: Settings
    pool: ConnectionPool
    identity: Identity
    door: Door
    waiting: Waiting
    listener: ReceiptListener
    clock: Callable[[], datetime]


def parts_of(request: Request) -> Parts:
    """The parts this application was made from."""
    return cast("Parts", request.app.state.parts)


PartsOf = Annotated[Parts, Depends(parts_of)]


def caller_of(
    request: Request, parts: PartsOf, bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
) -> Caller:
    """Who asks; refuses what is not one plain bearer token."""
    headers = request.headers.getlist("authorization")
    if bearer is None or len(headers) != 1 or len(bearer.credentials) > TOKEN_CHARACTERS_MAX:
        raise NotAuthenticated
    return parts.identity.caller(bearer.credentials, parts.clock())


CallerOf = Annotated[Caller, Depends(caller_of)]
LanguageOf = Annotated[Language, Depends(language_of)]
