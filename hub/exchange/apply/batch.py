"""Apply: prepared batches into the store, in the transaction that also moves the position in the log.

For each batch: receipt first (its unique key is the dedup) → COPY into staging → locks → erasures → references →
merge → conflicts → quarantine → receipt's counts → its leaf. The caller opens the transaction, moves the positions and
commits.
"""

import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Connection, DataError, IntegrityError, sql
from psycopg.errors import ProgramLimitExceeded

from hub.exchange import quarantine
from hub.exchange.apply import keys, references
from hub.exchange.apply.conflict import Outcome, settle_conflicts
from hub.exchange.apply.erased import take_out_erased, without_erased
from hub.exchange.apply.locks import enter_horizon, lock_datasets
from hub.exchange.apply.merge import merge
from hub.exchange.apply.refused_row import refused_row
from hub.exchange.apply.staging import clock, copy_rows, empty_staging, ensure_staging, split_rows
from hub.exchange.apply.target import Target
from hub.exchange.log import Span
from hub.exchange.prepared import Prepared, Rejected
from hub.exchange.receipt import Receipt, Tally, close_receipt, open_receipt, read_receipt, refuse_messages
from hub.exchange.receipt_leaf import leaf_of
from hub.exchange.signature_store import keep_signature
from hub.ledger import leaf_store
from hub.ledger.leaf import Recorded, record
from schemas.batch import uuid7
from schemas.envelope import Envelope
from schemas.errors import BatchIdReused
from schemas.signature import SignatureSlot

# Of the connection that applies. Staging is never analysed, so the planner must be kept from what it would guess wrong:
# each staged row finds its record by the key's index. The batch stays in memory.
SESSION_SETTINGS: Final[Mapping[str, str]] = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "jit": "off",
    "temp_buffers": "32MB",
    "synchronous_commit": "on",
}


@dataclass(frozen=True, slots=True)
class Work:
    """One batch on its way into the store."""

    span: Span
    envelope: Envelope
    target: Target | None  # None where the batch is refused before its dataset is known
    prepared: Prepared
    signature: SignatureSlot | None = None  # verified
    of_run: bool = False  # made by the hub, of single records


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of it.

    Args:
        work: the batch.
        receipt: that it has now; None where it had one already, or its id stands for another.
        refusal: why it was refused whole.
        ready: records whose wait for it is over.
    """

    work: Work
    receipt: Receipt | None
    refusal: Mapping[str, Any] | None = None
    ready: int = 0


class Apply:
    """Applies groups of batches over one long-lived connection; remembers which datasets have their staging table."""

    def __init__(self, conn: Connection, *, close_share_max: float, erasure_key: bytes) -> None:
        self._conn = conn
        self._close_share_max = close_share_max
        self._erasure_key = erasure_key
        self._staged: set[tuple[str, int]] = set()
        self._origin = ""

    def prepare_staging(self, targets: Sequence[Target]) -> None:
        """Create missing staging tables, outside the batch's transaction."""
        for target in targets:
            if (target.dataset, target.contract.version) not in self._staged:
                with self._conn.transaction():
                    ensure_staging(self._conn, target)
                self._staged.add((target.dataset, target.contract.version))

    def apply_group(self, works: Sequence[Work]) -> list[Applied]:
        """Apply batches in the transaction the caller opened."""
        enter_horizon(self._conn)
        taken = clock(self._conn)
        targets = {work.target.dataset: work.target for work in works if work.target is not None}
        parents = {
            references.parent_dataset(target, reference)
            for target in targets.values()
            for reference in target.contract.references
        }
        group = _Group(
            self._conn,
            taken,
            tuple(targets),
            tuple(parents),
            self._close_share_max,
            self._erasure_key,
            self._ledger(),
        )
        applied = [group.apply(work) for work in works]
        leaf_store.insert(self._conn, group.leaves)
        return applied

    def _ledger(self) -> str:
        self._origin = self._origin or leaf_store.read_origin(self._conn)
        return self._origin


