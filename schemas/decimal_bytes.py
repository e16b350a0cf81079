"""Decimals as Avro has them: unscaled, two's complement, the highest byte first, in as few bytes as hold the sign.

polars 2.1 reads them so, but writes 500.00 as the two bytes of -155.36: it leaves out the byte that says a number is
positive where the next one begins with a set bit. So decimals are made bytes here before polars writes them.
"""

from collections.abc import Sequence
from decimal import Context
from typing import Any, Final

import numpy as np
import polars as pl

# Python's own context keeps 28 digits and rounds the rest away; a decimal may have 38.
_EXACT: Final = Context(prec=60)


def decimal_bytes(column: pl.Series) -> pl.Series:
    """A decimal column, or one of arrays of decimals, with each number as its bytes."""
    if isinstance(column.dtype, pl.List):
        # Arrays of sums are short and rare: a loop over them costs less than a second way of doing it would.
        return pl.Series(column.name, _nested(column.to_list(), column.dtype), dtype=_binary(column.dtype))
    unscaled = column.to_physical()
    narrow = unscaled.cast(pl.Int64, strict=False)
    if narrow.null_count() != unscaled.null_count():
        wide = [None if one is None else _bytes_of(one) for one in unscaled.to_list()]
        return pl.Series(column.name, wide, dtype=pl.Binary)
    return _at_once(narrow).alias(column.name)


def _at_once(numbers: pl.Series) -> pl.Series:
    import pyarrow as pa

    values = numbers.fill_null(0).to_numpy()
    buffer = pa.py_buffer(values.astype(">i8").tobytes())
    eight = pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), len(values), [None, buffer])
    magnitudes = np.where(values < 0, ~values, values)
    lengths = np.ones(len(values), dtype=np.uint32)
    for count in range(1, 8):
        lengths += magnitudes >= (1 << (8 * count - 1))
    frame = pl.DataFrame({"eight": pl.Series(pa.array(eight).cast(pa.binary())), "length": lengths})
    shortest = frame.select(pl.col("eight").bin.tail(pl.col("length"))).to_series()
    if not numbers.null_count():
        return shortest
    return pl.select(pl.when(numbers.is_not_null()).then(shortest)).to_series()


def _bytes_of(unscaled: int) -> bytes:
    magnitude = ~unscaled if unscaled < 0 else unscaled
    return unscaled.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)


def _nested(values: Sequence[Any], kind: pl.List) -> list[Any]:
    inner = kind.inner
    if isinstance(inner, pl.List):
        return [None if one is None else _nested(one, inner) for one in values]
    scale = inner.scale  # pyright: ignore[reportAttributeAccessIssue]  # an array of decimals has decimals inside
    return [
        None if array is None else [None if one is None else _bytes_of(int(one.scaleb(scale, _EXACT))) for one in array]
        for array in values
    ]


def _binary(kind: pl.DataType) -> pl.DataType:
    return pl.List(_binary(kind.inner)) if isinstance(kind, pl.List) else pl.Binary()  # pyright: ignore[reportArgumentType]  # an instance is a type to polars


def holds_decimals(kind: pl.DataType) -> bool:
    """Whether a column's type is a decimal, or an array of them."""
    while isinstance(kind, pl.List):
        kind = kind.inner  # pyright: ignore[reportAssignmentType]  # an instance is a type to polars
    return isinstance(kind, pl.Decimal)
