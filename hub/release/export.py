"""Whole-dataset exports: a dataset at an instant, in the order of its key, streamed in constant memory.

A stream is two leaves: ``release.opened``, durable before the first byte, and ``release.closed`` with rows, bytes, SM3
and whether it was complete or cut. In between, the caller and the policy are looked at again at least every
``CHECK_SECONDS`` and before any byte that comes later: where the terms changed, or the answer became no, the stream is
cut. It goes on from a record boundary at the same instant, under a new decision, by one of the cursors that
``GET /v1/exports/{id}`` names; where its terms are others than those of the file so far, only if that was asked for.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from psycopg import Connection, Error
from psycopg_pool import ConnectionPool, PoolTimeout

from catalog.caller import Caller
from catalog.decision import Asked
from hub.exchange.apply.locks import horizon
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from hub.release.copy_out import Chunk
from hub.release.cursor import Cursors, Place
from hub.release.errors import QueryWrong, QuotaUsedUp
from hub.release.export_errors import ExportsTooMany, ExportTermsChanged, ExportUnknown
from hub.release.export_format import Writer, writer_of
from hub.release.export_store import ExportRow, add_export, beat, close_export, find_export, lock_lost
from hub.release.formats import Format
from hub.release.page import leaf_of
from hub.release.read_ahead import Boundary, ReadAhead, StreamCut, Why
from hub.release.segment import Key
from hub.release.trail_store import Trail
from hub.release.whole import CHECK_SECONDS, CallerNow, Opened, Opener
from schemas.errors import HubError

BEAT_SECONDS: Final = 1.0
POINTS_MAX: Final = 16
LOST_MAX: Final = 100  # closed at a time


@dataclass(frozen=True, slots=True)
class ExportAsk:
    """What is asked for.

    Args:
        dataset: id.
        asked: purpose and grant; the method is ``file``.
        format: one of ``export_format.OFFERED``.
        spreadsheet: whether a CSV is opened by people.
        instant: the records are those of this moment; None for now. Later than the horizon: the horizon.
        after: the cursor to go on from; it knows its instant.
        other_terms: whether to go on although the terms are others.
    """

    dataset: str
    asked: Asked
    format: Format
    spreadsheet: bool = False
    instant: datetime | None = None
    after: str | None = None
    other_terms: bool = False


@dataclass(frozen=True, slots=True)
class _From:
    """Where it begins."""

    instant: datetime
    after: Key | None
    continues: str | None
    terms: str


class Exports:
    """The exports of one process. Threads may share it."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        pool: ConnectionPool,
        opener: Opener,
        cursors: Cursors,
        clock: Callable[[], datetime],
        *,
        places: int,
        transaction_seconds_max: float,
    ) -> None:
        """Put together.

        Args:
            connect: a connection in autocommit for one export; it is closed with it, never handed on.
            pool: for everything short; in autocommit.
            opener: decides.
            cursors: seals record boundaries.
            clock: the time.
            places: how many may run at once.
            transaction_seconds_max: how long one part may be read; a stream that needs longer is cut.
        """
        self.connect = connect
        self.pool = pool
        self.opener = opener
        self.cursors = cursors
        self.clock = clock
        self.transaction_seconds_max = transaction_seconds_max
        self._places = threading.BoundedSemaphore(places)
        self._places_max = places

    def begin(self, caller_now: CallerNow, ask: ExportAsk, now: datetime) -> "Export":
        """Decide, and write the leaf that it was opened; nothing has been sent yet.

        Raises:
            ExportsTooMany: no place is free.
            ExportTermsChanged: it would go on under other terms.
            CursorWrong, QueryWrong, DatasetUnknown, ReleaseRefused, LedgerStale, QuotaUsedUp: as they say.
        """
        if not self._places.acquire(blocking=False):
            raise ExportsTooMany(exports_max=self._places_max)
        try:
            return self._begin(caller_now, ask, now)
        except BaseException:
            self._places.release()
            raise

    def _begin(self, caller_now: CallerNow, ask: ExportAsk, now: datetime) -> "Export":
        caller = caller_now()
        with self.pool.connection() as conn:
            opened = self.opener.open(conn, caller, ask.dataset, ask.asked, now)
            start = self._start(conn, caller, ask, now)
            if start.terms and start.terms != opened.terms and not ask.other_terms:
                raise ExportTermsChanged
            self.opener.take(opened, (1, 0, 0), now)
            id_ = self.opener.record(leaf_of(caller, opened.decided, "release.opened"), _trail(opened, start, now))
            row = ExportRow(
                *(id_, caller.id, caller.organization, ask.dataset, ask.format.name, start.instant, opened.terms),
                *(start.continues, "open", "", 0, 0, None, (), now, now, None),
            )
            add_export(conn, row)
        writer = writer_of(opened.compiled, ask.format, spreadsheet=ask.spreadsheet, continued=start.after is not None)
        return Export(self, row, opened, caller_now, writer, start.after, self._places.release)

    def _start(self, conn: Connection, caller: Caller, ask: ExportAsk, now: datetime) -> _From:
        if ask.after is None:
            settled = horizon(conn)
            return _From(settled if ask.instant is None else min(ask.instant, settled), None, None, "")
        place = self.cursors.open(ask.after, caller.id, _digest(ask.dataset, ask.format.name), now)
        if place.instant is None or (ask.instant is not None and ask.instant != place.instant):
            raise QueryWrong("instant", "与游标的时点不同", "the cursor is of another instant")
        export, terms, *key = (text or "" for text in place.values)
        return _From(place.instant, tuple(key), export, terms)

    def find(self, caller: Caller, export: str) -> ExportRow:
        """One of the caller's own, or any to an auditor.

        Raises:
            ExportUnknown: there is none, or none of the caller's; the two look the same.
        """
        with self.pool.connection() as conn:
            found = find_export(conn, export)
        own = found is not None and caller.identified and found.caller == caller.id
        if found is None or not (own or "auditor" in caller.roles):
            raise ExportUnknown(export=export[:40])
        return found

    def point(self, row: ExportRow, key: Key, rows: int, bytes_: int, now: datetime) -> dict[str, Any]:
        """A record boundary, with the cursor that goes on from it."""
        place = Place((row.id, row.terms, *key), row.instant, None)
        sealed = self.cursors.seal(place, row.caller, _digest(row.dataset, row.format), now)
        return {"rows": rows, "bytes": bytes_, "after": sealed}


