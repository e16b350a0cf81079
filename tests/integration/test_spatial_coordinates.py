import json
import sqlite3
import struct
from pathlib import Path

import polars as pl
import pytest
import shapely
from spatial_files import WUHAN, chunks, coordinates, frame, geojson, layer, named

from connectors.sources import spatial_errors
from schemas.geometry_checks import extent_failures, geometry_failures

HUBEI = (108.0, 29.0, 117.0, 34.0)
# Where 114.3° E, 30.6° N lies, in metres east and north: by Krüger's series (central meridian 114° E, CGCS2000) and by
# the formula of Web Mercator; both computed without PROJ.
WUHAN_4547 = (528770.2373, 3386666.2505)
WUHAN_3857 = (12723817.7977, 3580909.7605)


def reasons(found: pl.Series, box: tuple[float, ...] = HUBEI) -> set[str]:
    failures = [*geometry_failures(found, ["Point"]), *extent_failures(found, box)]
    return {code for code, _, failed in failures if failed.any()}


# Axis order -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "point"),
    [("EPSG:4490", WUHAN), ("EPSG:4326", WUHAN), ("EPSG:3857", WUHAN_3857), ("EPSG:4547", WUHAN_4547)],
)
@pytest.mark.parametrize("extension", ["gpkg", "shp"])
def test_longitude_comes_first_whatever_the_systems_own_axis_order(
    tmp_path: Path, system: str, point: tuple[float, float], extension: str
):
    layer(tmp_path / f"a.{extension}", [shapely.Point(point)], system, {"n": [1]})
    assert coordinates(frame(tmp_path)) == [pytest.approx(WUHAN, abs=1e-8)]


def test_geojson_without_a_system_is_longitude_and_latitude_in_wgs84(tmp_path: Path):
    geojson(tmp_path / "a.geojson", [WUHAN])
    assert coordinates(frame(tmp_path)) == [WUHAN]


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("urn:ogc:def:crs:OGC:1.3:CRS84", WUHAN),
        ("urn:ogc:def:crs:EPSG::4490", WUHAN),
        ("EPSG:3857", WUHAN_3857),
        ("urn:ogc:def:crs:EPSG::4547", WUHAN_4547),
    ],
)
@pytest.mark.parametrize("at_the_end", [True, False])
def test_geojson_that_names_another_system_is_taken_at_its_word(
    tmp_path: Path, name: str, point: tuple[float, float], at_the_end: bool
):
    file = geojson(tmp_path / "a.geojson", [point], named(name))
    if not at_the_end:
        collection = json.loads(file.read_text())
        file.write_text(json.dumps({"crs": collection.pop("crs"), **collection}))
    assert coordinates(frame(tmp_path)) == [pytest.approx(WUHAN, abs=1e-8)]


def test_a_property_called_crs_says_nothing_of_the_layers_system(tmp_path: Path):
    file = geojson(tmp_path / "a.geojson", [WUHAN])
    collection = json.loads(file.read_text())
    collection["features"][0]["properties"]["crs"] = named("EPSG:3857")
    file.write_text(json.dumps(collection))
    assert coordinates(frame(tmp_path)) == [WUHAN]


def test_swapped_coordinates_stay_swapped_and_the_hub_says_so(tmp_path: Path):
    layer(tmp_path / "a.gpkg", [shapely.Point(30.6, 114.3)], "EPSG:4490", {"n": [1]})
    assert "coordinates_swapped" in reasons(frame(tmp_path)["geometry"])


def test_coordinates_out_of_their_systems_reach_are_refused_by_the_hub_record_by_record(tmp_path: Path):
    layer(tmp_path / "a.gpkg", [shapely.Point(1e30, 1e30), shapely.Point(WUHAN_4547)], "EPSG:4547", {"n": [1, 2]})
    found = frame(tmp_path)
    assert {"geometry_invalid", "outside_extent"} <= reasons(found["geometry"][:1])
    assert reasons(found["geometry"][1:]) == set()


