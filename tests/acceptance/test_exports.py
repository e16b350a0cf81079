# pyright: reportArgumentType=false, reportOperatorIssue=false, reportUnusedExpression=false
# pyright: reportOptionalSubscript=false, reportIncompatibleMethodOverride=false, reportReturnType=false
"""Whole datasets over HTTP: complete and proven, cut when the caller may have no more, and resumed."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from psycopg import Connection, sql
from release_maker import MASKED, PLACE, PURPOSE, RESIDENT, give, places, prepare, take
from running_door import RunningDoor, running

from catalog.grant import Quota
from catalog.grant_course import GivenGrant
from hub.identity.organization_tokens import issue
from hub.store.cluster import ROLE, Cluster
from hub.store.connect import connect

EXPORT = f"/v1/datasets/{RESIDENT}/export"
COUNT = 100_000
SECONDS_MAX = 1.0  # from a revocation to the last byte the hub sends


@pytest.fixture(scope="module")
def door(cluster: Cluster, migrated_template: str) -> Iterator[RunningDoor]:
    """A door over many residents and some places."""
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE exports_door OWNER {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(sql.Identifier(ROLE), sql.Identifier(migrated_template)))
        with running(cluster.url("exports_door")) as started:
            with opened(started) as conn:
                prepare(conn, RESIDENT, PLACE)
                take(conn, PLACE, places(12))
                conn.execute(
                    'INSERT INTO data."420000_resident" (id_number, name, division_code, address, phone, _version,'
                    " _row, _deleted, _taken, _receipt) SELECT '42010219600101' || lpad(g::text, 8, '0'), '张三',"
                    " '420102', repeat('武汉市江岸', 20), '138', 1, 0, false, now(), 1 FROM generate_series(1, %s) g",
                    [COUNT],
                )
                for organization in ("ren-she", "min-zheng"):
                    started.tokens[organization] = issue(conn, organization, datetime.now(UTC)).token
            yield started
        admin.execute("DROP DATABASE exports_door WITH (FORCE)")


def opened(door: RunningDoor) -> Connection:
    return connect(door.database_url, "test", autocommit=True)


@pytest.fixture
def granted(door: RunningDoor) -> Iterator[GivenGrant]:
    """A grant for files, for as long as a test runs."""
    with opened(door) as conn:
        fields = {**MASKED, "address": "clear"}
        given = give(
            conn,
            fields,
            datetime.now(UTC),
            "organization:ren-she",
            RESIDENT,
            None,
            Quota(),
            methods=frozenset({"file"}),
        )
        yield given
        revoke(conn, given)


def revoke(conn: Connection, given: GivenGrant) -> None:
    conn.execute("UPDATE access_grant SET state = 'ended', ended_at = now() WHERE id = %s", [given.grant.id])


@pytest.fixture
def department(door: RunningDoor) -> Iterator[httpx.Client]:
    with door.client("ren-she", **{"hub-purpose": quote(PURPOSE)}) as client:
        yield client


def shown(client: httpx.Client, export: str, state: str) -> dict[str, Any]:
    """An export once it is in a state."""
    deadline = time.monotonic() + 15
    while True:
        found = client.get(f"/v1/exports/{export}").json()
        if found["state"] == state or time.monotonic() > deadline:
            assert found["state"] == state
            return found
        time.sleep(0.05)


@pytest.mark.usefixtures("granted")
def test_a_whole_dataset_with_its_digest(department: httpx.Client):
    digest, size, rows = hashlib.new("sm3"), 0, 0
    with department.stream("GET", f"{EXPORT}?format=csv") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert answer.headers["content-disposition"] == f'attachment; filename="{RESIDENT}.csv"'
        for chunk in answer.iter_raw():
            digest.update(chunk)
            size += len(chunk)
            rows += chunk.count(b"\n")
    found = department.get(answer.links["describedby"]["url"])
    told = found.json()
    assert (told["state"], told["rows"], rows, told["bytes"]) == ("complete", COUNT, COUNT + 1, size)
    assert told["sm3"] == digest.hexdigest()
    assert found.headers["hub-digest"] == f"sm3={digest.hexdigest()}"
    assert told["instant"] == answer.headers["hub-instant"]


def test_a_revocation_cuts_the_stream_within_a_second(door: RunningDoor, granted: GivenGrant, department: httpx.Client):
    last, revoked_at = b"", datetime.now(UTC)
    with (  # noqa: PT012 - the stream is read in parts until it breaks
        pytest.raises(httpx.RemoteProtocolError),
        department.stream("GET", f"{EXPORT}?format=ndjson") as answer,
        opened(door) as conn,
    ):
        for number, chunk in enumerate(answer.iter_raw()):  # as it comes: what is gathered is lost with the stream
            last = (last + chunk)[-200:]
            if number == 5:
                revoke(conn, granted)
                revoked_at = datetime.now(UTC)
            time.sleep(0.005)  # a reader of a few MB a second, which still finds what the system holds for it
    assert json.loads(last.splitlines()[-1]) == {"hub_cut": {"export": answer.headers["hub-export"], "why": "policy"}}
    told = shown(department, answer.headers["hub-export"], "cut")
    assert (told["why"], 0 < told["rows"] < COUNT) == ("policy", True)
    assert (datetime.fromisoformat(told["closed_at"]) - revoked_at).total_seconds() < SECONDS_MAX


@pytest.mark.usefixtures("granted")
def test_a_reader_that_goes_away_is_noticed_and_nothing_is_left_behind(door: RunningDoor, department: httpx.Client):
    exports: list[str] = []
    for _ in range(6):  # more than may run at once
        with department.stream("GET", f"{EXPORT}?format=csv") as answer:
            assert answer.status_code == 200
            next(answer.iter_raw(1000))
            exports.append(answer.headers["hub-export"])
        told = shown(department, exports[-1], "cut")
        assert (told["why"], told["rows"] < COUNT) == ("disconnected", True)
    with opened(door) as conn:
        busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub export'"
        deadline = time.monotonic() + 10
        while conn.execute(busy).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    for _ in range(20):  # nobody gets an answer meant for another
        assert department.get(f"/v1/exports/{exports[0]}").json()["id"] == exports[0]


@pytest.mark.usefixtures("granted")
def test_a_reader_that_takes_nothing_is_cut_off(door: RunningDoor, department: httpx.Client):
    # Over a bare socket: a client of a library reads ahead.
    parts = urlsplit(door.url)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 80)) as conn:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET {EXPORT}?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.tokens['ren-she']}\r\n"
        conn.sendall((head + f"hub-purpose: {quote(PURPOSE)}\r\n\r\n").encode())
        answer = conn.recv(4096).decode("latin-1").lower()
        export = answer.partition("hub-export: ")[2].partition("\r\n")[0]
        busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub export' AND state <> 'idle'"
        with opened(door) as store:
            deadline = time.monotonic() + 10
            while store.execute(busy).fetchone() != (0,):  # it waits for the reader, and holds no transaction meanwhile
                assert time.monotonic() < deadline
                time.sleep(0.05)
        rows = shown(department, export, "open")["rows"]
        assert rows < COUNT
        time.sleep(0.5)
        assert shown(department, export, "open")["rows"] == rows
    assert shown(department, export, "cut")["why"] == "disconnected"


@pytest.mark.usefixtures("granted")
def test_a_file_that_was_cut_goes_on_where_it_stopped(department: httpx.Client):
    whole = department.get(f"{EXPORT}?format=csv")
    told = department.get(f"/v1/exports/{whole.headers['hub-export']}").json()
    point = told["points"][-2]
    rest = department.get(EXPORT, params={"format": "csv", "after": point["after"]})
    assert whole.content[: point["bytes"]] + rest.content == whole.content
    assert rest.headers["hub-instant"] == whole.headers["hub-instant"]
    assert department.get(f"/v1/exports/{rest.headers['hub-export']}").json()["continues"] == told["id"]
    forged = department.get(EXPORT, params={"format": "csv", "after": point["after"][:-3] + "AAA"})
    assert (forged.status_code, forged.json()["code"]) == (422, "cursor_wrong")


def test_the_public_may_have_what_is_open_and_nothing_else(door: RunningDoor):
    with door.client(None) as public:
        answer = public.get(f"/v1/datasets/{PLACE}/export?format=ndjson")
        assert (answer.status_code, len(answer.text.splitlines())) == (200, 12)
        assert "link" not in answer.headers
        assert public.get(f"/v1/exports/{answer.headers['hub-export']}").status_code == 401
        refused = public.get(EXPORT)
        assert (refused.status_code, refused.json()["code"]) == (403, "release_refused")


@pytest.mark.usefixtures("granted")
def test_anothers_export_looks_like_none(door: RunningDoor, department: httpx.Client):
    export = department.get(f"/v1/datasets/{PLACE}/export?format=csv").headers["hub-export"]
    with door.client("min-zheng") as other:
        absent = other.get("/v1/exports/01999999-0000-7000-8000-000000000000")
        foreign = other.get(f"/v1/exports/{export}")
    assert (absent.status_code, foreign.status_code) == (404, 404)
    assert absent.text.replace("01999999-0000-7000-8000-000000000000", "x") == foreign.text.replace(export, "x")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("format=xlsx", 406, "format_not_offered"),
        ("format=geojson", 406, "format_not_offered"),
        ("for=print", 422, "query_wrong"),
        ("format=ndjson&for=spreadsheet", 422, "query_wrong"),
        ("instant=2026-01-01T00:00:00", 422, "request_invalid"),
        ("after=x", 422, "cursor_wrong"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_the_first_byte(
    door: RunningDoor, query: str, status: int, code: str
):
    with door.client(None) as public:
        answer = public.get(f"/v1/datasets/{PLACE}/export?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
