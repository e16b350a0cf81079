"""Files in an inbox, as chunks and rows."""

from pathlib import Path
from typing import Any

from connectors.port import Chunk
from connectors.sources.files import FileItem, FilesOptions, FilesSource
from schemas.errors import HubError


def item(folder: Path, name: str, content: bytes | None = None, **options: Any) -> FileItem:
    if content is not None:
        (folder / name).write_bytes(content)
    source = FilesSource(FilesOptions(inbox=".", settle_seconds=0, **options), folder)
    return next(one for one in source.items() if one.name == name)


def chunks(
    folder: Path, name: str, content: bytes | None = None, *, rows_max: int = 1000, **options: Any
) -> list[Chunk]:
    return list(item(folder, name, content, **options).chunks(None, rows_max))


def rows(folder: Path, name: str, content: bytes | None = None, **options: Any) -> list[tuple[Any, ...]]:
    return [row for chunk in chunks(folder, name, content, **options) for row in chunk.frame.rows()]


def both(error: HubError) -> str:
    """Both sentences: each must say where."""
    return error.sentence("zh") + error.sentence("en")
