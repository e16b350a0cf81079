"""The decoder: a worker's side of the long-lived child process that reads strangers' bytes.

The child takes a batch in while it works on the one before, and what it has finished is fetched from the pipe at
once: threads write and read, so that neither side ever waits for the other's full pipe. A batch on which two children
die is refused; the batches behind it go to a new child.
"""

import contextlib
import fcntl
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any, Final

from hub.errors import DecoderUnusable
from hub.exchange.prepared import Prepared
from hub.exchange.wire import WireError, read_message, write_message
from schemas.batch import Limits
from schemas.errors import BatchError, DecoderDied, DecoderTimeout

IN_FLIGHT_MAX: Final = 2  # one worked on, one behind it
STARTS_MAX: Final = 3
DEATHS_MAX: Final = 2
START_SECONDS_MAX: Final = 60.0
PIPE_BYTES: Final = 1024 * 1024
MEMORY_BYTES_MAX: Final = 2 * 1024**3
RESULT_TO_INFLATED: Final = 4  # COPY text and quarantine entries are longer than the records they come from
MARK_BYTES: Final = 16  # length and moment of a single record
CHILD: Final = "hub.exchange.decoder_child"
ENTRY: Final = "hub.exchange.prepare:prepare"
# The child gets no settings and no credentials, only what Python needs to start.
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZDIR")


@dataclass(slots=True)
class _Task:
    number: int
    header: Mapping[str, Any]
    parts: Sequence[bytes]
    sent_at: float = 0.0
    began_at: float | None = None
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class _Event:
    """Something the child said; ``state`` is ready, began, done or gone."""

    state: str
    at: float
    header: Mapping[str, Any]
    parts: Sequence[bytes] = ()


class Decoder:
    """Decodes and checks batches in a child process. Not shared between threads.

    Linux ends the child with the thread that started it, so the thread that makes a decoder is the one that uses it.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        memory_bytes_max: int = MEMORY_BYTES_MAX,
        seconds_max: float = 60.0,
        threads: int = 1,
        entry: str = ENTRY,
    ) -> None:
        self._seconds_max = seconds_max
        self._environment = _environment(threads)
        result_bytes_max = RESULT_TO_INFLATED * limits.inflated_bytes_max
        self.limits = limits
        self._options = {
            "limits": asdict(limits),
            "memory_bytes_max": int(memory_bytes_max),
            "task_bytes_max": limits.bytes_max + 4 * limits.schema_bytes_max + MARK_BYTES * limits.records_max,
            "result_bytes_max": result_bytes_max,
            "entry": entry,
        }
        self._result_bytes_max = result_bytes_max
        self._tasks: deque[_Task] = deque()
        self._submitted = 0
        self._starts_failed = 0
        self._child = self._start()

    @property
    def pid(self) -> int:
        """The child's process id at this moment."""
        return self._child.pid

    def submit(
        self, contract_source: str, envelope: bytes, container: bytes, now: datetime, marks: bytes = b""
    ) -> None:
        """Hand in a batch; returns at once. At most two may be in hand without ``result``.

        Args:
            contract_source: the contract's text.
            envelope: canonical bytes.
            container: the container file.
            now: aware time of the check.
            marks: of the records of a run (``FramedRun.marks``); of a batch there are none.
        """
        if len(self._tasks) >= IN_FLIGHT_MAX:
            raise RuntimeError("take a result before submitting more")
        self._submitted += 1
        header = {"number": self._submitted, "now": now.isoformat()}
        task = _Task(self._submitted, header, (contract_source.encode(), envelope, container, marks))
        self._tasks.append(task)
        self._send(task)

    def result(self) -> Prepared:
        """The oldest submitted batch, prepared or refused. Waits for it, but not for ever.

        Raises:
            DecoderUnusable: the child does not start.
        """
        task = self._tasks[0]
        while True:
            event = self._child.next_event(self._patience(task))
            match event:
                case None:
                    answer = self._out_of_time(task)
                case _Event(state="ready"):
                    answer = None
                case _Event(state="began"):
                    task.began_at, self._starts_failed, answer = event.at, 0, None
                case _Event(state="done"):
                    answer = self._done(event)
                case _:
                    answer = self._gone(task)
            if answer is not None:
                return answer

    def close(self) -> None:
        """End the child; batches in hand are forgotten."""
        self._tasks.clear()
        self._child.end()

    def _start(self) -> "_Child":
        return _Child({**self._options, "parent": os.getpid()}, self._environment, self._result_bytes_max)

    def _send(self, task: _Task) -> None:
        task.sent_at, task.began_at = time.monotonic(), None
        self._child.send(task.header, task.parts)

    def _patience(self, task: _Task) -> float:
        """Seconds to wait for the child's next word on this task."""
        if task.began_at is None:
            return max(self._child.started_at, task.sent_at) + START_SECONDS_MAX - time.monotonic()
        return task.began_at + self._seconds_max - time.monotonic()

    def _done(self, event: _Event) -> Prepared:
        try:
            prepared = Prepared.from_wire(event.header["prepared"], event.parts)
        except (KeyError, TypeError, ValueError):
            return self._refuse(DecoderDied(how="unreadable answer"))
        self._tasks.popleft()
        if event.header.get("ending"):
            self._replace()
        return prepared

    def _out_of_time(self, task: _Task) -> Prepared | None:
        if task.began_at is None:
            return self._not_started("no answer")
        return self._refuse(DecoderTimeout(seconds=self._seconds_max))

    def _gone(self, task: _Task) -> Prepared | None:
        how = self._child.end()
        # A child that ended before it began the batch says nothing against the batch.
        if task.began_at is None:
            return self._not_started(how)
        # One death may be the machine's doing, as when memory runs short; the same batch twice is the batch's.
        task.deaths += 1
        if task.deaths < DEATHS_MAX:
            return self._replace()
        return self._refuse(DecoderDied(how=how))

    def _not_started(self, how: str) -> None:
        self._replace()  # also before giving up: whoever asks again asks a new child
        self._starts_failed += 1
        if self._starts_failed >= STARTS_MAX:
            self._starts_failed = 0
            raise DecoderUnusable(how=how, starts=STARTS_MAX)

    def _refuse(self, error: BatchError) -> Prepared:
        self._tasks.popleft()
        self._replace()
        return Prepared(received=0, refusal=error.to_json())

    def _replace(self) -> None:
        self._child.end()
        self._child = self._start()
        for task in self._tasks:
            self._send(task)


