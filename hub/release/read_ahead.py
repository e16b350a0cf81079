"""The parts of an export, read by a thread of its own while those before them are sent.

PostgreSQL makes the next part meanwhile, on another core. What was read and not yet sent is bounded, and a part is
begun only where it will fit: so its transaction is over before a slow reader could hold it open.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Literal, Self

from psycopg import Connection

from hub.release.copy_out import Chunk, Look
from hub.release.export_format import Writer
from hub.release.segment import Key, bound_after
from hub.release.select import Compiled

PART_ROWS_FIRST: Final = 2_000
PART_ROWS_MIN: Final = 100
PART_ROWS_MAX: Final = 100_000
PART_BYTES: Final = 4 * 1024 * 1024  # what a part is meant to hold
HELD_BYTES_MAX: Final = 4 * PART_BYTES  # read and not yet sent; a part that is larger is sent while it is read
PIECE_BYTES: Final = 1024 * 1024  # sent at once
LOOK_SECONDS: Final = 0.1

Why = Literal["", "policy", "quota", "disconnected", "stalled", "slow", "store", "lost"]


class StreamCut(Exception):
    """A stream ends here, before its end. Not an error to be told: the answer has long begun."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


@dataclass(frozen=True, slots=True)
class Boundary:
    """Between two parts: the key of the last record before it."""

    key: Key


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing more comes, or what broke it off."""

    failure: Exception | None


class _Left(Exception):
    """Nobody takes what is read any more."""


class ReadAhead:
    """What one export reads; used as a context, which ends the reading."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        writer: Writer,
        compiled: Callable[[], Compiled],
        instant: datetime,
        after: Key | None,
        transaction_seconds_max: float,
    ) -> None:
        """Put together.

        Args:
            connect: a connection in autocommit; it is closed with the reading.
            writer: makes bytes of a part.
            compiled: what a part is to be read by, asked before each.
            instant: the records are those of this moment.
            after: the key to begin after; None at the first.
            transaction_seconds_max: how long a part may be read.
        """
        self._connect = connect
        self._writer = writer
        self._compiled = compiled
        self._instant = instant
        self._after = after
        self._transaction_seconds_max = transaction_seconds_max
        self._pieces: deque[Chunk | Boundary | _End] = deque()
        self._held = 0
        self._left = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="export", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._left = True
            self._changed.notify_all()
        self._thread.join()

    # The one who sends -----------------------------------------------------------------------------------------------

    def pieces(self, look: Look) -> Generator[Chunk | Boundary]:
        """Chunks, and the boundaries between parts, in order; ``look`` is called while waiting.

        Raises:
            StreamCut: a part took too long.
            Error, HubError: the store failed, after what was read until then.
        """
        while not isinstance(piece := self._take(look), _End):
            yield piece
        if piece.failure is not None:
            raise piece.failure

    def _take(self, look: Look) -> Chunk | Boundary | _End:
        """The next piece; chunks of one part that are there already are joined."""
        with self._changed:
            while not self._ready():
                self._changed.wait(LOOK_SECONDS)
                look()
            piece = self._pieces.popleft()
            if not isinstance(piece, Chunk):
                return piece
            contents, rows, size = [piece.content], piece.rows, len(piece.content)
            while self._pieces and isinstance(more := self._pieces[0], Chunk) and size < PIECE_BYTES:
                contents.append(more.content)
                rows, size = rows + more.rows, size + len(more.content)
                self._pieces.popleft()
            self._held -= size
            self._changed.notify_all()
        return piece if len(contents) == 1 else Chunk(b"".join(contents), rows)

    def _ready(self) -> bool:
        return bool(self._pieces) and (self._held >= PIECE_BYTES or not isinstance(self._pieces[-1], Chunk))

    # The one who reads -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            with closing(self._connect()) as conn:
                self._read(conn)
        except _Left:
            return
        except Exception as error:  # noqa: BLE001 - raised again by the one who sends
            failure = error
        with self._changed:
            self._pieces.append(_End(failure))
            self._changed.notify_all()

    def _read(self, conn: Connection) -> None:
        after, rows = self._after, PART_ROWS_FIRST
        while True:
            self._wait(HELD_BYTES_MAX - 2 * PART_BYTES, None)
            compiled = self._compiled()
            until = bound_after(conn, compiled, after, rows)
            read_rows, read_bytes = self._part(conn, compiled, after, until)
            if until is None:
                return
            with self._changed:
                self._pieces.append(Boundary(until))
            after, rows = until, _next_rows(rows, read_rows, read_bytes)

    def _part(self, conn: Connection, compiled: Compiled, after: Key | None, until: Key | None) -> tuple[int, int]:
        deadline = time.monotonic() + self._transaction_seconds_max
        rows = size = 0
        with closing(
            self._writer.part(conn, compiled, after, until, self._instant, self._look)  # pyright: ignore[reportArgumentType] - generators all
        ) as chunks:
            for chunk in chunks:
                self._wait(HELD_BYTES_MAX, deadline)
                with self._changed:
                    self._pieces.append(chunk)
                    self._held += len(chunk.content)
                    self._changed.notify_all()
                rows, size = rows + chunk.rows, size + len(chunk.content)
        return rows, size

    def _wait(self, held: int, deadline: float | None) -> None:
        """Until so many bytes at the most are held."""
        with self._changed:
            while self._held > held and not self._left:
                if deadline is not None and time.monotonic() > deadline:
                    raise StreamCut("slow")
                self._changed.wait(LOOK_SECONDS)
        self._look()

    def _look(self) -> None:
        if self._left:
            raise _Left


def _next_rows(rows: int, read_rows: int, read_bytes: int) -> int:
    """So many that a part holds about ``PART_BYTES``; it grows by doubling at the most."""
    if not read_rows:
        return min(2 * rows, PART_ROWS_MAX)
    wanted = int(rows * PART_BYTES / max(1, read_bytes))
    return min(max(wanted, PART_ROWS_MIN), 2 * rows, PART_ROWS_MAX)
