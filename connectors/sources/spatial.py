"""Layers dropped into a folder: GeoPackage, Shapefile, GeoJSON.

A file is an item; its features are read in batches, however large the layer, and resume by their number.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.port import Chunk, Outcome
from connectors.sources.drop_folder import DropFolder, DroppedFile
from connectors.sources.errors import ItemChanged, ItemEmpty, PositionUnreadable, SourceError
from connectors.sources.spatial_layer import Layer, open_layer
from connectors.sources.spatial_shapefile import is_part
from schemas.envelope import Operation


@dataclass(frozen=True, slots=True)
class SpatialOptions:
    """Options of a source of kind ``spatial``.

    Args:
        folder: where files arrive; ``done`` and ``failed`` are made in it.
        patterns: which files are read.
        layer: the layer's name, needed where a file holds several.
        encoding: of the text of shapefiles that have no .cpg.
        settle_seconds: how long nobody may have written to a file before it is read.
    """

    folder: Path
    patterns: tuple[str, ...] = ("*.gpkg", "*.shp", "*.geojson")
    layer: str | None = None
    encoding: str | None = None
    settle_seconds: float = 10.0


class SpatialSource:
    """The layers of an inbox.

    Args:
        options: what to read.
        clock: seconds since 1970; passed in for tests.
    """

    def __init__(self, options: SpatialOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self._folder = DropFolder(options.folder, options.patterns, options.settle_seconds, belongs)

    def items(self) -> Iterator["SpatialItem"]:
        """The layers that have settled, oldest first.

        Raises:
            SourceUnreachable: the folder is not there.
        """
        for file in self._folder.ready(self._clock()):
            yield SpatialItem(self._options, self._folder, file)

    def close(self) -> None:
        """Nothing is kept open between items."""


class SpatialItem:
    """One layer."""

    def __init__(self, options: SpatialOptions, folder: DropFolder, file: DroppedFile) -> None:
        self._options = options
        self._folder = folder
        self._file = file
        self._layer: Layer | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self._file.path.name

    @property
    def identity(self) -> str:
        """Changes with the files, and with what the options make of them."""
        return f"{self._file.identity}|{self._options.layer}|{self._options.encoding}"

    @property
    def cut_at(self) -> datetime:
        """What a file says is as old as the file."""
        return self._file.written_at

    @property
    def operation(self) -> Operation:
        """Layers bring records; none are deleted by leaving them out."""
        return "upsert"

    @property
    def size(self) -> int | None:
        """Features of the layer; None where it cannot be read, which reading tells better."""
        try:
            return self._opened().features
        except SourceError:
            return None

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Features in the layer's order; a position is how many were read, and how many to skip.

        Raises:
            ItemError: the layer cannot be read, with where and why.
        """
        done, skip = _read_position(self.name, after)
        for frame, skip_next in self._opened().frames(skip, done + 1, rows_max):
            if frame.height:
                first, done, skip = done + 1, done + frame.height, skip_next
                yield Chunk(frame, json.dumps({"features": done, "skip": skip}), first, done)
        if not self._folder.unchanged(self._file):
            raise ItemChanged(self.name)
        if done == 0:
            raise ItemEmpty(self.name)

    def finish(self, outcome: Outcome, report: str) -> None:
        """Move the layer's files to ``done`` or ``failed``, with the report beside them."""
        self._folder.put_away(self._file, outcome, report)

    def _opened(self) -> Layer:
        if self._layer is None:
            self._layer = open_layer(self._file.path, self._options.layer, self._options.encoding)
        return self._layer


def belongs(name: str, other: str) -> bool:
    """Whether the file of the second name moves with the one of the first: parts of a shapefile, SQLite's own files."""
    if name.lower().endswith(".shp"):
        return is_part(name, other)
    return other in {f"{name}-wal", f"{name}-shm", f"{name}-journal"}


def _read_position(item: str, position: str | None) -> tuple[int, int]:
    """How many features were read, and how many to skip."""
    if position is None:
        return 0, 0
    try:
        parts = json.loads(position)
        done, skip = int(parts["features"]), int(parts["skip"])
    except (ValueError, KeyError, TypeError) as problem:
        raise PositionUnreadable(item) from problem
    if not 0 <= done <= skip:
        raise PositionUnreadable(item)
    return done, skip
