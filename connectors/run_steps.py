"""The values a run is made of: how it starts, an envelope, what a chunk adds to the state."""

from datetime import datetime

from connectors.batch_maker import Made, MadeChunk
from connectors.client import Standing
from connectors.config import ConnectorConfig
from connectors.port import Item
from connectors.state import Advance, Finding, Run
from schemas.batch import sm3_hex, uuid7
from schemas.envelope import VERSION, Envelope, KeyList


def started(item: Item, cut_at: datetime, contract: int, after: str | None) -> Run:
    """A run that begins to read an item."""
    return Run(
        id=uuid7(cut_at),
        item=item.name,
        identity=item.identity,
        operation=item.operation,
        cut_at=cut_at,
        contract=contract,
        position=after,
        records=0,
        parts=0,
        rows_read=0,
        rows_bad=0,
        seconds=0.0,
        complete=False,
        status="open",
        summary=None,
    )


def envelope_of(
    standing: Standing,
    config: ConnectorConfig,
    run: Run,
    now: datetime,
    made: Made,
    before: tuple[int, int],
    *,
    confirm: bool,
    total: int | None = None,
) -> Envelope:
    """A batch's envelope.

    Args:
        standing: who and where.
        config: names another sender, under a mandate.
        run: as it stands before the chunk.
        now: for the batch's id.
        made: the container.
        before: batches and records of the same chunk before this one.
        confirm: of a key list.
        total: of a key list's last part.
    """
    parts, records = before
    keys = KeyList(run.parts + parts + 1, total, confirm) if run.operation == "keys" else None
    return Envelope(
        v=VERSION,
        hub=standing.hub,
        dataset=standing.dataset,
        contract=run.contract,
        organization=standing.organization,
        sender=config.sender or standing.organization,
        batch=uuid7(now),
        run=run.id,
        cut_at=run.cut_at,
        operation=run.operation,
        records=made.records,
        first_row=run.records + records,
        bytes=len(made.container),
        sm3=sm3_hex(made.container),
        keys=keys,
    )


def advance_of(position: str | None, made: MadeChunk, room: int) -> Advance:
    """What a chunk adds to the state; of the rows that were found bad the first ones, as far as there is room."""
    findings = [
        Finding(one.reason.code, one.reason.field or "", one.severity, one.reason.to_json(), len(one.rows))
        for one in made.found
    ]
    examples = sorted(
        ({"row": row, **one.reason.to_json()} for one in made.found for row in one.rows[: max(room, 0)]),
        key=lambda example: int(str(example["row"])),
    )
    return Advance(position, made.read, made.bad, findings, examples[: max(room, 0)])
