"""Rows of the trail: beside each leaf of a release or refusal, what it held. Nothing commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from hub.ledger import leaf_store
from hub.ledger.leaf import Recorded

# One text and no array for each column: the driver takes longer to write twelve arrays than the store to read this.
_TRAILS: Final = (
    "WITH trails AS (INSERT INTO release_trail (leaf, dataset, caller, organization, allowed, decision, at, instant,"
    " query, first_place, last_place, rows, decided_us) SELECT leaf, dataset, caller, organization, allowed, decision,"
    " at, instant, query, first_place, last_place, rows, decided_us"
    " FROM json_populate_recordset(NULL::release_trail, %(trails)s::json))"
)
SAME_MAX: Final = 2_000  # callers whose trails' common part is remembered
# Before a statement without WITH of its own, and before one with.
_WITH_TRAILS: Final[Mapping[bool, LiteralString]] = {False: _TRAILS + " ", True: _TRAILS + ", "}


@dataclass(frozen=True, slots=True)
class Trail:
    """What was released or refused, so that it can be told and recomputed.

    Args:
        dataset: id.
        caller: opaque id.
        organization: of the caller.
        allowed: whether anything was given.
        decision: digest of the decision's content, kept by ``add_decision``.
        at: when it was decided.
        instant: the records are those of this moment; None where none were looked at.
        query: the query's JSON; None where there is none.
        first_place: JSON of the order's values of the first record.
        last_place: of the last.
        rows: how many records.
        decided_us: microseconds the decision took to make.
    """

    dataset: str
    caller: str
    organization: str | None
    allowed: bool
    decision: bytes
    at: datetime
    instant: datetime | None = None
    query: str | None = None
    first_place: str | None = None
    last_place: str | None = None
    rows: int = 0
    decided_us: int = 0


def add_decision(conn: Connection, sm3: bytes, content: str, now: datetime) -> None:
    """Keep a decision by the digest of its content, unless it is kept."""
    conn.execute(
        "INSERT INTO release_decision (sm3, content, made_at) VALUES (%s, %s, %s) ON CONFLICT (sm3) DO NOTHING",
        [sm3, content, now],
    )


def insertion(recorded: Sequence[Recorded], trails: Sequence[Trail | None]) -> tuple[LiteralString, dict[str, object]]:
    """The one statement that writes leaves and the trails beside them, and its parameters: both or neither."""
    statement, parameters = leaf_store.insertion(recorded)
    found = [(one.id, trail) for one, trail in zip(recorded, trails, strict=True) if trail is not None]
    if not found:
        return statement, parameters
    parameters["trails"] = f"[{','.join([_text(leaf, trail) for leaf, trail in found])}]"
    return _WITH_TRAILS[statement.startswith("WITH ")] + statement.removeprefix("WITH "), parameters


def _text(leaf: str, trail: Trail) -> str:
    """A row as JSON, written out because every answer waits for it."""
    at = trail.at.isoformat()
    instant = trail.instant
    moment = "null" if instant is None else f'"{at if instant is trail.at else instant.isoformat()}"'
    return (
        f"{_same(trail.dataset, trail.caller, trail.organization, trail.allowed, trail.decision)}"
        f'"leaf":"{leaf}","at":"{at}","instant":{moment},"query":{_quoted(trail.query)},'
        f'"first_place":{_quoted(trail.first_place)},"last_place":{_quoted(trail.last_place)},"rows":{trail.rows},'
        f'"decided_us":{trail.decided_us}}}'
    )


@lru_cache(SAME_MAX)
def _same(dataset: str, caller: str, organization: str | None, allowed: bool, decision: bytes) -> str:
    """What the trails of one caller's reading have in common."""
    return (
        f'{{"dataset":{_quoted(dataset)},"caller":{_quoted(caller)},"organization":{_quoted(organization)},'
        f'"allowed":{"true" if allowed else "false"},"decision":"\\\\x{decision.hex()}",'
    )


def _quoted(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


def find_trail(conn: Connection, leaf: str) -> Trail | None:
    """The trail of one leaf."""
    with conn.cursor(row_factory=class_row(Trail)) as cursor:
        return cursor.execute(
            "SELECT dataset, caller, organization, allowed, decision, at, instant, query, first_place, last_place,"
            " rows, coalesce(decided_us, 0) AS decided_us FROM release_trail WHERE leaf = %s",
            [UUID(leaf)],
        ).fetchone()


def find_decision(conn: Connection, sm3: bytes) -> str | None:
    """The content of one decision."""
    row = conn.execute("SELECT content FROM release_decision WHERE sm3 = %s", [sm3]).fetchone()
    return None if row is None else str(row[0])


def erase_trail(conn: Connection, leaf: str) -> int:
    """Take a trail away for good; the leaf stays."""
    return conn.execute("DELETE FROM release_trail WHERE leaf = %s", [UUID(leaf)]).rowcount
