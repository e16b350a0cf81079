"""Signed batches from the command line on: a key is made, registered, demanded, used, replaced and revoked."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import run_connector, run_hub
from running_door import OURS, RunningDoor

from hub.api.conversion import from_ndjson

BATCHES = f"/v1/exchange/{OURS}/batches"
ROWS = b'{"code": "420000", "name": "\xe6\xb9\x96\xe5\x8c\x97\xe7\x9c\x81", "parent_code": null, "level": 1}'
CSV = "code,name,parent_code,level\n{code},{code},4201,3\n"


class Department:
    """gong-an with a connector, and the hub's administrator with the hub's command line."""

    def __init__(self, folder: Path, door: RunningDoor) -> None:
        self.folder, self.door = folder, door
        (folder / "inbox").mkdir()
        (folder / "token").touch(mode=0o600)
        (folder / "token").write_text(door.tokens["gong-an"])
        self.configure()
        made = self.hub("person", "add", "admin", "--name", "管理员", "--role", "administrator", "--no-password")
        assert made.returncode == 0, made.stderr

    def configure(self, key_id: str | None = None) -> None:
        members: dict[str, Any] = {
            "dataset": OURS,
            "hub": self.door.url,
            "token": {"file": "token"},
            "source": {"kind": "files", "inbox": "inbox", "settle_seconds": 0, "formats": ["csv"]},
        }
        if key_id is not None:
            members["signing"] = {"key_id": key_id, "key_file": f"{key_id}.pem"}
        (self.folder / "c.yaml").write_text(json.dumps(members))

    def hub(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._run("hub.cli", *arguments)

    def connector(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._run("connectors.cli", *arguments)

    def send(self, code: str) -> "subprocess.CompletedProcess[str]":
        (self.folder / "inbox" / f"{code}.csv").write_text(CSV.format(code=code))
        return self.again()

    def again(self) -> "subprocess.CompletedProcess[str]":
        with self.door.worker():
            return self.connector("run", str(self.folder / "c.yaml"), "--retry-seconds", "5", "--json")

    def key(self, key_id: str) -> None:
        """Make a key and have it registered."""
        made = self.connector("key", "new", str(self.folder / f"{key_id}.pem"))
        assert made.returncode == 0, made.stderr
        public = self.folder / f"{key_id}.pub"
        public.write_text(made.stdout)
        added = self.hub("organization", "key", "add", "gong-an", key_id, str(public), "--as", "admin", "--json")
        assert added.returncode == 0, added.stderr
        assert json.loads(added.stdout)["fingerprint"] in made.stderr

    def _run(self, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {
            "HUB_LANGUAGE": "en",
            "HUB_DATABASE_URL": self.door.database_url,
            "HUB_DATA_FOLDER": str(self.folder / "data"),
        }
        run = run_hub if module == "hub.cli" else run_connector
        return run(*arguments, environment=environment)


@pytest.fixture
def department(tmp_path: Path, fresh_door: RunningDoor) -> Department:
    return Department(tmp_path, fresh_door)


@pytest.mark.slow
def test_a_key_is_made_registered_demanded_replaced_and_revoked(department: Department):
    demand = ("organization", "require-signature", "gong-an", "--as", "admin")
    early = department.hub(*demand)
    assert early.returncode == 1
    assert "no valid key" in early.stderr
    department.key("k1")
    assert department.hub(*demand).returncode == 0
    unsigned = department.send("420106")
    assert unsigned.returncode == 1
    assert "must be signed" in unsigned.stderr
    department.configure("k1")
    assert accepted(department.again()) == 1  # what waited in the outbox went out signed
    department.key("k2")
    assert accepted(department.send("420107")) == 1
    department.configure("k2")
    assert accepted(department.send("420111")) == 1
    revoke = ("organization", "key", "revoke", "gong-an", "k2", "--reason", "lost", "--as", "admin")
    assert department.hub(*revoke).returncode == 0
    told = department.send("420112")
    assert told.returncode == 1
    assert "is revoked" in told.stderr
    department.configure("k1")
    assert accepted(department.again()) == 1
    listed = json.loads(department.hub("organization", "key", "list", "gong-an", "--json").stdout)
    assert [(one["key_id"], one["standing"]) for one in listed] == [("k1", "valid"), ("k2", "revoked")]


def accepted(done: "subprocess.CompletedProcess[str]") -> int:
    assert done.returncode == 0, (done.stdout, done.stderr)
    return sum(json.loads(line)["receipts"]["accepted"] for line in done.stdout.splitlines())


def test_the_door_refuses_wrong_signatures_before_it_takes_anything(fresh_door: RunningDoor):
    container = from_ndjson(ROWS, fresh_door.contract, "upsert", 10).container
    envelope = fresh_door.envelope(container, 1)
    right = base64.b64encode(bytes.fromhex("3006020101020101")).decode()
    base = {"content-type": "application/avro", "hub-batch": envelope.to_bytes().decode()}
    cases = {
        "k1:" + right: (403, "signature_key_unknown"),
        "k1:AAAA": (422, "signature_malformed"),
        "": (422, "signature_malformed"),
    }
    with fresh_door.client() as client:
        for header, expected in cases.items():
            answer = client.post(BATCHES, content=container, headers={**base, "hub-signature": header})
            assert (answer.status_code, answer.json()["code"]) == expected
        twice = httpx.Headers([*base.items(), ("hub-signature", "k1:" + right), ("hub-signature", "k1:" + right)])
        answer = client.post(BATCHES, content=container, headers=twice)
        assert (answer.status_code, answer.json()["code"]) == (422, "signature_malformed")
        of_json = {"content-type": "application/x-ndjson", "hub-signature": "k1:" + right}
        answer = client.post(BATCHES, content=ROWS, headers=of_json)
        assert (answer.status_code, answer.json()["code"]) == (422, "signature_unexpected")
        assert client.get(f"/v1/exchange/{OURS}").json()["lag"] == 0
