"""Grants that are over by their dates are written down as ended, once a minute, beside what else a process does.

Nothing waits for it: decisions look at the dates themselves. What it adds is the state everyone reads, the step in the
grant's course and its leaf. Any number of processes and machines may do it at once: whoever locks a grant first ends
it, the others pass it over, and an ended grant is not found again; so each has one step and one leaf.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final

from psycopg import Connection, OperationalError

from hub.acts.grant_course import LAPSED_MAX, end_lapsed
from hub.beside import going_on_beside
from hub.observations import GrantsLapsed, LapsingFailed, StoreLost, observe
from hub.store.errors import StoreError
from schemas.errors import HubError

LAPSE_SECONDS: Final = 60.0


@contextmanager
def ending_lapsed(
    opened: Callable[[], AbstractContextManager[Connection]],
    clock: Callable[[], datetime],
    every_seconds: float = LAPSE_SECONDS,
) -> Generator[None]:
    """End what has lapsed, now and then once in a while, on a thread of its own, until the block ends.

    Args:
        opened: a connection in autocommit, opened anew each time, so that a lost store costs one turn.
        clock: the hub's.
        every_seconds: between two turns.
    """

    def turns(stopping: threading.Event) -> None:
        _turn(opened, clock, every_seconds)
        while not stopping.wait(every_seconds):
            _turn(opened, clock, every_seconds)

    with going_on_beside("grants-lapse", turns):
        yield


def _turn(
    opened: Callable[[], AbstractContextManager[Connection]], clock: Callable[[], datetime], every_seconds: float
) -> None:
    """One turn; whatever it fails on is told, and stops neither the next one nor what runs beside it."""
    try:
        with opened() as conn:
            while _ended(conn, clock()) == LAPSED_MAX:
                pass
    except (OperationalError, StoreError) as error:
        observe(StoreLost(type(error).__name__, every_seconds))
    except HubError as error:
        observe(LapsingFailed(f"{error.code}: {error.sentence('en')}"))
    except Exception as error:  # noqa: BLE001 - a defect here must not end the process that seals the ledger
        observe(LapsingFailed(type(error).__name__))


def _ended(conn: Connection, now: datetime) -> int:
    with conn.transaction():
        ended = end_lapsed(conn, now)
    if ended:
        observe(GrantsLapsed(ended))
    return ended
