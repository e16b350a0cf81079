"""A file of many gigabytes passes through the connector in constant memory.

``NIGHTLY_BYTES=200000000 make nightly`` is the short form.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seeds.bulk import write_residents

ROOT = Path(__file__).parents[2]
BYTES = int(os.environ.get("NIGHTLY_BYTES", "5000000000"))
RSS_BYTES_MAX = 500 * 2**20
BLOCK_RECORDS = 100_000


def large_csv(file: Path, size_bytes: int, encoding: str) -> int:
    """The same residents again and again, until the file is large enough; how many."""
    write_residents(file, BLOCK_RECORDS, 42)
    header, _, body = file.read_bytes().decode().encode(encoding).partition(b"\n")
    repeats = max(1, size_bytes // len(body))
    with file.open("wb") as opened:
        opened.write(header + b"\n")
        for _ in range(repeats):
            opened.write(body)
    return repeats * BLOCK_RECORDS


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_file_of_gigabytes_is_read_and_checked_in_constant_memory(tmp_path: Path, encoding: str):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    records = large_csv(inbox / "residents.csv", BYTES, encoding)
    configuration = tmp_path / "connector.yaml"
    source = {"kind": "files", "inbox": "inbox", "settle_seconds": 0}
    members = {"dataset": "420000.resident", "hub": "http://hub.invalid", "token": {"env": "NONE"}, "source": source}
    configuration.write_text(json.dumps(members))
    contract = ROOT / "schemas" / "population" / "resident" / "v1.avsc"
    command = [sys.executable, "-m", "connectors.cli", "dry-run", str(configuration), "--contract", str(contract)]
    answer = tmp_path / "answer.json"
    with answer.open("wb") as output, subprocess.Popen([*command, "--json"], stdout=output, cwd=ROOT) as running:
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    (inbox / "residents.csv").unlink()  # pytest keeps its folders, and the disk is not endless
    assert running.returncode == 0
    [sample] = json.loads(answer.read_text())
    assert sample["rows"] == records
    assert sample["bad"] == 0
    assert usage.ru_maxrss * 1024 < RSS_BYTES_MAX
