"""The hub behind a real Keycloak: who a token's holder is, what is refused and when. Against the running server."""

import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
import running_stack
from command_line import run_hub
from identity_subjects import PASSWORD, REDIRECT, pkce, realm_administrator
from keycloak import KeycloakAdmin
from page_browser import Browser
from psycopg_pool import ConnectionPool
from signing_in import add_application, add_person

from catalog.organization import Organization
from catalog.store import add_organization
from hub.acts import applications, people
from hub.errors import SettingWrong
from hub.identity.callers import Callers
from hub.identity.errors import IssuerUnreachable, KeycloakFailed, NotAuthenticated
from hub.identity.issuer_keys import IssuerKeys
from hub.identity.keycloak_clients import KeycloakClients
from hub.identity.keycloak_realm import KeycloakRealm
from hub.identity.people import caller_of_login
from hub.identity.remote_keys import remote_keys
from hub.identity.tokens import Tokens
from hub.store.connect import pool

AUDIENCE = "hub-api"


@dataclass
class Stage:
    """A hub's rows, its identity over the realm, and the realm's administrator."""

    conn: psycopg.Connection
    pool: ConnectionPool
    issuer: str
    clients: KeycloakClients
    admin: KeycloakAdmin

    def callers(self, keys: IssuerKeys | None = None) -> Callers:
        return Callers(self.pool, Tokens(self.issuer, AUDIENCE, keys or self.keys()), built_in=False)

    def keys(self) -> IssuerKeys:
        return IssuerKeys(remote_keys(self.issuer), refetch_seconds=0)

    def ask_token(self, **form: str) -> httpx.Response:
        address = f"{self.issuer}/protocol/openid-connect/token"
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(address, data=form)

    def own_token(self, client: str, secret: str) -> httpx.Response:
        return self.ask_token(grant_type="client_credentials", client_id=client, client_secret=secret)

    def application(self) -> str:
        """An application of a developer's, by its id."""
        return add_application(self.conn, "ann").id

    def linked(self) -> tuple[str, str]:
        """An application with a client of its own in the realm: its id and the client's secret."""
        found = self.application()
        made = self.clients.add(found, "tests")
        root = caller_of_login(self.conn, "root", datetime.now(UTC))
        applications.link_client(
            self.conn, root, found, self.issuer, made.client, datetime.now(UTC), subject=made.subject
        )
        self.conn.commit()
        return found, made.secret


@pytest.fixture
def stage(database_url: str, connection: psycopg.Connection) -> Iterator[Stage]:
    add_organization(connection, Organization("gong-an", "公安厅", "Public Security", "province", "420000"))
    add_person(connection, "root")
    add_person(connection, "ann", "developer", organization="gong-an")
    connection.commit()
    issuer = running_stack.realm_url()
    admin = realm_administrator()
    clients = KeycloakClients(KeycloakRealm(issuer, "hub-admin", running_stack.secret("hub-admin-secret")), AUDIENCE)
    with pool(database_url, "test", size=2) as connections:
        yield Stage(connection, connections, issuer, clients, admin)


@pytest.fixture
def person(stage: Stage) -> Iterator[str]:
    """A person of the realm, by the id that is the subject of her tokens."""
    profile = {"firstName": "安", "lastName": "李", "email": f"{uuid4().hex[:8]}@example.org", "emailVerified": True}
    credentials = [{"type": "password", "value": PASSWORD, "temporary": False}]
    login = f"ann-{uuid4().hex[:8]}"
    made = stage.admin.create_user({"username": login, "enabled": True, "credentials": credentials, **profile})
    yield made
    stage.admin.delete_user(made)


