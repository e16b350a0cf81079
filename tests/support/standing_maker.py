"""Exports and feeds over the way out of a test."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from release_maker import PURPOSE, RESIDENT, KeysInMemory, WayOut, way_out

from catalog.caller import Caller
from catalog.decision import Asked
from hub.release.export import Export, ExportAsk, Exports
from hub.release.export_format import OFFERED
from hub.release.export_store import ExportRow, find_export
from hub.release.feed import Feed, feed_of
from hub.release.read_ahead import StreamCut
from hub.release.whole import CallerNow, Opener
from hub.store.connect import connect
from schemas.national.provider import SoftwareProvider

FILE = frozenset({"file", "subscription"})


@dataclass
class Standing:
    """What lasts longer than a request, over a way out."""

    out: WayOut
    opener: Opener
    exports: Exports
    feed: Feed

    def begin(self, caller: Caller | CallerNow, form: str = "csv", dataset: str = RESIDENT, **more: Any) -> Export:
        """An export, not yet read."""
        caller_now = caller if callable(caller) else lambda: caller
        format_ = next(one for one in OFFERED if one.name == form)
        ask = ExportAsk(dataset, Asked("file", PURPOSE), format_, **more)
        return self.exports.begin(caller_now, ask, datetime.now(UTC))

    def whole(self, caller: Caller, form: str = "csv", **more: Any) -> tuple[bytes, ExportRow]:
        """An export read to its end, and its row."""
        export = self.begin(caller, form, **more)
        content = b"".join(export.chunks())
        return content, self.row(export)

    def row(self, export: Export) -> ExportRow:
        found = find_export(self.out.conn, export.row.id)
        assert found is not None
        return found


def read_until_cut(export: Export) -> tuple[bytes, str]:
    """What an export gave before it was cut, and why it was."""
    parts: list[bytes] = []
    try:
        parts.extend(export.chunks())
    except StreamCut as cut:
        return b"".join(parts), cut.why
    raise AssertionError("it was not cut")


@contextmanager
def standing(url: str, *datasets: str, places: int = 2) -> Generator[Standing]:
    """Over a fresh database with these datasets in force."""
    with way_out(url, *datasets) as out:
        release = out.release
        opener = Opener(release.gate, out.planner, release.settlement, release.settlement._writer, out.quotas)
        exports = Exports(
            lambda: connect(url, "hub export", autocommit=True),
            release._pool,
            opener,
            out.planner.cursors,
            lambda: datetime.now(UTC),
            places=places,
            transaction_seconds_max=30,
        )
        yield Standing(out, opener, exports, feed_of(opener, KeysInMemory(), SoftwareProvider()))
