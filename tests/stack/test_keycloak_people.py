"""People and organizations of a hub whose issuer is a real Keycloak, by the commands an administrator types."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import running_stack
from command_line import run_hub
from identity_subjects import (
    PASSWORD,
    Credentials,
    IdentitySubject,
    SignsIn,
    identity_subject,
    pkce,
    realm_administrator,
)
from page_browser import Browser

from catalog.organization import Organization
from catalog.store import add_organization
from hub.store.connect import connect

ROOT = "root"


@dataclass
class Stage:
    """A hub behind the realm, its commands, and what to take away from the realm afterwards."""

    subject: IdentitySubject
    environment: dict[str, str]

    def hub(self, *arguments: str, acting_as: str | None = ROOT, code: int = 0) -> str:
        """What a command prints; or, where it is to be refused, the sentence."""
        acting = [] if acting_as is None else ["--as", acting_as]
        done = run_hub(*arguments, *acting, environment=self.environment)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout if code == 0 else done.stderr

    def actions(self) -> list[str]:
        """What the ledger says was done, oldest first."""
        listed = json.loads(self.hub("ledger", "list", "--json", acting_as=None))
        return [one["action"] for one in reversed(listed)]


@pytest.fixture
def stage(database_url: str, tmp_path: Path) -> Iterator[Stage]:
    secret = tmp_path / "secret"
    secret.write_text(running_stack.secret("hub-admin-secret"), encoding="ascii")
    with identity_subject("keycloak", database_url) as subject:
        environment = {
            **os.environ,
            "HUB_DATABASE_URL": database_url,
            "HUB_DATA_FOLDER": str(tmp_path),
            "HUB_OIDC_ISSUER": running_stack.realm_url(),
            "HUB_OIDC_AUDIENCE": "hub-api",
            "HUB_KEYCLOAK_SECRET_FILE": str(secret),
            "HUB_LANGUAGE": "en",
        }
        yield Stage(subject, environment)


@pytest.fixture
def a_login() -> Iterator[Any]:
    """Makes logins nobody has in the realm, and takes their people away afterwards."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(f"{name}-{uuid4().hex[:8]}")
        return made[-1]

    yield make
    admin = realm_administrator()
    for login in made:
        found = admin.get_user_id(login)
        if found is not None:
            admin.delete_user(found)


@pytest.fixture
def an_organization(database_url: str, stage: Stage) -> Iterator[str]:
    """An organization of the hub that the realm does not know yet; gone from there afterwards."""
    assert stage
    name = f"ju-{uuid4().hex[:8]}"
    with connect(database_url, "test") as conn:
        add_organization(conn, Organization(name, f"局 {name}", f"Bureau {name}", "province", "420000"))
    yield name
    admin = realm_administrator()
    for one in admin.get_organizations({"max": 100}):
        if one["alias"] == name:
            admin.delete_organization(one["id"])


def first_sign_in(stage: Stage, portal: Credentials, person: SignsIn) -> dict[str, Any]:
    """With the password she was told, and the one she then chooses."""
    verifier, challenge = pkce()
    with Browser() as browser:
        browser.open(stage.subject.authorize(portal, code_challenge=challenge))
        browser.sign_in({"username": person.login, "password": person.password})
        assert "password-new" in browser.page.text  # she is to choose her own
        answer = browser.submit({"password-new": PASSWORD, "password-confirm": PASSWORD})
    code = re.search(r"[?&]code=([^&]+)", answer.headers["location"])
    assert code is not None
    return stage.subject.redeem(portal, code[1], verifier).json()


