"""The catalogue: search, entries, their versions, DCAT. Readable by everyone, each as far as they may know of it."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse

from catalog.caller import Caller
from catalog.dcat import JSON_LD, TURTLE, Described, json_ld, turtle
from catalog.dcat_store import described_page
from catalog.entry_errors import CatalogPageUnknown
from catalog.entry_view_store import changes_for, versions_for, view_of
from catalog.lifecycle import State
from catalog.resource import Open, Share
from catalog.search import QUERY_CHARACTERS_MAX, read_query
from catalog.search_store import Filters, Place, search
from catalog.visibility import sight_of
from hub.acts.shown_entry import shown_changes, shown_hit, shown_version, shown_view
from hub.api.catalog_bodies import ChangesAnswer, EntryAnswer, SearchAnswer, VersionsAnswer
from hub.api.dependencies import AnyCallerOf, Parts, PartsOf
from hub.api.identity import public_url_of
from hub.api.openapi import header, problems

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])

PAGE_ENTRIES_MAX = 100
CURSOR_CHARACTERS_MAX = 1_000
_EXPORTED_AT_ONCE = 500
_VARIES = {"vary": "authorization, accept", "cache-control": "private, no-cache"}

DatasetPath = Annotated[str, Path(description="Dataset id.", pattern=r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$")]
VersionPath = Annotated[int, Path(ge=1, lt=2**31, description="Number of a version.")]
_Words = Annotated[Sequence[Annotated[str, Query(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]], Query(max_length=20)]


@router.get("/entries", summary="Search the catalogue", responses={200: {"model": SearchAnswer}, **problems()})
def read_entries(
    caller: AnyCallerOf,
    parts: PartsOf,
    q: Annotated[
        str, Query(max_length=QUERY_CHARACTERS_MAX, description="What to look for; nothing lists by title.")
    ] = "",
    base: _Words = (),
    organization: _Words = (),
    level: _Words = (),
    share: Annotated[Sequence[Share], Query(max_length=3)] = (),
    open_: Annotated[Sequence[Open], Query(alias="open", max_length=3)] = (),
    format_: Annotated[Sequence[Annotated[str, Query(pattern="^[1-7]$")]], Query(alias="format")] = (),
    region: Annotated[
        str, Query(pattern="^([1-9][0-9]{1,5})?$", description="GB/T 2260 code; a shorter one names all within it.")
    ] = "",
    state: Annotated[
        Sequence[State], Query(description="Entries in these states; by default each as it stands for you.")
    ] = (),
    limit: Annotated[int, Query(ge=1, le=PAGE_ENTRIES_MAX)] = 20,
    cursor: Annotated[str | None, Query(max_length=CURSOR_CHARACTERS_MAX, description="Of the page before.")] = None,
    facets: Annotated[bool, Query(description="Count by facet, too.")] = False,
) -> JSONResponse:
    """Finds 江岸区 by 江岸, whatever the width, case or spaces; where nothing fits, one character may be wrong."""
    filters = Filters(
        base=tuple(base),
        organization=tuple(organization),
        level=tuple(level),
        share=tuple(share),
        open=tuple(open_),
        format=tuple(format_),
        state=tuple(state),
        region=region,
    )
    relaxed, after = (None, None) if cursor is None else _place_of(cursor)
    with parts.pool.connection() as conn:
        found = search(
            conn,
            read_query(q),
            sight_of(caller),
            filters,
            limit=limit,
            after=after,
            relaxed=relaxed,
            facets=facets,
        )
    following = None
    if found.more:
        following = _href(q, filters, limit, _cursor_of(found.hits[-1].place, relaxed=found.relaxed))
    answer = {
        "entries": [shown_hit(hit) for hit in found.hits],
        "relaxed": found.relaxed,
        "total": found.total,
        "facets": None if found.facets is None else {name: dict(counts) for name, counts in found.facets.items()},
        "next": following,
    }
    return JSONResponse(answer, headers=_VARIES)


@router.get(
    "/entries/{dataset}",
    summary="The entry of a dataset",
    responses={
        200: {"model": EntryAnswer, "headers": {"ETag": header("SM3 of the body; strong.")}},
        304: {"description": "Unchanged since the ETag given.", "headers": {"ETag": header("As given.")}},
        **problems(404, on_404="No such entry, or none you may know of."),
    },
)
def read_entry(
    dataset: DatasetPath,
    caller: AnyCallerOf,
    parts: PartsOf,
    version: Annotated[int | None, Query(ge=1, lt=2**31, description="By default the one in force.")] = None,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """With where it stands, how fresh and good its data are; its work for the owner and the hub's offices."""
    with parts.pool.connection() as conn:
        view = view_of(conn, dataset, sight_of(caller), parts.clock(), version)
    return _with_etag(shown_view(view), if_none_match)


