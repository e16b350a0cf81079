"""The way out: decide, fetch, count against the quota, write the leaf, answer. In this order, and nothing past a no.

What a request does costs two round trips to the store while nothing changes: the page's statement, which also tells
whether its decision still stands, and the commit of its leaf, shared with whoever else answers at the same moment.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from psycopg import Connection, OperationalError
from psycopg_pool import ConnectionPool

from catalog.caller import Caller
from catalog.condition_errors import ConditionWrong
from catalog.decision import Asked
from hub.exchange.apply.locks import horizon
from hub.ledger.leaf import is_leaf_id
from hub.release.errors import DecisionUnknown, ReleaseError
from hub.release.gate import Decided, Gate
from hub.release.page import Answer, Ask, Fetched, Page, fetched_of
from hub.release.plan import Plan, Planner, Settled
from hub.release.select import Statement
from hub.release.settle import Settlement
from hub.release.trail_store import add_decision, find_decision, find_trail

OVERTAKEN_MAX: Final = 5  # a policy that changes between each of so many statements is no policy
KEPT_MAX: Final = 10_000
_SEES_DECISIONS: Final = "auditor"


class Release:
    """Answers from the data tables. Threads may share it."""

    def __init__(self, pool: ConnectionPool, gate: Gate, planner: Planner, settlement: Settlement) -> None:
        """Put together; the pool's connections are in autocommit and read committed."""
        self._pool = pool
        self.gate = gate
        self.planner = planner
        self.settlement = settlement
        self._kept: set[bytes] = set()
        # The latest horizon that was seen. Reads up to there repeat for good, whatever the horizon of the moment is.
        self.settled_until = datetime.min.replace(tzinfo=UTC)

    def page(self, caller: Caller, ask: Ask, now: datetime) -> Answer:
        """A page of records.

        Raises:
            DatasetUnknown, ReleaseRefused, QueryWrong, ConditionWrong, FieldsInAddress, CursorWrong,
            FormatNotOffered, QuotaUsedUp, LedgerStale: as they say.
        """
        with self._pool.connection() as conn:
            page = self._page(conn, caller, ask, now, self.planner.plan)
        return self.settlement.settle(page, ask, "release.page")

    def record(self, caller: Caller, ask: Ask, reference: str, now: datetime) -> Answer:
        """One record by its reference, as it stood in the address.

        Raises:
            RecordAbsent: none, none for this caller, or no reference at all; else what ``page`` raises.
        """
        with self._pool.connection() as conn:
            page = self._page(conn, caller, ask, now, partial(self.planner.plan_record, reference=reference))
        return self.settlement.settle(page, ask, "release.record")

    def explain(self, caller: Caller, dataset: str, asked: Asked, now: datetime) -> Decided:
        """The decision there would be now, with nothing released.

        Raises:
            DatasetUnknown: there is none, or none this caller may know of.
        """
        with self._pool.connection() as conn:
            return self.gate.decided(conn, caller, dataset, asked, now)

    def explain_decision(self, caller: Caller, decision: str) -> dict[str, Any]:
        """A decision of the past as it was explained then: the caller's own, or any to an auditor.

        Raises:
            DecisionUnknown: there is none, or none of the caller's; the two look the same.
        """
        with self._pool.connection() as conn:
            trail = find_trail(conn, decision) if is_leaf_id(decision) else None
            own = trail is not None and caller.identified and trail.caller == caller.id
            if trail is None or not (own or _SEES_DECISIONS in caller.roles):
                raise DecisionUnknown(decision=decision[:40])
            content = find_decision(conn, trail.decision)
        if content is None:
            raise DecisionUnknown(decision=decision)
        return json.loads(content) | {"id": decision, "at": trail.at.isoformat(), "rows": trail.rows}

    # Steps -----------------------------------------------------------------------------------------------------------

    def _page(self, conn: Connection, caller: Caller, ask: Ask, now: datetime, plan: "Plans") -> Page:
        """Decide and fetch; where the decision was overtaken meanwhile, again."""
        decided = self.gate.remembered(caller, ask.dataset, ask.asked, now)
        remembered = decided is not None
        for _ in range(OVERTAKEN_MAX):
            if decided is None:
                decided = self._decided(conn, caller, ask.dataset, ask.asked, now)
            try:
                self.settlement.admit(conn, caller, ask, decided, now)
                planned = plan(caller, ask, decided, now, partial(self._settled, conn))
                fetched = fetch(conn, planned)
            except (ReleaseError, ConditionWrong):
                if not remembered:
                    raise
                decided, remembered = None, False  # under today's decision it may well be right
                continue
            if fetched.epoch == decided.epoch:
                return planned.page(fetched, self._count(conn, planned, ask))
            decided, remembered = None, False
        raise OperationalError("the policy changes faster than a statement runs")

    def _settled(self, conn: Connection, asked: datetime) -> datetime:
        """The moment asked for, or the horizon where that is earlier: up to there every read repeats."""
        if asked > self.settled_until:
            self.settled_until = max(self.settled_until, horizon(conn))
        return min(asked, self.settled_until)

    def _decided(self, conn: Connection, caller: Caller, dataset: str, asked: Asked, now: datetime) -> Decided:
        """Decide anew, and keep what the trail will name."""
        decided = self.gate.decided(conn, caller, dataset, asked, now)
        if decided.sm3 not in self._kept:
            add_decision(conn, decided.sm3, decided.content, now)
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept.add(decided.sm3)
        return decided

    def _count(self, conn: Connection, planned: Plan, ask: Ask) -> tuple[str, int] | None:
        how = "none" if ask.single else ask.wanted.count
        if how == "none":
            return None
        if how == "exact":
            statement = planned.compiled.count(exact=True, at=planned.at)
            row = run(conn, statement).fetchone()
            return "exact", 0 if row is None else int(row[0])
        if planned.count is not None:  # the page before told it
            return "estimated", planned.count
        row = run(conn, planned.compiled.count(exact=False, at=planned.at)).fetchone()
        return "estimated", estimate_of(row)


Plans = Callable[[Caller, Ask, Decided, datetime, Settled], Plan]


def fetch(conn: Connection, planned: Plan) -> Fetched:
    """Run a page's statement."""
    with conn.cursor() as cursor:
        cursor.execute(planned.statement.text.encode(), planned.statement.parameters)
        typed = cursor.fetchall() if planned.form == "typed" else None
        raw = cursor.pgresult
        assert raw is not None  # noqa: S101 - it was just executed
        return fetched_of(raw, typed, planned.compiled, planned.form, planned.limit)


def run(conn: Connection, statement: Statement) -> Any:  # noqa: ANN401 - a cursor
    """Run a statement."""
    return conn.cursor().execute(statement.text.encode(), statement.parameters)


def estimate_of(row: tuple[Any, ...] | None) -> int:
    """The rows PostgreSQL's planner expects, from EXPLAIN's JSON."""
    return 0 if row is None else max(0, int(row[0][0]["Plan"]["Plan Rows"]))
