"""Rows of exports: who had what as a whole, how far it came, and where it can go on. Nothing commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

ExportState = Literal["open", "complete", "cut"]


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export.

    Args:
        id: of its leaf ``release.opened``.
        caller: who had it.
        organization: of the caller.
        dataset: id.
        format: name.
        instant: the records are those of this moment.
        terms: digest of what left: fields, treatments, rows.
        continues: the export it goes on from.
        state: open while it runs, then complete or cut.
        why: it was cut.
        rows: sent.
        bytes: sent.
        sm3: of what was sent, hexadecimal.
        points: the last record boundaries, each ``{"rows", "bytes", "after"}``.
        opened_at: when it began.
        beat_at: when it last went on.
        closed_at: when it ended.
    """

    id: str
    caller: str
    organization: str | None
    dataset: str
    format: str
    instant: datetime
    terms: str
    continues: str | None
    state: ExportState
    why: str
    rows: int
    bytes: int
    sm3: str | None
    points: Sequence[Mapping[str, Any]]
    opened_at: datetime
    beat_at: datetime
    closed_at: datetime | None


def add_export(conn: Connection, export: ExportRow) -> None:
    """Write one that begins."""
    conn.execute(
        "INSERT INTO export (id, caller, organization, dataset, format, instant, terms, continues, state, opened_at,"
        " beat_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'open', %s, %s)",
        [
            *(export.id, export.caller, export.organization, export.dataset, export.format, export.instant),
            *(export.terms, export.continues, export.opened_at, export.beat_at),
        ],
    )


def beat(
    conn: Connection, export: str, rows: int, bytes_: int, points: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """Keep how far it came."""
    conn.execute(
        "UPDATE export SET rows = %s, bytes = %s, points = %s, beat_at = %s WHERE id = %s AND state = 'open'",
        [rows, bytes_, Jsonb(list(points)), now, export],
    )


def close_export(
    conn: Connection, export: str, state: ExportState, why: str, rows: int, bytes_: int, sm3: str | None,
    points: Sequence[Mapping[str, Any]], now: datetime,
) -> bool:  # fmt: skip
    """Keep how it ended; false where that is kept already."""
    return (
        conn.execute(
            "UPDATE export SET state = %s, why = %s, rows = %s, bytes = %s, sm3 = %s, points = %s, beat_at = %s,"
            " closed_at = %s WHERE id = %s AND state = 'open'",
            [state, why, rows, bytes_, sm3, Jsonb(list(points)), now, now, export],
        ).rowcount
        == 1
    )


_COLUMNS = (
    "SELECT id::text, caller, organization, dataset, format, instant, terms, continues::text, state, why, rows, bytes,"
    " sm3, points, opened_at, beat_at, closed_at FROM export"
)
_FIND = _COLUMNS + " WHERE id = %s"
_LOST = _COLUMNS + " WHERE state = 'open' AND beat_at < %s ORDER BY beat_at LIMIT %s FOR UPDATE SKIP LOCKED"


def find_export(conn: Connection, export: str) -> ExportRow | None:
    """One by its id."""
    try:
        asked = [UUID(export)]
    except ValueError:
        return None
    with conn.cursor(row_factory=class_row(ExportRow)) as cursor:
        return cursor.execute(_FIND, asked).fetchone()


def lock_lost(conn: Connection, before: datetime, limit: int) -> list[ExportRow]:
    """Those that are open and have not gone on since: their process is gone."""
    with conn.cursor(row_factory=class_row(ExportRow)) as cursor:
        return cursor.execute(_LOST, [before, limit]).fetchall()


def forget_exports(conn: Connection, before: datetime) -> int:
    """Delete those that began before; how many. Their leaves stay."""
    return conn.execute("DELETE FROM export WHERE opened_at < %s AND state <> 'open'", [before]).rowcount
