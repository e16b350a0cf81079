"""Known mistakes, put into generated records in known shares, so that the demo can tell whether each was found.

A record gets at most one flaw. Flaws act on text, because many of them could not be written in a typed column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from seeds.draws import stream

Outcome = Literal["rejected", "pending", "flagged"]

# 429999 does not exist; 420321 (郧县) ended in 2014, before any record was updated.
_UNKNOWN_DIVISION, _RETIRED_DIVISION = "429999", "420321"
_PRIVATE_USE = "\ue0ff"


@dataclass(frozen=True, slots=True)
class Flaw:
    code: str
    share: float
    outcome: Outcome
    changes: Mapping[str, pl.Expr]


def _to(value: str | None) -> pl.Expr:
    return pl.lit(value, dtype=pl.String)


def _wrong_last(field: str) -> pl.Expr:
    """Another last character than the right one."""
    last = pl.col(field).str.tail(1)
    return pl.col(field).str.head(-1) + pl.when(last == "5").then(pl.lit("6")).otherwise(pl.lit("5"))


def _day_before(field: str) -> pl.Expr:
    return pl.col(field).str.to_date(strict=False).dt.offset_by("-1d").dt.strftime("%Y-%m-%d")


FLAWS: Mapping[str, tuple[Flaw, ...]] = {
    "resident": (
        Flaw("bad_check_digit", 0.0040, "rejected", {"id_number": _wrong_last("id_number")}),
        Flaw("impossible_birthday", 0.0015, "rejected", {"birth_date": pl.col("birth_date").str.head(5) + "02-30"}),
        Flaw("birthday_disagrees", 0.0030, "rejected", {"birth_date": _day_before("birth_date")}),
        Flaw("sex_disagrees", 0.0020, "rejected", {"sex": pl.col("sex").replace({"1": "2", "2": "1"})}),
        Flaw("retired_division", 0.0030, "rejected", {"division_code": _to(_RETIRED_DIVISION)}),
        Flaw("unknown_division", 0.0015, "rejected", {"division_code": _to(_UNKNOWN_DIVISION)}),
        Flaw("unknown_ethnicity", 0.0010, "rejected", {"ethnicity": _to("88")}),
        Flaw("missing_name", 0.0020, "rejected", {"name": _to(None)}),
        Flaw("short_phone", 0.0010, "rejected", {"phone": pl.col("phone").fill_null("154").str.head(5)}),
        Flaw("private_use_character", 0.0005, "flagged", {"name": pl.col("name").str.head(1) + _PRIVATE_USE}),
    ),
    "social_insurance": (
        Flaw("stranger", 0.0030, "pending", {"id_number": pl.col("stranger")}),
        Flaw("bad_employer_code", 0.0020, "rejected", {"employer_credit_code": _wrong_last("known_credit_code")}),
        Flaw("negative_base", 0.0010, "rejected", {"base_amount": "-" + pl.col("base_amount")}),
        Flaw("base_with_unit", 0.0010, "rejected", {"base_amount": pl.col("base_amount") + "元"}),
        Flaw("unknown_insurance", 0.0010, "rejected", {"insurance_type": _to("999")}),
    ),
    "marriage": (
        Flaw("stranger", 0.0040, "pending", {"wife_id_number": pl.col("stranger")}),
        Flaw("registered_tomorrow", 0.0020, "rejected", {"registered_on": _to("2099-01-01")}),
        Flaw("unknown_kind", 0.0020, "rejected", {"kind": _to("7")}),
        Flaw("missing_husband", 0.0010, "rejected", {"husband_id_number": _to(None)}),
    ),
    "registration": (
        Flaw("bad_check_digit", 0.0040, "rejected", {"credit_code": _wrong_last("credit_code")}),
        Flaw(
            "representative_bad_id",
            0.0030,
            "rejected",
            {"representative_id_number": _wrong_last("representative_id_number")},
        ),
        Flaw("established_tomorrow", 0.0020, "rejected", {"established_on": _to("2099-01-01")}),
        Flaw("negative_capital", 0.0010, "rejected", {"registered_capital": "-" + pl.col("registered_capital")}),
        Flaw("unknown_industry", 0.0020, "rejected", {"industry": _to("Z")}),
        Flaw("missing_name", 0.0010, "rejected", {"name": _to(None)}),
    ),
    "tax_registration": (
        Flaw("stranger", 0.0040, "pending", {"credit_code": pl.col("stranger")}),
        Flaw("unknown_rating", 0.0020, "rejected", {"credit_rating": _to("E")}),
        Flaw("registered_tomorrow", 0.0020, "rejected", {"registered_on": _to("2099-01-01")}),
    ),
}


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column in the contract's text form."""
    return frame.with_columns(
        pl.selectors.date().dt.strftime("%Y-%m-%d"), pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
    ).cast(pl.String)


def spoil(dataset: str, frame: pl.DataFrame, seed: int, lent: Mapping[str, pl.Series] | None = None) -> pl.DataFrame:
    """Give every flaw of the dataset its share of the rows; column ``flaw`` names it, null in the sound ones.

    ``frame`` is in text form. ``lent`` are values that flaws take (``stranger`` …), each used once.
    """
    flaws, lent = FLAWS.get(dataset, ()), lent or {}
    counts = [round(flaw.share * frame.height) for flaw in flaws]
    labels = np.full(frame.height, -1, dtype=np.int64)
    labels[: sum(counts)] = np.repeat(np.arange(len(flaws)), counts)
    stream(seed, f"flaws of {dataset}").shuffle(labels)
    turn = pl.Series(np.maximum(np.cumsum(labels >= 0) - 1, 0))
    frame = frame.with_columns(
        _label=pl.Series(labels), **{name: values.gather(turn % len(values)) for name, values in lent.items()}
    )
    for rank, flaw in enumerate(flaws):
        here = pl.col("_label") == rank
        frame = frame.with_columns(
            pl.when(here).then(change).otherwise(field).alias(field) for field, change in flaw.changes.items()
        )
    codes = pl.Series([flaw.code for flaw in flaws], dtype=pl.String)
    code = pl.col("_label").replace_strict(dict(enumerate(codes)), default=None, return_dtype=pl.String)
    return frame.with_columns(flaw=code).drop("_label", *lent)


def outcomes(dataset: str, flawed: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How many records each flaw should cost: outcome → flaw → records."""
    counted = dict(flawed["flaw"].drop_nulls().value_counts().iter_rows())
    found: dict[str, dict[str, int]] = {"rejected": {}, "pending": {}, "flagged": {}}
    for flaw in FLAWS.get(dataset, ()):
        if counted.get(flaw.code):
            found[flaw.outcome][flaw.code] = counted[flaw.code]
    return found
