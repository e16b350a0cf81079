"""Search in the listing: pages by rank, facets and counts. A connection comes first; nothing commits.

Every statement has the one predicate of visibility, so what a caller may not know of is in no page, facet or count.
The order is (rank, title, dataset, version) and a page begins after such a key, so pages neither skip nor repeat while
entries are added.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.types.json import Jsonb

from catalog.listing_store import MAY_KNOW
from catalog.search import Query, Variant
from catalog.visibility import Sight

FACETS: Final = ("base", "organization", "level", "share", "open", "region", "format", "state")
START: Final = (-1, "", "", 0)
Place = tuple[int, str, str, int]


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked to hold beside the query; an empty facet asks nothing. ``region`` is a prefix of GB/T 2260."""

    base: tuple[str, ...] = ()
    organization: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    share: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    region: str = ""


NO_FILTERS: Final = Filters()


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry found. ``place`` is where the page after it begins; ``records`` are those the hub holds now."""

    dataset: str
    version: int
    state: str
    organization: str
    organization_zh: str
    organization_en: str
    base: str
    level: str
    share: str
    open: str
    region: str
    format: str
    name_zh: str
    name_en: str
    abstract_zh: str
    abstract_en: str
    update_cycle: str
    published_at: datetime | None
    records: int
    last_taken_at: datetime | None
    place: Place


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search.

    Args:
        hits: in order, at most as many as asked for.
        more: whether there are others after them.
        relaxed: whether nothing was found as typed, and what was found differs by a character or a word's end.
        total: how many there are in all; None on later pages.
        facets: value and count by facet; None unless asked for.
    """

    hits: Sequence[Hit]
    more: bool
    relaxed: bool
    total: int | None
    facets: Mapping[str, Mapping[str, int]] | None = field(default=None)


_FILTERS: Final = (
    " AND (%(states)s::text[] IS NULL AND l.current OR l.state = ANY(%(states)s))"
    " AND (%(bases)s::text[] IS NULL OR l.base = ANY(%(bases)s))"
    " AND (%(organizations)s::text[] IS NULL OR l.organization = ANY(%(organizations)s))"
    " AND (%(levels)s::text[] IS NULL OR l.level = ANY(%(levels)s))"
    " AND (%(shares)s::text[] IS NULL OR l.share = ANY(%(shares)s))"
    " AND (%(opens)s::text[] IS NULL OR l.open = ANY(%(opens)s))"
    " AND (%(formats)s::text[] IS NULL OR l.format = ANY(%(formats)s))"
    " AND (%(region)s::text = '' OR starts_with(l.region, %(region)s))"
)
# Titles before keywords before the rest, the whole before its beginning before its middle, short before long. Most rows
# that a common word finds have it elsewhere: they are told apart by two looks at short texts.
_RANK: Final = (
    "CASE WHEN l.title_zh LIKE ALL (v.patterns) OR l.title_en LIKE ALL (v.patterns) THEN"
    " CASE WHEN %(key)s IN (l.title_zh, l.title_en) THEN 0"
    " WHEN starts_with(l.title_zh, %(key)s) OR starts_with(l.title_en, %(key)s) THEN 100"
    " WHEN strpos(l.title_zh, %(key)s) > 0 OR strpos(l.title_en, %(key)s) > 0 THEN 200 ELSE 300 END"
    " + least(length(l.title_zh), 99) WHEN l.keywords LIKE ALL (v.patterns) THEN 400 ELSE 500 END"
)
_COLUMNS: Final = (
    "l.dataset, l.version, l.title_zh, l.base, l.organization, l.level, l.share, l.open, l.region, l.format, l.state"
)
_STRICT: Final = (
    "WITH found AS MATERIALIZED (SELECT " + _COLUMNS + ", " + _RANK + " AS rank"  # noqa: S608 - constants alone
    " FROM entry_listing l CROSS JOIN (VALUES (%(patterns)s::text[])) v(patterns)"
    " WHERE l.grams @> %(grams)s::text[] AND l.search LIKE ALL (%(unsettled)s::text[]) AND " + MAY_KNOW + _FILTERS + ")"
)
_RELAXED: Final = (
    "WITH found AS MATERIALIZED (SELECT " + _COLUMNS + ", min(" + _RANK + ") AS rank"  # noqa: S608 - constants alone
    " FROM jsonb_to_recordset(%(variants)s::jsonb) AS v(grams text[], patterns text[], unsettled text[])"
    " JOIN entry_listing l ON l.grams @> v.grams AND l.search LIKE ALL (v.unsettled)"
    " WHERE " + MAY_KNOW + _FILTERS + " GROUP BY l.dataset, l.version)"
)
_BROWSED: Final = (
    "WITH found AS NOT MATERIALIZED (SELECT " + _COLUMNS + ", 0 AS rank"  # noqa: S608 - constants alone
    " FROM entry_listing l WHERE " + MAY_KNOW + _FILTERS + ")"
)
# One statement: what was found is found once, for page, count and facets. What is not asked for is not run.
_ANSWER: Final = (
    " SELECT (SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.rank, p.title, p.dataset, p.version), '[]')"
    " FROM (SELECT f.dataset, f.version, f.state, f.organization, o.name_zh AS organization_zh,"
    " o.name_en AS organization_en, f.base, f.level, f.share, f.open, f.region, f.format, l.name_zh, l.name_en,"
    " c.content->'abstract'->>'zh' AS abstract_zh, c.content->'abstract'->>'en' AS abstract_en,"
    " c.content->>'update_cycle' AS update_cycle, e.published_at, coalesce(s.records, 0) AS records, s.last_taken_at,"
    " f.rank, f.title_zh AS title FROM (SELECT * FROM found"
    " WHERE (rank, title_zh, dataset, version) > (%(rank)s, %(title)s, %(dataset)s, %(version)s)"
    " ORDER BY rank, title_zh, dataset, version LIMIT %(limit)s) f"
    " JOIN entry_listing l ON l.dataset = f.dataset AND l.version = f.version"
    " JOIN entry_version e ON e.dataset = f.dataset AND e.version = f.version"
    " CROSS JOIN LATERAL (SELECT e.content::jsonb AS content) c"
    " JOIN organization o ON o.id = f.organization LEFT JOIN dataset_statistics s ON s.dataset = f.dataset) p),"
    " CASE WHEN %(counted)s THEN (SELECT count(*) FROM found) END,"
    " CASE WHEN %(faceted)s THEN (SELECT coalesce(jsonb_object_agg(g.facet, g.counts), '{}') FROM (SELECT"
    " CASE WHEN n.by & 128 = 0 THEN 'base' WHEN n.by & 64 = 0 THEN 'organization' WHEN n.by & 32 = 0 THEN 'level'"
    " WHEN n.by & 16 = 0 THEN 'share' WHEN n.by & 8 = 0 THEN 'open' WHEN n.by & 4 = 0 THEN 'region'"
    " WHEN n.by & 2 = 0 THEN 'format' ELSE 'state' END AS facet,"
    " jsonb_object_agg(coalesce(n.base, n.organization, n.level, n.share, n.open, n.region, n.format, n.state),"
    " n.number) AS counts FROM (SELECT base, organization, level, share, open, region, format, state,"
    " grouping(base, organization, level, share, open, region, format, state) AS by, count(*) AS number FROM found"
    " GROUP BY GROUPING SETS ((base), (organization), (level), (share), (open), (region), (format), (state))) n"
    " GROUP BY 1) g) END"
)
# For the transaction. A word that most entries have looks cheapest to find by reading the whole listing, but then each
# row's grams are fetched from where they stand aside (measured: 270 ms of 100,000 rows instead of 90).
_PLANNED: Final = "SELECT set_config('enable_seqscan', 'off', true), set_config('work_mem', '32MB', true)"
_SEARCH: Final = _STRICT + _ANSWER
_SEARCH_RELAXED: Final = _RELAXED + _ANSWER
_BROWSE: Final = _BROWSED + _ANSWER


