"""The sealer: puts new leaves in their order, grows the tree over them, and signs its head.

One session of the database seals, under an advisory lock of its own; others stand by. Everything of one turn commits
together (order, tiles, cursor, checkpoint), so a sealer that is killed at any moment leaves what was there before, and
the next one reads the same leaves again. While nothing happens the same head is signed again from time to time: a head
that is not fresh is how one sees from outside that sealing has stopped.
"""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import Connection, OperationalError

from hub.ledger import checkpoint_store, tree_store
from hub.ledger.checkpoint import Checkpoint, Signer, signed
from hub.ledger.errors import LedgerDamaged
from hub.ledger.tree import EMPTY_ROOT, Place, Tree, edge_of, leaf_hashes
from hub.ledger.tree_store import Head
from hub.observations import LedgerAlarmRaised, StoreLost, observe
from hub.store.errors import StoreError

INTERVAL_SECONDS = 1.0
LOOK_SECONDS = 0.2  # how often it is looked whether enough leaves wait to seal at once
ROWS_SOON = 2_000  # so many do not wait for the interval's end
ROWS_MAX = 20_000  # under one checkpoint; what is more goes under the next, at once
FRESH_SECONDS = 60.0  # an unchanged head is signed again after this time
RECONCILE_SECONDS = 3_600.0
PAUSE_SECONDS_MAX = 5.0
STATEMENT_SECONDS = 600
SESSION_SETTINGS = {"statement_timeout": f"{STATEMENT_SECONDS}s", "jit": "off"}

Clock = Callable[[], datetime]
Stopping = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Grown:
    """A group the tree has grown by, and the tree then."""

    leaves: bytes
    last: tuple[int, int]
    tiles: dict[Place, bytes]
    size: int
    root: bytes


