"""The receipt: what the hub answers to a batch. Its unique key is what makes a batch take effect once."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from hub.exchange.log import Span
from schemas.envelope import Envelope

CHANNEL = "hub_receipt"
_BATCH = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One row of table receipt. received = accepted + rejected + pending; a refused batch rejects all it holds."""

    id: int
    organization: str
    batch: uuid.UUID
    sender: str
    dataset: str
    contract: int
    run: uuid.UUID
    operation: str
    sm3: str
    status: str
    received: int
    accepted_new: int
    accepted_changed: int
    accepted_unchanged: int
    accepted_superseded: int
    accepted_deleted: int
    rejected: int
    pending: int
    closed: int
    flags: Mapping[str, int]
    reasons: Mapping[str, int]
    refusal: Mapping[str, Any] | None
    topic: str
    incarnation: str
    partition: int
    log_offset: int
    log_offset_last: int | None
    taken_at: datetime
    seconds: float
    leaf: uuid.UUID | None = None

    @property
    def accepted(self) -> int:
        """Records the hub holds because of, or in agreement with, this batch."""
        return (
            self.accepted_new
            + self.accepted_changed
            + self.accepted_unchanged
            + self.accepted_superseded
            + self.accepted_deleted
        )

    @property
    def span(self) -> Span:
        """Where the batch stands in the log: one message, or a run of single records."""
        last = self.log_offset if self.log_offset_last is None else self.log_offset_last
        return Span(self.topic, self.incarnation, self.partition, self.log_offset, last)

    def _position(self) -> dict[str, Any]:
        position = {"topic": self.topic, "partition": self.partition, "offset": self.log_offset}
        return position if self.log_offset_last is None else {**position, "last_offset": self.log_offset_last}

    def to_json(self) -> dict[str, Any]:
        """The receipt as it is answered: the same bytes for the same batch, each time."""
        return {
            "batch": str(self.batch),
            "dataset": self.dataset,
            "organization": self.organization,
            "sender": self.sender,
            "run": str(self.run),
            "operation": self.operation,
            "contract": self.contract,
            "sm3": self.sm3,
            "status": self.status,
            "received": self.received,
            "accepted": self.accepted,
            "new": self.accepted_new,
            "changed": self.accepted_changed,
            "unchanged": self.accepted_unchanged,
            "superseded": self.accepted_superseded,
            "deleted": self.accepted_deleted,
            "rejected": self.rejected,
            "pending": self.pending,
            "closed": self.closed,
            "flags": dict(self.flags),
            "reasons": dict(self.reasons),
            "refusal": dict(self.refusal) if self.refusal else None,
            "position": self._position(),
            "taken_at": self.taken_at.isoformat(),
            "seconds": round(self.seconds, 6),
            "leaf": None if self.leaf is None else str(self.leaf),
        }


@dataclass(slots=True)
class Tally:
    """What is counted while a batch is applied."""

    received: int = 0
    accepted_new: int = 0
    accepted_changed: int = 0
    accepted_unchanged: int = 0
    accepted_superseded: int = 0
    accepted_deleted: int = 0
    rejected: int = 0
    pending: int = 0
    closed: int = 0
    flags: Mapping[str, int] = field(default_factory=dict[str, int])
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    refusal: Mapping[str, Any] | None = None

    @property
    def status(self) -> Literal["accepted", "partial", "refused"]:
        """refused: nothing was taken; partial: some records wait or were rejected."""
        if self.refusal is not None:
            return "refused"
        return "partial" if self.rejected or self.pending else "accepted"


_COLUMNS = sql.SQL(", ").join(sql.Identifier(column.name) for column in fields(Receipt))


def read_receipt(conn: Connection, organization: str, batch: uuid.UUID) -> Receipt | None:
    """The receipt of an organization's batch, if it has been taken."""
    with conn.cursor(row_factory=class_row(Receipt)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM receipt WHERE organization = %s AND batch = %s").format(_COLUMNS),
            [organization, batch],
        ).fetchone()


def open_receipt(
    conn: Connection, envelope: Envelope, span: Span, taken: datetime, *, of_run: bool = False
) -> int | None:
    """Insert the receipt row; None when this batch id is known. Waits for another worker holding the same id.

    Args:
        conn: in the transaction that takes the batch.
        envelope: of the batch.
        span: where it stands in the log.
        taken: the transaction's time.
        of_run: whether the hub made the batch, of single records.
    """
    row = conn.execute(
        "INSERT INTO receipt (organization, batch, sender, dataset, contract, run, operation, sm3,"
        " topic, incarnation, partition, log_offset, log_offset_last, taken_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (organization, batch) DO NOTHING RETURNING id",
        [
            envelope.organization,
            envelope.batch,
            envelope.sender,
            envelope.dataset,
            envelope.contract,
            envelope.run,
            envelope.operation,
            envelope.sm3,
            *span.place,
            span.first,
            span.last if of_run else None,
            taken,
        ],
    ).fetchone()
    return None if row is None else int(row[0])


def close_receipt(conn: Connection, receipt: int, tally: Tally, seconds: float, leaf: str) -> Receipt:
    """Write the counts and the leaf's id, and tell who waits for the receipt, at commit."""
    with conn.cursor(row_factory=class_row(Receipt)) as cursor:
        closed = cursor.execute(
            sql.SQL(
                "WITH done AS (UPDATE receipt SET status = %s, received = %s, accepted_new = %s, accepted_changed = %s,"
                " accepted_unchanged = %s, accepted_superseded = %s, accepted_deleted = %s, rejected = %s,"
                " pending = %s, closed = %s, flags = %s, reasons = %s, refusal = %s, seconds = %s, leaf = %s"
                " WHERE id = %s RETURNING {columns})"
                " SELECT {columns} FROM done, LATERAL pg_notify(%s, organization || '/' || batch)"
            ).format(columns=_COLUMNS),
            [
                tally.status,
                tally.received,
                tally.accepted_new,
                tally.accepted_changed,
                tally.accepted_unchanged,
                tally.accepted_superseded,
                tally.accepted_deleted,
                tally.rejected,
                tally.pending,
                tally.closed,
                Jsonb(dict(tally.flags)),
                Jsonb(tally.reasons),
                None if tally.refusal is None else Jsonb(dict(tally.refusal)),
                seconds,
                leaf,
                receipt,
                CHANNEL,
            ],
        ).fetchone()
    assert closed is not None  # noqa: S101 - inserted in this transaction
    return closed


def refuse_messages(conn: Connection, span: Span, key: str, refusal: Mapping[str, Any]) -> None:
    """Keep why messages that can have no receipt of their own were refused.

    Args:
        conn: in the transaction that takes them.
        span: which.
        key: of the message; kept where it is the id of a batch. Any other may be personal, or no text at all.
        refusal: why.
    """
    conn.execute(
        "INSERT INTO refused_message"
        " (topic, incarnation, partition, log_offset, log_offset_last, message_key, refusal)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [*span.place, span.first, span.last, key if _BATCH.fullmatch(key) else "", Jsonb(dict(refusal))],
    )
