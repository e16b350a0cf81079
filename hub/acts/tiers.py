"""Acts on the table of tiers: one administrator proposes a version, a second approves it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from catalog.caller import Caller, Role
from catalog.duty import Earlier, require_another
from catalog.grant_text import digest_of
from catalog.request_errors import ReasonsMissing
from catalog.tier_errors import TierVersionChanged, TierVersionDecided, TierVersionUnknown
from catalog.tier_store import (
    TierVersion,
    add_tier_version,
    approve_tier_version,
    current_policy,
    find_tier_version,
    list_tier_versions,
    lock_tier_version,
)
from catalog.tier_text import tiers_from_json
from hub.acts.requests import check_text
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append

READERS: Final[tuple[Role, ...]] = ("administrator", "reviewer", "auditor")


def propose(
    conn: Connection, actor: Caller, rules: Sequence[Mapping[str, Any]], reason: str, now: datetime
) -> TierVersion:
    """Propose a table: all of it, as JSON. It holds once another administrator has approved it.

    Raises:
        TierTableWrong: a cell breaks its rule.
    """
    actor.require("administrator")
    if not reason.strip():
        raise ReasonsMissing
    check_text("reason", reason)
    version = add_tier_version(conn, tiers_from_json(rules), reason, actor.id, actor.person, now)
    append(conn, _leaf("tiers.proposed", actor, version), now)
    return version


def approve(conn: Connection, actor: Caller, version: int, digest: str, now: datetime) -> TierVersion:
    """Approve exactly the table with this digest; it holds from the next decision on.

    Raises:
        TierVersionChanged: the table is not the one with this digest.
        OnePersonTwice: the approver proposed it.
        TierVersionDecided: it was approved, or a newer one holds.
    """
    actor.require("administrator")
    found = lock_tier_version(conn, version)
    if found is None:
        raise TierVersionUnknown(version=version)
    if found.approved_at is not None or current_policy(conn).version > version:
        raise TierVersionDecided(version=version)
    if not found.digest == digest == digest_of(found.rules):
        raise TierVersionChanged(version=version)
    _ = found.tiers  # read against the bounds of today, which may be tighter than when it was proposed
    require_another(actor, "approved", Earlier("proposed", found.proposed_by, found.proposed_person))
    approve_tier_version(conn, version, actor.id, actor.person, now)
    append(conn, _leaf("tiers.approved", actor, found), now)
    return read_version(conn, actor, version)


def read_version(conn: Connection, actor: Caller, version: int) -> TierVersion:
    """One version, approved or not."""
    actor.require(*READERS)
    found = find_tier_version(conn, version)
    if found is None:
        raise TierVersionUnknown(version=version)
    return found


def read_versions(conn: Connection, actor: Caller) -> list[TierVersion]:
    """All versions, the newest first."""
    actor.require(*READERS)
    return list_tier_versions(conn)


def _leaf(action: str, actor: Caller, version: TierVersion) -> Leaf:
    return Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        object="tiers",
        object_version=str(version.version),
        policy=version.digest,
        result_sm3=version.digest,
        confidential={"reason": version.reason},
    )