def search(
    conn: Connection,
    query: Query | None,
    sight: Sight,
    filters: Filters = NO_FILTERS,
    *,
    limit: int = 20,
    after: Place | None = None,
    relaxed: bool | None = None,
    facets: bool = False,
) -> Found:
    """One page of what a caller may know of.

    Args:
        conn: a connection.
        query: what was typed; None lists by title.
        sight: what the caller may know of.
        filters: what must hold beside.
        limit: at most so many hits.
        after: where the page before ended; None begins.
        relaxed: how the page before was found; None tries as typed first, then relaxed.
        facets: whether to count by facet; they count what is found in all, not this page.
    """
    asked = _parameters(sight, filters, limit, after) | {"counted": after is None, "faceted": facets}
    if query is None:
        return _found(conn, _BROWSE, asked, limit, relaxed=False)
    asked["key"] = query.key
    conn.execute(_PLANNED)
    if not relaxed:
        strict = _found(conn, _SEARCH, asked | _reading(query.strict), limit, relaxed=False)
        if strict.hits or relaxed is False or not query.relaxed:
            return strict
    variants = Jsonb([_reading(one) for one in query.relaxed])
    return _found(conn, _SEARCH_RELAXED, asked | {"variants": variants}, limit, relaxed=True)


def _reading(variant: Variant) -> dict[str, object]:
    return {name: list(getattr(variant, name)) for name in Variant.__slots__}


def _found(
    conn: Connection, statement: LiteralString, asked: Mapping[str, object], limit: int, *, relaxed: bool
) -> Found:
    row = conn.execute(statement, asked).fetchone()
    assert row is not None  # noqa: S101 - a SELECT of scalars returns one row
    hits, total, facets = row
    return Found(
        hits=[_hit(one) for one in hits[:limit]],
        more=len(hits) > limit,
        relaxed=relaxed,
        total=total,
        facets=None if facets is None else {name: facets.get(name, {}) for name in FACETS},
    )


def _hit(row: dict[str, Any]) -> Hit:
    rank, title = row.pop("rank"), row.pop("title")
    for name in ("published_at", "last_taken_at"):
        row[name] = None if row[name] is None else datetime.fromisoformat(row[name])
    return Hit(**row, place=(rank, title, row["dataset"], row["version"]))


def _parameters(sight: Sight, filters: Filters, limit: int, after: Place | None) -> dict[str, object]:
    rank, title, dataset, version = after or START
    facets = ("base", "organization", "level", "share", "open", "format", "state")
    return {
        "audience": sight.audience,
        "own": sight.organization,
        "limit": limit + 1,
        "rank": rank,
        "title": title,
        "dataset": dataset,
        "version": version,
        "region": filters.region,
        **{f"{name}s": list(getattr(filters, name)) or None for name in facets},
    }
