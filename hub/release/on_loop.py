"""The way out on the event loop: the short cut of requests that meet nothing new.

It takes a request only where nothing has to be read but records: the caller and the decision are remembered, the quota
is known, the ledger was lately sealed, and what is asked for is not in columns, nor of a moment that may still change.
Everything else, refusals included, is for ``release``, and so is a decision that turns out to be overtaken: nothing was
given out. The steps are the same ones; only who waits for the store differs.
"""

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from psycopg import OperationalError

from catalog.caller import Caller
from catalog.condition_errors import ConditionWrong
from hub.ledger.writer import LeafWriter
from hub.release.errors import ReleaseError
from hub.release.lines import Lines
from hub.release.page import Answer, Ask, fetched_of
from hub.release.plan import Plan
from hub.release.release import Release, estimate_of

# What the planner expects of a whole dataset changes when the store looks at its tables anew, which takes a minute.
ESTIMATE_TERM: Final = timedelta(seconds=10)
_ESTIMATE: Final = "estimate"
_RAW_FORMS: Final = frozenset({"json", "feature", "text"})


class _OffTheLoop(Exception):
    """Something has to be read that only a thread may wait for."""


class ReleaseOnLoop:
    """Answers what it can. For one loop."""

    def __init__(self, release: Release, lines: Lines, writer: LeafWriter) -> None:
        self._release = release
        self._lines = lines
        self._writer = writer

    async def answer(self, caller: Caller, ask: Ask, reference: str | None, now: datetime) -> Answer | None:
        """A page, or with a reference one record; None where it is for ``release`` to answer.

        Raises:
            RecordAbsent, QuotaUsedUp, LedgerBusy, LedgerUnavailable, OperationalError: as ``release``.
        """
        planned = self._planned(caller, ask, reference, now)
        if planned is None:
            return None
        form, limit = planned.form, planned.limit
        raw = await self._lines.run(planned.statement)
        fetched = fetched_of(raw, None, planned.compiled, form, limit)
        if fetched.epoch != planned.decided.epoch:
            return None
        page = planned.page(fetched, await self._count(planned, ask))
        ready = self._release.settlement.ready(page, ask, "release.page" if reference is None else "release.record")
        return ready.outcome(await self._writer.awrite(ready.leaf, ready.trail))

    def _planned(self, caller: Caller, ask: Ask, reference: str | None, now: datetime) -> Plan | None:
        release = self._release
        decided = release.gate.remembered(caller, ask.dataset, ask.asked, now)
        if decided is None or not self._lines.ready or ask.format.form not in _RAW_FORMS:
            return None
        if not release.settlement.is_ready_for(caller, decided, now):
            return None
        plan = release.planner.plan
        if reference is not None:
            plan = partial(release.planner.plan_record, reference=reference)
        try:
            return plan(caller, ask, decided, now, self._settled)
        except (ReleaseError, ConditionWrong, _OffTheLoop):
            return None

    def _settled(self, asked: datetime) -> datetime:
        if asked > self._release.settled_until:
            raise _OffTheLoop
        return asked

    async def _count(self, planned: Plan, ask: Ask) -> tuple[str, int] | None:
        if ask.single or ask.wanted.count == "none":
            return None
        exact = ask.wanted.count == "exact"
        if not exact and planned.count is not None:
            return "estimated", planned.count
        memory, query = planned.decided.memory, planned.compiled.query
        of_all = not exact and query.condition is None and query.box is None and planned.at is None
        known: tuple[datetime, int] | None = memory.get(_ESTIMATE) if of_all else None
        if known is not None and planned.now - known[0] < ESTIMATE_TERM:
            return "estimated", known[1]
        raw = await self._lines.run(planned.compiled.count(exact=exact, at=planned.at))
        value = raw.get_value(0, 0)
        if value is None:
            raise OperationalError("a count without a row")
        if exact:
            return "exact", int(value)
        estimate = estimate_of((json.loads(value),))
        if of_all:
            memory[_ESTIMATE] = (planned.now, estimate)
        return "estimated", estimate
