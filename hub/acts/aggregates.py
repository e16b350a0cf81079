"""Acts on the open tier of personal datasets: define, compute, review, publish, recall. Each leaves its leaf.

What is published is decided by ``catalog.disclosure`` against everything of the dataset that was ever published. A
release's bytes are made once; a review names their certificate and counts for those bytes alone, and nothing else of
the dataset may have been published between computing and publishing.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog import aggregate_store as store
from catalog.aggregate import (
    Aggregate,
    aggregate_from_json,
    canonical_definition,
    definition_digest,
    detail_id,
    require_apart,
)
from catalog.aggregate_document import csv_of, json_of, report_of
from catalog.aggregate_errors import (
    AggregateChanged,
    AggregateNotOpen,
    AggregateStepWrong,
    AggregateUnknown,
    AggregateWrong,
    DisclosureRefused,
)
from catalog.aggregate_store import AggregateRelease, DefinitionVersion, Form, ReleaseState
from catalog.caller import Caller
from catalog.crossing import Other, crossed_slices
from catalog.disclosure import Outcome, disclose
from catalog.duty import Earlier as EarlierAct
from catalog.duty import require_another
from catalog.errors import DatasetUnknown
from catalog.hierarchy import UNKNOWN, WHOLE
from catalog.resource_store import resource_of
from catalog.store import find_dataset
from catalog.tabulation import Earlier, Slice, Statement, Table, tabulate
from hub.exchange.apply.target import Target
from hub.exchange.registry_store import contract_of
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from hub.release.statistics import Counted, count_persons
from schemas.batch import sm3_hex, uuid7
from schemas.contract import Contract

REASON_CHARACTERS_MAX: Final = 2_000
_CLOSED_LEVELS: Final = (None, "important", "core")


def define(conn: Connection, actor: Caller, given: object, now: datetime) -> DefinitionVersion:
    """Declare an aggregate of one's own organization's dataset, or its next version; the same again does nothing.

    Raises:
        AggregateWrong: a member breaks its rule.
        AggregateOverlaps: it crosses another aggregate of the dataset.
    """
    actor.require("steward")
    dataset = str(given.get("dataset")) if isinstance(given, dict) else ""
    contract = _own(conn, actor, dataset)
    aggregate = aggregate_from_json(given, contract)
    store.lock_statistics(conn, dataset)
    known = store.list_definitions(conn, dataset)
    require_apart(aggregate, [_read(one, contract) for one in known])
    same = next((one for one in known if one.name == aggregate.name and one.sm3 == definition_digest(aggregate)), None)
    if same is not None:
        return same
    content, digest = canonical_definition(aggregate), definition_digest(aggregate)
    by = (actor.id, actor.person)
    version = store.add_definition(conn, (dataset, aggregate.name), content, digest, by, now)
    _append(conn, actor, "aggregate.defined", f"aggregate:{aggregate.id}", str(version), digest, now)
    return DefinitionVersion(dataset, aggregate.name, version, content, digest, actor.id, actor.person, now)


def compute(
    conn: Connection, actor: Caller, dataset: str, name: str, now: datetime, instant: datetime | None = None
) -> AggregateRelease:
    """Count, decide what may be stated, and keep the exact bytes for review. Nothing is published.

    Args:
        conn: a connection in a transaction, read committed.
        actor: a steward of the dataset's organization.
        dataset: id.
        name: of the aggregate.
        now: the moment.
        instant: of the counts; None for the last settled one. Aggregates of one dataset fit each other best when they
            are computed as of one instant.

    Raises:
        DisclosureRefused: naming the rule.
        AggregateNotOpen: nothing of the dataset may be published.
    """
    actor.require("steward")
    contract = _own(conn, actor, dataset)
    store.lock_statistics(conn, dataset)
    definitions = {one.name: one for one in store.list_definitions(conn, dataset)}
    if name not in definitions:
        raise AggregateUnknown(aggregate=f"{dataset}/{name}")
    aggregate = _read(definitions[name], contract)
    require_open(conn, aggregate)
    ever = store.names_ever_published(conn, dataset) - {name}
    others = [_read(definitions[one], contract) for one in sorted(ever)]
    counted = count_persons(conn, Target(dataset, contract), aggregate, others, instant)
    statements = store.read_statements(conn, dataset)
    table, outcome = _decide(aggregate, others, counted, statements)
    if outcome.refused is not None:
        raise DisclosureRefused(aggregate=aggregate.id, rule=outcome.refused)
    basis = store.last_number(conn, dataset)
    version = definitions[name].version
    forms = {
        "json": json_of(aggregate, version, outcome, counted.instant),
        "csv": csv_of(aggregate, outcome),
    }
    report = report_of(aggregate, table, outcome, counted.instant, basis, forms)
    certificate = sm3_hex(report)
    by = (actor.id, actor.person)
    release = AggregateRelease(
        uuid7(now), dataset, name, version, counted.instant, "computed", basis, None, certificate, *by, now
    )
    store.add_release(conn, release, {"json": forms["json"], "csv": forms["csv"], "report": report})
    store.add_statements(conn, release.id, _by_detail(aggregate, outcome.recorded))
    _append(conn, actor, "aggregate.computed", f"aggregate_release:{release.id}", aggregate.id, certificate, now)
    return release


def review(conn: Connection, actor: Caller, release: str, certificate: str, now: datetime) -> AggregateRelease:
    """Approve exactly these bytes and this report for publication; neither who defined nor who computed may.

    Raises:
        AggregateChanged: the certificate is not that of the bytes stored.
        OnePersonTwice: it is the actor's own work.
    """
    actor.require("reviewer")
    found = _locked(conn, release)
    _require_state(found, "computed")
    defined = next(one for one in store.list_definitions(conn, found.dataset) if one.name == found.name)
    require_another(
        actor,
        "review",
        EarlierAct("define", defined.defined_by, defined.defined_person),
        EarlierAct("compute", found.computed_by, found.computed_person),
    )
    _require_same(conn, found, certificate, defined)
    store.review_release(conn, found.id, actor.id, actor.person, now)
    _append(conn, actor, "aggregate.reviewed", f"aggregate_release:{found.id}", found.aggregate, certificate, now)
    return _again(conn, found)


def publish(conn: Connection, actor: Caller, release: str, certificate: str, now: datetime) -> AggregateRelease:
    """Put a reviewed release in force; the one before it is superseded.

    Raises:
        AggregateChanged: bytes or definition changed, or another release of the dataset was published since.
        AggregateNotOpen: nothing of the dataset may be published any more.
        OnePersonTwice: the actor reviewed it.
    """
    actor.require("steward", "administrator")
    found = _locked(conn, release)
    contract = _own(conn, actor, found.dataset, "administrator")
    _require_state(found, "reviewed")
    require_another(actor, "publish", EarlierAct("review", found.reviewed_by or "", found.reviewed_person))
    defined = next(one for one in store.list_definitions(conn, found.dataset) if one.name == found.name)
    _require_same(conn, found, certificate, defined)
    if store.last_number(conn, found.dataset) != found.basis:
        raise AggregateChanged(release=found.id)
    require_open(conn, _read(defined, contract))
    store.publish_release(conn, found, actor.id, now)
    _append(conn, actor, "aggregate.published", f"aggregate_release:{found.id}", found.aggregate, certificate, now)
    return _again(conn, found)


def recall(conn: Connection, actor: Caller, release: str, reason: str, now: datetime) -> AggregateRelease:
    """Revoke the certificate: the release is gone from the next request on. The release ledger keeps what it said."""
    actor.require("steward", "reviewer", "administrator")
    found = _locked(conn, release)
    _own(conn, actor, found.dataset, "reviewer", "administrator")
    _require_state(found, "published")
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        most = REASON_CHARACTERS_MAX
        raise AggregateWrong(where="reason", rule_zh=f"应为 1 至 {most} 字", rule_en=f"1 to {most} characters")
    store.recall_release(conn, found.id, actor.id, now)
    target = f"aggregate_release:{found.id}"
    _append(conn, actor, "aggregate.recalled", target, found.aggregate, found.certificate, now, reason)
    return _again(conn, found)


def read_release(conn: Connection, actor: Caller, release: str) -> tuple[AggregateRelease, Mapping[Form, bytes]]:
    """A release with its bytes, for those who take part in publishing it and for auditors."""
    actor.require("steward", "reviewer", "administrator", "auditor")
    found = store.find_release(conn, release)
    if found is None:
        raise AggregateUnknown(aggregate=release)
    _own(conn, actor, found.dataset, "reviewer", "administrator", "auditor")
    return found, store.read_forms(conn, found.id)


def list_all(conn: Connection, actor: Caller, dataset: str | None) -> list[AggregateRelease]:
    """All releases the actor may know of: stewards those of their own organization's datasets."""
    actor.require("steward", "reviewer", "administrator", "auditor")
    found = store.list_releases(conn, dataset)
    if actor.roles & {"reviewer", "administrator", "auditor"}:
        return found
    return [one for one in found if _owner(conn, one.dataset) == actor.organization]


