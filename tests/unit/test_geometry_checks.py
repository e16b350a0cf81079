"""Geometry: readable, of the right type, valid and where it belongs; and none that ends the process reading it."""

import struct

import polars as pl
import pytest
import shapely
from check_maker import codes_by_row, codes_of, contract_with, ewkb, found
from hypothesis import given
from hypothesis import strategies as st

from schemas.cast import cast_column
from schemas.contract import Field, FieldType
from schemas.ewkb import HARMLESS_BYTES_MAX, is_flat
from schemas.geometry_checks import PLACES_MAX, shapes_of

HUBEI = [108.3, 29.0, 116.2, 33.35]
POINT = {"check": "geometry", "types": ["Point"]}
AREA = {"check": "geometry", "types": ["Polygon", "MultiPolygon"]}
EXTENT = {"check": "extent", "box": HUBEI}
WUHAN = "POINT(114.3 30.6)"
SQUARE = "POLYGON((114 30,115 30,115 31,114 31,114 30))"
BOW_TIE = "POLYGON((114 30,115 31,115 30,114 31,114 30))"


def test_what_is_right_passes():
    assert codes_of("geometry", [POINT, EXTENT], [ewkb(WUHAN), None]) == [[], []]
    area = shapely.box(110, 30, 111, 31).union(shapely.box(112, 30, 113, 31))
    assert codes_of("geometry", [AREA, EXTENT], [ewkb(SQUARE), ewkb(area.wkt)]) == [[], []]


def test_what_cannot_be_read_has_that_reason_alone():
    values = [b"", b"\x01", b"POINT(1 2)", ewkb(WUHAN)[:-1], b"\xff" * 40]
    assert codes_of("geometry", [POINT, EXTENT], values) == [["geometry_unreadable"]] * 5


def test_type_coordinate_system_and_dimensions_are_told():
    values = [
        ewkb(SQUARE),
        ewkb(WUHAN, srid=4326),
        ewkb(WUHAN, srid=0),
        ewkb("POINT Z (114.3 30.6 50)"),
        ewkb("POINT EMPTY"),
    ]
    assert codes_of("geometry", [POINT, EXTENT], values) == [
        ["geometry_type"],
        ["geometry_srid"],
        ["geometry_srid"],
        ["geometry_dimensions"],
        ["geometry_empty"],
    ]


def test_swapped_longitude_and_latitude_are_told_from_a_place_outside_the_province():
    values = [ewkb("POINT(30.6 114.3)"), ewkb("POINT(121.5 31.2)"), ewkb("POINT(108.3 29)")]
    assert codes_of("geometry", [POINT, EXTENT], values) == [["coordinates_swapped"], ["outside_extent"], []]
    turned = "POLYGON((30 114,31 114,31 115,30 115,30 114))"
    beyond = "POLYGON((114 30,117 30,117 31,114 31,114 30))"
    assert codes_of("geometry", [AREA, EXTENT], [ewkb(turned), ewkb(beyond)]) == [
        ["coordinates_swapped"],
        ["outside_extent"],
    ]


def test_a_polygon_that_crosses_itself_is_told_where():
    contract = contract_with({"shape": "geometry"}, {"shape": [AREA, EXTENT]})
    violations = found(contract, {"shape": [ewkb(SQUARE), ewkb(BOW_TIE), None]})
    assert [(one.reason.code, one.failed.to_list()) for one in violations] == [
        ("geometry_invalid", [False, True, False])
    ]
    assert violations[0].reason.params == {"problem": "Self-intersection", "lon": 114.5, "lat": 30.5}
    assert "114.5" in violations[0].reason.sentence("zh")


def test_coordinates_that_are_no_numbers_are_not_valid():
    line = {"check": "geometry", "types": ["LineString"]}
    infinite = struct.pack("<BIII4d", 1, 0x20000002, 4490, 2, float("inf"), 30.0, 114.0, 30.0)
    assert codes_of("geometry", [line, EXTENT], [infinite])[0][0] == "geometry_invalid"


def test_thousands_of_broken_shapes_cost_a_bounded_number_of_reasons():
    contract = contract_with({"shape": "geometry"}, {"shape": [AREA]})
    count = PLACES_MAX + 700
    violations = found(contract, {"shape": [ewkb(BOW_TIE)] * count})
    assert len(violations) == PLACES_MAX + 1
    rows = [row for one in violations for row in one.failed.arg_true().to_list()]
    assert sorted(rows) == list(range(count))


