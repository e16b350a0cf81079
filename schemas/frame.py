"""Batches as polars frames: encoding records of a contract, decoding containers that passed the walk.

The fast way lets polars read and then proves the reading: what was read, written again, must be the same bytes.
That finds records smuggled past a block's count, union indices without a type, and whatever else a decoder takes
for granted. What cannot be proved this way is read record by record, strictly.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import polars as pl

from schemas.batch import SYNC_BYTES, Block, Limits, Walked, walk, write_container, zigzag
from schemas.cast import cast_text
from schemas.checks import Violation
from schemas.container_errors import RecordsDamaged
from schemas.contract import Contract, FieldType
from schemas.decimal_bytes import decimal_bytes, holds_decimals
from schemas.envelope import Operation
from schemas.errors import BatchError
from schemas.reasons import Reason
from schemas.record_reader import read_columns
from schemas.strict_json import INTEGER_MAX
from schemas.writer_schema import Plan, PlannedField, Written, operation_fields, resolve

LOCAL_ZONE: Final = "Asia/Shanghai"
# Years 1 to 9999, which every reader of dates understands: in days, and at UTC.
_DAY_FIRST, _DAY_LAST = -719_162, 2_932_896
_SECONDS_A_DAY: Final = 86_400
_RECORDS_A_BLOCK_MIN: Final = 20
# What was written here is as large as it is; limits are for strangers.
_OWN: Final = Limits(bytes_max=INTEGER_MAX, records_max=INTEGER_MAX, inflated_bytes_max=INTEGER_MAX)
_TYPES: Final[dict[str, pl.DataType]] = {
    "string": pl.String(),
    "enum": pl.String(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "bytes": pl.Binary(),
    "fixed": pl.Binary(),
    "geometry": pl.Binary(),
    "date": pl.Date(),
    "timestamp_millis": pl.Datetime("ms"),
    "timestamp_micros": pl.Datetime("us"),
    "utc_millis": pl.Datetime("ms"),
    "utc_micros": pl.Datetime("us"),
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """Records of a batch.

    Args:
        frame: the operation's fields in the contract's order and types.
        violations: values that are no value of their field's type; they are null in ``frame``.
        text: what those fields were written as, one row a record; None where every field was typed and in range.
    """

    frame: pl.DataFrame
    violations: tuple[Violation, ...]
    text: pl.DataFrame | None


def encode(contract: Contract, frame: pl.DataFrame, operation: Operation) -> bytes:
    """A container file of the operation's fields. A typed field may be a String column: its text form."""
    names = [name for name in operation_fields(contract, operation) if name in frame.columns]
    return _written(frame.select(names), contract.name)


def decode(contract: Contract, walked: Walked, operation: Operation) -> Decoded:
    """Records of a walked container as the contract's fields and types.

    Raises:
        BatchError: schema or bytes are not records of this contract.
    """
    plan = resolve(contract, walked.schema, operation)
    frame = read_and_prove(plan, walked, contract.name) if plan.columnar and _in_few_blocks(walked) else None
    if frame is None:
        frame = read_strictly(plan, walked.blocks)
    return convert(contract, plan, frame, operation)


def polars_type(of: FieldType | Written) -> pl.DataType:
    """The column type of a field."""
    if of.items is not None:
        return pl.List(polars_type(of.items))
    return pl.Decimal(of.precision, of.scale) if of.kind == "decimal" else _TYPES[of.kind]


# Reading -------------------------------------------------------------------------------------------------------------


def read_and_prove(plan: Plan, walked: Walked, name: str) -> pl.DataFrame | None:
    """Read by polars; None where the reading cannot be proved.

    Raises:
        RecordsDamaged: polars panicked, which is its cause.
    """
    schema = json.dumps(plan.to_avro(name), separators=(",", ":")).encode()
    container = write_container(schema, walked.records, tuple(block.data for block in walked.blocks))
    try:
        frame = pl.read_avro(io.BytesIO(container))
    except (pl.exceptions.PolarsError, OSError):
        return None
    except BaseException as panic:
        if type(panic).__name__ != "PanicException":
            raise
        # polars panics where a length points outside the block. The cause stays visible to the decoding child,
        # which then ends: a library that panicked is not to be trusted with the next batch.
        raise _damage(plan, walked.blocks) from panic
    if frame.height != walked.records:
        return None
    return frame if _is_held(frame, walked.blocks, name) else None


