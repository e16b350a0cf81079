"""A look at what would be sent: the source read, mapped and checked, nothing sent and nothing put away."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from connectors.batch_maker import BatchMaker, MadeChunk
from connectors.config import ConnectorConfig
from connectors.errors import MappingError, RecordTooLarge
from connectors.mapping import FittedMapping, fit
from connectors.port import Item, Source
from connectors.progress import Watcher
from connectors.report import EXAMPLES_SHOWN
from connectors.sources.errors import SourceError
from schemas.contract import Contract
from schemas.errors import HubError
from schemas.reasons import Reason


@dataclass
class Sample:
    """What an item holds, as far as it was read."""

    item: str
    columns: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    rows: int = 0
    bad: int = 0
    batches: int = 0
    bytes: int = 0
    reasons: dict[tuple[str, str, str], int] | None = None
    examples: list[tuple[int, Reason]] | None = None
    error: HubError | None = None

    def to_json(self) -> dict[str, object]:
        """For scripts."""
        return {
            "item": self.item,
            "columns": list(self.columns),
            "ignored": list(self.ignored),
            "not_supplied": list(self.absent),
            "rows": self.rows,
            "bad": self.bad,
            "batches": self.batches,
            "bytes": self.bytes,
            "reasons": [
                {"field": field or None, "code": code, "severity": severity, "rows": rows}
                for (field, code, severity), rows in self.by_rows()
            ],
            "examples": [{"row": row, **reason.to_json()} for row, reason in self.examples or []],
            "error": None if self.error is None else self.error.to_json(),
        }

    def by_rows(self) -> list[tuple[tuple[str, str, str], int]]:
        """Reasons, the commonest first."""
        return sorted((self.reasons or {}).items(), key=lambda pair: -pair[1])

    def add(self, made: MadeChunk) -> None:
        """Count a chunk."""
        self.rows += made.read
        self.bad += made.bad
        self.batches += len(made.batches)
        self.bytes += sum(len(one.container) for one in made.batches)
        self.reasons = self.reasons or {}
        self.examples = self.examples or []
        for found in made.found:
            key = (found.reason.field or "", found.reason.code, found.severity)
            self.reasons[key] = self.reasons.get(key, 0) + len(found.rows)
            room = EXAMPLES_SHOWN - len(self.examples)
            self.examples += [(row, found.reason) for row in found.rows[: max(0, min(room, 3))]]


def samples(
    config: ConnectorConfig, contract: Contract, source: Source, rows_max: int | None, now: datetime, watcher: Watcher
) -> Iterator[Sample]:
    """A sample of each item, as it ends.

    Args:
        config: the connector.
        contract: that records are checked against.
        source: where items come from.
        rows_max: of each item; None reads it to its end.
        now: what the checks take for today.
        watcher: told how far it is.
    """
    for item in source.items():
        sample = Sample(item.name)
        try:
            _read(config, contract, item, rows_max, now, watcher, sample)
        except (MappingError, RecordTooLarge, SourceError) as error:
            sample.error = error
        yield sample


def _read(
    config: ConnectorConfig,
    contract: Contract,
    item: Item,
    rows_max: int | None,
    now: datetime,
    watcher: Watcher,
    sample: Sample,
) -> None:
    maker = BatchMaker(contract, item.operation, config.rejects, config.batch.bytes)
    mapping: FittedMapping | None = None
    records_max = config.batch.records if rows_max is None else min(rows_max, config.batch.records)
    watcher.item(item.name, item.size, 0)
    # Left at any row: the generator must not stay open with its file.
    with closing(item.chunks(None, records_max)) as chunks:  # pyright: ignore[reportArgumentType]  # chunks are generators
        for chunk in chunks:
            if mapping is None:
                sample.columns = tuple(chunk.frame.columns)
                mapping = fit(config.mapping, contract, chunk.frame.columns, item.operation)
                sample.ignored, sample.absent = mapping.ignored, mapping.absent
            made = maker.make(mapping.apply(chunk.frame, chunk.first_row), chunk.first_row, now, chunk.row_numbers)
            sample.add(made)
            watcher.read(chunk.progress)
            watcher.sent(made.read)
            if rows_max is not None and sample.rows >= rows_max:
                return
