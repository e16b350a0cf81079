"""The teller: a thread that a few times a second adds what was used of quotas to the store's sums, and once a minute
writes the leaves of refusals that were summed. Nobody waits for it.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from psycopg import Connection, Error

from hub.exchange.erasure_store import forget_notices
from hub.ledger.errors import LedgerError
from hub.ledger.writer import LeafWriter
from hub.observations import StoreLost, observe
from hub.release.quota import TELL_SECONDS, Quotas
from hub.release.quota_store import KEPT_DAYS, forget_uses
from hub.release.refusals import Refusals
from hub.store.errors import StoreError
from schemas.errors import HubError

STOP_SECONDS_MAX: Final = 10
FORGET_EVERY: Final = timedelta(hours=1)


class Teller:
    """Tells, over a connection of its own."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        writer: LeafWriter,
        quotas: Quotas,
        refusals: Refusals,
        clock: Callable[[], datetime],
        looks: Sequence[Callable[[Connection, datetime], None]] = (),
    ) -> None:
        """Put together.

        Args:
            connect: makes a connection in autocommit.
            writer: of leaves.
            quotas: told.
            refusals: told.
            clock: the time.
            looks: what else is to be seen so often that no request must wait to see it.
        """
        self._connect = connect
        self._writer = writer
        self._quotas = quotas
        self._refusals = refusals
        self._clock = clock
        self._looks = list(looks)
        self._conn: Connection | None = None
        self._forgotten_at: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub teller", daemon=True)

    def start(self, *looks: Callable[[], None]) -> None:
        """Begin; ``looks`` are seen to as well."""
        self._looks += [lambda _, __, look=look: look() for look in looks]
        self._thread.start()

    def stop(self) -> None:
        """Tell what there is, and end; the writer must still be open."""
        self._stopping.set()
        if self._thread.ident is None:  # never begun
            self._end()
        else:
            self._thread.join(STOP_SECONDS_MAX)

    def tell(self, *, everything: bool = False) -> None:
        """Once; ``everything`` also tells the sums of a minute that is not over."""
        now = self._clock()
        try:
            if self._conn is None or self._conn.closed:
                self._conn = self._connect()
            self._quotas.tell(self._conn, now)
            for look in self._looks:
                with suppress(HubError):  # whoever asks is told
                    look(self._conn, now)
            if self._forgotten_at is None or now - self._forgotten_at > FORGET_EVERY:
                forget_uses(self._conn, (now - timedelta(days=KEPT_DAYS)).date())
                forget_notices(self._conn, now)
                self._forgotten_at = now
            for id_, leaf in self._refusals.ended(now, everything=everything):
                self._writer.write(leaf, id_=id_)
                self._refusals.written([id_])
        except (Error, StoreError, LedgerError) as problem:  # told next time
            observe(StoreLost(type(problem).__name__, TELL_SECONDS))
            if self._conn is not None:
                with suppress(Error):
                    self._conn.close()
            self._conn = None

    def _run(self) -> None:
        while not self._stopping.wait(TELL_SECONDS):
            self.tell()
        self._end()

    def _end(self) -> None:
        self.tell(everything=True)
        if self._conn is not None:
            self._conn.close()
