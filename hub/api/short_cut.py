"""The short cut: reads of records that meet nothing new are answered on the loop, before the framework looks at them.

A route of FastAPI costs more than the read itself. What the short cut cannot answer goes on to the route of the same
address, which answers everything; the two differ in speed alone, and a test holds their answers together.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from psycopg import OperationalError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.caller import PUBLIC, Caller
from catalog.condition_errors import ConditionWrong
from hub.api.asked import RECORD_PARAMETERS, ask_of, pairs_of, reference_of
from hub.api.dependencies import Parts
from hub.api.errors import HubUnavailable
from hub.api.problems import headers_of, language_of, problem_of, respond
from hub.observations import StoreLost, observe
from hub.release.errors import ReleaseError
from hub.release.page import Answer, Ask
from hub.release.query import wanted_from_address
from schemas.errors import HubError

_RECORDS: Final = re.compile(r"/v1/datasets/([0-9]{6}\.[a-z][a-z0-9_]{0,40})/records(/.+)?")
_BEARER: Final = "Bearer "


class ShortCut:
    """ASGI middleware, inside the boundary."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        found = None
        if scope["type"] == "http" and scope["method"] == "GET":
            found = _RECORDS.fullmatch(scope["path"])
        respond_with = None if found is None else await self._answered(Request(scope), found)
        if respond_with is None:
            await self._app(scope, receive, send)
        else:
            await respond_with(scope, receive, send)

    async def _answered(self, request: Request, found: re.Match[str]) -> ASGIApp | None:
        now = self._parts.clock()
        caller = self._caller(request)
        ask = None if caller is None else _ask(request, found[1], single=found[2] is not None)
        if caller is None or ask is None:
            return None
        reference = reference_of(request) if ask.single else None
        try:
            answer = await self._parts.release_parts.on_loop.answer(caller, ask, reference, now)
        except HubError as error:
            return _problem(request, error)
        except OperationalError as error:
            observe(StoreLost(type(error).__name__, HubUnavailable.retry_after_seconds))
            return _problem(request, HubUnavailable())
        return None if answer is None else sent(answer)

    def _caller(self, request: Request) -> Caller | None:
        given = request.headers.getlist("authorization")
        if not given:
            return PUBLIC
        if len(given) > 1 or not given[0].startswith(_BEARER):
            return None
        return self._parts.identity.remembered(given[0].removeprefix(_BEARER), self._parts.clock())


def _ask(request: Request, dataset: str, *, single: bool) -> Ask | None:
    try:
        pairs = pairs_of(request, RECORD_PARAMETERS if single else None)
        return ask_of(request, dataset, wanted_from_address(pairs), pairs, single=single)
    except (ReleaseError, ConditionWrong):
        return None  # for the route to refuse


def _problem(request: Request, error: HubError) -> ASGIApp:
    language = language_of(request)
    return respond(problem_of(error, language), language, headers_of(error))


def sent(answer: Answer) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An answer as an ASGI application."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
    if answer.status != 304:  # noqa: PLR2004 - RFC 9110 §15.4.5
        headers.append((b"content-length", str(len(answer.body)).encode()))

    async def send_answer(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    return send_answer
