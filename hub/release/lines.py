"""Lines to the store for the event loop: on each one statement at a time, its result as PostgreSQL sent it.

A line goes back among the free ones when its result is complete, and not when whoever asked stops waiting: a request
that is cancelled can never hand a busy line, and with it another caller's records, to the next. A line that fails, or
keeps silent too long, is closed and another takes its place.

psycopg's asynchronous connections would do, at half the speed: what is needed here is one call of libpq each way.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from psycopg import Connection, Error, OperationalError, errors, pq
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer

from hub.observations import StoreLost, observe
from hub.release.positional import positional
from hub.release.select import Statement
from hub.store.errors import StoreError

STATEMENTS_MAX: Final = 200  # prepared on a line; then it forgets them all
WRITTEN_MAX: Final = 200  # mappings of parameters that stay
WAITING_MAX: Final = 2_000
SECONDS_MAX: Final = 35.0  # beyond the server's own limit of a statement
PAUSE_SECONDS: Final = 0.5
ENCODING: Final = "utf-8"


class Result(Protocol):
    """Rows as PostgreSQL sent them."""

    @property
    def ntuples(self) -> int:
        """How many."""
        ...

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        """One value; None for NULL."""
        ...


_Sent = tuple[Buffer | None, int]  # a value as libpq takes it, and the oid of its type


class _Written(NamedTuple):
    """Parameters that stay, and what is sent of them."""

    mapping: Mapping[str, Any]
    sent: Mapping[str, _Sent]


class Line:
    """One connection on the loop. ``done`` is called with the line when it is free again, or closed."""

    def __init__(self, conn: Connection, loop: asyncio.AbstractEventLoop, done: Callable[["Line"], None]) -> None:
        self._conn = conn
        self._pgconn = conn.pgconn
        self._loop = loop
        self._done = done
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._written: dict[int, _Written] = {}
        self._future: asyncio.Future[Any] | None = None
        self._next: Callable[[], None] | None = None
        self._result: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self.closed = False
        self._pgconn.nonblocking = 1
        self._socket = self._pgconn.socket
        loop.add_reader(self._socket, self._readable)

    def run(self, statement: Statement, future: "asyncio.Future[Any]") -> None:
        """Send a statement; its result, or error, is the future's."""
        self._future, self._result = future, None
        self._timer = self._loop.call_later(SECONDS_MAX, self._fail, OperationalError("the store is silent"))
        try:
            query, names = positional(statement.text)
            parameters, types = self._sent(statement, names)
            key = (query, types)
            name = self._prepared.get(key)
            if name is not None:
                self._execute(name, parameters)
                return
            if len(self._prepared) >= STATEMENTS_MAX:
                self._forget(key, parameters)
            else:
                self._prepare(key, parameters)
            self._flush()
        except Error as error:
            self._fail(error)

    def _sent(self, statement: Statement, names: Sequence[str]) -> tuple[list[Buffer | None], tuple[int, ...]]:
        """Values as they are sent, with their types; what stays is written once."""
        stays = self._stays(statement.stays) if statement.stays else {}
        changing = [name for name in names if name not in stays]
        fresh = self._dumped(changing, statement.parameters) if changing else {}
        sent = [stays.get(name) or fresh[name] for name in names]
        return [value for value, _ in sent], tuple(of for _, of in sent)

    def _stays(self, mapping: Mapping[str, Any]) -> Mapping[str, "_Sent"]:
        # By its identity: the mapping is kept with what was made of it, so no other can take its number.
        found = self._written.get(id(mapping))
        if found is None:
            if len(self._written) >= WRITTEN_MAX:
                self._written.clear()
            found = self._written[id(mapping)] = _Written(mapping, self._dumped(list(mapping), mapping))
        return found.sent

    def _dumped(self, names: Sequence[str], values: Mapping[str, Any]) -> dict[str, "_Sent"]:
        # Its own: what it takes a value for, it takes the next for, too. Of the connection: without one libpq escapes
        # bytes for a literal, and a quote among those of a key arrives as two.
        dumping = Transformer(self._conn)
        buffers = dumping.dump_sequence([values[name] for name in names], [PyFormat.TEXT] * len(names))
        return dict(zip(names, zip(buffers, dumping.types or (), strict=True), strict=True))

    def close(self) -> None:
        """Let go of the connection, whatever it is in the middle of."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._conn.close()

    def _forget(self, key: tuple[bytes, tuple[int, ...]], parameters: Sequence[Buffer | None]) -> None:
        self._prepared.clear()
        self._next = lambda: self._prepare(key, parameters)
        self._pgconn.send_query(b"DEALLOCATE ALL")

    def _prepare(self, key: tuple[bytes, tuple[int, ...]], parameters: Sequence[Buffer | None]) -> None:
        name = f"s{len(self._prepared)}".encode()

        def prepared() -> None:
            self._prepared[key] = name
            self._execute(name, parameters)

        self._next = prepared
        self._pgconn.send_prepare(name, key[0], param_types=key[1] or None)

    def _execute(self, name: bytes, parameters: Sequence[Buffer | None]) -> None:
        self._pgconn.send_query_prepared(name, parameters or None)
        self._flush()

    def _flush(self) -> None:
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        try:
            if not self._pgconn.flush():
                self._loop.remove_writer(self._socket)
        except Error as error:
            self._fail(error)

    def _readable(self) -> None:
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._complete()
                    return
                self._result = result
        except Error as error:
            self._fail(error)

    def _complete(self) -> None:
        result, following = self._result, self._next
        if result is None:
            if self._future is not None or self._pgconn.status != pq.ConnStatus.OK:
                self._fail(OperationalError("the store closed the connection"))
            return
        if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            self._next = None
            self._settle(None, errors.error_from_result(result, encoding=ENCODING))
            return
        if following is not None:
            self._next = None
            self._result = None
            following()
            self._flush()
            return
        self._settle(result, None)

    def _settle(self, result: Any, error: Exception | None) -> None:  # noqa: ANN401 - a PGresult
        future, self._future, self._result = self._future, None, None
        if self._timer is not None:
            self._timer.cancel()
        if future is not None and not future.done():  # else nobody waits any more
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        self._done(self)

    def _fail(self, error: Exception) -> None:
        self._next = None
        if not self.closed:
            self.close()
            self._settle(None, error if isinstance(error, OperationalError) else OperationalError(str(error)))


class Lines:
    """So many lines, and those who wait for one in turn. For one loop."""

    def __init__(self, connect: Callable[[], Connection], count: int) -> None:
        """Put together; ``connect`` makes a connection in autocommit."""
        self._connect = connect
        self._count = count
        self._free: list[Line] = []
        self._open: set[Line] = set()
        self._waiting: deque[tuple[Statement, asyncio.Future[Any]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._connecting: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect all, on the running loop."""
        self._loop = asyncio.get_running_loop()
        for _ in range(self._count):
            self._add(await asyncio.to_thread(self._connect))

    async def close(self) -> None:
        """Close all; who waits hears of it."""
        self._closed = True
        for task in self._connecting:
            task.cancel()
        for line in list(self._open):
            line.close()
        while self._waiting:
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_exception(OperationalError("the hub stops"))

    @property
    def ready(self) -> bool:
        """Whether there is any line."""
        return bool(self._open)

    def run(self, statement: Statement) -> "asyncio.Future[Any]":
        """The result of a statement, in turn. Cancelling it takes nothing back that was sent.

        Raises:
            OperationalError: too many wait.
        """
        if self._loop is None or self._closed or len(self._waiting) >= WAITING_MAX:
            raise OperationalError("no line to the store")
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._free:
            self._free.pop().run(statement, future)
        else:
            self._waiting.append((statement, future))
        return future

    def _add(self, conn: Connection) -> None:
        assert self._loop is not None  # noqa: S101 - opened
        line = Line(conn, self._loop, self._done)
        self._open.add(line)
        self._done(line)

    def _done(self, line: Line) -> None:
        if line.closed:
            self._open.discard(line)
            self._free = [one for one in self._free if one is not line]
            self._replace()
            return
        while self._waiting:
            statement, future = self._waiting.popleft()
            if not future.done():
                line.run(statement, future)
                return
        self._free.append(line)

    def _replace(self) -> None:
        if self._loop is None or self._closed:
            return
        if not self._open:  # nobody can serve those who wait
            while self._waiting:
                future = self._waiting.popleft()[1]
                if not future.done():
                    future.set_exception(OperationalError("the store does not answer"))
        task = self._loop.create_task(self._reconnect())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _reconnect(self) -> None:
        while not self._closed:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                conn = await asyncio.to_thread(self._connect)
            except (Error, StoreError) as error:
                observe(StoreLost(type(error).__name__, PAUSE_SECONDS))
                continue
            if self._closed:
                with suppress(Error):
                    conn.close()
            else:
                self._add(conn)
            return
