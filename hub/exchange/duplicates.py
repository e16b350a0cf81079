"""Records of one batch that share a key: the highest version wins, repeats fold, contradictions are all rejected."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

_OWN = ("_version", "_row", "_n")


@dataclass(frozen=True, slots=True)
class Settled:
    """The batch with every key once.

    Args:
        frame: the winners.
        superseded: lower versions with other content.
        unchanged: repeats of a winner's content.
        conflicting: positions of records of equal version and different content.
    """

    frame: pl.DataFrame
    superseded: int = 0
    unchanged: int = 0
    conflicting: tuple[int, ...] = ()


def settle_duplicates(frame: pl.DataFrame, key: Sequence[str]) -> Settled:
    """Settle a frame sorted by key that has ``_version``, ``_row`` and ``_n``."""
    same_as_before = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in key)
    repeated = frame.select(same_as_before.fill_null(value=False)).to_series()
    if not repeated.any():
        return Settled(frame)
    # Arrival order settles between identical repeats, so that the outcome does not hang on the sort's whims.
    ordered = frame.sort([*key, "_version", "_row", "_n"], descending=[*[False] * len(key), True, True, False])
    content = [name for name in frame.columns if name not in {*key, *_OWN}]
    marked = ordered.with_columns(
        *(pl.col(name).first().over(key).alias(f"{name}_top") for name in _OWN),
        *(pl.col(name).first().over(key).alias(f"{name}__top") for name in content),
    ).with_columns(
        pl.all_horizontal(
            pl.lit(value=True), *(pl.col(name).eq_missing(pl.col(f"{name}__top")) for name in content)
        ).alias("_same_content"),
        ((pl.col("_version") == pl.col("_version_top")) & (pl.col("_row") == pl.col("_row_top"))).alias(
            "_same_version"
        ),
        (pl.col("_n") == pl.col("_n_top")).alias("_winner"),
    )
    contradicted = (pl.col("_same_version") & ~pl.col("_same_content")).any().over(key)
    marked = marked.with_columns((contradicted & pl.col("_same_version")).alias("_conflict"))
    kept = marked.filter(pl.col("_winner") & ~pl.col("_conflict")).select(frame.columns)
    others = marked.filter(~pl.col("_winner") & ~pl.col("_conflict"))
    unchanged = int(others["_same_content"].sum())
    conflicting = tuple(marked.filter(pl.col("_conflict"))["_n"].sort().to_list())
    return Settled(kept, others.height - unchanged, unchanged, conflicting)
