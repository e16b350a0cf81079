"""One id follows what a connector sent: in its report, the door's log, the worker's log, the receipt and the ledger."""

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from command_line import run_connector
from running_door import OURS, RunningDoor

from hub.store.connect import connect

CSV = "code,name,parent_code,level\n420000,湖北省,,1\n420100,武汉市,420000,2\n"


class Events(logging.Filter):
    """Everything the hub logs, door and worker alike: a filter stays where a worker puts another handler."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, Any]] = []

    def filter(self, record: logging.LogRecord) -> bool:
        self.seen.append(json.loads(record.getMessage()))
        return True

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.seen if event["event"] == kind]


@pytest.fixture
def events() -> Iterator[Events]:
    logger, found = logging.getLogger("hub"), Events()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addFilter(found)
    yield found
    logger.removeFilter(found)
    logger.setLevel(level)


def test_a_run_is_found_again_from_the_connector_to_the_ledger(fresh_door: RunningDoor, tmp_path: Path, events: Events):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "divisions.csv").write_text(CSV, encoding="utf-8")
    members = {
        "dataset": OURS,
        "hub": fresh_door.url,
        "token": {"env": "TOKEN"},
        "source": {"kind": "files", "inbox": "inbox", "settle_seconds": 0},
    }
    connector = tmp_path / "connector.yaml"
    connector.write_text(json.dumps(members), encoding="utf-8")
    with fresh_door.worker():
        environment = {**os.environ, "TOKEN": fresh_door.tokens["gong-an"]}
        ran = run_connector("run", str(connector), "--once", "--json", environment=environment)
    assert ran.returncode == 0, ran.stderr
    run = json.loads(ran.stdout)["run"]

    [appended] = events.of("BatchLogged")
    [taken] = events.of("BatchTaken")
    assert (appended["run"], appended["dataset"], appended["records"]) == (run, OURS, 2)
    assert (taken["run"], taken["batch"], taken["accepted"]) == (run, appended["batch"], 2)
    assert taken["seconds"] > 0
    with fresh_door.client() as client:
        assert client.get(f"/v1/exchange/receipts/{taken['batch']}").json()["run"] == run
    with connect(fresh_door.database_url, "test") as conn:
        row = conn.execute("SELECT bytes FROM ledger_leaf WHERE leaf = %s", [taken["leaf"]]).fetchone()
    assert row is not None
    assert json.loads(bytes(row[0]))["trace_id"] == run


def test_a_refused_batch_is_logged_under_its_run_too(fresh_door: RunningDoor, events: Events):
    key = str(uuid4())
    with fresh_door.client(**{"idempotency-key": key}) as client:
        for name in ("湖北省", "别的名字"):  # one id for two batches, before either has its receipt
            row = {"code": "420000", "name": name, "parent_code": None, "level": 1}
            assert client.post(f"/v1/exchange/{OURS}/batches", json=[row]).status_code == 202
        with fresh_door.worker():
            deadline = time.monotonic() + 30
            while client.get(f"/v1/exchange/{OURS}").json()["lag"] and time.monotonic() < deadline:
                time.sleep(0.1)
    first, second = events.of("BatchLogged")
    [taken], [refused] = events.of("BatchTaken"), events.of("BatchRefused")
    assert (taken["batch"], refused["batch"], refused["code"]) == (key, key, "batch_id_reused")
    assert (taken["run"], refused["run"]) == (first["run"], second["run"])
