"""The content of the store as one digest, and a record as it was: reads that repeat.

The digest is SM3 over the sorted lines of dataset, key, version, deleted and values, plus the open quarantine as record
digest and reason codes. Two stores that took the same batches, in whatever order and through whatever crashes, agree.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from hub.exchange.apply.locks import horizon
from hub.exchange.apply.target import Target
from hub.release.source import of_moment
from schemas.textform import canonical, key_text, text_of

_ROWS = 5_000  # fetched at a time


def content_digest(conn: Connection, targets: Sequence[Target]) -> str:
    """SM3, hexadecimal, over current records and open quarantine of the given datasets. Needs a transaction."""
    digest = hashlib.new("sm3")
    for target in sorted(targets, key=lambda one: one.dataset):
        for line in _records(conn, target):
            digest.update(line)
        for line in _quarantine(conn, target.dataset):
            digest.update(line)
    return digest.hexdigest()


def _records(conn: Connection, target: Target) -> Iterator[bytes]:
    query = sql.SQL("SELECT {columns}, c._version, c._row, c._deleted FROM {current} c ORDER BY {key}").format(
        columns=target.list("c", target.columns),
        current=target.current,
        key=target.list("c", target.contract.key),
    )
    width = len(target.columns)
    with conn.cursor("content_of_dataset") as cursor:
        cursor.itersize = _ROWS
        for row in cursor.execute(query):
            record = {name: text_of(value) for name, value in zip(target.columns, row[:width], strict=True)}
            key = key_text([record[name] for name in target.contract.key])
            version, _, deleted = row[width:]
            yield f"{target.dataset}\x1e{key}\x1e{version}\x1e{deleted}\x1e".encode() + canonical(record) + b"\n"


def _quarantine(conn: Connection, dataset: str) -> Iterator[bytes]:
    rows = conn.execute(
        # Each once: a record that lost a conflict and comes again waits twice, one that comes again before it loses
        # is the same as what is stored.
        "SELECT DISTINCT digest, codes FROM quarantine WHERE dataset = %s AND state <> 'closed' ORDER BY digest, codes",
        [dataset],
    )
    for digest, codes in rows:
        yield f"{dataset}\x1e{digest}\x1e{codes}\n".encode()


@dataclass(frozen=True, slots=True)
class AsOf:
    """A page of records as the hub held them at ``instant``; ask again with the same instant for the same answer."""

    instant: datetime
    records: Sequence[dict[str, Any]]


def read_as_of(
    conn: Connection, target: Target, instant: datetime | None, *, after: tuple[object, ...] | None = None, limit: int
) -> AsOf:
    """Records at an instant, in key order, clamped to the horizon.

    Args:
        conn: a connection in read committed, outside an older snapshot.
        target: the dataset.
        instant: the moment asked for; None or later than the horizon: the horizon.
        after: the last key of the page before.
        limit: records in the page.
    """
    settled = horizon(conn)
    at = settled if instant is None else min(instant, settled)
    key = target.list("t", target.contract.key)
    beyond = sql.SQL("true")
    if after is not None:
        beyond = sql.SQL("ROW({key}) > ROW({after})").format(
            key=key, after=sql.SQL(", ").join(sql.Placeholder(f"k{place}") for place in range(len(after)))
        )
    order = sql.SQL(" ORDER BY {key} LIMIT %(limit)s").format(key=key)
    query = sql.SQL("SELECT * FROM {source}{order}").format(
        source=of_moment(target.dataset, target.columns, beyond, order), order=order
    )
    parameters: dict[str, object] = {"at": at, "limit": limit}
    parameters |= {f"k{place}": value for place, value in enumerate(after or ())}
    rows = conn.execute(query, parameters).fetchall()
    return AsOf(at, [dict(zip(target.columns, row, strict=True)) for row in rows])
