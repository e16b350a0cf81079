"""What the identity contract suite asks of an issuer, whichever it is: a hub behind it, people, clients, a browser."""

import base64
import hashlib
import secrets
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx
import running_stack
from keycloak import KeycloakAdmin
from page_browser import Browser
from running_door import RunningDoor, plain_context, populate, running
from signing_in import ADMINISTRATOR, add_application, add_person, opened

from catalog.caller import Role
from hub.acts import applications, people
from hub.identity.discovery import DISCOVERY
from hub.identity.keycloak_clients import KeycloakClients
from hub.identity.keycloak_people import KeycloakPeople
from hub.identity.keycloak_realm import KeycloakRealm
from hub.identity.people import caller_of_login

REDIRECT = "http://127.0.0.1:8420/back"  # the realm lets its portal's client go back to this host alone
PASSWORD = "a-long-password-of-tests-1"


@dataclass(frozen=True, slots=True)
class SignsIn:
    """A person who signs in: her account here, and what she types there."""

    account: str
    login: str
    password: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client at the issuer, and the application it is here; ``secret`` is empty where it has none."""

    application: str
    client: str
    secret: str


class Issuer(Protocol):
    """What differs between issuers: how people and clients come to be there, and the fields of the sign-in page."""

    login_field: str
    answer: Mapping[str, str]

    def person(self, login: str, *roles: Role) -> SignsIn:
        """An account of gong-an that signs in at this issuer."""
        ...

    def application(self, owner: str) -> Credentials:
        """An application whose client has tokens of its own."""
        ...

    def portal(self) -> Credentials:
        """A public client that people sign in through."""
        ...


@dataclass
class IdentitySubject:
    """A running hub that takes this issuer's tokens."""

    door: RunningDoor
    issuer: Issuer
    http: httpx.Client
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def me(self, token: str) -> httpx.Response:
        """Who the hub says the token's holder is."""
        return self.http.get(f"{self.door.url}/v1/me", headers={"authorization": f"Bearer {token}"})

    def token(self, **form: str) -> httpx.Response:
        """Ask the token endpoint."""
        return self.http.post(str(self.metadata["token_endpoint"]), data=form)

    def own_token(self, client: Credentials, secret: str | None = None) -> httpx.Response:
        """A client asks for a token of its own."""
        given = client.secret if secret is None else secret
        return self.token(grant_type="client_credentials", client_id=client.client, client_secret=given)

    def authorize(self, client: Credentials, **changes: str | None) -> str:
        """The address a browser is sent to."""
        members: dict[str, str | None] = {
            "response_type": "code",
            "client_id": client.client,
            "redirect_uri": REDIRECT,
            "scope": "openid act",
            "state": "s1",
            "nonce": "n1",
            "code_challenge_method": "S256",
        }
        given = {name: value for name, value in (members | changes).items() if value is not None}
        return f"{self.metadata['authorization_endpoint']}?{urlencode(given)}"

    def browse(self, address: str, person: SignsIn, password: str | None = None) -> httpx.Response:
        """A person at a browser: the page, its form filled in and sent."""
        with Browser() as browser:
            browser.open(address)
            if not browser.has_form():
                return browser.page
            fields = {self.issuer.login_field: person.login, "password": password or person.password}
            return browser.sign_in({**fields, **self.issuer.answer})

    def code(self, client: Credentials, person: SignsIn, challenge: str, **changes: str | None) -> str:
        """The code that a person's sign-in gives."""
        back = self.browse(self.authorize(client, code_challenge=challenge, **changes), person)
        assert back.status_code in {302, 303}, (back.status_code, back.text[:500])
        given = parse_qs(urlsplit(back.headers["location"]).query)
        assert given["state"] == ["s1"]
        return given["code"][0]

    def redeem(self, client: Credentials, code: str, verifier: str, **changes: str) -> httpx.Response:
        """A code for tokens."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": client.client}
        return self.token(**{**form, "code_verifier": verifier, **changes})

    def sign_in(self, client: Credentials, person: SignsIn, scope: str = "openid act") -> dict[str, Any]:
        """The tokens of a whole sign-in."""
        verifier, challenge = pkce()
        answer = self.redeem(client, self.code(client, person, challenge, scope=scope), verifier)
        assert answer.status_code == 200, answer.text
        return answer.json()


def pkce() -> tuple[str, str]:
    """A verifier and its challenge (RFC 7636)."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class BuiltIn:
    """The hub's own issuer."""

    login_field = "login"
    answer: Mapping[str, str] = {"answer": "allow"}

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def person(self, login: str, *roles: Role) -> SignsIn:
        with opened(self._database_url) as conn:
            made = add_person(conn, login, *roles, organization="gong-an")
        return SignsIn(made.id, made.login, made.password)

    def application(self, owner: str) -> Credentials:
        with opened(self._database_url) as conn:
            made = add_application(conn, owner)
        return Credentials(made.id, made.id, made.key)

    def portal(self) -> Credentials:
        with opened(self._database_url) as conn:
            made = add_application(conn, ADMINISTRATOR, public=True, redirect=REDIRECT)
        return Credentials(made.id, made.id, "")


