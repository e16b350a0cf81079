"""Reproducible draws: one random stream a noun, so that adding a dataset changes no other."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

DATA_FOLDER = Path(__file__).parent / "data"

Integers = NDArray[np.int64]
Weights = NDArray[np.float64]


def stream(seed: int, noun: str) -> np.random.Generator:
    """The random stream of a noun; the same seed and noun give the same numbers on every machine."""
    return np.random.default_rng([seed, *noun.encode()])


def read_table(name: str, *numbers: str) -> pl.DataFrame:
    """A table of ``seeds/data``, every column text but the ones named as numbers."""
    return pl.read_csv(DATA_FOLDER / name, infer_schema=False).cast(dict.fromkeys(numbers, pl.Float64))


def pick(rng: np.random.Generator, weights: Weights, count: int) -> Integers:
    """``count`` positions drawn with the given weights."""
    bounds = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(bounds, rng.random(count), side="right"), len(weights) - 1).astype(np.int64)


def choose(rng: np.random.Generator, values: list[str], weights: list[float], count: int) -> pl.Series:
    """``count`` values drawn with the given weights."""
    return pl.Series(values, dtype=pl.String).gather(pl.Series(pick(rng, np.asarray(weights, float), count)))


def column_of_floats(frame: pl.DataFrame, name: str) -> Weights:
    """A column as the weights of a draw."""
    return frame[name].cast(pl.Float64).to_numpy()