@dataclass(slots=True)
class _Group:
    """One transaction's batches."""

    conn: Connection
    taken: datetime
    datasets: tuple[str, ...]
    parents: tuple[str, ...]
    close_share_max: float
    erasure_key: bytes
    origin: str
    leaves: list[Recorded] = field(default_factory=list[Recorded])
    dirty_staging: bool = False

    def apply(self, work: Work) -> Applied:
        started = time.perf_counter()
        receipt = open_receipt(self.conn, work.envelope, work.span, self.taken, of_run=work.of_run)
        if receipt is None:
            return self._repeated(work)
        tally = Tally(received=work.prepared.received, flags=work.prepared.flags, refusal=work.prepared.refusal)
        ready = 0
        if tally.refusal is not None or work.target is None:
            tally.rejected = tally.received = work.envelope.records
        else:
            ready = self._take(work, work.target, receipt, tally)
        _keep_counts(self.conn, work.envelope.dataset, tally, self.taken)
        leaf = uuid7(self.taken)
        closed = close_receipt(self.conn, receipt, tally, time.perf_counter() - started, leaf)
        self.leaves.append(record(leaf_of(closed, work.envelope.bytes), self.origin, self.taken, leaf))
        if work.signature is not None:
            keep_signature(self.conn, work.envelope, work.signature)
        return Applied(work, closed, closed.refusal, ready)

    def _repeated(self, work: Work) -> Applied:
        """The batch id is known: the same bytes were taken before, other bytes are refused."""
        known = read_receipt(self.conn, work.envelope.organization, UUID(str(work.envelope.batch)))
        if known is not None and known.sm3 == work.envelope.sm3:
            return Applied(work, None)
        refusal = BatchIdReused(batch=str(work.envelope.batch)).to_json()
        refuse_messages(self.conn, work.span, str(work.envelope.batch), refusal)
        return Applied(work, None, refusal)

    def _take(self, work: Work, target: Target, receipt: int, tally: Tally) -> int:
        prepared = work.prepared
        rejected = [(receipt, entry) for entry in prepared.rejected]
        tally.accepted_superseded += prepared.superseded
        tally.accepted_unchanged += prepared.unchanged
        ready = 0
        quarantine.close_replayed(self.conn, work.envelope.organization, str(work.envelope.batch), self.taken)
        if work.envelope.operation == "keys":
            lock_datasets(self.conn, self.datasets, self.parents)
            tally.accepted_unchanged += len(prepared.keys)
            tally.closed, tally.refusal = keys.take_part(
                self.conn, target, work.envelope, prepared.keys, self.taken, receipt, self.close_share_max
            )
        elif prepared.rows:
            rejected += self._store(work, target, receipt, prepared.copy, tally)
            if quarantine.has_open(self.conn, target.dataset):
                delete = work.envelope.operation == "delete"
                quarantine.close_overtaken(self.conn, target, self.taken, receipts=None, delete=delete)
            if work.envelope.operation == "upsert":
                ready = references.end_waits(self.conn, target)
        if rejected:
            rejected = self._not_erased(target, rejected, tally)
        if rejected:
            quarantine.put(self.conn, target, work.envelope.organization, rejected, self.taken)
            receipts = sorted({owner for owner, _ in rejected})
            quarantine.close_overtaken(self.conn, target, self.taken, receipts=receipts)
        for owner, entry in rejected:
            if owner == receipt:
                tally.rejected += 1
                for code in entry.codes.split(","):
                    tally.reasons[code] = tally.reasons.get(code, 0) + 1
        return ready

    def _not_erased(
        self, target: Target, rejected: list[tuple[int, Rejected]], tally: Tally
    ) -> list[tuple[int, Rejected]]:
        lock_datasets(self.conn, self.datasets, self.parents)  # nothing was merged where every record is bad
        kept = without_erased(self.conn, target.dataset, self.erasure_key, rejected)
        tally.accepted_superseded += len(rejected) - len(kept)
        return kept

    def _store(self, work: Work, target: Target, receipt: int, rows: bytes, tally: Tally) -> list[tuple[int, Rejected]]:
        """Stage and merge rows; a database error bisects down to the record that causes it."""
        if self.dirty_staging:
            empty_staging(self.conn, target)
        self.dirty_staging = True
        counted = Tally()
        try:
            with self.conn.transaction():
                losers = self._stage_and_merge(work, target, receipt, rows, counted)
        except (DataError, IntegrityError, ProgramLimitExceeded) as error:
            first, second = split_rows(rows)
            if not second:
                return [(receipt, refused_row(target, work.prepared.columns, rows, error))]
            halves = (first, second)
            return [entry for half in halves for entry in self._store(work, target, receipt, half, tally)]
        _add(tally, counted)
        return losers

    def _stage_and_merge(
        self, work: Work, target: Target, receipt: int, rows: bytes, tally: Tally
    ) -> list[tuple[int, Rejected]]:
        delete = work.envelope.operation == "delete"
        copy_rows(self.conn, target, work.prepared.columns, rows)
        lock_datasets(self.conn, self.datasets, self.parents)
        taken_out = take_out_erased(self.conn, target, self.erasure_key, delete=delete)
        tally.accepted_superseded += taken_out.superseded
        tally.accepted_deleted += taken_out.deleted
        if not delete and target.contract.references:
            self._pend(work, target, receipt, tally)
        counts = merge(self.conn, target, delete=delete, taken=self.taken, receipt=receipt)
        outcome = Outcome(0, 0, ())
        if counts["conflict"]:
            outcome = settle_conflicts(self.conn, target, taken=self.taken, receipt=receipt)
        _count(self.conn, target.dataset, counts, outcome, tally, delete=delete)
        return [(loser.receipt, loser.entry) for loser in outcome.losers]

    def _pend(self, work: Work, target: Target, receipt: int, tally: Tally) -> None:
        waiting = references.take_out_pending(self.conn, target)
        fresh = quarantine.not_pending(self.conn, target.dataset, [one.entry for one in waiting])
        for one in waiting:
            if one.entry.digest not in fresh:
                continue  # sent again as it was: it waits already
            organization = work.envelope.organization
            entry = quarantine.put_pending(self.conn, target, organization, receipt, one.entry, self.taken)
            quarantine.wait_for(self.conn, entry, one.parents)
        tally.pending += len(waiting)