def claims(token: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


# People --------------------------------------------------------------------------------------------------------------


def test_an_administrator_makes_organizations_and_people_there_and_they_sign_in(
    stage: Stage, an_organization: str, a_login: Any
):
    portal, ann = stage.subject.issuer.portal(), a_login("ann")
    stage.hub("keycloak", "organization", "add", an_organization)
    assert "status 409" in stage.hub("keycloak", "organization", "add", an_organization, code=1)
    options = ["--name", "安", "--organization", an_organization, "--role", "steward", "--no-password"]
    stage.hub("person", "add", ann, *options)
    made = json.loads(stage.hub("keycloak", "person", "add", ann, "--json"))
    assert made["login"] == ann
    tokens = first_sign_in(stage, portal, SignsIn("", ann, made["password"]))
    assert claims(tokens["access_token"])["organization"] == [an_organization]
    me = stage.subject.me(tokens["access_token"]).json()
    assert (me["organization"], me["roles"]) == (an_organization, ["steward"])

    stage.hub("keycloak", "person", "disable", ann)
    form = {"grant_type": "refresh_token", "client_id": portal.client, "refresh_token": tokens["refresh_token"]}
    assert stage.subject.token(**form).json()["error"] == "invalid_grant"
    _, challenge = pkce()
    again = stage.subject.browse(stage.subject.authorize(portal, code_challenge=challenge), SignsIn("", ann, PASSWORD))
    assert "location" not in again.headers
    stage.hub("keycloak", "person", "enable", ann)
    told = stage.hub("keycloak", "person", "password", ann).splitlines()[-1]
    admin = realm_administrator()
    assert admin.get_user(made["subject"])["requiredActions"] == ["UPDATE_PASSWORD"]
    assert told != made["password"]

    expected = [
        "organization.realm_added",
        "person.added",
        "person.identity_linked",
        "person.sign_in_disabled",
        "person.sign_in_enabled",
        "person.password_reset",
    ]
    assert [one for one in stage.actions() if one in expected][-len(expected) :] == expected


def test_what_is_refused_leaves_nothing_here_and_nothing_there(stage: Stage, a_login: Any):
    ann, admin = a_login("ann"), realm_administrator()
    stage.hub("person", "add", ann, "--name", "安", "--no-password", "--role", "administrator")
    assert "himself" in stage.hub("keycloak", "person", "add", ann, acting_as=ann, code=1)
    assert admin.get_user_id(ann) is None
    stage.hub("keycloak", "person", "add", ann)
    assert "status 409" in stage.hub("keycloak", "person", "add", ann, code=1)
    stage.hub("keycloak", "person", "disable", ann)
    assert "himself" in stage.hub("keycloak", "person", "enable", ann, acting_as=ann, code=1)
    bea = a_login("bea")
    stage.hub("person", "add", bea, "--name", "贝", "--no-password", "--role", "developer")
    for command in ("add", "disable", "enable", "password"):
        assert "administrator" in stage.hub("keycloak", "person", command, bea, acting_as=bea, code=1)
    assert "account" in stage.hub("keycloak", "person", "disable", bea, code=1)  # not in the realm
    assert "organization" in stage.hub("keycloak", "organization", "add", "nobody", code=1)
    before = len(stage.actions())
    stage.hub("keycloak", "person", "disable", bea, code=1)
    assert len(stage.actions()) == before


def test_the_first_administrator_of_a_hub_is_made_there_by_its_operator(
    stage: Stage, a_login: Any, bare_hub: dict[str, str]
):
    root = a_login("root")
    operator = Stage(stage.subject, bare_hub)
    operator.hub("person", "add", root, "--name", "根", "--no-password", acting_as=None)
    assert len(operator.hub("keycloak", "person", "add", root, acting_as=None).splitlines()[-1]) == 20
    assert "administrator" in operator.hub("keycloak", "person", "add", root, acting_as=None, code=1)


@pytest.fixture
def bare_hub(stage: Stage, bare_database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of another hub, with nobody in it."""
    folder = tmp_path / "another"
    folder.mkdir()
    return {**stage.environment, "HUB_DATABASE_URL": bare_database_url, "HUB_DATA_FOLDER": str(folder)}


def test_what_the_realm_knows_fills_in_an_account_that_an_administrator_confirms(
    stage: Stage, an_organization: str, a_login: Any
):
    admin, portal, ann = realm_administrator(), stage.subject.issuer.portal(), a_login("ann")
    stage.hub("keycloak", "organization", "add", an_organization)
    credentials = [{"type": "password", "value": PASSWORD, "temporary": False}]
    made = admin.create_user({"username": ann, "enabled": True, "firstName": "李安", "credentials": credentials})
    admin.assign_realm_roles(made, [admin.get_realm_role("steward"), admin.get_realm_role("developer")])
    ours = next(one for one in admin.get_organizations({"max": 100}) if one["alias"] == an_organization)
    admin.organization_user_add(made, ours["id"])

    shown = json.loads(stage.hub("keycloak", "person", "adopt", ann, "--json"))
    assert shown == {
        "login": ann,
        "display_name": "李安",
        "organization": an_organization,
        "roles": "developer, steward",
    }
    signed = SignsIn("", ann, PASSWORD)
    assert stage.subject.me(stage.subject.sign_in(portal, signed)["access_token"]).status_code == 401  # only shown
    stage.hub("keycloak", "person", "adopt", ann, "--role", "developer", "--confirm")
    me = stage.subject.me(stage.subject.sign_in(portal, signed)["access_token"]).json()
    assert (me["organization"], me["roles"]) == (an_organization, ["developer"])
    assert "login" in stage.hub("keycloak", "person", "adopt", ann, "--confirm", code=1)  # an account has it
    assert "none of this login" in stage.hub("keycloak", "person", "adopt", a_login("nobody"), code=1)


# A person at the command line ----------------------------------------------------------------------------------------


def asked_for_token(stage: Stage, person: SignsIn, answer: str) -> tuple[int, str, str]:
    """``hub token`` while a person signs in and answers in a browser: exit code, output and errors."""
    command = [sys.executable, "-m", "hub.cli", "token"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=stage.environment
    ) as running:
        assert running.stderr is not None
        ending = threading.Timer(60, running.kill)
        ending.start()
        told = running.stderr.readline()
        address = re.search(r"http://\S+", told)
        assert address is not None, told
        with Browser() as browser:
            browser.open(address[0])
            browser.sign_in({"username": person.login, "password": person.password})
            browser.submit({answer: "x"})
        output, errors = running.communicate(timeout=60)
        ending.cancel()
    return running.returncode, output, errors


def test_a_person_signs_in_from_the_command_line(stage: Stage):
    ann = stage.subject.issuer.person("ann", "developer")
    application = stage.subject.issuer.application("ann").application
    link = ["--issuer", running_stack.realm_url(), "--client", "hub-admin-cli"]
    stage.hub("application", "link", application, *link)
    code, output, errors = asked_for_token(stage, ann, "accept")
    assert (code, len(output.splitlines())) == (0, 1), errors
    me = stage.subject.me(output.strip()).json()
    assert (me["id"], me["roles"], me["application"]) == (f"person:{ann.account}", ["developer"], application)
    code, output, errors = asked_for_token(stage, ann, "cancel")
    assert (code, output) == (1, "")
    assert "access_denied" in errors


def test_a_client_that_is_none_of_the_command_lines_is_refused_in_a_sentence(stage: Stage):
    done = run_hub("token", "--client", "hub-portal", environment=stage.environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--client" in done.stderr
    without = {name: value for name, value in stage.environment.items() if name != "HUB_OIDC_ISSUER"}
    done = run_hub("token", environment=without)
    assert (done.returncode, "HUB_OIDC_ISSUER" in done.stderr) == (1, True)
