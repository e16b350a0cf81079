"""What ran in the night, and how: kept as each test ends, so that a run that was cut short goes on where it stopped.

``.nightly/<commit>.json`` holds what has passed of this commit; such a test is not run again (``NIGHTLY_AGAIN=1`` runs
all). ``docs/nightly.md`` is the dated table of how each test went last, to be committed.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import running_stack

collect_ignore = [] if running_stack.is_there() else ["test_leader_change.py"]
ROOT = Path(__file__).parents[2]
KEPT, TABLE = ROOT / ".nightly", ROOT / "docs" / "nightly.md"
HEAD = """# What ran in the night

How each test of `make nightly` went last, by date (UTC) and commit; written by the run itself.

| test | went | s | on | commit |
|---|---|---|---|---|
"""


def _commit() -> str:
    """The commit, marked where files differ from it: what passed then says nothing of them."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


class _Record:
    """Outcomes of one commit, and the table of all."""

    def __init__(self) -> None:
        self.commit = _commit()
        self._file = KEPT / f"{self.commit}.json"
        is_kept = self._file.exists() and not self.commit.endswith("-dirty") and "NIGHTLY_AGAIN" not in os.environ
        self.known: dict[str, dict[str, Any]] = json.loads(self._file.read_text("utf-8")) if is_kept else {}

    def has_passed(self, test: str) -> bool:
        return self.known.get(test, {}).get("went") == "passed"

    def keep(self, test: str, went: str, seconds: float) -> None:
        on = datetime.now(UTC).date().isoformat()
        self.known[test] = {"went": went, "seconds": round(seconds), "on": on, "commit": self.commit}
        KEPT.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(self.known, indent=1), encoding="utf-8")
        self._write_table()

    def _write_table(self) -> None:
        """The lines of tests that did not run now stay as they were."""
        lines = (
            {} if not TABLE.exists() else {_test_of(line): line for line in TABLE.read_text("utf-8").splitlines()[6:]}
        )
        for test, one in self.known.items():
            lines[test] = f"| `{test}` | {one['went']} | {one['seconds']} | {one['on']} | {one['commit']} |"
        TABLE.write_text(HEAD + "".join(f"{lines[test]}\n" for test in sorted(lines)), encoding="utf-8")


def _test_of(line: str) -> str:
    return line.split("`")[1]


_record = pytest.StashKey[_Record]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    record = config.stash.setdefault(_record, _Record())
    passed = [item for item in items if record.has_passed(_name_of(item.nodeid))]
    if passed:
        config.hook.pytest_deselected(items=passed)
        items[:] = [item for item in items if item not in passed]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    is_end = report.when == "call" or (report.when == "setup" and not report.passed)
    if is_end and not report.skipped:
        item.config.stash[_record].keep(_name_of(item.nodeid), report.outcome, call.duration)
    return report


def _name_of(node: str) -> str:
    return node.removeprefix("tests/nightly/").replace("|", "/")
