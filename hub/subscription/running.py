"""The dispatcher as a process: threads that deliver, and beside them what must be done now and then."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from psycopg import OperationalError
from psycopg_pool import ConnectionPool, PoolTimeout

from hub.errors import LogUnavailable
from hub.observations import StoreLost, observe
from hub.release.export import close_lost
from hub.release.export_store import forget_exports
from hub.store.errors import StoreError
from hub.subscription.dispatcher import Dispatcher

IDLE_SECONDS: Final = 0.25
PAUSE_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 30.0
# An export's process that has not gone on for so long is gone: one that waits for its reader gives up before.
LOST_AFTER: Final = timedelta(minutes=5)

Stopping = Callable[[], bool]


def run_threads(dispatcher: Dispatcher, threads: int, sweep: Callable[[], None], stopping: Stopping) -> None:
    """Deliver until told to stop, through any loss of the store; each thread ends its turn first."""
    ended = threading.Event()
    working = [
        threading.Thread(target=_deliver, args=(dispatcher, IDLE_SECONDS * number, ended), name=f"dispatch-{number}")
        for number in range(1, threads + 1)
    ]
    for thread in working:
        thread.start()
    try:
        waited = 0.0
        while not stopping():
            if ended.wait(IDLE_SECONDS):
                break
            waited += IDLE_SECONDS
            if waited >= SWEEP_SECONDS:
                waited = 0.0
                _tolerant(sweep)
    finally:
        ended.set()
        for thread in working:
            thread.join()


def _deliver(dispatcher: Dispatcher, idle_seconds: float, ended: threading.Event) -> None:
    while not ended.is_set():
        found: list[bool] = []
        if not _tolerant(lambda found=found: found.append(dispatcher.step())):
            ended.wait(PAUSE_SECONDS)
        elif not found[0]:
            ended.wait(idle_seconds)


def _tolerant(work: Callable[[], None]) -> bool:
    try:
        work()
    except (OperationalError, PoolTimeout, StoreError, LogUnavailable) as lost:
        observe(StoreLost(type(lost).__name__, PAUSE_SECONDS))
        return False
    return True


def sweep_exports(pool: ConnectionPool, clock: Callable[[], datetime], kept_days: int) -> None:
    """Close exports whose process is gone, and forget old ones."""
    now = clock()
    with pool.connection() as conn, conn.transaction():
        close_lost(conn, now - LOST_AFTER, now)
        forget_exports(conn, now - timedelta(days=kept_days))
