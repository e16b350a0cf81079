"""Who may write which dataset, and up to which instant the past is settled.

Each dataset has one writer at a time, from after COPY to commit: then the join by ctid is safe, record times rise per
key, and a child whose parent is looked up cannot miss one that is just arriving. Parents are locked shared.

Before an apply looks at its clock it takes the horizon lock, shared. A reader takes the time, then looks who holds that
lock: whoever will write a time before the reader's is among them. The oldest start among the holders is the horizon.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from psycopg import Connection

_HORIZON_LOCK = 0x485A4E  # one fixed number of the hub's, "HZN"


def _number(dataset: str) -> int:
    return int.from_bytes(hashlib.new("sm3", f"apply:{dataset}".encode()).digest()[:8], "big", signed=True)


def enter_horizon(conn: Connection) -> None:
    """First statement of an apply transaction."""
    conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_HORIZON_LOCK])


def lock_datasets(conn: Connection, written: Iterable[str], looked_up: Iterable[str]) -> None:
    """Lock in one fixed order, so that two applies never wait for each other in a circle."""
    exclusive = {_number(dataset) for dataset in written}
    shared = {_number(dataset) for dataset in looked_up} - exclusive
    numbers = sorted(exclusive | shared)
    conn.execute(
        "SELECT CASE WHEN exclusive THEN pg_advisory_xact_lock(number) ELSE pg_advisory_xact_lock_shared(number) END"
        " FROM unnest(%s::bigint[], %s::boolean[]) WITH ORDINALITY AS wanted (number, exclusive, place) ORDER BY place",
        [numbers, [number in exclusive for number in numbers]],
    )


def horizon(conn: Connection) -> datetime:
    """The instant up to which every read repeats: the start of the oldest apply still open, else now.

    Call it outside a snapshot that is older than the call (read committed): rows of applies that have just
    ended must be visible to the statement that follows.
    """
    now = conn.execute("SELECT clock_timestamp()").fetchone()
    oldest = conn.execute(
        "SELECT min(a.xact_start) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = %s AND l.objsubid = 1 AND l.granted"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [_HORIZON_LOCK],
    ).fetchone()
    assert now is not None  # noqa: S101 - a SELECT without FROM has one row
    assert oldest is not None  # noqa: S101 - an aggregate has one row
    return min(now[0], oldest[0]) if oldest[0] is not None else now[0]