def _in_few_blocks(walked: Walked) -> bool:
    """Whether proving block by block is cheaper than reading record by record."""
    held = sum(1 for block in walked.blocks if block.records)
    return held == 1 or (held > 0 and walked.records >= _RECORDS_A_BLOCK_MIN * held)


def _is_held(frame: pl.DataFrame, blocks: Sequence[Block], name: str) -> bool:
    """Whether every block holds its own share of the records: two wrong counts may add up to a right one."""
    start = 0
    for block in blocks:
        share = frame if block.records == frame.height else frame.slice(start, block.records)
        if block.records and not _holds(_written(share, name), block):
            return False
        start += block.records
    return True


def _holds(container: bytes, block: Block) -> bool:
    """Whether a container written by polars ends in exactly this block, and nothing but its sync marker after it."""
    counts = zigzag(block.records) + zigzag(len(block.data))
    at = len(container) - len(block.data) - SYNC_BYTES
    # Compared in place, without a copy.
    return at >= len(counts) and container.startswith(counts, at - len(counts)) and container.startswith(block.data, at)


def _damage(plan: Plan, blocks: Sequence[Block]) -> BatchError:
    try:
        read_columns(plan, blocks)
    except BatchError as damage:
        return damage
    return RecordsDamaged(record=1, problem_zh="无法读取", problem_en="it cannot be read")


def read_strictly(plan: Plan, blocks: Sequence[Block]) -> pl.DataFrame:
    """Read record by record.

    Raises:
        RecordsDamaged: naming the first that is not what the schema says.
    """
    columns = read_columns(plan, blocks)
    return pl.DataFrame(
        [
            _series(planned.field.name, planned.written, column)
            for planned, column in zip(plan.fields, columns, strict=True)
        ]
    )


def _series(name: str, written: Written, values: list[Any]) -> pl.Series:
    kind = polars_type(written)
    innermost = written
    while innermost.items is not None:
        innermost = innermost.items
    match innermost.kind:
        case "decimal":
            exact = _nested(values, lambda unscaled: Decimal(f"{unscaled}E-{innermost.scale}"))
            return pl.Series(name, exact, dtype=_widest(kind))
        case "date" | "timestamp_millis" | "timestamp_micros" | "utc_millis" | "utc_micros":
            number = pl.Int32() if innermost.kind == "date" else pl.Int64()
            return pl.Series(name, values, dtype=_with_inner(kind, number)).cast(kind)
        case _:
            return pl.Series(name, values, dtype=kind)


def _nested(values: list[Any], change: Callable[[Any], Any]) -> list[Any]:
    """Change every value, also inside arrays."""
    return [
        None if value is None else _nested(value, change) if isinstance(value, list) else change(value)
        for value in values
    ]


def _with_inner(kind: pl.DataType, inner: pl.DataType) -> pl.DataType:
    return pl.List(_with_inner(kind.inner, inner)) if isinstance(kind, pl.List) else inner  # pyright: ignore[reportArgumentType]  # an instance is a type to polars


def _widest(kind: pl.DataType) -> pl.DataType:
    """The same decimal with all 38 digits: a value may have more than its schema promised."""
    if isinstance(kind, pl.List):
        return pl.List(_widest(kind.inner))  # pyright: ignore[reportArgumentType]  # an instance is a type to polars
    assert isinstance(kind, pl.Decimal)  # noqa: S101 - called for decimals only
    return pl.Decimal(38, kind.scale)


