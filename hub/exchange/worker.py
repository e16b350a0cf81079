"""The worker: reads the exchange topics, checks in a child process, applies in one transaction with the position.

While the store takes one group of batches the child already decodes the next. A group is one large batch or several
small ones. Whatever is killed, and whenever: the position moves with the rows, so the group is either whole in the
store or read again, and read again it meets its receipt.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, OperationalError
from psycopg.errors import DeadlockDetected

from hub.errors import LogUnavailable, PositionLost
from hub.exchange import position
from hub.exchange.apply.batch import Applied, Apply, Work
from hub.exchange.apply.ready import apply_ready, datasets_with_ready
from hub.exchange.decoder import Decoder
from hub.exchange.framing import FramedRun, gathered
from hub.exchange.intake import Admitted, Intake
from hub.exchange.log import Consumer, Message, Span
from hub.exchange.prepared import Prepared
from hub.exchange.receipt import refuse_messages
from hub.observations import (
    BatchRefused,
    BatchRepeated,
    BatchTaken,
    PendingResolved,
    PositionTaken,
    StoreLost,
    observe,
)
from hub.store.errors import StoreError
from schemas.envelope import Envelope

GROUP = "exchange"
GROUP_RECORDS = 10_000  # small batches are gathered until they hold this many records
GROUP_BATCHES_MAX = 64
POLL_MESSAGES_MAX = 10_000  # single records are small
POLL_BYTES_MAX = 16 * 1024 * 1024
TICK_SECONDS = 0.5
PAUSE_SECONDS_MAX = 5.0
LOOK_SECONDS = 1.0  # an idle worker sees within this time that a position was put back
DEADLOCKS_MAX = 4

Stopping = Callable[[], bool]
PartitionKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Finished:
    """What is ready for the store: a batch, or None for what can have no receipt of its own."""

    admitted: Admitted
    work: Work | None
    prepared: Prepared

    @property
    def span(self) -> Span:
        """Where it stands in the log."""
        return self.admitted.span


class Worker:
    """One consumer, one connection, one decoding child. Not shared between threads.

    The connection is in autocommit: every block that opens a transaction then is one, and commits.
    """

    def __init__(
        self, conn: Connection, log_name: str, consumer: Consumer, intake: Intake, decoder: Decoder, apply: Apply
    ) -> None:
        self._conn = conn
        self._log_name = log_name
        self._consumer = consumer
        self._intake = intake
        self._decoder = decoder
        self._apply = apply
        self._waiting: deque[Admitted] = deque()  # polled, not yet with the child
        self._submitted: deque[Admitted] = deque()  # with the child, at most two
        self._positions: dict[PartitionKey, int] = {}
        self._look_at = 0.0
        self._ready = True  # look once at start for records left ready by an earlier worker

    def run(self, stopping: Stopping) -> None:
        """Work until told to stop; a group under way is finished."""
        while not stopping():
            self.turn(TICK_SECONDS)

    def turn(self, timeout_seconds: float) -> int:
        """Poll once and apply all that came; returns how many messages were done."""
        messages = self._consumer.poll(POLL_MESSAGES_MAX, POLL_BYTES_MAX, timeout_seconds)
        try:
            if not messages and self._put_back():
                self._forget()
                return 0
            return self._work_off(messages)
        except PositionLost as lost:
            # Another worker has the partition: what this one read of it is none of its business any more.
            observe(PositionTaken(lost.topic, lost.partition))
            self._forget()
            return 0

    def _put_back(self) -> bool:
        """Whether somebody put a position back for a replay; with nothing new to read, nothing else would tell."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        stored = position.read_all(self._conn, self._log_name, GROUP)
        back = any(stored.get(key, known) < known for key, known in self._positions.items())
        for one in self._consumer.assignment():
            key = (one.topic, one.incarnation, one.partition)
            self._positions.setdefault(key, stored.get(key, 0))
        return back

    def _work_off(self, messages: Sequence[Message]) -> int:
        done = 0
        for one in gathered(self._fresh(messages), self._decoder.limits):
            admit = self._intake.admit_run if isinstance(one, FramedRun) else self._intake.admit
            self._waiting.append(admit(one))  # pyright: ignore[reportArgumentType] - the one goes with the other
        group: list[_Finished] = []
        while self._waiting or self._submitted:
            self._fill_child()
            group.append(self._next_finished())
            self._fill_child()
            last = not (self._waiting or self._submitted)
            if last or _full(group):
                self._commit(group)
                done += sum(finished.span.messages for finished in group)
                group = []
        if not messages or self._ready:
            self._take_ready()
        return done

    def _fresh(self, messages: Sequence[Message]) -> list[Message]:
        """What goes on from the positions this worker counts on; the rest of an at-least-once delivery is passed over.

        Raises:
            PositionLost: between a position and what came lies something else: the position was moved meanwhile.
        """
        following = dict(self._positions)
        fresh: list[Message] = []
        for message in messages:
            key = message.span.place
            if key not in following:
                self._positions[key] = following[key] = position.read(self._conn, self._log_name, *key, GROUP)
            if message.offset > following[key]:
                raise PositionLost(topic=message.topic, partition=message.partition)
            if message.offset == following[key]:
                following[key] += 1
                fresh.append(message)
        return fresh

    def _fill_child(self) -> None:
        while self._waiting and len(self._submitted) < 2:  # noqa: PLR2004 - one being decoded, one behind it
            admitted = self._waiting.popleft()
            if admitted.decodes:
                self._decoder.submit(
                    admitted.contract_source,
                    admitted.envelope_bytes,
                    admitted.container,
                    datetime.now(UTC),
                    admitted.marks,
                )
            self._submitted.append(admitted)

    def _next_finished(self) -> _Finished:
        admitted = self._submitted.popleft()
        prepared = self._decoder.result() if admitted.decodes else Prepared(received=0, refusal=admitted.refusal)
        work = None
        if admitted.envelope is not None:
            work = Work(
                admitted.span,
                admitted.envelope,
                admitted.target,
                prepared,
                admitted.signature,
                of_run=admitted.of_run,
            )
        return _Finished(admitted, work, prepared)

    def _commit(self, group: Sequence[_Finished]) -> None:
        works = [finished.work for finished in group if finished.work is not None]
        self._apply.prepare_staging([work.target for work in works if work.target is not None])
        applied = self._in_one_transaction(group, works)
        for finished in group:
            if finished.work is None:
                observe(_refused(finished.span, finished.prepared.refusal, None))
        for one in applied:
            _tell(one)
        self._ready = self._ready or any(one.ready for one in applied)

    def _in_one_transaction(self, group: Sequence[_Finished], works: Sequence[Work]) -> list[Applied]:
        for _ in range(DEADLOCKS_MAX):
            # Two unique keys met in the wrong order; the loser starts again.
            with contextlib.suppress(DeadlockDetected):
                return self._try_transaction(group, works)
        return self._try_transaction(group, works)

    def _try_transaction(self, group: Sequence[_Finished], works: Sequence[Work]) -> list[Applied]:
        with self._conn.transaction():
            applied = self._apply.apply_group(works)
            for finished in group:
                if finished.work is None:
                    refuse_messages(self._conn, finished.span, finished.admitted.key, finished.prepared.refusal or {})
            moves = self._move_positions(group)
        self._positions.update(moves)
        return applied

    def _move_positions(self, group: Sequence[_Finished]) -> dict[PartitionKey, int]:
        """Move every partition's position past the group, from where this worker knows it to be."""
        moves = {finished.span.place: finished.span.last + 1 for finished in group}
        for key, following in sorted(moves.items()):
            position.advance(self._conn, self._log_name, *key, GROUP, self._positions[key], following)
        return moves

    def _take_ready(self) -> None:
        self._ready = False
        for dataset in datasets_with_ready(self._conn):
            target = self._intake.target(dataset)
            while target is not None:
                with self._conn.transaction():
                    resolved = apply_ready(self._conn, target)
                if not (resolved.taken or resolved.waiting):
                    break
                observe(PendingResolved(dataset, resolved.taken))

    def _forget(self) -> None:
        """Drop what is in hand; the consumer seeks to the stored positions again."""
        self._waiting.clear()
        self._positions.clear()
        for admitted in self._submitted:
            if admitted.decodes:
                self._decoder.result()
        self._submitted.clear()
        self._consumer.rewind()


