"""Retention: while workers run, the log forgets what is old and read."""

import contextlib
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta

from hub.beside import going_on_beside
from hub.errors import LogUnavailable
from hub.exchange.log import Log

SWEEP_SECONDS = 60.0


@contextmanager
def sweeping(
    log: Log, kept: timedelta, clock: Callable[[], datetime], every_seconds: float = SWEEP_SECONDS
) -> Generator[None]:
    """Sweep what is older than ``kept`` once in a while, on a thread of its own, until the block ends."""

    def sweep(stopping: threading.Event) -> None:
        while not stopping.wait(every_seconds):
            with contextlib.suppress(LogUnavailable):  # whoever works here notices by himself, and the next one sweeps
                log.sweep(clock() - kept)

    with going_on_beside("log-sweep", sweep):
        yield
