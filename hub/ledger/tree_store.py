"""Rows of the sealed order and of the tree over it. A connection comes first; nothing commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
from psycopg import Connection
from psycopg.rows import class_row

from hub.ledger.errors import LedgerDamaged
from hub.ledger.tree import NodeOf, Place, node_from_tile, place_of

SEALER_LOCK = 0x6875_625F_7365_616C  # "hub_seal"

_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_END = b"\xff\xff"
_SEALED_ROW = np.dtype(
    [("columns", ">i2"), ("index_bytes", ">i4"), ("index", ">i8"), ("leaf_bytes", ">i4"), ("leaf", "V16")]
)


@dataclass(frozen=True, slots=True)
class Head:
    """How far the ledger is sealed.

    Args:
        origin: the ledger's name.
        size: leaves sealed.
        cursor_xid: transaction of the last leaf sealed.
        cursor_id: id of the last leaf sealed.
        begun_at: when the ledger was made.
        looked_at: when the sealer last left nothing unsealed that could be sealed.
        signed_at: of the newest checkpoint.
        missed: leaves behind the cursor that were never sealed, as last counted.
    """

    origin: str
    size: int
    cursor_xid: int
    cursor_id: int
    begun_at: datetime
    looked_at: datetime | None
    signed_at: datetime | None
    missed: int

    @property
    def cursor(self) -> tuple[int, int]:
        """The place (xid, id) of the last leaf sealed."""
        return self.cursor_xid, self.cursor_id


def read_head(conn: Connection) -> Head:
    """The head."""
    with conn.cursor(row_factory=class_row(Head)) as cursor:
        found = cursor.execute(
            "SELECT origin, size, cursor_xid::text::bigint AS cursor_xid, cursor_id, begun_at, looked_at, signed_at,"
            " missed FROM ledger_head"
        ).fetchone()
    if found is None:
        raise LedgerDamaged("表 ledger_head 为空", "table ledger_head is empty")
    return found


def freeze(conn: Connection) -> None:
    """Let the open transaction see one moment of the ledger throughout; first thing in it."""
    conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def try_lock(conn: Connection) -> bool:
    """Become the sealer: one session of the database is, until it ends."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", [SEALER_LOCK]).fetchone()
    return row is not None and bool(row[0])


@dataclass(frozen=True, slots=True)
class Unsealed:
    """Leaves to be sealed next, in their order.

    Args:
        leaves: their ids, 16 bytes each, one after the other.
        records: their bytes.
        last: the place (xid, id) of the last one.
    """

    leaves: bytes
    records: list[memoryview]
    last: tuple[int, int]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.records)


def unsealed(conn: Connection, after: tuple[int, int], limit: int) -> Unsealed:
    """The next leaves behind a place (xid, id): those of transactions that nothing older can follow.

    The order is (xid, id), and only transactions below the horizon count: a transaction may take its id long before
    it commits, so an id that is passed may still come to light, and an (xid, id) below the horizon may not.

    They come as one row: a thread that reads thousands, while another computes, waits for the interpreter each time.
    """
    with conn.cursor(binary=True) as cursor:
        row = cursor.execute(
            "SELECT string_agg(uuid_send(leaf), ''), string_agg(int4send(length(bytes)), ''), string_agg(bytes, '')"
            " FROM (SELECT leaf, bytes FROM ledger_leaf WHERE (xid, id) > (%s::text::xid8, %s)"
            " AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, id LIMIT %s) AS in_order",
            [str(after[0]), after[1], limit],
        ).fetchone()
        if row is None or row[0] is None:
            return Unsealed(b"", [], after)
        leaves, lengths, records = row
        last = cursor.execute(
            "SELECT xid::text::bigint, id FROM ledger_leaf WHERE leaf = encode(%s, 'hex')::uuid", [leaves[-16:]]
        ).fetchone()
    if last is None:
        raise LedgerDamaged("封存中的条目不见了", "a leaf that was being sealed is gone")
    ends = np.cumsum(np.frombuffer(lengths, ">i4"), dtype=np.int64).tolist()
    whole = memoryview(records)
    return Unsealed(leaves, [whole[first:end] for first, end in pairwise([0, *ends])], last)


