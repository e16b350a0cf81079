"""Columns in text form, and the changes that are made to text: dates of a given form, exact multiplication."""

import re
from datetime import UTC, datetime
from decimal import Context, Decimal

import polars as pl

from schemas.contract import Kind
from schemas.frame import LOCAL_ZONE
from schemas.textform import text_of

_DATE_TIMES = frozenset({"timestamp_millis", "timestamp_micros"})
# An Int128 has 38 digits, of which 18 are the factor's: the column's longest whole part and longest fraction make 20.
_SHORT = r"^[+-]?[0-9]{1,14}(\.[0-9]{0,6}0*)?$"
_NUMBER = r"^[+-]?[0-9]{1,38}(\.[0-9]{0,38})?([eE][+-]?[0-9]{1,2})?$"
_CONTEXT = Context(prec=200)
_ADJACENT = re.compile(r"%[a-zA-Z]%[a-zA-Z]")
_SAMPLE = datetime(2000, 12, 31, 23, 59, 59, tzinfo=UTC)
_ISO_DATE, _ISO_TIME = "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%.6f"


def text_form(column: pl.Series, of_kind: Kind = "string") -> pl.Series:
    """Any column as text, in the form ``schemas.cast`` reads.

    A whole number kept as a float, as spreadsheets do, is written without its point.
    """
    kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_float():
        return _float_text(column)
    if isinstance(kind, pl.Datetime):
        return _time_text(column, kind, of_kind)
    if kind == pl.Binary:
        return column.bin.encode("hex")
    if not kind.is_nested() and kind != pl.Object:
        return column.cast(pl.String)  # dates and times in ISO 8601
    # Arrays and what else a file may hold: rare, and only Python knows their text form.
    return pl.Series(column.name, [text_of(_plain(value)) for value in column.to_list()], dtype=pl.String)


def _float_text(column: pl.Series) -> pl.Series:
    text = column.cast(pl.String)
    whole = (column == column.round()) & (column.abs() < 10**15)
    return text.str.strip_suffix(".0") if whole.any() else text


def _time_text(column: pl.Series, kind: pl.Datetime, of_kind: Kind) -> pl.Series:
    local = column if kind.time_zone is None else column.dt.convert_time_zone(LOCAL_ZONE).dt.replace_time_zone(None)
    text = local.dt.strftime(_ISO_TIME)
    if of_kind in _DATE_TIMES:
        return text
    # Spreadsheets have no dates, only times at midnight.
    return text.str.strip_suffix("T00:00:00.000000")


def _plain(value: object) -> object:
    return value.to_list() if isinstance(value, pl.Series) else value


def dates_by_form(text: pl.Series, form: str, kind: Kind) -> pl.Series:
    """Dates and times of a form in ISO 8601; what is not of that form stays as it is."""
    given = text.str.strip_chars()
    if kind in _DATE_TIMES and any(part in form for part in ("%H", "%I", "%T", "%R", "%s")):
        read = given.str.to_datetime(form, time_unit="us", strict=False)
        written = read.dt.strftime(_ISO_TIME)
    else:
        read = given.str.to_date(form, strict=False)
        written = read.dt.strftime(_ISO_DATE)
    right = read.is_not_null() & read.dt.year().is_between(1, 9999)
    if _ADJACENT.search(form):
        # Without marks between them, 1990037 would read as 7 March: every part must have all its digits.
        right &= given.str.len_chars() == len(_SAMPLE.strftime(form))
    return written.zip_with(right.fill_null(value=False), text)


def multiplied(text: pl.Series, factor: str) -> pl.Series:
    """Every number times the factor, exactly; what is no number stays as it is."""
    given = text.str.strip_chars()
    numbers = given.set(~given.str.contains(_NUMBER).fill_null(value=False), None)
    exact = Decimal(factor)
    plain = numbers.str.contains(_SHORT).fill_null(value=False)
    written = _multiplied_at_once(numbers.set(~plain, None), exact)
    if plain.sum() != len(numbers) - numbers.null_count():
        # Exponents and very long numbers are rare, and Python's decimals do not mind them.
        slow = [
            None if one is None else format(_CONTEXT.multiply(Decimal(one), exact), "f") for one in numbers.to_list()
        ]
        written = written.zip_with(plain, pl.Series(slow, dtype=pl.String))
    return written.zip_with(numbers.is_not_null(), text).alias(text.name)


def _multiplied_at_once(numbers: pl.Series, factor: Decimal) -> pl.Series:
    parts = numbers.str.splitn(".", 2).struct.unnest()
    fraction = parts["field_1"].fill_null("").str.strip_chars_end("0")
    scale = int(fraction.str.len_bytes().max() or 0)  # pyright: ignore[reportArgumentType]  # lengths are numbers
    digits = parts["field_0"] + fraction.str.pad_end(scale, "0")
    unscaled, shift = _unscaled(factor)
    product = digits.cast(pl.Int128, strict=False) * pl.Series([unscaled], dtype=pl.Int128)
    return _with_point(product.cast(pl.String), scale + shift)


def _unscaled(factor: Decimal) -> tuple[int, int]:
    """The factor as a whole number and how many of its digits stand after the point."""
    sign, digits, exponent = factor.as_tuple()
    number = int("".join(map(str, digits))) * (-1 if sign else 1)
    shift = -int(exponent)
    return (number * 10**-shift, 0) if shift < 0 else (number, shift)


def _with_point(digits: pl.Series, scale: int) -> pl.Series:
    """Whole numbers as text with the point put ``scale`` digits from the right."""
    if scale == 0:
        return digits
    negative = digits.str.starts_with("-")
    padded = digits.str.strip_prefix("-").str.pad_start(scale + 1, "0")
    pointed = padded.str.head(-scale) + "." + padded.str.tail(scale)
    trimmed = pointed.str.strip_chars_end("0").str.strip_suffix(".")
    return ("-" + trimmed).zip_with(negative, trimmed)
