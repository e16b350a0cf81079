"""Records over HTTP: what each caller has, in which form, and what bad requests get."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from records_door import records_door
from release_maker import PLACE, PURPOSE, RESIDENT
from running_door import RunningDoor

from hub.store.cluster import Cluster
from hub.store.connect import connect

RECORDS, QUERY = f"/v1/datasets/{RESIDENT}/records", f"/v1/datasets/{RESIDENT}/query"


@pytest.fixture(scope="module")
def door(cluster: Cluster, migrated_template: str) -> Iterator[RunningDoor]:
    with records_door(cluster, migrated_template, "records_door") as started:
        yield started


@pytest.fixture
def department(door: RunningDoor) -> Iterator[httpx.Client]:
    with door.client("ren-she", **{"hub-purpose": quote(PURPOSE)}) as client:
        yield client


@pytest.fixture
def public(door: RunningDoor) -> Iterator[httpx.Client]:
    with door.client(None) as client:
        yield client


def test_a_department_pages_through_what_its_grant_opens(department: httpx.Client):
    found: list[str] = []
    address: str | None = f"{RECORDS}?limit=7&count=exact"
    while address is not None:
        answer = department.get(address)
        assert answer.status_code == 200
        assert answer.headers["hub-decision"]
        assert answer.headers["ratelimit-policy"] == '"requests";q=100000;w=86400'
        assert "42010219" not in str(answer.url) + answer.text
        page = answer.json()
        assert page["count"] == {"kind": "exact", "value": 30}
        found += [one["_ref"] for one in page["records"]]
        address = page.get("next")
        assert (address is None) == ("link" not in answer.headers)
    assert len(set(found)) == 30
    one = department.get(f"{RECORDS}/{found[3]}")
    assert one.json()["_ref"] == found[3]


def test_the_public_is_refused_persons_with_reasons_and_given_places(public: httpx.Client):
    refused = public.get(RECORDS)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (403, "release_refused")
    assert problem["parameters"]["decision"] == refused.headers["hub-decision"]
    assert "aggregates" in problem["detail"]
    assert len(public.get(f"/v1/datasets/{PLACE}/records?bbox=110,30,110.055,31").json()["records"]) == 6


def test_forms_by_accept_and_by_name(public: httpx.Client):
    address = f"/v1/datasets/{PLACE}/records"
    for accept in ("application/geo+json", "text/csv", "application/x-ndjson", "application/avro"):
        assert public.get(address, headers={"accept": accept}).headers["content-type"].startswith(accept)
    assert public.get(f"{address}?format=parquet").content.startswith(b"PAR1")
    spreadsheet = public.get(f"{address}?format=csv&for=spreadsheet&limit=1")
    assert spreadsheet.content.startswith(b"\xef\xbb\xbf_ref,name")
    none = public.get(address, headers={"accept": "image/png"})
    assert (none.status_code, none.json()["code"]) == (406, "format_not_offered")
    assert "application/geo+json" in none.json()["detail"]


def test_keys_with_any_characters_are_addresses(public: httpx.Client):
    address = f"/v1/datasets/{PLACE}/records"
    for one in public.get(f"{address}?limit=30").json()["records"]:
        assert public.get(f"{address}/{one['_ref']}").json() == one
    assert public.get(f"{address}/{quote('地名/000', safe='')}").status_code == 200
    for reference in ("nothing", "地名/000", "place-001/", "a,b", "%ff", "%00", "..%2f..%2fetc"):
        assert public.get(f"{address}/{reference}").status_code == 404


def test_what_has_not_changed_is_not_sent_again(public: httpx.Client):
    address = f"/v1/datasets/{PLACE}/records?limit=2"
    first = public.get(address)
    again = public.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["hub-decision"] != first.headers["hub-decision"]


def test_confidential_fields_are_asked_for_in_a_body(department: httpx.Client):
    refused = department.get(f"{RECORDS}?name=x")
    assert (refused.status_code, refused.json()["code"]) == (422, "fields_in_address")
    assert QUERY in refused.json()["detail"]
    first = department.post(QUERY, json={"filter": {"field": "name", "prefix": "张"}, "limit": 20}).json()
    assert "next" not in first
    rest = department.post(
        QUERY, json={"filter": {"field": "name", "prefix": "张"}, "limit": 20, "cursor": first["cursor"]}
    )
    assert len(rest.json()["records"]) == 10
    assert "cursor" not in rest.json()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("phone=x", "condition_wrong"),
        ("nothing=x", "condition_wrong"),
        ("sort=phone", "query_wrong"),
        ("fields=marital_status", "query_wrong"),
        ("limit=0", "query_wrong"),
        ("limit=9999", "query_wrong"),
        ("count=all", "query_wrong"),
        ("bbox=1,2,3,4", "query_wrong"),
        ("cursor=AAAA", "cursor_wrong"),
        ("as_of=yesterday", "query_wrong"),
        ("for=me", "query_wrong"),
        ("format=xlsx", "format_not_offered"),
        ("birth_date=nonsense", "condition_wrong"),
        ("division_code=%00", "condition_wrong"),
        ("limit=1&limit=2", "query_wrong"),
    ],
)
def test_what_breaks_the_grammar_is_told_and_not_repeated(department: httpx.Client, query: str, code: str):
    answer = department.get(f"{RECORDS}?{query}")
    assert answer.status_code in {406, 422}
    assert answer.json()["code"] == code
    assert "nonsense" not in answer.text
    assert "yesterday" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"limit": 1, "limit": 2}',
        b'{"filter": {"field": "sex", "op": "=", "value": 1e400}}',
        b'{"filter": {"field": "sex", "op": "=", "value": "\\ud800"}}',
        b'{"filter": {"field": "sex", "op": "=", "value": "\\u0000"}}',
        b"[" * 100_000,
        b'{"filter": ' + b'{"not": ' * 20 + b'{"field": "sex", "known": true}' + b"}" * 20 + b"}",
        b'{"owner_org": "x"}',
        b'{"limit": ' + b"9" * 5_000 + b"}",
    ],
)
def test_bodies_that_are_no_query_are_refused(department: httpx.Client, body: bytes):
    answer = department.post(QUERY, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_bodies_are_bounded_and_json(department: httpx.Client):
    assert department.post(QUERY, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    large = json.dumps({"fields": ["x" * 300_000]}).encode()
    assert department.post(QUERY, content=large, headers={"content-type": "application/json"}).status_code == 413
    assert department.post(f"{QUERY}?limit=1", json={}).status_code == 422


def test_a_dataset_one_may_not_know_of_is_as_absent_as_one_that_never_was(door: RunningDoor, public: httpx.Client):
    with connect(door.database_url, "test", autocommit=True) as conn, conn.transaction():
        conn.execute("UPDATE secrecy_review SET passed = false WHERE dataset = %s", [PLACE])
    try:
        hidden = public.get(f"/v1/datasets/{PLACE}/records")
        absent = public.get("/v1/datasets/420000.nothing/records")
    finally:
        with connect(door.database_url, "test", autocommit=True) as conn:
            conn.execute("UPDATE secrecy_review SET passed = true WHERE dataset = %s", [PLACE])
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.text.replace(PLACE, "X") == absent.text.replace("420000.nothing", "X")


def test_headers_that_cannot_be_read_are_refused(department: httpx.Client, door: RunningDoor):
    for headers in ({"hub-purpose": "%ff"}, {"hub-purpose": "x" * 300}, {"hub-grant": "a b"}, {"hub-grant": "x" * 50}):
        assert department.get(RECORDS, headers=headers).status_code == 422
    twice = [("authorization", f"Bearer {door.tokens['ren-she']}"), ("hub-purpose", "a"), ("hub-purpose", "b")]
    assert httpx.get(f"{door.url}{RECORDS}", headers=twice).status_code == 422
    named = department.get(RECORDS, headers={"hub-grant": "01900000-0000-7000-8000-000000000000"})
    assert named.json()["parameters"]["rule"] == "grant.named"


def test_a_purpose_may_come_as_it_is_written(door: RunningDoor):
    host, port = door.url.removeprefix("http://").split(":")
    request = (
        f"GET {RECORDS}?limit=1 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n"
        f"authorization: Bearer {door.tokens['ren-she']}\r\nhub-purpose: {PURPOSE}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), 10) as sent:
        sent.sendall(request.encode())
        answer = b"".join(iter(lambda: sent.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")


def test_anyone_is_told_what_they_may_have_and_why(department: httpx.Client, public: httpx.Client):
    address = f"/v1/datasets/{RESIDENT}/explain"
    told = department.get(address).json()
    assert told["fields"]["id_number"]["treatment"] == "masked"
    assert told["rows"] == {"field": "division_code", "prefix": "4201"}
    text = department.get(address, headers={"accept": "text/plain", "accept-language": "zh"}).text
    assert "id_number:掩码" in text
    assert public.get(address).json()["nearest_change"]["rule"] == "open.persons"
    assert public.get(f"{address}?x=1").status_code == 422


def test_a_decision_is_explained_to_its_caller_and_nobody_else(door: RunningDoor, department: httpx.Client):
    decision = department.get(f"{RECORDS}?limit=1").headers["hub-decision"]
    address = f"/v1/decisions/{decision}/explain"
    assert department.get(address).json()["id"] == decision
    with door.client("min-zheng") as other:
        foreign, absent = other.get(address), other.get(f"/v1/decisions/{decision[:-1]}x/explain")
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json()["code"] == absent.json()["code"] == "decision_unknown"
    assert httpx.get(door.url + address).status_code == 401


@pytest.mark.parametrize("token", ["x", "hub_" + "a" * 43, "a.b.c"])
def test_a_wrong_token_is_not_the_public(door: RunningDoor, token: str):
    headers = {"authorization": f"Bearer {token}"}
    for address in (f"/v1/datasets/{PLACE}/records", f"/v1/datasets/{PLACE}/records/place-001"):
        assert httpx.get(door.url + address, headers=headers).status_code == 401