def _written(frame: pl.DataFrame, name: str) -> bytes:
    decimals = [column for column, kind in frame.schema.items() if holds_decimals(kind)]
    plain = frame.with_columns(decimal_bytes(frame[column]) for column in decimals) if decimals else frame
    buffer = io.BytesIO()
    plain.write_avro(buffer, compression="uncompressed", name=name)
    if not decimals:
        return buffer.getvalue()
    # The same bytes under a header that says what they are.
    header = io.BytesIO()
    frame.clear().write_avro(header, compression="uncompressed", name=name)
    schema = json.dumps(walk(header.getvalue(), _OWN).schema, separators=(",", ":")).encode()
    walked = walk(buffer.getvalue(), _OWN)
    return write_container(schema, walked.records, tuple(block.data for block in walked.blocks))


# From the writer's types to the contract's ---------------------------------------------------------------------------


def convert(contract: Contract, plan: Plan, frame: pl.DataFrame, operation: Operation) -> Decoded:
    """Records as they were written, as the contract's fields and types."""
    violations: list[Violation] = []
    originals: list[pl.Series] = []
    columns: dict[str, pl.Series] = {}
    for planned in plan.fields:
        if planned.text:
            continue
        column = frame[planned.field.name]
        beyond = _beyond(column, planned)
        if beyond is not None:
            originals.append(column.to_physical().cast(pl.String).zip_with(beyond, _nulls(column, pl.String())))
            column = _nulls(column, column.dtype).zip_with(beyond, column)
            violations.append(Violation(_type_reason(planned), "reject", beyond))
        columns[planned.field.name] = _typed(column, planned)
    in_text = frame.select([planned.field.name for planned in plan.fields if planned.text])
    if in_text.width:
        cast, failures = cast_text(contract, in_text)
        columns |= {name: cast[name] for name in in_text.columns}
        violations += failures
        originals += in_text.get_columns()
    complete = [
        columns[name] if name in columns else _absent(contract, name, frame.height)
        for name in operation_fields(contract, operation)
    ]
    return Decoded(pl.DataFrame(complete), tuple(violations), pl.DataFrame(originals) if originals else None)


def _beyond(column: pl.Series, planned: PlannedField) -> pl.Series | None:
    """Which values the type's bytes can hold and its meaning cannot: a decimal's digits, a year after 9999."""
    written = planned.written
    match written.kind:
        case "decimal":
            most = 10**written.precision - 1
            least = -most
        case "date":
            least, most = _DAY_FIRST, _DAY_LAST
        case "timestamp_millis" | "timestamp_micros" | "utc_millis" | "utc_micros":
            second = 1_000 if written.kind.endswith("millis") else 1_000_000
            # A day's margin on both sides: bringing UTC to local time must stay in range.
            least = (_DAY_FIRST + 1) * _SECONDS_A_DAY * second
            most = _DAY_LAST * _SECONDS_A_DAY * second
        case _:
            return None
    numbers = column.to_physical()
    if numbers.null_count() == len(numbers):
        return None
    lowest, highest = numbers.min(), numbers.max()
    if int(lowest) >= least and int(highest) <= most:  # pyright: ignore[reportArgumentType]  # a number: not all are null
        return None
    wide = numbers.cast(pl.Int128)
    return ((wide < least) | (wide > most)).fill_null(value=False)


def _typed(column: pl.Series, planned: PlannedField) -> pl.Series:
    if planned.written.kind in {"utc_millis", "utc_micros"}:
        column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(LOCAL_ZONE).dt.replace_time_zone(None)
    wanted = polars_type(planned.field.type)
    return column if column.dtype == wanted else column.cast(wanted)


def _type_reason(planned: PlannedField) -> Reason:
    return Reason("type", planned.field.name, {"expected": planned.field.type.kind})


def _nulls(column: pl.Series, kind: pl.DataType) -> pl.Series:
    return pl.Series(column.name, [None], dtype=kind).extend_constant(None, len(column) - 1)


def _absent(contract: Contract, name: str, height: int) -> pl.Series:
    return pl.Series(name, [None] * height, dtype=polars_type(contract.field(name).type))
