"""The HTTP door: what it takes, what it refuses, and with which words."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from running_door import FOREIGN, OURS, RunningDoor

from hub.api.conversion import from_ndjson

ROWS = (
    {"code": "420000", "name": "湖北省", "parent_code": None, "level": 1},
    {"code": "420100", "name": "武汉市", "parent_code": "420000", "level": 2},
)
NDJSON = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode()
BATCHES = f"/v1/exchange/{OURS}/batches"
AS_NDJSON = {"content-type": "application/x-ndjson"}


def container_of(door: RunningDoor, body: bytes = NDJSON) -> bytes:
    return from_ndjson(body, door.contract, "upsert", 50_000).container


def hand_in(door: RunningDoor, container: bytes, caller: str = "gong-an", **changes: Any) -> httpx.Response:
    headers = {"content-type": "application/avro"}
    envelope = door.envelope(container, changes.pop("records", len(ROWS)), **changes)
    headers["hub-batch"] = envelope.to_bytes().decode("ascii")
    with door.client(caller) as client:
        return client.post(BATCHES, content=container, headers=headers)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    found = answer.json()
    assert (answer.status_code, found["status"], found["code"]) == (status, status, code), found
    assert answer.headers["content-type"] == "application/problem+json"
    assert found["detail"]
    return found


# Taking ------------------------------------------------------------------------------------------------------------


def test_a_container_file_is_taken_and_the_answer_says_where_its_receipt_will_be(door: RunningDoor):
    batch = str(uuid.uuid4())
    answer = hand_in(door, container_of(door), batch=batch)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/exchange/receipts/{batch}"
    assert answer.json() == {"batch": batch, "receipt": f"/v1/exchange/receipts/{batch}"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.slow
def test_a_sender_that_waits_gets_its_receipt_and_the_same_one_ever_after(fresh_door: RunningDoor):
    key = str(uuid.uuid4())
    with fresh_door.worker(), fresh_door.client() as client:
        headers = AS_NDJSON | {"prefer": "wait=30", "idempotency-key": key}
        first = client.post(BATCHES, content=NDJSON, headers=headers)
        assert first.status_code == 200, first.text
        assert first.headers["preference-applied"] == "wait=30"
        assert (first.json()["batch"], first.json()["received"], first.json()["operation"]) == (key, 2, "upsert")
        again = client.post(BATCHES, content=NDJSON, headers=AS_NDJSON | {"idempotency-key": key})
        assert (again.status_code, again.content) == (200, first.content)
        assert client.get(first.headers["location"]).content == first.content
        other = client.post(BATCHES, content=NDJSON[:-2] + b"7}", headers=AS_NDJSON | {"idempotency-key": key})
        problem(other, 409, "batch_id_reused")
        standing = client.get(f"/v1/exchange/{OURS}").json()
        assert (standing["hub"], standing["contract"]) == ("420000", {"name": "division", "version": 1})
        assert (standing["received"], standing["lag"], standing["last_receipt"]["batch"]) == (2, 0, key)
    with fresh_door.client("min-zheng") as client:
        problem(client.get(first.headers["location"]), 404, "receipt_absent")


@pytest.mark.slow
def test_rejected_records_are_read_back_page_by_page_by_their_sender_alone(fresh_door: RunningDoor):
    rows = b"\n".join(json.dumps({"code": f"x{number}", "level": "much"}).encode() for number in range(5))
    with fresh_door.worker(), fresh_door.client() as client:
        receipt = client.post(BATCHES, content=rows, headers=AS_NDJSON | {"prefer": "wait=30"}).json()
        assert receipt["rejected"] == 5
        page = client.get(f"/v1/exchange/{OURS}/quarantine", params={"limit": 2}).json()
        seen = page["entries"]
        while page["next"]:
            page = client.get(page["next"]).json()
            seen += page["entries"]
        assert [entry["record"]["code"] for entry in seen] == [f"x{number}" for number in range(5)]
        assert all(reason["zh"] and reason["en"] for entry in seen for reason in entry["reasons"])
    for stranger in ("min-zheng", "wu-han"):
        with fresh_door.client(stranger) as client:
            problem(client.get(f"/v1/exchange/{OURS}/quarantine"), 404, "dataset_unknown")


def test_a_sender_that_cannot_wait_gets_202(a_door: Callable[..., Any]):
    with a_door(waiting_max=0) as door, door.client() as client:
        answer = client.post(BATCHES, content=NDJSON, headers=AS_NDJSON | {"prefer": "wait=30"})
        assert answer.status_code == 202
        assert "preference-applied" not in answer.headers


def test_a_wait_without_a_receipt_ends_in_time_with_202(door: RunningDoor):
    with door.client() as client:
        started = time.monotonic()
        answer = client.post(BATCHES, content=NDJSON, headers=AS_NDJSON | {"prefer": "wait=1"})
    assert answer.status_code == 202
    assert 0.9 < time.monotonic() - started < 5


def test_a_mandate_lets_another_hand_in_and_see_the_standing(door: RunningDoor):
    assert hand_in(door, container_of(door), "wu-han", sender="wu-han").status_code == 202
    with door.client("wu-han") as client:
        assert client.get(f"/v1/exchange/{OURS}").status_code == 200
        problem(client.get(f"/v1/exchange/{FOREIGN}"), 404, "dataset_unknown")


# Refusing: identity and objects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer hub_" + "A" * 43,
        "Bearer hub_'; DROP TABLE organization;--",
        "Basic aHViOmh1Yg==",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJnb25nLWFuIn0.",
        "Bearer " + "x" * 20_000,
    ],
)
def test_without_a_valid_token_every_door_is_shut(door: RunningDoor, authorization: str | None):
    headers = {} if authorization is None else {"authorization": authorization}
    with httpx.Client(base_url=door.url, headers=headers) as client:
        for path in (f"/v1/exchange/{OURS}", f"/v1/exchange/receipts/{uuid.uuid4()}", "/v1/contracts"):
            found = client.get(path)
            problem(found, 401, "not_authenticated")
            assert found.headers["www-authenticate"].startswith("Bearer")
        problem(client.post(BATCHES, content=b"x" * 100), 401, "not_authenticated")


def test_two_tokens_in_one_request_are_none(door: RunningDoor):
    token = door.tokens["gong-an"]
    headers = [("authorization", f"Bearer {token}"), ("authorization", "Bearer hub_x")]
    problem(httpx.get(f"{door.url}/v1/contracts", headers=headers), 401, "not_authenticated")


def test_a_foreign_dataset_answers_as_one_that_does_not_exist(door: RunningDoor):
    absent = "420000.nothing"
    with door.client() as client:
        for path in ("/v1/exchange/{}", "/v1/exchange/{}/quarantine"):
            foreign, missing = client.get(path.format(FOREIGN)), client.get(path.format(absent))
            problem(foreign, 404, "dataset_unknown")
            assert foreign.text.replace(FOREIGN, absent) == missing.text
        foreign = client.post(f"/v1/exchange/{FOREIGN}/batches", content=NDJSON, headers=AS_NDJSON)
        missing = client.post(f"/v1/exchange/{absent}/batches", content=NDJSON, headers=AS_NDJSON)
        assert foreign.text.replace(FOREIGN, absent) == missing.text
        assert foreign.status_code == missing.status_code == 404


def test_a_receipt_that_is_not_there_says_when_to_ask_again(door: RunningDoor):
    with door.client() as client:
        answer = client.get(f"/v1/exchange/receipts/{uuid.uuid4()}")
    problem(answer, 404, "receipt_absent")
    assert int(answer.headers["retry-after"]) >= 1


# Refusing: envelope and body -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"hub": "110000"}, 422, "batch_of_other_hub"),
        ({"dataset": FOREIGN}, 422, "envelope_differs"),
        ({"organization": "min-zheng"}, 422, "envelope_differs"),
        ({"sender": "min-zheng"}, 422, "envelope_differs"),
        ({"contract": 9}, 404, "contract_version_unknown"),
        ({"bytes": 1}, 422, "envelope_differs"),
        ({"sm3": "0" * 64}, 422, "digest_differs"),
        ({"records": 3}, 422, "records_differ"),
        ({"records": 60_000}, 413, "batch_too_large"),
    ],
)
def test_an_envelope_that_does_not_fit_is_refused(door: RunningDoor, changes: dict[str, Any], status: int, code: str):
    problem(hand_in(door, container_of(door), **changes), status, code)


def test_a_container_file_needs_one_envelope_and_rows_none(door: RunningDoor):
    container = container_of(door)
    envelope = door.envelope(container, 2).to_bytes().decode()
    with door.client() as client:
        avro = {"content-type": "application/avro"}
        problem(client.post(BATCHES, content=container, headers=avro), 422, "envelope_missing")
        for bad, code in (("{", "envelope_unreadable"), (envelope[:-1] + ',"x":1}', "envelope_member_wrong")):
            problem(client.post(BATCHES, content=container, headers=avro | {"hub-batch": bad}), 422, code)
        twice = [("content-type", "application/avro"), ("hub-batch", envelope), ("hub-batch", envelope)]
        problem(client.post(BATCHES, content=container, headers=twice), 422, "envelope_repeated")
        rows = client.post(BATCHES, content=NDJSON, headers=AS_NDJSON | {"hub-batch": envelope})
        problem(rows, 422, "envelope_unexpected")


def test_a_truncated_container_is_refused_before_it_is_acknowledged(door: RunningDoor):
    container = container_of(door)[:-5]
    problem(hand_in(door, container), 422, "container_truncated")


def test_a_body_over_one_batch_names_the_connector(a_door: Callable[..., Any]):
    with a_door(batch_bytes_max=1024) as door, door.client() as client:
        announced = client.post(BATCHES, content=b" " * 1025, headers=AS_NDJSON)
        assert "connector" in problem(announced, 413, "body_too_large")["detail"]

        def endless() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * 1000

        problem(client.post(BATCHES, content=endless(), headers=AS_NDJSON), 413, "body_too_large")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"content-type": "text/csv"}, 415, "media_type_wrong"),
        ({}, 415, "media_type_wrong"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415, "content_encoding_refused"),
        ({"content-type": "application/json", "idempotency-key": "one"}, 422, "idempotency_key_wrong"),
        ({"content-type": "application/json", "idempotency-key": str(uuid.UUID(int=0))}, 422, "idempotency_key_wrong"),
    ],
)
def test_a_request_the_door_cannot_read_is_refused(door: RunningDoor, headers: dict[str, str], status: int, code: str):
    with door.client() as client:
        problem(client.post(BATCHES, content=b'{"code":"420000"}', headers=headers), status, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"code":"1","code":"2"}', "row_unreadable"),
        (b'{"code":"1"}\n{"level":NaN}', "row_unreadable"),
        (b'{"code":' + b"[" * 100_000, "row_unreadable"),
        (b'{"code":"\\udc00"}', "row_unreadable"),
        (b'{"code":"1","owner_org":"x"}', "row_unreadable"),
        (b"\n\n", "body_empty"),
        (b"", "body_empty"),
    ],
)
def test_rows_that_two_programs_would_read_differently_are_refused(door: RunningDoor, body: bytes, code: str):
    with door.client() as client:
        problem(client.post(BATCHES, content=body, headers=AS_NDJSON), 422, code)


def test_too_many_rows_are_refused_by_the_first_too_many(a_door: Callable[..., Any]):
    with a_door(batch_records_max=1) as door, door.client() as client:
        found = problem(client.post(BATCHES, content=NDJSON, headers=AS_NDJSON), 422, "rows_too_many")
        assert found["parameters"] == {"row": 2, "records_max": 1}


# Problems, health, contracts, OpenAPI --------------------------------------------------------------------------------


def test_problems_speak_the_callers_language(door: RunningDoor):
    for language, word in (("zh-CN", "令牌"), ("en", "token"), ("fr", "令牌")):
        answer = httpx.get(f"{door.url}/v1/contracts", headers={"accept-language": language})
        assert word in problem(answer, 401, "not_authenticated")["detail"]
        assert answer.headers["vary"] == "accept-language"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", f"/v1/exchange/{OURS}/", 404),
        ("GET", f"/V1/exchange/{OURS}", 404),
        ("DELETE", f"/v1/exchange/{OURS}", 405),
        ("GET", "/v1/exchange/420000.x%00y", 422),
        ("GET", "/v1/exchange/420000.x'%20OR%201=1", 422),
        ("GET", "/v1/exchange/receipts/not-a-uuid", 422),
        ("GET", f"/v1/exchange/{OURS}/quarantine?limit=0", 422),
        ("GET", f"/v1/exchange/{OURS}/quarantine?after=99999999999999999999", 422),
        ("GET", "/v1/contracts/division/0", 422),
        ("GET", "/v1/contracts/..%2f..%2fetc/1", 404),
        ("POST", f"/v1/exchange/{OURS}/batches?operation=keys", 422),
    ],
)
def test_what_is_asked_wrongly_is_a_problem_too(door: RunningDoor, method: str, path: str, status: int):
    with door.client() as client:
        answer = client.request(method, path, headers={"x-http-method-override": "GET"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_every_problem_explains_itself(door: RunningDoor):
    kind = problem(httpx.get(f"{door.url}/v1/contracts"), 401, "not_authenticated")["type"]
    explained = httpx.get(door.url + kind).json()
    assert (explained["code"], explained["status"]) == ("not_authenticated", 401)
    assert httpx.get(f"{door.url}/v1/problems/none").status_code == 404


def test_health_needs_no_token(door: RunningDoor):
    assert httpx.get(f"{door.url}/v1/health/live").json() == {"status": "ok"}
    for _ in range(100):
        if httpx.get(f"{door.url}/v1/health/ready").status_code == 200:
            break
        time.sleep(0.05)
    assert httpx.get(f"{door.url}/v1/health/ready").json() == {"status": "ok"}


def test_a_contract_is_sent_once_and_then_known_by_its_etag(door: RunningDoor):
    with door.client() as client:
        listed = client.get("/v1/contracts").json()["contracts"]
        assert [one["name"] for one in listed] == ["division", "place"]
        latest = client.get("/v1/contracts/division/latest")
        assert latest.json()["name"] == "division"
        assert latest.text == door.contract.source
        assert latest.headers["content-location"] == "/v1/contracts/division/1"
        etag = latest.headers["etag"]
        assert etag == f'"{listed[0]["sm3"]}"'
        for known in (etag, f'"x", {etag}', "*"):
            again = client.get("/v1/contracts/division/1", headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert client.get("/v1/contracts/division/1", headers={"if-none-match": '"x"'}).status_code == 200
        problem(client.get("/v1/contracts/division/9"), 404, "contract_version_unknown")


def test_openapi_tells_the_truth(door: RunningDoor):
    document = httpx.get(f"{door.url}/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert document["components"]["securitySchemes"]
    post = document["paths"]["/v1/exchange/{dataset}/batches"]["post"]
    assert set(post["requestBody"]["content"]) == {"application/avro", "application/x-ndjson", "application/json"}
    assert {"200", "202", "401", "404", "409", "413", "415", "422", "503"} <= set(post["responses"])
    heads = {f"/v1/ledger/{name}" for name in ("checkpoint", "checkpoints", "consistency", "keys")}
    unprotected = {"/v1/health/live", "/v1/health/ready", "/v1/problems/{code}"} | heads
    for path, methods in document["paths"].items():
        for method in methods.values():
            assert ("security" in method) == (path not in unprotected), path
            for status, response in method["responses"].items():
                if int(status) >= 400:
                    assert set(response["content"]) == {"application/problem+json"}, (path, status)
    named = {part.rsplit("/", 1)[1] for part in _references(document)}
    assert named <= set(schemas)
    assert "HTTPValidationError" not in schemas


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_many_wait_at_once_and_all_are_woken(fresh_door: RunningDoor):
    answers: list[int] = []

    def send() -> None:
        with fresh_door.client() as client:
            answers.append(client.post(BATCHES, content=NDJSON, headers=AS_NDJSON | {"prefer": "wait=20"}).status_code)

    threads = [threading.Thread(target=send) for _ in range(20)]
    with fresh_door.worker():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert answers == [200] * 20
