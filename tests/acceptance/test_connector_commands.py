"""The connector's command line against a running hub: good files arrive once, bad ones are told and put aside."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from command_line import run_connector
from running_door import OURS, RunningDoor

PROGRAM = [sys.executable, "-m", "connectors.cli"]
SECONDS_MAX = 120
GOOD = "code,name,parent_code,level\n420106,武昌区,4201,3\n420107,青山区,4201,3\n"


class Place:
    """A folder with a connector for OURS."""

    def __init__(self, folder: Path, door: RunningDoor) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.file = folder / "divisions.yaml"
        (folder / "token").touch(mode=0o600)
        (folder / "token").write_text(door.tokens["gong-an"])
        self.configure(door.url)

    def configure(self, url: str, **changes: Any) -> None:
        members = {
            "dataset": OURS,
            "hub": url,
            "token": {"file": "token"},
            "source": {"kind": "files", "inbox": "inbox", "settle_seconds": 0, "formats": ["csv", "xlsx", "ndjson"]},
        }
        self.file.write_text(json.dumps(members | changes, ensure_ascii=False), encoding="utf-8")

    def connector(self, *arguments: str, language: str = "en") -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"HUB_LANGUAGE": language}
        return run_connector(*arguments, environment=environment)


@pytest.fixture
def place(tmp_path: Path, fresh_door: RunningDoor) -> Place:
    return Place(tmp_path, fresh_door)


def test_a_file_arrives_once_and_its_receipt_comes_back(place: Place, fresh_door: RunningDoor):
    (place.inbox / "a.csv").write_text(GOOD, encoding="utf-8")
    with fresh_door.worker():
        ran = place.connector("run", str(place.file), "--once", "--json")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["receipts"]["accepted"] == report["rows"]["sent"] == 2
    assert json.loads((place.inbox / "done" / "a.csv.report.json").read_text()) == report
    with fresh_door.client() as client:
        assert client.get(f"/v1/exchange/{OURS}").json()["records"] == 2
    again = place.connector("run", str(place.file), "--once")
    assert (again.returncode, again.stdout) == (0, "there is nothing to send.\n")
    status = place.connector("status", str(place.file))
    assert "a.csv" in status.stdout
    assert json.loads(place.connector("status", str(place.file), "--json").stdout)["waiting"] == 0


def test_bad_records_are_in_quarantine_and_in_the_report(place: Place, fresh_door: RunningDoor):
    (place.inbox / "a.csv").write_text(GOOD + "420108,,4201,3\n999999,某区,4201,三\n", encoding="utf-8")
    with fresh_door.worker():
        ran = place.connector("run", str(place.file), language="zh")
    assert ran.returncode == 0, ran.stderr
    assert "拒收 2" in ran.stdout
    report = json.loads((place.inbox / "done" / "a.csv.report.json").read_text())
    assert {(one["row"], one["field"]) for one in report["found"]["rows"]} >= {(4, "name"), (5, "level")}
    assert "某区" not in json.dumps(report, ensure_ascii=False)
    with fresh_door.client() as client:
        entries = client.get(f"/v1/exchange/{OURS}/quarantine").json()["entries"]
    assert len(entries) == 2
    # What could not be read came as its text, so that its owner sees what it was.
    assert any(entry["record"]["level"] == "三" for entry in entries)


def test_every_bad_file_is_told_and_put_aside_and_the_good_one_arrives(place: Place, fresh_door: RunningDoor):
    header = "code,name,parent_code,level\n"
    bad = {
        "utf16.csv": ("﻿" + GOOD).encode("utf-16-le"),
        "bytes.csv": GOOD.encode() + b"420108,\xff\xff,4201,3\n",
        "empty.csv": b"",
        "header.csv": header.encode(),
        "renamed.csv": GOOD.replace("name", "nmae").encode(),
        "unknown.csv": "code,name,parent_code,level,备注\n420106,武昌区,4201,3,x\n".encode(),
        "twice.csv": b"code,name,name,level\n420106,a,b,3\n",
        "ragged.csv": (GOOD + "420108,硚口区\n").encode(),
        "quote.csv": (GOOD + '420108,"硚口区,4201,3\n').encode(),
        "twice.ndjson": b'{"code": "420106", "code": "420107"}\n',
    }
    for name, content in bad.items():
        (place.inbox / name).write_bytes(content)
    with xlsxwriter.Workbook(str(place.inbox / "digits.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["code", "name", "parent_code", "level"])
        sheet.write_row(1, 0, [420102199003071234, "武昌区", "4201", 3])
    (place.inbox / "good.csv").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r").encode())
    with fresh_door.worker():
        ran = place.connector("run", str(place.file))
    assert ran.returncode == 1
    said = {
        "utf16.csv": "UTF-16",
        "bytes.csv": "line 4",
        "empty.csv": "0 bytes",
        "header.csv": "no records",
        "renamed.csv": "nmae",
        "unknown.csv": "mapping.ignore",
        "twice.csv": "column name twice",
        "ragged.csv": "line 4",
        "quote.csv": "does not end",
        "twice.ndjson": "stands twice",
        "digits.xlsx": "row 2 of column code",
    }
    for name, sentence in said.items():
        report = json.loads((place.inbox / "failed" / f"{name}.report.json").read_text())
        assert sentence in report["error"]["en"], name
        assert report["error"]["zh"]
        assert sentence in ran.stdout, name
    assert (place.inbox / "done" / "good.csv").exists()
    with fresh_door.client() as client:
        assert client.get(f"/v1/exchange/{OURS}").json()["records"] == 2


def test_check_says_what_is_there_and_what_does_not_fit(place: Place):
    (place.inbox / "a.csv").write_text(GOOD, encoding="utf-8")
    good = place.connector("check", str(place.file))
    assert good.returncode == 0, good.stderr
    assert "contract division v1" in good.stdout
    (place.inbox / "b.csv").write_text(GOOD.replace("name", "nmae"), encoding="utf-8")
    bad = place.connector("check", str(place.file), "--json")
    assert bad.returncode == 1
    assert [one["error"] is None for one in json.loads(bad.stdout)["items"]] == [True, False]
    assert (place.inbox / "a.csv").exists()


def test_dry_run_sends_nothing_and_needs_no_hub(place: Place):
    place.configure("http://127.0.0.1:9")
    (place.inbox / "a.csv").write_text(GOOD + "420108,,4201,3\n", encoding="utf-8")
    contract = Path(__file__).parents[2] / "schemas" / "geospatial" / "division" / "v1.avsc"
    ran = place.connector("dry-run", str(place.file), "--contract", str(contract), "--json")
    assert ran.returncode == 0, ran.stderr
    [sample] = json.loads(ran.stdout)
    assert (sample["rows"], sample["bad"], sample["examples"][0]["row"]) == (3, 1, 4)
    assert sorted(file.name for file in place.folder.iterdir()) == ["divisions.yaml", "inbox", "token"]


def test_a_hub_that_is_away_keeps_the_batch_for_the_next_run(place: Place, fresh_door: RunningDoor):
    (place.inbox / "a.csv").write_text(GOOD, encoding="utf-8")
    place.configure("http://127.0.0.1:9")
    away = place.connector("run", str(place.file), "--retry-seconds", "1")
    assert away.returncode == 1
    assert "could not complete the request" in away.stderr
    place.configure(fresh_door.url)
    with fresh_door.worker():
        assert place.connector("run", str(place.file)).returncode == 0


def test_a_wrong_token_is_told_in_the_hubs_words(place: Place):
    (place.folder / "token").write_text("hub_wrong")
    (place.inbox / "a.csv").write_text(GOOD, encoding="utf-8")
    ran = place.connector("run", str(place.file))
    assert ran.returncode == 1
    assert "401" in ran.stderr
    assert "token" in ran.stderr
    assert (place.inbox / "a.csv").exists()


def test_a_wrong_configuration_is_told_by_its_place(place: Place):
    place.configure("http://127.0.0.1:9", rejects="drop")
    ran = place.connector("run", str(place.file), language="zh")
    assert ran.returncode == 1
    assert "rejects" in ran.stderr
    assert place.connector("run", str(place.file), "--once", "--follow").returncode == 2


def test_ctrl_c_while_following_ends_with_a_sentence(place: Place, fresh_door: RunningDoor):
    (place.inbox / "a.csv").write_text(GOOD, encoding="utf-8")
    with fresh_door.worker():
        following = subprocess.Popen(
            [*PROGRAM, "run", str(place.file), "--follow"],
            env=os.environ | {"HUB_LANGUAGE": "en"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        deadline = time.monotonic() + SECONDS_MAX
        while not (place.inbox / "done" / "a.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        following.send_signal(signal.SIGINT)
        _, told = following.communicate(timeout=30)
    assert following.returncode == 130
    assert "interrupted" in told


@pytest.mark.fault
@pytest.mark.slow
def test_a_connector_that_is_killed_again_and_again_sends_each_record_once(place: Place, fresh_door: RunningDoor):
    rows = 20_000
    lines = [f"{420_106_000_000 + number},某村{number},420106,5" for number in range(rows)]
    (place.inbox / "a.csv").write_text("code,name,parent_code,level\n" + "\n".join(lines) + "\n", encoding="utf-8")
    place.configure(fresh_door.url, batch={"records": 200})
    state = place.folder / ".divisions.yaml.state"
    killed = 0
    with fresh_door.worker():
        for _ in range(5):
            running = subprocess.Popen(
                [*PROGRAM, "run", str(place.file)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
            )
            before = _settled_at(state)
            deadline = time.monotonic() + SECONDS_MAX
            # Killed once it has written down some more, wherever it is then.
            while _settled_at(state) == before and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.15)
            killed += running.poll() is None
            running.kill()
            running.wait()
        ran = place.connector("run", str(place.file), "--json")
    assert ran.returncode == 0, ran.stderr
    assert killed >= 3
    with fresh_door.client() as client:
        standing = client.get(f"/v1/exchange/{OURS}").json()
    # Each batch counts once, however often it came: a record with a second id would be received twice.
    assert (standing["received"], standing["records"], standing["batches"]) == (rows, rows, rows // 200)
    assert json.loads(ran.stdout)["rows"]["sent"] == rows


def _settled_at(state: Path) -> int:
    written = state / "state.sqlite-wal"
    return written.stat().st_mtime_ns if written.exists() else 0
