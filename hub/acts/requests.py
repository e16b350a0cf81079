"""Acts on requests (articles 20 to 22): who may take which step, the row written, and its leaf in the ledger."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import Connection

from catalog.caller import Caller, Role
from catalog.condition_json import condition_from_json, condition_to_json
from catalog.duty import Earlier, require_another
from catalog.errors import DatasetUnknown, RoleNeeded
from catalog.grant_rules import TEXT_CHARACTERS_MAX, check_elements, is_text
from catalog.grant_store import grants_of_request
from catalog.request import Elements, Request, RequestEvent, RequestStep, Shared, after
from catalog.request_errors import (
    DeliveryWithoutGrant,
    NotShareable,
    RequestElementWrong,
    RequestStepNotNow,
    RequestUnknown,
)
from catalog.request_store import add_request, find_request, lock_request, save_step
from catalog.resource import Resource
from catalog.resource_store import resource_of
from catalog.visible import visible_to
from hub.acts.types import types_in
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from schemas.batch import uuid7

# Of a dataset's owner, or of the administrator (主管部门), who may act where the owner does not.
PROVIDERS: tuple[Role, ...] = ("steward", "reviewer", "administrator")


# The requester's side ------------------------------------------------------------------------------------------------


def submit(
    conn: Connection, actor: Caller, dataset: str, elements: Elements, now: datetime, *, for_itself: bool = False
) -> Request:
    """Ask for a dataset (article 20). Elements may be missing: then one notice of all of them follows (article 21).

    Args:
        conn: a connection, in the transaction of the act.
        actor: who asks.
        dataset: id.
        elements: the five elements, and the consent of the requester's own lead.
        now: the moment.
        for_itself: the grant shall be the actor's own, not its organization's.

    Raises:
        DatasetUnknown: there is none, or it has no published entry.
        NotShareable: it is not shared with the actor's side.
        RequestElementWrong: an element that is given breaks its rule.
    """
    resource = resource_of(conn, dataset)
    if resource is None or resource.entry_version is None:
        raise DatasetUnknown(dataset=dataset)
    organization = actor.organization
    holder = actor.id if for_itself or organization is None else f"organization:{organization}"
    event = _event("submitted", actor, now, {})
    request = Request(
        id=uuid7(now),
        dataset=dataset,
        holder=holder,
        organization=organization,
        provider=resource.organization,
        share=_shared(resource, actor),
        elements=_checked(elements, resource),
        state="submitted",
        events=(event,),
    )
    add_request(conn, request)
    _append(conn, actor, request, event)
    return request


def complete(conn: Connection, actor: Caller, request: str, elements: Elements, now: datetime) -> Request:
    """Hand in what the notice named: the elements given take the place of the earlier ones."""
    found = _locked(conn, actor, request)
    _require_requester(actor, found)
    resource = resource_of(conn, found.dataset)
    if resource is None:
        raise RequestUnknown(request=request)
    merged = replace(found.elements, **_given(elements))
    return _take(conn, actor, found, "completed", now, {}, _checked(merged, resource))


def withdraw(conn: Connection, actor: Caller, request: str, reasons: str, now: datetime) -> Request:
    """Take a request back; the administrator may do so too, of one that nobody completes."""
    found = _locked(conn, actor, request)
    if "administrator" not in actor.roles:
        _require_requester(actor, found)
    return _take(conn, actor, found, "withdrawn", now, {"reasons": reasons})


def close(conn: Connection, actor: Caller, request: str, now: datetime) -> Request:
    """What was asked for has been delivered and the requester is content (article 25)."""
    found = _locked(conn, actor, request)
    if "administrator" not in actor.roles:
        _require_requester(actor, found)
    return _take(conn, actor, found, "closed", now, {})


# The provider's side -------------------------------------------------------------------------------------------------


def notice(conn: Connection, actor: Caller, request: str, text: str, now: datetime) -> Request:
    """Tell everything that is missing, once (一次性告知, article 21); the hub adds the elements it finds missing."""
    found = _locked(conn, actor, request)
    require_provider(actor, found.provider)
    return _take(conn, actor, found, "notice", now, {"missing": list(found.missing), "text": text})


def accept(conn: Connection, actor: Caller, request: str, consent: str, now: datetime) -> Request:
    """Agree (article 21). ``consent`` names that of the provider's own 共享工作机构 lead (article 20)."""
    found = _locked(conn, actor, request)
    require_provider(actor, found.provider)
    require_another(actor, "accepted", *askers(found))
    return _take(conn, actor, found, "accepted", now, {"consent": consent})


def refuse(conn: Connection, actor: Caller, request: str, reasons: str, now: datetime) -> Request:
    """Refuse, with reasons (article 21); an incomplete request only after the one notice."""
    found = _locked(conn, actor, request)
    require_provider(actor, found.provider)
    return _take(conn, actor, found, "refused", now, {"reasons": reasons})


def ask_extension(conn: Connection, actor: Caller, request: str, workdays: int, reasons: str, now: datetime) -> Request:
    """Ask the administrator (同级主管部门) to consent to a later reply (article 21)."""
    found = _locked(conn, actor, request)
    require_provider(actor, found.provider)
    return _take(conn, actor, found, "extension_asked", now, {"workdays": workdays, "reasons": reasons})


