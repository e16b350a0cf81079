"""The realm of Keycloak that is the hub's issuer, as the hub administers it: one way to ask, one kind of error."""

import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from hub.errors import SettingWrong
from hub.identity.errors import KeycloakFailed

TIMEOUT_SECONDS: Final = 15
REALMS: Final = "/realms/"
_NAME: Final = re.compile(r"[a-z]+(?:[-_][a-z]+)*")


class KeycloakRealm:
    """A realm, and the client by which the hub administers it.

    Args:
        issuer: ``https://…/realms/<realm>``.
        client: by which the hub administers the realm.
        secret: of that client.

    Raises:
        SettingWrong: the issuer is no realm of Keycloak.
    """

    def __init__(self, issuer: str, client: str, secret: str) -> None:
        server, _, realm = issuer.partition(REALMS)
        if not realm or "/" in realm:
            raise SettingWrong(setting="HUB_OIDC_ISSUER", problem=f"it is no realm of Keycloak: …{REALMS}<name>")
        self.issuer = issuer
        self._open: Callable[[], KeycloakAdmin] = lambda: KeycloakAdmin(
            server_url=server,
            realm_name=realm,
            client_id=client,
            client_secret_key=secret,
            timeout=TIMEOUT_SECONDS,
        )

    @contextmanager
    def asked(self, asked: str) -> Generator[Any]:
        """Keycloak's administration, to do what ``asked`` says.

        Raises:
            KeycloakFailed: it did not do it.
        """
        try:
            yield self._open()
        except KeycloakError as error:
            raise KeycloakFailed(asked=asked, problem=_problem(error)) from None


def _problem(error: KeycloakError) -> str:
    """By its status and its name: a sentence of Keycloak's may repeat what was sent."""
    if error.response_code is None:
        return type(error).__name__
    try:
        said = json.loads(error.response_body or b"{}")
    except ValueError:
        said = None
    name = (said.get("errorMessage") or said.get("error")) if isinstance(said, dict) else None
    named = isinstance(name, str) and _NAME.fullmatch(name)
    return f"status {error.response_code}, {name}" if named else f"status {error.response_code}"
