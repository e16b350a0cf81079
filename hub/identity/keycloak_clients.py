"""Applications as confidential clients of a Keycloak realm: made there, their secrets replaced, disabled.

What a client may do is not said there: the realm only says who it is, and the hub's own rows say the rest. A client
made here has the application's id for its own, so that both are found by one name.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from hub.errors import SettingWrong
from hub.identity.errors import KeycloakFailed

TIMEOUT_SECONDS: Final = 15
REALMS: Final = "/realms/"


@dataclass(frozen=True, slots=True)
class MadeClient:
    """A client that was made.

    Args:
        client: its id, the application's.
        subject: ``sub`` of its own tokens.
        secret: shown this once; Keycloak keeps it.
    """

    client: str
    subject: str
    secret: str


class KeycloakClients:
    """The clients of the realm that is the hub's issuer.

    Args:
        issuer: ``https://…/realms/<realm>``.
        audience: what its clients' tokens are to be meant for.
        client: by which the hub administers the realm.
        secret: of that client.

    Raises:
        SettingWrong: the issuer is no realm of Keycloak.
    """

    def __init__(self, issuer: str, audience: str, client: str, secret: str) -> None:
        server, _, realm = issuer.partition(REALMS)
        if not realm or "/" in realm:
            raise SettingWrong(setting="HUB_OIDC_ISSUER", problem=f"it is no realm of Keycloak: …{REALMS}<name>")
        self.issuer = issuer
        self._audience = audience
        self._open: Callable[[], KeycloakAdmin] = lambda: KeycloakAdmin(
            server_url=server,
            realm_name=realm,
            client_id=client,
            client_secret_key=secret,
            timeout=TIMEOUT_SECONDS,
        )

    def add(self, application: str, name: str) -> MadeClient:
        """Make a confidential client for an application.

        Raises:
            KeycloakFailed: it is there already, or Keycloak did not do it.
        """
        mapper = {
            "name": "audience of the hub",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": self._audience, "access.token.claim": "true"},
        }
        payload = {
            "clientId": application,
            "name": name,
            "protocol": "openid-connect",
            "publicClient": False,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "protocolMappers": [mapper],
        }
        with self._asked("make the client") as admin:
            made = admin.create_client(payload)
            try:
                secret = admin.get_client_secrets(made)["value"]
                subject = admin.get_client_service_account_user(made)["id"]
            except KeycloakError:
                admin.delete_client(made)
                raise
        return MadeClient(application, str(subject), str(secret))

    def remove(self, application: str) -> None:
        """Take a client away, with all its tokens."""
        with self._asked("remove the client") as admin:
            admin.delete_client(self._id(admin, application))

    def rotate(self, application: str) -> str:
        """Another secret; the one before counts no more."""
        with self._asked("replace the secret") as admin:
            return str(admin.generate_client_secrets(self._id(admin, application))["value"])

    def set_enabled(self, application: str, *, enabled: bool) -> None:
        """Let a client have tokens, or none any more. What it has counts until it ends; to end that, suspend here."""
        with self._asked("enable the client" if enabled else "disable the client") as admin:
            admin.update_client(self._id(admin, application), {"enabled": enabled})

    def _id(self, admin: KeycloakAdmin, application: str) -> str:
        found = admin.get_client_id(application)
        if found is None:
            raise KeycloakFailed(asked="find the client", problem="it has none of this id")
        return found

    @contextmanager
    def _asked(self, asked: str) -> Generator[Any]:
        try:
            yield self._open()
        except KeycloakError as error:
            # Its sentence may repeat what was sent; the status says enough.
            problem = type(error).__name__ if error.response_code is None else f"status {error.response_code}"
            raise KeycloakFailed(asked=asked, problem=problem) from None