class Sealer:
    """Seals over one connection and reads over another, both in autocommit and used by nobody else.

    Leaves below the horizon do not change any more, so reading them needs no part in the transaction that seals them.
    """

    def __init__(
        self, conn: Connection, reader: Connection, signer: Signer, clock: Clock, rows_max: int = ROWS_MAX
    ) -> None:
        self._conn = conn
        self._reader = reader
        self._signer = signer
        self._clock = clock
        self._rows_max = rows_max
        self._head: Head | None = None
        self._tree = Tree()
        self._reconcile_at = 0.0

    def begin(self) -> bool:
        """Become the sealer; False while another session is.

        Raises:
            LedgerDamaged: the tree stored is not the one signed last: nothing is sealed on top of it.
        """
        if not tree_store.try_lock(self._conn):
            return False
        with self._conn.transaction():
            head = tree_store.read_head(self._conn)
            edge = tree_store.read_tiles(self._conn, edge_of(head.size))
            newest = checkpoint_store.newest(self._conn)
            checkpoint_store.keep_key(self._conn, head.origin, "ledger", self._signer.public_pem, self._clock())
        try:
            self._tree = Tree(head.size, edge)
        except ValueError as error:
            raise LedgerDamaged(str(error), str(error)) from error
        signed_size, signed_root = (0, EMPTY_ROOT) if newest is None else (newest.size, newest.root)
        if (signed_size, signed_root) != (head.size, self._tree.root()):
            raise LedgerDamaged(
                f"大小 {head.size} 的树与最后签名的检查点({signed_size})不同",
                f"the tree of {head.size} is not that of the newest checkpoint, of {signed_size}",
            )
        self._head = head
        return True

    def run(self, stopping: Stopping) -> None:
        """Seal until told to stop."""
        while not stopping():
            self.turn()
            self._wait(stopping)

    def turn(self) -> int:
        """Seal all that can be sealed now; returns how many leaves.

        While this thread hashes a group, the store commits the one before and reads the one after.
        """
        sealed = 0
        committing: Future[None] | None = None
        with ThreadPoolExecutor(2, "ledger-store") as store:
            reading = store.submit(tree_store.unsealed, self._reader, self._sealing.cursor, self._rows_max)
            while (group := reading.result()).count:
                reading = store.submit(tree_store.unsealed, self._reader, group.last, self._rows_max)
                tiles = self._tree.extend(leaf_hashes(group.records))
                grown = _Grown(group.leaves, group.last, tiles, self._tree.size, self._tree.root())
                sealed += group.count
                if committing is not None:
                    committing.result()
                committing = store.submit(self._commit, grown)
            if committing is not None:
                committing.result()
        self._look_around(sealed)
        return sealed

    def _commit(self, grown: "_Grown") -> None:
        """Order, tiles, cursor and checkpoint together. If it fails, the tree in memory is ahead, this sealer done."""
        head = self._sealing
        with self._conn.transaction():
            tree_store.copy_sealed(self._conn, head.size, grown.leaves)
            tree_store.put_tiles(self._conn, grown.tiles)
            tree_store.move_head(self._conn, head.size, grown.size, grown.last)
            signed_at = self._sign(grown.size, grown.root)
        xid, id_ = grown.last
        self._head = replace(head, size=grown.size, cursor_xid=xid, cursor_id=id_, signed_at=signed_at)

    def _sign(self, size: int, root: bytes) -> datetime:
        """Sign a head, in the open transaction."""
        now = self._clock()
        newest = checkpoint_store.newest(self._conn)
        previous = (0, EMPTY_ROOT) if newest is None else (newest.size, newest.root)
        origin = self._sealing.origin
        checkpoint = Checkpoint(origin, size, root, int(now.timestamp() * 1000), *previous)
        checkpoint_store.add_checkpoint(self._conn, signed(checkpoint, origin, self._signer), now)
        return now

    def _look_around(self, sealed: int) -> None:
        """Tell that this turn was, sign an old head anew, and count what may have been missed."""
        head, now = self._sealing, self._clock()
        waiting = tree_store.waiting_above(self._conn, head, 1)
        if sealed or not waiting:
            tree_store.touch_head(self._conn, now)
        if not waiting and (head.signed_at is None or now - head.signed_at >= timedelta(seconds=FRESH_SECONDS)):
            with self._conn.transaction():
                signed_at = self._sign(self._tree.size, self._tree.root())
            self._head = replace(head, signed_at=signed_at)
        if time.monotonic() >= self._reconcile_at:
            self._reconcile_at = time.monotonic() + RECONCILE_SECONDS
            self._reconcile(now)

    def _reconcile(self, now: datetime) -> None:
        with self._conn.transaction():
            missed = tree_store.count_missed(self._conn)
            tree_store.keep_missed(self._conn, missed)
            if missed:
                zh = f"游标之前有 {missed} 个条目未封存或已丢失。"
                en = f"{missed} leaves behind the cursor were never sealed, or are gone."
                checkpoint_store.raise_alarm(self._conn, "sealer", "leaves_missed", (zh, en), now)
        if missed:
            observe(LedgerAlarmRaised("sealer", "leaves_missed"))

    def _wait(self, stopping: Stopping) -> None:
        """Until the interval's end, or until enough leaves wait."""
        until = time.monotonic() + INTERVAL_SECONDS
        while not stopping() and (left := until - time.monotonic()) > 0:
            time.sleep(min(LOOK_SECONDS, left))
            if tree_store.waiting_above(self._conn, self._sealing, ROWS_SOON) >= ROWS_SOON:
                return

    @property
    def _sealing(self) -> Head:
        assert self._head is not None, "begin() first"  # noqa: S101 - a mistake of the caller's
        return self._head


def keep_sealing(open_sealer: Callable[[], AbstractContextManager[Sealer]], stopping: Stopping) -> None:
    """Seal, standing by while another does; when the store goes away, open everything anew after a growing pause.

    Raises:
        LedgerDamaged: sealing on would cover up what is wrong.
    """
    pause = 0.1
    while not stopping():
        try:
            with open_sealer() as sealer:
                while not stopping() and not sealer.begin():
                    _sleep(INTERVAL_SECONDS, stopping)
                pause = 0.1
                sealer.run(stopping)
        except (OperationalError, StoreError) as error:
            observe(StoreLost(type(error).__name__, pause))
            _sleep(pause, stopping)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)


def _sleep(seconds: float, stopping: Stopping) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopping():
        with contextlib.suppress(InterruptedError):
            time.sleep(0.05)
