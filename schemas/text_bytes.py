"""The bytes of a text column at once, for checks that look at characters: one copy, no Python strings."""

import numpy as np
import numpy.typing as npt
import polars as pl


def joined_bytes(column: pl.Series) -> npt.NDArray[np.uint8]:
    """All values one after the other in UTF-8, nulls left out."""
    arrow = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    data = arrow.buffers()[2]
    return np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)


def fixed_width(column: pl.Series, width: int) -> tuple[pl.Series, npt.NDArray[np.uint8]]:
    """Which values have ``width`` bytes, and those as a matrix of bytes, a row a value."""
    fits = (column.str.len_bytes() == width).fill_null(value=False)
    kept = column if fits.all() else column.filter(fits)
    data = joined_bytes(kept)
    return fits, data[: len(kept) * width].reshape(len(kept), width)


def spread(fits: pl.Series, failed: npt.NDArray[np.bool_]) -> pl.Series:
    """A mask over the fitting values as a mask over all; the others are False."""
    if len(failed) == len(fits):
        return pl.Series(failed)
    whole = np.zeros(len(fits), np.bool_)
    whole[fits.to_numpy()] = failed
    return pl.Series(whole)
