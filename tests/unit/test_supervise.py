"""Children are kept running, stopped cleanly, and never outlive their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hub.supervise import Child, supervise

ROOT = Path(__file__).parents[2]


def child(code: str) -> Child:
    return Child("child", [sys.executable, "-c", code], os.environ)


def eventually(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_that_dies_is_started_again_and_stopped_in_the_end():
    sleeper = child("import time; time.sleep(60)")
    stopping, told = threading.Event(), list[str]()
    thread = threading.Thread(target=supervise, args=([sleeper], stopping, lambda: None, told.append))
    thread.start()
    eventually(lambda: sleeper.running)
    first = sleeper.running
    assert first is not None
    first.kill()
    eventually(lambda: sleeper.running not in {None, first})
    second = sleeper.running
    stopping.set()
    thread.join(10)
    assert second is not None
    assert second.returncode == -signal.SIGTERM
    assert told == ["child ended with -9; starts again"]


def test_a_child_that_keeps_dying_is_started_ever_more_slowly():
    failing = child("raise SystemExit(3)")
    stopping, told = threading.Event(), list[str]()
    thread = threading.Thread(target=supervise, args=([failing], stopping, lambda: None, told.append))
    thread.start()
    eventually(lambda: len(told) >= 2)
    stopping.set()
    thread.join(10)
    assert failing.pause >= 0.4
    assert failing.running is None


def test_a_killed_parent_takes_its_children_along(tmp_path: Path):
    parent = f"""
import os, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from hub.supervise import Child, supervise
code = '''
import os, sys, time
sys.path.insert(0, {str(ROOT)!r})
from hub.supervise import end_with_input
end_with_input()
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()) + chr(10))
time.sleep(60)
'''
supervise([Child("c", [sys.executable, "-c", code], os.environ)], threading.Event(), lambda: None, print)
"""
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        file = tmp_path / "pid"
        eventually(lambda: file.exists() and file.read_text().endswith("\n"))
        pid = int(file.read_text())
        process.kill()
    eventually(lambda: not alive(pid))
