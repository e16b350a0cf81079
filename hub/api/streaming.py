"""An export as an answer: sent as fast as it is taken, and broken off where it is cut.

A cut answer has no end: without the last chunk of RFC 9112 §7.1 every client knows that it is not whole. A reader that
goes away, or takes nothing for too long, ends the export; its connection to the store is closed with it and never
handed to anyone.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import anyio
from anyio.to_thread import run_sync
from fastapi import Response
from starlette.types import Receive, Scope, Send

from hub.release.export import Export
from hub.release.read_ahead import StreamCut

THREADS_MAX: Final = 64  # of streams, apart from the threads that answer requests; ``exports_max`` is below it


class Streamed(Response):
    """One export."""

    def __init__(self, export: Export, content_type: str, headers: Mapping[str, str], stall_seconds: float) -> None:
        super().__init__(status_code=200, headers=headers)
        del self.headers["content-length"]
        self.headers["content-type"] = content_type
        self._export = export
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a stream that is cut is left without its end, upon which the server closes the connection."""
        del scope
        watching = asyncio.create_task(self._until_gone(receive))
        chunks = self._export.chunks()
        limiter = anyio.CapacityLimiter(1)  # the next chunk only after this one was taken
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while (chunk := await run_sync(next, chunks, None, limiter=limiter)) is not None:
                await self._sent(send, chunk)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except StreamCut:
            return
        finally:
            watching.cancel()
            with anyio.CancelScope(shield=True):
                self._export.stop("disconnected")
                await run_sync(chunks.close, limiter=limiter)
                await run_sync(self._export.close, "disconnected", limiter=limiter)

    async def _sent(self, send: Send, chunk: bytes) -> None:
        try:
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            self._export.stop("stalled")
            raise StreamCut("stalled") from None

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._export.stop("disconnected")
