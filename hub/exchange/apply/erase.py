"""Erasure: a record and all it said before go, from current, history and quarantine; a commitment stays.

What stays is a commitment to the key under a key of the hub, the highest version the hub held and the record's digest,
so that nobody can later claim that the record never was, or that it still is, and that what was erased does not come
back (GB/T 35273-2020 on erasure; the statute on tracing in norms.md §1). Whoever follows the dataset's changes is to
erase it too (Personal Information Protection Law, article 47): to be able to name it to them the hub keeps the key,
sealed, for ``erasure_store.NOTICE_TERM``. The batch's bytes in the log go by the log's own retention.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, DataError, sql

from hub.errors import RecordUnknown
from hub.exchange.apply.locks import enter_horizon, lock_datasets
from hub.exchange.apply.staging import clock
from hub.exchange.apply.target import Target
from hub.exchange.erasure_keys import ErasureKeys, commitment
from hub.exchange.erasure_store import Erasure, add_erasure, last_erased_at
from schemas.textform import KEY_SEPARATOR, record_digest, text_of

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure removed and left.

    Args:
        commitment: to the key, under the hub's key.
        version: the highest the hub held, up to which records of the key stay out.
        records: rows of current: one, or none where only the quarantine held the key.
        history_rows: of what it said before.
        quarantine_entries: emptied, open or closed.
        erased_at: transaction time.
    """

    commitment: str
    version: Version | None
    records: int
    history_rows: int
    quarantine_entries: int
    erased_at: datetime

    @property
    def rows(self) -> int:
        """Of all tables together."""
        return self.records + self.history_rows + self.quarantine_entries


@dataclass(frozen=True, slots=True)
class _Gone:
    """Rows that were deleted, the newest first."""

    records: tuple[dict[str, Any], ...]
    versions: tuple[Version, ...]
    tombstones: int

    @property
    def digest(self) -> str | None:
        """Of what the record said last. A tombstone's would be a digest of the key alone, which can be guessed."""
        if not self.records:
            return None
        return record_digest({name: text_of(value) for name, value in self.records[0].items()})


def erase(
    conn: Connection, target: Target, key: tuple[str, ...], keys: ErasureKeys, *, reason: str, actor: str
) -> Erased:
    """Erase one record by its key's parts in text form.

    Raises:
        RecordUnknown: neither the tables nor the quarantine hold the key.
    """
    enter_horizon(conn)
    lock_datasets(conn, [target.dataset], [])
    taken = _instant(conn, target.dataset)
    text = _key_text(conn, target, KEY_SEPARATOR.join(key))
    current = _delete(conn, target, target.current, text)
    history = _delete(conn, target, target.history, text)
    quarantined = _erase_quarantine(conn, target.dataset, text, taken)
    if not (current.versions or history.versions or quarantined):
        raise RecordUnknown(dataset=target.dataset)
    made = commitment(keys.commitment_key, target.dataset, text)
    _erase_key_lists(conn, target.dataset, text, made)
    versions = [*current.versions, *history.versions, *(one for one in quarantined if one is not None)]
    version = max(versions, default=None)
    _count(conn, target.dataset, current, history)
    digest = current.digest or history.digest
    sealed = keys.seal(target.dataset, text)
    add_erasure(conn, Erasure(target.dataset, made, version, digest, sealed, reason, actor, taken))
    return Erased(made, version, len(current.versions), len(history.versions), len(quarantined), taken)


def _instant(conn: Connection, dataset: str) -> datetime:
    """Now, and later than any erasure of the dataset before: the changes feed tells one at a time."""
    taken, last = clock(conn), last_erased_at(conn, dataset)
    return taken if last is None else max(taken, last + timedelta(microseconds=1))


def _key_text(conn: Connection, target: Target, asked: str) -> str:
    """The key as the tables write it: 007 asks for the number 7.

    Raises:
        RecordUnknown: it is no key of this dataset.
    """
    query = sql.SQL("SELECT {text} FROM {current} c WHERE {where}").format(
        text=target.key_text("c"),
        current=target.current,
        where=target.key_from_text("c", sql.Placeholder("key")),
    )
    try:
        row = conn.execute(query, {"key": asked}).fetchone()
    except DataError:
        raise RecordUnknown(dataset=target.dataset) from None
    return asked if row is None else str(row[0])


def _delete(conn: Connection, target: Target, table: sql.Composable, key: str) -> _Gone:
    rows = conn.execute(
        sql.SQL("DELETE FROM {table} c WHERE {where} RETURNING {columns}, c._version, c._row, c._deleted").format(
            table=table,
            where=target.key_from_text("c", sql.Placeholder("key")),
            columns=target.list("c", target.columns),
        ),
        {"key": key},
    ).fetchall()
    rows.sort(key=lambda row: row[-3:-1], reverse=True)
    live = tuple(dict(zip(target.columns, row, strict=False)) for row in rows if not row[-1])
    return _Gone(live, tuple((row[-3], row[-2]) for row in rows), len(rows) - len(live))


def _erase_quarantine(conn: Connection, dataset: str, key: str, taken: datetime) -> list[Version | None]:
    """Empty the entries of the key, whatever their state; their versions."""
    erased = conn.execute(
        "UPDATE quarantine SET record = NULL, key = NULL, state = 'closed', closed_at = coalesce(closed_at, %s),"
        " closed_by = 'erased' WHERE dataset = %s AND key = %s RETURNING id, version, version_row",
        [taken, dataset, key],
    ).fetchall()
    conn.execute("DELETE FROM pending_reference WHERE quarantine = ANY(%s)", [[row[0] for row in erased]])
    return [None if version is None else (version, version_row or 0) for _, version, version_row in erased]


def _erase_key_lists(conn: Connection, dataset: str, key: str, commitment_: str) -> None:
    """In the parts of key lists that still wait for others; their number stays, or the list would be found short."""
    conn.execute(
        "UPDATE key_list SET keys = array_replace(keys, %s, %s) WHERE dataset = %s AND keys @> ARRAY[%s]",
        [key, commitment_, dataset, key],
    )


def _count(conn: Connection, dataset: str, current: _Gone, history: _Gone) -> None:
    conn.execute(
        "UPDATE dataset_statistics SET records = records - %s, tombstones = tombstones - %s, history = history - %s"
        " WHERE dataset = %s",
        [len(current.records), current.tombstones, len(history.versions), dataset],
    )
