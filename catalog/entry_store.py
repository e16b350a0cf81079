"""Rows of entries: versions, events, secrecy reviews, raised levels. A connection comes first; nothing commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from catalog.entry import Entry
from catalog.entry_json import canonical, digest_of, entry_from_canonical
from catalog.lifecycle import EntryEvent, State
from catalog.resource import FieldLevel


@dataclass(frozen=True, slots=True)
class EntryVersion:
    """One version of a dataset's entry.

    Args:
        dataset: id.
        version: from 1, over all states.
        state: where it stands.
        content: its canonical JSON, exactly as digested.
        sm3: digest of ``content``.
        created_at: when it was first drafted.
        changed_at: of the last act.
        published_at: publication date (发布日期); None before.
    """

    dataset: str
    version: int
    state: State
    content: str
    sm3: str
    created_at: datetime
    changed_at: datetime
    published_at: datetime | None

    @property
    def entry(self) -> Entry:
        """The entry it holds."""
        return entry_from_canonical(self.content)


# Versions ------------------------------------------------------------------------------------------------------------


def lock_entry(conn: Connection, dataset: str) -> None:
    """One act at a time on the entry of a dataset, until the transaction ends. Batches go on: they lock no such row."""
    conn.execute("SELECT 1 FROM dataset WHERE id = %s FOR NO KEY UPDATE", [dataset])


def add_version(conn: Connection, entry: Entry, now: datetime) -> EntryVersion:
    """A new draft, numbered after the last version."""
    row = conn.execute(
        "SELECT coalesce(max(version), 0) + 1 FROM entry_version WHERE dataset = %s", [entry.dataset]
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate returns one row
    version = int(row[0])
    content = canonical(entry, version)
    conn.execute(
        "INSERT INTO entry_version (dataset, version, state, content, sm3, created_at, changed_at)"
        " VALUES (%s, %s, 'draft', %s, %s, %s, %s)",
        [entry.dataset, version, content, digest_of(content), now, now],
    )
    return EntryVersion(entry.dataset, version, "draft", content, digest_of(content), now, now, None)


def replace_draft(conn: Connection, draft: EntryVersion, entry: Entry, now: datetime) -> EntryVersion:
    """Another content for a draft. The database refuses it for any other state."""
    content = canonical(entry, draft.version)
    conn.execute(
        "UPDATE entry_version SET content = %s, sm3 = %s, changed_at = %s WHERE dataset = %s AND version = %s",
        [content, digest_of(content), now, draft.dataset, draft.version],
    )
    return EntryVersion(draft.dataset, draft.version, "draft", content, digest_of(content), draft.created_at, now, None)


def find_version(conn: Connection, dataset: str, version: int) -> EntryVersion | None:
    """One version."""
    with conn.cursor(row_factory=class_row(EntryVersion)) as cursor:
        return cursor.execute(
            "SELECT dataset, version, state, content, sm3, created_at, changed_at, published_at FROM entry_version"
            " WHERE dataset = %s AND version = %s",
            [dataset, version],
        ).fetchone()


def find_published(conn: Connection, dataset: str) -> EntryVersion | None:
    """The version in force."""
    with conn.cursor(row_factory=class_row(EntryVersion)) as cursor:
        return cursor.execute(
            "SELECT dataset, version, state, content, sm3, created_at, changed_at, published_at FROM entry_version"
            " WHERE dataset = %s AND state = 'published'",
            [dataset],
        ).fetchone()


def list_versions(conn: Connection, dataset: str) -> list[EntryVersion]:
    """All versions, the newest first."""
    with conn.cursor(row_factory=class_row(EntryVersion)) as cursor:
        return cursor.execute(
            "SELECT dataset, version, state, content, sm3, created_at, changed_at, published_at FROM entry_version"
            " WHERE dataset = %s ORDER BY version DESC",
            [dataset],
        ).fetchall()


def set_state(conn: Connection, dataset: str, version: int, state: State, now: datetime) -> None:
    """Where a version stands from now on; its publication date comes with its publication and stays."""
    conn.execute(
        "UPDATE entry_version SET state = %(state)s, changed_at = %(now)s,"
        " published_at = CASE WHEN %(state)s = 'published' THEN %(now)s ELSE published_at END"
        " WHERE dataset = %(dataset)s AND version = %(version)s",
        {"dataset": dataset, "version": version, "state": state, "now": now},
    )


# Events --------------------------------------------------------------------------------------------------------------


def add_event(conn: Connection, version: EntryVersion, event: EntryEvent) -> None:
    """Record an act on a version."""
    conn.execute(
        "INSERT INTO entry_event (dataset, version, number, act, actor, person, at, sm3, note)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            version.dataset,
            version.version,
            event.number,
            event.act,
            event.actor,
            event.person,
            event.at,
            event.sm3,
            event.note,
        ],
    )


def list_events(conn: Connection, dataset: str, version: int) -> list[EntryEvent]:
    """What was done to a version, in order."""
    with conn.cursor(row_factory=class_row(EntryEvent)) as cursor:
        return cursor.execute(
            "SELECT number, act, actor, person, at, sm3, note FROM entry_event"
            " WHERE dataset = %s AND version = %s ORDER BY number",
            [dataset, version],
        ).fetchall()


# Secrecy review ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecrecyReview:
    """One secrecy review (保密审查) of a version.

    Args:
        number: in the version, from 1.
        sm3: digest of the content reviewed.
        passed: the outcome.
        opinion: why.
        impact: assessment of the impact on personal information (个人信息保护影响评估, article 13).
        actor: the reviewer's caller id.
        at: when.
    """

    number: int
    sm3: str
    passed: bool
    opinion: str
    impact: str
    actor: str
    at: datetime


def add_secrecy_review(conn: Connection, version: EntryVersion, review: SecrecyReview, person: str | None) -> None:
    """Record a review; it is the one that counts from now on."""
    conn.execute(
        "INSERT INTO secrecy_review (dataset, version, number, sm3, passed, opinion, impact, actor, person, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            version.dataset,
            version.version,
            review.number,
            review.sm3,
            review.passed,
            review.opinion,
            review.impact,
            review.actor,
            person,
            review.at,
        ],
    )


def list_secrecy_reviews(conn: Connection, dataset: str, version: int) -> list[SecrecyReview]:
    """All of a version, in order; the last one counts."""
    with conn.cursor(row_factory=class_row(SecrecyReview)) as cursor:
        return cursor.execute(
            "SELECT number, sm3, passed, opinion, impact, actor, at FROM secrecy_review"
            " WHERE dataset = %s AND version = %s ORDER BY number",
            [dataset, version],
        ).fetchall()


def secrecy_passed(reviews: Sequence[SecrecyReview], sm3: str) -> bool:
    """Whether the last review passed, and of exactly this content."""
    return bool(reviews) and reviews[-1].passed and reviews[-1].sm3 == sm3


# Raised levels -------------------------------------------------------------------------------------------------------


def raise_level(
    conn: Connection, dataset: str, field: str, level: FieldLevel, reason: str, actor: str, now: datetime
) -> None:
    """A field's level from the next request on."""
    conn.execute(
        "INSERT INTO raised_level (dataset, field, level, reason, actor, at) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (dataset, field) DO UPDATE SET level = excluded.level, reason = excluded.reason,"
        " actor = excluded.actor, at = excluded.at",
        [dataset, field, str(level), reason, actor, now],
    )


def end_raised_levels(conn: Connection, dataset: str, before: datetime) -> None:
    """Levels raised before a version was drafted are for that version to say."""
    conn.execute("DELETE FROM raised_level WHERE dataset = %s AND at < %s", [dataset, before])
