"""The group-commit writer: leaves of reading, durable before the answer, many in one commit.

One a process, on an event loop and a connection of its own. While a group is being committed the next gathers, and
goes as soon as the commit is through: no timer. Whoever waits for a leaf hears of it when it is durable, or gets an
error; an error never looks like a written leaf, though a leaf whose commit was lost on the way may stand in the ledger
all the same. That is the side to err on: the ledger may tell of an answer that never left, and no answer leaves untold.

It lives on the loop that serves, not on a thread beside it: a thread would wait for the interpreter's lock several
times a group, up to 5 ms each, just when the loop is busy.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, DataError, Error, IntegrityError

from hub.ledger import leaf_store
from hub.ledger.errors import LedgerBusy, LedgerUnavailable
from hub.ledger.leaf import Leaf, Recorded, record
from hub.observations import StoreLost, observe
from hub.store.connect import connect_async

GROUP_MAX: Final = 2_000
WAITING_MAX: Final = 10_000
GROUP_SECONDS_MAX: Final = 5.0  # for connecting and committing; then its callers hear that nothing is known
ABANDON_SECONDS_MAX: Final = 10.0  # for a statement that was given up
PAUSE_SECONDS: Final = 0.2  # after a failure, before the next attempt
SESSION_SETTINGS: Final = {"statement_timeout": "5s", "synchronous_commit": "on", "tcp_user_timeout": "5000"}

Clock = Callable[[], datetime]
# The one statement that writes a group: its leaves, and what their callers want written beside them, or None.
Insertion = Callable[[Sequence[Recorded], Sequence[Any]], tuple[LiteralString, dict[str, object]]]


def leaves_alone(recorded: Sequence[Recorded], _: Sequence[Any]) -> tuple[LiteralString, dict[str, object]]:
    """Nothing beside them."""
    return leaf_store.insertion(recorded)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A leaf whose caller waits."""

    recorded: Recorded
    beside: Any
    future: "asyncio.Future[str] | Future[str]"


