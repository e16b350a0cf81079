"""The key set of another issuer: found at its own host, in bounds, or not at all."""

from collections.abc import Callable

import httpx
import pytest

from hub.identity.discovery import DOCUMENT_BYTES_MAX
from hub.identity.errors import IssuerUnreachable
from hub.identity.remote_keys import remote_keys

ISSUER = "https://issuer.test/realms/hub"
DISCOVERY = {"issuer": ISSUER, "jwks_uri": "https://issuer.test/realms/hub/certs"}
KEY = {"kty": "EC", "kid": "one"}
Answer = Callable[[httpx.Request], httpx.Response]


def answering(discovery: object, keys: object) -> tuple[httpx.MockTransport, list[str]]:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        found = discovery if request.url.path.endswith("openid-configuration") else keys
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    return httpx.MockTransport(answer), asked


def test_keys_are_found_by_discovery():
    transport, asked = answering(DISCOVERY, {"keys": [KEY, "no key"]})
    assert remote_keys(ISSUER, transport)() == [KEY]
    assert asked == [f"{ISSUER}/.well-known/openid-configuration", DISCOVERY["jwks_uri"]]


@pytest.mark.parametrize(
    "discovery",
    [
        {**DISCOVERY, "issuer": "https://issuer.test/realms/other"},
        {"issuer": ISSUER},
        {**DISCOVERY, "jwks_uri": 7},
        {**DISCOVERY, "jwks_uri": "https://evil.test/certs"},
        {**DISCOVERY, "jwks_uri": "http://issuer.test/realms/hub/certs"},
        {**DISCOVERY, "jwks_uri": "https://issuer.test:8443/certs"},
        {**DISCOVERY, "jwks_uri": "https://issuer.test@evil.test/certs"},
        [],
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://evil.test/"}),
        httpx.Response(200, content=b"{"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, content=b'{"issuer":"a","issuer":"b"}'),
        httpx.Response(200, content=b" " * (DOCUMENT_BYTES_MAX + 1)),
    ],
)
def test_no_key_is_fetched_from_anywhere_else(discovery: object):
    transport, asked = answering(discovery, {"keys": [KEY]})
    with pytest.raises(IssuerUnreachable):
        remote_keys(ISSUER, transport)()
    assert asked == [f"{ISSUER}/.well-known/openid-configuration"]


@pytest.mark.parametrize("keys", [{}, {"keys": {}}, [], httpx.Response(404)])
def test_a_key_set_that_is_none_is_refused(keys: object):
    transport, _ = answering(DISCOVERY, keys)
    with pytest.raises(IssuerUnreachable):
        remote_keys(ISSUER, transport)()


def test_an_issuer_that_does_not_answer_is_unreachable():
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with pytest.raises(IssuerUnreachable):
        remote_keys(ISSUER, httpx.MockTransport(answer))()
