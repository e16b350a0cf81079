import json
import os
import sqlite3
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from spatial_files import NO_CRS, WUHAN, chunks, frame, geojson, item, layer, named, source

from connectors.sources import errors, spatial_errors
from schemas.geometry_checks import extent_failures, geometry_failures
from seeds.draws import DATA_FOLDER
from seeds.source_files import copy_of, places_package

# Real files -----------------------------------------------------------------------------------------------------------


def test_the_places_of_hubei_are_read_from_their_geopackage(tmp_path: Path):
    places_package(tmp_path / "places.gpkg")
    found = frame(tmp_path)
    assert found.columns == ["name", "admin2", "geometry"]
    assert found.height == 103
    west, south, east, north = shapely.total_bounds(shapely.from_wkb(found["geometry"].to_list()))
    assert (west > 108, south > 29, east < 117, north < 34) == (True,) * 4
    checks = [*geometry_failures(found["geometry"], ["Point"]), *extent_failures(found["geometry"], (108, 29, 117, 34))]
    assert [code for code, _, failed in checks if failed.any()] == []


def test_the_outline_of_the_province_is_read_from_geojson(tmp_path: Path):
    copy_of("outline_naturalearth_42.geojson")(tmp_path / "outline.geojson")
    found = frame(tmp_path)
    assert found["name_local"].to_list() == ["湖北"]
    given = json.loads((DATA_FOLDER / "outline_naturalearth_42.geojson").read_text(encoding="utf-8"))
    first = given["features"][0]["geometry"]["coordinates"][0][0]
    (outline,) = shapely.from_wkb(found["geometry"].to_list())
    assert outline.exterior.coords[0] == pytest.approx(first, abs=1e-9)


# Layers ---------------------------------------------------------------------------------------------------------------


def two_layers(file: Path) -> None:
    layer(file, [shapely.Point(WUHAN)], "EPSG:4490", {"n": [1]}, layer="roads")
    layer(file, [shapely.Point(WUHAN)], "EPSG:4490", {"m": [2]}, layer="rivers", append=True)


def test_of_several_layers_one_must_be_named(tmp_path: Path):
    two_layers(tmp_path / "a.gpkg")
    with pytest.raises(spatial_errors.LayerUnclear) as caught:
        chunks(tmp_path)
    assert "roads, rivers" in caught.value.sentence("en")
    assert frame(tmp_path, layer="rivers")["m"].to_list() == [2]


def test_a_layer_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path):
    two_layers(tmp_path / "a.gpkg")
    with pytest.raises(spatial_errors.LayerUnknown, match="roads, rivers"):
        chunks(tmp_path, layer="road")


def test_a_table_of_styles_is_no_second_layer(tmp_path: Path):
    layer(tmp_path / "a.gpkg", [shapely.Point(WUHAN)], "EPSG:4490", {"n": [1]}, layer="roads")
    with sqlite3.connect(tmp_path / "a.gpkg") as package:
        package.execute("CREATE TABLE layer_styles (id INTEGER PRIMARY KEY, style TEXT)")
        package.execute("INSERT INTO gpkg_contents (table_name, data_type) VALUES ('layer_styles', 'attributes')")
    package.close()
    assert frame(tmp_path).height == 1


# Encodings ------------------------------------------------------------------------------------------------------------

GBK_NAMES = ["武汉市", "丂", "联通", "A区"]


def gbk_shapefile(inbox: Path, *, cpg: bool = True) -> None:
    shapes = [shapely.Point(WUHAN)] * len(GBK_NAMES)
    layer(inbox / "a.shp", shapes, "EPSG:4490", {"名称": GBK_NAMES}, encoding="GBK")
    if not cpg:
        (inbox / "a.cpg").unlink()


def test_a_shapefile_in_gbk_is_read_as_its_cpg_says(tmp_path: Path):
    gbk_shapefile(tmp_path)
    assert frame(tmp_path)["名称"].to_list() == GBK_NAMES


def test_a_shapefile_in_gbk_without_cpg_is_refused_until_the_encoding_is_named(tmp_path: Path):
    gbk_shapefile(tmp_path, cpg=False)
    with pytest.raises(errors.EncodingUnclear, match="GB18030"):
        chunks(tmp_path)
    assert frame(tmp_path, encoding="GBK")["名称"].to_list() == GBK_NAMES


def test_the_tables_own_mark_of_gbk_is_respected(tmp_path: Path):
    gbk_shapefile(tmp_path, cpg=False)
    table = bytearray((tmp_path / "a.dbf").read_bytes())
    table[29] = 0x4D
    (tmp_path / "a.dbf").write_bytes(table)
    assert frame(tmp_path)["名称"].to_list() == GBK_NAMES


