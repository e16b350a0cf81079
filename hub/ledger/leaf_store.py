"""Rows of leaves. Nothing commits: a leaf is written in the transaction of what it tells of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from hub.ledger.leaf import Leaf, Opening, Recorded, record

_INSERT = "INSERT INTO ledger_leaf (leaf, bytes) SELECT * FROM unnest(%(ids)s::uuid[], %(records)b::bytea[])"
_INSERT_OPENED = (
    "WITH opened AS (INSERT INTO ledger_opening (leaf, member, salt, value)"
    " SELECT * FROM unnest(%(leaves)s::uuid[], %(members)s::text[], %(salts)b::bytea[], %(values)s::text[]))"
    " INSERT INTO ledger_leaf (leaf, bytes) SELECT * FROM unnest(%(ids)s::uuid[], %(records)b::bytea[])"
)
READ_ORIGIN = "SELECT origin FROM ledger_head"


def append(conn: Connection, leaf: Leaf, now: datetime) -> str:
    """Write one leaf in the open transaction; its id, a UUID of version 7.

    Raises:
        LeafWrong: a member cannot be recorded.
    """
    return append_many(conn, [leaf], now)[0]


def append_many(conn: Connection, leaves: Sequence[Leaf], now: datetime) -> list[str]:
    """Write leaves in the open transaction, in order, with one statement; their ids."""
    origin = read_origin(conn)
    recorded = [record(leaf, origin, now) for leaf in leaves]
    insert(conn, recorded)
    return [one.id for one in recorded]


def insert(conn: Connection, recorded: Sequence[Recorded]) -> None:
    """Write leaves whose bytes are made, in order."""
    if recorded:
        conn.execute(*insertion(recorded))


def insertion(recorded: Sequence[Recorded]) -> tuple[LiteralString, dict[str, object]]:
    """The one statement that writes leaves, and its parameters: outside a transaction it is one of its own."""
    parameters: dict[str, object] = {
        "ids": [one.id for one in recorded],
        "records": [one.record for one in recorded],
    }
    openings = [(one.id, opening) for one in recorded for opening in one.openings]
    if not openings:
        return _INSERT, parameters
    parameters |= {
        "leaves": [leaf for leaf, _ in openings],
        "members": [opening.member for _, opening in openings],
        "salts": [opening.salt for _, opening in openings],
        "values": [opening.value for _, opening in openings],
    }
    return _INSERT_OPENED, parameters


def read_origin(conn: Connection) -> str:
    """The ledger's name. It never changes."""
    row = conn.execute(READ_ORIGIN).fetchone()
    return "" if row is None else str(row[0])


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf's bytes, and its place in the tree once it is sealed."""

    bytes: bytes
    leaf_index: int | None


def find_leaf(conn: Connection, leaf: str) -> StoredLeaf | None:
    """One leaf by its id."""
    with conn.cursor(row_factory=class_row(StoredLeaf)) as cursor:
        return cursor.execute(
            "SELECT l.bytes, s.leaf_index FROM ledger_leaf l LEFT JOIN ledger_sealed s ON s.leaf = l.leaf"
            " WHERE l.leaf = %s",
            [UUID(leaf)],
        ).fetchone()


def find_openings(conn: Connection, leaf: str) -> list[Opening]:
    """What opens a leaf's commitments, as far as it was not erased."""
    with conn.cursor(row_factory=class_row(Opening)) as cursor:
        return cursor.execute(
            "SELECT member, salt, value FROM ledger_opening WHERE leaf = %s ORDER BY member", [UUID(leaf)]
        ).fetchall()


def erase_openings(conn: Connection, leaf: str) -> int:
    """Take away for good what opens a leaf's commitments; how many. The leaf and the tree stay as they are."""
    return conn.execute("DELETE FROM ledger_opening WHERE leaf = %s", [UUID(leaf)]).rowcount


def last_leaves(conn: Connection, limit: int) -> list[bytes]:
    """The records of the leaves written last, the newest first."""
    rows = conn.execute("SELECT bytes FROM ledger_leaf ORDER BY xid DESC, id DESC LIMIT %s", [limit]).fetchall()
    return [bytes(row[0]) for row in rows]
