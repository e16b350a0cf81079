"""Rows of what stays of erased records. Nothing commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg import Connection

# Followers of a dataset's changes are told of an erasure for so long by the record's reference; then the key is gone.
NOTICE_TERM: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What stays.

    Args:
        dataset: id.
        commitment: to the key.
        version: the highest the hub held, in two parts; None where it knew none.
        digest: of the record; None where there was only a tombstone or a rejected record.
        notice: the key, sealed.
        reason: why.
        actor: who.
        erased_at: transaction time.
    """

    dataset: str
    commitment: str
    version: tuple[int, int] | None
    digest: str | None
    notice: bytes
    reason: str
    actor: str
    erased_at: datetime


def add_erasure(conn: Connection, erasure: Erasure) -> None:
    """Insert what stays, and forget the notices that are old."""
    version, version_row = erasure.version or (None, None)
    conn.execute(
        "INSERT INTO erasure (dataset, commitment, version, version_row, digest, notice, reason, actor, erased_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(erasure.dataset, erasure.commitment, version, version_row, erasure.digest, erasure.notice),
            *(erasure.reason, erasure.actor, erasure.erased_at),
        ],
    )
    forget_notices(conn, erasure.erased_at)


def forget_notices(conn: Connection, now: datetime) -> int:
    """Take away the sealed keys whose term is over; how many."""
    return conn.execute(
        "UPDATE erasure SET notice = NULL WHERE notice IS NOT NULL AND erased_at < %s", [now - NOTICE_TERM]
    ).rowcount


def has_erasures(conn: Connection, dataset: str) -> bool:
    """Whether any record of the dataset was ever erased: one look at an index."""
    row = conn.execute("SELECT true FROM erasure WHERE dataset = %s LIMIT 1", [dataset]).fetchone()
    return row is not None


def bars_of(conn: Connection, dataset: str, commitments: Sequence[str]) -> dict[str, tuple[int, int] | None]:
    """Of each of these commitments that was erased, the version up to which its records stay out."""
    rows = conn.execute(
        "SELECT DISTINCT ON (commitment) commitment, version, version_row FROM erasure"
        " WHERE dataset = %s AND commitment = ANY(%s)"
        " ORDER BY commitment, version DESC NULLS LAST, version_row DESC NULLS LAST",
        [dataset, list(commitments)],
    ).fetchall()
    return {made: None if version is None else (version, version_row) for made, version, version_row in rows}


def notices_between(
    conn: Connection, dataset: str, since: datetime, until: datetime, limit: int
) -> list[tuple[datetime, bytes | None]]:
    """When records were erased from one instant to another, both included, and their sealed keys; None: forgotten."""
    rows = conn.execute(
        "SELECT erased_at, notice FROM erasure WHERE dataset = %s AND erased_at >= %s AND erased_at <= %s"
        " ORDER BY erased_at LIMIT %s",
        [dataset, since, until, limit],
    ).fetchall()
    return [(at, None if notice is None else bytes(notice)) for at, notice in rows]


def last_erased_at(conn: Connection, dataset: str) -> datetime | None:
    """When the last record of the dataset was erased."""
    row = conn.execute("SELECT max(erased_at) FROM erasure WHERE dataset = %s", [dataset]).fetchone()
    return None if row is None else row[0]
