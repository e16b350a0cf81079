"""The ledger as departments, auditors and strangers meet it: over HTTP, on the command line, and offline."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from command_line import run_hub
from running_door import OURS, RunningDoor

from hub.ledger import verify_standalone
from hub.main_processes import run_sealer

SECONDS_MAX = 90
ROWS = [{"code": "420106", "name": "武昌区", "parent_code": "420100", "level": 3}]


@contextmanager
def sealing(door: RunningDoor) -> Generator[None]:
    stopping = threading.Event()
    settings = door.settings.model_copy(update={"database_url": door.database_url})
    thread = threading.Thread(target=run_sealer, args=(settings, lambda _: None, stopping.is_set))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(30)


def until(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS_MAX
    while (found := ask()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def proof_of(client: httpx.Client, leaf: str) -> dict[str, Any] | None:
    answer = client.get(f"/v1/ledger/leaves/{leaf}/proof")
    return answer.json() if answer.status_code == 200 else None


def offline(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    shutil.copy(verify_standalone.__file__, folder / "verify_standalone.py")
    command = [sys.executable, "-I", "-S", "verify_standalone.py", "bundle.json", "--key", "ledger.pem", *options]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False, timeout=60)


def test_a_receipt_is_proven_offline_by_its_leaf_and_to_nobody_else(fresh_door: RunningDoor, tmp_path: Path):
    with fresh_door.worker(), sealing(fresh_door), fresh_door.client() as ours, fresh_door.client(None) as anyone:
        answer = ours.post(f"/v1/exchange/{OURS}/batches", json=ROWS, headers={"prefer": "wait=30"})
        receipt = answer.json()
        assert (answer.status_code, receipt["received"]) == (200, 1), receipt
        bundle = until(lambda: proof_of(ours, receipt["leaf"]))
        members = json.loads(verify_standalone.decoded(bundle["record"]) or b"")
        assert members["object"] == f"batch:gong-an/{receipt['batch']}"
        assert (members["action"], members["rows"], members["actor_org"]) == ("receipt.given", 1, "gong-an")
        keys = anyone.get("/v1/ledger/keys").json()["keys"]
        (tmp_path / "ledger.pem").write_text(keys[0]["public_pem"], encoding="utf-8")
        (tmp_path / "bundle.json").write_text(json.dumps(bundle), encoding="utf-8")
        done = offline(tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"receipt.given  batch:gong-an/{receipt['batch']}" in done.stdout

        absent = "01890000-0000-7000-8000-000000000000"
        with fresh_door.client("min-zheng") as other:
            foreign = other.get(f"/v1/ledger/leaves/{receipt['leaf']}/proof")
            nothing = other.get(f"/v1/ledger/leaves/{absent}/proof")
        assert foreign.status_code == nothing.status_code == 404
        assert foreign.text.replace(receipt["leaf"], absent) == nothing.text
        assert foreign.headers.keys() == nothing.headers.keys()
        assert anyone.get(f"/v1/ledger/leaves/{receipt['leaf']}/proof").status_code == 401
        assert ours.get("/v1/ledger/leaves/no-leaf/proof").status_code == 404


def test_heads_and_consistency_are_everybodys(fresh_door: RunningDoor):
    with fresh_door.worker(), sealing(fresh_door), fresh_door.client() as ours, fresh_door.client(None) as anyone:
        heads: list[verify_standalone.Head] = []
        for _ in range(3):
            receipt = ours.post(f"/v1/exchange/{OURS}/batches", json=ROWS, headers={"prefer": "wait=30"}).json()
            until(lambda leaf=receipt["leaf"]: proof_of(ours, leaf))
            note = anyone.get("/v1/ledger/checkpoint")
            assert note.headers["content-type"].startswith("text/plain")
            heads.append(verify_standalone.read_checkpoint(note.text)[0])
        assert heads[0][1] < heads[-1][1]
        kept = anyone.get("/v1/ledger/checkpoints", params={"size": heads[0][1]})
        assert verify_standalone.read_checkpoint(kept.text)[0] == heads[0]
        proof = anyone.get("/v1/ledger/consistency", params={"from": heads[0][1], "to": heads[-1][1]}).json()
        verify_standalone.check_consistency(heads[0], heads[-1], verify_standalone.hashes(proof["path"]))

        for path, status in (
            ("/v1/ledger/checkpoints?size=999999", 404),
            ("/v1/ledger/checkpoints?size=-1", 422),
            ("/v1/ledger/checkpoints?size=9223372036854775808", 422),
            ("/v1/ledger/checkpoints", 422),
            (f"/v1/ledger/consistency?from={heads[-1][1]}&to={heads[0][1]}", 404),
            ("/v1/ledger/consistency?from=0&to=999999", 404),
            ("/v1/ledger/consistency?from=x&to=1", 422),
        ):
            assert anyone.get(path).status_code == status, path


def test_before_anything_is_signed_there_is_no_head(fresh_door: RunningDoor):
    with fresh_door.client(None) as anyone:
        assert anyone.get("/v1/ledger/checkpoint").status_code == 404
        assert anyone.get("/v1/ledger/keys").json() == {"keys": []}


# On the command line -------------------------------------------------------------------------------------------------


class Hub:
    """``hub`` commands over a database and a folder of the test's own."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "HUB_DATABASE_URL": database_url,
            "HUB_DATA_FOLDER": str(folder),
            "HUB_LANGUAGE": "en",
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run_hub(*arguments, environment=self.environment)

    @contextmanager
    def running(self, *arguments: str) -> "Generator[subprocess.Popen[bytes]]":
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "hub.cli", "ledger", *arguments]
            started = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        try:
            yield started
        finally:
            started.terminate()
            started.wait(30)

    def status(self) -> dict[str, Any] | None:
        done = self.run("ledger", "status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None


def test_what_an_operator_did_is_sealed_witnessed_exported_and_verified(database_url: str, tmp_path: Path):
    hub = Hub(database_url, tmp_path)
    before = hub.run("ledger", "status")
    assert before.returncode == 1
    assert "witness-1, witness-2" in before.stdout
    added = hub.run("organization", "add", "gong-an", "--name-zh", "公安厅", "--name-en", "Public Security")
    assert added.returncode == 0, added.stderr
    with hub.running("witness", "witness-1"), hub.running("witness", "witness-2"):
        with hub.running("seal") as sealer:
            until(hub.status)
            sealer.send_signal(signal.SIGKILL)
            sealer.wait(30)
        assert hub.run("organization", "token", "add", "gong-an").returncode == 0
        with hub.running("seal"):
            status = until(lambda: found if (found := hub.status()) and found["size"] == 3 else None)
            assert (status["waiting"], status["missing_witnesses"], status["alarms"]) == (0, "", "")
            listed = json.loads(hub.run("ledger", "list", "--json").stdout)
            actions = ["organization.token_issued", "organization.token_issued", "organization.added"]
            assert [one["action"] for one in listed] == actions
            until(lambda: cosigned(hub, listed[0]["id"]))
    verified = hub.run("ledger", "verify")
    assert verified.returncode == 0, verified.stdout
    assert verified.stdout.startswith("3 leaves")
    (tmp_path / "ledger.pem").write_text(hub.run("ledger", "key").stdout, encoding="utf-8")
    done = offline(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "organization.token_issued" in done.stdout
    unknown = hub.run("ledger", "export", "01890000-0000-7000-8000-000000000000", "--to", "-")
    assert (unknown.returncode, unknown.stdout) == (1, "")


def cosigned(hub: Hub, leaf: str) -> bool | None:
    """Whether the exported proof of a leaf bears both witnesses' signatures."""
    done = hub.run("ledger", "export", leaf, "--to", str(hub.folder / "bundle.json"), "--since", "0")
    assert done.returncode == 0, done.stderr
    bundle = json.loads((hub.folder / "bundle.json").read_text(encoding="utf-8"))
    return bundle["checkpoint"].count("— witness-") == 2 or None
