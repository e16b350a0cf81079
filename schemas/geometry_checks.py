"""Geometry of a whole column by vectorised shapely: readable, of the right type, valid, in EPSG:4490, where it belongs.

Coordinates are longitude then latitude. A pair that lies outside the extent and inside it when turned round is almost
surely swapped (EPSG:4490 itself has latitude first), so that has a reason of its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from schemas.ewkb import HARMLESS_BYTES_MAX, is_flat
from schemas.reasons import Parameter

SRID = 4490
PLACES_MAX = 500  # shapes of a batch whose place of error is told: each costs a mask as high as the batch
_PLACE = re.compile(r"^(.*?)\[(-?[\d.]+) (-?[\d.]+)")
Failed = Iterator[tuple[str, Mapping[str, Parameter], pl.Series]]


def shapes_of(column: pl.Series) -> npt.NDArray[np.object_]:
    """Shapes of a column of EWKB, None where there is none or it cannot be read."""
    longest: Any = column.bin.size().max()
    values = column.to_list()  # polars hands over Python bytes, geometries being few and large
    if longest is not None and longest > HARMLESS_BYTES_MAX:
        values = [
            value if value is None or len(value) <= HARMLESS_BYTES_MAX or is_flat(value) else None for value in values
        ]
    return shapely.from_wkb(np.asarray(values, dtype=object), on_invalid="ignore")


def geometry_failures(column: pl.Series, types: Sequence[str]) -> Failed:
    """Failures of form: unreadable, other type, empty, not flat, other coordinates, not valid (with the place)."""
    shapes = shapes_of(column)
    read = ~shapely.is_missing(shapes)
    yield "geometry_unreadable", {}, pl.Series(column.is_not_null().to_numpy() & ~read)
    ids = [shapely.GeometryType[name.upper()].value for name in types]
    right_type = np.isin(shapely.get_type_id(shapes), ids)
    yield "geometry_type", {"types": ", ".join(types)}, pl.Series(read & ~right_type)
    # The bounds of an empty shape are unknown: it would lie within every extent.
    yield "geometry_empty", {}, pl.Series(read & shapely.is_empty(shapes))
    yield "geometry_dimensions", {}, pl.Series(read & (shapely.has_z(shapes) | shapely.has_m(shapes)))
    yield "geometry_srid", {}, pl.Series(read & (shapely.get_srid(shapes) != SRID))
    invalid = np.flatnonzero(read & right_type & ~shapely.is_valid(shapes))
    # One reason a shape: each breaks at a place of its own. Only over the shapes that are wrong.
    for row in invalid[:PLACES_MAX]:
        yield "geometry_invalid", _place(str(shapely.is_valid_reason(shapes[row]))), _only([row], len(column))
    if len(invalid) > PLACES_MAX:
        rest = f"after {PLACES_MAX} such shapes the place is not looked for"
        yield "geometry_invalid", _place(rest), _only(invalid[PLACES_MAX:], len(column))


def _place(problem: str) -> Mapping[str, Parameter]:
    """``Self-intersection[114.5 30.5]`` as parameters of the sentence."""
    found = _PLACE.match(problem)
    if found is None:
        return {"problem": problem, "lon": "?", "lat": "?"}
    return {"problem": found[1], "lon": round(float(found[2]), 6), "lat": round(float(found[3]), 6)}


def _only(rows: Sequence[Any] | npt.NDArray[np.intp], height: int) -> pl.Series:
    mask = np.zeros(height, np.bool_)
    mask[rows] = True
    return pl.Series(mask)


def extent_failures(column: pl.Series, box: Sequence[float]) -> Failed:
    """Failures of place: swapped coordinates, and outside the extent (west, south, east, north in degrees)."""
    west, south, east, north = box
    bounds = shapely.bounds(shapes_of(column))  # NaN where there is no shape; comparisons with it are False
    known = ~np.isnan(bounds[:, 0])
    inside = _within(bounds, west, south, east, north)
    turned = _within(bounds[:, [1, 0, 3, 2]], west, south, east, north)
    yield "coordinates_swapped", {}, pl.Series(known & ~inside & turned)
    limits: Mapping[str, Parameter] = {"west": west, "south": south, "east": east, "north": north}
    yield "outside_extent", limits, pl.Series(known & ~inside & ~turned)


def _within(
    bounds: npt.NDArray[np.float64], west: float, south: float, east: float, north: float
) -> npt.NDArray[np.bool_]:
    return (bounds[:, 0] >= west) & (bounds[:, 1] >= south) & (bounds[:, 2] <= east) & (bounds[:, 3] <= north)
