"""Reading a request: its media type, its preferences, and never more of its body than one batch."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.requests import ClientDisconnect

from hub.api.errors import BodyEmpty, BodyTooLarge, BodyTooSlow, ContentEncodingRefused, MediaTypeWrong

CONTAINER = "application/avro"
NDJSON = "application/x-ndjson"
JSON = "application/json"
ACCEPTED = (CONTAINER, NDJSON, JSON)
_MEANS = {**{name: name for name in ACCEPTED}, "application/ndjson": NDJSON, "avro/binary": CONTAINER}

BODY_SECONDS_MAX = 60
BODIES_MAX = 16  # bodies in memory at once; beyond that senders wait their turn

_WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*", re.IGNORECASE)


class Bodies:
    """Room for a limited number of bodies in memory."""

    def __init__(self, places: int = BODIES_MAX) -> None:
        self._places = asyncio.Semaphore(places)

    @asynccontextmanager
    async def read(self, request: Request, bytes_max: int) -> AsyncGenerator[bytes]:
        """The whole body of a request, while it has room."""
        async with self._places:
            yield await read_body(request, bytes_max)


def media_type_of(request: Request) -> str:
    """One of ACCEPTED.

    Raises:
        MediaTypeWrong, ContentEncodingRefused: what the sender can change.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise ContentEncodingRefused
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in _MEANS:
        raise MediaTypeWrong(accepted=", ".join(ACCEPTED))
    return _MEANS[given]


def length_of(request: Request, bytes_max: int) -> int | None:
    """The announced length; None when the body comes in chunks.

    Raises:
        BodyTooLarge: before a byte of it is read.
    """
    announced = request.headers.get("content-length")
    if announced is None:
        return None
    length = int(announced)  # digits: the HTTP parser refuses others
    if length > bytes_max:
        raise BodyTooLarge(bytes_max=bytes_max)
    return length


async def read_body(request: Request, bytes_max: int, seconds_max: int = BODY_SECONDS_MAX) -> bytes:
    """Read the body as it comes and stop where it grows past ``bytes_max``."""
    length_of(request, bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds_max):
            async for chunk in request.stream():
                if len(body) + len(chunk) > bytes_max:
                    raise BodyTooLarge(bytes_max=bytes_max)
                body += chunk
    except (TimeoutError, ClientDisconnect):
        raise BodyTooSlow(seconds_max=seconds_max) from None
    if not body:
        raise BodyEmpty
    return bytes(body)


def wait_seconds_of(request: Request, seconds_max: int) -> int:
    """Seconds of ``Prefer: wait=N`` (RFC 7240), at most ``seconds_max``; 0 without the preference."""
    for header in request.headers.getlist("prefer"):
        for preference in header.split(","):
            found = _WAIT.fullmatch(preference.partition(";")[0])
            if found:
                return min(int(found[1]), seconds_max)
    return 0
