"""A page: from a decision and a query to statement, and from the statement's rows to what is answered. No I/O here.

Both ways to run a statement, in a thread's connection and in the event loop, go through these same steps.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from catalog.caller import Caller
from catalog.decision import Asked
from hub.ledger.leaf import Leaf
from hub.release import columnar, formats
from hub.release.cursor import Cursors, Place
from hub.release.formats import JSON, Format
from hub.release.gate import Decided
from hub.release.query import Wanted
from hub.release.select import Compiled
from hub.release.shaped import given_types
from hub.release.trail_store import Trail

RULES_IN_LEAF_MAX: Final = 50
ETAG_BYTES: Final = 16
ADDRESSES_REMEMBERED: Final = 4_096
WHOLE: Final = Wanted()
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Headers = list[tuple[str, str]]


class Raw(Protocol):
    """A result as PostgreSQL sent it: what of psycopg's PGresult a page is made from."""

    @property
    def ntuples(self) -> int:
        """Rows."""
        ...

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        """A value in PostgreSQL's text form; None for NULL."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks for beside whom it comes from.

    Args:
        dataset: id.
        asked: method, purpose and grant.
        wanted: the query; of a single record only its fields and moment.
        single: whether one record is asked for.
        format: the representation.
        spreadsheet: whether a CSV is opened by people.
        path: the address without its query, for the next page's.
        parameters: of the address, for the next page's; None where the query came in a body.
        if_none_match: the ETag the caller has.
    """

    dataset: str
    asked: Asked
    wanted: Wanted = WHOLE
    single: bool = False
    format: Format = JSON
    spreadsheet: bool = False
    path: str = ""
    parameters: tuple[tuple[str, str], ...] | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves: a body with its headers, after its leaf is durable."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """The rows of a page's statement.

    Args:
        epoch: of the statement's snapshot.
        records: at most the limit, as the form has them: bytes, cells of bytes, or values.
        first_place: the order's values of the first record; empty where there is none.
        last_place: of the last.
        more: whether there are more.
    """

    epoch: int
    records: Sequence[Any]
    first_place: tuple[str | None, ...]
    last_place: tuple[str | None, ...]
    more: bool


def fetched_of(raw: Raw, typed: Sequence[Sequence[Any]] | None, compiled: Compiled, form: str, limit: int) -> Fetched:
    """Read a result: column 0 is the epoch, then the body's columns, then the order's values.

    Args:
        raw: the result.
        typed: the same rows as values, where the form is typed.
        compiled: what the statement was made from.
        form: of the body.
        limit: most records; a row more tells that there are more.
    """
    width = 1 if form in ("json", "feature") else 1 + len(compiled.query.fields)
    places = range(1 + width, 1 + width + len(compiled.query.order))
    epoch = int(raw.get_value(0, 0) or b"0")
    rows = raw.ntuples if raw.get_value(0, places[-1]) is not None else 0  # the key is last and never NULL
    count = min(rows, limit)
    records: Sequence[Any]
    if typed is not None:
        records = [row[1 : 1 + width] for row in typed[:count]]
    elif form == "text":
        records = [tuple(raw.get_value(row, column) for column in range(1, 1 + width)) for row in range(count)]
    else:
        records = [raw.get_value(row, 1) or b"null" for row in range(count)]
    return Fetched(
        epoch,
        records,
        _place(raw, 0, places) if count else (),
        _place(raw, count - 1, places) if count else (),
        rows > limit,
    )


def _place(raw: Raw, row: int, columns: range) -> tuple[str | None, ...]:
    values = (raw.get_value(row, column) for column in columns)
    return tuple(None if value is None else value.decode() for value in values)


@dataclass(frozen=True, slots=True)
class Page:
    """A page before its leaf is written.

    Args:
        caller: whose.
        decided: under which decision.
        compiled: the query under it.
        fetched: its rows.
        at: the moment that was asked for; None for the newest.
        count: how many match, and how that is known; None where it was not asked.
        now: the moment of the decision.
    """

    caller: Caller
    decided: Decided
    compiled: Compiled
    fetched: Fetched
    at: datetime | None
    count: tuple[str, int] | None
    now: datetime

    @property
    def instant(self) -> datetime:
        """The records are those of this moment."""
        return self.at or self.now

    def leaf(self, action: str, body: bytes, *, given: bool = True) -> Leaf:
        """Of what is given; ``given=False`` where only that nothing changed is told."""
        return leaf_of(
            self.caller,
            self.decided,
            action,
            rows=len(self.fetched.records) if given else 0,
            body=body if given else b"",
        )

    def trail(self) -> Trail:
        """Beside the leaf."""
        return Trail(
            dataset=self.decided.resource.dataset,
            caller=self.caller.id,
            organization=self.caller.organization,
            allowed=True,
            decision=self.decided.sm3,
            at=self.now,
            instant=self.instant,
            query=self.compiled.query.text,
            first_place=_place_text(self.fetched.first_place),
            last_place=_place_text(self.fetched.last_place),
            rows=len(self.fetched.records),
            decided_us=self.decided.took_us,
        )


def _place_text(place: tuple[str | None, ...]) -> str | None:
    return _JSON(place) if place else None


def leaf_of(caller: Caller, decided: Decided, action: str, *, rows: int = 0, body: bytes = b"") -> Leaf:
    """The leaf of a release or refusal. A purpose no grant names is free text, and so a commitment."""
    decision = decided.decision
    stated = decision.purpose or ""
    return Leaf(
        action=action,
        actor=caller.id,
        actor_org=caller.organization or "",
        object=f"dataset:{decision.dataset}",
        object_version="" if decision.entry_version is None else f"entry:{decision.entry_version}",
        purpose=stated if decision.grant is not None else "",
        grant=decision.grant or "",
        decision="allowed" if decision.allowed else "denied",
        rules=decided.rules[-RULES_IN_LEAF_MAX:],
        policy=decision.policy,
        rows=rows,
        bytes=len(body),
        result_sm3=hashlib.new("sm3", body).hexdigest() if body else "",
        confidential={"reason": stated} if stated and decision.grant is None else {},
    )


# Bodies --------------------------------------------------------------------------------------------------------------


def body_bytes(page: Page, ask: Ask, following: str | None) -> bytes:  # noqa: PLR0911 - one for each format
    """A page's body in the format asked for; ``following`` is the next page's address, or cursor."""
    query, records = page.compiled.query, page.fetched.records
    if ask.single and ask.format.form in ("json", "feature"):
        return records[0]
    match ask.format.name:
        case "json":
            return formats.json_page(records, _members(page, ask, following))
        case "geojson":
            return formats.geojson_page(records, _members(page, ask, following))
        case "ndjson":
            return formats.ndjson_page(records)
        case "csv":
            types = given_types(page.decided.decision, page.decided.resource, query.fields)
            texts = [True, *(of.kind == "string" for of in types.values())]
            return formats.csv_page((columnar.REFERENCE, *query.fields), records, texts, spreadsheet=ask.spreadsheet)
        case "parquet" | "avro":
            types = given_types(page.decided.decision, page.decided.resource, query.fields)
            if ask.format.name == "avro":
                return columnar.avro_page(page.decided.resource.dataset.partition(".")[2], types, records)
            return columnar.parquet_page(types, records)


def _members(page: Page, ask: Ask, following: str | None) -> dict[str, Any]:
    members: dict[str, Any] = {"instant": instant_text(page.instant)}
    if page.count is not None:
        members["count"] = {"kind": page.count[0], "value": page.count[1]}
    if following is not None:
        members["next" if ask.parameters is not None else "cursor"] = following
    return members


def following_of(page: Page, ask: Ask, cursors: Cursors) -> str | None:
    """The next page's address, or its cursor where the query came in a body; None where this is the last."""
    if not page.fetched.more:
        return None
    told = page.count[1] if page.count is not None and page.count[0] == "estimated" else None
    place = Place(page.fetched.last_place, page.at, told)
    cursor = cursors.seal(place, page.caller.id, page.compiled.query.digest, page.now)
    if ask.parameters is None:
        return cursor
    return f"{_before_cursor(ask.path, ask.parameters)}{cursor}"