def test_bytes_of_gbk_that_happen_to_be_utf8_are_not_taken_for_it(tmp_path: Path):
    chance = "莫"  # C4 AA in GBK, a Latin letter in UTF-8
    assert chance.encode("gbk").decode() == "Ī"
    layer(tmp_path / "a.shp", [shapely.Point(WUHAN)], "EPSG:4490", {"name": [chance]}, encoding="GBK")
    (tmp_path / "a.cpg").unlink()
    with pytest.raises(errors.EncodingUnclear):
        chunks(tmp_path)


@pytest.mark.parametrize("names", [["武汉市", "宜昌市"], ["Wuhan", "Yichang"]])
def test_evident_utf8_and_ascii_need_no_cpg(tmp_path: Path, names: list[str]):
    layer(tmp_path / "a.shp", [shapely.Point(WUHAN)] * 2, "EPSG:4490", {"name": names}, encoding="UTF-8")
    (tmp_path / "a.cpg").unlink()
    assert frame(tmp_path)["name"].to_list() == names


def test_a_cpg_that_lies_is_told_with_column_and_feature(tmp_path: Path):
    layer(tmp_path / "a.shp", [shapely.Point(WUHAN)] * 2, "EPSG:4490", {"name": ["A", "武汉"]}, encoding="GBK")
    (tmp_path / "a.cpg").write_text("UTF-8")
    with pytest.raises(errors.EncodingWrong, match="name #2"):
        chunks(tmp_path)


def test_an_encoding_nobody_knows_is_told(tmp_path: Path):
    gbk_shapefile(tmp_path, cpg=False)
    with pytest.raises(errors.ItemUnreadable, match="no encoding is called klingon"):
        chunks(tmp_path, encoding="klingon")


def test_geojson_that_is_not_utf8_is_refused(tmp_path: Path):
    file = geojson(tmp_path / "a.geojson", [WUHAN], name="武汉市")
    file.write_bytes(file.read_text(encoding="utf-8").encode("gbk"))
    with pytest.raises(errors.EncodingWrong):
        chunks(tmp_path)


# Damaged files --------------------------------------------------------------------------------------------------------


def shapefile(inbox: Path, features: int = 50) -> None:
    shapes = [shapely.Point(110 + number / features, 30) for number in range(features)]
    layer(inbox / "a.shp", shapes, "EPSG:4490", {"n": range(features)})


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize("part", ["shp", "shx", "dbf"])
def test_a_shapefile_cut_short_is_refused_with_the_part_that_is_short(tmp_path: Path, part: str):
    shapefile(tmp_path)
    cut(tmp_path / f"a.{part}")
    with pytest.raises(errors.ItemTruncated) as caught:
        chunks(tmp_path)
    assert caught.value.part == f"a.{part}"


@pytest.mark.parametrize("part", ["shx", "dbf"])
def test_a_shapefile_without_one_of_its_files_is_refused(tmp_path: Path, part: str):
    shapefile(tmp_path)
    (tmp_path / f"a.{part}").unlink()
    with pytest.raises(spatial_errors.CompanionMissing, match=rf"\.{part}"):
        chunks(tmp_path)


def test_parts_of_two_shapefiles_are_not_mixed(tmp_path: Path):
    (tmp_path / "other").mkdir()
    shapefile(tmp_path, 50)
    shapefile(tmp_path / "other", 40)
    (tmp_path / "other" / "a.dbf").rename(tmp_path / "a.dbf")
    with pytest.raises(errors.ItemUnreadable, match="not of one layer"):
        chunks(tmp_path)


def test_a_geopackage_cut_short_is_refused(tmp_path: Path):
    places_package(tmp_path / "a.gpkg")
    cut(tmp_path / "a.gpkg")
    with pytest.raises(errors.ItemTruncated):
        chunks(tmp_path)


def test_geojson_cut_short_is_refused(tmp_path: Path):
    cut(geojson(tmp_path / "a.geojson", [WUHAN] * 20))
    with pytest.raises(errors.ItemError):
        chunks(tmp_path)


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.shp"])
def test_a_file_that_only_has_the_name_is_refused(tmp_path: Path, name: str):
    for extension in ("shx", "dbf"):
        (tmp_path / f"a.{extension}").write_text("no such thing, whatever its name says")
    (tmp_path / name).write_text("<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>")
    with pytest.raises(errors.ItemUnreadable):
        chunks(tmp_path)


@pytest.mark.parametrize("crs", [NO_CRS, named("EPSG:4490")])
def test_an_empty_layer_is_told(tmp_path: Path, crs: object):
    geojson(tmp_path / "a.geojson", [], crs)
    with pytest.raises(errors.ItemEmpty):
        chunks(tmp_path)


