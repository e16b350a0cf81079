"""Erasure: a record and all it said before go, from current, history and quarantine; a commitment stays.

What stays is a salted commitment to the key, the version and the digest, so that nobody can later claim that the
record never was, or that it still is (GB/T 35273-2020 on erasure; the statute on tracing in norms.md §1).
The batch's bytes in the log go by the log's own retention; the caller is told until when.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql

from hub.errors import RecordUnknown
from hub.exchange.apply.locks import enter_horizon, lock_datasets
from hub.exchange.apply.staging import clock
from hub.exchange.apply.target import Target
from schemas.textform import KEY_SEPARATOR, record_digest, text_of


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure removed, and the salt that opens its commitment; the salt is told once and not kept."""

    commitment: str
    salt: str
    history_rows: int
    quarantine_entries: int
    erased_at: datetime


def erase(conn: Connection, target: Target, key: tuple[str, ...], *, reason: str, actor: str) -> Erased:
    """Erase one record by its key's parts in text form; the tombstone without values keeps older versions out.

    Raises:
        RecordUnknown: neither the tables nor the quarantine hold the key.
    """
    enter_horizon(conn)
    lock_datasets(conn, [target.dataset], [])
    taken = clock(conn)
    text = KEY_SEPARATOR.join(key)
    where = target.key_from_text("c", sql.Placeholder("key"))
    parameters = {"key": text, "taken": taken}
    row = conn.execute(
        sql.SQL("SELECT {columns}, c._version, c._deleted FROM {current} c WHERE {where} FOR UPDATE").format(
            columns=target.list("c", target.columns), current=target.current, where=where
        ),
        parameters,
    ).fetchone()
    history = conn.execute(
        sql.SQL("DELETE FROM {history} c WHERE {where}").format(history=target.history, where=where), parameters
    ).rowcount
    entries = _erase_quarantine(conn, target, text, taken)
    if row is None and not entries:
        raise RecordUnknown(dataset=target.dataset)
    salt = secrets.token_bytes(16)
    commitment = hmac.new(salt, f"{target.dataset}\x1e{text}".encode(), "sm3").hexdigest()
    version = digest = None
    if row is not None:
        version = row[len(target.columns)]
        digest = record_digest({name: text_of(value) for name, value in zip(target.columns, row, strict=False)})
        _leave_tombstone(conn, target, where, parameters)
        conn.execute(
            "UPDATE dataset_statistics SET records = records - %s, tombstones = tombstones + %s, history = history - %s"
            " WHERE dataset = %s",
            [int(not row[-1]), int(not row[-1]), history, target.dataset],
        )
    conn.execute(
        "INSERT INTO erasure (dataset, commitment, version, digest, reason, actor, erased_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [target.dataset, commitment, version, digest, reason, actor, taken],
    )
    return Erased(commitment, salt.hex(), history, entries, taken)


def _leave_tombstone(conn: Connection, target: Target, where: sql.Composable, parameters: Mapping[str, object]) -> None:
    emptied = sql.SQL("").join(sql.SQL("{} = NULL, ").format(sql.Identifier(name)) for name in target.content)
    conn.execute(
        sql.SQL(
            "UPDATE {current} c SET {emptied} _deleted = true,"
            " _taken = greatest(%(taken)s, c._taken + interval '1 microsecond') WHERE {where}"
        ).format(current=target.current, emptied=emptied, where=where),
        parameters,
    )


def _erase_quarantine(conn: Connection, target: Target, key: str, taken: datetime) -> int:
    erased = conn.execute(
        "UPDATE quarantine SET record = NULL, key = NULL, state = 'closed', closed_at = coalesce(closed_at, %s),"
        " closed_by = 'erased' WHERE dataset = %s AND key = %s RETURNING id",
        [taken, target.dataset, key],
    ).fetchall()
    conn.execute("DELETE FROM pending_reference WHERE quarantine = ANY(%s)", [[row[0] for row in erased]])
    return len(erased)
