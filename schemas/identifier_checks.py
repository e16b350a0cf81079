"""Citizen IDs and credit codes of a whole column, through the matrices of ``identifiers``."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from schemas import identifiers
from schemas.text_bytes import fixed_width, spread

Failed = Iterator[tuple[str, pl.Series]]
_MALE, _FEMALE = "1", "2"  # GB/T 2261.1


def citizen_id_failures(column: pl.Series) -> Failed:
    """Masks by reason: form, then birthday, then check character; each value fails at the first that it breaks."""
    fits, codes = fixed_width(column, identifiers.LENGTH)
    formed = identifiers.citizen_id_form(codes)
    misfit = column.is_not_null() & ~fits
    yield "citizen_id_form", misfit | spread(fits, ~formed)
    real = identifiers.dates_exist(identifiers.citizen_id_dates(codes))
    yield "citizen_id_birthday", spread(fits, formed & ~real)
    yield "citizen_id_check", spread(fits, formed & real & ~identifiers.citizen_id_checks(codes))


def credit_code_failures(column: pl.Series) -> Failed:
    """Masks by reason: form, then check character, then the organisation code within."""
    fits, codes = fixed_width(column, identifiers.LENGTH)
    formed = identifiers.credit_code_form(codes)
    misfit = column.is_not_null() & ~fits
    yield "credit_code_form", misfit | spread(fits, ~formed)
    # Rows out of form are counted with rank 255; their result is thrown away.
    right = identifiers.credit_code_checks(codes)
    yield "credit_code_check", spread(fits, formed & ~right)
    yield "credit_code_organisation", spread(fits, formed & right & ~identifiers.organisation_checks(codes))


def citizen_id_agreement(column: pl.Series, birth: pl.Series | None, sex: pl.Series | None) -> Failed:
    """Whether birth date and sex beside a citizen ID say what the ID says; IDs out of form are not compared."""
    fits, codes = fixed_width(column, identifiers.LENGTH)
    formed = identifiers.citizen_id_form(codes)
    if birth is not None:
        kept = birth if len(codes) == len(birth) else birth.filter(fits)
        stated = kept.dt.year().cast(pl.Int64) * 10_000 + kept.dt.month().cast(pl.Int64) * 100 + kept.dt.day()
        known = stated.is_not_null().to_numpy()
        differs = stated.fill_null(0).to_numpy() != identifiers.citizen_id_dates(codes)
        yield "birth_date_disagrees", spread(fits, formed & known & differs)
    if sex is not None:
        kept = sex if len(codes) == len(sex) else sex.filter(fits)
        male = identifiers.citizen_id_is_male(codes)
        wrong = np.where(
            male,
            (kept == _FEMALE).fill_null(value=False).to_numpy(),
            (kept == _MALE).fill_null(value=False).to_numpy(),
        )
        yield "sex_disagrees", spread(fits, formed & wrong.astype(np.bool_))
