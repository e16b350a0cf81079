"""What departments know of the generated residents: their insurances and their marriages."""

import numpy as np
import polars as pl

from seeds.draws import choose, stream
from seeds.persons import REFERENCE, updates

_MALE, _FEMALE = "1", "2"
_MARRIED, _DIVORCED = "20", "40"


def social_insurances(seed: int, residents: pl.DataFrame, employers: pl.Series) -> pl.DataFrame:
    """Insurances of residents of working age, contract ``population/social_insurance``.

    Three for the employed, one for everybody else who is insured at all.
    """
    rng = stream(seed, "social_insurance")
    of_age = _between_ages(residents, 20, 60)
    grown = of_age.filter(pl.Series(rng.random(of_age.height) < 0.55))
    employed = pl.Series(rng.random(grown.height) < 0.4)
    people = grown.with_columns(
        employer_credit_code=pl.when(employed).then(
            employers.gather(pl.Series(rng.integers(0, len(employers), grown.height)))
        )
    ).with_columns(insurance_type=pl.when(employed).then(pl.lit(["110", "210", "310"])).otherwise(pl.lit(["120"])))
    rows = people.explode("insurance_type")
    count = rows.height
    days = np.asarray(rng.integers(0, 3650, count)).astype("timedelta64[D]")
    bases = rng.integers(40, 260, count) * 100
    return rows.select(
        "id_number",
        "insurance_type",
        "employer_credit_code",
        status=choose(rng, ["1", "2", "3"], [86.0, 10.0, 4.0], count),
        enrolled_on=pl.Series(np.datetime64(REFERENCE) - days).cast(pl.Date),
        base_amount=pl.Series(bases).cast(pl.Decimal(12, 2)),
        division_code=pl.col("division_code").str.slice(0, 6),
        synthetic=pl.lit(value=True),
        updated_at=updates(rng, count),
    )


def marriages(seed: int, residents: pl.DataFrame) -> pl.DataFrame:
    """Pairs of a man and a woman of one city and like age, contract ``population/marriage``."""
    rng = stream(seed, "marriage")
    pairs = pl.concat([_pairs(rng, residents, _MARRIED), _pairs(rng, residents, _DIVORCED)])
    count = pairs.height
    first = pl.max_horizontal(pl.col("husband_born").dt.offset_by("22y"), pl.col("wife_born").dt.offset_by("20y"))
    span = (pl.lit(REFERENCE) - first).dt.total_days()
    lived = (span * pl.Series(rng.random(count) ** 2)).cast(pl.Int64)
    dated = pairs.with_columns(registered_on=first + pl.duration(days=lived))
    number = pl.int_range(1, count + 1).cast(pl.String).str.zfill(6)
    return dated.select(
        certificate_number=pl.concat_str(
            [
                pl.when(pl.col("kind") == "1").then(pl.lit("J")).otherwise(pl.lit("L")),
                "division_code",
                pl.lit("-"),
                pl.col("registered_on").dt.strftime("%Y"),
                pl.lit("-"),
                number,
            ]
        ),
        kind="kind",
        registered_on="registered_on",
        husband_id_number="husband",
        wife_id_number="wife",
        division_code="division_code",
        synthetic=pl.lit(value=True),
    )


def _pairs(rng: np.random.Generator, residents: pl.DataFrame, marital_status: str) -> pl.DataFrame:
    """Pair by rank of age inside each city; a little noise keeps couples from being born on one day."""
    eligible = _between_ages(residents, 24, 85).filter(pl.col("marital_status") == marital_status)
    noise = pl.Series(rng.normal(0, 900, eligible.height))
    ranked = eligible.with_columns(
        city=pl.col("division_code").str.slice(0, 4),
        order=pl.col("birth_date").to_physical() + noise,
    ).with_columns(rank=pl.col("order").rank("ordinal").over("city", "sex"))
    men = ranked.filter(pl.col("sex") == _MALE).select(
        "city",
        "rank",
        husband="id_number",
        husband_born="birth_date",
        division_code=pl.col("division_code").str.slice(0, 6),
    )
    women = ranked.filter(pl.col("sex") == _FEMALE).select("city", "rank", wife="id_number", wife_born="birth_date")
    kind = "1" if marital_status == _MARRIED else "2"
    return men.join(women, on=["city", "rank"], maintain_order="left").with_columns(kind=pl.lit(kind))


def _between_ages(residents: pl.DataFrame, youngest: int, oldest: int) -> pl.DataFrame:
    age = (pl.lit(REFERENCE) - pl.col("birth_date")).dt.total_days() // 365
    return residents.filter(age.is_between(youngest, oldest))
