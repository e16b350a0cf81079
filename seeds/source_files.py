"""What the departments have: the same records as files and databases, each in the form its owner would keep them in.

Every form differs from the contract on purpose (names, codes, dates, units, encodings): bringing it into the contract's
form is what the connectors' mappings are for.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from seeds.draws import DATA_FOLDER, read_table

_TEN_THOUSAND = 10_000


def police_residents(frame: pl.DataFrame, file: Path) -> None:
    """CSV in GB18030 with CRLF and Chinese headers, dates without hyphens, words for sex and ethnicity."""
    names = dict(read_table("ethnicities.csv").select("code", "name").iter_rows())
    written = frame.select(
        pl.col("id_number").alias("公民身份号码"),
        pl.col("name").alias("姓名"),
        pl.col("sex").replace({"1": "男", "2": "女"}).alias("性别"),
        pl.col("birth_date").str.replace_all("-", "").alias("出生日期"),
        pl.col("ethnicity").replace(names).alias("民族"),
        pl.col("division_code").alias("常住地区划"),
        pl.col("address").alias("常住地址"),
        pl.col("phone").alias("联系电话"),
        pl.col("marital_status").alias("婚姻状况"),
        pl.col("education").alias("文化程度"),
        pl.col("synthetic").replace({"true": "是"}).alias("合成数据"),
        pl.col("updated_at").str.head(19).str.replace("T", " ").alias("更新时间"),
    )
    file.write_bytes(written.write_csv(line_terminator="\r\n").encode("gb18030"))


def insurance_database(frame: pl.DataFrame, file: Path) -> None:
    """A table of a SQLite database with the abbreviated column names such systems have."""
    names = ["id_number", "insurance_type", "employer_credit_code", "status", "enrolled_on", "base_amount"]
    rows = frame.select(*names, "division_code", "synthetic", pl.col("updated_at").str.replace("T", " "))
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE cb_jbxx (sfzh TEXT NOT NULL, xz TEXT NOT NULL, dwdm TEXT, cbzt TEXT, cbrq TEXT, jfjs TEXT,"
            " xzqh TEXT, hcsj TEXT, gxsj TEXT NOT NULL, PRIMARY KEY (sfzh, xz))"
        )
        connection.execute("CREATE INDEX cb_jbxx_gxsj ON cb_jbxx (gxsj)")
        connection.executemany("INSERT INTO cb_jbxx VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.iter_rows())
    connection.close()


def marriage_workbook(frame: pl.DataFrame, file: Path) -> None:
    """An Excel workbook whose dates are Excel dates."""
    written = frame.select(
        pl.col("certificate_number").alias("证书编号"),
        pl.col("kind").replace({"1": "结婚", "2": "离婚"}).alias("登记类别"),
        pl.col("registered_on").str.to_date().alias("登记日期"),
        pl.col("husband_id_number").alias("男方身份证号"),
        pl.col("wife_id_number").alias("女方身份证号"),
        pl.col("division_code").alias("登记机关区划"),
        pl.col("synthetic").alias("合成数据"),
    )
    written.write_excel(file, worksheet="婚姻登记", autofit=False)


def market_registrations(frame: pl.DataFrame, file: Path) -> None:
    """CSV in UTF-8 with a byte order mark, capital in yuan."""
    yuan = pl.col("registered_capital").str.to_decimal(scale=2).cast(pl.Decimal(20, 2)) * _TEN_THOUSAND
    frame.drop("flaw").with_columns(registered_capital=yuan.cast(pl.String)).write_csv(file, include_bom=True)


def tax_lines(frame: pl.DataFrame, file: Path) -> None:
    """A JSON object a line."""
    frame.drop("flaw").with_columns(synthetic=pl.col("synthetic") == "true").write_ndjson(file)


def observations() -> pl.DataFrame:
    """China's series of the Penn World Table, one row an indicator and year that has a value."""
    wide = pl.read_csv(DATA_FOLDER / "pwt91_china.csv", columns=["isocode", "year", *PWT_SERIES])
    long = wide.unpivot(index=["isocode", "year"], variable_name="series", value_name="value").drop_nulls("value")
    return long.select(
        "series",
        "isocode",
        pl.col("year").cast(pl.Int32),
        pl.col("value").round(6),
        unit=pl.col("series").replace_strict(PWT_SERIES),
    )


def observations_table(file: Path) -> None:
    """The observations as Parquet."""
    observations().write_parquet(file)


def copy_of(name: str) -> Callable[[Path], None]:
    """A file of seeds/data as it is."""

    def write(file: Path) -> None:
        file.write_bytes((DATA_FOLDER / name).read_bytes())

    return write


def places_package(file: Path) -> None:
    """The places as a GeoPackage in WGS 84, which is what GeoNames gives."""
    import shapely
    from pyogrio.raw import write

    places = read_table("places_geonames_42.csv", "lat", "lng")
    points = shapely.to_wkb(shapely.points(places["lng"].to_numpy(), places["lat"].to_numpy()))
    write(
        file,
        points,
        [places["name"].to_numpy().astype(object), places["admin2"].to_numpy().astype(object)],
        ["name", "admin2"],
        driver="GPKG",
        geometry_type="Point",
        crs="EPSG:4326",
        layer="places",
    )


# The series shown, with their units: people in millions, money in millions of 2011 US dollars, shares without unit.
PWT_SERIES: Mapping[str, str] = {
    "pop": "million persons",
    "emp": "million persons",
    "rgdpe": "million 2011 USD",
    "rgdpo": "million 2011 USD",
    "rgdpna": "million 2011 USD",
    "rkna": "million 2011 USD",
    "hc": "index",
    "labsh": "share",
    "xr": "CNY per USD",
}
