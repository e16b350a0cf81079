"""The decision (判定): one pure function of caller, dataset, purpose, grants, tiers and time. All goes through it.

Deny by default; what is not understood is closed. The rules are asked in this order and the first that fails decides:

1. the dataset's guards, which no grant lifts: a published entry, its secrecy review passed;
2. the way: a grant where one is named or fits the stated purpose (exactly one, never merged), else stewardship of one's
   own dataset, else what the caller's tier opens without a grant;
3. the way's own conditions, the dataset's share or open attribute among them;
4. each field by itself: its level against the tier's rule, and what the grant says of it.

Adding a grant never turns yes into no: where none fits, the decision is the one there would be without any.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog.caller import Caller
from catalog.condition import Condition
from catalog.grant import Grant, Method, Quota, Treatment
from catalog.resource import FieldKind, FieldLabel, Resource
from catalog.tier import TierRule, TierTable
from catalog.treatment import strictest_needed


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Args:
        method: the way of delivery.
        purpose: as stated by the caller; None where nothing was said.
        grant: the grant named by the caller; None leaves the choice to the hub.
    """

    method: Method
    purpose: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class Treated:
    """What becomes of one field, and by which rule."""

    treatment: Treatment
    kind: FieldKind
    rule: str


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was asked: what came of it, and about which field or grant, if about one."""

    rule: str
    passed: bool
    about: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The result. Where it is not allowed every field is withheld.

    Args:
        allowed: whether anything may leave.
        dataset: id.
        entry_version: of the published entry it was decided on.
        way: by grant, as steward, by what the tier opens, or none.
        grant: id of the one grant it was decided under.
        purpose: as stated.
        method: of delivery.
        fields: every field of the contract with its treatment, in the contract's order.
        rows: which rows; None for all.
        quota: within a day.
        steps: the rules asked, in order; the last that failed is why it was denied.
        policy: digest of the tier table it was decided by.
    """

    allowed: bool
    dataset: str
    entry_version: int | None
    way: str
    grant: str | None
    purpose: str | None
    method: Method
    fields: Mapping[str, Treated]
    rows: Condition | None
    quota: Quota
    steps: tuple[Step, ...]
    policy: str

    @property
    def clear_fields(self) -> frozenset[str]:
        """The fields that may be filtered, sorted and counted by: those given as they are."""
        return frozenset(name for name, treated in self.fields.items() if treated.treatment == "clear")

    @property
    def given_fields(self) -> tuple[str, ...]:
        """The fields that leave, treated or not, in order."""
        return tuple(name for name, treated in self.fields.items() if treated.treatment != "withheld")

    @property
    def refusal(self) -> Step | None:
        """The rule that decided against; None where allowed."""
        return None if self.allowed else next(step for step in reversed(self.steps) if not step.passed)


def decide(
    caller: Caller,
    resource: Resource,
    grants: Sequence[Grant],
    asked: Asked,
    tiers: TierTable,
    now: datetime,
    *,
    policy: str = "",
) -> Decision:
    """Decide. Pure: the same arguments give the same decision.

    Args:
        caller: who asks.
        resource: the dataset as of now.
        grants: those made out to any of the caller's holders for this dataset; others are ignored.
        asked: what is asked for.
        tiers: what tiers open.
        now: the moment.
        policy: digest of ``tiers``.
    """
    steps = [Step("entry.published", resource.entry_version is not None)]
    if steps[0].passed:
        steps.append(Step("entry.secrecy", resource.secrecy_passed))
    if not steps[-1].passed:
        return _denied(resource, asked, steps, policy)
    mine = sorted((grant for grant in grants if _is_for(grant, caller, resource)), key=lambda grant: grant.id)
    empty: Step | None = None  # a grant that fits and opens nothing: it does not stand in the way of what does
    for grant in mine if asked.grant is None else [grant for grant in mine if grant.id == asked.grant]:
        asked_of = list(_grant_steps(grant, caller, resource, asked, tiers, now))
        steps += asked_of
        if all(step.passed for step in asked_of):
            rule = tiers[caller.tier, True]
            fields = {name: _under_grant(name, label, grant, rule) for name, label in resource.fields.items()}
            found = _closed(resource, asked, steps, policy, fields, way="grant", grant=grant, quota=grant.quota)
            if found.allowed:
                return found
            empty = found.steps[-1]
            steps.append(empty)
    if asked.grant is not None:
        return _denied(resource, asked, [*steps, empty or Step("grant.named", passed=False, about=asked.grant)], policy)
    otherwise = _without_grant(caller, resource, asked, tiers, list(steps), policy)
    if otherwise.allowed or empty is None:
        return otherwise
    return _denied(resource, asked, [*steps, empty], policy)


def _is_for(grant: Grant, caller: Caller, resource: Resource) -> bool:
    return grant.holder in caller.holders and grant.dataset == resource.dataset


