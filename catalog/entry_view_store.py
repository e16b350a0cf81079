"""An entry as a caller reads it: content, where it stands, how fresh and good its data are. Nothing commits.

Absent and unknown to this caller are one answer. Work (drafts, reviews, who did what, earlier versions, who uses it) is
for the owner and the hub's offices; everyone else knows the version in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from catalog.entry_changes import Change, changes_between
from catalog.entry_errors import EntryUnknown
from catalog.entry_store import (
    EntryVersion,
    SecrecyReview,
    find_version,
    list_events,
    list_secrecy_reviews,
    list_versions,
    secrecy_passed,
)
from catalog.freshness import Standing, standing_of
from catalog.lifecycle import EntryEvent
from catalog.listing_store import listed_for
from catalog.organization import Organization
from catalog.quality_store import Quality, count_users, quality_of
from catalog.store import find_dataset, find_organization
from catalog.visibility import Sight


@dataclass(frozen=True, slots=True)
class Work:
    """What only the owner and the hub's offices read.

    Args:
        events: what was done to the version by whom.
        reviews: its secrecy reviews.
        users: how many hold a grant in effect now.
        newest: the number of the newest version, whatever its state.
    """

    events: Sequence[EntryEvent]
    reviews: Sequence[SecrecyReview]
    users: int
    newest: int


@dataclass(frozen=True, slots=True)
class EntryView:
    """One version as a caller reads it."""

    version: EntryVersion
    base: str
    organization: Organization
    secrecy_passed: bool
    standing: Standing
    quality: Quality
    work: Work | None


def view_of(conn: Connection, dataset: str, sight: Sight, now: datetime, version: int | None = None) -> EntryView:
    """A version, by default the one in force, else the newest.

    Raises:
        EntryUnknown: there is none, or none this caller may know of.
    """
    found = _version_for(conn, dataset, sight, version)
    owner = find_dataset(conn, dataset)
    assert owner is not None  # noqa: S101 - a version references its dataset
    organization = find_organization(conn, owner.organization)
    assert organization is not None  # noqa: S101 - a dataset references its organization
    quality = quality_of(conn, dataset)
    reviews = list_secrecy_reviews(conn, dataset, found.version)
    work = None
    if sight.covers_work_of(owner.organization):
        newest = list_versions(conn, dataset)[0].version
        events = list_events(conn, dataset, found.version)
        work = Work(events, reviews, count_users(conn, dataset, now), newest)
    return EntryView(
        version=found,
        base=owner.base,
        organization=organization,
        secrecy_passed=secrecy_passed(reviews, found.sm3),
        standing=standing_of(found.entry.update_cycle, quality.last_taken_at, now),
        quality=quality,
        work=work,
    )


def versions_for(conn: Connection, dataset: str, sight: Sight) -> list[EntryVersion]:
    """The versions a caller may know of, the newest first.

    Raises:
        EntryUnknown: none.
    """
    listed = listed_for(conn, dataset, sight)
    if listed is None:
        raise EntryUnknown(dataset=dataset)
    works = sight.covers_work_of(listed.organization)
    return [one for one in list_versions(conn, dataset) if works or one.version == listed.version]


def changes_for(conn: Connection, dataset: str, sight: Sight, first: int, second: int) -> tuple[Change, ...]:
    """What changed between two versions a caller may know of.

    Raises:
        EntryUnknown: one of them is none such.
    """
    before = _version_for(conn, dataset, sight, first)
    after = _version_for(conn, dataset, sight, second)
    return changes_between(before.entry, after.entry)


def _version_for(conn: Connection, dataset: str, sight: Sight, version: int | None) -> EntryVersion:
    listed = listed_for(conn, dataset, sight)
    if listed is None:
        raise EntryUnknown(dataset=dataset)
    wanted = listed.version if version is None else version
    if wanted != listed.version and not sight.covers_work_of(listed.organization):
        raise EntryUnknown(dataset=dataset)
    found = find_version(conn, dataset, wanted)
    if found is None:
        raise EntryUnknown(dataset=dataset)
    return found
