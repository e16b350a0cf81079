"""Acts that give grants: proposed by one person, approved by another, bound to the digest of what was proposed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from catalog.calendar_store import read_calendar
from catalog.caller import Caller
from catalog.clock import due
from catalog.condition import Condition, conjunction
from catalog.condition_json import condition_from_json, condition_to_json
from catalog.duty import Earlier, require_another
from catalog.errors import DatasetUnknown, OrganizationUnknown
from catalog.grant import Grant, GrantKind, Method, Quota, Treatment
from catalog.grant_course import GivenGrant
from catalog.grant_errors import GrantWrong, ProposalChanged, ProposalDecided, ProposalUnknown
from catalog.grant_rules import check_grant
from catalog.grant_store import GrantEvent, add_grant
from catalog.grant_text import digest_of, grant_from_json, text_of_grant
from catalog.proposal_store import Proposal, add_proposal, decide_proposal, find_proposal, lock_proposal
from catalog.request import Request
from catalog.request_errors import OnePersonTwice, ReasonsMissing, RequestStepNotNow, RequestUnknown
from catalog.request_store import lock_request
from catalog.resource import Resource
from catalog.resource_store import resource_of
from catalog.store import find_dataset, find_organization
from catalog.visible import visible_to
from hub.acts.requests import askers, check_text, read_request, require_provider
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from schemas.batch import uuid7


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be granted. What is None is as the request asks for it.

    Args:
        fields: with the most open treatment allowed.
        laws: of fields of level 4 given clear, the law that names each.
        rows: JSON of a further row condition: it is added to the request's, so rows only become fewer.
        methods: ways of delivery.
        quota: limits within a day.
        valid_from: first instant.
        valid_until: first instant past it.
    """

    fields: Mapping[str, Treatment] | None = None
    laws: Mapping[str, str] = field(default_factory=dict[str, str])
    rows: Mapping[str, Any] | None = None
    methods: frozenset[Method] | None = None
    quota: Quota = field(default_factory=Quota)
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def propose(conn: Connection, actor: Caller, request: str, wanted: Wanted, now: datetime) -> Proposal:
    """Propose the grant that a request shall get: as asked for, or narrower. A proposal never changes.

    Raises:
        GrantWrong, GrantTooWide: what the dataset or the request does not allow.
    """
    asked = read_request(conn, actor, request)
    require_provider(actor, asked.provider)
    _require_accepted(asked)
    resource = _resource(conn, asked.dataset)
    grant = _from_request(asked, wanted, resource, uuid7(now))
    check_grant(grant, resource, asked)
    content = text_of_grant(grant)
    proposal = Proposal(
        id=grant.id,
        request=request,
        dataset=grant.dataset,
        content=content,
        digest=digest_of(content),
        proposed_by=actor.id,
        person=actor.person,
        proposed_at=now,
        state="open",
    )
    add_proposal(conn, proposal)
    append(conn, _leaf("grant.proposed", actor, grant, proposal.digest), now)
    return proposal


def approve(conn: Connection, actor: Caller, proposal: str, digest: str, now: datetime) -> GivenGrant:
    """Give what was proposed. The approver is neither who asked nor who proposed, under no account.

    Args:
        conn: a connection, in the transaction of the act.
        actor: who approves.
        proposal: id.
        digest: SM3 of the content the approver has read.
        now: the moment.

    Raises:
        ProposalChanged: the content is not the one with this digest.
        OnePersonTwice: the approver asked or proposed.
        GrantWrong, GrantTooWide: dataset or request do not allow it any more.
    """
    found = _known_proposal(conn, actor, proposal, lock_proposal(conn, proposal))
    resource = _resource(conn, found.dataset)
    require_provider(actor, resource.organization)
    if found.state != "open":
        raise ProposalDecided(proposal=proposal, state=found.state)
    if not found.digest == digest == digest_of(found.content):
        raise ProposalChanged(proposal=proposal)
    grant = grant_from_json(json.loads(found.content), {name: one.type for name, one in resource.fields.items()})
    if text_of_grant(grant) != found.content:  # a condition that cannot be read as it was proposed
        raise ProposalChanged(proposal=proposal)
    asked = _locked_request(conn, grant.request)
    proposed = Earlier("proposed", found.proposed_by, found.person)
    require_another(actor, "approved", proposed, *(() if asked is None else askers(asked)))
    if asked is not None:
        _require_accepted(asked)
    _refuse_past(grant, now)
    check_grant(grant, resource, asked)
    given = GivenGrant(grant, digest, actor.id, actor.person, now)
    add_grant(conn, given, GrantEvent("given", actor.id, actor.person, now, {"proposal": proposal}))
    decide_proposal(conn, proposal, "approved", actor.id, now)
    append(conn, _leaf("grant.given", actor, grant, digest), now)
    return given


def withdraw_proposal(conn: Connection, actor: Caller, proposal: str, now: datetime) -> None:
    """Take a proposal back; another one with other content can be made."""
    found = _known_proposal(conn, actor, proposal, lock_proposal(conn, proposal))
    require_provider(actor, _resource(conn, found.dataset).organization)
    if found.state != "open":
        raise ProposalDecided(proposal=proposal, state=found.state)
    decide_proposal(conn, proposal, "withdrawn", actor.id, now)
    leaf = Leaf(
        action="grant.proposal_withdrawn",
        actor=actor.id,
        actor_org=actor.organization or "",
        object=f"grant:{proposal}",
        result_sm3=found.digest,
    )
    append(conn, leaf, now)


