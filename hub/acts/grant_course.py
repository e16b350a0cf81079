"""Acts on grants that were given: suspended, rectified, resumed, reviewed, ended; and what is told of their use.

《政务数据共享条例》 25 (purpose), 27 (暂停、限期整改、终止) and 29 (使用记录).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from catalog import grant_course
from catalog.calendar_store import read_calendar
from catalog.caller import Caller
from catalog.clock import due
from catalog.duty import Earlier, require_another
from catalog.errors import DatasetUnknown, RoleNeeded
from catalog.grant_course import GRANT_ARTICLES, GivenGrant, GrantStep
from catalog.grant_errors import GrantUnknown, UsageWrong
from catalog.grant_store import GrantEvent, events_of, find_grant, lock_grant, lock_lapsed, save_course
from catalog.request_errors import ReasonsMissing
from catalog.store import find_dataset
from catalog.usage_store import UsageRecord, add_usage, list_usage
from catalog.visible import visible_to
from hub.acts.requests import check_text, require_provider
from hub.acts.types import types_in
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from schemas.batch import uuid7

HUB = "hub"  # who ends what is over by itself
LAPSED_MAX = 1_000  # ended in one transaction


def suspend(
    conn: Connection, actor: Caller, grant: str, reasons: str, rectify_by: datetime, now: datetime
) -> GivenGrant:
    """Suspend from the next request on, to be rectified by a deadline (article 27)."""
    found = _locked(conn, actor, grant)
    require_provider(actor, _owner(conn, found))
    _require_reasons(reasons)
    changed = grant_course.suspend(found, rectify_by, now)
    return _save(conn, actor, changed, "suspended", now, {"reasons": reasons, "rectify_by": rectify_by.isoformat()})


def rectify(conn: Connection, actor: Caller, grant: str, text: str, now: datetime) -> GivenGrant:
    """The holder tells that it is rectified, and how."""
    found = _locked(conn, actor, grant)
    _require_holder(actor, found)
    _require_reasons(text)
    return _save(conn, actor, grant_course.rectify(found, now), "rectified", now, {"text": text})


def resume(conn: Connection, actor: Caller, grant: str, now: datetime) -> GivenGrant:
    """Active again, once it is rectified; whoever said that it is does not decide it."""
    found = _locked(conn, actor, grant)
    require_provider(actor, _owner(conn, found))
    changed = grant_course.resume(found, now)
    told = [event for event in events_of(conn, grant) if event.step == "rectified"]
    require_another(actor, "resumed", *(Earlier("rectified", event.actor, event.person) for event in told))
    return _save(conn, actor, changed, "resumed", now, {})


def review(conn: Connection, actor: Caller, grant: str, opinion: str, now: datetime) -> GivenGrant:
    """An emergency grant was right and holds for its term. Not by who gave it; what was wrong is ended instead."""
    found = _locked(conn, actor, grant)
    actor.require("administrator", "reviewer")
    _require_reasons(opinion)
    require_another(actor, "reviewed", Earlier("given", found.given_by, found.given_person))
    return _save(conn, actor, grant_course.review(found, now), "reviewed", now, {"text": opinion})


def end(conn: Connection, actor: Caller, grant: str, reasons: str, now: datetime) -> GivenGrant:
    """End for good (终止). The holder may too, when its purpose is met (article 25)."""
    found = _locked(conn, actor, grant)
    if not _holds(actor, found):
        require_provider(actor, _owner(conn, found))
    _require_reasons(reasons)
    return _save(conn, actor, grant_course.end(found, now), "ended", now, {"reasons": reasons})


def end_lapsed(conn: Connection, now: datetime) -> int:
    """Write down what is over by its dates: term, review or rectification. How many; decisions do not wait for this."""
    found = lock_lapsed(conn, now, LAPSED_MAX, types_in(conn))
    for given in found:
        _save(conn, Caller(HUB), grant_course.end(given, now), "lapsed", now, {})
    return len(found)


def read_grant(conn: Connection, actor: Caller, grant: str) -> GivenGrant:
    """One grant the actor may know of.

    Raises:
        GrantUnknown: there is none such.
    """
    return _known(conn, actor, grant, find_grant(conn, grant, types_in(conn)))


# Use -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What article 29 asks a holder to record."""

    scenario: str
    course: str
    effect: str
    storage: str
    disposal: str


def tell_usage(conn: Connection, actor: Caller, grant: str, usage: Usage, now: datetime) -> UsageRecord:
    """Record how the data are used (article 29); kept for three years at least."""
    found = _known(conn, actor, grant, find_grant(conn, grant, types_in(conn)))
    _require_holder(actor, found)
    texts = {name: getattr(usage, name) for name in Usage.__dataclass_fields__}
    missing = [name for name, text in texts.items() if not text.strip()]
    if missing:
        raise UsageWrong(missing=", ".join(missing))
    for name, text in texts.items():
        check_text(name, text)
    kept_until = due("usage_records", now, read_calendar(conn))
    told = UsageRecord(uuid7(now), grant, actor.id, now, kept_until=kept_until, **texts)
    add_usage(conn, told)
    append(conn, _leaf("grant.usage_told", actor, found, 29), now)
    return told


def read_usage(conn: Connection, actor: Caller, grant: str) -> list[UsageRecord]:
    """The records of use: the provider and the administrator may inspect them (article 29)."""
    _known(conn, actor, grant, find_grant(conn, grant, types_in(conn)))
    return list_usage(conn, grant)


# Shared by the acts --------------------------------------------------------------------------------------------------


def _locked(conn: Connection, actor: Caller, grant: str) -> GivenGrant:
    return _known(conn, actor, grant, lock_grant(conn, grant, types_in(conn)))


def _known(conn: Connection, actor: Caller, grant: str, found: GivenGrant | None) -> GivenGrant:
    if found is None or not visible_to(actor).includes(found.grant.holder, _owner(conn, found)):
        raise GrantUnknown(grant=grant)
    return found


def _owner(conn: Connection, given: GivenGrant) -> str:
    dataset = find_dataset(conn, given.grant.dataset)
    if dataset is None:
        raise DatasetUnknown(dataset=given.grant.dataset)
    return dataset.organization


def _holds(actor: Caller, given: GivenGrant) -> bool:
    return given.grant.holder in actor.holders


def _require_holder(actor: Caller, given: GivenGrant) -> None:
    if not _holds(actor, given):
        raise RoleNeeded(roles="holder")


def _require_reasons(text: str) -> None:
    if not text.strip():
        raise ReasonsMissing
    check_text("reasons", text)


def _save(
    conn: Connection, actor: Caller, given: GivenGrant, step: GrantStep, now: datetime, detail: Mapping[str, Any]
) -> GivenGrant:
    save_course(conn, given, GrantEvent(step, actor.id, actor.person, now, detail))
    reasons = str(detail.get("reasons") or detail.get("text") or "")
    append(conn, _leaf(f"grant.{step}", actor, given, GRANT_ARTICLES[step], reasons), now)
    return given


def _leaf(action: str, actor: Caller, given: GivenGrant, article: int | None, reasons: str = "") -> Leaf:
    return Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of=given.grant.holder,
        object=f"grant:{given.grant.id}",
        object_version=given.grant.state,
        purpose=given.grant.purpose,
        grant=given.grant.id,
        rules=() if article is None else (f"statute.{article}",),
        result_sm3=given.digest,
        confidential={"reason": reasons} if reasons else {},
    )
