"""Release put together from the settings: gate, keys, quotas, and the writer of leaves on the loop that serves."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from hub.keys import Keys
from hub.ledger.writer import LeafWriter
from hub.main import utc_now
from hub.release.export import Exports
from hub.release.feed import Feed, feed_of
from hub.release.gate import Gate
from hub.release.lines import Lines
from hub.release.on_loop import ReleaseOnLoop
from hub.release.plan import Planner
from hub.release.quota import Quotas
from hub.release.refusals import Refusals
from hub.release.release import Release
from hub.release.settle import Settlement
from hub.release.teller import Teller
from hub.release.trail_store import insertion
from hub.release.whole import Opener
from hub.settings import Settings
from hub.store.connect import connect, pool
from hub.subscription.signature import KEY_NAME as PUSH_KEY
from schemas.national.provider import CryptoProvider

LINES = 8  # each is a connection; on one machine more than the cores can use only queue in another place
# No statement of a page may keep a thread, and what it holds back, for longer than anyone waits for a page.
SESSION_SETTINGS = {"statement_timeout": "30s", "jit": "off"}
EXPORT_SETTINGS = {"jit": "off"}  # a part's time has a bound of its own


@dataclass(frozen=True, slots=True)
class ReleaseParts:
    """What of release the API runs.

    Args:
        release: answers.
        exports: streams whole datasets.
        feed: tells changes.
        pool: release's connections, in autocommit.
        push_key: public key (PEM) of what is pushed.
        on_loop: answers what meets nothing new.
        lines: of ``on_loop``.
        writer: of leaves.
        teller: of quotas and summed refusals.
    """

    release: Release
    exports: Exports
    feed: Feed
    pool: ConnectionPool
    push_key: str
    on_loop: ReleaseOnLoop
    lines: Lines
    writer: LeafWriter
    teller: Teller

    @asynccontextmanager
    async def running(self, *looks: Callable[[], None]) -> AsyncGenerator[None]:
        """Write leaves on this loop, until what waits is written; meanwhile look a few times a second."""
        await self.writer.open()
        await self.lines.open()
        self.teller.start(*looks)
        try:
            yield
        finally:
            await asyncio.to_thread(self.teller.stop)
            await self.lines.close()
            await self.writer.close()


@contextmanager
def opened_release(
    settings: Settings, url: str, keys: Keys, provider: CryptoProvider, threads: int
) -> Generator[ReleaseParts]:
    """Release over a pool of its own, whose connections are in autocommit: a page is one statement."""
    with pool(url, "hub release", size=threads, autocommit=True, settings=SESSION_SETTINGS) as connections:
        quotas, refusals = Quotas(), Refusals()
        writer = LeafWriter(url, utc_now, insertion=insertion)
        planner = Planner(keys, provider)
        settlement = Settlement(writer, quotas, refusals, planner.cursors, stale_minutes=settings.ledger_stale_minutes)
        teller = Teller(
            lambda: connect(url, "hub teller", autocommit=True), writer, quotas, refusals, utc_now, [settlement.look]
        )
        release = Release(connections, Gate(), planner, settlement)
        opener = Opener(release.gate, planner, settlement, writer, quotas)
        exports = Exports(
            lambda: connect(url, "hub export", autocommit=True, settings=EXPORT_SETTINGS),
            connections,
            opener,
            planner.cursors,
            utc_now,
            places=settings.exports_max,
            transaction_seconds_max=settings.export_transaction_seconds_max,
        )
        feed, push_key = feed_of(opener, keys, provider), keys.signer(PUSH_KEY).public_pem
        lines = Lines(lambda: connect(url, "hub release line", autocommit=True, settings=SESSION_SETTINGS), LINES)
        on_loop = ReleaseOnLoop(release, lines, writer)
        yield ReleaseParts(release, exports, feed, connections, push_key, on_loop, lines, writer, teller)
