"""The outermost layer: every answer has its headers, and what nobody foresaw becomes a problem with an id.

The message of an unforeseen error may hold a record's values (a database quotes them), so neither the answer nor the
log has it: the log names the error's class and where it came from, under the id the caller was told.
"""

import traceback
import uuid
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.errors import HeadersTooLarge, InternalError
from hub.api.problems import language_of, problem_of, respond
from hub.observations import RequestFailed, observe
from schemas.errors import HubError

HEADERS_BYTES_MAX = 32 * 1024
FRAMES_MAX = 6
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Boundary:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(with_headers(message))

        try:
            if headers_bytes(scope) > HEADERS_BYTES_MAX:
                await _refuse(HeadersTooLarge(HEADERS_BYTES_MAX), scope, receive, send_with_headers)
                return
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the last net
            failure = observe_unforeseen(scope, error)
            if begun:
                raise ConnectionAbortedError(failure) from None  # the server closes the connection
            await _refuse(InternalError(failure), scope, receive, send_with_headers)


def with_headers(message: Message) -> Message:
    """The beginning of an answer with the headers every answer has."""
    if message["type"] == "http.response.start":
        given = message.get("headers", [])
        names = [name for name, _ in given]
        message["headers"] = [*given, *(one for one in _HEADERS if one[0] not in names)]
    return message


def headers_bytes(scope: Scope) -> int:
    """Of a request's head."""
    return sum([len(name) + len(value) for name, value in scope["headers"]])


async def _refuse(error: HubError, scope: Scope, receive: Receive, send: Send) -> None:
    language = language_of(Request(scope))
    await respond(problem_of(error, language), language)(scope, receive, send)


def observe_unforeseen(scope: Scope, error: Exception) -> str:
    """Tell of an error nobody foresaw; the id it is told under."""
    failure = str(uuid.uuid4())
    route = getattr(scope.get("route"), "path", "")  # the template, never the path: that may name a record
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    where = " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(frames))
    observe(RequestFailed(failure, str(scope["method"]), str(route), f"{type(error).__name__}: {where}"))
    return failure
