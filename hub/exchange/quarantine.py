"""The quarantine: where rejected records wait, each with its reasons, until corrected.

An entry closes by an accepted record of the same key with a higher version, by a replay naming it, by hand with a
reason, or by erasure; a pending one also when its parents have come. An entry whose key already has a higher version
when it arrives is closed at once: so the open entries do not depend on the order in which batches came.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from hub.errors import QuarantineEntryUnknown
from hub.exchange.apply.target import Target
from hub.exchange.prepared import Rejected


@dataclass(frozen=True, slots=True)
class Entry:
    """One rejected record as its sender sees it."""

    id: int
    batch: str
    position: int | None
    key: str | None
    record: Mapping[str, str | None] | None
    digest: str
    reasons: Sequence[Mapping[str, Any]]
    state: str
    created_at: datetime

    def to_json(self) -> dict[str, Any]:
        """The entry as it is answered to its sender."""
        return {
            "id": self.id,
            "batch": self.batch,
            "position": self.position,
            "record": self.record,
            "digest": self.digest,
            "reasons": list(self.reasons),
            "state": self.state,
            "created_at": self.created_at.isoformat(),
        }


def put(
    conn: Connection, target: Target, organization: str, entries: Sequence[tuple[int, Rejected]], taken: datetime
) -> None:
    """Insert open entries, each under its receipt; what waits already, for the same reasons, is not put twice."""
    waiting = _waiting(conn, target.dataset, "open", [entry for _, entry in entries])
    entries = [one for one in entries if (one[1].digest, one[1].codes) not in waiting]
    if not entries:
        return
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY quarantine (receipt, organization, dataset, position, key, version, version_row, record, digest,"
            " reasons, codes, state, created_at) FROM STDIN"
        ) as copy,
    ):
        for receipt, entry in entries:
            copy.write_row(
                (
                    receipt,
                    organization,
                    target.dataset,
                    entry.position,
                    _storable(entry.key),
                    entry.version,
                    entry.row,
                    Jsonb({name: _storable(value) for name, value in entry.record.items()}),
                    entry.digest,
                    Jsonb(list(entry.reasons)),
                    entry.codes,
                    "open",
                    taken,
                )
            )


def _waiting(
    conn: Connection, dataset: str, state: Literal["open", "pending"], entries: Sequence[Rejected]
) -> set[tuple[str, str]]:
    """Digest and codes of those of the entries that wait already."""
    if not entries:
        return set()
    rows = conn.execute(
        "SELECT digest, codes FROM quarantine"
        " WHERE dataset = %s AND digest = ANY(%s) AND state = %s AND state <> 'closed'",
        [dataset, [entry.digest for entry in entries], state],
    ).fetchall()
    return {(str(digest), str(codes)) for digest, codes in rows}


def not_pending(conn: Connection, dataset: str, entries: Sequence[Rejected]) -> set[str]:
    """Digests of those entries that do not wait as pending yet."""
    waiting = {digest for digest, _ in _waiting(conn, dataset, "pending", entries)}
    return {entry.digest for entry in entries} - waiting


def _storable(text: str | None) -> str | None:
    """PostgreSQL's text cannot hold U+0000; it is kept visible as U+2400."""
    return None if text is None else text.replace("\x00", "\u2400")


def put_pending(
    conn: Connection, target: Target, organization: str, receipt: int, entry: Rejected, taken: datetime
) -> int:
    """Insert one pending entry; returns its id."""
    row = conn.execute(
        "INSERT INTO quarantine (receipt, organization, dataset, position, key, version, version_row, record, digest,"
        " reasons, codes, state, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'pending', %s)"
        " RETURNING id",
        [
            receipt,
            organization,
            target.dataset,
            entry.position,
            entry.key,
            entry.version,
            entry.row,
            Jsonb(dict(entry.record)),
            entry.digest,
            Jsonb(list(entry.reasons)),
            entry.codes,
            taken,
        ],
    ).fetchone()
    assert row is not None  # noqa: S101 - RETURNING of one inserted row
    return int(row[0])


