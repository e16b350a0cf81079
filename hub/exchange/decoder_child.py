"""The decoding child: the one process in which strangers' bytes meet polars. Started by ``decoder``, not by people.

It has a bound on its memory, no credentials in its environment and no output but the pipe. It ends with its parent,
and after any sign that a library in it is no longer sound.
"""

import ctypes
import importlib
import io
import json
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from hub.exchange.prepared import Prepared
from hub.exchange.wire import read_message, write_message
from schemas.batch import Limits
from schemas.contract import Contract, parse_contract
from schemas.envelope import Envelope, parse_envelope
from schemas.errors import BatchTooLarge, DecoderDied, DecoderFailed, HubError

Prepare = Callable[[Contract, Envelope, bytes, datetime, Limits, bytes], Prepared]

_PR_SET_PDEATHSIG: Final = 1
_CONTRACTS_REMEMBERED: Final = 32
_OURS: Final = ("hub", "schemas")


class _Task(NamedTuple):
    number: int
    now: datetime
    contract_source: str
    envelope: bytes
    container: bytes
    marks: bytes


class _Answer(NamedTuple):
    """What goes back; ``ending`` when this process is not to be trusted with another batch."""

    header: Mapping[str, Any]
    parts: list[bytes]
    ending: bool


def main(options_text: str) -> None:
    """Answer tasks until the input ends."""
    options = json.loads(options_text)
    _end_with_parent(options["parent"])
    _bound_resources(options["memory_bytes_max"])
    answers = _take_output()
    limits = Limits(**options["limits"])
    tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks, options["task_bytes_max"]), daemon=True).start()
    prepare = _entry(options["entry"])
    write_message(answers, {"state": "ready"})
    while True:
        task = tasks.get()
        write_message(answers, {"state": "began", "number": task.number})
        answer = _work(task, prepare, limits, options["result_bytes_max"])
        state = {"state": "done", "number": task.number, "ending": answer.ending, "prepared": answer.header}
        write_message(answers, state, answer.parts)
        if answer.ending:
            os._exit(0)


def _end_with_parent(parent: int) -> None:
    """Linux kills this process when the thread that started it ends; elsewhere the end of the input must do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets the batch under way finish
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _bound_resources(memory_bytes_max: int) -> None:
    for kind, wanted in ((resource.RLIMIT_AS, memory_bytes_max), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (bound, bound))


def _take_output() -> io.RawIOBase:
    """The pipe for answers; whatever a library prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _receive(tasks: "queue.SimpleQueue[_Task]", task_bytes_max: int) -> None:
    """Take tasks in while one is worked on, so that the parent's pipe drains; the end of the input ends the process."""
    try:
        while (message := read_message(sys.stdin.buffer, task_bytes_max)) is not None:
            header, (source, envelope, container, marks) = message
            now = datetime.fromisoformat(header["now"])
            tasks.put(_Task(header["number"], now, source.decode(), envelope, container, marks))
    finally:
        os._exit(0)


def _entry(name: str) -> Prepare:
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


def _work(task: _Task, prepare: Prepare, limits: Limits, result_bytes_max: int) -> _Answer:
    try:
        envelope = parse_envelope(task.envelope)
        prepared = prepare(_contract(task.contract_source), envelope, task.container, task.now, limits, task.marks)
        header, parts = prepared.to_wire()
        _bound_result(sum(len(part) for part in parts), result_bytes_max)
    except HubError as refusal:
        return _refused(refusal, ending=_panicked(refusal))
    except MemoryError:
        return _refused(DecoderDied(how="out of memory"), ending=True)
    except Exception as defect:  # noqa: BLE001 - a defect met by one batch must not stop the others
        return _refused(DecoderFailed(where=_where(defect)), ending=_panicked(defect))
    except BaseException as panic:  # noqa: BLE001 - polars' PanicException is no Exception
        return _refused(DecoderDied(how=type(panic).__name__), ending=True)
    return _Answer(header, parts, ending=prepared.panicked)


def _bound_result(size: int, result_bytes_max: int) -> None:
    if size > result_bytes_max:
        zh, en = "检查后的字节数", "bytes once checked"
        raise BatchTooLarge(part_zh=zh, part_en=en, found=size, maximum=result_bytes_max)


@lru_cache(maxsize=_CONTRACTS_REMEMBERED)
def _contract(source: str) -> Contract:
    return parse_contract(source)


def _refused(refusal: HubError, *, ending: bool) -> _Answer:
    header, parts = Prepared(received=0, refusal=refusal.to_json()).to_wire()
    return _Answer(header, parts, ending)


def _panicked(error: BaseException | None) -> bool:
    """Whether a panic, or want of memory, stands anywhere behind the error."""
    while error is not None:
        if isinstance(error, MemoryError) or not isinstance(error, Exception):
            return True
        error = error.__cause__ or error.__context__
    return False


def _where(defect: Exception) -> str:
    """Kind and place of a defect. Never its message, which may quote a record."""
    frames = [frame for frame in traceback.extract_tb(defect.__traceback__) if _is_ours(frame.filename)]
    if not frames:
        return type(defect).__name__
    path = frames[-1].filename.replace(os.sep, "/").split("/")
    return f"{type(defect).__name__}, {path[-2]}/{path[-1]}:{frames[-1].lineno}"


def _is_ours(filename: str) -> bool:
    return "site-packages" not in filename and any(f"{os.sep}{room}{os.sep}" in filename for room in _OURS)


if __name__ == "__main__":
    main(sys.argv[1])