@router.get(
    "/entries/{dataset}/versions",
    summary="The versions of an entry",
    responses={200: {"model": VersionsAnswer}, **problems(404)},
)
def read_versions(dataset: DatasetPath, caller: AnyCallerOf, parts: PartsOf) -> JSONResponse:
    """All for the owner and the hub's offices, the one in force for everyone else."""
    with parts.pool.connection() as conn:
        found = versions_for(conn, dataset, sight_of(caller))
    return JSONResponse({"versions": [shown_version(one) for one in found]}, headers=_VARIES)


@router.get(
    "/entries/{dataset}/versions/{first}..{second}",
    summary="What changed between two versions",
    responses={200: {"model": ChangesAnswer}, **problems(404)},
)
def read_changes(
    dataset: DatasetPath, first: VersionPath, second: VersionPath, caller: AnyCallerOf, parts: PartsOf
) -> JSONResponse:
    """Every element that differs, with both values."""
    with parts.pool.connection() as conn:
        found = changes_for(conn, dataset, sight_of(caller), first, second)
    return JSONResponse({"first": first, "second": second, "changes": shown_changes(found)}, headers=_VARIES)


@router.get(
    "/dcat",
    summary="The catalogue as DCAT 3",
    response_class=Response,
    responses={
        200: {
            "description": "What is in force and you may know of.",
            "content": {
                JSON_LD: {"schema": {"type": "object"}},
                TURTLE: {"schema": {"type": "string"}},
            },
        },
        **problems(),
    },
)
def read_dcat(
    caller: AnyCallerOf, parts: PartsOf, accept: Annotated[str, Header(max_length=1000)] = JSON_LD
) -> StreamingResponse:
    """JSON-LD, or Turtle where Accept names it."""
    media_type = TURTLE if TURTLE in accept and JSON_LD not in accept else JSON_LD
    write = turtle if media_type == TURTLE else json_ld
    text = write(public_url_of(parts.settings), parts.settings.hub_id, _described(parts, caller))
    return StreamingResponse((piece.encode() for piece in text), media_type=media_type, headers=_VARIES)


def _described(parts: Parts, caller: Caller) -> Iterator[Described]:
    sight, after = sight_of(caller), ""
    while True:
        with parts.pool.connection() as conn:
            page = described_page(conn, sight, after, _EXPORTED_AT_ONCE)
        yield from page
        if len(page) < _EXPORTED_AT_ONCE:
            return
        after = page[-1].entry.dataset


def _with_etag(answer: dict[str, Any], if_none_match: str | None) -> Response:
    response = JSONResponse(answer, headers=_VARIES)
    etag = f'"{hashlib.new("sm3", bytes(response.body)).hexdigest()}"'
    given = [] if if_none_match is None else [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    if etag in given or "*" in given:  # RFC 9110 §13.1.2
        return Response(status_code=304, headers={**_VARIES, "etag": etag})
    response.headers["etag"] = etag
    return response


# Cursors -------------------------------------------------------------------------------------------------------------
# A cursor says where the page before ended, in an answer its caller has read. Whoever makes one up learns nothing: what
# may be known of is asked again on every page.


def _cursor_of(place: Place, *, relaxed: bool) -> str:
    return base64.urlsafe_b64encode(json.dumps([relaxed, *place], ensure_ascii=False).encode()).decode()


def _place_of(cursor: str) -> tuple[bool, Place]:
    try:
        read: object = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise CatalogPageUnknown from None
    kinds = (bool, int, str, str, int)
    parts = cast("list[Any]", read) if isinstance(read, list) else []
    if len(parts) != len(kinds) or any(type(part) is not kind for part, kind in zip(parts, kinds, strict=True)):
        raise CatalogPageUnknown
    relaxed, rank, title, dataset, version = parts
    if not (title + dataset).isprintable() or not all(0 <= number < 2**31 for number in (rank, version)):
        raise CatalogPageUnknown
    return relaxed, (rank, title, dataset, version)


def _href(q: str, filters: Filters, limit: int, cursor: str) -> str:
    names = ("base", "organization", "level", "share", "open", "format", "state")
    asked = [(name, value) for name in names for value in getattr(filters, name)]
    told = [("q", q), *asked, ("region", filters.region), ("limit", str(limit)), ("cursor", cursor)]
    return f"{router.prefix}/entries?{urlencode([(name, value) for name, value in told if value])}"
