"""Layers as departments would drop them, for tests of the spatial source."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import shapely
from pyogrio.raw import write

from connectors.port import Chunk
from connectors.sources.spatial import SpatialItem, SpatialOptions, SpatialSource

NO_CRS = "no member"
WUHAN = (114.3, 30.6)


def layer(file: Path, shapes: Sequence[Any], crs: str | None, columns: Mapping[str, Any], **options: Any):
    drivers = {".gpkg": "GPKG", ".shp": "ESRI Shapefile"}
    write(
        file,
        np.array([None if shape is None else shapely.to_wkb(shape) for shape in shapes], dtype=object),
        [np.array(values, dtype=object if isinstance(values[0], str) else None) for values in columns.values()],
        list(columns),
        driver=drivers[file.suffix],
        geometry_type=options.pop("geometry_type", "Point"),
        crs=crs,
        **options,
    )


def geojson(file: Path, points: Sequence[tuple[float, ...] | None], crs: object = NO_CRS, **properties: object) -> Path:
    collection: dict[str, object] = {"type": "FeatureCollection", "features": [
        {
            "type": "Feature",
            "properties": {"n": number, **properties},
            "geometry": None if point is None else {"type": "Point", "coordinates": point},
        }
        for number, point in enumerate(points)
    ]}  # fmt: skip
    if crs != NO_CRS:
        collection["crs"] = crs
    file.write_text(json.dumps(collection, ensure_ascii=False), encoding="utf-8")
    return file


def named(system: str) -> object:
    return {"type": "name", "properties": {"name": system}}


def source(inbox: Path, **options: Any) -> SpatialSource:
    return SpatialSource(SpatialOptions(inbox, settle_seconds=0, **options))


def item(inbox: Path, **options: Any) -> SpatialItem:
    (only,) = source(inbox, **options).items()
    return only


def chunks(inbox: Path, rows_max: int = 1000, **options: Any) -> list[Chunk]:
    return list(item(inbox, **options).chunks(None, rows_max))


def frame(inbox: Path, **options: Any) -> pl.DataFrame:
    return pl.concat([chunk.frame for chunk in chunks(inbox, **options)])


def coordinates(frame: pl.DataFrame) -> list[tuple[float, float]]:
    points = shapely.from_wkb(frame["geometry"].to_list())
    assert set(shapely.get_srid(points)) == {4490}
    return list(zip(shapely.get_x(points).tolist(), shapely.get_y(points).tolist(), strict=True))
