"""Applications as confidential clients of a Keycloak realm: made there, their secrets replaced, disabled.

What a client may do is not said there: the realm only says who it is, and the hub's own rows say the rest. A client
made here has the application's id for its own, so that both are found by one name.
"""

from dataclasses import dataclass

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from hub.identity.errors import KeycloakFailed
from hub.identity.keycloak_realm import KeycloakRealm


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
        realm: as the hub administers it.
        audience: what its clients' tokens are to be meant for.
    """

    def __init__(self, realm: KeycloakRealm, audience: str) -> None:
        self._realm = realm
        self._audience = audience

    @property
    def issuer(self) -> str:
        """As the realm's tokens name it."""
        return self._realm.issuer

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
        with self._realm.asked("make the client") as admin:
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
        with self._realm.asked("remove the client") as admin:
            admin.delete_client(_id(admin, application))

    def rotate(self, application: str) -> str:
        """Another secret; the one before counts no more."""
        with self._realm.asked("replace the secret") as admin:
            return str(admin.generate_client_secrets(_id(admin, application))["value"])

    def set_enabled(self, application: str, *, enabled: bool) -> None:
        """Let a client have tokens, or none any more. What it has counts until it ends; to end that, suspend here."""
        with self._realm.asked("enable the client" if enabled else "disable the client") as admin:
            admin.update_client(_id(admin, application), {"enabled": enabled})


def _id(admin: KeycloakAdmin, application: str) -> str:
    found = admin.get_client_id(application)
    if found is None:
        raise KeycloakFailed(asked="find the client", problem="it has none of this id")
    return str(found)
