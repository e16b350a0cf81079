"""What the door asks the store: how things stand with a dataset, and to be told of receipts."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql
from psycopg.rows import class_row

from hub.exchange.receipt import CHANNEL


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with a dataset. Counts are those apply keeps; none is selected from the data tables."""

    records: int
    tombstones: int
    history: int
    batches: int
    received: int
    rejected: int
    last_taken_at: datetime | None
    last_batch: str | None
    last_status: str | None
    quarantine_open: int
    quarantine_pending: int


def standing(conn: Connection, dataset: str) -> Standing | None:
    """Statistics of one dataset; None where there is no such dataset."""
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(
            "SELECT s.records, s.tombstones, s.history, s.batches, s.received, s.rejected, s.last_taken_at,"
            " r.batch::text AS last_batch, r.status AS last_status, q.waiting AS quarantine_open,"
            " q.pending AS quarantine_pending FROM dataset_statistics s"
            " LEFT JOIN LATERAL (SELECT batch, status FROM receipt WHERE dataset = s.dataset"
            " ORDER BY id DESC LIMIT 1) r ON true"
            " CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE state = 'open') AS waiting,"
            " count(*) FILTER (WHERE state <> 'open') AS pending FROM quarantine"
            " WHERE dataset = s.dataset AND state <> 'closed') q WHERE s.dataset = %s",
            [dataset],
        ).fetchone()


def listen(conn: Connection) -> None:
    """Be told of receipts on this connection; it must be in autocommit."""
    conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