def require_open(conn: Connection, aggregate: Aggregate) -> None:
    """Refuse what the dataset's entry or levels close now; asked again at each step.

    Raises:
        AggregateNotOpen: naming the rule.
    """
    rule = closed_by(conn, aggregate.dataset, aggregate.fields)
    if rule is not None:
        raise AggregateNotOpen(dataset=aggregate.dataset, rule=rule)


def closed_by(conn: Connection, dataset: str, fields: tuple[str, ...]) -> str | None:
    """The rule for which nothing of a dataset along these fields may be public; None where none forbids it."""
    resource = resource_of(conn, dataset)
    if resource is None or resource.entry_version is None:
        return "entry"
    if not resource.secrecy_passed:
        return "secrecy"
    if any(name not in resource.fields or resource.fields[name].level in _CLOSED_LEVELS for name in fields):
        return "level"
    return None


# Shared by the acts --------------------------------------------------------------------------------------------------


def _decide(
    aggregate: Aggregate,
    others: list[Aggregate],
    counted: Counted,
    statements: Mapping[tuple[str, str], list[Statement]],
) -> tuple[Table, Outcome]:
    # Other aggregates may have stated smaller regions: they count, though this one states none of them.
    deepest = max([aggregate.region_digits, *(one.region_digits for one in others)])
    widened = replace(aggregate, region_digits=deepest)
    earlier = _earlier(widened, statements)
    table = tabulate(widened, counted.leaves, [region for region, _ in earlier])
    barred = {of for of in table.slices if not _has_region(aggregate, of[0])}
    for other, leaves in zip(others, counted.pairs, strict=True):
        known = Other(other, _earlier(other, statements), leaves)
        barred |= crossed_slices(widened, table, aggregate.k, known)
    outcome = disclose(table, aggregate.k, earlier, counted.instant, barred)
    return table, replace(
        outcome,
        shown={of: one for of, one in outcome.shown.items() if _has_region(aggregate, of[0])},
        withheld=tuple(of for of in outcome.withheld if _has_region(aggregate, of[0])),
        recorded={of: one for of, one in outcome.recorded.items() if _has_region(aggregate, of[0])},
    )