@lru_cache(ADDRESSES_REMEMBERED)
def _before_cursor(path: str, parameters: tuple[tuple[str, str], ...]) -> str:
    """A page's address up to the next page's cursor, which needs no encoding."""
    kept = [(name, value) for name, value in parameters if name != "cursor"]
    return f"{path}?{urlencode([*kept, ('cursor', '')])}"


def etag_of(page: Page, ask: Ask) -> str:
    """A weak tag of the records under this decision: another caller, and a changed decision, have another.

    Weak, because a page's cursor is sealed anew each time. BLAKE2b, because it protects nothing and SM3 takes six times
    as long.
    """
    digest = hashlib.blake2b(page.decided.sm3, digest_size=ETAG_BYTES)
    query = "" if ask.single else page.compiled.query.digest
    digest.update(f"{ask.format.name}{ask.spreadsheet}{page.count}{page.caller.id}{query}".encode())
    records = page.fetched.records
    if ask.format.form in ("json", "feature"):
        digest.update(b"\n".join(records))  # no record holds a line's end
    else:
        digest.update(repr(records).encode("utf-8", "surrogatepass"))
    return f'W/"{digest.hexdigest()}"'


def matches(header: str | None, etag: str) -> bool:
    """RFC 9110 §13.1.2: weak comparison against each given tag. ``*`` is of no use where nothing is ever absent."""
    if header is None:
        return False
    return etag.removeprefix("W/") in [tag.strip().removeprefix("W/") for tag in header.split(",")]


@lru_cache(ADDRESSES_REMEMBERED)  # a page tells it twice
def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
