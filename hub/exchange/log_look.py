"""Whether a log answers, for whoever may ask: looked at by one thread at a time, and not too often."""

import threading
import time

from hub.errors import LogUnavailable
from hub.exchange.log import Log

LOOK_SECONDS = 1.0


class LogLook:
    """The last look at a log. Threads may share it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._looking = threading.Lock()
        self._looked_at: float | None = None
        self._problem: str | None = None

    def require(self) -> None:
        """See whether the log answers, as of a second ago.

        Anybody may ask: who asks while another thread looks is told what was seen last, and waits for the first look
        alone.

        Raises:
            LogUnavailable: it does not; no batch can be taken.
        """
        if self._looking.acquire(blocking=self._looked_at is None):
            try:
                if self._looked_at is None or time.monotonic() - self._looked_at > LOOK_SECONDS:
                    self._look()
            finally:
                self._looking.release()
        if self._problem is not None:
            raise LogUnavailable(problem=self._problem)

    def _look(self) -> None:
        try:
            self._log.topics()
        except LogUnavailable as error:
            self._problem = error.problem
        else:
            self._problem = None
        self._looked_at = time.monotonic()