# Coordinate systems that are refused ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize("extension", ["gpkg", "shp"])
def test_a_layer_that_does_not_say_its_coordinate_system_is_refused(tmp_path: Path, extension: str):
    layer(tmp_path / f"a.{extension}", [shapely.Point(WUHAN)], None, {"n": [1]})
    with pytest.raises(spatial_errors.CoordinateSystemMissing) as caught:
        chunks(tmp_path)
    assert "EPSG:4490" in caught.value.sentence("zh")


@pytest.mark.parametrize("srs_id", [0, -1])
def test_a_geopackage_with_an_undefined_system_is_refused(tmp_path: Path, srs_id: int):
    layer(tmp_path / "a.gpkg", [shapely.Point(WUHAN)], "EPSG:4490", {"n": [1]})
    with sqlite3.connect(tmp_path / "a.gpkg") as package:
        package.execute("UPDATE gpkg_geometry_columns SET srs_id = ?", (srs_id,))
    package.close()
    with pytest.raises(spatial_errors.CoordinateSystemMissing):
        chunks(tmp_path)


def test_geojson_that_says_its_system_is_unknown_is_refused(tmp_path: Path):
    geojson(tmp_path / "a.geojson", [WUHAN], None)
    with pytest.raises(spatial_errors.CoordinateSystemMissing):
        chunks(tmp_path)


@pytest.mark.parametrize(
    "crs",
    [
        named("urn:ogc:def:crs:EPSG::999999"),
        named("北京地方坐标"),
        {"type": "link", "properties": {"href": "http://x/"}},
    ],
)
def test_geojson_with_a_system_nobody_knows_is_refused_and_no_link_is_followed(tmp_path: Path, crs: object):
    geojson(tmp_path / "a.geojson", [WUHAN], crs)
    with pytest.raises(spatial_errors.CoordinateSystemUnusable):
        chunks(tmp_path)


@pytest.mark.parametrize("system", ["EPSG:4610", "EPSG:4214", "EPSG:2343"])
def test_xian_and_beijing_coordinates_are_refused_as_no_transformation_is_published(tmp_path: Path, system: str):
    layer(tmp_path / "a.gpkg", [shapely.Point(WUHAN)], system, {"n": [1]})
    with pytest.raises(spatial_errors.CoordinateSystemUnusable):
        chunks(tmp_path)


# Geometry -------------------------------------------------------------------------------------------------------------


def test_heights_are_dropped_and_missing_geometry_stays_missing(tmp_path: Path):
    geojson(tmp_path / "a.geojson", [(*WUHAN, 23.0), None])
    found = frame(tmp_path)["geometry"]
    assert not shapely.has_z(shapely.from_wkb(found[0]))
    assert found[1] is None


def replace_geometry(package_file: Path, fid: int, wkb: bytes) -> None:
    package = sqlite3.connect(package_file)
    for (trigger,) in package.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        package.execute(f'DROP TRIGGER "{trigger}"')
    (given,) = package.execute("SELECT geom FROM a WHERE fid = ?", (fid,)).fetchone()
    package.execute("UPDATE a SET geom = ? WHERE fid = ?", (given[:8] + wkb, fid))
    package.commit()
    package.close()


CURVE = struct.pack("<BII", 1, 10, 1) + struct.pack("<BII10d", 1, 8, 5, 0, 0, 1, 1, 2, 0, 1, -1, 0, 0)
TIN = struct.pack("<BII", 1, 16, 1) + struct.pack("<BIII8d", 1, 17, 1, 4, 0, 0, 0, 1, 1, 1, 0, 0)


@pytest.mark.parametrize(("wkb", "name"), [(CURVE, "CurvePolygon"), (TIN, "TIN")])
def test_a_curve_is_refused_with_the_number_of_its_feature(tmp_path: Path, wkb: bytes, name: str):
    layer(tmp_path / "a.gpkg", [shapely.Point(WUHAN)] * 5, "EPSG:4490", {"n": range(5)}, layer="a")
    replace_geometry(tmp_path / "a.gpkg", 4, wkb)
    with pytest.raises(spatial_errors.GeometryUnsupported) as caught:
        chunks(tmp_path, rows_max=3)
    assert (caught.value.feature, caught.value.geometry_type) == (4, name)
