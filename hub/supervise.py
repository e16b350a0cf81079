"""Keeps child processes running: what dies is started again after a growing pause, and nothing outlives the parent.

Each child holds the reading end of a pipe as its input and ends when the pipe does, so a parent that is killed takes
its children along, on any system.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 10.0
STEADY_SECONDS = 20.0  # a child that ran so long starts again without a pause
STOP_SECONDS_MAX = 20.0
TICK_SECONDS = 0.1

Tell = Callable[[str], None]


@dataclass(slots=True)
class Child:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    running: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause: float = field(default=PAUSE_SECONDS)

    def start(self, now: float) -> None:
        """Start it in a session of its own: the terminal's Ctrl-C reaches the parent alone."""
        self.running = subprocess.Popen(
            self.command, env=dict(self.environment), stdin=subprocess.PIPE, start_new_session=True
        )
        self.started_at = now

    def look(self, now: float, tell: Tell) -> None:
        """Notice its end; start it when its time has come."""
        if self.running is not None and self.running.poll() is not None:
            tell(f"{self.name} ended with {self.running.returncode}; starts again")
            if now - self.started_at > STEADY_SECONDS:
                self.pause = PAUSE_SECONDS
            self.start_again_at = now + self.pause
            self.pause = min(self.pause * 2, PAUSE_SECONDS_MAX)
            self._close()
        if self.running is None and now >= self.start_again_at:
            self.start(now)

    def ask_to_stop(self) -> None:
        """SIGTERM, and the end of its input."""
        if self.running is not None:
            with contextlib.suppress(ProcessLookupError):
                self.running.terminate()
            if self.running.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self.running.stdin.close()

    def wait_or_kill(self, deadline: float) -> None:
        """Wait until the deadline, then kill it and what it started."""
        if self.running is None:
            return
        try:
            self.running.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()
        self._close()

    def _close(self) -> None:
        if self.running is not None and self.running.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.running.stdin.close()
        self.running = None


def supervise(children: Sequence[Child], stopping: threading.Event, look_after: Callable[[], None], tell: Tell) -> None:
    """Keep the children running until told to stop, then end them all; ``look_after`` runs about every second."""
    next_look = time.monotonic() + 1
    try:
        while not stopping.is_set():
            now = time.monotonic()
            for child in children:
                child.look(now, tell)
            if now >= next_look:
                look_after()
                next_look = time.monotonic() + 1
            stopping.wait(TICK_SECONDS)
    finally:
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for child in children:
            child.wait_or_kill(deadline)


@contextmanager
def stop_signals() -> Generator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the signals are as before afterwards."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


def end_with_input() -> None:
    """For children: SIGTERM to oneself when the input ends, which is when the parent is gone."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
