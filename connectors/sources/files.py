"""Files dropped into a folder: CSV, TSV, Excel, NDJSON, Parquet.

A file is an item. It is read when it has settled, and looked at again when it has been read: what changed meanwhile is
left for later. Its format is its ending.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.port import Chunk, Outcome
from connectors.sources.drop_folder import DropFolder, DroppedFile
from connectors.sources.errors import ItemChanged, ItemUnreadable
from connectors.sources.file_errors import FormatUnsupported
from connectors.sources.text_encoding import Wanted
from schemas.envelope import Operation

Format = Literal["csv", "tsv", "xlsx", "ndjson", "parquet"]
FORMATS: Final[tuple[Format, ...]] = ("csv", "tsv", "xlsx", "ndjson", "parquet")
_ENDINGS: Final[dict[Format, tuple[str, ...]]] = {"ndjson": ("ndjson", "jsonl"), "xlsx": ("xlsx", "xls")}


class FilesOptions(BaseModel):
    """What ``source`` says of a folder of files."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["files"] = "files"
    inbox: str
    formats: list[Format] = Field(default=[*FORMATS], min_length=1)
    encoding: Wanted = "auto"
    settle_seconds: float = Field(default=2, ge=0, le=86_400, strict=False)
    sheet: str | None = None
    header_row: int = Field(default=1, ge=1, le=1_000)
    delimiter: str | None = Field(default=None, pattern=r"^[\x09\x20-\x21\x23-\x7e]$")


class FilesSource:
    """The files of an inbox.

    Args:
        options: what to read.
        base: folder that a relative inbox starts at.
        clock: seconds since 1970; passed in for tests.
    """

    def __init__(self, options: FilesOptions, base: Path, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        patterns = tuple(f"*.{end}" for name in options.formats for end in _ENDINGS.get(name, (name,)))
        self._folder = DropFolder(base / options.inbox, patterns, options.settle_seconds)

    def items(self) -> Iterator["FileItem"]:
        """The files that have settled, oldest first.

        Raises:
            SourceUnreachable: the folder is not there.
        """
        for file in self._folder.ready(self._clock()):
            yield FileItem(self._options, self._folder, file)

    def close(self) -> None:
        """Nothing is kept open between items."""


class FileItem:
    """One file."""

    def __init__(self, options: FilesOptions, folder: DropFolder, file: DroppedFile) -> None:
        self._options = options
        self._folder = folder
        self._file = file

    @property
    def name(self) -> str:
        """The file's name."""
        return self._file.path.name

    @property
    def identity(self) -> str:
        """Changes with the file, and with what the options make of it."""
        options = self._options
        return "|".join(
            str(part)
            for part in (self._file.identity, options.encoding, options.sheet, options.header_row, options.delimiter)
        )

    @property
    def cut_at(self) -> datetime:
        """What a file says is as old as the file."""
        return self._file.written_at

    @property
    def operation(self) -> Operation:
        """Files bring records; none are deleted by leaving them out."""
        return "upsert"

    @property
    def size(self) -> int | None:
        """Bytes of text files; None for workbooks and Parquet, whose chunks count rows."""
        return self._file.size_bytes if self._ending() in {"csv", "tsv", "ndjson", "jsonl"} else None

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Rows in the file's order.

        Raises:
            SourceError: the file cannot be read, with where and why.
            ItemChanged: it was written to while it was read.
        """
        try:
            yield from self._read(after, rows_max)
        except OSError as problem:
            if not self._folder.unchanged(self._file):
                raise ItemChanged(self.name) from problem
            reason = problem.strerror or type(problem).__name__
            raise ItemUnreadable(self.name, f"系统提示 {reason}", reason) from problem
        if not self._folder.unchanged(self._file):
            raise ItemChanged(self.name)

    def finish(self, outcome: Outcome, report: str) -> None:
        """Move the file to ``done`` or ``failed``, with the report beside it."""
        self._folder.put_away(self._file, outcome, report)

    def _ending(self) -> str:
        return self._file.path.suffix.lower().removeprefix(".")

    def _read(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        path, name, options = self._file.path, self.name, self._options
        match self._ending():
            case "csv" | "tsv" as ending:
                from connectors.sources.csv_rows import CsvFile

                separator = options.delimiter or ("\t" if ending == "tsv" else ",")
                return CsvFile(path, name, separator, options.encoding, options.header_row).chunks(after, rows_max)
            case "ndjson" | "jsonl":
                from connectors.sources.json_lines import JsonLines

                return JsonLines(path, name, options.encoding).chunks(after, rows_max)
            case "parquet":
                from connectors.sources.parquet_rows import parquet_chunks

                return parquet_chunks(path, name, after, rows_max)
            case "xlsx":
                from connectors.sources.workbook import Workbook

                return Workbook(path, name, options.sheet, options.header_row).chunks(after, rows_max)
            case other:
                raise FormatUnsupported(name, f".{other}")
