"""No body is larger than what it is for: all but batches are read here, up to a limit and within a time.

FastAPI reads a JSON body before it asks who is calling, so without this anyone could make the door hold any amount of
it, or hold a connection by sending a byte a minute.
"""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.body import read_body
from hub.api.errors import BodyEmpty, RequestError
from hub.api.problems import headers_of, language_of, problem_of, respond

BODY_BYTES_MAX: Final = 1024 * 1024  # the longest entry of a catalogue, a thousand fields, is a fifth of it
_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class BodyLimit:
    """ASGI middleware.

    Args:
        app: what it stands before.
        reads_itself: whether a path's endpoint reads its body under a limit of its own.
    """

    def __init__(self, app: ASGIApp, reads_itself: Callable[[str], bool]) -> None:
        self._app = app
        self._reads_itself = reads_itself

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then hand on the request with it."""
        if scope["type"] != "http" or scope["method"] not in _METHODS or self._reads_itself(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await read_body(request, BODY_BYTES_MAX)
        except BodyEmpty:
            body = b""
        except RequestError as error:
            language = language_of(request)
            await respond(problem_of(error, language), language, headers_of(error))(scope, receive, send)
            return
        handed_on = False

        async def replay() -> Message:
            nonlocal handed_on
            if handed_on:
                return await receive()  # the end of the connection
            handed_on = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)
