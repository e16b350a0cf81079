"""One layer of a file: which it is, whether it can be read, and its features as frames of bounded size."""

import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyogrio
from pyogrio.errors import DataSourceError
from pyogrio.raw import open_arrow

from connectors.sources import spatial_geojson, spatial_shapefile
from connectors.sources.errors import ItemTruncated, ItemUnreadable
from connectors.sources.spatial_errors import LayerUnclear, LayerUnknown
from connectors.sources.spatial_geometry import ToHub, to_hub
from connectors.sources.spatial_text import decoded, plain, refuse_unclear, typed

GEOMETRY = "geometry"
_SQLITE_MAGIC = b"SQLite format 3\x00"
_BYTE_FOR_BYTE = "ISO-8859-1"  # lets GDAL hand over a table's bytes, each as a character of the same number
_SCAN_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that can be read.

    Args:
        file: where it is.
        gdal_path: the same for GDAL; names the driver where contents could pretend to be of another.
        name: of the layer.
        features: how many there are; an upper bound in a shapefile with deleted rows.
        encoding: the codec of a shapefile's text; None elsewhere, where all is UTF-8.
        way: to the hub's coordinate system; None where the layer has no geometry.
    """

    file: Path
    gdal_path: str
    name: str
    features: int
    encoding: str | None
    way: ToHub | None

    def frames(self, skip: int, first_feature: int, rows_max: int) -> Iterator[tuple[pl.DataFrame, int]]:
        """Features as frames, each with what to skip to go on after it.

        Args:
            skip: what to leave out at the beginning, as a frame before named it.
            first_feature: number of the first feature read, from 1, for sentences.
            rows_max: most rows of a frame.

        Raises:
            ItemUnreadable, EncodingWrong, GeometryUnsupported: with the place.
        """
        shapefile = self.encoding is not None
        options: dict[str, Any] = {"encoding": _BYTE_FOR_BYTE} if shapefile else {}
        if self.gdal_path.startswith("GeoJSON:"):
            options["DATE_AS_STRING"] = "YES"  # it has only text for dates, and the mapping reads that better
        with (
            _told(self.file.name),
            open_arrow(
                self.gdal_path,
                layer=self.name,
                skip_features=skip,
                batch_size=rows_max,
                use_pyarrow=True,
                datetime_as_string=True,
                return_fids=shapefile,
                **options,
            ) as (meta, reader),
        ):
            for batch in reader:
                # A deleted row of a shapefile has a number and is not given: skipping goes by numbers there.
                skip = int(batch.column(0)[-1].as_py()) + 1 if shapefile else skip + batch.num_rows
                yield self._frame(meta, batch, first_feature), skip
                first_feature += batch.num_rows

    def _frame(self, meta: dict[str, Any], batch: pa.RecordBatch, first_feature: int) -> pl.DataFrame:
        geometry_name = meta["geometry_name"] or "wkb_geometry"
        columns: dict[str, pl.Series] = {}
        for field, kind in zip(meta["fields"], meta["ogr_types"], strict=True):
            column = plain(batch.column(batch.schema.get_field_index(field)))
            name = str(field)
            if self.encoding is not None:
                name = decoded(self.file.name, self.encoding, "#0", [name])[0] or ""
                column = self._text(name, column, first_feature)
            columns[name] = typed(self.file.name, name, column, str(kind))
        if self.way is not None:
            if GEOMETRY in columns:
                raise ItemUnreadable(
                    self.file.name, "属性列不得名为 geometry", "an attribute has the name geometry, which is taken"
                )
            wkb = batch.column(batch.schema.get_field_index(geometry_name)).to_pylist()
            ewkb = self.way.ewkb(self.file.name, wkb, first_feature)
            columns[GEOMETRY] = pl.Series(GEOMETRY, ewkb, dtype=pl.Binary)
        return pl.DataFrame(columns)

    def _text(self, name: str, column: pa.Array, first_feature: int) -> pa.Array:
        if not pa.types.is_string(column.type) or self.encoding is None:
            return column
        return pa.array(decoded(self.file.name, self.encoding, name, column.to_pylist(), first_feature), pa.string())


def open_layer(file: Path, layer: str | None, encoding: str | None) -> Layer:
    """Look at a file and choose its layer.

    Args:
        file: .gpkg, .shp or GeoJSON.
        layer: its name, needed where there are several.
        encoding: of a shapefile's text, where no .cpg names it.

    Raises:
        ItemError: what is wrong with the file, in its owner's words.
    """
    kind = file.suffix.lower()
    system: str | None = None
    path = str(file)
    if kind == ".shp":
        spatial_shapefile.refuse_damaged(file)
    elif kind == ".gpkg":
        _refuse_damaged_package(file)
    else:
        system, path = spatial_geojson.declared_system(file), f"GeoJSON:{file}"
    with _told(file.name):
        name, has_geometry = _chosen(file.name, pyogrio.list_layers(path), layer)
        look = pyogrio.read_info(path, layer=name, force_feature_count=True)
    way = to_hub(file.name, system or look["crs"]) if has_geometry else None
    codec = _encoding(file, path, name, encoding) if kind == ".shp" else None
    return Layer(file, path, name, look["features"], codec, way)


def _chosen(item: str, layers: Any, wanted: str | None) -> tuple[str, bool]:  # noqa: ANN401 - pyogrio has no types
    """The layer's name and whether it has geometry. Tables without (styles, code lists) are read only when named."""
    kinds = {str(name): geometry_type is not None for name, geometry_type in layers}
    if wanted is not None:
        if wanted not in kinds:
            raise LayerUnknown(item, wanted, ", ".join(kinds))
        return wanted, kinds[wanted]
    spatial = [name for name, has_geometry in kinds.items() if has_geometry] or list(kinds)
    if len(spatial) != 1:
        raise LayerUnclear(item, ", ".join(spatial))
    return spatial[0], kinds[spatial[0]]


def _refuse_damaged_package(file: Path) -> None:
    with file.open("rb") as stream:
        header = stream.read(100)
    if not header.startswith(_SQLITE_MAGIC):
        raise ItemUnreadable(file.name, "它不是 GeoPackage", "it is no GeoPackage")
    page_bytes, pages = struct.unpack(">H10xI", header[16:32].ljust(16, b"\0"))
    if file.stat().st_size < (65536 if page_bytes == 1 else page_bytes) * pages:
        raise ItemTruncated(file.name, file.name)


def _encoding(file: Path, path: str, layer: str, option: str | None) -> str:
    """The declared codec, else UTF-8 where all the text evidently is: one look through the table before it is read."""
    declared = spatial_shapefile.declared_encoding(file, option)
    if declared is not None:
        return declared
    with (
        _told(file.name),
        open_arrow(
            path, layer=layer, encoding=_BYTE_FOR_BYTE, read_geometry=False, batch_size=_SCAN_ROWS, use_pyarrow=True
        ) as (meta, reader),
    ):
        refuse_unclear(file.name, [str(name) for name in meta["fields"]])
        for batch in reader:
            for column in batch.columns:
                if pa.types.is_string(column.type):
                    refuse_unclear(file.name, [text for text in column.to_pylist() if text is not None])
    return "utf-8"


@contextmanager
def _told(item: str) -> Generator[None]:
    """Turn what GDAL says of a file into the connector's words."""
    try:
        yield
    except (DataSourceError, pa.ArrowException, OSError, RuntimeError) as problem:
        said = " ".join(str(problem).split())[:200]
        raise ItemUnreadable(item, f"GDAL 提示“{said}”", f"GDAL says “{said}”") from problem
