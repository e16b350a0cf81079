"""Rows of the listing: what search, lists, facets and counts are made from. A connection comes first; nothing commits.

The listing is derived: of each dataset the version in force and the newest one, with everything search compares.
``relist`` makes a dataset's rows anew whenever something happened to its entry.
"""

from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import class_row

from catalog.dataset import Dataset
from catalog.entry import FORMATS, Entry
from catalog.entry_store import EntryVersion, find_published, list_secrecy_reviews, list_versions, secrecy_passed
from catalog.organization import Organization
from catalog.search import grams, normalised
from catalog.store import find_dataset, find_organization
from catalog.visibility import Sight, audience_of
from schemas import codelists

# The one predicate of visibility (catalog/visibility.py): every statement that reads the listing for a caller has it.
MAY_KNOW: Final = "(l.audience <= %(audience)s OR l.organization = %(own)s)"
UNLABELLED: Final = "unlabelled"


@dataclass(frozen=True, slots=True)
class ListingRow:
    """One row of the listing."""

    dataset: str
    version: int
    state: str
    current: bool
    audience: int
    organization: str
    base: str
    level: str
    share: str
    open: str
    region: str
    format: str
    name_zh: str
    name_en: str
    title_zh: str
    title_en: str
    keywords: str
    search: str
    grams: list[str]


def relist(conn: Connection, dataset: str) -> None:
    """Make the rows of a dataset anew."""
    found = find_dataset(conn, dataset)
    conn.execute("DELETE FROM entry_listing WHERE dataset = %s", [dataset])
    versions = list_versions(conn, dataset)
    if found is None or not versions:
        return
    organization = find_organization(conn, found.organization)
    assert organization is not None  # noqa: S101 - a dataset references its organization
    published = find_published(conn, dataset)
    shown = {version.version: version for version in (published, versions[0]) if version is not None}
    current = published or versions[0]
    for version in shown.values():
        passed = secrecy_passed(list_secrecy_reviews(conn, dataset, version.version), version.sm3)
        row = listing_row(version, found, organization, passed=passed, current=version.version == current.version)
        add_listing(conn, row)


def listing_row(
    version: EntryVersion, dataset: Dataset, organization: Organization, *, passed: bool, current: bool
) -> ListingRow:
    """What is listed of a version."""
    entry = version.entry
    search = normalised(_searched(entry, organization))
    return ListingRow(
        dataset=version.dataset,
        version=version.version,
        state=version.state,
        current=current,
        audience=audience_of(entry, version.state, secrecy_passed=passed),
        organization=dataset.organization,
        base=dataset.base,
        level=str(entry.level or UNLABELLED),
        share=entry.share.type,
        open=entry.open.type,
        region=entry.region,
        format=str(entry.format),
        name_zh=entry.name_zh,
        name_en=entry.name_en,
        title_zh=normalised(entry.name_zh).replace(" ", ""),
        title_en=normalised(entry.name_en).replace(" ", ""),
        keywords=normalised(" ".join(entry.keywords)),
        search=search,
        grams=sorted(grams(search)),
    )


def add_listing(conn: Connection, row: ListingRow) -> None:
    """Insert one row."""
    conn.execute(
        "INSERT INTO entry_listing (dataset, version, state, current, audience, organization, base, level, share, open,"
        " region, format, name_zh, name_en, title_zh, title_en, keywords, search, grams)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [getattr(row, name) for name in ListingRow.__slots__],
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """What of a dataset's entry a caller may know."""

    version: int
    state: str
    organization: str
    current: bool


def listed_for(conn: Connection, dataset: str, sight: Sight) -> Listed | None:
    """The row that stands for a dataset, as far as the caller may know of it: the version in force, else the newest."""
    with conn.cursor(row_factory=class_row(Listed)) as cursor:
        return cursor.execute(
            "SELECT l.version, l.state, l.organization, l.current FROM entry_listing l"  # noqa: S608 - constants alone
            " WHERE l.dataset = %(dataset)s AND l.current AND " + MAY_KNOW,
            {"dataset": dataset, "audience": sight.audience, "own": sight.organization},
        ).fetchone()


def _searched(entry: Entry, organization: Organization) -> str:
    """Everything of an entry that people may look for it by."""
    division = codelists.divisions().get(entry.region)
    return "\n".join(
        (
            *(entry.name_zh, entry.name_en, *entry.keywords, entry.theme, entry.abstract_zh, entry.abstract_en),
            *(item.title_zh for item in entry.items),
            *(item.title_en for item in entry.items),
            *(organization.name_zh, organization.name_en, "" if division is None else division.name),
            *(entry.dataset, entry.code, *FORMATS[entry.format]),
        )
    )
