"""Programs the demo starts, and that none of them outlives it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from seeds.demo_errors import CommandFailed

STOP_SECONDS = 60
LOOPBACK = "127.0.0.1"


def program(name: str) -> str:
    """The command line installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a short command to its end; returns what it printed."""
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, check=False, start_new_session=True
    )
    if done.returncode != 0:
        raise CommandFailed(command, done.returncode, done.stderr or done.stdout)
    return done.stdout


def free_port(preferred: int) -> int:
    """The preferred port where nobody listens on it, else any free one."""
    for port in (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            # As servers do, so that a connection still closing does not look like somebody listening.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise OSError("no free port")


class Processes:
    """Started programs, each in a session of its own: Ctrl-C reaches the demo alone, which stops them in order."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not cut the stopping short.
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with contextlib.suppress(ValueError):
            for number in before:
                signal.signal(number, signal.SIG_IGN)
        for process in reversed(self._running):
            stop(process)
        with contextlib.suppress(ValueError):
            for number, disposition in before.items():
                signal.signal(number, disposition)

    def start(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program that writes into a log file."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; after a minute, end its whole session."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for people."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