def _has_region(aggregate: Aggregate, region: str) -> bool:
    if aggregate.region_field is None:
        return region == WHOLE
    return region in {WHOLE, UNKNOWN} or len(region) <= aggregate.region_digits


def _earlier(aggregate: Aggregate, statements: Mapping[tuple[str, str], list[Statement]]) -> Earlier:
    """The release ledger as far as it speaks of an aggregate's slices."""
    places = {detail_id(detail): place for place, detail in enumerate(aggregate.details)}
    return {
        (region, places[detail]): found
        for (detail, region), found in statements.items()
        if detail in places and _has_region(aggregate, region)
    }


def _by_detail(aggregate: Aggregate, recorded: Mapping[Slice, Statement]) -> dict[tuple[str, str], Statement]:
    return {(detail_id(aggregate.details[detail]), region): one for (region, detail), one in recorded.items()}


def _read(definition: DefinitionVersion, contract: Contract) -> Aggregate:
    return aggregate_from_json(json.loads(definition.content), contract)


def _own(conn: Connection, actor: Caller, dataset: str, *for_the_hub: str) -> Contract:
    found = find_dataset(conn, dataset)
    if found is None or not (actor.organization == found.organization or actor.roles & set(for_the_hub)):
        raise DatasetUnknown(dataset=dataset)
    return contract_of(conn, found)


def _owner(conn: Connection, dataset: str) -> str | None:
    found = find_dataset(conn, dataset)
    return None if found is None else found.organization


def _locked(conn: Connection, release: str) -> AggregateRelease:
    found = store.find_release(conn, release)
    if found is None:
        raise AggregateUnknown(aggregate=release)
    store.lock_statistics(conn, found.dataset)
    return _again(conn, found)


def _again(conn: Connection, release: AggregateRelease) -> AggregateRelease:
    found = store.find_release(conn, release.id)
    assert found is not None  # noqa: S101 - releases are kept
    return found


def _require_state(release: AggregateRelease, needed: ReleaseState) -> None:
    if release.state != needed:
        raise AggregateStepWrong(release=release.id, state=release.state, needed=needed)


def _require_same(conn: Connection, release: AggregateRelease, certificate: str, defined: DefinitionVersion) -> None:
    """The certificate given, the one stored and the bytes themselves agree, and the definition is still the newest."""
    forms = store.read_forms(conn, release.id)
    told = json.loads(forms["report"])["sm3"]
    same = (
        certificate == release.certificate == sm3_hex(forms["report"])
        and told == {"json": sm3_hex(forms["json"]), "csv": sm3_hex(forms["csv"])}
        and defined.version == release.version
    )
    if not same:
        raise AggregateChanged(release=release.id)


def _append(
    conn: Connection,
    actor: Caller,
    action: str,
    target: str,
    version: str,
    digest: str,
    now: datetime,
    reason: str = "",
) -> None:
    leaf = Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        object=target,
        object_version=version,
        result_sm3=digest,
        confidential={"reason": reason} if reason else {},
    )
    append(conn, leaf, now)
