"""Rows of a database as a frame: each column typed by what its values are.

A column holds one kind of value, or it becomes text: SQLite lets every row have its own. The text form is the hub's
(``schemas.textform``), so that mapping and checks read it like any other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from connectors.sources.database_watermark import CHINA
from schemas.textform import text_of

_INTEGER_MAX = 2**63 - 1
_PRECISION_MAX = 38


def frame_of(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pl.DataFrame:
    """Rows under their columns' names.

    A column without any value is text. Times with an offset become local to China and lose it, as records have them.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pl.DataFrame([_column(name, list(values)) for name, values in zip(names, columns, strict=True)])


def _column(name: str, values: list[object]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1:
        read = _READERS.get(kinds.pop())
        series = None if read is None else read(name, values)
        if series is not None:
            return series
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _text(value: object) -> str | None:
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=text_of)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value.total_seconds())
    if isinstance(value, datetime):
        return text_of(_local(value))
    return text_of(value)


def _local(value: datetime) -> datetime:
    return value if value.tzinfo is None else value.astimezone(CHINA).replace(tzinfo=None)


def _integers(name: str, values: list[Any]) -> pl.Series | None:
    if any(value is not None and not -_INTEGER_MAX - 1 <= value <= _INTEGER_MAX for value in values):
        return None
    return pl.Series(name, values, dtype=pl.Int64)


def _decimals(name: str, values: list[Any]) -> pl.Series | None:
    given: list[Decimal] = [value for value in values if value is not None]
    if not all(value.is_finite() for value in given):
        return None
    scale = max(max(0, -int(value.as_tuple().exponent)) for value in given)
    if max(value.adjusted() for value in given) + 1 + scale > _PRECISION_MAX:
        return None
    return pl.Series(name, values, dtype=pl.Decimal(_PRECISION_MAX, scale))


def _bytes(name: str, values: list[Any]) -> pl.Series:
    return pl.Series(name, [None if value is None else bytes(value) for value in values], dtype=pl.Binary)


def _as(kind: type[pl.DataType] | pl.DataType) -> Callable[[str, list[Any]], pl.Series]:
    return lambda name, values: pl.Series(name, values, dtype=kind)


_READERS: Mapping[type, Callable[[str, list[Any]], pl.Series | None]] = {
    str: _as(pl.String),
    bool: _as(pl.Boolean),
    int: _integers,
    float: _as(pl.Float64),
    Decimal: _decimals,
    date: _as(pl.Date),
    datetime: lambda name, values: pl.Series(
        name, [None if value is None else _local(value) for value in values], dtype=pl.Datetime("us")
    ),
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
}
