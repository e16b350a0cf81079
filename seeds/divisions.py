"""The towns of Hubei with the weight of their people, from the division list and the cities' census figures."""

import polars as pl

from seeds.draws import read_table

# The last two digits of a county's code: 71 to 79 are development zones of the statistics bureau, which issue no
# citizen IDs and are not in GB/T 2260.
_FIRST_ZONE, _LAST_ZONE = "71", "79"


def towns() -> pl.DataFrame:
    """One row a town: town, county and city with names, ``weight``, and ``id_prefix`` of the IDs issued there.

    Prisons, farms and zones listed beside the towns are left out. A city's residents are spread evenly over its towns:
    truer than evenly over counties, and no finer figure is at hand.
    """
    listed = read_table("divisions_nbs2023_42.csv").filter(
        (pl.col("level") != "4") | pl.col("name").str.contains("(街道|镇|乡)$")
    )
    by_level = {level: listed.filter(pl.col("level") == level) for level in ("2", "3", "4")}
    cities = read_table("cities.csv", "residents_ten_thousand")
    joined = (
        by_level["4"]
        .select(town="code", town_name="name", county="parent")
        .join(
            by_level["3"].select(county="code", county_name="name", city="parent"), on="county", maintain_order="left"
        )
        .join(
            cities.select(city="code", city_name="name", people="residents_ten_thousand"),
            on="city",
            maintain_order="left",
        )
    )
    return joined.with_columns(
        weight=pl.col("people") / pl.len().over("city"),
        id_prefix=_id_prefix(),
        place=_place(),
    )


def _id_prefix() -> pl.Expr:
    """The county's own code; in a zone, that of the first proper county of its city."""
    last_two = pl.col("county").str.slice(4)
    zone = (last_two >= _FIRST_ZONE) & (last_two <= _LAST_ZONE)
    return pl.when(zone).then(pl.col("county").filter(~zone).first().over("city")).otherwise("county")


def _place() -> pl.Expr:
    """Province, city, county and town as an address says them: no word for the directly administered group."""
    city = pl.when(pl.col("city") == "4290").then(pl.lit("")).otherwise("city_name")
    town = (
        pl.when(pl.col("town_name").str.starts_with(pl.col("county_name")))
        .then(pl.col("town_name").str.slice(pl.col("county_name").str.len_chars()))
        .otherwise("town_name")
    )
    return pl.concat_str([pl.lit("湖北省"), city, "county_name", town])
