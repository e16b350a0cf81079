"""The local stack's own parts, without the stack: pins, processes, ports, properties, the realm."""

import fcntl
import json
import os
import re
import time
from pathlib import Path

import pytest

from deploy.stack import __main__ as command
from deploy.stack import kafka, keycloak
from deploy.stack.errors import OtherCluster, StackBusy, ToolMissing
from deploy.stack.kafka import Broker
from deploy.stack.parts import Parts, pins, ready_parts
from deploy.stack.processes import Started, start, stop
from deploy.stack.stack import Stack, Standing

BROKERS = [Broker(number, 9092 + 10 * number, 9094 + 10 * number, 9093 + 10 * number) for number in (1, 2, 3)]
REALM = json.loads(keycloak.REALM_FILE.read_text(encoding="utf-8"))


def quiet(_: str) -> None:
    return


def test_every_part_is_pinned_to_one_version():
    assert pins().keys() == {"kafka", "keycloak", "log4j", "maven.dependency"}
    assert [version for version in pins().values() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_a_process_outlives_who_started_it_and_is_known_by_its_birth(tmp_path: Path):
    started = start("sleeper", ["sh", "-c", "echo here; sleep 60 & wait"], tmp_path, {"PATH": os.environ["PATH"]})
    process = started.process()
    assert process is not None
    children = process.children()
    deadline = time.monotonic() + 5
    while not (started.log_tail() == "here" and (children := process.children())):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert Started(started.name, started.pid, started.born - 1, started.log).process() is None
    assert stop([started]) == ["sleeper"]
    assert started.process() is None
    assert not any(child.is_running() for child in children)
    assert stop([started]) == []
    assert (tmp_path / "sleeper.log").stat().st_mode & 0o777 == 0o600


def test_what_was_never_started_is_stopped_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command.main(["stop", "--folder", str(tmp_path / "nothing")]) == 0
    assert command.main(["status", "--folder", str(tmp_path / "nothing")]) == 1
    assert "make stack" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_two_at_once_are_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(StackBusy):
        Stack(tmp_path, quiet).stop()
    assert command.main(["start", "--folder", str(tmp_path)]) == 1
    assert "another make stack" in capsys.readouterr().err
    os.close(descriptor)


def test_what_is_missing_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"java.*apt-get install openjdk-17"):
        ready_parts(tmp_path / "parts", quiet)


def test_ports_are_those_of_the_last_time_and_no_two_the_same(tmp_path: Path):
    stack = Stack(tmp_path, quiet)
    placed = stack._placed(3, Standing())
    ports = [port for one in placed.brokers for port in (one.plain, one.tokens, one.controller)]
    ports += [placed.keycloak_port, placed.health_port]
    assert len(set(ports)) == 11
    assert stack._placed(3, placed) == placed


@pytest.mark.parametrize(("brokers", "copies", "in_sync"), [(1, 1, 1), (3, 3, 2)])
def test_three_brokers_keep_three_copies_of_which_two_must_be_in_step(brokers: int, copies: int, in_sync: int):
    text = kafka._properties(BROKERS[0], BROKERS[:brokers], Path("/data"), "http://127.0.0.1:8180/realms/hub")
    properties = dict(line.split("=", 1) for line in text.splitlines())
    assert int(properties["default.replication.factor"]) == copies
    assert int(properties["min.insync.replicas"]) == in_sync
    assert properties["allow.everyone.if.no.acl.found"] == properties["auto.create.topics.enable"] == "false"
    listening = re.findall(r"://([^:]+):", properties["listeners"])
    assert set(listening) == {"127.0.0.1"}


def test_the_data_of_another_number_of_brokers_is_not_thrown_away(tmp_path: Path):
    (tmp_path / "formatted").write_text("1", encoding="ascii")
    kept = tmp_path / "kafka-1.data" / "messages"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(OtherCluster, match="BROKERS=1"):
        kafka.prepare(Parts("java", tmp_path, tmp_path), tmp_path, BROKERS, "http://127.0.0.1:8180/realms/hub")
    assert kept.exists()


# The realm -----------------------------------------------------------------------------------------------------------


def test_the_realm_holds_no_secret_and_registers_nobody():
    assert re.findall(r'"secret": "(?!\$\{)', keycloak.REALM_FILE.read_text(encoding="utf-8")) == []
    assert REALM["registrationAllowed"] is False
    assert [one["username"] for one in REALM["users"]] == ["service-account-hub-admin"]


def test_clients_of_people_are_public_with_pkce_and_their_tokens_are_meant_for_the_hub():
    clients = {one["clientId"]: one for one in REALM["clients"]}
    assert clients.keys() == {"hub-api", "hub-portal", "hub-admin-cli", "hub-admin"}
    for name in ("hub-portal", "hub-admin-cli"):
        assert clients[name]["publicClient"]
        assert clients[name]["attributes"]["pkce.code.challenge.method"] == "S256"
        audiences = [one["config"].get("included.client.audience") for one in clients[name]["protocolMappers"]]
        assert kafka.AUDIENCE in audiences
    assert not any(one["implicitFlowEnabled"] or one["directAccessGrantsEnabled"] for one in REALM["clients"])
    assert clients["hub-admin-cli"]["attributes"]["oauth2.device.authorization.grant.enabled"] == "true"
