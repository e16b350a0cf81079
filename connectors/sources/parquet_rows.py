"""Parquet: a row group at a time, columns in their own types."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.errors import ColumnRepeated
from connectors.port import Chunk
from connectors.sources.errors import ItemUnreadable, PositionUnreadable
from connectors.sources.file_errors import FileEmpty, HeaderOnly


def parquet_chunks(file: Path, item: str, after: str | None, rows_max: int) -> Iterator[Chunk]:
    """Rows of a Parquet file; a position is how many were read.

    Raises:
        FileEmpty, HeaderOnly: nothing in it.
        ItemUnreadable: no Parquet, or damaged.
    """
    if file.stat().st_size == 0:
        raise FileEmpty(item)
    done = _read_position(item, after)
    try:
        with pq.ParquetFile(file) as opened:
            _check_names(item, opened.schema_arrow.names)
            if opened.metadata.num_rows == 0:
                raise HeaderOnly(item)
            skip = done
            for batch in opened.iter_batches(batch_size=rows_max):
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                frame = pl.DataFrame(pl.from_arrow(batch.slice(skip)))
                skip = 0
                first, done = done + 1, done + frame.height
                yield Chunk(frame, json.dumps({"rows": done}), first, done)
    except pa.ArrowException as problem:
        # Arrow's words may quote content; its kind is enough to act on.
        reason = type(problem).__name__
        raise ItemUnreadable(
            item, f"不是完好的 Parquet 文件({reason})", f"it is no sound Parquet file ({reason})"
        ) from None


def _check_names(item: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ColumnRepeated(item, name)
        seen.add(name)


def _read_position(item: str, position: str | None) -> int:
    if position is None:
        return 0
    try:
        return int(json.loads(position)["rows"])
    except (ValueError, KeyError, TypeError):
        raise PositionUnreadable(item) from None
