"""Text form to typed: what connectors read and what people type becomes the contract's types, or a reason.

The text forms are those of ``textform``; geometry may also be WKT (then taken as longitude, latitude in EPSG:4490).
An empty text is a missing value, except in string fields, where it stays what it is.
"""

import json
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import polars as pl
import shapely

from schemas.checks import Violation
from schemas.contract import Contract, Field, FieldType
from schemas.geometry_checks import SRID, shapes_of
from schemas.reasons import Reason

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False, "是": True, "否": False}
# Four digits of a year, no sign: readers of dates disagree about all others.
_YEAR = r"^[0-9]{4}(?:$|[^0-9]|[0-9]{4}$)"
_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
_TIMESTAMP_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def cast_text(contract: Contract, text: pl.DataFrame) -> tuple[pl.DataFrame, list[Violation]]:
    """Every column of ``text`` (strings named as fields) in its field's type; what cannot be read is null and told.

    Fields that ``text`` lacks are null columns.
    """
    columns: list[pl.Series] = []
    violations: list[Violation] = []
    for field in contract.fields:
        if field.name not in text.columns:
            columns.append(pl.Series(field.name, [None], dtype=_dtype(field.type)).new_from_index(0, text.height))
            continue
        column, failed = cast_column(field, text[field.name])
        columns.append(column)
        if failed is not None:
            violations.append(Violation(Reason("type", field.name, {"expected": field.type.kind}), "reject", failed))
    return pl.DataFrame(columns), violations


def cast_column(field: Field, text: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """One column typed, and the mask of the values that could not be read, None where all could."""
    if field.type.kind == "string":
        return text.alias(field.name), None
    trimmed = text.str.strip_chars()
    given = trimmed.replace("", None)
    typed = _READERS[field.type.kind](given, field.type).alias(field.name)
    if typed.null_count() == given.null_count():
        return typed, None
    return typed, given.is_not_null() & typed.is_null()


def _dtype(of: FieldType) -> pl.DataType:
    if of.items is not None:
        return pl.List(_dtype(of.items))
    if of.kind == "decimal":
        return pl.Decimal(of.precision, of.scale)
    return _DTYPES[of.kind]


_DTYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "bytes": pl.Binary(),
    "date": pl.Date(),
    "timestamp_millis": pl.Datetime("ms"),
    "timestamp_micros": pl.Datetime("us"),
    "geometry": pl.Binary(),
}


def _number(text: pl.Series, of: FieldType) -> pl.Series:
    return text.cast(_dtype(of), strict=False)


def _decimal(text: pl.Series, of: FieldType) -> pl.Series:
    # polars would round what has too many digits after the point; a sum of money is not ours to round.
    exact = text.str.contains(rf"^[+-]?0*[0-9]{{0,{of.precision - of.scale}}}(?:\.[0-9]{{0,{of.scale}}}0*)?$")
    return text.set(~exact.fill_null(value=True), None).cast(_dtype(of), strict=False)


def _boolean(text: pl.Series, _of: FieldType) -> pl.Series:
    return text.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)


def _date(text: pl.Series, _of: FieldType) -> pl.Series:
    return _first_that_reads(
        _with_a_year(text), [lambda rest, form=form: rest.str.to_date(form, strict=False) for form in _DATE_FORMATS]
    )


def _timestamp(text: pl.Series, of: FieldType) -> pl.Series:
    unit: Literal["ms", "us"] = "ms" if of.kind == "timestamp_millis" else "us"
    return _first_that_reads(
        _with_a_year(text),
        [
            lambda rest, form=form: rest.str.to_datetime(form, time_unit=unit, strict=False)
            for form in _TIMESTAMP_FORMATS
        ],
    )


def _with_a_year(text: pl.Series) -> pl.Series:
    odd = ~text.str.contains(_YEAR) | text.str.starts_with("0000")
    return text.set(odd.fill_null(value=False), None) if odd.any() else text


def _first_that_reads(text: pl.Series, readers: list[Callable[[pl.Series], pl.Series]]) -> pl.Series:
    """Try forms in turn; the first alone where it reads every value, as it does in almost all columns."""
    typed = readers[0](text)
    for read in readers[1:]:
        if typed.null_count() == text.null_count():
            break
        typed = typed.zip_with(typed.is_not_null(), read(text))
    return typed


def _bytes(text: pl.Series, _of: FieldType) -> pl.Series:
    return text.str.decode("hex", strict=False)


def _geometry(text: pl.Series, _of: FieldType) -> pl.Series:
    shapes = shapes_of(text.str.decode("hex", strict=False))
    values = np.asarray(text.to_list(), dtype=object)
    # A collection is never what a contract allows, and thousands inside each other end the process that reads them.
    words = text.is_not_null() & ~text.str.contains("(?i)collection|^[0-9a-f]+$").fill_null(value=True)
    in_words = words.to_numpy()
    shapes[in_words] = shapely.from_wkt(values[in_words], on_invalid="ignore")
    unlabelled = ~shapely.is_missing(shapes) & (shapely.get_srid(shapes) == 0)
    shapes[unlabelled] = shapely.set_srid(shapes[unlabelled], SRID)
    return pl.Series(shapely.to_wkb(shapes, include_srid=True).tolist(), dtype=pl.Binary)


def _array(text: pl.Series, of: FieldType) -> pl.Series:
    # Arrays are rare and short; JSON has no vectorised reader that tells a bad value from a missing one.
    assert of.items is not None  # noqa: S101 - the parser gives every array its items
    items = Field("item", of.items, "", "", "C", None, None, None, ())
    read: list[list[object] | None] = []
    for value in text.to_list():
        parts = _parts(value)
        if parts is None:
            read.append(None)
            continue
        inner, failed = cast_column(items, pl.Series(parts, dtype=pl.String))
        read.append(None if failed is not None else inner.to_list())
    return pl.Series(read, dtype=_dtype(of))


def _parts(value: str | None) -> list[str | None] | None:
    """A JSON array's items as texts; None where it is none."""
    try:
        parsed = None if value is None else json.loads(value)
    except (ValueError, RecursionError):  # thousands of brackets recurse in Python's own reader
        return None
    if not isinstance(parsed, list):
        return None
    return [
        one if one is None or isinstance(one, str) else json.dumps(one, ensure_ascii=False, separators=(",", ":"))
        for one in parsed
    ]


_READERS: Mapping[str, Callable[[pl.Series, FieldType], pl.Series]] = {
    "int": _number,
    "long": _number,
    "float": _number,
    "double": _number,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp_millis": _timestamp,
    "timestamp_micros": _timestamp,
    "bytes": _bytes,
    "geometry": _geometry,
    "array": _array,
}