class Realm:
    """The realm of the stack's Keycloak."""

    login_field = "username"
    answer: Mapping[str, str] = {}

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self._database_url = database_url
        self._stack = stack
        realm = KeycloakRealm(running_stack.realm_url(), "hub-admin", running_stack.secret("hub-admin-secret"))
        self._people = KeycloakPeople(realm)
        self._clients = KeycloakClients(realm, "hub-api")
        self._admin = realm_administrator()

    def person(self, login: str, *roles: Role) -> SignsIn:
        there = f"{login}-{uuid4().hex[:8]}"
        made = self._people.add(there, f"name of {login}", None)
        self._stack.callback(self._people.remove, made.subject)
        self._admin.set_user_password(made.subject, PASSWORD, temporary=False)
        with opened(self._database_url) as conn:
            account = add_person(conn, login, *roles, organization="gong-an")
            root = caller_of_login(conn, ADMINISTRATOR, datetime.now(UTC))
            people.link_identity(conn, root, account.id, self._people.issuer, made.subject, datetime.now(UTC))
        return SignsIn(account.id, there, PASSWORD)

    def application(self, owner: str) -> Credentials:
        with opened(self._database_url) as conn:
            found = add_application(conn, owner).id
            made = self._clients.add(found, "tests")
            self._stack.callback(self._clients.remove, found)
            self._link(conn, found, made.client, made.subject)
        return Credentials(found, made.client, made.secret)

    def portal(self) -> Credentials:
        with opened(self._database_url) as conn:
            found = add_application(conn, ADMINISTRATOR).id
            self._link(conn, found, "hub-portal", None)
        return Credentials(found, "hub-portal", "")

    def _link(self, conn: Any, application: str, client: str, subject: str | None) -> None:
        now = datetime.now(UTC)
        root = caller_of_login(conn, ADMINISTRATOR, now)
        applications.link_client(conn, root, application, self._people.issuer, client, now, subject=subject)


def realm_administrator() -> KeycloakAdmin:
    """The administrator of the stack's Keycloak, in the hub's realm: for what only tests ask of it."""
    server, _, realm = running_stack.realm_url().partition("/realms/")
    admin = KeycloakAdmin(
        server_url=server, username="admin", password=running_stack.secret("admin-password"), user_realm_name="master"
    )
    admin.change_current_realm(realm)
    return admin


@contextmanager
def identity_subject(name: str, database_url: str) -> Generator[IdentitySubject]:
    """A hub behind the issuer of this name: built-in or keycloak."""
    with ExitStack() as stack:
        http = stack.enter_context(httpx.Client(timeout=30, verify=plain_context(), trust_env=False))
        changes: dict[str, object] = {}
        if name == "keycloak":
            changes = {"oidc_issuer": running_stack.realm_url(), "oidc_audience": "hub-api"}
        door = stack.enter_context(running(database_url, **changes))
        populate(door)
        with opened(database_url) as conn:
            add_person(conn, ADMINISTRATOR)
        issuer: Issuer = Realm(database_url, stack) if name == "keycloak" else BuiltIn(database_url)
        address = running_stack.realm_url() if name == "keycloak" else f"{door.url}/v1/oidc"
        yield IdentitySubject(door, issuer, http, http.get(address + DISCOVERY).json())
