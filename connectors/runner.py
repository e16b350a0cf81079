"""A run: what lies in the outbox first, then every item of the source, each exactly once.

```
item → chunk → map · cast · check · encode → outbox, then state → hub → state → receipts → report → put away
```

A connector may die at any arrow. What was made lies in the outbox under its id and is sent again as it is; what was not
made is read again from the position behind the last batch. No records ever get a second id in one run.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.batch_maker import BatchMaker, MadeChunk
from connectors.client import Door, Patience, Standing
from connectors.config import ConnectorConfig
from connectors.errors import BatchRefused, Interrupted, MappingError, RecordTooLarge, SpoolDamaged
from connectors.mapping import FittedMapping, fit
from connectors.outbox import Outbox
from connectors.port import Item, Source
from connectors.progress import Watcher
from connectors.receipts import await_receipts
from connectors.report import Outcome, Report
from connectors.run_steps import advance_of, envelope_of, started
from connectors.sender import Sender
from connectors.sources.errors import SourceError
from connectors.state import FINDINGS_MAX, Advance, Run, State
from schemas.contract import Contract
from schemas.envelope import parse_envelope
from schemas.errors import HubError

# These fail the item they are about, and leave the others alone.
ITEM_FAILURES: Final = (MappingError, RecordTooLarge, SourceError, BatchRefused)


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a run needs.

    Args:
        config: the connector.
        standing: of its dataset, from the hub.
        contract_of: the contract in a version; runs that were begun keep theirs.
        source: where items come from.
        state: what must not be forgotten.
        outbox: batches that are made.
        door: the hub.
        patience: how requests are repeated.
        watcher: told how far it is.
        clock: aware time.
        receipt_seconds_max: how long to wait after the last receipt that came.
        confirm_keys: a key list may close much.
    """

    config: ConnectorConfig
    standing: Standing
    contract_of: Callable[[int], Contract]
    source: Source
    state: State
    outbox: Outbox
    door: Door
    patience: Patience
    watcher: Watcher
    clock: Callable[[], datetime]
    receipt_seconds_max: float = 120.0
    confirm_keys: bool = False


def run_once(job: Job) -> Iterator[Report]:
    """Work on everything the source has now; a report for each item as it ends.

    Raises:
        HubUnreachable, AccessRefused: the run stops; nothing is lost.
        Interrupted: it was told to; nothing is lost.
        SourceError: the source as a whole cannot be reached.
    """
    job.state.bind(job.standing.dataset, job.standing.hub)
    job.outbox.keep_only(set(job.state.waiting()))
    config = job.config
    with Sender(
        job.door, config.dataset, job.patience, job.state, job.outbox, config.batch.in_flight, job.watcher.sent
    ) as sender:
        _resend(job, sender)
        seen: set[str] = set()
        for item in job.source.items():
            report = _work_on(job, sender, item, seen)
            if report.worth_telling:
                yield report
            if job.patience.stopping.is_set():
                raise Interrupted(len(job.state.waiting()))
        yield from _close_vanished(job, seen)


def _resend(job: Job, sender: Sender) -> None:
    """Send what an earlier process left in the outbox, the same bytes under the same ids."""
    waiting = job.state.waiting()
    if waiting:
        job.watcher.note(
            f"发件箱中有 {len(waiting)} 个未确认的批次,先行重发。",
            f"{len(waiting)} batches in the outbox are not acknowledged; they are sent again first.",
        )
    try:
        for batch in waiting:
            try:
                envelope, container = job.outbox.get(batch)
            except SpoolDamaged as damaged:
                job.state.settle(batch, "refused", {"status": "refused", "refusal": damaged.to_json()})
                job.watcher.note(damaged.sentence("zh"), damaged.sentence("en"))
                continue
            sender.send(batch, envelope, container, parse_envelope(envelope).records)
        sender.drain()
    except BatchRefused:
        # Its run knows, and fails when its item's turn comes; the others go on.
        _drain_rest(sender)
        _resend(job, sender)


def _work_on(job: Job, sender: Sender, item: Item, seen: set[str]) -> Report:
    began = time.perf_counter()
    run = _run_of(job, item)
    seen.add(run.id)
    outcome: Outcome = "done"
    error: HubError | None = None
    try:
        # A run with a batch that was refused has failed, whenever that was.
        if not run.complete and not job.state.has_refused(run.id):
            _read(job, sender, item, run)
        sender.drain()
    except ITEM_FAILURES as failure:
        error = failure
        outcome = "later" if isinstance(failure, SourceError) and failure.retryable else "failed"
        _drain_rest(sender)
    report = _report(job, run, outcome, error, began)
    if report.outcome != "later":
        item.finish("done" if report.outcome == "done" else "failed", report.to_text())
    if report.outcome == "later":
        return report  # the run stays open: the next look goes on where this one stopped, if the item is the same
    if report.worth_telling:
        job.state.end(report.run, report.outcome, _brief(report))
    else:
        job.state.forget(report.run)
    return report


