"""Synthetic residents: nobody in particular, but together like Hubei.

Names by frequency, ages by pyramid, ethnicity by region, addresses in real towns, citizen IDs with valid check
digits, telephone numbers from a range that is not assigned. ``synthetic`` is true in every record.
"""

from datetime import date, datetime

import numpy as np
import polars as pl

from seeds import divisions
from seeds.draws import Integers, choose, column_of_floats, pick, read_table, stream

# Everything is dated before this day, so the data does not depend on when it is generated.
REFERENCE = date(2024, 12, 31)
_OLDEST_UPDATE = datetime(2016, 1, 1)  # noqa: DTZ001 - contract timestamps are local and naive
_MALE = 1

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
_ID_CHECKS = list("10X98765432")
_ROADS = "解放 人民 中山 建设 和平 胜利 文化 青年 团结 友谊 长江 汉江 沿江 滨湖 迎宾 朝阳 东风 新华 民主 工农"
_VILLAGES = "新建 红旗 前进 向阳 双桥 张家湾 李家垸 杨林 石桥 高庙 柳树 周家嘴 王家冲 龙泉 白果 桃园"


def residents(count: int, seed: int) -> pl.DataFrame:
    """``count`` residents in the fields of contract ``population/resident``, in random order of their keys."""
    # A few more than asked for, because the same ID is sometimes drawn twice.
    drawn = count + count // 200 + 64
    frame = _draw(drawn, stream(seed, "resident"))
    return frame.unique("id_number", keep="first", maintain_order=True).head(count)


def _draw(count: int, rng: np.random.Generator) -> pl.DataFrame:
    towns = divisions.towns()
    home = pick(rng, column_of_floats(towns, "weight"), count)
    sex, birth_date = _sex_and_birth(rng, count)
    ages = ((np.datetime64(REFERENCE) - birth_date) / np.timedelta64(1, "D") / 365.25).astype(np.int64)
    prefix = _issued_at(rng, towns, home)
    there = towns[home]
    frame = pl.DataFrame(
        {
            "id_number": _citizen_ids(rng, prefix, birth_date, sex),
            "name": _names(rng, sex),
            "sex": pl.Series(np.where(sex == _MALE, "1", "2"), dtype=pl.String),
            "birth_date": pl.Series(birth_date).cast(pl.Date),
            "ethnicity": _ethnicities(rng, (there["city"] == "4228").to_numpy(), count),
            "division_code": there.select(
                pl.when(pl.Series(rng.random(count) < 0.92)).then("town").otherwise("county")
            ).to_series(),
            "address": _addresses(rng, there),
            "phone": _phones(rng, ages),
            "marital_status": _marital_statuses(rng, ages),
            "education": _educations(rng, ages),
        }
    )
    return frame.with_columns(synthetic=pl.lit(value=True), updated_at=updates(rng, count))


def updates(rng: np.random.Generator, count: int) -> pl.Series:
    """Times of last change, local and naive, to the second."""
    span = int((datetime.combine(REFERENCE, datetime.min.time()) - _OLDEST_UPDATE).total_seconds())
    seconds = pl.Series(rng.integers(0, span, count) * 1_000_000)
    return (seconds + int((_OLDEST_UPDATE - datetime(1970, 1, 1)).total_seconds()) * 1_000_000).cast(  # noqa: DTZ001 - naive on purpose
        pl.Datetime("us")
    )


def _sex_and_birth(
    rng: np.random.Generator, count: int
) -> tuple[Integers, np.ndarray[tuple[int], np.dtype[np.datetime64]]]:
    bands = read_table("ages.csv", "from_age", "to_age")
    weights = np.concatenate([column_of_floats(bands, "male"), column_of_floats(bands, "female")])
    drawn = pick(rng, weights, count)
    band = drawn % bands.height
    oldest = (bands["to_age"].to_numpy()[band] + 1) * 365.2425
    youngest = bands["from_age"].to_numpy()[band] * 365.2425
    days = np.floor(youngest + rng.random(count) * (oldest - youngest)).astype("timedelta64[D]")
    return np.where(drawn < bands.height, _MALE, 2).astype(np.int64), np.datetime64(REFERENCE) - days


def _issued_at(rng: np.random.Generator, towns: pl.DataFrame, home: Integers) -> pl.Series:
    """An ID keeps the county of first registration: for one in seven another than where the person lives now."""
    elsewhere = pick(rng, column_of_floats(towns, "weight"), len(home))
    moved = rng.random(len(home)) < 1 / 7
    return towns["id_prefix"].gather(pl.Series(np.where(moved, elsewhere, home)))


def _citizen_ids(
    rng: np.random.Generator, prefix: pl.Series, birth: np.ndarray[tuple[int], np.dtype[np.datetime64]], sex: Integers
) -> pl.Series:
    sequence = rng.integers(1, 500, len(sex)) * 2 - np.where(sex == _MALE, 1, 0)  # odd for men, even for women
    births = pl.Series(birth).cast(pl.Date).dt.strftime("%Y%m%d")
    bodies = pl.select(pl.concat_str([prefix, births, pl.Series(sequence).cast(pl.String).str.zfill(3)])).to_series()
    return with_check_digit(bodies)


