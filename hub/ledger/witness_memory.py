"""What a witness remembers, in a file of its own outside the database: which ledger, whose key, how far.

Written whole before a cosignature leaves the witness, so that whatever it cosigned it also remembers. A file that
cannot be read is an error, never a fresh start: a witness that forgot would cosign another past.
"""

import base64
import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from hub.ledger.errors import WitnessStateUnusable
from hub.ledger.tree import EMPTY_ROOT

ALARMS_MAX: Final = 100
FILE_BYTES_MAX: Final = 1024 * 1024
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """The last checkpoint a witness cosigned.

    Args:
        origin: the ledger's name; empty before the first checkpoint.
        ledger_pem: the ledger's public key, pinned with the first checkpoint or given before.
        size: of the last checkpoint.
        root: of the last checkpoint.
        unix_ms: of the last checkpoint.
        note: the last checkpoint, whole.
        alarms: what was refused, as sentences with their time, the newest last.
    """

    origin: str = ""
    ledger_pem: str = ""
    size: int = 0
    root: bytes = EMPTY_ROOT
    unix_ms: int = 0
    note: str = ""
    alarms: tuple[str, ...] = ()

    def with_alarm(self, sentence: str) -> "Memory":
        """One alarm more; the oldest go."""
        return replace(self, alarms=(*self.alarms, sentence)[-ALARMS_MAX:])


def read_memory(file: Path) -> Memory:
    """What the file holds; a file that is not there is a witness that has seen nothing yet.

    Raises:
        WitnessStateUnusable: it is there and cannot be read.
    """
    try:
        text = file.read_bytes() if file.exists() else None
    except OSError as error:
        raise WitnessStateUnusable(file.name, error.strerror or "") from error
    if text is None:
        return Memory()
    if len(text) > FILE_BYTES_MAX:
        raise WitnessStateUnusable(file.name, f"over {FILE_BYTES_MAX} bytes")
    try:
        members = json.loads(text)
        version = members.pop("v")
        root = base64.b64decode(members.pop("root"), validate=True)
        memory = Memory(root=root, alarms=tuple(members.pop("alarms")), **members)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WitnessStateUnusable(file.name, f"{type(error).__name__}: {error}"[:200]) from error
    if version != VERSION:
        raise WitnessStateUnusable(file.name, f"of version {version}, not {VERSION}")
    return memory


def write_memory(file: Path, memory: Memory) -> None:
    """Put the file in place whole, durable when this returns.

    Raises:
        WitnessStateUnusable: it cannot be written.
    """
    members = asdict(memory) | {"v": VERSION, "root": base64.b64encode(memory.root).decode("ascii")}
    fresh = file.with_suffix(".new")
    try:
        with fresh.open("wb") as opened:
            opened.write(json.dumps(members, ensure_ascii=False, indent=1).encode())
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise WitnessStateUnusable(file.name, error.strerror or "") from error


@contextmanager
def alone(file: Path) -> Generator[None]:
    """Only one process is this witness; the lock ends with the process, however it ends.

    Raises:
        WitnessStateUnusable: another process is.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.with_suffix(".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WitnessStateUnusable(file.name, "another process is this witness") from error
        yield