def extend(conn: Connection, actor: Caller, request: str, now: datetime) -> Request:
    """Consent to a later reply by exactly the workdays asked for; the requester sees it (article 21)."""
    found = _locked(conn, actor, request)
    actor.require("administrator")
    asked = found.happened("extension_asked")
    if asked is not None:
        require_another(actor, "extended", Earlier("extension_asked", asked.actor, asked.person), *askers(found))
    return _take(conn, actor, found, "extended", now, {"workdays": asked.detail["workdays"] if asked else 0})


def deliver(conn: Connection, actor: Caller, request: str, now: datetime) -> Request:
    """Delivered by interface, batch or file (article 22): a grant is in effect by which it can be had.

    Raises:
        DeliveryWithoutGrant: none is.
    """
    found = _locked(conn, actor, request)
    require_provider(actor, found.provider)
    given = grants_of_request(conn, request, types_in(conn))
    if not any(one.grant.state == "active" and not one.lapsed(now) for one in given):
        if found.state != "accepted":
            raise RequestStepNotNow(step="delivered", state=found.state)
        raise DeliveryWithoutGrant(request=request)
    methods = sorted({method for one in given for method in one.grant.methods})
    return _take(conn, actor, found, "delivered", now, {"methods": methods})


# Shared by the steps -------------------------------------------------------------------------------------------------


def read_request(conn: Connection, actor: Caller, request: str) -> Request:
    """One request the actor may know of.

    Raises:
        RequestUnknown: there is none such.
    """
    return _known(actor, request, find_request(conn, request))


def askers(request: Request) -> tuple[Earlier, ...]:
    """Who asked and who completed: neither may decide."""
    steps: tuple[RequestStep, ...] = ("submitted", "completed")
    events = [event for event in request.events if event.step in steps]
    return tuple(Earlier(event.step, event.actor, event.person) for event in events)


def require_provider(actor: Caller, provider: str) -> None:
    """Refuse who may not decide on what this organization owns.

    Raises:
        RoleNeeded: naming the roles.
    """
    actor.require(*PROVIDERS)
    if not actor.roles & {"administrator", "reviewer"} and actor.organization != provider:
        raise RoleNeeded(roles=", ".join(PROVIDERS))


def _require_requester(actor: Caller, request: Request) -> None:
    own = request.organization is not None and request.organization == actor.organization
    if not own and request.holder not in actor.holders:
        raise RoleNeeded(roles="requester")


def _locked(conn: Connection, actor: Caller, request: str) -> Request:
    return _known(actor, request, lock_request(conn, request))


def _known(actor: Caller, request: str, found: Request | None) -> Request:
    if found is None or not visible_to(actor).includes(found.holder, found.organization, found.provider):
        raise RequestUnknown(request=request)
    return found


def _take(
    conn: Connection,
    actor: Caller,
    request: Request,
    step: RequestStep,
    now: datetime,
    detail: Mapping[str, Any],
    elements: Elements | None = None,
) -> Request:
    for name, value in detail.items():
        if isinstance(value, str):
            check_text(name, value)
    event = _event(step, actor, now, detail)
    changed = after(request, event, elements)
    save_step(conn, changed)
    _append(conn, actor, changed, event)
    return changed


def _event(step: RequestStep, actor: Caller, now: datetime, detail: Mapping[str, Any]) -> RequestEvent:
    return RequestEvent(step, actor.id, actor.person, now, detail)


def _append(conn: Connection, actor: Caller, request: Request, event: RequestEvent) -> None:
    reasons = str(event.detail.get("reasons") or event.detail.get("text") or "")
    leaf = Leaf(
        action=f"request.{event.step}",
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of=request.holder,
        object=f"request:{request.id}",
        object_version=request.state,
        rules=(f"statute.{event.article}",),
        confidential={"reason": reasons} if reasons else {},
    )
    append(conn, leaf, event.at)


def _shared(resource: Resource, actor: Caller) -> Shared:
    """By which attribute a side may have it: departments by share, others by open."""
    attribute = resource.share if actor.tier == "department" else resource.open
    if attribute == "unconditional" or attribute == "conditional":  # noqa: PLR1714 - narrows the type
        return attribute
    raise NotShareable(dataset=resource.dataset)


def _given(elements: Elements) -> dict[str, Any]:
    members = {name: getattr(elements, name) for name in Elements.__dataclass_fields__}
    return {name: value for name, value in members.items() if value}


def _checked(elements: Elements, resource: Resource) -> Elements:
    broken = check_elements(elements, resource)
    if broken:
        raise RequestElementWrong(
            element=", ".join(one.where for one in broken),
            rule_zh=";".join(one.zh for one in broken),
            rule_en="; ".join(one.en for one in broken),
        )
    if elements.rows is None:
        return elements
    types = {name: label.type for name, label in resource.fields.items()}
    return replace(elements, rows=condition_to_json(condition_from_json(dict(elements.rows), types)))


def check_text(name: str, text: str) -> None:
    """Refuse what the store or the ledger cannot hold.

    Raises:
        RequestElementWrong: too long, or with characters that are no text.
    """
    if not is_text(text):
        most = TEXT_CHARACTERS_MAX
        raise RequestElementWrong(
            element=name, rule_zh=f"至多 {most} 字,不含控制字符", rule_en=f"at most {most} characters of text"
        )
