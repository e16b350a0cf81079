# pyright: reportArgumentType=false, reportOperatorIssue=false, reportUnusedExpression=false
# pyright: reportOptionalSubscript=false, reportIncompatibleMethodOverride=false, reportReturnType=false
"""The simple contract's dataset under a decision, compiled, for tests of what reads it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from exchange_maker import DATASET, ORGANIZATION

from catalog.caller import Caller
from catalog.condition import Condition
from catalog.decision import Asked, Decision, decide
from catalog.grant import Grant, Quota, Treatment
from catalog.resource import FieldLabel, FieldLevel, Resource
from catalog.tier import DEFAULT_TIERS
from hub.release.query import Wanted, query_of
from hub.release.reference import ReferenceKeys
from hub.release.select import Compiled
from schemas.contract import Contract

SUBSCRIBER = Caller("organization:min-zheng", "min-zheng", tier="department")
KEYS = ReferenceKeys(b"m" * 32, b"c" * 16)


def resource_of_simple(contract: Contract, key_level: FieldLevel = 1) -> Resource:
    """Every field of level 1 but the key."""
    labels = {
        field.name: FieldLabel(
            field.type,
            key_level if field.name in contract.key else 1,
            "text" if field.type.kind == "string" else "other",
        )  # pyright: ignore[reportArgumentType] - as the case needs it
        for field in contract.fields
    }
    return Resource(DATASET, ORGANIZATION, "legal_person", 1, True, "conditional", "not_open", labels, contract.key)


def decision_of(
    resource: Resource, rows: Condition | None = None, fields: dict[str, Treatment] | None = None
) -> Decision:
    """Under a grant with these rows and fields."""
    now = datetime.now(UTC)
    grant = Grant(
        id="01900000-0000-7000-8000-000000000001",
        kind="ordinary",
        holder=SUBSCRIBER.id,
        dataset=DATASET,
        fields=fields or dict.fromkeys(resource.fields, "clear"),
        laws={},
        rows=rows,
        purpose="低保核对",
        basis="某法",
        methods=frozenset({"subscription", "file"}),
        quota=Quota(),
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=1),
        state="active",
        request=None,
    )
    decision = decide(SUBSCRIBER, resource, [grant], Asked("subscription", "低保核对"), DEFAULT_TIERS, now)
    assert decision.allowed
    return decision


def compiled_of(
    contract: Contract, rows: Condition | None = None, *, key_level: FieldLevel = 1, opaque: bool = False
) -> Compiled:
    """The whole dataset under such a decision."""
    resource = resource_of_simple(contract, key_level)
    decision = decision_of(resource, rows)
    query = query_of(Wanted(), decision, resource)
    return Compiled(resource, decision, replace(query), KEYS if opaque else None, b"p" * 32)
