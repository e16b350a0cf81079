"""Processes that outlive the command that started them: known again by id and time of birth, ended in order."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

STOP_SECONDS = 30.0
_LOG_TAIL_BYTES, _LOG_TAIL_LINES = 8192, 15


@dataclass(frozen=True, slots=True)
class Started:
    """A process of the stack. Ids are used again, so its time of birth (seconds since 1970) belongs to it."""

    name: str
    pid: int
    born: float
    log: str

    def process(self) -> psutil.Process | None:
        """The process while it lives."""
        try:
            found = psutil.Process(self.pid)
            is_it = found.create_time() == self.born and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return found if is_it else None

    def log_tail(self) -> str:
        """The last lines it wrote."""
        return tail(Path(self.log))


def start(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Started:
    """Start a process of its own session, its output in ``<folder>/<name>.log``."""
    log = folder / f"{name}.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    process.returncode = 0  # it is to outlive this command: nobody waits for it here
    return Started(name, process.pid, psutil.Process(process.pid).create_time(), str(log))


def stop(started: Sequence[Started]) -> list[str]:
    """End what still lives of these and of what they started, the last first; returns the names of what was ended."""
    ended: list[str] = []
    for one in reversed(started):
        process = one.process()
        if process is None:
            continue
        family = [process, *process.children(recursive=True)]
        for member in family:
            _send(member, kill=False)
        _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
        for member in left:
            _send(member, kill=True)
        psutil.wait_procs(left, timeout=STOP_SECONDS)
        ended.append(one.name)
    return ended


def tail(log: Path) -> str:
    """The end of a log file; empty where there is none."""
    try:
        with log.open("rb") as lines:
            lines.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            text = lines.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-_LOG_TAIL_LINES:])


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return
