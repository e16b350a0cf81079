"""The key set of an issuer elsewhere (Keycloak or another), found by its discovery document."""

from collections.abc import Callable, Mapping, Sequence

import httpx

from hub.identity.discovery import document, endpoints, issuer_client
from hub.identity.errors import IssuerUnreachable


def remote_keys(
    issuer: str, transport: httpx.BaseTransport | None = None
) -> Callable[[], Sequence[Mapping[str, object]]]:
    """A fetch of the issuer's key set; each raises IssuerUnreachable where it cannot be had."""

    def fetch() -> Sequence[Mapping[str, object]]:
        with issuer_client(transport) as client:
            address = endpoints(client, issuer).get("jwks_uri")
            if address is None:
                raise IssuerUnreachable
            keys = document(client, address).get("keys")
        if not isinstance(keys, list):
            raise IssuerUnreachable
        return [one for one in keys if isinstance(one, dict)]

    return fetch
