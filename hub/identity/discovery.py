"""An issuer's discovery document (OpenID Connect Discovery 1.0), as far as it is believed.

Only the issuer named in the settings is ever asked, at its own host: no address comes from a token, and none from a
document of another host.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from hub.identity.errors import IssuerUnreachable
from schemas.strict_json import StrictJsonError, read_strict

DISCOVERY: Final = "/.well-known/openid-configuration"
DOCUMENT_BYTES_MAX: Final = 256 * 1024
TIMEOUT_SECONDS: Final = 5.0


def issuer_client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """What asks an issuer: it follows no redirect, and no variable of the environment changes its way."""
    return httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport, trust_env=False)


def endpoints(client: httpx.Client, issuer: str) -> Mapping[str, str]:
    """The issuer's addresses by the names of its document, those at its own host alone.

    Raises:
        IssuerUnreachable: there is no document, or it is another issuer's.
    """
    found = document(client, issuer + DISCOVERY)
    if found.get("issuer") != issuer:
        raise IssuerUnreachable
    own = urlsplit(issuer)[:2]
    return {name: value for name, value in found.items() if isinstance(value, str) and urlsplit(value)[:2] == own}


def document(client: httpx.Client, address: str) -> Mapping[str, Any]:
    """A JSON object at an address of the issuer's.

    Raises:
        IssuerUnreachable: there is none, or it is too large.
    """
    try:
        with client.stream("GET", address, headers={"accept": "application/json"}) as answer:
            answer.raise_for_status()
            return read_object(answer)
    except httpx.HTTPError:
        raise IssuerUnreachable from None


def read_object(answer: httpx.Response) -> Mapping[str, Any]:
    """The JSON object a streamed answer carries.

    Raises:
        IssuerUnreachable: it carries none, or one that is too large.
    """
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > DOCUMENT_BYTES_MAX:
            raise IssuerUnreachable
    try:
        found = read_strict(bytes(body), floats=True)
    except StrictJsonError:
        raise IssuerUnreachable from None
    if not isinstance(found, dict):
        raise IssuerUnreachable
    return found
