"""Rows of grants and of what happened to them. Nothing commits; a trigger raises the policy epoch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from catalog.condition_json import Types, condition_to_json
from catalog.epoch_store import EPOCH_BESIDE
from catalog.grant import Grant, Quota
from catalog.grant_course import GivenGrant, GrantStep
from catalog.grant_text import rows_from_json
from catalog.request_store import is_uuid
from catalog.visible import Visible

TypesOf = Callable[[str], Types]  # the field types of a dataset, by its id


_FOR = (
    "SELECT id::text, kind, holder, dataset, fields, laws, rows, purpose, basis, methods, quota_requests,"
    " quota_rows, quota_bytes, valid_from,"
    " CASE WHEN reviewed_at IS NULL THEN least(valid_until, review_by) ELSE valid_until END,"
    " state, request::text FROM (VALUES (%s::text), (%s::text)) of (holder) JOIN access_grant USING (holder)"
    " WHERE dataset = %s AND state <> 'ended'"
)
_EPOCH_AND_FOR = (
    "SELECT e.epoch, g.* FROM " + EPOCH_BESIDE + " LEFT JOIN LATERAL (" + _FOR + ") g ON true"  # noqa: S608 - constants alone
)


def grants_for(conn: Connection, holders: Sequence[str], dataset: str, types: Types) -> list[Grant]:
    """The grants of any of these holders for a dataset that have not ended, in no order; two looks at an index.

    An emergency grant that nobody has reviewed ends with its review date. A row condition that cannot be read any more
    gives no rows.

    Args:
        conn: a connection.
        holders: of the caller.
        dataset: id.
        types: the dataset's fields, which row conditions are read against.
    """
    found = conn.execute(_FOR, [*_two(holders), dataset]).fetchall()
    return [_grant(row, types) for row in found]


def epoch_and_grants_for(
    conn: Connection, holders: Sequence[str], dataset: str, types: Types
) -> tuple[int, list[Grant]]:
    """The policy epoch and the grants as of one snapshot, in one round trip."""
    found = conn.execute(_EPOCH_AND_FOR, [*_two(holders), dataset]).fetchall()
    return int(found[0][0]), [_grant(row[1:], types) for row in found if row[1] is not None]


def _two(holders: Sequence[str]) -> tuple[str, str]:
    # As many as a caller has. For an array or a NULL among them PostgreSQL makes a new plan each time, for 0.2 ms.
    assert len(holders) <= 2  # noqa: PLR2004, S101 - ``Caller.holders``: a caller's own id and its organization's
    first, second = (*holders, "", "")[:2]
    return first, second


def _grant(row: Sequence[Any], types: Types) -> Grant:
    return Grant(
        id=row[0],
        kind=row[1],
        holder=row[2],
        dataset=row[3],
        fields=row[4],
        laws=row[5],
        rows=None if row[6] is None else rows_from_json(row[6], types),
        purpose=row[7],
        basis=row[8],
        methods=frozenset(row[9]),
        quota=Quota(row[10], row[11], row[12]),
        valid_from=row[13],
        valid_until=row[14],
        state=row[15],
        request=row[16],
    )


# Writing -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GrantEvent:
    """One step in the course of a grant."""

    step: GrantStep
    actor: str
    person: str | None
    at: datetime
    detail: Mapping[str, Any]


def add_grant(conn: Connection, given: GivenGrant, event: GrantEvent) -> None:
    """Insert a grant that was approved."""
    grant = given.grant
    conn.execute(
        "INSERT INTO access_grant (id, kind, holder, dataset, fields, laws, rows, purpose, basis, methods,"
        " quota_requests, quota_rows, quota_bytes, valid_from, valid_until, state, request, digest, given_by,"
        " given_person, given_at, review_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(grant.id, grant.kind, grant.holder, grant.dataset, Jsonb(dict(grant.fields)), Jsonb(dict(grant.laws))),
            None if grant.rows is None else Jsonb(condition_to_json(grant.rows)),
            *(grant.purpose, grant.basis, sorted(grant.methods)),
            *(grant.quota.requests, grant.quota.rows, grant.quota.bytes),
            *(grant.valid_from, grant.valid_until, grant.state, grant.request),
            *(given.digest, given.given_by, given.given_person, given.given_at, given.review_by),
        ],
    )
    _add_event(conn, grant.id, event)


def save_course(conn: Connection, given: GivenGrant, event: GrantEvent) -> None:
    """Write where a grant stands after one more step; what was allowed does not change."""
    conn.execute(
        "UPDATE access_grant SET state = %s, reviewed_at = %s, rectify_by = %s, rectified_at = %s, ended_at = %s"
        " WHERE id = %s",
        [given.grant.state, given.reviewed_at, given.rectify_by, given.rectified_at, given.ended_at, given.grant.id],
    )
    _add_event(conn, given.grant.id, event)


def _add_event(conn: Connection, grant: str, event: GrantEvent) -> None:
    conn.execute(
        "INSERT INTO grant_event (access_grant, number, step, actor, person, at, detail)"
        " SELECT %(id)s, coalesce(max(number), 0) + 1, %(step)s, %(actor)s, %(person)s, %(at)s, %(detail)s"
        " FROM grant_event WHERE access_grant = %(id)s",
        {
            "id": grant,
            "step": event.step,
            "actor": event.actor,
            "person": event.person,
            "at": event.at,
            "detail": Jsonb(dict(event.detail)),
        },
    )


# Reading -------------------------------------------------------------------------------------------------------------

_COLUMNS = (
    "SELECT id::text, kind, holder, dataset, fields, laws, rows, purpose, basis, methods, quota_requests, quota_rows,"
    " quota_bytes, valid_from, valid_until, state, request::text, digest, given_by, given_person, given_at, review_by,"
    " reviewed_at, rectify_by, rectified_at, ended_at FROM access_grant"
)
_FIND = _COLUMNS + " WHERE id = %s"
_LOCK = _FIND + " FOR UPDATE"
_OF_REQUEST = _COLUMNS + " WHERE request = %s ORDER BY id"
_LAPSED = (
    _COLUMNS + " WHERE state <> 'ended' AND least(valid_until, CASE WHEN reviewed_at IS NULL THEN review_by END,"
    " CASE WHEN rectified_at IS NULL THEN rectify_by END) <= %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
)
_LIST = (
    "SELECT id::text, kind, holder, dataset, fields, laws, rows, purpose, basis, methods, quota_requests, quota_rows,"
    " quota_bytes, valid_from, valid_until, state, request::text, digest, given_by, given_person, given_at, review_by,"
    " reviewed_at, rectify_by, rectified_at, ended_at FROM access_grant"
    " WHERE (%(all)s OR holder = ANY(%(holders)s)"
    " OR dataset IN (SELECT id FROM dataset WHERE organization = %(organization)s))"
    " AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)"
    " AND (%(after)s::uuid IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s"
)


def find_grant(conn: Connection, grant: str, types_of: TypesOf) -> GivenGrant | None:
    """One grant by its id."""
    return next(iter(_read(conn, _FIND, [grant], types_of)), None) if is_uuid(grant) else None


def lock_grant(conn: Connection, grant: str, types_of: TypesOf) -> GivenGrant | None:
    """One grant by its id, which nobody else changes until the transaction ends."""
    return next(iter(_read(conn, _LOCK, [grant], types_of)), None) if is_uuid(grant) else None


def grants_of_request(conn: Connection, request: str, types_of: TypesOf) -> list[GivenGrant]:
    """What was granted on a request, by id."""
    return _read(conn, _OF_REQUEST, [request], types_of)


def lock_lapsed(conn: Connection, now: datetime, limit: int, types_of: TypesOf) -> list[GivenGrant]:
    """Grants that are over although nobody ended them, but for those another transaction holds."""
    return _read(conn, _LAPSED, [now, limit], types_of)


def list_grants(
    conn: Connection,
    visible: Visible,
    types_of: TypesOf,
    *,
    state: str | None = None,
    dataset: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[GivenGrant]:
    """The grants a caller may know of, by id, after the one named."""
    asked = {
        "all": visible.all,
        "holders": list(visible.holders),
        "organization": visible.organization,
        "state": state,
        "dataset": dataset,
        "after": after,
        "limit": limit,
    }
    return _read(conn, _LIST, asked, types_of)


def events_of(conn: Connection, grant: str) -> list[GrantEvent]:
    """The course of a grant so far."""
    rows = conn.execute(
        "SELECT step, actor, person, at, detail FROM grant_event WHERE access_grant = %s ORDER BY number", [grant]
    ).fetchall()
    return [GrantEvent(*row) for row in rows]


def _read(
    conn: Connection, query: str, asked: "Sequence[object] | Mapping[str, object]", types_of: TypesOf
) -> list[GivenGrant]:
    with conn.cursor() as cursor:
        rows = cursor.execute(query, asked).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]  # one of those above
    none: Types = {}
    return [GivenGrant(_grant(row, none if row[6] is None else types_of(row[3])), *row[17:]) for row in rows]