# Chunks and positions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["gpkg", "shp", "geojson"])
def test_reading_goes_on_after_any_position_with_the_same_chunks(tmp_path: Path, extension: str):
    points = [(110 + number / 100, 30.0) for number in range(50)]
    if extension == "geojson":
        geojson(tmp_path / "a.geojson", points)
    else:
        layer(tmp_path / f"a.{extension}", list(shapely.points(points)), "EPSG:4326", {"n": range(50)})
    whole = chunks(tmp_path, 7)
    assert [chunk.frame.height for chunk in whole] == [7] * 7 + [1]
    assert (whole[-1].first_row, whole[-1].progress, item(tmp_path).size) == (50, 50, 50)
    for number, chunk in enumerate(whole, 1):
        rest = list(item(tmp_path).chunks(chunk.position, 7))
        assert [one.position for one in rest] == [one.position for one in whole[number:]]
        assert [one.frame["n"].to_list() for one in rest] == [one.frame["n"].to_list() for one in whole[number:]]


def test_deleted_rows_of_a_shapefile_shift_no_position(tmp_path: Path):
    shapefile(tmp_path)
    table = bytearray((tmp_path / "a.dbf").read_bytes())
    header_bytes, record_bytes = struct.unpack("<HH", table[8:12])
    for row in (3, 4, 20):
        table[header_bytes + row * record_bytes] = ord("*")
    (tmp_path / "a.dbf").write_bytes(table)
    whole = chunks(tmp_path, 10)
    numbers = [number for chunk in whole for number in chunk.frame["n"].to_list()]
    assert numbers == [number for number in range(50) if number not in {3, 4, 20}]
    rest = list(item(tmp_path).chunks(whole[1].position, 10))
    assert [number for chunk in rest for number in chunk.frame["n"].to_list()] == numbers[20:]


def test_a_position_of_something_else_is_refused(tmp_path: Path):
    shapefile(tmp_path)
    for position in ("{", '{"features": 3}', '{"features": "x", "skip": 1}', "[]"):
        with pytest.raises(errors.PositionUnreadable):
            list(item(tmp_path).chunks(position, 10))


def test_a_layer_written_to_while_it_is_read_fails_for_now(tmp_path: Path):
    places_package(tmp_path / "a.gpkg")
    reading = item(tmp_path).chunks(None, 50)
    next(reading)
    os.utime(tmp_path / "a.gpkg")
    with pytest.raises(errors.ItemChanged) as caught:
        list(reading)
    assert caught.value.retryable


# Attributes -----------------------------------------------------------------------------------------------------------


def test_attributes_pass_through_typed_and_times_become_local(tmp_path: Path):
    layer(
        tmp_path / "a.gpkg",
        [shapely.Point(WUHAN)] * 2,
        "EPSG:4490",
        {"name": ["a", "b"], "area": [1.5, 2.5], "when": np.array(["2024-05-01T16:30:00"] * 2, "datetime64[ms]")},
        gdal_tz_offsets={"when": np.array([100, 100])},
    )
    found = frame(tmp_path)
    assert found.dtypes == [pl.String, pl.Float64, pl.Datetime("us"), pl.Binary]
    assert found["when"].dt.to_string("%F %T").to_list() == ["2024-05-02 00:30:00"] * 2


def test_geojson_has_text_for_dates_and_for_what_is_nested(tmp_path: Path):
    geojson(tmp_path / "a.geojson", [WUHAN], when="2024-05-01", code="0420", nested={"a": [1]})
    row = frame(tmp_path).row(0, named=True)
    assert (row["when"], row["code"], json.loads(row["nested"])) == ("2024-05-01", "0420", {"a": [1]})


def test_an_attribute_may_not_take_the_name_of_the_geometry(tmp_path: Path):
    geojson(tmp_path / "a.geojson", [WUHAN], geometry="x")
    with pytest.raises(errors.ItemUnreadable, match="geometry"):
        chunks(tmp_path)


# The inbox ------------------------------------------------------------------------------------------------------------


def test_a_finished_layer_is_put_away_and_not_offered_again(tmp_path: Path):
    gbk_shapefile(tmp_path)
    reading = item(tmp_path)
    list(reading.chunks(None, 100))
    reading.finish("done", "{}")
    reading.finish("done", "{}")
    assert list(source(tmp_path).items()) == []
    assert {"a.shp", "a.shx", "a.dbf", "a.prj", "a.cpg", "a.shp.report.json"} == {
        file.name for file in (tmp_path / "done").iterdir()
    }


def test_other_options_make_another_item_of_the_same_file(tmp_path: Path):
    two_layers(tmp_path / "a.gpkg")
    assert item(tmp_path, layer="roads").identity != item(tmp_path, layer="rivers").identity
    assert item(tmp_path, layer="roads").identity == item(tmp_path, layer="roads").identity