def with_check_digit(bodies: pl.Series) -> pl.Series:
    """Seventeen digits each, completed by the eighteenth of GB 11643."""
    digits = bodies.cast(pl.Int64).to_numpy()
    total = np.zeros(len(digits), dtype=np.int64)
    for place, weight in enumerate(reversed(_ID_WEIGHTS)):
        total += digits // 10**place % 10 * weight
    return bodies + pl.Series(_ID_CHECKS, dtype=pl.String).gather(pl.Series(total % 11))


def _names(rng: np.random.Generator, sex: Integers) -> pl.Series:
    surnames, given = read_table("surnames.csv"), read_table("given_names.csv")
    count = len(sex)
    family = surnames["surname"].gather(pl.Series(pick(rng, column_of_floats(surnames, "weight"), count)))
    for_men, for_women = column_of_floats(given, "male"), column_of_floats(given, "female")

    def character() -> pl.Series:
        drawn = np.where(sex == _MALE, pick(rng, for_men, count), pick(rng, for_women, count))
        return given["character"].gather(pl.Series(drawn))

    second = character().zip_with(pl.Series(rng.random(count) < 0.86), pl.repeat("", count, eager=True))
    return family + character() + second


def _ethnicities(
    rng: np.random.Generator, in_enshi: np.ndarray[tuple[int], np.dtype[np.bool_]], count: int
) -> pl.Series:
    shares = read_table("ethnicities.csv")
    inside = pick(rng, column_of_floats(shares, "share_enshi"), count)
    outside = pick(rng, column_of_floats(shares, "share_elsewhere"), count)
    return shares["code"].gather(pl.Series(np.where(in_enshi, inside, outside)))


def _addresses(rng: np.random.Generator, there: pl.DataFrame) -> pl.Series:
    count = there.height

    def number(most: int) -> pl.Series:
        return pl.Series(rng.integers(1, most + 1, count)).cast(pl.String)

    road = _one_of(rng, _ROADS, count) + "路" + number(300) + "号"
    flat = number(4) + "单元" + number(18) + "0" + number(4) + "室"
    village = _one_of(rng, _VILLAGES, count) + "村" + number(9) + "组" + number(80) + "号"
    in_street = there["town_name"].str.ends_with("街道")
    return there["place"] + (road + flat).zip_with(in_street, village)


def _one_of(rng: np.random.Generator, words: str, count: int) -> pl.Series:
    choices = words.split()
    return choose(rng, choices, [1.0] * len(choices), count)


def _phones(rng: np.random.Generator, ages: Integers) -> pl.Series:
    """154 is assigned to no operator, so nobody's telephone rings."""
    count = len(ages)
    numbers = "154" + pl.Series(rng.integers(0, 100_000_000, count)).cast(pl.String).str.zfill(8)
    return numbers.zip_with(pl.Series((ages >= 12) & (rng.random(count) < 0.93)), pl.Series([None], dtype=pl.String))


def _marital_statuses(rng: np.random.Generator, ages: Integers) -> pl.Series:
    """GB/T 2261.2: 10 never married, 20 married, 30 widowed, 40 divorced."""
    draw = rng.random(len(ages))
    chance_married = np.interp(ages, [21, 24, 30, 40, 60, 90], [0.0, 0.15, 0.72, 0.90, 0.90, 0.55])
    chance_widowed = np.interp(ages, [45, 60, 75, 95], [0.0, 0.04, 0.22, 0.60])
    married = draw < np.minimum(chance_married, 1 - chance_widowed)
    left = (draw >= 1 - chance_widowed) & (ages > 45)
    divorced = (ages > 26) & (draw > 0.5) & (rng.random(len(ages)) < 0.4)
    codes = np.select([ages < 22, married, left, divorced], ["10", "20", "30", "40"], "10")
    return pl.Series(codes, dtype=pl.String)


def _educations(rng: np.random.Generator, ages: Integers) -> pl.Series:
    """GB/T 4658: 10 postgraduate, 20 university, 30 college, 60 upper and 70 lower secondary, 80 primary, 90 other."""
    schooling = rng.random(len(ages)) + np.interp(ages, [22, 35, 50, 70, 90], [0.22, 0.20, 0.05, -0.15, -0.30])
    grown = np.select(
        [schooling > 1.17, schooling > 0.95, schooling > 0.80, schooling > 0.58, schooling > 0.20, schooling > -0.1],
        ["10", "20", "30", "60", "70", "80"],
        "90",
    )
    codes = np.select([ages < 6, ages < 12, ages < 15, ages < 19, ages < 22], ["90", "80", "70", "60", "30"], grown)
    return pl.Series(codes, dtype=pl.String)
