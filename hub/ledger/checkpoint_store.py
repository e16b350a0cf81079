"""Rows of checkpoints, keys, cosignatures and alarms. A connection comes first; nothing commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.rows import class_row

from hub.ledger.checkpoint import Note, SignatureLine, key_id_of, parse_line, parse_note
from schemas.national.sm2 import PublicKey

ALARMS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint with its own signature; the witnesses' stand beside it."""

    number: int
    size: int
    root: bytes
    note: str
    signed_at: datetime

    def parsed(self) -> Note:
        """The note, its form checked."""
        return parse_note(self.note.encode())


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """A public key that signed or witnessed."""

    name: str
    key_id: str
    kind: Literal["ledger", "witness"]
    public_pem: str
    first_used: datetime


@dataclass(frozen=True, slots=True)
class WitnessStanding:
    """What a witness has seen."""

    witness: str
    size: int
    cosigned_at: datetime


@dataclass(frozen=True, slots=True)
class Alarm:
    """What was refused or missed."""

    raised_by: str
    code: str
    zh: str
    en: str
    raised_at: datetime


def add_checkpoint(conn: Connection, note: Note, signed_at: datetime) -> int:
    """Keep a signed checkpoint; its number."""
    row = conn.execute(
        "WITH head AS (UPDATE ledger_head SET signed_at = %(signed_at)s)"
        " INSERT INTO ledger_checkpoint (size, root, note, signed_at)"
        " VALUES (%(size)s, %(root)s, %(note)s, %(signed_at)s) RETURNING number",
        {
            "size": note.checkpoint.size,
            "root": note.checkpoint.root,
            "note": note.to_text(),
            "signed_at": signed_at,
        },
    ).fetchone()
    return 0 if row is None else int(row[0])


def newest(conn: Connection) -> StoredCheckpoint | None:
    """The checkpoint signed last."""
    with conn.cursor(row_factory=class_row(StoredCheckpoint)) as cursor:
        return cursor.execute(
            "SELECT number, size, root, note, signed_at FROM ledger_checkpoint ORDER BY number DESC LIMIT 1"
        ).fetchone()


def of_size(conn: Connection, size: int) -> StoredCheckpoint | None:
    """The last checkpoint of exactly this size."""
    with conn.cursor(row_factory=class_row(StoredCheckpoint)) as cursor:
        return cursor.execute(
            "SELECT number, size, root, note, signed_at FROM ledger_checkpoint WHERE size = %s"
            " ORDER BY number DESC LIMIT 1",
            [size],
        ).fetchone()


def newest_cosigned(conn: Connection, size_min: int, witnesses: int) -> StoredCheckpoint | None:
    """The newest of the last 1,000 checkpoints that is of at least this size and that so many witnesses cosigned."""
    with conn.cursor(row_factory=class_row(StoredCheckpoint)) as cursor:
        return cursor.execute(
            "SELECT number, size, root, note, signed_at FROM ledger_checkpoint c WHERE size >= %s"
            " AND number > (SELECT max(number) - 1000 FROM ledger_checkpoint)"
            " AND (SELECT count(*) FROM ledger_cosignature s WHERE s.checkpoint = c.number) >= %s"
            " ORDER BY number DESC LIMIT 1",
            [size_min, witnesses],
        ).fetchone()


def list_checkpoints(conn: Connection, after: int, limit: int) -> list[StoredCheckpoint]:
    """Checkpoints in the order they were signed, after a number."""
    with conn.cursor(row_factory=class_row(StoredCheckpoint)) as cursor:
        return cursor.execute(
            "SELECT number, size, root, note, signed_at FROM ledger_checkpoint WHERE number > %s"
            " ORDER BY number LIMIT %s",
            [after, limit],
        ).fetchall()


def with_cosignatures(conn: Connection, stored: StoredCheckpoint) -> Note:
    """A checkpoint with the ledger's signature and those of its witnesses."""
    note = stored.parsed()
    return Note(note.checkpoint, (*note.signatures, *cosignatures(conn, stored.number)))


def cosignatures(conn: Connection, number: int) -> list[SignatureLine]:
    """The witnesses' signatures under a checkpoint."""
    rows = conn.execute(
        "SELECT line FROM ledger_cosignature WHERE checkpoint = %s ORDER BY witness", [number]
    ).fetchall()
    return [parse_line(str(row[0])) for row in rows]


def add_cosignature(conn: Connection, number: int, witness: str, line: SignatureLine, now: datetime) -> None:
    """Keep a witness's signature; repeating it does nothing."""
    conn.execute(
        "INSERT INTO ledger_cosignature (checkpoint, witness, line, cosigned_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [number, witness, line.to_text(), now],
    )


def witness_standings(conn: Connection) -> list[WitnessStanding]:
    """Every witness that ever cosigned, with what it cosigned last."""
    with conn.cursor(row_factory=class_row(WitnessStanding)) as cursor:
        return cursor.execute(
            "SELECT witnesses.name AS witness, c.size, last.cosigned_at"
            " FROM (SELECT DISTINCT name FROM ledger_key WHERE kind = 'witness') AS witnesses"
            " JOIN LATERAL (SELECT checkpoint, cosigned_at FROM ledger_cosignature s WHERE s.witness = witnesses.name"
            " ORDER BY checkpoint DESC LIMIT 1) AS last ON true"
            " JOIN ledger_checkpoint c ON c.number = last.checkpoint ORDER BY witnesses.name"
        ).fetchall()


def keep_key(conn: Connection, name: str, kind: Literal["ledger", "witness"], public_pem: str, now: datetime) -> None:
    """Keep a public key; one that is known stays as it is."""
    key_id = key_id_of(name, PublicKey.from_pem(public_pem).point).hex()
    conn.execute(
        "INSERT INTO ledger_key (name, key_id, kind, public_pem, first_used) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [name, key_id, kind, public_pem, now],
    )


def list_keys(conn: Connection) -> list[LedgerKey]:
    """All public keys, the ledger's own first."""
    with conn.cursor(row_factory=class_row(LedgerKey)) as cursor:
        return cursor.execute(
            "SELECT name, key_id, kind, public_pem, first_used FROM ledger_key ORDER BY kind, name, first_used"
        ).fetchall()


def raise_alarm(conn: Connection, raised_by: str, code: str, sentences: tuple[str, str], now: datetime) -> None:
    """Keep an alarm, its sentence in Chinese and English; one of a kind a day."""
    zh, en = sentences
    conn.execute(
        "INSERT INTO ledger_alarm (raised_by, code, zh, en, raised_at)"
        " SELECT %(by)s, %(code)s, %(zh)s, %(en)s, %(now)s WHERE NOT EXISTS (SELECT FROM ledger_alarm"
        " WHERE raised_by = %(by)s AND code = %(code)s AND raised_at > %(now)s - interval '1 day')",
        {"by": raised_by, "code": code, "zh": zh, "en": en, "now": now},
    )


def list_alarms(conn: Connection, limit: int = ALARMS_SHOWN) -> list[Alarm]:
    """The newest alarms."""
    with conn.cursor(row_factory=class_row(Alarm)) as cursor:
        return cursor.execute(
            "SELECT raised_by, code, zh, en, raised_at FROM ledger_alarm ORDER BY id DESC LIMIT %s", [limit]
        ).fetchall()