# Hostile --------------------------------------------------------------------------------------------------------------


def nested(kind: int, levels: int) -> bytes:
    """A multi-geometry of one multi-geometry of one …"""
    return struct.pack("<BII", 1, kind, 1) * levels + struct.pack("<BII", 1, kind, 0)


@pytest.mark.parametrize("kind", [4, 5, 6, 7])
@pytest.mark.parametrize("levels", [1, 3_000, 400_000])
def test_a_geometry_nested_without_end_is_refused_and_the_process_lives(kind: int, levels: int):
    assert codes_by_row(
        contract_with({"shape": "geometry"}, {"shape": [AREA]}), {"shape": [nested(kind, levels), ewkb(SQUARE)]}
    )[0][0] in {"geometry_unreadable", "geometry_type"}


def test_nesting_behind_a_first_part_that_is_right_is_found():
    for order in "<>":
        head = struct.pack(f"{order}BII", order == "<", 4, 2)
        point = struct.pack(f"{order}BI2d", order == "<", 1, 114.0, 30.0)
        assert not is_flat(head + point + nested(4, 9))
        assert is_flat(head + point + point)


@pytest.mark.parametrize(
    "wkt",
    [
        "MULTIPOINT((1 2),(3 4))",
        "MULTILINESTRING((1 2,3 4),(5 6,7 8,9 10))",
        "MULTIPOLYGON(((0 0,9 0,9 9,0 0),(1 .5,2 .5,2 1,1 .5)),((20 0,29 0,29 9,20 0)))",
        "MULTIPOLYGON Z (((0 0 1,9 0 1,9 9 1,0 0 1)))",
        "POINT(1 2)",
        "MULTIPOINT EMPTY",
    ],
)
def test_flat_geometries_are_seen_to_be_flat_in_every_spelling(wkt: str):
    shape = shapely.from_wkt(wkt)
    for flavor in ("extended", "iso"):
        for byte_order in (0, 1):
            value = shapely.to_wkb(shape, flavor=flavor, byte_order=byte_order)
            assert is_flat(value)
            assert not is_flat(value[: len(value) // 2]) or "MULTI" not in wkt
    assert is_flat(ewkb(wkt))


@given(st.binary(max_size=60) | st.integers(0, 90).map(lambda length: nested(6, 9)[:length]))
def test_no_bytes_do_worse_than_be_seen_as_not_flat(value: bytes):
    assert is_flat(value) in {True, False}


def test_a_large_outline_is_read():
    ring = shapely.Point(112, 31).buffer(1, quad_segs=2_000)
    shape = shapely.MultiPolygon([ring, shapely.Point(115, 31).buffer(0.5, quad_segs=1_000)])
    value = shapely.to_wkb(shapely.set_srid(shape, 4490), include_srid=True)
    assert len(value) > HARMLESS_BYTES_MAX
    assert codes_of("geometry", [AREA, EXTENT], [value]) == [[]]


def test_an_empty_column_has_no_shapes():
    assert len(shapes_of(pl.Series([], dtype=pl.Binary))) == 0
    assert shapes_of(pl.Series([None], dtype=pl.Binary))[0] is None


# Text form ------------------------------------------------------------------------------------------------------------


def test_a_geometry_may_be_typed_as_wkt_or_hexadecimal_and_is_then_in_epsg_4490():
    field = Field("shape", FieldType("geometry"), "", "", "G", 1, None, None, ())
    bare, other = shapely.to_wkb(shapely.from_wkt(WUHAN), hex=True), ewkb(WUHAN, srid=4326).hex()
    collection = "GEOMETRYCOLLECTION(" * 50_000
    texts = [WUHAN, bare, bare.lower(), other, "POINT(114.3", "01", "", None, collection, nested(7, 100_000).hex()]
    column, failed = cast_column(field, pl.Series(texts))
    assert column.to_list() == [ewkb(WUHAN)] * 3 + [ewkb(WUHAN, srid=4326)] + [None] * 6
    assert failed is not None
    assert failed.to_list() == [*[False] * 4, True, True, False, False, True, True]