class LeafWriter:
    """Writes leaves for the event loop it was opened on, and for all threads of the process."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        waiting_max: int = WAITING_MAX,
        seconds_max: float = GROUP_SECONDS_MAX,
        insertion: Insertion = leaves_alone,
    ) -> None:
        self._url = url
        self._insertion = insertion
        self._clock = clock
        self._waiting_max = waiting_max
        self._seconds_max = seconds_max
        self._waiting: deque[_Waiting] = deque()
        self._origin = ""
        self._conn: AsyncConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self) -> None:
        """Connect and begin, on the running loop.

        Raises:
            StoreUnreachable: the store does not answer.
        """
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._conn = await self._connected()
        self._task = self._loop.create_task(self._run(self._wake))

    async def close(self) -> None:
        """Write what waits, then end."""
        self._closed = True
        if self._wake is not None and self._task is not None:
            self._wake.set()
            await self._task
        self._fail([*self._waiting])
        if self._ending:
            await asyncio.wait(self._ending)
        if self._conn is not None:
            await self._conn.close()

    async def awrite(self, leaf: Leaf, beside: object = None, id_: str | None = None) -> str:
        """Write a leaf; its id, once it is durable. A caller that is cancelled leaves its leaf to be written.

        Args:
            leaf: what happened.
            beside: what the insertion writes beside it.
            id_: the leaf's id, where the caller had to know it before.

        Raises:
            LeafWrong: it cannot be recorded.
            LedgerBusy: too many wait.
            LedgerUnavailable: it is not known to be durable: nothing may be answered.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        self._put(_Waiting(record(leaf, self._origin, self._clock(), id_), beside, future)).set()
        return await future

    def write(self, leaf: Leaf, beside: object = None, id_: str | None = None) -> str:
        """The same for a thread that may wait; raises as ``awrite``. Never on the loop's own thread."""
        future: Future[str] = Future()
        wake = self._put(_Waiting(record(leaf, self._origin, self._clock(), id_), beside, future))
        try:
            self._loop_opened().call_soon_threadsafe(wake.set)
            # Behind a group that hangs and in one that hangs; beyond that the loop itself does not answer.
            return future.result(2 * self._seconds_max + 1)
        except (TimeoutError, RuntimeError) as error:
            raise LedgerUnavailable from error

    def _put(self, one: _Waiting) -> asyncio.Event:
        """Queue a leaf, from any thread; returns what wakes the loop."""
        if self._closed or self._wake is None or self._task is None or self._task.done():
            raise LedgerUnavailable
        if len(self._waiting) >= self._waiting_max:
            raise LedgerBusy(waiting_max=self._waiting_max)
        self._waiting.append(one)
        return self._wake

    def _loop_opened(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None, "open() first"  # noqa: S101 - _put has looked
        return self._loop

    async def _run(self, wake: asyncio.Event) -> None:
        while not self._closed or self._waiting:
            await wake.wait()
            wake.clear()
            while self._waiting:
                count = min(GROUP_MAX, len(self._waiting))
                await self._write_group([self._waiting.popleft() for _ in range(count)])

    async def _write_group(self, group: list[_Waiting]) -> None:
        writing = asyncio.ensure_future(self._insert(group))
        # Not a timeout around the statement: cancelling it would wait for a server that may not answer.
        await asyncio.wait([writing], timeout=self._seconds_max)
        error = writing.exception() if writing.done() else StoreGone()
        if error is None:
            self._tell(group)
        elif isinstance(error, (DataError, IntegrityError)) and len(group) > 1:
            # One of them is wrong, and the others shall not fail for it.
            middle = len(group) // 2
            await self._write_group(group[:middle])
            await self._write_group(group[middle:])
        else:
            self._fail(group)
            observe(StoreLost(type(error).__name__, PAUSE_SECONDS))
            if not isinstance(error, (DataError, IntegrityError)):
                self._abandon(writing)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _insert(self, group: list[_Waiting]) -> None:
        if self._conn is None or self._conn.closed:
            self._conn = await self._connected()
        # One statement in autocommit: it is durable when this returns.
        await self._conn.execute(*self._insertion([one.recorded for one in group], [one.beside for one in group]))

    def _abandon(self, writing: "asyncio.Task[None]") -> None:
        """Let go of the connection, whatever it is in the middle of; the next group has another.

        Its descriptor is closed only when nobody waits on it any more, or the next connection could get its number.
        """
        conn, self._conn = self._conn, None

        async def end() -> None:
            writing.cancel()
            await asyncio.wait([writing], timeout=ABANDON_SECONDS_MAX)
            if conn is not None:
                with suppress(Error, OSError):
                    await conn.close()

        task = asyncio.get_running_loop().create_task(end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _connected(self) -> AsyncConnection:
        conn = await connect_async(self._url, "hub ledger writer", settings=SESSION_SETTINGS)
        row = await (await conn.execute(leaf_store.READ_ORIGIN)).fetchone()
        self._origin = "" if row is None else str(row[0])
        return conn

    @staticmethod
    def _tell(group: list[_Waiting]) -> None:
        for one in group:
            if not one.future.done():
                one.future.set_result(one.recorded.id)

    @staticmethod
    def _fail(group: list[_Waiting]) -> None:
        for one in group:
            if not one.future.done():
                one.future.set_exception(LedgerUnavailable())


class StoreGone(Exception):
    """The store took longer for a group than anyone waits."""


class ThreadedLeafWriter:
    """A writer with a loop of its own, for processes that have none: ``write`` from any thread, until it is closed."""

    def __init__(self, url: str, clock: Clock, insertion: Insertion = leaves_alone) -> None:
        self._writer = LeafWriter(url, clock, insertion=insertion)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ledger-writer", daemon=True)

    def __enter__(self) -> LeafWriter:
        """Connect and begin.

        Raises:
            StoreUnreachable: the store does not answer.
        """
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._writer.open(), self._loop).result()
        return self._writer

    def __exit__(self, *_: object) -> None:
        """Write what waits, then end."""
        asyncio.run_coroutine_threadsafe(self._writer.close(), self._loop).result(4 * GROUP_SECONDS_MAX)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GROUP_SECONDS_MAX)
        self._loop.close()