def read_proposal(conn: Connection, actor: Caller, proposal: str) -> Proposal:
    """One proposal the actor may know of.

    Raises:
        ProposalUnknown: there is none such.
    """
    return _known_proposal(conn, actor, proposal, find_proposal(conn, proposal))


# Emergency -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Emergency:
    """What an emergency grant says of its own, there being no request that did."""

    holder: str
    dataset: str
    purpose: str
    basis: str


def give_emergency(
    conn: Connection, actor: Caller, about: Emergency, wanted: Wanted, reasons: str, now: datetime
) -> GivenGrant:
    """Give at once, on one person's word (timeliness first); another must review it within five workdays, or it ends.

    Args:
        conn: a connection, in the transaction of the act.
        actor: an administrator or reviewer, not of the organization that gets it.
        about: whom, what and why.
        wanted: fields, methods and term are compulsory here.
        reasons: why it could not wait for a request.
        now: the moment.

    Raises:
        CalendarYearUnknown: the date of its review cannot be told.
    """
    actor.require("administrator", "reviewer")
    if not reasons.strip():
        raise ReasonsMissing
    check_text("reasons", reasons)
    if about.holder in actor.holders:
        raise OnePersonTwice(act="given", earlier="asked")
    kind, _, name = about.holder.partition(":")
    if kind == "organization" and find_organization(conn, name) is None:
        raise OrganizationUnknown(organization=name)
    resource = _resource(conn, about.dataset)
    grant = _made("emergency", about, wanted, _condition(wanted.rows, resource), uuid7(now), now)
    check_grant(grant, resource, None)
    _refuse_past(grant, now)
    digest = digest_of(text_of_grant(grant))
    review_by = due("emergency_review", now, read_calendar(conn))
    given = GivenGrant(grant, digest, actor.id, actor.person, now, review_by=review_by)
    add_grant(conn, given, GrantEvent("given", actor.id, actor.person, now, {"reasons": reasons}))
    append(conn, _leaf("grant.given_in_emergency", actor, grant, digest, reasons), now)
    return given


# Making a grant ------------------------------------------------------------------------------------------------------


def _from_request(request: Request, wanted: Wanted, resource: Resource, id_: str) -> Grant:
    """The request's elements, narrowed. Rows are the request's and a further condition's, where there is one."""
    elements = request.elements
    fields = elements.fields if wanted.fields is None else wanted.fields
    start = wanted.valid_from or elements.valid_from
    end = wanted.valid_until or elements.valid_until
    assert start is not None and end is not None  # noqa: S101, PT018 - an accepted request lacks no element
    return Grant(
        id=id_,
        kind="ordinary",
        holder=request.holder,
        dataset=request.dataset,
        fields=dict(fields),
        laws=dict(wanted.laws),
        rows=_readable(conjunction(_condition(elements.rows, resource), _condition(wanted.rows, resource)), resource),
        purpose=elements.scenario or "",
        basis=elements.basis or "",
        methods=elements.methods if wanted.methods is None else wanted.methods,
        quota=wanted.quota,
        valid_from=start,
        valid_until=end,
        state="active",
        request=request.id,
    )


def _made(kind: GrantKind, about: Emergency, wanted: Wanted, rows: Condition | None, id_: str, now: datetime) -> Grant:
    return Grant(
        id=id_,
        kind=kind,
        holder=about.holder,
        dataset=about.dataset,
        fields=dict(wanted.fields or {}),
        laws=dict(wanted.laws),
        rows=rows,
        purpose=about.purpose,
        basis=about.basis,
        methods=wanted.methods or frozenset(),
        quota=wanted.quota,
        valid_from=wanted.valid_from or now,
        valid_until=wanted.valid_until or now,
        state="active",
        request=None,
    )


def _condition(rows: Mapping[str, Any] | None, resource: Resource) -> Condition | None:
    if rows is None:
        return None
    return condition_from_json(dict(rows), {name: label.type for name, label in resource.fields.items()})


def _readable(rows: Condition | None, resource: Resource) -> Condition | None:
    """The condition as it will be read back: two that each fit may together be too deep or too many."""
    return None if rows is None else _condition(condition_to_json(rows), resource)


def _refuse_past(grant: Grant, now: datetime) -> None:
    if grant.valid_until <= now:
        problem = {"where": "term", "zh": "使用时限已过", "en": "its term is over"}
        raise GrantWrong(problems=[problem], listed_zh=problem["zh"], listed_en=problem["en"])


def _require_accepted(request: Request) -> None:
    if request.state not in ("accepted", "delivered"):
        raise RequestStepNotNow(step="granted", state=request.state)


def _locked_request(conn: Connection, request: str | None) -> Request | None:
    if request is None:
        return None
    found = lock_request(conn, request)
    if found is None:
        raise RequestUnknown(request=request)
    return found


def _resource(conn: Connection, dataset: str) -> Resource:
    found = resource_of(conn, dataset)
    if found is None:
        raise DatasetUnknown(dataset=dataset)
    return found


def _known_proposal(conn: Connection, actor: Caller, proposal: str, found: Proposal | None) -> Proposal:
    owner = None if found is None else find_dataset(conn, found.dataset)
    if found is None or owner is None or not visible_to(actor).includes("", owner.organization):
        raise ProposalUnknown(proposal=proposal)
    return found


def _leaf(action: str, actor: Caller, grant: Grant, digest: str, reasons: str = "") -> Leaf:
    return Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of=grant.holder,
        object=f"grant:{grant.id}",
        object_version=grant.state,
        purpose=grant.purpose,
        grant=grant.id,
        rules=("statute.20", "statute.21"),
        result_sm3=digest,
        confidential={"reason": reasons} if reasons else {},
    )
