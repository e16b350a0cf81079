"""Rows of the table of tiers: versions proposed by one administrator and approved by a second. Nothing commits."""

import json
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from catalog.grant_text import digest_of
from catalog.tier import DEFAULT_TIERS, TierTable
from catalog.tier_text import text_of_tiers, tiers_from_json


@dataclass(frozen=True, slots=True)
class TierVersion:
    """One version; ``rules`` is canonical JSON and ``digest`` its SM3, the policy id."""

    version: int
    rules: str
    digest: str
    reason: str
    proposed_by: str
    proposed_person: str | None
    proposed_at: datetime
    approved_by: str | None = None
    approved_person: str | None = None
    approved_at: datetime | None = None

    @property
    def tiers(self) -> TierTable:
        """The table itself."""
        return tiers_from_json(json.loads(self.rules))


@dataclass(frozen=True, slots=True)
class Policy:
    """The table that holds, with its digest: what decisions name."""

    tiers: TierTable
    digest: str
    version: int


def current_policy(conn: Connection) -> Policy:
    """The newest approved table; version 0 is the design's, before any was approved."""
    row = conn.execute(
        "SELECT version, rules, digest FROM tier_version WHERE approved_at IS NOT NULL ORDER BY version DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return Policy(DEFAULT_TIERS, digest_of(text_of_tiers(DEFAULT_TIERS)), 0)
    return Policy(tiers_from_json(json.loads(row[1])), row[2], row[0])


def current_tiers(conn: Connection) -> TierTable:
    """The newest approved table."""
    return current_policy(conn).tiers


def add_tier_version(
    conn: Connection, tiers: TierTable, reason: str, actor: str, person: str | None, now: datetime
) -> TierVersion:
    """Insert a proposed table under the next number. One at a time: the lock ends with the transaction."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('hub tiers', 0))")
    rules = text_of_tiers(tiers)
    row = conn.execute(
        "INSERT INTO tier_version (version, rules, digest, reason, proposed_by, proposed_person, proposed_at)"
        " SELECT coalesce(max(version), 0) + 1, %s, %s, %s, %s, %s, %s FROM tier_version RETURNING version",
        [rules, digest_of(rules), reason, actor, person, now],
    ).fetchone()
    assert row is not None  # noqa: S101 - RETURNING of one row
    return TierVersion(row[0], rules, digest_of(rules), reason, actor, person, now)


def lock_tier_version(conn: Connection, version: int) -> TierVersion | None:
    """One version, while no other is proposed or approved until the transaction ends."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('hub tiers', 0))")
    return find_tier_version(conn, version)


def find_tier_version(conn: Connection, version: int) -> TierVersion | None:
    """One version."""
    with conn.cursor(row_factory=class_row(TierVersion)) as cursor:
        return cursor.execute(
            "SELECT version, rules, digest, reason, proposed_by, proposed_person, proposed_at, approved_by,"
            " approved_person, approved_at FROM tier_version WHERE version = %s",
            [version],
        ).fetchone()


def list_tier_versions(conn: Connection) -> list[TierVersion]:
    """All versions, the newest first."""
    with conn.cursor(row_factory=class_row(TierVersion)) as cursor:
        return cursor.execute(
            "SELECT version, rules, digest, reason, proposed_by, proposed_person, proposed_at, approved_by,"
            " approved_person, approved_at FROM tier_version ORDER BY version DESC"
        ).fetchall()


def approve_tier_version(conn: Connection, version: int, actor: str, person: str | None, now: datetime) -> None:
    """The version holds from the next decision on; a trigger raises the policy epoch."""
    conn.execute(
        "UPDATE tier_version SET approved_by = %s, approved_person = %s, approved_at = %s WHERE version = %s",
        [actor, person, now, version],
    )
