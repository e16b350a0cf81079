"""What stands between a page and its answer: quota, leaf and trail; and what a refusal leaves behind."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog.caller import Caller
from catalog.explanation import RULES, nearest_change, step_sentence
from hub.ledger.leaf import Leaf
from hub.ledger.standing import STALE_MINUTES, require_live
from hub.ledger.writer import LeafWriter
from hub.release.cursor import Cursors
from hub.release.errors import QuotaUsedUp, RecordAbsent, ReleaseRefused
from hub.release.gate import Decided
from hub.release.page import (
    Answer,
    Ask,
    Headers,
    Page,
    body_bytes,
    etag_of,
    following_of,
    instant_text,
    leaf_of,
    matches,
)
from hub.release.quota import Amounts, Quotas, rate_headers, subject_of
from hub.release.refusals import Refusals
from hub.release.trail_store import Trail

LIVE_SECONDS: Final = 1.0  # how long the ledger is taken to stand as it was seen
VARY: Final = "accept, authorization, hub-purpose, hub-grant"


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer that waits for its leaf.

    Args:
        leaf: to be written.
        trail: beside it.
        answer: to be given once both are durable.
        absent: whether the record asked for is not there.
    """

    leaf: Leaf
    trail: Trail
    answer: Answer
    absent: bool

    def outcome(self, id_: str) -> Answer:
        """The answer, once the leaf of this id is durable.

        Raises:
            RecordAbsent: there is none.
        """
        if self.absent:
            raise RecordAbsent(dataset=self.trail.dataset, decision=id_)
        self.answer.headers.append(("hub-decision", id_))
        return self.answer


class Settlement:
    """Quotas, leaves and refusals of one process. Threads may share it."""

    def __init__(
        self,
        writer: LeafWriter,
        quotas: Quotas,
        refusals: Refusals,
        cursors: Cursors,
        *,
        stale_minutes: int = STALE_MINUTES,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._quotas = quotas
        self._refusals = refusals
        self._cursors = cursors
        self._stale_minutes = stale_minutes
        self._ticks = ticks
        self._live_at = float("-inf")

    def admit(self, conn: Connection, caller: Caller, ask: Ask, decided: Decided, now: datetime) -> None:
        """Refuse what the decision denies, what the ledger cannot record, and what is over its quota already.

        Raises:
            ReleaseRefused, LedgerStale, QuotaUsedUp: after the refusal has its leaf.
        """
        if not decided.decision.allowed:
            raise self._refusal(caller, decided, now)
        if not self.is_live(decided):
            self.look(conn, now)
        subject = subject_of(caller, decided.decision)
        if not self._quotas.known(subject, decided.decision.quota, now):
            self._quotas.tell(conn, now, subject)
        with self._summed(caller, ask, now):
            self._quotas.check(subject, decided.decision.quota, (1, 0, 0), now)

    def look(self, conn: Connection, now: datetime) -> None:
        """See whether the ledger is sealed.

        Raises:
            LedgerStale: not for too long.
        """
        seen_at = self._ticks()
        require_live(conn, now, self._stale_minutes)
        self._live_at = seen_at

    def is_ready_for(self, caller: Caller, decided: Decided, now: datetime) -> bool:
        """Whether ``admit`` would look at nothing in the store."""
        decision = decided.decision
        return self.is_live(decided) and self._quotas.known(subject_of(caller, decision), decision.quota, now)

    def is_live(self, decided: Decided) -> bool:
        """Whether the ledger was lately seen to be sealed; what everyone may have does not depend on it."""
        return decided.decision.way == "tier" or self._ticks() - self._live_at < LIVE_SECONDS

    def settle(self, page: Page, ask: Ask, action: str) -> Answer:
        """Count, write the leaf, and answer.

        Raises:
            QuotaUsedUp: less is left than the page holds; nothing is given.
            RecordAbsent: after its leaf is durable.
        """
        ready = self.ready(page, ask, action)
        return ready.outcome(self._writer.write(ready.leaf, ready.trail))

    def ready(self, page: Page, ask: Ask, action: str) -> Ready:
        """The answer of a page, counted, with the leaf it waits for."""
        absent = ask.single and not page.fetched.records
        following = None if ask.single else following_of(page, ask, self._cursors)
        body = b"" if absent else body_bytes(page, ask, following)
        etag = etag_of(page, ask)
        unchanged = not absent and matches(ask.if_none_match, etag)
        if unchanged:
            body = b""
        used = self._take(page, ask, (1, 0 if unchanged else len(page.fetched.records), len(body)))
        leaf = page.leaf(action, body, given=not unchanged)
        headers: Headers = [
            ("etag", etag),
            ("hub-instant", instant_text(page.instant)),
            ("vary", VARY),
            ("cache-control", "private, no-cache"),
            *rate_headers(page.decided.decision.quota, used, page.now),
        ]
        if page.count is not None:
            headers.append(("hub-count", f"{page.count[1]};kind={page.count[0]}"))
        if following is not None:
            headers.append(
                ("link", f'<{following}>; rel="next"') if ask.parameters is not None else ("hub-cursor", following)
            )
        if not unchanged:
            headers.append(("content-type", ask.format.content_type))
        answer = Answer(304 if unchanged else 200, headers, body)
        return Ready(leaf, page.trail(), answer, absent)

    def _refusal(self, caller: Caller, decided: Decided, now: datetime) -> ReleaseRefused:
        """What to tell of a decision that denies; an identified caller's has its leaf, the public's are summed."""
        decision = decided.decision
        nearest = nearest_change(decision)
        assert nearest is not None  # noqa: S101 - it was denied
        if caller.identified:
            trail = Trail(
                dataset=decision.dataset,
                caller=caller.id,
                organization=caller.organization,
                allowed=False,
                decision=decided.sm3,
                at=now,
                decided_us=decided.took_us,
            )
            id_ = self._writer.write(leaf_of(caller, decided, "release.refused"), trail)
        else:
            id_ = self._refusals.add(caller.id, decision.dataset, nearest.rule, now)
        advice = RULES[nearest.rule].advice
        return ReleaseRefused(
            decision=id_,
            rule=nearest.rule,
            reason_zh=step_sentence(nearest, "zh"),
            reason_en=step_sentence(nearest, "en"),
            advice_zh=advice[0],
            advice_en=advice[1],
        )

    def _take(self, page: Page, ask: Ask, amounts: Amounts) -> Amounts:
        subject = subject_of(page.caller, page.decided.decision)
        with self._summed(page.caller, ask, page.now):
            return self._quotas.take(subject, page.decided.decision.quota, amounts, page.now)

    def _summed(self, caller: Caller, ask: Ask, now: datetime) -> "_Summed":
        return _Summed(self._refusals, caller, ask.dataset, now)


@dataclass(frozen=True, slots=True)
class _Summed:
    """Inside, a quota used up is counted among the refusals and names the leaf that holds them."""

    refusals: Refusals
    caller: Caller
    dataset: str
    now: datetime

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, QuotaUsedUp):
            decision = self.refusals.add(self.caller.id, self.dataset, f"quota.{error.limit}", self.now)
            raise replace(error, decision=decision) from None