def _grant_steps(
    grant: Grant, caller: Caller, resource: Resource, asked: Asked, tiers: TierTable, now: datetime
) -> Iterator[Step]:
    """A grant's own conditions, up to the first that fails."""
    by_department = caller.tier == "department"
    openable = resource.share in ("unconditional", "conditional")
    if not by_department:
        openable = resource.open in ("unconditional", "conditional")
    rule = tiers.get((caller.tier, True))
    conditions = (
        ("grant.purpose", asked.purpose is not None and asked.purpose == grant.purpose),
        ("grant.state", grant.state == "active"),
        ("grant.term", grant.valid_from <= now < grant.valid_until),
        ("grant.method", asked.method in grant.methods),
        ("tier.grants", rule is not None),
        ("share.granted" if by_department else "open.granted", openable),
    )
    for name, passed in conditions:
        yield Step(name, passed, grant.id)
        if not passed:
            return


def _without_grant(
    caller: Caller, resource: Resource, asked: Asked, tiers: TierTable, steps: list[Step], policy: str
) -> Decision:
    """Stewardship of one's own, else what the tier opens to everyone in it."""
    rule = tiers.get(("steward", False))
    owns = caller.organization is not None and caller.organization == resource.organization
    if rule is not None and owns and "steward" in caller.roles:
        steps.append(Step("steward.purpose", not rule.purpose_required or bool(asked.purpose)))
        if not steps[-1].passed:
            return _denied(resource, asked, steps, policy)
        fields = {name: _by_level(label, rule) for name, label in resource.fields.items()}
        return _closed(resource, asked, steps, policy, fields, way="steward", grant=None, quota=rule.quota)
    rule = tiers.get((caller.tier, False))
    conditions = (
        ("tier.open", rule is not None and rule.scope == "open"),
        ("open.persons", not resource.personal),
        ("open.unconditional", resource.open == "unconditional"),
    )
    for name, passed in conditions:
        steps.append(Step(name, passed))
        if not passed or rule is None:
            return _denied(resource, asked, steps, policy)
    assert rule is not None  # noqa: S101 - tier.open has passed
    fields = {name: _by_level(label, rule) for name, label in resource.fields.items()}
    return _closed(resource, asked, steps, policy, fields, way="tier", grant=None, quota=rule.quota)


# Fields --------------------------------------------------------------------------------------------------------------


def _by_level(label: FieldLabel, rule: TierRule) -> Treated:
    level = label.level
    if level is None:
        return Treated("withheld", label.kind, "field.unlabelled")
    if not isinstance(level, int):
        return Treated("withheld", label.kind, "field.beyond")
    if level <= rule.clear_level:
        return Treated("clear", label.kind, "field.level")
    if level <= rule.treated_level:
        return Treated(strictest_needed(label.kind, "masked"), label.kind, "field.treated")
    return Treated("withheld", label.kind, "field.level")


def _under_grant(name: str, label: FieldLabel, grant: Grant, rule: TierRule) -> Treated:
    open_to = _by_level(label, rule)
    if open_to.rule in ("field.unlabelled", "field.beyond"):
        return open_to
    cap = grant.fields.get(name, "withheld")
    if cap == "withheld":
        return Treated("withheld", label.kind, "grant.field")
    level = label.level
    named = isinstance(level, int) and level <= rule.named_level and bool(grant.laws.get(name))
    if open_to.treatment == "clear" or (named and cap == "clear"):
        if cap == "clear":
            return Treated("clear", label.kind, "field.law" if open_to.treatment != "clear" else "field.level")
        return Treated(strictest_needed(label.kind, cap), label.kind, "grant.treatment")
    if open_to.treatment == "withheld":
        return open_to
    return Treated(strictest_needed(label.kind, "masked" if cap == "clear" else cap), label.kind, "field.treated")


# Results -------------------------------------------------------------------------------------------------------------


def _closed(
    resource: Resource,
    asked: Asked,
    steps: list[Step],
    policy: str,
    fields: Mapping[str, Treated],
    *,
    way: str,
    grant: Grant | None,
    quota: Quota,
) -> Decision:
    """The decision of a way whose conditions hold; denied all the same where no field is left."""
    left = any(treated.treatment != "withheld" for treated in fields.values())
    steps = [*steps, Step("fields.some", left, "" if grant is None else grant.id)]
    if not left:
        return _denied(resource, asked, steps, policy)
    return Decision(
        allowed=True,
        dataset=resource.dataset,
        entry_version=resource.entry_version,
        way=way,
        grant=None if grant is None else grant.id,
        purpose=asked.purpose,
        method=asked.method,
        fields=fields,
        rows=None if grant is None else grant.rows,
        quota=quota,
        steps=tuple(steps),
        policy=policy,
    )


def _denied(resource: Resource, asked: Asked, steps: Sequence[Step], policy: str) -> Decision:
    rule = next(step.rule for step in reversed(steps) if not step.passed)
    return Decision(
        allowed=False,
        dataset=resource.dataset,
        entry_version=resource.entry_version,
        way="none",
        grant=None,
        purpose=asked.purpose,
        method=asked.method,
        fields={name: Treated("withheld", label.kind, rule) for name, label in resource.fields.items()},
        rows=None,
        quota=Quota(0, 0, 0),
        steps=tuple(steps),
        policy=policy,
    )
