"""The short cut: reads of records that meet nothing new are answered on the loop, before the framework looks at them.

A route of FastAPI costs more than the read itself. What the short cut cannot answer goes on to the route of the same
address, which answers everything; the two differ in speed alone, and a test holds their answers together.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from psycopg import OperationalError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.caller import PUBLIC, Caller
from catalog.condition_errors import ConditionWrong
from hub.api.asked import RECORD_PARAMETERS, ask_of, pairs_of, reference_of
from hub.api.boundary import HEADERS_BYTES_MAX, headers_bytes, observe_unforeseen, with_headers
from hub.api.dependencies import Parts
from hub.api.errors import HubUnavailable, InternalError
from hub.api.problems import headers_of, language_of, problem_of, respond
from hub.observations import StoreLost, observe
from hub.release.errors import ReleaseError
from hub.release.page import Answer, Ask
from hub.release.query import wanted_from_address
from schemas.errors import HubError

_RECORDS: Final = re.compile(r"/v1/datasets/([0-9]{6}\.[a-z][a-z0-9_]{0,40})/records(/.+)?")
_BEARER: Final = b"Bearer "
# Of what decides what is asked for; what is repeated is for the route.
_TOLD: Final = (b"authorization", b"hub-purpose", b"hub-grant", b"accept", b"if-none-match")
ASKS_REMEMBERED: Final = 4_096
Told = Mapping[bytes, bytes]


class ShortCut:
    """ASGI application around the framework's."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts
        self._asks: dict[tuple[bytes | str | None, ...], Ask] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "http" and scope["method"] == "GET":
            found = _RECORDS.fullmatch(scope["path"])
            if found is not None and headers_bytes(scope) <= HEADERS_BYTES_MAX:
                try:
                    answered = await self._answered(scope, found[1], single=found[2] is not None)
                except Exception as error:  # noqa: BLE001 - the last net, as the boundary's
                    answered = _problem(scope, InternalError(observe_unforeseen(scope, error)))
                if answered is not None:
                    await answered(scope, receive, _with_headers(send))
                    return
        await self._app(scope, receive, send)

    async def _answered(self, scope: Scope, dataset: str, *, single: bool) -> ASGIApp | None:
        told = _told(scope)
        now = self._parts.clock()
        caller = None if told is None else self._caller(told, now)
        if told is None or caller is None:
            return None
        ask = self._ask(scope, dataset, told, single=single)
        if ask is None:
            return None
        reference = reference_of(scope) if single else None
        try:
            answer = await self._parts.release_parts.on_loop.answer(caller, ask, reference, now)
        except HubError as error:
            return _problem(scope, error)
        except OperationalError as error:
            observe(StoreLost(type(error).__name__, HubUnavailable.retry_after_seconds))
            return _problem(scope, HubUnavailable())
        return None if answer is None else sent(answer)

    def _caller(self, told: Told, now: datetime) -> Caller | None:
        given = told.get(b"authorization")
        if given is None:
            return PUBLIC
        if not given.startswith(_BEARER):
            return None
        return self._parts.identity.remembered(given.removeprefix(_BEARER).decode("latin-1"), now)

    def _ask(self, scope: Scope, dataset: str, told: Told, *, single: bool) -> Ask | None:
        """What is asked for; the same headers and the same address ask for the same."""
        path: str = dataset if single else scope["path"]
        query: bytes = scope["query_string"]
        key = (path, query, *(told.get(name) for name in _TOLD[1:]))
        found = self._asks.get(key)
        if found is None:
            found = _ask(Request(scope), dataset, single=single)
            if found is not None:
                if len(self._asks) >= ASKS_REMEMBERED:
                    self._asks.clear()
                self._asks[key] = found
        return found


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        await send(with_headers(message))

    return send_with_headers


def _told(scope: Scope) -> Told | None:
    """The headers that matter; None where one is given twice."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _TOLD:
            if name in found:
                return None
            found[name] = value
    return found


def _ask(request: Request, dataset: str, *, single: bool) -> Ask | None:
    try:
        pairs = pairs_of(request, RECORD_PARAMETERS if single else None)
        return ask_of(request, dataset, wanted_from_address(pairs), pairs, single=single)
    except (ReleaseError, ConditionWrong):
        return None  # for the route to refuse


def _problem(scope: Scope, error: HubError) -> ASGIApp:
    language = language_of(Request(scope))
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