class Export:
    """One stream. ``chunks`` is run by one thread at a time; ``stop`` may be called from any."""

    def __init__(
        self,
        exports: Exports,
        row: ExportRow,
        opened: Opened,
        caller_now: CallerNow,
        writer: Writer,
        after: Key | None,
        release: Callable[[], None],
    ) -> None:
        self.row = row
        self._exports = exports
        self._opened = opened
        self._caller_now = caller_now
        self._writer = writer
        self._after = after
        self._release = release
        self._digest = hashlib.new("sm3")
        self._rows = self._bytes = 0
        self._points: list[dict[str, Any]] = []
        self._looked_at = self._beat_at = time.monotonic()
        self._stopped: Why = ""
        self._closed = False

    def stop(self, why: Why) -> None:
        """Have it cut at the next look."""
        self._stopped = self._stopped or why

    def chunks(self) -> Generator[bytes]:
        """The bytes, each only after a look that was good.

        Raises:
            StreamCut: it ends here; whoever sends must break the transfer off.
        """
        try:
            yield from self._counted(Chunk(self._writer.begin(), 0))
            yield from self._parts()
            yield from self._counted(Chunk(self._writer.end(), 0))
            self._close("complete", "")
        except StreamCut as cut:
            self._close("cut", cut.why)
            yield self._writer.cut(self.row.id, cut.why)
            raise
        except (Error, HubError):
            self._close("cut", "store")
            yield self._writer.cut(self.row.id, "store")
            raise StreamCut("store") from None
        finally:
            self.close("disconnected")

    def close(self, why: Why) -> None:
        """Let go of it: what is not closed by now was cut."""
        if not self._closed:
            self._close("cut", self._stopped or why)

    # Parts -----------------------------------------------------------------------------------------------------------

    def _parts(self) -> Generator[bytes]:
        exports = self._exports
        with ReadAhead(
            exports.connect,
            self._writer,
            lambda: self._opened.compiled,
            self.row.instant,
            self._after,
            exports.transaction_seconds_max,
        ) as ahead:
            for piece in ahead.pieces(self._look):
                if isinstance(piece, Boundary):
                    self._boundary(piece.key)
                else:
                    yield from self._counted(piece)

    def _counted(self, chunk: Chunk) -> Generator[bytes]:
        if not chunk.content:
            return
        self._look()
        try:
            self._exports.opener.take(self._opened, (0, chunk.rows, len(chunk.content)), self._exports.clock())
        except QuotaUsedUp:
            raise StreamCut("quota") from None
        self._digest.update(chunk.content)
        self._rows += chunk.rows
        self._bytes += len(chunk.content)
        yield chunk.content

    def _boundary(self, key: Key) -> None:
        now = self._exports.clock()
        point = self._exports.point(self.row, key, self._rows, self._bytes, now)
        self._points = [*self._points[1 - POINTS_MAX :], point]
        if time.monotonic() - self._beat_at >= BEAT_SECONDS:
            self._beat_at = time.monotonic()
            with self._exports.pool.connection() as conn:
                beat(conn, self.row.id, self._rows, self._bytes, self._points, now)

    # Looking ---------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Whether it may go on: cheap, but for a few times a second."""
        if self._stopped:
            raise StreamCut(self._stopped)
        if time.monotonic() - self._looked_at < CHECK_SECONDS:
            return
        looked_at = time.monotonic()
        exports = self._exports
        try:
            with exports.pool.connection() as conn:
                opened = exports.opener.look_again(conn, self._opened, self._caller_now(), exports.clock())
        except QuotaUsedUp:
            raise StreamCut("quota") from None
        except HubError:
            raise StreamCut("policy") from None
        except (Error, PoolTimeout):  # not known is no
            raise StreamCut("store") from None
        if opened.terms != self._opened.terms:
            raise StreamCut("policy")
        self._opened = opened
        self._looked_at = looked_at

    def _close(self, state: Literal["complete", "cut"], why: Why) -> None:
        """Row and leaf, then the place is free. Where the store is lost, ``close_lost`` does it later."""
        self._closed = True
        exports, now = self._exports, self._exports.clock()
        sm3 = self._digest.hexdigest()
        closed = replace(self.row, state=state, why=why, rows=self._rows, bytes=self._bytes, sm3=sm3)
        try:
            with exports.pool.connection() as conn, conn.transaction():
                _close_row(conn, closed, self._points, now)
        except (Error, PoolTimeout, HubError):
            pass
        finally:
            self._release()


