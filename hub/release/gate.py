"""The gate: from caller and dataset to a decision, made anew whenever anything it was made from has changed.

Everything a decision is made from raises one number, the policy epoch. A decision is remembered with the epoch it was
made under, and the statement that fetches records returns the epoch of its own snapshot (``select``): where the two
differ nothing of it is given out and the decision is made again. So a revoked grant, a raised level or a withdrawn
entry takes effect on the next request, in every process, and a request in between costs no query of its own. A
refusal is never remembered. A decision also ends where a grant's term begins or ends.
"""

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from psycopg import Connection

from catalog.caller import Caller
from catalog.condition_json import Types
from catalog.decision import Asked, Decision, decide
from catalog.epoch_store import current_epoch
from catalog.errors import DatasetUnknown
from catalog.explanation import explanation, sentences
from catalog.grant import Grant
from catalog.grant_store import epoch_and_grants_for, grants_for
from catalog.resource import Resource
from catalog.resource_store import resource_of
from catalog.tier_store import Policy, current_policy
from catalog.visibility import DEPARTMENTS, EVERYONE, OFFICES, may_know, sight_of

REMEMBERED_MAX: Final = 2_000


@dataclass(frozen=True)  # without slots: what is rarely needed is made once and kept in its dictionary
class Decided:
    """A decision with what it was made from.

    Args:
        decision: of this caller.
        resource: the dataset then.
        epoch: under which it was made.
        until: when a grant's term begins or ends; None where none does.
        took_us: microseconds it took to make, reading included.
    """

    decision: Decision
    resource: Resource
    epoch: int
    until: datetime | None
    took_us: int = 0

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """For what planning under this decision makes again and again; see ``plan``."""
        return {}

    @cached_property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that were asked, in order, each once."""
        return tuple(dict.fromkeys(step.rule for step in self.decision.steps))

    @cached_property
    def content(self) -> str:
        """The decision explained, as JSON: kept beside the trail."""
        return explained(self.decision)

    @cached_property
    def sm3(self) -> bytes:
        """Digest of ``content``."""
        return hashlib.new("sm3", self.content.encode()).digest()


@dataclass(frozen=True, slots=True)
class _Known:
    """What of an epoch is the same for all callers."""

    epoch: int
    policy: Policy
    resources: dict[str, Resource | None]


class Gate:
    """Decides. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._decided: dict[tuple[Caller, str, Asked], Decided] = {}

    def remembered(self, caller: Caller, dataset: str, asked: Asked, now: datetime) -> Decided | None:
        """The decision made before, if any: good only where the store still has its epoch."""
        found = self._decided.get((caller, dataset, asked))
        return None if found is None or (found.until is not None and now >= found.until) else found

    def decided(self, conn: Connection, caller: Caller, dataset: str, asked: Asked, now: datetime) -> Decided:
        """The decision as of now, from the store.

        Raises:
            DatasetUnknown: there is none, or none this caller may know of; the two look the same.
        """
        began = time.perf_counter()
        epoch, resource, policy, grants = self._read(conn, caller, dataset)
        if resource is None or not (grants or knows_of(caller, resource)):
            raise DatasetUnknown(dataset=dataset)
        decision = decide(caller, resource, grants, asked, policy.tiers, now, policy=policy.digest)
        ends = [end for grant in grants for end in (grant.valid_from, grant.valid_until) if end > now]
        took_us = round((time.perf_counter() - began) * 1_000_000)
        found = Decided(decision, resource, epoch, min(ends, default=None), took_us)
        if decision.allowed:
            if len(self._decided) >= REMEMBERED_MAX:
                self._decided.clear()
            self._decided[caller, dataset, asked] = found
        return found

    def _read(
        self, conn: Connection, caller: Caller, dataset: str
    ) -> tuple[int, Resource | None, Policy, Sequence[Grant]]:
        """One round trip while the epoch is the one known; more after a change."""
        known = self._known
        if known is not None and dataset in known.resources:
            resource = known.resources[dataset]
            epoch, grants = epoch_and_grants_for(conn, caller.holders, dataset, types_of(resource))
            if epoch == known.epoch:
                return epoch, resource, known.policy, grants
        known = self._read_known(conn, dataset)
        resource = known.resources[dataset]
        # The epoch is the one before all that follows: what changed since then is seen as changed.
        grants = grants_for(conn, caller.holders, dataset, types_of(resource))
        return known.epoch, resource, known.policy, grants

    def _read_known(self, conn: Connection, dataset: str) -> _Known:
        epoch = current_epoch(conn)
        with self._lock:
            known = self._known
        if known is None or known.epoch != epoch:
            known = _Known(epoch, current_policy(conn), {})
        if len(known.resources) >= REMEMBERED_MAX:
            known.resources.clear()
        found = resource_of(conn, dataset)
        known.resources[dataset] = found
        with self._lock:
            self._known = known
        return known


def types_of(resource: Resource | None) -> Types:
    """The types of a dataset's fields."""
    return {} if resource is None else {name: label.type for name, label in resource.fields.items()}


def knows_of(caller: Caller, resource: Resource) -> bool:
    """Whether a caller without a grant may know that there is this dataset: as ``catalog.visibility`` has it."""
    audience = OFFICES
    if resource.entry_version is not None and resource.secrecy_passed:
        if resource.open in ("unconditional", "conditional"):
            audience = EVERYONE
        elif resource.share in ("unconditional", "conditional"):
            audience = DEPARTMENTS
    return may_know(sight_of(caller), audience, resource.organization)


def explained(decision: Decision) -> str:
    """The decision explained, as JSON: for a program, and in sentences of both languages."""
    content = {"decision": explanation(decision), "zh": sentences(decision, "zh"), "en": sentences(decision, "en")}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
