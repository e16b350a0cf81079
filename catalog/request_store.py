"""Rows of requests and of what happened to them. A connection comes first; nothing commits."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from catalog.request import Request, RequestEvent, RequestState
from catalog.request_text import elements_from_json, elements_to_json
from catalog.visible import Visible


def add_request(conn: Connection, request: Request) -> None:
    """Insert a request with its submission."""
    conn.execute(
        "INSERT INTO request (id, dataset, holder, organization, provider, share, asked_by, asked_person, state,"
        " elements, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            request.id,
            request.dataset,
            request.holder,
            request.organization,
            request.provider,
            request.share,
            request.asked.actor,
            request.asked.person,
            request.state,
            Jsonb(elements_to_json(request.elements)),
            request.asked.at,
        ],
    )
    _add_event(conn, request.id, len(request.events), request.events[-1])


def save_step(conn: Connection, request: Request) -> None:
    """Write a request after one more step: its state, its elements and the last event."""
    conn.execute(
        "UPDATE request SET state = %s, elements = %s WHERE id = %s",
        [request.state, Jsonb(elements_to_json(request.elements)), request.id],
    )
    _add_event(conn, request.id, len(request.events), request.events[-1])


def _add_event(conn: Connection, request: str, number: int, event: RequestEvent) -> None:
    conn.execute(
        "INSERT INTO request_event (request, number, step, actor, person, at, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [request, number, event.step, event.actor, event.person, event.at, Jsonb(dict(event.detail))],
    )


def find_request(conn: Connection, request: str) -> Request | None:
    """One request by its id."""
    return next(iter(_read(conn, _FIND, request)), None)


def lock_request(conn: Connection, request: str) -> Request | None:
    """One request by its id, which nobody else changes until the transaction ends."""
    return next(iter(_read(conn, _LOCK, request)), None)


def list_requests(
    conn: Connection,
    visible: Visible,
    *,
    state: RequestState | None = None,
    dataset: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Request]:
    """The requests a caller may know of, by id, so in the order they were asked, after the one named."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "SELECT id::text, dataset, holder, organization, provider, share, state, elements FROM request"
            " WHERE (%(all)s OR holder = ANY(%(holders)s) OR organization = %(organization)s"
            " OR provider = %(organization)s)"
            " AND (%(state)s::text IS NULL OR state = %(state)s)"
            " AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)"
            " AND (%(after)s::uuid IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s",
            {
                "all": visible.all,
                "holders": list(visible.holders),
                "organization": visible.organization,
                "state": state,
                "dataset": dataset,
                "after": after,
                "limit": limit,
            },
        ).fetchall()
    return _with_events(conn, rows)


_FIND = "SELECT id::text, dataset, holder, organization, provider, share, state, elements FROM request WHERE id = %s"
_LOCK = (
    "SELECT id::text, dataset, holder, organization, provider, share, state, elements FROM request WHERE id = %s"
    " FOR UPDATE"
)


def _read(conn: Connection, query: str, request: str) -> list[Request]:
    if not is_uuid(request):
        return []
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, [request]).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]  # one of the two above
    return _with_events(conn, rows)


def _with_events(conn: Connection, rows: Sequence[dict[str, Any]]) -> list[Request]:
    events: defaultdict[str, list[RequestEvent]] = defaultdict(list)
    found = conn.execute(
        "SELECT request::text, step, actor, person, at, detail FROM request_event WHERE request = ANY(%s::uuid[])"
        " ORDER BY request, number",
        [[row["id"] for row in rows]],
    )
    for request, *members in found:
        events[request].append(RequestEvent(*members))
    return [_request(row, tuple(events[row["id"]])) for row in rows]


def _request(row: dict[str, Any], events: tuple[RequestEvent, ...]) -> Request:
    elements = elements_from_json(row.pop("elements"))
    return Request(elements=elements, events=events, **row)


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in its canonical form."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
