"""The key set of an issuer elsewhere (Keycloak or another), found by its discovery document.

Only the issuer named in the settings is ever asked, at its own host: no address comes from a token, and none from a
document of another host.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from hub.identity.errors import IssuerUnreachable
from schemas.strict_json import StrictJsonError, read_strict

DISCOVERY = "/.well-known/openid-configuration"
DOCUMENT_BYTES_MAX = 256 * 1024
TIMEOUT_SECONDS = 5.0


def remote_keys(
    issuer: str, transport: httpx.BaseTransport | None = None
) -> Callable[[], Sequence[Mapping[str, object]]]:
    """A fetch of the issuer's key set; each raises IssuerUnreachable where it cannot be had."""

    def fetch() -> Sequence[Mapping[str, object]]:
        with httpx.Client(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport, trust_env=False
        ) as client:
            discovery = _document(client, issuer + DISCOVERY)
            address = discovery.get("jwks_uri")
            if discovery.get("issuer") != issuer or not isinstance(address, str):
                raise IssuerUnreachable
            if urlsplit(address)[:2] != urlsplit(issuer)[:2]:
                raise IssuerUnreachable
            keys = _document(client, address).get("keys")
        if not isinstance(keys, list):
            raise IssuerUnreachable
        return [one for one in keys if isinstance(one, dict)]

    return fetch


def _document(client: httpx.Client, address: str) -> Mapping[str, Any]:
    try:
        with client.stream("GET", address, headers={"accept": "application/json"}) as answer:
            answer.raise_for_status()
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > DOCUMENT_BYTES_MAX:
                    raise IssuerUnreachable
        document = read_strict(bytes(body), floats=True)
    except (httpx.HTTPError, StrictJsonError):
        raise IssuerUnreachable from None
    if not isinstance(document, dict):
        raise IssuerUnreachable
    return document
