"""Acts on catalogue entries: each checks role and step, writes its rows, makes the listing anew, leaves its leaf.

All in the caller's transaction. An approving act names the SM3 its actor looked at, and counts for that content alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog.caller import Caller
from catalog.classification import require_labelled
from catalog.dataset import Dataset
from catalog.entry import rank_of
from catalog.entry_errors import EntryUnknown, EntryWrong, LevelNotRaised, SecrecyReviewMissing
from catalog.entry_json import digest_of, entry_from_draft
from catalog.entry_store import (
    EntryVersion,
    SecrecyReview,
    add_event,
    add_secrecy_review,
    add_version,
    end_raised_levels,
    find_published,
    find_version,
    list_events,
    list_secrecy_reviews,
    list_versions,
    lock_entry,
    replace_draft,
    secrecy_passed,
    set_state,
)
from catalog.entry_store import raise_level as store_raised_level
from catalog.lifecycle import Act, EntryEvent, after, require_may, require_same_content
from catalog.listing_store import relist
from catalog.resource import FieldLevel
from catalog.resource_store import resource_of
from catalog.store import find_dataset, find_organization
from catalog.visibility import sight_of
from hub.exchange.registry_store import contract_of
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append

NOTE_CHARACTERS_MAX: Final = 2_000
_PERSONAL_KINDS: Final = frozenset({"citizen_id", "name", "phone", "address", "bank_card", "email"})


@dataclass(frozen=True, slots=True)
class SecrecyOpinion:
    """What a secrecy reviewer says (article 13).

    Args:
        passed: the outcome.
        opinion: why.
        impact: assessment of the impact on personal information; must be given where there is any.
    """

    passed: bool
    opinion: str
    impact: str = ""


def draft(conn: Connection, actor: Caller, dataset: str, given: object, now: datetime) -> EntryVersion:
    """Write a draft: the one in work is replaced while it is a draft, else the next version begins.

    Args:
        conn: a connection in a transaction.
        actor: a steward of the dataset's organization.
        dataset: id.
        given: the entry as a provider writes it (``catalog.entry_json``).
        now: the moment.

    Raises:
        EntryWrong: an element breaks its rule.
        EntryStepWrong: a version is under review; it is sent back or published first.
    """
    found = _locked(conn, actor, "draft", dataset)
    organization = find_organization(conn, found.organization)
    assert organization is not None  # noqa: S101 - a dataset references its organization
    entry = entry_from_draft(given, found, contract_of(conn, found), organization)
    newest = next(iter(list_versions(conn, dataset)), None)
    if newest is not None and newest.state in {"draft", "submitted", "reviewed"}:
        after("draft", dataset, newest.version, newest.state)
        made = replace_draft(conn, newest, entry, now)
    else:
        made = add_version(conn, entry, now)
    _record(conn, actor, "draft", made, list_events(conn, dataset, made.version), now)
    return made


def submit(conn: Connection, actor: Caller, dataset: str, version: int, sm3: str | None, now: datetime) -> EntryVersion:
    """Hand a draft in for review; its content never changes again.

    Raises:
        FieldsUnlabelled: it could never be published.
    """
    found = _locked(conn, actor, "submit", dataset)
    require_labelled(_known(conn, dataset, version).entry, contract_of(conn, found))
    return _moved(conn, actor, "submit", found, version, sm3, now)


def review(
    conn: Connection, actor: Caller, dataset: str, version: int, sm3: str, now: datetime, note: str = ""
) -> EntryVersion:
    """Approve a submitted version for publication (登记审核)."""
    found = _locked(conn, actor, "review", dataset)
    return _moved(conn, actor, "review", found, version, sm3, now, note)


def secrecy_review(
    conn: Connection, actor: Caller, dataset: str, version: int, sm3: str, outcome: SecrecyOpinion, now: datetime
) -> SecrecyReview:
    """Record a secrecy review (保密审查). The last one of a version counts, also once it is published.

    Raises:
        EntryWrong: no opinion, or no assessment of personal information where there is some (article 13).
    """
    found = _locked(conn, actor, "secrecy_review", dataset)
    moved = _moved(conn, actor, "secrecy_review", found, version, sm3, now, outcome.opinion)
    _check_text("opinion", outcome.opinion, required=True)
    personal = found.base == "population" or any(item.kind in _PERSONAL_KINDS for item in moved.entry.items)
    _check_text("impact", outcome.impact, required=outcome.passed and personal)
    number = len(list_secrecy_reviews(conn, dataset, version)) + 1
    made = SecrecyReview(number, moved.sm3, outcome.passed, outcome.opinion, outcome.impact, actor.id, now)
    add_secrecy_review(conn, moved, made, actor.person)
    relist(conn, dataset)
    return made


def send_back(conn: Connection, actor: Caller, dataset: str, version: int, reasons: str, now: datetime) -> EntryVersion:
    """Send a version back with reasons; it is corrected in a new one."""
    found = _locked(conn, actor, "send_back", dataset)
    _check_text("reasons", reasons, required=True)
    return _moved(conn, actor, "send_back", found, version, None, now, reasons)


def publish(conn: Connection, actor: Caller, dataset: str, version: int, sm3: str, now: datetime) -> EntryVersion:
    """Put a reviewed version in force; the one before becomes revised. Takes effect on the next request.

    Raises:
        SecrecyReviewMissing: it has not passed secrecy review.
        FieldsUnlabelled: the contract got a field since that the entry does not label.
    """
    found = _locked(conn, actor, "publish", dataset)
    before = find_published(conn, dataset)
    known = _known(conn, dataset, version)
    after("publish", dataset, version, known.state)
    if not secrecy_passed(list_secrecy_reviews(conn, dataset, version), known.sm3):
        raise SecrecyReviewMissing(dataset=dataset, version=version)
    require_labelled(known.entry, contract_of(conn, found))
    if before is not None:
        set_state(conn, dataset, before.version, "revised", now)
    moved = _moved(conn, actor, "publish", found, version, sm3, now)
    end_raised_levels(conn, dataset, moved.created_at)
    return moved


def withdraw(conn: Connection, actor: Caller, dataset: str, reasons: str, now: datetime) -> EntryVersion:
    """Take the version in force out of force; nothing of the dataset is released from the next request on."""
    found = _locked(conn, actor, "withdraw", dataset)
    _check_text("reasons", reasons, required=True)
    standing = find_published(conn, dataset) or next(iter(list_versions(conn, dataset)), None)
    if standing is None:
        raise EntryUnknown(dataset=dataset)
    return _moved(conn, actor, "withdraw", found, standing.version, None, now, reasons)


def raise_level(
    conn: Connection, actor: Caller, dataset: str, field: str, level: FieldLevel, reasons: str, now: datetime
) -> None:
    """Raise a field's level at once, as when it is found to say more than was thought. It can only become stricter.

    Raises:
        EntryWrong: no such field.
        LevelNotRaised: it is of that level, or higher, now.
    """
    actor.require("steward", "reviewer", "administrator")
    found = find_dataset(conn, dataset)
    if found is None or not sight_of(actor).covers_work_of(found.organization):
        raise EntryUnknown(dataset=dataset)
    lock_entry(conn, dataset)
    resource = resource_of(conn, dataset)
    assert resource is not None  # noqa: S101 - the dataset is there, and its row is locked
    _check_text("reasons", reasons, required=True)
    if field not in resource.fields:
        raise EntryWrong(element="field", rule_zh="契约中没有此字段", rule_en="the contract has no such field")
    now_level = resource.fields[field].level
    if now_level is not None and rank_of(level) <= rank_of(now_level):
        raise LevelNotRaised(dataset=dataset, field=field, level=str(now_level))
    store_raised_level(conn, dataset, field, level, reasons, actor.id, now)
    leaf = Leaf(
        action="entry.level_raised",
        actor=actor.id,
        actor_org=actor.organization or "",
        object=f"dataset:{dataset}#{field}",
        object_version=str(level),
        confidential={"reason": reasons},
    )
    append(conn, leaf, now)


# What acts share -----------------------------------------------------------------------------------------------------


def _locked(conn: Connection, actor: Caller, act: Act, dataset: str) -> Dataset:
    """The dataset, locked for one act at a time; absent for stewards of other organizations."""
    found = find_dataset(conn, dataset)
    require_may(actor, act, dataset, "" if found is None else found.organization)
    if found is None:
        raise EntryUnknown(dataset=dataset)
    lock_entry(conn, dataset)
    return found


def _known(conn: Connection, dataset: str, version: int) -> EntryVersion:
    found = find_version(conn, dataset, version)
    if found is None:
        raise EntryUnknown(dataset=dataset)
    return found


def _moved(
    conn: Connection,
    actor: Caller,
    act: Act,
    found: Dataset,
    version: int,
    sm3: str | None,
    now: datetime,
    note: str = "",
) -> EntryVersion:
    """The version after an act; ``sm3`` is what an approving actor looked at."""
    known = _known(conn, found.id, version)
    history = list_events(conn, found.id, version)
    require_may(actor, act, found.id, found.organization, history)
    state = after(act, found.id, version, known.state)
    if sm3 is not None:
        require_same_content(found.id, version, sm3, known.sm3, digest_of(known.content))
    if state != known.state:
        set_state(conn, found.id, version, state, now)
    moved = replace(known, state=state, changed_at=now, published_at=now if act == "publish" else known.published_at)
    _record(conn, actor, act, moved, history, now, note)
    return moved


def _record(
    conn: Connection,
    actor: Caller,
    act: Act,
    version: EntryVersion,
    history: Sequence[EntryEvent],
    now: datetime,
    note: str = "",
) -> None:
    """The event, the leaf, the listing."""
    _check_text("note", note, required=False)
    add_event(conn, version, EntryEvent(len(history) + 1, act, actor.id, actor.person, now, version.sm3, note))
    leaf = Leaf(
        action=f"entry.{_DONE[act]}",
        actor=actor.id,
        actor_org=actor.organization or "",
        object=f"dataset:{version.dataset}",
        object_version=str(version.version),
        result_sm3=version.sm3,
        confidential={"reason": note} if note else {},
    )
    append(conn, leaf, now)
    relist(conn, version.dataset)


def _check_text(element: str, text: str, *, required: bool) -> None:
    if (required and not text.strip()) or len(text) > NOTE_CHARACTERS_MAX or "\x00" in text:
        least = 1 if required else 0
        raise EntryWrong(
            element=element,
            rule_zh=f"应为 {least} 至 {NOTE_CHARACTERS_MAX} 个字符",
            rule_en=f"it must have {least} to {NOTE_CHARACTERS_MAX} characters",
        )


_DONE: Final[Mapping[Act, str]] = {
    "draft": "drafted",
    "submit": "submitted",
    "review": "reviewed",
    "secrecy_review": "secrecy_reviewed",
    "send_back": "sent_back",
    "publish": "published",
    "withdraw": "withdrawn",
}