def close_lost(conn: Connection, before: datetime, now: datetime) -> int:
    """Close what its process left open, in the open transaction; how many."""
    lost = lock_lost(conn, before, LOST_MAX)
    for row in lost:
        _close_row(conn, replace(row, state="cut", why="lost"), row.points, now)
    return len(lost)


def _close_row(conn: Connection, row: ExportRow, points: Any, now: datetime) -> None:  # noqa: ANN401 - as they are stored
    if not close_export(conn, row.id, row.state, row.why, row.rows, row.bytes, row.sm3, points, now):
        return
    leaf = Leaf(
        action="release.closed",
        actor=row.caller,
        actor_org=row.organization or "",
        object=f"release:{row.id}",
        object_version=row.state,
        rules=(f"stream.{row.why or 'complete'}",),
        rows=row.rows,
        bytes=row.bytes,
        result_sm3=row.sm3 or "",
    )
    append(conn, leaf, now)


def _digest(dataset: str, format_: str) -> str:
    return f"export\x1f{dataset}\x1f{format_}"


def _trail(opened: Opened, start: _From, now: datetime) -> Trail:
    return Trail(
        dataset=opened.dataset,
        caller=opened.caller.id,
        organization=opened.caller.organization,
        allowed=True,
        decision=opened.decided.sm3,
        at=now,
        instant=start.instant,
        decided_us=opened.decided.took_us,
    )
