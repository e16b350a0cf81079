"""Entries as they are shown, over HTTP and by commands: plain values, the same in both."""

from collections.abc import Sequence
from typing import Any

from catalog.entry import CYCLES, FORMATS
from catalog.entry_changes import Change
from catalog.entry_json import entry_to_json
from catalog.entry_store import EntryVersion, SecrecyReview
from catalog.entry_view_store import EntryView
from catalog.lifecycle import EntryEvent
from catalog.search_store import Hit


def shown_version(version: EntryVersion) -> dict[str, Any]:
    """Where a version stands; ``sm3`` is what reviews and approvals name."""
    return {
        "dataset": version.dataset,
        "version": version.version,
        "state": version.state,
        "sm3": version.sm3,
        "created_at": version.created_at.isoformat(),
        "changed_at": version.changed_at.isoformat(),
        "published_at": None if version.published_at is None else version.published_at.isoformat(),
    }


def shown_view(view: EntryView) -> dict[str, Any]:
    """A version with its content and how its data fare."""
    entry, quality, due_at = view.version.entry, view.quality, view.standing.due_at
    taken_at = quality.last_taken_at
    return {
        **shown_version(view.version),
        "base": view.base,
        "organization": {
            "id": view.organization.id,
            "name": {"zh": view.organization.name_zh, "en": view.organization.name_en},
        },
        "level": entry.level,
        "secrecy_passed": view.secrecy_passed,
        "entry": entry_to_json(entry),
        "format_name": _bilingual(FORMATS[entry.format]),
        "update_cycle_name": _bilingual(CYCLES[entry.update_cycle]),
        "freshness": {
            "state": view.standing.freshness,
            "last_taken_at": None if taken_at is None else taken_at.isoformat(),
            "due_at": None if due_at is None else due_at.isoformat(),
        },
        "records": quality.records,
        "quality": {
            "received": quality.received,
            "rejected": quality.rejected,
            "accepted_share": quality.accepted_share,
            "reasons": dict(quality.reasons),
        },
        "work": None
        if view.work is None
        else {
            "newest": view.work.newest,
            "users": view.work.users,
            "events": [_event(event) for event in view.work.events],
            "secrecy_reviews": [shown_review(review) for review in view.work.reviews],
        },
    }


def shown_review(review: SecrecyReview) -> dict[str, Any]:
    """A secrecy review."""
    return {
        "number": review.number,
        "sm3": review.sm3,
        "passed": review.passed,
        "opinion": review.opinion,
        "impact": review.impact,
        "actor": review.actor,
        "at": review.at.isoformat(),
    }


def shown_hit(hit: Hit) -> dict[str, Any]:
    """One entry of a list."""
    return {
        "dataset": hit.dataset,
        "version": hit.version,
        "state": hit.state,
        "name": {"zh": hit.name_zh, "en": hit.name_en},
        "abstract": {"zh": hit.abstract_zh, "en": hit.abstract_en},
        "organization": {"id": hit.organization, "name": {"zh": hit.organization_zh, "en": hit.organization_en}},
        "base": hit.base,
        "level": hit.level,
        "share": hit.share,
        "open": hit.open,
        "region": hit.region,
        "format": hit.format,
        "update_cycle": hit.update_cycle,
        "published_at": None if hit.published_at is None else hit.published_at.isoformat(),
        "records": hit.records,
        "last_taken_at": None if hit.last_taken_at is None else hit.last_taken_at.isoformat(),
    }


def shown_changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """What changed."""
    return [{"element": one.element, "before": one.before, "after": one.after} for one in changes]


def _event(event: EntryEvent) -> dict[str, Any]:
    """An act; the natural person behind an account is for the rule of separation alone."""
    return {
        "act": event.act,
        "actor": event.actor,
        "at": event.at.isoformat(),
        "sm3": event.sm3,
        "note": event.note,
    }


def _bilingual(names: tuple[str, str]) -> dict[str, str]:
    return {"zh": names[0], "en": names[1]}
