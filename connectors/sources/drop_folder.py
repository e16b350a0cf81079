"""The folder a department drops files into, and what becomes of them.

```
inbox/parcels.gpkg               read when nobody has written to it for ``settle_seconds``
inbox/.parcels.gpkg, parcels.gpkg.part, ~$book.xlsx      never: hidden and temporary names
inbox/done/parcels.gpkg          all its batches were acknowledged
inbox/done/parcels.gpkg.report.json
inbox/failed/parcels-2.gpkg      it failed, and another of that name lay there already
```

A file may have companions (the .dbf of a .shp): they settle and move together with it, and keep one name. Putting away
is written down first, in a hidden file of the inbox; when the connector dies halfway, the next look at the folder
completes the move. One connector at a time looks at a folder.
"""

import fnmatch
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.port import Outcome
from connectors.sources.errors import SourceUnreachable

Belongs = Callable[[str, str], bool]  # does a file of the second name belong to the one of the first?

_TEMPORARY = ("*~", "~*", "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.swp", "*.lock")
_JOURNAL = ".move."  # how the name of a written-down move begins
_NUMBERS_MAX = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def alone(_name: str, _other: str) -> bool:
    """A file without companions."""
    return False


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A file of the inbox with its companions.

    Args:
        path: the file itself.
        companions: the files that belong to it, by name.
        identity: changes whenever one of them is written to, or moved into the folder anew.
        size_bytes: of all of them.
        written_at: when the file says it was last written; aware. Copying with times keeps it.
    """

    path: Path
    companions: tuple[Path, ...]
    identity: str
    size_bytes: int
    written_at: datetime


@dataclass(frozen=True, slots=True)
class DropFolder:
    """An inbox.

    Args:
        folder: where files arrive; ``done`` and ``failed`` are made in it.
        patterns: shell patterns of the files that are read, whatever the case of their letters.
        settle_seconds: how long nobody may have written to a file before it is read.
        belongs: which files are companions of which.
    """

    folder: Path
    patterns: tuple[str, ...]
    settle_seconds: float = 10.0
    belongs: Belongs = alone

    def ready(self, now: float) -> list[DroppedFile]:
        """The files that may be read, the one written longest ago first.

        Args:
            now: seconds since 1970.

        Raises:
            SourceUnreachable: the folder is not there or cannot be read.
        """
        try:
            self._complete_moves()
            names = self._names()
        except OSError as problem:
            raise self._unreachable(problem) from problem
        found: list[tuple[int, DroppedFile]] = []
        for name in names:
            if self._matches(name):
                with suppress(FileNotFoundError):  # somebody took it away between two looks
                    found.extend(self._settled(name, names, now))
        return [file for _, file in sorted(found, key=lambda pair: (pair[0], pair[1].path.name))]

    def unchanged(self, file: DroppedFile) -> bool:
        """Whether the file is still there, and still what it was when it was found."""
        try:
            return self._look(file.path.name, self._names())[1].identity == file.identity
        except OSError:
            return False

    def put_away(self, file: DroppedFile, outcome: Outcome, report: str) -> None:
        """Move a file and its companions to ``done`` or ``failed``, with the report beside it.

        Repeatable. A file that was written to since it was found stays: it is another one now, and is read next.

        Raises:
            SourceUnreachable: the folder cannot be written to.
        """
        try:
            self._complete_moves()
            if not self.unchanged(file):
                return
            target = self.folder / outcome
            target.mkdir(exist_ok=True)
            names = [path.name for path in (file.path, *file.companions)]
            moves = _free_names(target, names)
            _write_whole(
                self.folder / f"{_JOURNAL}{file.path.name}.json",
                json.dumps({"outcome": outcome, "moves": moves, "report": report}, ensure_ascii=False),
            )
            self._complete_moves()
        except OSError as problem:
            raise self._unreachable(problem) from problem

    def _matches(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in self.patterns)

    def _names(self) -> list[str]:
        return sorted(entry.name for entry in os.scandir(self.folder) if entry.is_file() and wanted(entry.name))

    def _settled(self, name: str, names: Sequence[str], now: float) -> list[tuple[int, DroppedFile]]:
        """The file with the time it was written at, if everything of it has settled."""
        newest, file = self._look(name, names)
        return [(file.path.stat().st_mtime_ns, file)] if now - newest >= self.settle_seconds else []

    def _look(self, name: str, names: Sequence[str]) -> tuple[float, DroppedFile]:
        """The file as it is now, and when something of it changed last.

        That is the inode's change, which whoever copies a file cannot set; moving a file back into the folder changes
        it too, and so it is read again.
        """
        companions = [other for other in names if other != name and self.belongs(name, other)]
        looks = [(self.folder / one).stat() for one in (name, *companions)]
        # An empty companion is left out: SQLite makes and removes such files when somebody merely reads.
        parts = [
            f"{one}:{look.st_size}:{look.st_mtime_ns}:{look.st_ctime_ns}"
            for one, look in zip((name, *companions), looks, strict=True)
            if look.st_size or one == name
        ]
        file = DroppedFile(
            self.folder / name,
            tuple(self.folder / other for other in companions),
            "|".join(parts),
            sum(look.st_size for look in looks),
            _EPOCH + timedelta(microseconds=looks[0].st_mtime_ns // 1000),
        )
        return max(look.st_ctime for look in looks), file

    def _complete_moves(self) -> None:
        """Carry out every move that is written down, as far as it is not done yet."""
        for journal in sorted(self.folder.glob(f"{_JOURNAL}*.json")):
            written = json.loads(journal.read_text(encoding="utf-8"))
            target = self.folder / written["outcome"]
            moves: dict[str, str] = written["moves"]
            for name, moved in moves.items():
                with suppress(FileNotFoundError):  # moved before the connector died
                    (self.folder / name).rename(target / moved)
            _write_whole(target / f"{next(iter(moves.values()))}.report.json", written["report"])
            journal.unlink()

    def _unreachable(self, problem: OSError) -> SourceUnreachable:
        reason = problem.strerror or type(problem).__name__
        return SourceUnreachable(str(self.folder), f"系统提示 {reason}", reason)


def wanted(name: str) -> bool:
    """Whether a name is neither hidden nor temporary."""
    return not name.startswith(".") and not any(fnmatch.fnmatchcase(name.lower(), form) for form in _TEMPORARY)


def _free_names(target: Path, names: Sequence[str]) -> dict[str, str]:
    """Name → name in the target folder, all under one number, so that a file and its companions stay together."""
    stem = Path(names[0]).stem
    for number in range(1, _NUMBERS_MAX):
        suffix = "" if number == 1 else f"-{number}"
        moves = {name: f"{stem}{suffix}{name.removeprefix(stem)}" for name in names}
        taken = [*moves.values(), f"{moves[names[0]]}.report.json"]
        if not any((target / name).exists() for name in taken):
            return moves
    raise FileExistsError(f"{target} holds too many files named {names[0]}")


def _write_whole(file: Path, text: str) -> None:
    """Write a file so that it is either there with all its text or not there."""
    unfinished = file.with_name(f".{file.name}.tmp")
    with unfinished.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)
