"""What the metrics are made of, read from the store in a few short statements; nothing of any person is in it."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class DatasetCounts:
    """What became of a dataset's batches so far."""

    dataset: str
    organization: str
    records: int
    batches: int
    received: int
    rejected: int
    last_taken_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Entries of the quarantine that are not closed, by their first reason."""

    dataset: str
    reason: str
    state: str
    entries: int


@dataclass(frozen=True, slots=True)
class DecisionTimes:
    """Of the newest answers: how many were given or refused, and how long their decisions took.

    Args:
        allowed: whether anything was given.
        answers: how many.
        median_seconds: half took no longer.
        slow_seconds: 99 of 100 took no longer.
    """

    allowed: bool
    answers: int
    median_seconds: float
    slow_seconds: float


def decision_times(conn: Connection, newest: int) -> list[DecisionTimes]:
    """Of as many answers as asked for, the newest by their leaves' ids, which begin with the time."""
    with conn.cursor(row_factory=class_row(DecisionTimes)) as cursor:
        return cursor.execute(
            "SELECT allowed, count(*) AS answers,"
            " percentile_cont(0.5) WITHIN GROUP (ORDER BY decided_us) / 1e6 AS median_seconds,"
            " percentile_cont(0.99) WITHIN GROUP (ORDER BY decided_us) / 1e6 AS slow_seconds"
            " FROM (SELECT allowed, decided_us FROM release_trail ORDER BY leaf DESC LIMIT %s) newest"
            " WHERE decided_us IS NOT NULL GROUP BY allowed ORDER BY allowed",
            [newest],
        ).fetchall()


def dataset_counts(conn: Connection) -> list[DatasetCounts]:
    """Every dataset by its id; zeros where nothing ever came."""
    with conn.cursor(row_factory=class_row(DatasetCounts)) as cursor:
        return cursor.execute(
            "SELECT d.id AS dataset, d.organization, coalesce(s.records, 0) AS records,"
            " coalesce(s.batches, 0) AS batches, coalesce(s.received, 0) AS received,"
            " coalesce(s.rejected, 0) AS rejected, s.last_taken_at"
            " FROM dataset d LEFT JOIN dataset_statistics s ON s.dataset = d.id ORDER BY d.id"
        ).fetchall()


def waiting_entries(conn: Connection) -> list[Waiting]:
    """What waits in the quarantine, counted."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(
            "SELECT dataset, coalesce(reasons -> 0 ->> 'code', '') AS reason, state, count(*) AS entries"
            " FROM quarantine WHERE state <> 'closed' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ).fetchall()
