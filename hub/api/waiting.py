"""Requests that wait for their receipt: a limited number, woken by one listening connection.

A request enters before its batch is appended, so no receipt can slip by. The listener runs in a thread of its own;
when its connection is lost it wakes everyone once it listens again, and each looks for itself.
"""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from hub.exchange.door_store import listen
from hub.observations import StoreLost, observe
from hub.store.connect import connect
from hub.store.errors import StoreUnreachable

TICK_SECONDS = 0.2  # how soon the thread sees that it should end
PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 5.0


class Waiting:
    """Who waits for which receipt. Everything but ``wake`` belongs to the event loop's thread."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that requests run on."""
        self._loop = loop

    @contextmanager
    def place(self, organization: str, batch: str, *, wanted: bool = True) -> Generator[asyncio.Event | None]:
        """A place to wait, or None when none is wanted or all are taken."""
        if not wanted or self._count >= self._places:
            yield None
            return
        payload, event = f"{organization}/{batch}", asyncio.Event()
        self._count += 1
        self._waiting.setdefault(payload, []).append(event)
        try:
            yield event
        finally:
            self._count -= 1
            waiting = self._waiting[payload]
            waiting.remove(event)
            if not waiting:
                del self._waiting[payload]

    @property
    def count(self) -> int:
        """How many wait now."""
        return self._count

    def wake(self, payload: str | None) -> None:
        """A receipt is there (None: any may be). Called from the listener's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, payload)

    def _wake(self, payload: str | None) -> None:
        events = [one for some in self._waiting.values() for one in some] if payload is None else []
        for event in events or self._waiting.get(payload or "", []):
            event.set()


class ReceiptListener:
    """One connection that hears of every receipt, whatever happens to the store in between."""

    def __init__(self, url: str, waiting: Waiting) -> None:
        self._url = url
        self._waiting = waiting
        self._stopping = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receipt-listener", daemon=True)

    @property
    def listening(self) -> bool:
        """Whether receipts are heard now."""
        return self._listening.is_set()

    def start(self) -> None:
        """Begin to listen; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join(timeout=TICK_SECONDS * 4)

    def _run(self) -> None:
        pause = PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                self._listen()
                pause = PAUSE_SECONDS
            except (psycopg.Error, StoreUnreachable) as lost:
                self._listening.clear()
                observe(StoreLost(type(lost).__name__, pause))
                self._stopping.wait(pause)
                pause = min(pause * 2, PAUSE_SECONDS_MAX)

    def _listen(self) -> None:
        with connect(self._url, "hub api listener", autocommit=True) as conn:
            listen(conn)
            self._listening.set()
            self._waiting.wake(None)
            while not self._stopping.is_set():
                for notification in conn.notifies(timeout=TICK_SECONDS):
                    self._waiting.wake(notification.payload)
        self._listening.clear()