def copy_sealed(conn: Connection, first: int, leaves: bytes) -> None:
    """Write the order of leaves, their ids one after the other, from index ``first`` on."""
    ids = np.frombuffer(leaves, "V16")
    rows = np.empty(len(ids), _SEALED_ROW)
    rows["columns"], rows["index_bytes"], rows["leaf_bytes"] = 2, 8, 16
    rows["index"] = np.arange(first, first + len(ids))
    rows["leaf"] = ids
    with (
        conn.cursor() as cursor,
        cursor.copy("COPY ledger_sealed (leaf_index, leaf) FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(_COPY_HEADER + rows.tobytes() + _COPY_END)


def put_tiles(conn: Connection, tiles: Mapping[Place, bytes]) -> None:
    """Write tiles, begun ones over what they were."""
    conn.execute(
        "INSERT INTO ledger_tile (level, number, hashes)"
        " SELECT * FROM unnest(%s::smallint[], %s::bigint[], %b::bytea[])"
        " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes",
        [[level for level, _ in tiles], [number for _, number in tiles], list(tiles.values())],
    )


def read_tiles(conn: Connection, places: Sequence[Place]) -> dict[Place, bytes]:
    """The tiles at these places, as far as there are any."""
    rows = conn.execute(
        "SELECT level, number, hashes FROM ledger_tile"
        " JOIN unnest(%s::smallint[], %s::bigint[]) AS wanted (level, number) USING (level, number)",
        [[level for level, _ in places], [number for _, number in places]],
        binary=True,
    ).fetchall()
    return {(int(level), int(number)): bytes(hashes) for level, number, hashes in rows}


def nodes_of(conn: Connection) -> NodeOf:
    """The hashes of the tree's nodes, each tile read once."""
    known: dict[Place, bytes] = {}

    def node(level: int, index: int) -> bytes:
        place = place_of(level, index)
        if place not in known:
            known.update(read_tiles(conn, [place]))
        if place not in known:
            raise LedgerDamaged(f"缺少瓦片 {place}", f"tile {place} is missing")
        return node_from_tile(known[place], level, index)

    return node


def move_head(conn: Connection, known_size: int, size: int, cursor: tuple[int, int]) -> None:
    """Sealed is up to here.

    Raises:
        LedgerDamaged: the head is not where the one sealer left it.
    """
    moved = conn.execute(
        "UPDATE ledger_head SET size = %s, cursor_xid = %s::text::xid8, cursor_id = %s WHERE size = %s",
        [size, str(cursor[0]), cursor[1], known_size],
    ).rowcount
    if not moved:
        raise LedgerDamaged(f"表头已不在 {known_size}", f"the head is not at {known_size} any more")


def touch_head(conn: Connection, now: datetime) -> None:
    """Nothing that can be sealed is left."""
    conn.execute("UPDATE ledger_head SET looked_at = %s", [now])


def waiting_above(conn: Connection, head: Head, limit: int) -> int:
    """Leaves behind the cursor and not yet below the horizon, counted to a limit."""
    row = conn.execute(
        "SELECT count(*) FROM (SELECT FROM ledger_leaf WHERE (xid, id) > (%s::text::xid8, %s) LIMIT %s) AS waiting",
        [str(head.cursor[0]), head.cursor[1], limit],
    ).fetchone()
    return 0 if row is None else int(row[0])


def count_missed(conn: Connection) -> int:
    """How many leaves up to the cursor were never sealed, or sealed and are gone; 0 is right."""
    row = conn.execute(
        "WITH head AS (SELECT size, cursor_xid, cursor_id FROM ledger_head),"
        " leaves AS (SELECT count(*) AS n FROM ledger_leaf, head"
        " WHERE (xid, ledger_leaf.id) <= (head.cursor_xid, head.cursor_id)),"
        " sealed AS (SELECT count(*) AS n FROM ledger_sealed)"
        " SELECT greatest(abs(leaves.n - head.size), abs(sealed.n - head.size)) FROM head, leaves, sealed"
    ).fetchone()
    return 0 if row is None else int(row[0])


def keep_missed(conn: Connection, missed: int) -> None:
    """Keep what was counted."""
    conn.execute("UPDATE ledger_head SET missed = %s WHERE missed <> %s", [missed, missed])


def sealed_records(conn: Connection, first: int, limit: int) -> list[tuple[int, bytes | None]]:
    """(index, record) in the sealed order, from index ``first`` on; a leaf that is gone has None."""
    return conn.execute(
        "SELECT s.leaf_index, l.bytes FROM ledger_sealed s LEFT JOIN ledger_leaf l ON l.leaf = s.leaf"
        " WHERE s.leaf_index >= %s ORDER BY s.leaf_index LIMIT %s",
        [first, limit],
        binary=True,
    ).fetchall()


def number_anew(conn: Connection) -> None:
    """Put the leaves of a dump in order again, in a server that numbers its transactions from its own beginning.

    What is sealed has its order by index; what is not comes after it, and before whatever is written from now on.
    """
    conn.execute(
        "GRANT UPDATE ON ledger_leaf TO CURRENT_USER; ALTER TABLE ledger_leaf DISABLE TRIGGER ledger_leaf_stays"
    )
    conn.execute(
        "UPDATE ledger_leaf l SET xid = CASE WHEN EXISTS (SELECT FROM ledger_sealed s WHERE s.leaf = l.leaf)"
        " THEN '0' ELSE '1' END::xid8"
    )
    conn.execute(
        "ALTER TABLE ledger_leaf ENABLE TRIGGER ledger_leaf_stays; REVOKE UPDATE ON ledger_leaf FROM CURRENT_USER"
    )
    conn.execute(
        "UPDATE ledger_head SET cursor_xid = '0', cursor_id = (SELECT coalesce(max(id), 0) FROM ledger_leaf"
        " WHERE xid = '0')"
    )
