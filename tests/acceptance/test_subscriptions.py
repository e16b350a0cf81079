# pyright: reportArgumentType=false, reportOperatorIssue=false, reportUnusedExpression=false
# pyright: reportOptionalSubscript=false, reportIncompatibleMethodOverride=false, reportReturnType=false
"""Changes and subscriptions over HTTP and the command line, and a dispatcher that is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from command_line import run_hub
from psycopg import Connection
from receiver import Received, Receiver, acknowledging, receiving
from release_maker import MASKED, PURPOSE, RESIDENT, give, prepare, residents, take
from running_door import RunningDoor, running
from signing_in import add_person

from catalog.grant import Quota
from catalog.grant_course import GivenGrant
from hub.identity.organization_tokens import issue
from hub.store.connect import connect

CHANGES, SUBSCRIPTIONS = f"/v1/datasets/{RESIDENT}/changes", "/v1/subscriptions"
ABSENT = "01999999-0000-7000-8000-000000000000"
WANTED = {"dataset": RESIDENT, "kind": "pull", "purpose": PURPOSE}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as made:
        yield made


@pytest.fixture
def door(database_url: str, receiver: Receiver) -> Iterator[RunningDoor]:
    networks = {"push_networks_allowed": "127.0.0.0/8", "push_ports_allowed": f"443,{receiver.port}"}
    with running(database_url, **networks) as started:
        with connect(database_url, "test", autocommit=True) as conn:
            prepare(conn, RESIDENT)
            for organization in ("ren-she", "min-zheng"):
                started.tokens[organization] = issue(conn, organization, datetime.now(UTC)).token
        yield started


@pytest.fixture
def conn(door: RunningDoor) -> Iterator[Connection]:
    with connect(door.database_url, "test", autocommit=True) as opened:
        yield opened


@pytest.fixture
def granted(conn: Connection) -> GivenGrant:
    now, methods = datetime.now(UTC), frozenset({"subscription"})
    return give(conn, MASKED, now, "organization:ren-she", RESIDENT, None, Quota(), methods=methods)


@pytest.fixture
def department(door: RunningDoor) -> Iterator[httpx.Client]:
    with door.client("ren-she", **{"hub-purpose": quote(PURPOSE)}) as client:
        yield client


def change(conn: Connection, count: int = 3, **members: Any) -> None:
    version = int(datetime.now(UTC).timestamp() * 1_000_000)
    take(conn, RESIDENT, [one | members for one in residents(count)], version=version)
    conn.execute("UPDATE dataset_statistics SET last_taken_at = clock_timestamp() WHERE dataset = %s", [RESIDENT])


def made(department: httpx.Client, **members: Any) -> dict[str, Any]:
    answer = department.post(SUBSCRIPTIONS, json=WANTED | members)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{SUBSCRIPTIONS}/{answer.json()['id']}"
    return answer.json()


# The feed ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("granted")
def test_the_feed_goes_on_from_its_cursor_and_waits_for_changes(department: httpx.Client, conn: Connection):
    begun = department.get(CHANGES).json()
    assert (begun["changes"], begun["more"], begun["other_terms"]) == ([], False, False)
    change(conn, 3)
    first = department.get(CHANGES, params={"after": begun["after"], "limit": 2})
    assert first.headers["hub-decision"]
    second = department.get(CHANGES, params={"after": first.json()["after"], "limit": 2})
    assert [len(one.json()["changes"]) for one in (first, second)] == [2, 1]
    assert [one.json()["more"] for one in (first, second)] == [True, False]
    late = threading.Timer(0.5, change, (conn, 1), {"name": "改名"})
    late.start()
    began = time.monotonic()
    waited = department.get(CHANGES, params={"after": second.json()["after"], "wait": 20}).json()
    assert time.monotonic() - began < 10
    assert [one["record"]["name"] for one in waited["changes"]] == ["改名"]
    late.join()
    gone_at = department.get(CHANGES, params={"after": waited["after"]}).json()["after"]
    take(conn, RESIDENT, residents(1), version=2**60, delete=True)
    gone = department.get(CHANGES, params={"after": gone_at}).json()["changes"]
    assert [(one["op"], set(one["record"])) for one in gone] == [("gone", {"_ref"})]
    assert gone[0]["record"]["_ref"] == waited["changes"][0]["record"]["_ref"]


def test_the_feed_is_decided_anew_at_each_page(department: httpx.Client, conn: Connection, granted: GivenGrant):
    after = department.get(CHANGES).json()["after"]
    change(conn, 1)
    conn.execute("UPDATE access_grant SET state = 'ended', ended_at = now() WHERE id = %s", [granted.grant.id])
    refused = department.get(CHANGES, params={"after": after})
    assert (refused.status_code, refused.json()["code"]) == (403, "release_refused")


@pytest.mark.usefixtures("granted")
def test_a_cursor_of_another_caller_is_none(department: httpx.Client, conn: Connection, door: RunningDoor):
    give(
        conn,
        MASKED,
        datetime.now(UTC),
        "organization:min-zheng",
        RESIDENT,
        None,
        Quota(),
        methods=frozenset({"subscription"}),
    )
    after = department.get(CHANGES).json()["after"]
    with door.client("min-zheng", **{"hub-purpose": quote(PURPOSE)}) as other:
        answer = other.get(CHANGES, params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_wrong")


# Subscriptions -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("granted")
def test_a_pull_tells_a_page_again_until_it_is_acknowledged(department: httpx.Client, conn: Connection):
    one = made(department)
    address = f"{SUBSCRIPTIONS}/{one['id']}/pull"
    assert department.post(address, json={}).json()["delivery"] == ""
    change(conn, 3)
    first, again = (department.post(address, json={"limit": 2}).json() for _ in range(2))
    assert (first["delivery"], len(first["changes"])) == (f"{one['id']}:1", 2)
    assert again["changes"] == first["changes"]
    second = department.post(address, json={"acknowledge": first["delivery"]}).json()
    assert (second["delivery"], len(second["changes"])) == (f"{one['id']}:2", 1)
    wrong = department.post(address, json={"acknowledge": f"{one['id']}:7"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "delivery_unknown")
    assert department.post(address, json={"acknowledge": second["delivery"]}).json()["changes"] == []
    assert department.post(address, json={"acknowledge": second["delivery"]}).json()["changes"] == []  # twice is once
    shown = department.get(f"{SUBSCRIPTIONS}/{one['id']}").json()
    assert (shown["deliveries"], shown["changes"], shown["pending"]) == (2, 3, None)


@pytest.mark.usefixtures("granted")
def test_its_states_by_its_subscriber(department: httpx.Client):
    one = made(department)
    address = f"{SUBSCRIPTIONS}/{one['id']}"
    paused = department.post(f"{address}/pause").json()
    assert (paused["state"], paused["why"]) == ("paused", "requested")
    assert department.post(f"{address}/pull", json={}).status_code == 409
    assert department.post(f"{address}/resume").json()["state"] == "active"
    assert department.post(f"{address}/resume").status_code == 409
    assert department.post(f"{address}/end", json={}).json()["state"] == "ended"
    assert department.post(f"{address}/pause").status_code == 409
    assert [one["state"] for one in department.get(SUBSCRIPTIONS).json()["subscriptions"]] == ["ended"]


@pytest.mark.usefixtures("granted")
def test_anothers_subscription_looks_like_none(department: httpx.Client, door: RunningDoor):
    one = made(department)
    with door.client("min-zheng") as other, door.client(None) as public:
        assert other.get(SUBSCRIPTIONS).json() == {"subscriptions": []}
        for method, step, body in (
            ("GET", "", None),
            *(("POST", f"/{step}", {}) for step in ("pause", "resume", "end", "pull")),
        ):
            absent = other.request(method, f"{SUBSCRIPTIONS}/{ABSENT}{step}", json=body)
            foreign = other.request(method, f"{SUBSCRIPTIONS}/{one['id']}{step}", json=body)
            assert (foreign.status_code, foreign.text) == (404, absent.text)
            assert public.request(method, f"{SUBSCRIPTIONS}/{one['id']}{step}", json=body).status_code == 401


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"subscriber": "organization:min-zheng"}, "request_invalid"),
    ({"state": "active"}, "request_invalid"),
    ({"verified": True}, "request_invalid"),
    ({"id": ABSENT}, "request_invalid"),
    ({"kind": "fax"}, "request_invalid"),
    ({"dataset": "resident"}, "request_invalid"),
    ({"kind": "push"}, "subscription_wrong"),
    ({"address": "https://example.com/"}, "subscription_wrong"),
    ({"kind": "push", "address": "http://example.com/"}, "address_refused"),
    ({"kind": "push", "address": "https://169.254.169.254/"}, "address_refused"),
    ({"kind": "push", "address": "https://10.0.0.1/"}, "address_refused"),
    ({"kind": "push", "address": "https://127.0.0.1:5432/"}, "address_refused"),
)


@pytest.mark.usefixtures("granted")
def test_what_cannot_be_subscribed_to_is_refused(department: httpx.Client):
    for members, code in REFUSED:  # one door for all: nothing of any of them stays behind
        answer = department.post(SUBSCRIPTIONS, json=WANTED | members)
        assert (answer.status_code, answer.json()["code"]) == (422, code), members
        assert department.get(SUBSCRIPTIONS).json() == {"subscriptions": []}, members


def test_without_a_grant_nothing_is_subscribed_to(department: httpx.Client):
    answer = department.post(SUBSCRIPTIONS, json=WANTED)
    assert (answer.status_code, answer.json()["code"]) in [(403, "release_refused"), (404, "dataset_unknown")]


@pytest.mark.usefixtures("granted")
def test_an_administrator_pauses_and_ends_by_command(department: httpx.Client, conn: Connection, door: RunningDoor):
    with conn.transaction():
        add_person(conn, "root", "administrator", organization="da-shu-ju")
        add_person(conn, "plain", organization="min-zheng")
    one = made(department)

    def hub(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return run(door, "subscription", *arguments)

    listed = json.loads(hub("list", "--as", "root", "--json").stdout)
    assert [(row["id"], row["state"], row["kind"]) for row in listed] == [(one["id"], "active", "pull")]
    assert json.loads(hub("list", "--as", "plain", "--json").stdout) == []
    assert hub("pause", one["id"], "--as", "plain").returncode == 1
    for step, state in (("pause", "paused"), ("resume", "active"), ("end", "ended")):
        done = hub(step, one["id"], "--as", "root")
        assert (done.returncode, done.stdout.strip()) == (0, f"subscription {one['id']}: {state}"), done.stderr
    rows = conn.execute("SELECT convert_from(bytes, 'UTF8')::json ->> 'action' FROM ledger_leaf ORDER BY id").fetchall()
    actions = [row[0] for row in rows if row[0].startswith("subscription.")]
    assert actions == ["subscription.created", "subscription.paused", "subscription.resumed", "subscription.ended"]


def environment_of(door: RunningDoor, **more: str) -> dict[str, str]:
    settings = door.settings
    return {
        **os.environ,
        "HUB_DATABASE_URL": door.database_url,
        "HUB_DATA_FOLDER": str(settings.data_folder),
        "HUB_PUSH_NETWORKS_ALLOWED": settings.push_networks_allowed,
        "HUB_PUSH_PORTS_ALLOWED": settings.push_ports_allowed,
        "HUB_LANGUAGE": "en",
        **more,
    }


def run(door: RunningDoor, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_hub(*arguments, environment=environment_of(door))


# The dispatcher ------------------------------------------------------------------------------------------------------


@contextmanager
def dispatcher(door: RunningDoor, receiver: Receiver) -> "Generator[subprocess.Popen[bytes]]":
    environment = environment_of(door, HUB_PUSH_CA_FILE=str(receiver.ca_file), HUB_PUSH_SECONDS_MAX="2")
    command = [sys.executable, "-m", "hub.cli", "dispatch"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as running_:
        try:
            yield running_
        finally:
            running_.send_signal(signal.SIGTERM)
            running_.wait(30)


@pytest.mark.fault
@pytest.mark.usefixtures("granted")
def test_a_killed_dispatcher_loses_nothing(
    department: httpx.Client, conn: Connection, door: RunningDoor, receiver: Receiver
):
    one = made(department, kind="push", address=receiver.address)
    began, killed = threading.Event(), threading.Event()

    def once_slow(handler: Any, received: Received) -> None:
        if "challenge" not in received.json and not killed.is_set():
            began.set()
            killed.wait(20)
        acknowledging(handler, received)

    receiver.answer = once_slow
    with dispatcher(door, receiver) as first:
        change(conn, 4)
        assert began.wait(30)
        first.kill()
        first.wait(10)
    killed.set()
    change(conn, 2, name="改名")
    with dispatcher(door, receiver) as second, dispatcher(door, receiver):
        receiver.wait(3, 60)
        change(conn, 1, name="又改名")
        receiver.wait(4, 30)
        deadline = time.monotonic() + 10
        while (shown := department.get(f"{SUBSCRIPTIONS}/{one['id']}").json())["deliveries"] < 3:
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)
        assert second.poll() is None
    numbers = [delivery.headers["Hub-Delivery"].rpartition(":")[2] for delivery in receiver.deliveries]
    assert numbers == ["1", "1", "2", "3"]
    assert [len(delivery.json["changes"]) for delivery in receiver.deliveries] == [4, 4, 2, 1]
    assert len(receiver.changes) == 7
    assert "BEGIN PUBLIC KEY" in shown["signed_with"]
