"""A chunk of a source becomes batches: cast, checked, encoded, and cut where a batch would be too large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from connectors.errors import RecordTooLarge
from schemas.cast import cast_column
from schemas.checks import Violation, check_frame
from schemas.contract import Contract
from schemas.envelope import Operation
from schemas.frame import encode, polars_type
from schemas.reasons import Reason
from schemas.writer_schema import operation_fields

Rejects = Literal["send", "hold"]


@dataclass(frozen=True, slots=True)
class Made:
    """A container file and how many records it holds."""

    container: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Found:
    """A reason to reject, and the rows it was found in; of a flag too."""

    reason: Reason
    severity: Literal["reject", "flag"]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MadeChunk:
    """What became of a chunk.

    Args:
        batches: what is to be sent, in order.
        found: what the checks found.
        read: rows of the chunk.
        bad: rows with at least one reason to reject.
    """

    batches: tuple[Made, ...]
    found: tuple[Found, ...]
    read: int
    bad: int

    def numbered(self) -> Iterator[tuple[Made, tuple[int, int]]]:
        """Each batch with how many batches and records of the chunk stand before it."""
        parts = records = 0
        for made in self.batches:
            yield made, (parts, records)
            parts, records = parts + 1, records + made.records


@dataclass(frozen=True, slots=True)
class BatchMaker:
    """How one item's chunks become batches.

    Args:
        contract: of the dataset.
        operation: of the item.
        rejects: whether bad records are sent, for the hub's quarantine, or held back.
        bytes_max: of one container file.
    """

    contract: Contract
    operation: Operation
    rejects: Rejects
    bytes_max: int

    def make(self, mapped: pl.DataFrame, first_row: int, now: datetime, numbers: pl.Series | None = None) -> MadeChunk:
        """Batches of a mapped frame.

        Args:
            mapped: columns named as fields, text or typed.
            first_row: number of the first row, for the report.
            now: what the checks take for today.
            numbers: of every row, where they do not count on from the first.

        Raises:
            RecordTooLarge: one record alone is over ``bytes_max``.
        """
        typed, unreadable, texts = self._cast(mapped)
        violations = unreadable + self._check(typed, now)
        bad = _any_failed(violations)
        wire = _with_texts(typed, texts)
        if bad is not None and self.rejects == "hold":
            good = ~bad
            # Whatever could not be read is among the bad: the rest has its types.
            wire = typed.filter(good)
        batches = tuple(self._cut(wire, first_row))
        found = tuple(_found(violation, first_row, numbers) for violation in violations)
        return MadeChunk(batches, found, mapped.height, 0 if bad is None else int(bad.sum()))

    def closing_part(self) -> Made:
        """The last part of a key list: no keys, only their number."""
        names = operation_fields(self.contract, self.operation)
        empty = pl.DataFrame([pl.Series(name, [], polars_type(self.contract.field(name).type)) for name in names])
        return Made(encode(self.contract, empty, self.operation), 0)

    def _cast(self, mapped: pl.DataFrame) -> tuple[pl.DataFrame, list[Violation], dict[str, pl.Series]]:
        """Every column typed; what could not be read, as violations and as the texts to be sent instead."""
        columns: list[pl.Series] = []
        violations: list[Violation] = []
        texts: dict[str, pl.Series] = {}
        for column in mapped.get_columns():
            field = self.contract.field(column.name)
            if column.dtype == polars_type(field.type):
                columns.append(column)
                continue
            typed, failed = cast_column(field, column)
            columns.append(typed)
            if failed is not None:
                violations.append(
                    Violation(Reason("type", field.name, {"expected": field.type.kind}), "reject", failed)
                )
                texts[field.name] = column
        return pl.DataFrame(columns), violations, texts

    def _check(self, typed: pl.DataFrame, now: datetime) -> list[Violation]:
        # Of a deletion or a key list only the key is there, and the hub looks at nothing else either.
        if self.operation != "upsert":
            return []
        missing = [
            pl.lit(None, dtype=polars_type(field.type)).alias(field.name)
            for field in self.contract.fields
            if field.name not in typed.columns
        ]
        return check_frame(self.contract, typed.with_columns(missing) if missing else typed, now=now)

    def _cut(self, wire: pl.DataFrame, first_row: int) -> Sequence[Made]:
        """Containers of at most ``bytes_max``: one, or several of equal numbers of records."""
        if wire.height == 0:
            return ()
        container = encode(self.contract, wire, self.operation)
        if len(container) <= self.bytes_max:
            return (Made(container, wire.height),)
        if wire.height == 1:
            raise RecordTooLarge(first_row, self.bytes_max)
        pieces = min(wire.height, len(container) // self.bytes_max + 1)
        height = -(-wire.height // pieces)
        return [
            made
            for start in range(0, wire.height, height)
            for made in self._cut(wire.slice(start, height), first_row + start)
        ]


def _any_failed(violations: Sequence[Violation]) -> pl.Series | None:
    """Which rows are to be rejected; None where none is."""
    masks = [violation.failed for violation in violations if violation.severity == "reject"]
    if not masks:
        return None
    bad = masks[0]
    for mask in masks[1:]:
        bad = bad | mask
    return bad


def _with_texts(typed: pl.DataFrame, texts: dict[str, pl.Series]) -> pl.DataFrame:
    """A column with a value that could not be read travels as text: its owner sees in quarantine what it was."""
    return typed.with_columns([column.alias(name) for name, column in texts.items()]) if texts else typed


def _found(violation: Violation, first_row: int, numbers: pl.Series | None) -> Found:
    failed = violation.failed
    rows = failed.arg_true() + first_row if numbers is None else numbers.filter(failed)
    return Found(violation.reason, violation.severity, tuple(rows.to_list()))
