"""The act of simulating a proposal before it is approved: read by who may approve it, and told by a leaf."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg import Connection

from catalog.caller import PUBLIC, PUBLIC_ID, Caller
from catalog.decision import Asked, Decision, Step, decide
from catalog.errors import DatasetUnknown
from catalog.explanation import nearest_change
from catalog.grant import Grant
from catalog.grant_errors import ProposalDecided
from catalog.grant_store import grants_for
from catalog.grant_text import grant_from_json
from catalog.request_store import is_uuid
from catalog.resource import Resource
from catalog.resource_store import resource_of
from catalog.simulation import Difference, FieldChange, Replay, differences, field_changes, widest
from catalog.tier import TierTable
from catalog.tier_store import TierVersion, current_policy
from hub.acts import grants, tiers
from hub.acts.requests import require_provider
from hub.identity.errors import NotAuthenticated
from hub.identity.people import caller_of_account
from hub.identity.person_store import find_account
from hub.identity.standing_callers import standing_caller
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from hub.release.simulation import Coverage, RecordedRequests, read_coverage, read_recorded
from hub.release.simulation_errors import SimulationTooLong

DAYS_MAX: Final = 366
Twice = Callable[[RecordedRequests], tuple[Decision, Decision] | None]


@dataclass(frozen=True, slots=True)
class Replayed:
    """Recorded requests, replayed.

    Args:
        days: back to when.
        moment: as of when both sides were decided.
        differences: what becomes of them.
        recorded: requests in all.
        left_out: of them, those beyond what was read.
        unreadable: of them, those whose caller or decision is not there any more.
    """

    days: int
    moment: datetime
    differences: Sequence[Difference]
    recorded: int
    left_out: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class GrantSimulation:
    """A proposed grant, simulated.

    Args:
        grant: as proposed.
        fields: what naming the grant would change for its holder, whether it ever asked or not.
        holder_stands: whether there is such a holder, not suspended.
        refusal: the rule that would refuse the holder all the same; None where none does.
        replayed: the holder's recorded requests for the dataset.
        coverage: of its rows; None where there was no time to count.
    """

    grant: Grant
    fields: Sequence[FieldChange]
    holder_stands: bool
    refusal: Step | None
    replayed: Replayed
    coverage: Coverage | None


@dataclass(frozen=True, slots=True)
class TierSimulation:
    """A proposed table of tiers, simulated on every caller recorded."""

    version: TierVersion
    replayed: Replayed


def simulate_grant(conn: Connection, actor: Caller, proposal: str, days: int, now: datetime) -> GrantSimulation:
    """Replay the holder's requests of the last days under a proposed grant, and count what its rows cover.

    Both sides are decided as of now, or as of the grant's first instant where that is later.

    Raises:
        ProposalUnknown: there is none such, or none the actor may know of.
        RoleNeeded: the actor may not approve it.
        ProposalDecided: it was.
        SimulationTooLong: there is no time to read so much.
    """
    found = grants.read_proposal(conn, actor, proposal)
    resource = resource_of(conn, found.dataset)
    if resource is None:
        raise DatasetUnknown(dataset=found.dataset)
    require_provider(actor, resource.organization)
    if found.state != "open":
        raise ProposalDecided(proposal=proposal, state=found.state)
    types = {name: label.type for name, label in resource.fields.items()}
    grant = grant_from_json(json.loads(found.content), types)
    moment = max(now, grant.valid_from)
    world = _World(conn, now, moment, current_policy(conn).tiers)
    replayed = world.replay(days, lambda group: world.with_grant(group, grant), grant)
    caller = world.caller(grant.holder)
    before, after = world.both(caller, grant) if caller is not None else (None, None)
    held = [one for one in world.grants((grant.holder,), resource) if _holds(one, moment)]
    coverage = read_coverage(conn, resource, grant.rows, [one.rows for one in held])
    append(conn, _leaf("grant.simulated", actor, f"grant:{grant.id}", found.digest), now)
    return GrantSimulation(
        grant,
        () if before is None or after is None else field_changes(before, after),
        after is not None,
        None if after is None else nearest_change(after),
        replayed,
        coverage,
    )


def simulate_tiers(conn: Connection, actor: Caller, version: int, days: int, now: datetime) -> TierSimulation:
    """Replay everyone's requests of the last days under a proposed table of tiers.

    Raises:
        RoleNeeded: the actor may not approve it.
        TierVersionUnknown: there is none such.
        SimulationTooLong: there is no time to read so much.
    """
    actor.require("administrator")
    found = tiers.read_version(conn, actor, version)
    world = _World(conn, now, now, current_policy(conn).tiers)
    proposed = found.tiers
    replayed = world.replay(days, lambda group: world.with_tiers(group, proposed))
    append(conn, _leaf("tiers.simulated", actor, "tiers", found.digest, str(version)), now)
    return TierSimulation(found, replayed)


def _holds(grant: Grant, moment: datetime) -> bool:
    return grant.state == "active" and grant.valid_from <= moment < grant.valid_until


class _World:
    """Callers, datasets and grants as they are, each read once."""

    def __init__(self, conn: Connection, now: datetime, moment: datetime, table: TierTable) -> None:
        self._conn = conn
        self._now = now
        self._moment = moment
        self._table = table
        self._callers: dict[str, Caller | None] = {}
        self._resources: dict[str, Resource | None] = {}
        self._grants: dict[tuple[tuple[str, ...], str], Sequence[Grant]] = {}

    def replay(self, days: int, twice: Twice, grant: Grant | None = None) -> Replayed:
        """Decide every recorded request twice."""
        since = self._now - timedelta(days=days)
        if grant is None:
            recording = read_recorded(self._conn, since)
        else:
            recording = read_recorded(self._conn, since, dataset=grant.dataset, holder=grant.holder)
        if recording is None:
            raise SimulationTooLong(days=days)
        decided = [(group, twice(group)) for group in recording.groups]
        replays = [Replay(group.caller, group.requests, *pair) for group, pair in decided if pair is not None]
        return Replayed(
            days=days,
            moment=self._moment,
            differences=differences(replays),
            recorded=recording.left_out + sum(group.requests for group in recording.groups),
            left_out=recording.left_out,
            unreadable=sum(group.requests for group, pair in decided if pair is None),
        )

    def with_grant(self, group: RecordedRequests, grant: Grant) -> tuple[Decision, Decision] | None:
        """Decisions without the grant, and with it; None where the request cannot be replayed."""
        caller, resource, asked = self.caller(group.caller), self.resource(group.dataset), group.asked
        if caller is None or resource is None or asked is None or grant.holder not in caller.holders:
            return None
        present = self.grants(caller.holders, resource)
        before = decide(caller, resource, present, asked, self._table, self._moment)
        unnamed, named = (
            decide(caller, resource, [*present, grant], one, self._table, self._moment)
            for one in (asked, Asked(asked.method, asked.purpose, grant.id))
        )
        return before, widest(before, unnamed, named)

    def with_tiers(self, group: RecordedRequests, proposed: TierTable) -> tuple[Decision, Decision] | None:
        """Decisions under both tables; None where the request cannot be replayed."""
        caller, resource, asked = self.caller(group.caller), self.resource(group.dataset), group.asked
        if caller is None or resource is None or asked is None:
            return None
        present = self.grants(caller.holders, resource)
        before = decide(caller, resource, present, asked, self._table, self._moment)
        return before, decide(caller, resource, present, asked, proposed, self._moment)

    def both(self, caller: Caller, grant: Grant) -> tuple[Decision, Decision]:
        """What a holder that asks for the grant's purpose has, and what it would have under the grant."""
        resource = self.resource(grant.dataset)
        assert resource is not None  # noqa: S101 - read before
        present = self.grants(caller.holders, resource)
        method = min(grant.methods)
        asked = Asked(method, grant.purpose)
        before = decide(caller, resource, present, asked, self._table, self._moment)
        named = Asked(method, grant.purpose, grant.id)
        return before, decide(caller, resource, [*present, grant], named, self._table, self._moment)

    def caller(self, id_: str) -> Caller | None:
        """As of now; None where it is not there any more, or suspended."""
        if id_ not in self._callers:
            self._callers[id_] = self._read_caller(id_)
        return self._callers[id_]

    def _read_caller(self, id_: str) -> Caller | None:
        kind, _, name = id_.partition(":")
        if id_ == PUBLIC_ID:
            return PUBLIC
        if kind == "organization":  # whoever acts for it, with a token of its own or not
            return Caller(id_, name, tier="department")
        if kind == "person":
            account = find_account(self._conn, name) if is_uuid(name) else None
            return None if account is None or account.suspended_at else caller_of_account(account, self._now)
        try:
            return standing_caller(self._conn, id_, self._now)
        except NotAuthenticated:
            return None

    def resource(self, dataset: str) -> Resource | None:
        """As of now."""
        if dataset not in self._resources:
            self._resources[dataset] = resource_of(self._conn, dataset)
        return self._resources[dataset]

    def grants(self, holders: tuple[str, ...], resource: Resource) -> Sequence[Grant]:
        """Those that have not ended."""
        asked = (holders, resource.dataset)
        if asked not in self._grants:
            types = {name: label.type for name, label in resource.fields.items()}
            self._grants[asked] = grants_for(self._conn, holders, resource.dataset, types)
        return self._grants[asked]


def _leaf(action: str, actor: Caller, subject: str, digest: str, version: str = "") -> Leaf:
    return Leaf(
        action=action,
        actor=actor.id,
        actor_org=actor.organization or "",
        object=subject,
        object_version=version,
        result_sm3=digest,
    )