def wait_for(conn: Connection, entry: int, parents: Sequence[tuple[str, str, str]]) -> None:
    """Write down what a pending entry waits for, as (reference name, parent dataset, parent key)."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO pending_reference (quarantine, name, parent, parent_key) VALUES (%s, %s, %s, %s)",
            [(entry, *parent) for parent in parents],
        )


def has_open(conn: Connection, dataset: str) -> bool:
    """Whether any entry of the dataset waits."""
    row = conn.execute(
        "SELECT true FROM quarantine WHERE dataset = %s AND state <> 'closed' LIMIT 1", [dataset]
    ).fetchone()
    return row is not None


def close_overtaken(
    conn: Connection, target: Target, taken: datetime, *, receipts: Sequence[int] | None, delete: bool = False
) -> None:
    """Close waiting entries whose key now has a higher version in current.

    A delete wins over every record of its own version, so it also ends the conflicts among them: had it come first,
    there would have been none.

    Args:
        conn: the apply transaction.
        target: the dataset.
        taken: time of closing.
        receipts: look only at entries just put under these receipts; None: at those whose key is in staging.
        delete: staging holds deletes.
    """
    if receipts is None:
        # Hash join for once: both sides are scanned whole, and staging has no index.
        conn.execute("SET LOCAL enable_hashjoin = on")
        condition = sql.SQL(" FROM {staging} s WHERE q.key = {key} AND (q.version IS NULL OR {higher})").format(
            staging=target.staging,
            key=target.key_text("s"),
            higher=sql.SQL(
                "(s._version, s._row) >= (q.version, q.version_row) AND"
                " ((s._version, s._row) > (q.version, q.version_row) OR {delete} AND q.codes = 'conflict:')"
            ).format(delete=sql.Literal(delete)),
        )
    else:
        condition = sql.SQL(
            " FROM {current} c WHERE {key} AND (q.version IS NULL OR (c._version, c._row) > (q.version, q.version_row))"
            " AND q.receipt = ANY(%(receipts)s)"
        ).format(current=target.current, key=target.key_from_text("c", sql.SQL("q.key")))
    closed = conn.execute(
        sql.SQL("UPDATE quarantine q SET state = 'closed', closed_at = %(taken)s, closed_by = %(by)s")
        + condition
        + sql.SQL(" AND q.dataset = %(dataset)s AND q.state <> 'closed' AND q.key IS NOT NULL RETURNING q.id"),
        {
            "taken": taken,
            "by": "accepted" if receipts is None else "superseded",
            "dataset": target.dataset,
            "receipts": list(receipts or ()),
        },
    ).fetchall()
    if receipts is None:
        conn.execute("SET LOCAL enable_hashjoin = off")
    if closed:
        conn.execute("DELETE FROM pending_reference WHERE quarantine = ANY(%s)", [[row[0] for row in closed]])


def list_open(conn: Connection, organization: str, dataset: str, limit: int, after: int = 0) -> list[Entry]:
    """A page of waiting entries of an organization's dataset, by id."""
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(
            "SELECT q.id, r.batch::text AS batch, q.position, q.key, q.record, q.digest, q.reasons, q.state,"
            " q.created_at FROM quarantine q JOIN receipt r ON r.id = q.receipt"
            " WHERE q.organization = %s AND q.dataset = %s AND q.state <> 'closed' AND q.id > %s"
            " ORDER BY q.id LIMIT %s",
            [organization, dataset, after, limit],
        ).fetchall()


def name_replay(conn: Connection, organization: str, dataset: str, batch: uuid.UUID, entries: Sequence[int]) -> None:
    """Write down which waiting entries a batch replays, before it is appended.

    Raises:
        QuarantineEntryUnknown: an entry is not one of this dataset's, or waits no more.
    """
    rows = conn.execute(
        "SELECT id FROM quarantine WHERE id = ANY(%s) AND organization = %s AND dataset = %s AND state <> 'closed'",
        [list(entries), organization, dataset],
    ).fetchall()
    unknown = sorted({*entries} - {int(row[0]) for row in rows})
    if unknown:
        raise QuarantineEntryUnknown(entry=unknown[0])
    conn.execute(
        "INSERT INTO quarantine_replay (organization, batch, entry) SELECT %s, %s, unnest(%s::bigint[])"
        " ON CONFLICT DO NOTHING",
        [organization, batch, list(entries)],
    )


def close_replayed(conn: Connection, organization: str, batch: str, taken: datetime) -> None:
    """Close what a batch replays: its records are accepted, or wait under entries of their own."""
    closed = conn.execute(
        "UPDATE quarantine q SET state = 'closed', closed_at = %s, closed_by = 'replay', closed_note = %s"
        " FROM quarantine_replay r WHERE r.organization = %s AND r.batch = %s AND q.id = r.entry"
        " AND q.state <> 'closed' RETURNING q.id",
        [taken, batch, organization, batch],
    ).fetchall()
    if closed:
        conn.execute("DELETE FROM pending_reference WHERE quarantine = ANY(%s)", [[row[0] for row in closed]])


def close_by_hand(conn: Connection, entry: int, note: str) -> bool:
    """Close one waiting entry with a reason; False when it was not waiting."""
    closed = conn.execute(
        "UPDATE quarantine SET state = 'closed', closed_at = now(), closed_by = 'hand', closed_note = %s"
        " WHERE id = %s AND state <> 'closed'",
        [note, entry],
    ).rowcount
    conn.execute("DELETE FROM pending_reference WHERE quarantine = %s", [entry])
    return closed == 1


def reasons_of(conn: Connection, dataset: str | None = None) -> dict[str, int]:
    """How many waiting entries carry each set of reason codes, the commonest first."""
    rows = conn.execute(
        "SELECT codes, count(*) FROM quarantine WHERE state <> 'closed' AND (%(dataset)s::text IS NULL OR"
        " dataset = %(dataset)s) GROUP BY codes ORDER BY count(*) DESC, codes",
        {"dataset": dataset},
    ).fetchall()
    return {str(codes): int(count) for codes, count in rows}