def _drain_rest(sender: Sender) -> None:
    """The batches before the failure are good: wait for them."""
    try:
        sender.drain()
    except BatchRefused:
        _drain_rest(sender)


def _run_of(job: Job, item: Item) -> Run:
    """The run that was begun on this very item, else a new one."""
    for run in job.state.open_runs():
        if (run.item, run.operation) != (item.name, item.operation):
            continue
        if run.identity == item.identity:
            return run
        job.state.end(run, "abandoned", {"outcome": "replaced"})
    # A key list is complete or nothing: each run begins it anew.
    after = None if item.operation == "keys" else job.state.position(item.name, item.identity, item.operation)
    run = started(item, item.cut_at or job.state.cut_at(job.clock()), job.standing.contract_version, after)
    job.state.begin(run)
    return run


def _read(job: Job, sender: Sender, item: Item, run: Run) -> None:
    """Read, make and send the item from where the run stands."""
    contract = job.contract_of(run.contract)
    config = job.config
    maker = BatchMaker(contract, item.operation, config.rejects, config.batch.bytes)
    mapping: FittedMapping | None = None
    room = FINDINGS_MAX - job.state.examples_kept(run.id)
    job.watcher.item(item.name, item.size, 0)
    for chunk in item.chunks(run.position, config.batch.records):
        if mapping is None:
            mapping = fit(config.mapping, contract, chunk.frame.columns, item.operation)
        mapped = mapping.apply(chunk.frame, chunk.first_row)
        made = maker.make(mapped, chunk.first_row, job.clock(), chunk.row_numbers)
        step = advance_of(chunk.position, made, room)
        room -= len(step.examples)
        _spool_and_send(job, sender, run, step, made)
        job.watcher.read(chunk.progress)
        if job.patience.stopping.is_set():
            sender.drain()
            raise Interrupted(len(job.state.waiting()))
        run = job.state.run(run.id)
    if item.operation == "keys":
        _close_key_list(job, sender, run, maker)
    else:
        job.state.complete(run.id)


def _spool_and_send(job: Job, sender: Sender, run: Run, step: Advance, made: MadeChunk) -> None:
    envelopes = [
        envelope_of(job.standing, job.config, run, job.clock(), batch, before, confirm=job.confirm_keys)
        for batch, before in made.numbered()
    ]
    for envelope, batch in zip(envelopes, made.batches, strict=True):
        job.outbox.put(envelope, batch.container)
    job.outbox.settle()
    job.state.advance(run.id, step, envelopes)
    for envelope, batch in zip(envelopes, made.batches, strict=True):
        sender.send(envelope.batch, envelope.to_bytes(), batch.container, batch.records)


def _close_key_list(job: Job, sender: Sender, run: Run, maker: BatchMaker) -> None:
    """The last part names the total; it is empty, so that nobody must know beforehand which part is the last."""
    closing = maker.closing_part()
    envelope = envelope_of(
        job.standing, job.config, run, job.clock(), closing, (0, 0), confirm=job.confirm_keys, total=run.records
    )
    job.outbox.put(envelope, closing.container)
    job.outbox.settle()
    # Together with it the run is complete: a second closing part would be a part too many.
    job.state.advance(run.id, Advance(None, 0, 0, (), ()), [envelope], complete=True)
    sender.send(envelope.batch, envelope.to_bytes(), closing.container, 0)


def _report(job: Job, run: Run, outcome: Outcome, error: HubError | None, began: float) -> Report:
    receipts = await_receipts(job.door, job.patience, job.state, run.id, job.receipt_seconds_max, job.watcher.waiting)
    job.state.spend(run.id, time.perf_counter() - began)
    if outcome == "done" and any(one.get("status") == "refused" for one in receipts):
        outcome = "failed"
    return Report(
        run=job.state.run(run.id),
        dataset=job.config.dataset,
        outcome=outcome,
        error=error,
        batches=len(job.state.batches(run.id)),
        receipts=receipts,
        findings=job.state.findings(run.id),
        examples=job.state.examples(run.id),
        held=job.config.rejects == "hold",
    )


def _close_vanished(job: Job, seen: set[str]) -> Iterator[Report]:
    """Runs whose item is gone: put away just before the connector died, or taken away by somebody."""
    for run in job.state.open_runs():
        if run.id in seen:
            continue
        report = _report(job, run, "done" if run.complete else "later", None, time.perf_counter())
        if not run.complete:
            job.watcher.note(
                f"{run.item} 在读完之前被取走;已报送的批次有效。",
                f"{run.item} was taken away before it was read to its end; what was sent stands.",
            )
        job.state.end(run, "done" if report.outcome == "done" else "abandoned", _brief(report))
        yield report


def _brief(report: Report) -> dict[str, object]:
    """What ``connector status`` shows of a run that ended."""
    full = report.to_json()
    return {name: full[name] for name in ("outcome", "error", "rows", "batches", "receipts", "reasons", "seconds")}
