"""A whole dataset under a decision, for what lasts longer than a request: exports, changes, subscriptions.

It is opened as a page is: decided by the gate, admitted, and refused with the same leaf. What lasts asks again: the
policy epoch every ``CHECK_SECONDS`` at the least, and where that moved, or the caller did, a new decision. What it was
opened under are its terms: fields, treatments and rows. Under other terms nothing goes on unnoticed.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog.caller import Caller
from catalog.condition_json import condition_to_json
from catalog.decision import Asked, Decision
from catalog.epoch_store import current_epoch
from hub.ledger.leaf import Leaf
from hub.ledger.writer import LeafWriter
from hub.release.gate import Decided, Gate
from hub.release.page import WHOLE, Ask
from hub.release.plan import Planner
from hub.release.query import query_of
from hub.release.quota import Amounts, Quotas, subject_of
from hub.release.select import Compiled
from hub.release.settle import Settlement
from hub.release.trail_store import Trail, add_decision

CHECK_SECONDS: Final = 0.2
KEPT_MAX: Final = 10_000

CallerNow = Callable[[], Caller]  # who is asking, as of now; refuses who is nobody any more


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened.

    Args:
        caller: for whom.
        asked: how and for what.
        decided: the decision, which allows.
        compiled: every field it gives, in the order of the key.
        terms: digest of what leaves under it.
    """

    caller: Caller
    asked: Asked
    decided: Decided
    compiled: Compiled
    terms: str

    @property
    def dataset(self) -> str:
        """Its id."""
        return self.decided.resource.dataset


class Opener:
    """Opens. Threads may share it."""

    def __init__(
        self, gate: Gate, planner: Planner, settlement: Settlement, writer: LeafWriter, quotas: Quotas
    ) -> None:
        self._gate = gate
        self._planner = planner
        self._settlement = settlement
        self._writer = writer
        self._quotas = quotas
        self._kept: set[bytes] = set()

    def open(self, conn: Connection, caller: Caller, dataset: str, asked: Asked, now: datetime) -> Opened:
        """Decide from the store, and admit.

        Raises:
            DatasetUnknown, ReleaseRefused, LedgerStale, QuotaUsedUp: nothing is released.
        """
        decided = self._gate.decided(conn, caller, dataset, asked, now)
        if decided.sm3 not in self._kept:  # the trail will name it
            add_decision(conn, decided.sm3, decided.content, now)
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept.add(decided.sm3)
        self._settlement.admit(conn, caller, Ask(dataset, asked), decided, now)
        query = query_of(WHOLE, decided.decision, decided.resource)
        compiled = self._planner.compiled(caller, decided.decision, decided.resource, query)
        return Opened(caller, asked, decided, compiled, terms_of(decided.decision))

    def look_again(self, conn: Connection, opened: Opened, caller: Caller, now: datetime) -> Opened:
        """The same as of now: as it is while nothing changed, else decided again.

        Raises:
            DatasetUnknown, ReleaseRefused, LedgerStale, QuotaUsedUp: nothing more is released.
        """
        decided = opened.decided
        lasts = decided.until is None or now < decided.until
        if lasts and caller == opened.caller and current_epoch(conn) == decided.epoch:
            return opened
        return self.open(conn, caller, opened.dataset, opened.asked, now)

    def take(self, opened: Opened, amounts: Amounts, now: datetime) -> Amounts:
        """Count requests, rows and bytes against the quota; what was used today, these included.

        Raises:
            QuotaUsedUp: and nothing was counted.
        """
        decision = opened.decided.decision
        return self._quotas.take(subject_of(opened.caller, decision), decision.quota, amounts, now)

    def record(self, leaf: Leaf, trail: Trail | None) -> str:
        """Write a leaf and wait until it is durable; its id."""
        return self._writer.write(leaf, trail)


def terms_of(decision: Decision) -> str:
    """SM3 of what leaves under a decision, hexadecimal."""
    fields = [[name, decision.fields[name].treatment, decision.fields[name].kind] for name in decision.given_fields]
    rows = None if decision.rows is None else condition_to_json(decision.rows)
    content = json.dumps([decision.dataset, fields, rows], ensure_ascii=False, sort_keys=True)
    return hashlib.new("sm3", content.encode("utf-8", "surrogatepass")).hexdigest()
