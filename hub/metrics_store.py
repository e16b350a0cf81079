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
