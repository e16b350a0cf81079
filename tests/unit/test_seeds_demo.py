import json
import os
import stat
import sys
import time
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from seeds import demo_setup
from seeds.demo_errors import CommandFailed
from seeds.demo_processes import Processes, run, tail
from seeds.demo_summary import Outcome, show_receipts
from seeds.demo_watch import Standing
from seeds.roster import DATASETS, ORGANIZATIONS

TREE = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


def test_leaving_the_demo_ends_what_it_started_and_what_that_started(tmp_path: Path):
    with Processes(os.environ) as processes:
        started = psutil.Process(processes.start([sys.executable, "-c", TREE], tmp_path / "log").pid)
        deadline = time.monotonic() + 10
        while not (children := started.children()) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert children
    gone, alive = psutil.wait_procs([started, *children], timeout=5)
    assert not alive, gone


def test_a_failing_command_says_what_it_printed():
    with pytest.raises(CommandFailed, match="no such thing"):
        run([sys.executable, "-c", "import sys; sys.exit('no such thing')"], os.environ)


def test_the_end_of_a_log_is_shown(tmp_path: Path):
    (tmp_path / "log").write_text("\n".join(str(number) for number in range(100)))
    assert tail(tmp_path / "log", 2) == "98\n99"
    assert tail(tmp_path / "absent") == ""


def test_seven_organizations_share_eleven_datasets():
    assert len(ORGANIZATIONS) == 7
    assert len(DATASETS) == 11
    assert {dataset.organization for dataset in DATASETS} == {organization.id for organization in ORGANIZATIONS}


def test_tokens_are_readable_by_their_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[list[str]] = []

    def answer(command: list[str], _: object) -> str:
        asked.append(command)
        return json.dumps({"token": "secret"})

    monkeypatch.setattr(demo_setup, "run", answer)
    demo_setup.register(tmp_path, {}, lambda _: None)
    files = demo_setup.token_files(tmp_path)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
    assert {stat.S_IMODE(file.parent.stat().st_mode) for file in files.values()} == {0o700}
    before = len(asked)
    demo_setup.register(tmp_path, {}, lambda _: None)
    assert len(asked) == before  # a second run asks nothing


def test_counts_that_differ_from_the_promise_are_shown_and_noticed():
    expected = {"received": 10, "accepted": 9, "rejected": 1, "pending": 0}
    right = Outcome(DATASETS[0], Standing(10, 1, 0, 0, None), 10, 2.0, expected)
    wrong = Outcome(DATASETS[0], Standing(10, 2, 0, 0, None), 10, 2.0, expected)
    assert not right.differs
    assert wrong.differs
    console = Console(file=StringIO(), width=200)
    show_receipts(console, [wrong], "en")
    assert "8 ≠ 9" in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]  # a StringIO
