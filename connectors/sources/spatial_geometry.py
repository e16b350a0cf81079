"""Geometry from a layer's own coordinate system to the hub's: EWKB, longitude, latitude, EPSG:4490, two dimensions.

Axis order: files give x before y (easting, longitude first) whatever the definition of their system says; GeoPackage
and RFC 7946 demand it and shapefiles do it. So every transformation is made with ``always_xy``, and EPSG:4490, whose
own order is latitude first, comes out longitude first. Coordinates that are swapped in the file stay swapped and are
refused by the hub's checks, record by record.

Heights and measures are dropped: the base holds positions, and no contract has a use for them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from pyproj.exceptions import CRSError, ProjError

from connectors.sources.spatial_errors import CoordinateSystemMissing, CoordinateSystemUnusable, GeometryUnsupported
from schemas.geometry_checks import SRID

# CGCS2000 and the two realisations of WGS 84 agree within decimetres, and no official transformation is published:
# coordinates are taken over as they are. Any other datum (1954 北京, 1980 西安) is up to a hundred metres away.
_SAME_DATUM = "World Geodetic System 1984"
_UNSUPPORTED = {
    8: "CircularString",
    9: "CompoundCurve",
    10: "CurvePolygon",
    11: "MultiCurve",
    12: "MultiSurface",
    15: "PolyhedralSurface",
    16: "TIN",
    17: "Triangle",
}
_TYPE_BITS = 0x0FFFFFFF  # without the flags that EWKB and old GDAL put on top
Shapes = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class ToHub:
    """The way from one coordinate system to the hub's; ``transformer`` is None where nothing is to be done."""

    transformer: pyproj.Transformer | None

    def ewkb(self, item: str, wkb: list[bytes | None], first_feature: int) -> list[bytes | None]:
        """Geometries of some features in the hub's form; missing stays missing.

        What cannot be transformed (outside its system's reach) gets infinite coordinates, which the hub's checks refuse
        record by record, with the reason; the other records go on.

        Raises:
            GeometryUnsupported: curves or surfaces in space, with the number of the feature (from 1).
        """
        _refuse_unsupported(item, wkb, first_feature)
        shapes: Shapes = shapely.force_2d(shapely.from_wkb(np.asarray(wkb, dtype=object), on_invalid="ignore"))
        if self.transformer is not None:
            shapes = shapely.transform(shapes, self._moved)
        return shapely.to_wkb(shapely.set_srid(shapes, SRID), include_srid=True).tolist()

    def _moved(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        assert self.transformer is not None  # noqa: S101 - asked for only where there is one
        return np.column_stack(self.transformer.transform(points[:, 0], points[:, 1]))


def to_hub(item: str, system: str | None) -> ToHub:
    """The way from a declared coordinate system to EPSG:4490.

    Args:
        item: for the sentence.
        system: an authority's code, a URN or WKT.

    Raises:
        CoordinateSystemMissing: nothing is declared, or "undefined".
        CoordinateSystemUnusable: not known, or of a datum with no published transformation.
    """
    if not system:
        raise CoordinateSystemMissing(item)
    try:
        declared = pyproj.CRS.from_user_input(system).to_2d()
    except CRSError as problem:
        raise CoordinateSystemUnusable(item, system[:100]) from problem
    if declared.name.lower().startswith(("undefined", "unknown")):
        raise CoordinateSystemMissing(item)
    if not (declared.is_geographic or declared.is_projected):
        raise CoordinateSystemUnusable(item, declared.name)
    hub = pyproj.CRS.from_epsg(SRID)
    if declared.equals(hub, ignore_axis_order=True):
        return ToHub(None)
    try:
        return ToHub(pyproj.Transformer.from_crs(declared, hub, always_xy=True, allow_ballpark=_is_wgs84(declared)))
    except ProjError as problem:
        raise CoordinateSystemUnusable(item, declared.name) from problem


def _is_wgs84(system: pyproj.CRS) -> bool:
    geodetic = system.geodetic_crs
    return geodetic is not None and geodetic.datum is not None and geodetic.datum.name.startswith(_SAME_DATUM)


def _refuse_unsupported(item: str, wkb: list[bytes | None], first_feature: int) -> None:
    # shapely gives up on the whole column at the first curve, so types are looked at before. One look at five bytes a
    # geometry; the reading of each costs far more.
    for number, value in enumerate(wkb, first_feature):
        if value is not None:
            kind = (int.from_bytes(value[1:5], "little" if value[0] else "big") & _TYPE_BITS) % 1000
            if kind in _UNSUPPORTED:
                raise GeometryUnsupported(item, number, _UNSUPPORTED[kind])
