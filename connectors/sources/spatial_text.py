"""Attributes of features: text in its encoding, times local."""

import polars as pl
import pyarrow as pa

from connectors.sources.errors import EncodingUnclear, EncodingWrong

_THREE_BYTES = "\u0800"  # from here on UTF-8 takes three bytes, and two characters of GBK cannot look like it
_OFFSET = r"[+-]\d{2}:?\d{2}$"


def refuse_unclear(item: str, texts: list[str]) -> None:
    """Refuse texts, whose characters stand for bytes, that are not evidently UTF-8.

    Raises:
        EncodingUnclear: not UTF-8, or so short of three-byte characters that it may be chance.
    """
    for text in texts:
        if not text.isascii():
            try:
                evident = any(sign >= _THREE_BYTES for sign in text.encode("latin-1").decode("utf-8"))
            except UnicodeDecodeError as problem:
                raise EncodingUnclear(item) from problem
            if not evident:
                raise EncodingUnclear(item)


def decoded(item: str, encoding: str, column: str, texts: list[str | None], first_feature: int = 1) -> list[str | None]:
    """Texts, whose characters stand for bytes, in their own encoding. Most are ASCII and stay what they are.

    Raises:
        EncodingWrong: with the column and the number of the feature.
    """
    decoded: list[str | None] = []
    for number, text in enumerate(texts, first_feature):
        if text is None or text.isascii():
            decoded.append(text)
            continue
        try:
            decoded.append(text.encode("latin-1").decode(encoding))
        except UnicodeDecodeError as problem:
            raise EncodingWrong(item, encoding, f"{column} #{number}") from problem
    return decoded


def plain(column: pa.Array) -> pa.Array:
    """What an extension type stores: JSON is text here."""
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def typed(item: str, name: str, column: pa.Array, kind: str) -> pl.Series:
    """An attribute as polars has it; ``kind`` is OGR's name of its type.

    Raises:
        EncodingWrong: text that is not UTF-8.
    """
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        try:
            column.validate(full=True)  # polars takes bytes for UTF-8 without a look
        except pa.ArrowInvalid as problem:
            raise EncodingWrong(item, "UTF-8", name) from problem
    series = pl.Series(name, column)
    if kind == "OFTDateTime":
        return _local(series)
    return series.cast(pl.String) if series.dtype == pl.Time else series


def _local(texts: pl.Series) -> pl.Series:
    """Times as the records have them: local, without an offset. What has one is brought to China's."""
    normal = texts.str.replace("Z$", "+00:00")
    offset = normal.str.contains(_OFFSET).fill_null(value=False)
    # Where a value has no offset, one is lent for the reading of the column as a whole.
    aware = normal.zip_with(offset, normal + "+08:00").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us")
    return aware.dt.convert_time_zone("Asia/Shanghai").dt.replace_time_zone(None)
