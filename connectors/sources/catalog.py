"""Which kinds of sources there are, and how what the YAML file says becomes one.

A kind is imported when it is used: drivers are heavy.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.config import wrong_place
from connectors.errors import KindUnknown
from connectors.port import Source

KINDS: Final = ("files", "spatial", "database")

Plan = TypeVar("Plan", bound=BaseModel)


class SpatialPlan(BaseModel):
    """What ``source`` says of a folder of layers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["spatial"]
    inbox: str
    formats: list[Literal["gpkg", "shp", "geojson"]] = Field(default=["gpkg", "shp", "geojson"], min_length=1)
    layer: str | None = None
    encoding: str | None = None
    settle_seconds: float = Field(default=2, ge=0, le=86_400, strict=False)


class DatabasePlan(BaseModel):
    """What ``source`` says of a table or query; ``database.DatabaseOptions`` tells what each option means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["database"]
    key: list[str] = Field(min_length=1)
    url: str | None = None
    url_env: str | None = None
    url_file: str | None = None
    table: str | None = None
    query: str | None = None
    name: str | None = None
    columns: list[str] = []
    watermark: str | None = None
    lag_seconds: float = Field(default=600, ge=0, strict=False)
    lag_numbers: int = Field(default=10_000, ge=0)
    deletes: Literal["none", "keys"] = "none"
    keys_every_seconds: float = Field(default=0, ge=0, strict=False)
    timeout_seconds: float = Field(default=300, gt=0, strict=False)


def open_source(options: Mapping[str, Any], base: Path, file: str) -> Source:
    """The source that a configuration names.

    Args:
        options: what stands under ``source``.
        base: folder that relative paths start at.
        file: the configuration's name, for errors.

    Raises:
        ConfigWrong: an option is not as it must be, by place.
        KindUnknown: there is no such kind.
        SourceError: an option cannot be as it is.
    """
    match options.get("kind"):
        case "files":
            from connectors.sources.files import FilesOptions, FilesSource

            return FilesSource(_checked(FilesOptions, options, file), base)
        case "spatial":
            return _spatial(_checked(SpatialPlan, options, file), base)
        case "database":
            return _database(_checked(DatabasePlan, options, file), base)
        case other:
            raise KindUnknown(str(other), ", ".join(KINDS))


def _checked(model: type[Plan], options: Mapping[str, Any], file: str) -> Plan:
    try:
        return model.model_validate(options)
    except ValidationError as problem:
        raise wrong_place(file, problem, model, "source.") from None


def _spatial(plan: SpatialPlan, base: Path) -> Source:
    from connectors.sources.spatial import SpatialOptions, SpatialSource

    patterns = tuple(f"*.{ending}" for ending in plan.formats)
    options = SpatialOptions(base / plan.inbox, patterns, plan.layer, plan.encoding, plan.settle_seconds)
    return SpatialSource(options)


def _database(plan: DatabasePlan, base: Path) -> Source:
    from connectors.sources.database import DatabaseOptions, DatabaseSource

    given: dict[str, Any] = plan.model_dump(exclude={"kind"}) | {
        "key": tuple(plan.key),
        "columns": tuple(plan.columns),
        "url": None if plan.url is None else _at_base(plan.url, base),
        "url_file": None if plan.url_file is None else base / plan.url_file,
    }
    return DatabaseSource(DatabaseOptions(**given))


def _at_base(url: str, base: Path) -> str:
    """A SQLite file's relative path starts at the configuration's folder, as all of its paths do."""
    scheme, separator, path = url.partition(":///")
    if not scheme.startswith("sqlite") or not separator or not path or path.startswith((":", "/", "file:")):
        return url
    return f"{scheme}:///{base / path}"