def _full(group: Sequence[_Finished]) -> bool:
    return len(group) >= GROUP_BATCHES_MAX or sum(finished.prepared.received for finished in group) >= GROUP_RECORDS


def _refused(span: Span, refusal: Mapping[str, Any] | None, envelope: Envelope | None) -> BatchRefused:
    code = str((refusal or {}).get("code", ""))
    named = {} if envelope is None else {"batch": str(envelope.batch), "run": str(envelope.run)}
    return BatchRefused(span.topic, span.partition, span.first, code, **named)


def _tell(applied: Applied) -> None:
    work, envelope, receipt = applied.work, applied.work.envelope, applied.receipt
    if applied.refusal is not None:
        observe(_refused(work.span, applied.refusal, envelope))
    elif receipt is None:
        span = work.span
        observe(BatchRepeated(span.topic, span.partition, span.first, str(envelope.batch), str(envelope.run)))
    else:
        observe(
            BatchTaken(
                receipt.dataset,
                receipt.organization,
                str(receipt.batch),
                str(receipt.run),
                str(receipt.leaf),
                receipt.received,
                receipt.accepted,
                receipt.rejected,
                receipt.pending,
                round(receipt.seconds, 6),
            )
        )


def keep_working(open_worker: Callable[[], contextlib.AbstractContextManager[Worker]], stopping: Stopping) -> None:
    """Run a worker; when the store or the log goes away, open everything anew after a growing pause."""
    pause = 0.1
    while not stopping():
        try:
            with open_worker() as worker:
                pause = 0.1
                worker.run(stopping)
        except (OperationalError, LogUnavailable, StoreError) as error:
            observe(StoreLost(type(error).__name__, pause))
            _sleep(pause, stopping)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)


def _sleep(seconds: float, stopping: Stopping) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopping():
        time.sleep(0.05)
