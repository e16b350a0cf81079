"""The entries in force, page after page, for export. A connection comes first; nothing commits."""

from psycopg import Connection

from catalog.dcat import Described
from catalog.entry_json import entry_from_canonical
from catalog.listing_store import MAY_KNOW
from catalog.organization import Organization
from catalog.visibility import Sight


def described_page(conn: Connection, sight: Sight, after: str, limit: int) -> list[Described]:
    """What is in force and this caller may know of, by dataset, from the one after ``after`` (empty: the first).

    Pages, so that a slow reader of a long export holds no connection.
    """
    rows = conn.execute(
        "SELECT v.content, v.version, v.published_at, i.issued, o.id, o.name_zh, o.name_en, o.level, o.region,"  # noqa: S608 - constants alone
        " o.credit_code FROM entry_listing l JOIN entry_version v ON v.dataset = l.dataset AND v.version = l.version"
        " JOIN organization o ON o.id = l.organization CROSS JOIN LATERAL (SELECT min(published_at) AS issued"
        " FROM entry_version WHERE dataset = l.dataset) i"
        " WHERE l.state = 'published' AND l.dataset > %(after)s AND "
        + MAY_KNOW
        + " ORDER BY l.dataset LIMIT %(limit)s",
        {"audience": sight.audience, "own": sight.organization, "after": after, "limit": limit},
    ).fetchall()
    return [
        Described(entry_from_canonical(content), version, Organization(*organization), issued, modified)
        for content, version, modified, issued, *organization in rows
    ]