class _Child:
    """One process, a thread that writes to it and one that reads from it."""

    def __init__(self, options: Mapping[str, Any], environment: Mapping[str, str], result_bytes_max: int) -> None:
        self.started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", CHILD, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a panic's message may quote a record
            env=dict(environment),
        )
        self._outgoing: queue.SimpleQueue[tuple[Mapping[str, Any], Sequence[bytes]] | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._result_bytes_max = result_bytes_max
        self._threads = (
            threading.Thread(target=self._write, name="decoder-writer", daemon=True),
            threading.Thread(target=self._read, name="decoder-reader", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, header: Mapping[str, Any], parts: Sequence[bytes]) -> None:
        """Queue a message; the writing thread waits for the pipe."""
        self._outgoing.put((header, parts))

    def next_event(self, timeout_seconds: float) -> _Event | None:
        """What the child said next; None when it stayed silent."""
        try:
            return self._events.get(timeout=max(timeout_seconds, 0.0))
        except queue.Empty:
            return None

    def end(self) -> str:
        """Kill the process if it still runs, wait for it and its threads; says how it ended."""
        self._process.kill()
        code = self._process.wait()
        self._outgoing.put(None)
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not taken any more
                    stream.close()
        return f"signal {_signal_name(-code)}" if code < 0 else f"exit {code}"

    def _write(self) -> None:
        stream = self._process.stdin
        assert isinstance(stream, io.BufferedWriter)  # noqa: S101 - opened as a pipe
        _widen(stream)
        while (message := self._outgoing.get()) is not None:
            try:
                write_message(stream.raw, *message)
            except OSError:  # the child is gone: the reading thread tells
                return

    def _read(self) -> None:
        stream = self._process.stdout
        assert isinstance(stream, io.BufferedReader)  # noqa: S101 - opened as a pipe
        _widen(stream)
        try:
            while (message := read_message(stream, self._result_bytes_max)) is not None:
                header, parts = message
                self._events.put(_Event(str(header.get("state")), time.monotonic(), header, parts))
        except (WireError, OSError):
            pass  # broken off or nonsense: either way there is no child to talk to any more
        self._events.put(_Event("gone", time.monotonic(), {}))


def _widen(stream: IO[bytes]) -> None:
    """Let the pipe hold more, so that a batch takes fewer turns; Linux only, and only where it is allowed."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _environment(threads: int) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # Each thread of the allocator reserves address space, of which the child has a bounded amount.
    return {**passed_on, "POLARS_MAX_THREADS": str(threads), "MALLOC_ARENA_MAX": "2"}