def refused(callers: Callers, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        callers.caller(token, datetime.now(UTC))


def sign_in(stage: Stage, person: str, scope: str = "openid act") -> dict[str, Any]:
    """Sign in through the portal's client as a browser does: the page, its form, the code, the tokens."""
    verifier, challenge = pkce()
    asked = {
        "response_type": "code",
        "client_id": "hub-portal",
        "redirect_uri": REDIRECT,
        "scope": scope,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with Browser() as browser:
        browser.open(f"{stage.issuer}/protocol/openid-connect/auth?{urlencode(asked)}")
        back = browser.sign_in({"username": stage.admin.get_user(person)["username"], "password": PASSWORD})
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    answer = stage.ask_token(
        grant_type="authorization_code",
        code=code,
        redirect_uri=REDIRECT,
        client_id="hub-portal",
        code_verifier=verifier,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


# Applications --------------------------------------------------------------------------------------------------------


def test_a_client_that_the_hub_made_is_its_application(stage: Stage):
    application, secret = stage.linked()
    token = stage.own_token(application, secret).json()["access_token"]
    caller = stage.callers().caller(token, datetime.now(UTC))
    assert (caller.id, caller.application, caller.person) == (f"application:{application}", application, None)
    assert caller.roles == frozenset()


def test_a_replaced_secret_counts_no_more(stage: Stage):
    application, secret = stage.linked()
    replaced = stage.clients.rotate(application)
    assert stage.own_token(application, secret).status_code == 401
    assert stage.own_token(application, replaced).status_code == 200


def test_a_disabled_client_gets_no_token_and_a_suspended_application_is_refused_at_once(stage: Stage):
    application, secret = stage.linked()
    token = stage.own_token(application, secret).json()["access_token"]
    callers = stage.callers()
    callers.caller(token, datetime.now(UTC))
    stage.clients.set_enabled(application, enabled=False)
    assert stage.own_token(application, secret).status_code == 401
    root = caller_of_login(stage.conn, "root", datetime.now(UTC))
    applications.suspend(stage.conn, root, application, "test", datetime.now(UTC))
    stage.conn.commit()
    time.sleep(0.3)
    refused(callers, token)
    stage.clients.set_enabled(application, enabled=True)
    assert stage.own_token(application, secret).status_code == 200


def test_a_client_nobody_linked_is_nobody_here_and_one_for_others_neither(stage: Stage):
    application = stage.application()
    stage.conn.commit()
    made = stage.clients.add(application, "tests")
    refused(stage.callers(), stage.own_token(application, made.secret).json()["access_token"])
    foreign = stage.own_token("hub-admin", running_stack.secret("hub-admin-secret")).json()["access_token"]
    refused(stage.callers(), foreign)  # meant for Keycloak's own administration, not for the hub


def test_what_keycloak_refuses_is_said_without_what_was_sent(stage: Stage):
    application, _ = stage.linked()
    with pytest.raises(KeycloakFailed, match="409"):
        stage.clients.add(application, "again")
    with pytest.raises(KeycloakFailed, match="none of this id"):
        stage.clients.rotate(str(uuid4()))
    wrong = KeycloakClients(KeycloakRealm(stage.issuer, "hub-admin", "a-wrong-secret"), AUDIENCE)
    with pytest.raises(KeycloakFailed) as failed:
        wrong.rotate(application)
    assert "a-wrong-secret" not in failed.value.sentence("en")
    with pytest.raises(SettingWrong):
        KeycloakRealm("https://issuer.test", "hub-admin", "x")


# People --------------------------------------------------------------------------------------------------------------


def test_a_person_is_whom_the_rows_say_whatever_the_realm_says(stage: Stage, person: str):
    portal = stage.application()
    root = caller_of_login(stage.conn, "root", datetime.now(UTC))
    applications.link_client(stage.conn, root, portal, stage.issuer, "hub-portal", datetime.now(UTC))
    ann = add_person(stage.conn, "bea", "developer", organization="gong-an")
    stage.conn.commit()
    stage.admin.assign_realm_roles(person, [stage.admin.get_realm_role("administrator")])
    token = sign_in(stage, person)["access_token"]
    refused(stage.callers(), token)  # signed in there, linked to nobody here
    people.link_identity(stage.conn, root, ann.id, stage.issuer, person, datetime.now(UTC))
    stage.conn.commit()
    caller = stage.callers().caller(token, datetime.now(UTC))
    assert (caller.id, caller.organization, caller.application) == (f"person:{ann.id}", "gong-an", portal)
    assert caller.roles == {"developer"}
    without = stage.callers().caller(sign_in(stage, person, "openid")["access_token"], datetime.now(UTC))
    assert without.roles == frozenset()


def test_a_session_that_is_ended_there_gives_no_more_tokens(stage: Stage, person: str):
    tokens = sign_in(stage, person)
    form = {"grant_type": "refresh_token", "client_id": "hub-portal"}
    renewed = stage.ask_token(**form, refresh_token=tokens["refresh_token"])
    assert renewed.status_code == 200
    stage.admin.user_logout(person)
    assert stage.ask_token(**form, refresh_token=renewed.json()["refresh_token"]).status_code == 400


# Keys and outages ----------------------------------------------------------------------------------------------------


@contextmanager
def another_signing_key(stage: Stage) -> Generator[None]:
    realm = stage.admin.get_realm("hub")["id"]
    payload = {
        "name": "of-tests",
        "providerId": "ecdsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm,
        "config": {"priority": ["200"], "enabled": ["true"], "active": ["true"], "ecdsaEllipticCurveKey": ["P-256"]},
    }
    made = stage.admin.create_component(payload)
    try:
        yield
    finally:
        stage.admin.delete_component(made)


def test_a_key_that_the_realm_signs_with_anew_is_taken_and_the_old_one_goes_on(stage: Stage):
    application, secret = stage.linked()
    callers = stage.callers()
    before = stage.own_token(application, secret).json()["access_token"]
    callers.caller(before, datetime.now(UTC))
    with another_signing_key(stage):
        after = stage.own_token(application, secret).json()["access_token"]
        assert before.split(".")[0] != after.split(".")[0]  # another kid
        for token in (after, before):
            assert callers.caller(token, datetime.now(UTC)).application == application


def test_while_keycloak_is_silent_known_keys_count_and_unknown_ones_are_unverifiable(stage: Stage):
    application, secret = stage.linked()
    first, second = (stage.own_token(application, secret).json()["access_token"] for _ in range(2))
    callers, strangers = stage.callers(), stage.callers()
    callers.caller(first, datetime.now(UTC))
    server = running_stack.process("keycloak")
    server.suspend()
    try:
        assert callers.caller(second, datetime.now(UTC)).application == application
        with pytest.raises(IssuerUnreachable):
            strangers.caller(second, datetime.now(UTC))
    finally:
        server.resume()


# The command line ----------------------------------------------------------------------------------------------------


def test_commands_make_link_replace_and_disable(stage: Stage, database_url: str, tmp_path: Path):
    secret_file = tmp_path / "secret"
    secret_file.write_text(running_stack.secret("hub-admin-secret"), encoding="ascii")
    environment = {
        **os.environ,
        "HUB_DATABASE_URL": database_url,
        "HUB_DATA_FOLDER": str(tmp_path),
        "HUB_OIDC_ISSUER": stage.issuer,
        "HUB_OIDC_AUDIENCE": AUDIENCE,
        "HUB_KEYCLOAK_SECRET_FILE": str(secret_file),
        "HUB_LANGUAGE": "en",
    }
    application = stage.application()
    stage.conn.commit()

    def hub(*arguments: str, code: int = 0) -> str:
        done = run_hub(*arguments, "--as", "root", environment=environment)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    made = json.loads(hub("keycloak", "add", application, "--json"))
    token = stage.own_token(application, made["secret"]).json()["access_token"]
    assert stage.callers().caller(token, datetime.now(UTC)).application == application
    assert "status 409" in hub("keycloak", "add", application, code=1)
    replaced = hub("keycloak", "rotate", application).splitlines()[-1]
    assert stage.own_token(application, made["secret"]).status_code == 401
    hub("keycloak", "disable", application)
    assert stage.own_token(application, replaced).status_code == 401
    hub("keycloak", "enable", application)
    assert stage.own_token(application, replaced).status_code == 200
    hub("application", "link", application, "--issuer", stage.issuer, "--client", "hub-portal")
    listed = json.loads(run_hub("ledger", "list", "--json", environment=environment).stdout)
    actions = [one["action"] for one in listed if one["action"].startswith("application.client")]
    assert sorted(actions) == [
        "application.client_disabled",
        "application.client_enabled",
        "application.client_linked",
        "application.client_linked",
        "application.client_secret_replaced",
    ]
    done = run_hub("keycloak", "rotate", application, "--as", "ann", environment=environment)
    assert (done.returncode, "administrator" in done.stderr) == (1, True)
    secret_file.unlink()
    assert "HUB_KEYCLOAK_SECRET_FILE" in hub("keycloak", "rotate", application, code=1)
