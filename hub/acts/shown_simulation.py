"""How simulations are shown, over HTTP and at the command line: counts, rules and opaque ids, nothing personal."""

from collections.abc import Sequence
from typing import Any

from catalog.decision import Step
from catalog.explanation import step_sentence
from catalog.simulation import Covered, Difference, FieldChange, coarse, totals
from hub.acts.simulations import GrantSimulation, Replayed, TierSimulation


def shown_grant_simulation(simulation: GrantSimulation) -> dict[str, Any]:
    """What a proposed grant would open."""
    coverage = simulation.coverage
    return {
        "proposal": simulation.grant.id,
        "dataset": simulation.grant.dataset,
        "holder": simulation.grant.holder,
        "fields": _fields(simulation.fields),
        "holder_stands": simulation.holder_stands,
        "refused_by": _rule(simulation.refusal),
        "coverage": None
        if coverage is None
        else {
            "records": _covered(coverage.records),
            "persons": None if coverage.persons is None else _covered(coverage.persons),
        },
        **_replayed(simulation.replayed),
    }


def shown_tier_simulation(simulation: TierSimulation) -> dict[str, Any]:
    """Who would gain or lose what under a proposed table."""
    return {
        "version": simulation.version.version,
        "digest": simulation.version.digest,
        **_replayed(simulation.replayed),
    }


def _replayed(replayed: Replayed) -> dict[str, Any]:
    sums = totals(replayed.differences)
    return {
        "days": replayed.days,
        "moment": replayed.moment,
        "requests": {
            "recorded": replayed.recorded,
            **sums,
            "unreadable": replayed.unreadable,
            "left_out": replayed.left_out,
        },
        "differences": [_difference(one) for one in replayed.differences if one.kind != "same"],
        "still_refused": _still_refused(replayed.differences),
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "caller": one.caller,
        "dataset": one.dataset,
        "method": one.method,
        "kind": one.kind,
        "requests": one.requests,
        "fields": _fields(one.fields),
        "other_rows": one.other_rows,
        "refused_by": _rule(one.refusal),
    }


def _still_refused(found: Sequence[Difference]) -> list[dict[str, Any]]:
    sums: dict[Step, int] = {}
    for one in found:
        if one.kind == "same" and one.refusal is not None:
            sums[one.refusal] = sums.get(one.refusal, 0) + one.requests
    return [{**(_rule(step) or {}), "requests": requests} for step, requests in sums.items()]


def _rule(step: Step | None) -> dict[str, str] | None:
    if step is None:
        return None
    return {"rule": step.rule, "zh": step_sentence(step, "zh"), "en": step_sentence(step, "en")}


def _fields(changes: Sequence[FieldChange]) -> list[dict[str, str]]:
    return [{"field": one.field, "before": one.before, "after": one.after} for one in changes]


def _covered(covered: Covered) -> dict[str, Any]:
    return {"in_all": coarse(covered.in_all), "beyond": coarse(covered.beyond)}
