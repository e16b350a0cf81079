"""Files that hold keys: made whole or not at all, by the first who asks; read only where nobody else can."""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hub.keys_errors import KeyFileOpen, KeyFileUnreadable

KEY_FILE_BYTES_MAX: Final = 8192
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_PART = ".part"


def ready_folder(folder: Path) -> None:
    """Make the folder where there is none, for its owner alone.

    Raises:
        KeyFileOpen: it is there, and others may enter it.
        KeyFileUnreadable: it is no folder, or cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(FOLDER_MODE)
        found = folder.stat()
    except OSError as problem:
        raise _unreadable(folder, problem) from None
    if not stat.S_ISDIR(found.st_mode):
        raise KeyFileUnreadable(file=str(folder), problem="not a folder")
    _closed(folder, found, FOLDER_MODE)


def is_unused(folder: Path) -> bool:
    """Whether no key was ever made here; what a killed process left half made does not count."""
    return all(file.name.endswith(_PART) for file in folder.iterdir())


def read_key_file(file: Path) -> str | None:
    """What a key file holds; None where there is none.

    Raises:
        KeyFileOpen: others may read or replace it.
        KeyFileUnreadable: it cannot be read, is a link, or too long to be a key.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _unreadable(file, problem) from None
    with os.fdopen(descriptor, "rb") as opened:
        # Of the opened file, so that no other can be put in its place between the look and the reading.
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise KeyFileUnreadable(file=str(file), problem="not a file")
        _closed(file, found, FILE_MODE)
        content = opened.read(KEY_FILE_BYTES_MAX + 1)
    if len(content) > KEY_FILE_BYTES_MAX or not content.isascii():
        raise KeyFileUnreadable(file=str(file), problem="it does not hold a key")
    return content.decode("ascii")


def read_or_make(file: Path, make: Callable[[], str]) -> str:
    """What a key file holds; where there is none, ``make`` says what it will.

    Of two processes that make it at once the first wins and both read what it wrote: the file is written under another
    name, forced to the disk, and only then linked to its own, which fails where the name is taken.
    """
    found = read_key_file(file)
    if found is not None:
        return found
    part = file.with_name(f"{file.name}.{secrets.token_hex(8)}{_PART}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as written:
                written.write(make())
                written.flush()
                os.fsync(written.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(part, file)
        finally:
            part.unlink(missing_ok=True)
        _force_to_disk(file.parent)
    except OSError as problem:
        raise _unreadable(file, problem) from None
    found = read_key_file(file)
    if found is None:
        raise KeyFileUnreadable(file=str(file), problem="removed while it was made")
    return found


def _force_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _closed(path: Path, found: os.stat_result, wanted: int) -> None:
    if found.st_mode & _OTHERS or found.st_uid not in {os.geteuid(), 0}:
        raise KeyFileOpen(file=str(path), mode=f"{stat.S_IMODE(found.st_mode):04o}", wanted=f"{wanted:04o}")


def _unreadable(file: Path, problem: OSError) -> KeyFileUnreadable:
    return KeyFileUnreadable(file=str(file), problem=problem.strerror or type(problem).__name__)