def _add(tally: Tally, counted: Tally) -> None:
    tally.accepted_new += counted.accepted_new
    tally.accepted_changed += counted.accepted_changed
    tally.accepted_unchanged += counted.accepted_unchanged
    tally.accepted_superseded += counted.accepted_superseded
    tally.accepted_deleted += counted.accepted_deleted
    tally.pending += counted.pending


def _count(
    conn: Connection, dataset: str, counts: MutableMapping[str, int], outcome: Outcome, tally: Tally, *, delete: bool
) -> None:
    """Turn kinds into the receipt's counts and keep the dataset's."""
    new = counts["new"]
    overwritten = counts["changed"] + counts["revived"]
    if delete:
        tally.accepted_deleted += new + counts["deleted"]
    else:
        tally.accepted_new += new
    tally.accepted_changed += overwritten + outcome.newcomers_won
    tally.accepted_unchanged += counts["touched"] + counts["same"]
    tally.accepted_superseded += counts["superseded"]
    records = (0 if delete else new) + counts["revived"] - counts["deleted"]
    tombstones = (new if delete else 0) + counts["deleted"] - counts["revived"]
    history = overwritten + counts["deleted"] + outcome.newcomers_won
    if records or tombstones or history:
        conn.execute(
            "UPDATE dataset_statistics SET records = records + %s, tombstones = tombstones + %s, history = history + %s"
            " WHERE dataset = %s",
            [records, tombstones, history, dataset],
        )


def _keep_counts(conn: Connection, dataset: str, tally: Tally, taken: datetime) -> None:
    conn.execute(
        sql.SQL(
            "UPDATE dataset_statistics SET batches = batches + 1, received = received + %s, rejected = rejected + %s,"
            " last_taken_at = greatest(last_taken_at, %s) WHERE dataset = %s"
        ),
        [tally.received, tally.rejected, taken, dataset],
    )
