"""Synthetic legal persons and their tax registrations: invented names, valid credit codes, ``synthetic`` true.

A legal representative is one of the generated residents, so that the bases speak of the same people.
"""

import numpy as np
import polars as pl

from seeds import divisions
from seeds.draws import Integers, choose, column_of_floats, pick, stream
from seeds.persons import REFERENCE, updates

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100: no I, O, S, V, Z
_CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)  # GB 11714
_ORGANISATION_CHECKS = "0123456789X"

_BRANDS_FIRST = list("荆楚汉江鄂华中恒瑞宏博远鑫盛泰嘉德信诚正源清天海金玉龙凤云翔")
_BRANDS_SECOND = list("达通利兴隆丰盈源泽辰元茂和顺康安邦创联科智汇鼎峰州城阳")
# Trade, its section letter in GB/T 4754, weight.
_TRADES = [
    ("商贸", "F", 26.0),
    ("建筑工程", "E", 11.0),
    ("信息技术", "I", 9.0),
    ("机械制造", "C", 8.0),
    ("餐饮管理", "H", 7.0),
    ("农业发展", "A", 7.0),
    ("物流", "G", 5.0),
    ("企业管理咨询", "L", 8.0),
    ("房地产开发", "K", 3.0),
    ("文化传媒", "R", 5.0),
    ("检测技术", "M", 4.0),
    ("生物医药", "C", 3.0),
    ("环保工程", "N", 2.0),
    ("教育咨询", "P", 2.0),
]
# The second character of a credit code by kind of market entity, its form in names, weight.
_KINDS = [("1", "有限公司", 62.0), ("2", "经营部", 30.0), ("3", "专业合作社", 8.0)]


def registrations(count: int, seed: int, representatives: pl.DataFrame) -> pl.DataFrame:
    """``count`` legal persons in the fields of contract ``legal_person/registration``."""
    rng = stream(seed, "registration")
    drawn = count + count // 200 + 64
    towns = divisions.towns()
    there = towns[pick(rng, column_of_floats(towns, "weight"), drawn)]
    trade = pick(rng, np.asarray([weight for _, _, weight in _TRADES]), drawn)
    kind = pick(rng, np.asarray([weight for _, _, weight in _KINDS]), drawn)
    who = representatives[rng.integers(0, representatives.height, drawn)]
    kinds = pl.Series([code for code, _, _ in _KINDS]).gather(pl.Series(kind))
    frame = pl.DataFrame(
        {
            "credit_code": _credit_codes(rng, kinds, there["id_prefix"]),
            "name": _names(rng, there, trade, kind),
            "kind": kinds,
            "legal_representative": who["name"],
            "representative_id_number": who["id_number"],
            "registered_capital": _capitals(rng, drawn),
            "established_on": _dates(rng, drawn, "2000-01-01"),
            "status": choose(rng, ["1", "2", "3", "4"], [88.0, 7.0, 3.0, 2.0], drawn),
            "industry": pl.Series([section for _, section, _ in _TRADES]).gather(pl.Series(trade)),
            "division_code": there["county"],
            "address": there["place"] + pl.Series(rng.integers(1, 400, drawn)).cast(pl.String) + "号",
        }
    )
    frame = frame.with_columns(synthetic=pl.lit(value=True), updated_at=updates(rng, drawn))
    return frame.unique("credit_code", keep="first", maintain_order=True).head(count)


def tax_registrations(seed: int, registered: pl.DataFrame) -> pl.DataFrame:
    """The tax registrations of about 19 in 20 legal persons, contract ``legal_person/tax_registration``."""
    rng = stream(seed, "tax_registration")
    registered = registered.filter(pl.Series(rng.random(registered.height) < 0.95))
    count = registered.height
    names = divisions.towns().unique("county").select("county", "city_name", "county_name", "city")
    there = registered.join(names, left_on="division_code", right_on="county", how="left", maintain_order="left")
    city = pl.when(pl.col("city") == "4290").then(pl.lit("")).otherwise("city_name")
    return there.with_columns(delay=pl.Series(rng.integers(0, 60, count))).select(
        "credit_code",
        taxpayer_kind=choose(rng, ["1", "2"], [24.0, 76.0], count),
        registered_on=pl.min_horizontal(
            pl.col("established_on") + pl.duration(days=pl.col("delay")), pl.lit(REFERENCE)
        ),
        tax_authority=pl.concat_str([pl.lit("国家税务总局"), city, "county_name", pl.lit("税务局")]),
        credit_rating=choose(rng, ["A", "B", "M", "C", "D"], [14.0, 44.0, 30.0, 8.0, 4.0], count),
        status=choose(rng, ["1", "2", "3"], [90.0, 6.0, 4.0], count),
        synthetic=pl.lit(value=True),
        updated_at=updates(rng, count),
    )


def _names(rng: np.random.Generator, there: pl.DataFrame, trade: Integers, kind: Integers) -> pl.Series:
    count = there.height
    place = there["county_name"]
    brand = choose(rng, _BRANDS_FIRST, [1.0] * len(_BRANDS_FIRST), count) + choose(
        rng, _BRANDS_SECOND, [1.0] * len(_BRANDS_SECOND), count
    )
    trades = pl.Series([name for name, _, _ in _TRADES]).gather(pl.Series(trade))
    return place + brand + trades + pl.Series([form for _, form, _ in _KINDS]).gather(pl.Series(kind))


def _capitals(rng: np.random.Generator, count: int) -> pl.Series:
    """Round sums in units of 10,000 yuan, as people declare them."""
    sums = ["3.00", "10.00", "50.00", "100.00", "200.00", "500.00", "1000.00", "5000.00", "12000.00"]
    weights = [12.0, 20.0, 18.0, 20.0, 11.0, 10.0, 6.0, 2.0, 1.0]
    return choose(rng, sums, weights, count).cast(pl.Decimal(18, 2))


def _dates(rng: np.random.Generator, count: int, first: str) -> pl.Series:
    start = np.datetime64(first, "D")
    span = int((np.datetime64(REFERENCE) - start) / np.timedelta64(1, "D"))
    return pl.Series(start + rng.integers(0, span, count).astype("timedelta64[D]")).cast(pl.Date)


def _credit_codes(rng: np.random.Generator, kinds: pl.Series, divisions_: pl.Series) -> pl.Series:
    """Registered by market supervision (9), kind, division, organisation code with its check, and the check of all."""
    count = len(kinds)
    ranks = {character: rank for rank, character in enumerate(ALPHABET)}
    body = rng.integers(0, len(ALPHABET), (count, 8))
    body[:, 0], body[:, 1] = ranks["M"], ranks["A"]  # codes given since 2015 begin with MA
    worth = np.asarray([int(character, 36) for character in ALPHABET])  # letters count from A = 10 in GB 11714
    inner = _ORGANISATION_WEIGHTS @ worth[body].T % 11
    inner_check = pl.Series(list(_ORGANISATION_CHECKS)).gather(pl.Series((11 - inner) % 11))
    organisation = _text(body) + inner_check
    start = "9" + kinds + divisions_ + organisation
    places = [start.str.slice(place, 1).replace_strict(ranks, return_dtype=pl.Int64).to_numpy() for place in range(17)]
    total = np.asarray(_CREDIT_WEIGHTS) @ np.stack(places)
    return start + _text(((31 - total % 31) % 31)[:, np.newaxis])


def _text(ranks: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> pl.Series:
    """Rows of positions in the alphabet as strings."""
    columns = [pl.Series(list(ALPHABET)).gather(pl.Series(ranks[:, place])) for place in range(ranks.shape[1])]
    return pl.select(pl.concat_str(columns)).to_series()
