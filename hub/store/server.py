"""One PostgreSQL server over one data folder: made, started, stopped, found again after a kill.

Where the hub is root, PostgreSQL's processes run as an unprivileged account that may not be able to walk the path to
the data folder (``/root`` is closed to it). No folder is opened up for it: the hub opens the data folder itself and
hands the open descriptor down, and PostgreSQL is told ``-D /proc/self/fd/N``, which needs no walk. Its socket is
``../socket`` from there. Each server process inherits the descriptor.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from hub.store.account import Account
from hub.store.errors import ClusterBroken, ClusterFailed
from hub.store.install import Postgres

START_TIMEOUT_SECONDS = 600  # recovery replays at most max_wal_size
STOP_TIMEOUT_SECONDS = 300  # the last checkpoint writes all that is dirty
ORPHAN_TIMEOUT_SECONDS = 5
LOG_BYTES_MAX = 10 * 1024 * 1024
LOG_TAIL_LINES = 12
LOG_TAIL_BYTES = 8192
MARK = "HUB_POSTGRES_FOLDER"  # in the environment of all that is started here, to know it again after a kill
PROCESS_NAMES = {"postgres", "postmaster", "initdb", "pg_ctl", "sh"}
PROCESS_DESCRIPTORS = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Server:
    """``folder`` holds ``data``, ``socket`` and ``server.log``; the programs run as ``account``."""

    folder: Path
    postgres: Postgres
    account: Account

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def initialise(self, superuser: str, password: str, *, durable: bool) -> None:
        """Make the cluster. It appears under its name only when complete, so a kill half-way leaves nothing to mend."""
        self.stop_orphans()  # a killed starter's initdb may still be writing
        unfinished = self.folder / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        self.account.own(unfinished)
        with tempfile.TemporaryFile() as password_file:
            password_file.write(password.encode())
            password_file.flush()
            self.account.own_open(password_file.fileno())
            options = [f"--username={superuser}", f"--pwfile=/dev/fd/{password_file.fileno()}", "--no-instructions"]
            options += ["--encoding=UTF8", *_locale_options(), "--auth=scram-sha-256"]
            options += [] if durable else ["--no-sync"]
            self._run("initdb", options, "make a cluster", folder=unfinished, also_pass=password_file.fileno())
        unfinished.rename(self.data)
        _sync(self.folder)

    def start(self, settings: Mapping[str, str]) -> None:
        """Start and wait until it accepts connections. A start that is broken off leaves no server behind."""
        self._turn_log()
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        arguments = ["start", "-w", "-t", str(START_TIMEOUT_SECONDS), "-o", options]
        try:
            self._run("pg_ctl", arguments, "start")
        except BaseException:
            self.stop_orphans()
            raise

    def stop(self) -> None:
        """Stop fast: open transactions are rolled back, what was committed stays."""
        try:
            self._run("pg_ctl", ["stop", "-w", "-m", "fast", "-t", str(STOP_TIMEOUT_SECONDS)], "stop")
        except ClusterFailed:
            self.stop_orphans()

    def running(self) -> int | None:
        """The postmaster's process id, if it lives and works in this data folder (ids are used again by others)."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", maxsplit=1)[0])
        except (OSError, ValueError):
            return None
        return pid if _works_in(pid, self.data) else None

    def stop_orphans(self) -> None:
        """End what a killed starter or postmaster left behind, and only then forget its lock files.

        A backend busy in a long statement outlives its postmaster; a second postmaster beside it would ruin the data.
        PostgreSQL guards against that by lock files, but takes any process that has the old id for the old postmaster.
        """
        left = [pid for pid in psutil.pids() if self._belongs_here(pid)]
        for number in (signal.SIGQUIT, signal.SIGKILL):
            for pid in left:
                _send(pid, number)
            left = self._wait_for_end(left)
        if left:
            raise ClusterBroken(folder=str(self.folder), problem=f"old processes {left} cannot be ended")
        for lock_file in (self.data / "postmaster.pid", *(self.folder / "socket").glob(".s.PGSQL.*")):
            lock_file.unlink(missing_ok=True)

    def log_tail(self) -> str:
        """The end of the server's log, for error messages."""
        try:
            with self.log.open("rb") as lines:
                lines.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
                text = lines.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-LOG_TAIL_LINES:])

    def _belongs_here(self, pid: int) -> bool:
        """Whether a process was started for this cluster: it works in the data folder, or is about to."""
        try:
            process = psutil.Process(pid)
            if process.name() not in PROCESS_NAMES or process.status() == psutil.STATUS_ZOMBIE:
                return False
            return _works_in(pid, self.data) or process.environ().get(MARK) == str(self.folder)
        except psutil.Error:
            return False

    def _wait_for_end(self, pids: list[int]) -> list[int]:
        deadline = time.monotonic() + ORPHAN_TIMEOUT_SECONDS
        while (left := [pid for pid in pids if self._belongs_here(pid)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def _run(
        self, program: str, options: list[str], action: str, *, folder: Path | None = None, also_pass: int | None = None
    ) -> None:
        """Run one of PostgreSQL's programs. Output goes to the log: the server keeps what it inherits open."""
        with self._reach(folder or self.data) as (argument, descriptors), self._open_log() as log:
            passed = descriptors if also_pass is None else (*descriptors, also_pass)
            command = [self.postgres.program(program), "-D", argument, *options]
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",  # the programs return to where they were started, so it must be open to them
                env={"PATH": "/usr/bin:/bin", "LC_MESSAGES": "C", "TZ": "UTC", MARK: str(self.folder)},
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=None if self.account.uid is None else [],
                pass_fds=passed,
                start_new_session=True,  # Ctrl-C in the terminal is for the hub, which then stops the server in order
                check=False,
            )
        if done.returncode != 0:
            raise ClusterFailed(action=action, output=self.log_tail())

    @contextmanager
    def _reach(self, folder: Path) -> Generator[tuple[str, tuple[int, ...]]]:
        """The name by which PostgreSQL reaches a folder, and the descriptors it needs for that."""
        if self.account.uid is None or not PROCESS_DESCRIPTORS.exists():
            yield str(folder), ()
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            yield str(PROCESS_DESCRIPTORS / str(descriptor)), (descriptor,)
        finally:
            os.close(descriptor)

    @contextmanager
    def _open_log(self) -> Generator[int]:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _turn_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))


def _sync(folder: Path) -> None:
    """Make names in a folder durable: a cluster that acknowledged must not lose its own after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locale_options() -> list[str]:
    """Characters as UTF-8, so that Chinese has trigrams; order by code point, the same on every machine."""
    if sys.platform == "darwin":  # has no C.UTF-8
        return ["--locale=C", "--lc-ctype=en_US.UTF-8"]
    return ["--locale=C.UTF-8"]


def _works_in(pid: int, data: Path) -> bool:
    """Whether a process is a living PostgreSQL over ``data``: all of a server's processes work in its data folder."""
    try:
        process = psutil.Process(pid)
        if not process.name().startswith(("postgres", "postmaster")) or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it may end by itself meanwhile
        os.kill(pid, number)
