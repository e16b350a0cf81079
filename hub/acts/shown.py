"""How requests, proposals and grants are shown, over HTTP and at the command line: as JSON, with their clocks read.

The person behind an account is never shown: it would tell which accounts are one person's.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from catalog.clock import CLOCKS, Clock
from catalog.grant_course import GRANT_ARTICLES, GivenGrant
from catalog.grant_store import GrantEvent
from catalog.grant_text import grant_to_json
from catalog.proposal_store import Proposal
from catalog.request import Request
from catalog.request_text import elements_to_json
from catalog.tier_store import TierVersion
from catalog.usage_store import UsageRecord
from catalog.workdays import Calendar


def shown_clock(clock: Clock, now: datetime, calendar: Calendar) -> dict[str, Any]:
    """A clock as it stands; ``year_unknown`` names the year whose arrangement must be entered before it can be told."""
    reading, rule = clock.read(now, calendar), CLOCKS[clock.event]
    return {
        "event": clock.event,
        "article": rule.article,
        "zh": rule.zh,
        "en": rule.en,
        "state": reading.state,
        "started_at": clock.started_at,
        "extension": clock.extension,
        "due": reading.due,
        "met_at": clock.met_at,
        "year_unknown": reading.unknown_year,
    }


def shown_request(request: Request, now: datetime, calendar: Calendar) -> dict[str, Any]:
    """A request: who holds it, what is missing, which clocks run, what happened by which article."""
    clocks = [shown_clock(clock, now, calendar) for clock in request.clocks]
    return {
        "id": request.id,
        "dataset": request.dataset,
        "holder": request.holder,
        "organization": request.organization,
        "provider": request.provider,
        "share": request.share,
        "state": request.state,
        "held_by": request.held_by,
        "missing": list(request.missing),
        "late": [clock["event"] for clock in clocks if clock["state"] == "late"],
        "elements": elements_to_json(request.elements),
        "clocks": clocks,
        "steps": [
            {
                "step": event.step,
                "article": event.article,
                "actor": event.actor,
                "at": event.at,
                "detail": dict(event.detail),
            }
            for event in request.events
        ],
    }


def shown_proposal(proposal: Proposal) -> dict[str, Any]:
    """A proposal: the content that its digest is of, and what became of it."""
    return {
        "id": proposal.id,
        "request": proposal.request,
        "dataset": proposal.dataset,
        "digest": proposal.digest,
        "state": proposal.state,
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at,
        "decided_by": proposal.decided_by,
        "decided_at": proposal.decided_at,
        "grant": json.loads(proposal.content),
    }


def shown_grant(
    given: GivenGrant, now: datetime, calendar: Calendar, events: Sequence[GrantEvent] = ()
) -> dict[str, Any]:
    """A grant: what was allowed, by whom, until when it holds, and its course."""
    return {
        **grant_to_json(given.grant),
        "digest": given.digest,
        "given_by": given.given_by,
        "given_at": given.given_at,
        "holds_until": given.holds_until,
        "lapsed": given.lapsed(now),
        "review_by": given.review_by,
        "reviewed_at": given.reviewed_at,
        "rectify_by": given.rectify_by,
        "rectified_at": given.rectified_at,
        "ended_at": given.ended_at,
        "clocks": [shown_clock(clock, now, calendar) for clock in given.clocks],
        "steps": [
            {
                "step": event.step,
                "article": GRANT_ARTICLES[event.step],
                "actor": event.actor,
                "at": event.at,
                "detail": dict(event.detail),
            }
            for event in events
        ],
    }


def shown_usage(usage: UsageRecord) -> dict[str, Any]:
    """A record of use."""
    return {
        "id": usage.id,
        "grant": usage.access_grant,
        "told_by": usage.told_by,
        "told_at": usage.told_at,
        "scenario": usage.scenario,
        "course": usage.course,
        "effect": usage.effect,
        "storage": usage.storage,
        "disposal": usage.disposal,
        "kept_until": usage.kept_until,
    }


def shown_tiers(version: TierVersion) -> dict[str, Any]:
    """A version of the table of tiers."""
    return {
        "version": version.version,
        "digest": version.digest,
        "reason": version.reason,
        "proposed_by": version.proposed_by,
        "proposed_at": version.proposed_at,
        "approved_by": version.approved_by,
        "approved_at": version.approved_at,
        "rules": json.loads(version.rules),
    }
