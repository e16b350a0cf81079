"""What a stranger may send before the hub knows who it is: little, and not for long."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from running_door import OURS, RunningDoor


def exchange(door: RunningDoor, sent: bytes) -> bytes:
    """Send raw bytes; all that comes back until the hub closes or falls silent."""
    parts = urlsplit(door.url)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=5) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while chunk := connection.recv(65_536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
    return received


def test_headers_beyond_all_measure_are_refused(door: RunningDoor):
    answer = httpx.get(f"{door.url}/v1/health/live", headers={"x-large": "x" * 33_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


def test_a_head_that_never_ends_is_cut_off(door: RunningDoor):
    head = b"GET /v1/health/live HTTP/1.1\r\nhost: hub\r\n" + b"x-more: y\r\n" * 100_000
    assert exchange(door, head).startswith(b"HTTP/1.1 431 ")
    assert httpx.get(f"{door.url}/v1/health/live").status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
        b"content-length: 4\r\ncontent-length: 5\r\n",
        b"content-length: -1\r\n",
        b"content-length: 99999999999999999999999\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"content-length : 4\r\n",
    ],
)
def test_a_request_of_two_lengths_is_refused(door: RunningDoor, head: bytes):
    path = f"/v1/exchange/{OURS}/batches".encode()
    smuggled = b"0\r\n\r\nGET /v1/contracts HTTP/1.1\r\nhost: hub\r\n\r\n"
    answer = exchange(
        door, b"POST " + path + b" HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n" + head + b"\r\n" + smuggled
    )
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"HTTP/1.1 2" not in answer


def test_the_host_header_stands_in_no_answer(door: RunningDoor):
    answer = httpx.get(f"{door.url}/v1/contracts", headers={"host": "evil.example"})
    assert "evil" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/people", "/v1/catalog/entries/420000.ours/draft"])
def test_a_body_beyond_its_use_is_refused_before_anyone_is_asked_who_they_are(door: RunningDoor, path: str):
    too_much = b'{"x":"' + b"x" * 1_100_000 + b'"}'
    announced = httpx.post(door.url + path, content=too_much, headers={"content-type": "application/json"})
    chunked = httpx.post(door.url + path, content=iter([too_much]), headers={"content-type": "application/json"})
    assert [(one.status_code, one.json()["code"]) for one in (announced, chunked)] == [(413, "body_too_large")] * 2


def test_a_body_within_its_use_reaches_its_endpoint(door: RunningDoor):
    answer = httpx.post(f"{door.url}/v1/requests", json={"dataset": "x" * 10_000})
    assert answer.status_code == 401
