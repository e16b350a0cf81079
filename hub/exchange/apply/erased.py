"""Records that were erased stay out: what a batch brings of them in a version the hub had held is taken out.

A record in a higher version is a new record. A delete in a higher version is no reason to write a tombstone, which
would hold the key again: it raises the version up to which records of that key stay out. Datasets without an erasure
pay one look at an index a batch. To be called under the dataset's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import Connection, sql

from hub.exchange.apply.target import Target
from hub.exchange.erasure_keys import DATASET_SEPARATOR, commitment
from hub.exchange.erasure_store import bars_of, has_erasures
from hub.exchange.prepared import Rejected

# Each commitment is made once: nothing is assumed of the order in which the planner joins what it never analysed.
_COMMITTED: Final = sql.SQL(
    "WITH committed AS MATERIALIZED (SELECT s.ctid AS place, s._version, s._row,"
    " encode(hmac(convert_to(%(prefix)s || {key}, 'UTF8'), %(key)s::bytea, 'sm3'), 'hex') AS commitment"
    " FROM {staging} s)"
)
_TAKE_OUT: Final = sql.SQL(
    " DELETE FROM {staging} s WHERE s.ctid = ANY (ARRAY(SELECT c.place FROM committed c WHERE EXISTS ("
    "SELECT FROM erasure e WHERE e.dataset = %(dataset)s AND e.commitment = c.commitment"
    " AND (c._version, c._row) <= (e.version, e.version_row))))"
)
_TAKE_OUT_DELETES: Final = sql.SQL(
    ", later AS (SELECT c.* FROM committed c JOIN {staging} s ON s.ctid = c.place"
    " WHERE EXISTS (SELECT FROM erasure e WHERE e.dataset = %(dataset)s AND e.commitment = c.commitment)"
    " AND NOT EXISTS (SELECT FROM {current} held WHERE {held}))"
    ", raised AS (UPDATE erasure e SET version = later._version, version_row = later._row FROM later"
    " WHERE e.dataset = %(dataset)s AND e.commitment = later.commitment)"
    " DELETE FROM {staging} s WHERE s.ctid = ANY (ARRAY(SELECT place FROM later))"
)


@dataclass(frozen=True, slots=True)
class TakenOut:
    """How many staged rows were taken out: not higher than what was erased; deletes of what is not there."""

    superseded: int = 0
    deleted: int = 0


def take_out_erased(conn: Connection, target: Target, key: bytes, *, delete: bool) -> TakenOut:
    """Take what was erased out of staging again.

    Args:
        conn: the apply transaction.
        target: the dataset.
        key: of commitments.
        delete: staging holds deletes.
    """
    if not has_erasures(conn, target.dataset):
        return TakenOut()
    superseded = _taken_out(conn, target, key, _TAKE_OUT)
    return TakenOut(superseded, _taken_out(conn, target, key, _TAKE_OUT_DELETES) if delete else 0)


def _taken_out(conn: Connection, target: Target, key: bytes, act: sql.SQL) -> int:
    parts = {
        "key": target.key_text("s"),
        "staging": target.staging,
        "current": target.current,
        "held": target.key_equal("held", "s"),
    }
    parameters = {"prefix": target.dataset + DATASET_SEPARATOR, "key": key, "dataset": target.dataset}
    return conn.execute(_COMMITTED.format(**parts) + act.format(**parts), parameters).rowcount


def without_erased(
    conn: Connection, dataset: str, key: bytes, rejected: Sequence[tuple[int, Rejected]]
) -> list[tuple[int, Rejected]]:
    """Those of the rejected records that may wait in quarantine: none of an erased key as old, or of no version."""
    if not rejected or not has_erasures(conn, dataset):
        return list(rejected)
    commitments = [None if one.key is None else commitment(key, dataset, one.key) for _, one in rejected]
    bars = bars_of(conn, dataset, [one for one in commitments if one is not None])
    return [
        entry
        for entry, made in zip(rejected, commitments, strict=True)
        if made is None or made not in bars or _is_higher(entry[1], bars[made])
    ]


def _is_higher(entry: Rejected, bar: tuple[int, int] | None) -> bool:
    return bar is None or (entry.version is not None and (entry.version, entry.row) > bar)
