"""Rows of subscriptions. A connection comes first; nothing commits."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Connection, sql

from catalog.subscription import Subscription

# The row's columns in the order of the class; the column of ``grant`` is named otherwise, for that is a word of SQL.
_NAMES: Final = tuple("access_grant" if one.name == "grant" else one.name for one in fields(Subscription))
_COLUMNS: Final = sql.SQL(", ").join(
    sql.SQL("{}::text").format(sql.Identifier("s", name)) if name == "id" else sql.Identifier("s", name)
    for name in _NAMES
)
_CHANGING: Final = (
    *("state", "why", "verified", "after", "settled", "pending", "pending_after", "pending_changes"),
    *("deliveries", "changes", "failures", "failure", "delivered_at", "next_at", "ended_at"),
)


def add_subscription(conn: Connection, subscription: Subscription) -> None:
    """Write a new one."""
    conn.execute(
        sql.SQL("INSERT INTO subscription ({names}) VALUES ({values})").format(
            names=sql.SQL(", ").join(map(sql.Identifier, _NAMES)),
            values=sql.SQL(", ").join([sql.Placeholder()] * len(_NAMES)),
        ),
        [getattr(subscription, one.name) for one in fields(Subscription)],
    )


def save_subscription(conn: Connection, subscription: Subscription) -> None:
    """Write where it stands after a step; what was subscribed to never changes."""
    conn.execute(
        sql.SQL("UPDATE subscription SET {assigned} WHERE id = %s").format(
            assigned=sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in _CHANGING)
        ),
        [*(getattr(subscription, name) for name in _CHANGING), subscription.id],
    )


def find_subscription(conn: Connection, subscription: str, *, locked: bool = False) -> Subscription | None:
    """One by its id; ``locked``: nobody else changes it until the transaction ends."""
    if not _is_uuid(subscription):
        return None
    lock = sql.SQL(" FOR UPDATE") if locked else sql.SQL("")
    query = sql.SQL("SELECT {columns} FROM subscription s WHERE id = %s{lock}").format(columns=_COLUMNS, lock=lock)
    return next(iter(_read(conn, query, [subscription])), None)


def list_subscriptions(
    conn: Connection, holders: Sequence[str] | None, *, after: str | None = None, limit: int = 100
) -> list[Subscription]:
    """Those of these subscribers by id, after the one named; of everyone where ``holders`` is None."""
    query = sql.SQL(
        "SELECT {columns} FROM subscription s WHERE (%(all)s OR subscriber = ANY(%(holders)s))"
        " AND (%(after)s::uuid IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s"
    ).format(columns=_COLUMNS)
    asked = {"all": holders is None, "holders": list(holders or ()), "after": after, "limit": limit}
    return _read(conn, query, asked)


def count_live(conn: Connection, holders: Sequence[str]) -> int:
    """How many of these subscribers' have not ended."""
    row = conn.execute(
        "SELECT count(*) FROM subscription WHERE subscriber = ANY(%s) AND state <> 'ended'", [list(holders)]
    ).fetchone()
    return 0 if row is None else int(row[0])


def lease_due(conn: Connection, lease: UUID, now: datetime, until: datetime) -> Subscription | None:
    """Take one that has something to do, for this dispatcher alone until a moment; the one that waits longest first.

    Due is one whose address is to be challenged, or that is active and has a delivery to repeat, or whose dataset took
    a batch, or had a record erased, after the instant it has settled. Record times may run ahead of their batch by a
    little, hence the second.
    """
    query = sql.SQL(
        "WITH due AS (SELECT s.id AS due FROM subscription s JOIN dataset_statistics d USING (dataset)"
        " WHERE s.kind <> 'pull' AND s.next_at <= %(now)s AND coalesce(s.leased_until <= %(now)s, true) AND ("
        " (s.state = 'paused' AND s.why = 'verification') OR (s.state = 'active' AND (s.pending > 0"
        " OR greatest(d.last_taken_at, (SELECT max(e.erased_at) FROM erasure e WHERE e.dataset = s.dataset))"
        " + interval '1 second' > s.settled OR s.after IS NULL)))"
        " ORDER BY s.next_at LIMIT 1 FOR UPDATE OF s SKIP LOCKED)"
        " UPDATE subscription s SET lease = %(lease)s, leased_until = %(until)s FROM due WHERE s.id = due.due"
        " RETURNING {columns}"
    ).format(columns=_COLUMNS)
    return next(iter(_read(conn, query, {"now": now, "lease": lease, "until": until})), None)


def holds_lease(conn: Connection, subscription: str, lease: UUID) -> bool:
    """Whether it is still this dispatcher's; locks the row, so that what follows in the transaction is safe."""
    row = conn.execute("SELECT lease = %s FROM subscription WHERE id = %s FOR UPDATE", [lease, subscription]).fetchone()
    return row == (True,)


def release_lease(conn: Connection, subscription: str, lease: UUID) -> None:
    """Give it back before its time."""
    conn.execute(
        "UPDATE subscription SET lease = NULL, leased_until = NULL WHERE id = %s AND lease = %s", [subscription, lease]
    )


def last_taken_at(conn: Connection, dataset: str) -> datetime | None:
    """When the dataset last took a batch or had a record erased: before that instant's horizon nothing is new."""
    row = conn.execute(
        "SELECT greatest(d.last_taken_at, (SELECT max(e.erased_at) FROM erasure e WHERE e.dataset = d.dataset))"
        " FROM dataset_statistics d WHERE d.dataset = %s",
        [dataset],
    ).fetchone()
    return None if row is None else row[0]


def _read(conn: Connection, query: sql.Composed, asked: Any) -> list[Subscription]:  # noqa: ANN401 - as psycopg takes it
    return [Subscription(*row) for row in conn.execute(query, asked).fetchall()]


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
