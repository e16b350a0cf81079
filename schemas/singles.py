"""Records that came one by one, each as its bytes alone: many decoded at a time, each held to its own bytes.

Put end to end they are a container's block, and are read as one. That alone proves nothing of where each began: bytes
too many in one record and too few in the next would shift a value between them. So the length of each is proved as
well, and where that fails each is read by itself; what is damaged costs no other record.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.batch import Block, Walked
from schemas.container_errors import RecordsDamaged
from schemas.contract import Contract
from schemas.decimal_bytes import decimal_bytes
from schemas.envelope import Operation
from schemas.frame import Decoded, convert, read_and_prove, read_strictly
from schemas.record_reader import read_columns
from schemas.writer_schema import Plan, PlannedField, resolve

_SIZES: Final[Mapping[str, int]] = {"boolean": 1, "float": 4, "double": 8}
_VARINT_STEPS: Final = tuple(1 << bits for bits in range(6, 63, 7))


@dataclass(frozen=True, slots=True)
class Singles:
    """What single records are.

    Args:
        decoded: those that are records of the schema; None where none is.
        kept: their places among all, from 0.
        damaged: the places of the others.
        panicked: whether a library panicked at one of them, and is not to be trusted with more.
    """

    decoded: Decoded | None
    kept: pl.Series
    damaged: frozenset[int]
    panicked: bool


def decode_singles(contract: Contract, walked: Walked, lengths: Sequence[int], operation: Operation) -> Singles:
    """Records of a container of one block, which holds single records of these lengths end to end.

    Raises:
        BatchError: the schema is not one of this contract.
    """
    plan = resolve(contract, walked.schema, operation)
    everything = pl.int_range(len(lengths), eager=True, dtype=pl.Int64)
    frame, panicked = _read_at_once(plan, walked, lengths, contract.name)
    if frame is not None:
        return Singles(convert(contract, plan, frame, operation), everything, frozenset(), panicked=False)
    blocks = list(_blocks(walked.data, lengths))
    damaged = frozenset(place for place, block in enumerate(blocks) if not _is_whole(plan, block))
    kept = everything.filter(~everything.is_in(sorted(damaged))) if damaged else everything
    if len(kept) == 0:
        return Singles(None, kept, damaged, panicked)
    frame = read_strictly(plan, [blocks[place] for place in kept])
    return Singles(convert(contract, plan, frame, operation), kept, damaged, panicked)


def _read_at_once(plan: Plan, walked: Walked, lengths: Sequence[int], name: str) -> tuple[pl.DataFrame | None, bool]:
    """All records by polars, where each is proved to have its own length; and whether polars panicked."""
    if not plan.columnar or any(one.written.items is not None for one in plan.fields):
        return None, False
    try:
        frame = read_and_prove(plan, walked, name)
    except RecordsDamaged as damage:
        return None, damage.__cause__ is not None
    if frame is None or not (_sizes(plan, frame) == pl.Series(lengths, dtype=pl.Int64)).all():
        return None, False
    return frame, False


def _blocks(data: bytes, lengths: Sequence[int]) -> Iterator[Block]:
    start = 0
    for length in lengths:
        yield Block(1, data[start : start + length])
        start += length


def _is_whole(plan: Plan, block: Block) -> bool:
    try:
        read_columns(plan, [block])
    except RecordsDamaged:
        return False
    return True


# Lengths -------------------------------------------------------------------------------------------------------------


def _sizes(plan: Plan, frame: pl.DataFrame) -> pl.Series:
    """Bytes of each record, as polars writes it: a union's index, then the value where there is one."""
    bytes_of = [_size(planned, frame[planned.field.name]) for planned in plan.fields]
    return frame.select(
        pl.sum_horizontal([pl.lit(len(plan.fields), pl.Int64), *(one.fill_null(0) for one in bytes_of)])
    ).to_series()


def _size(planned: PlannedField, column: pl.Series) -> pl.Series:
    kind = planned.written.kind
    match kind:
        case "string":
            return _with_length(column.str.len_bytes())
        case "bytes":
            return _with_length(column.bin.size())
        case "decimal":
            return _with_length(decimal_bytes(column).bin.size())
        case "boolean" | "float" | "double":
            return column.is_not_null().cast(pl.Int64) * _SIZES[kind]
        case _:
            number = column.to_physical().cast(pl.Int64)
            return _varint(number ^ -(number < 0).cast(pl.Int64))  # -1 is as long as 0, -2 as 1


def _with_length(sizes: pl.Series) -> pl.Series:
    sizes = sizes.cast(pl.Int64)
    return sizes + _varint(sizes)


def _varint(values: pl.Series) -> pl.Series:
    """Bytes of the zig-zag varints of values that are not negative. Doubling, which zig-zag does, is in the steps."""
    ones = values.is_not_null().cast(pl.Int64)
    return sum(((values >= step).cast(pl.Int64) for step in _VARINT_STEPS), ones)
