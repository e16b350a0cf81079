"""What the hub and its issuer promise together, whichever issuer it is: the built-in one and Keycloak, unchanged."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import cast

import httpx
import pytest
import running_stack
from identity_subjects import REDIRECT, Credentials, IdentitySubject, SignsIn, identity_subject, pkce
from psycopg import Connection, sql
from signing_in import ADMINISTRATOR, opened

from catalog.caller import Caller
from hub.acts import applications, people
from hub.identity.people import caller_of_login
from hub.store.cluster import ROLE, Cluster
from hub.store.connect import connect


@pytest.fixture(scope="module", params=["built-in", *(["keycloak"] if running_stack.is_there() else [])])
def subject(request: pytest.FixtureRequest, cluster: Cluster, migrated_template: str) -> Iterator[IdentitySubject]:
    name = cast("str", request.param)
    database = f"identity_{name.replace('-', '_')}"
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(*(sql.Identifier(one) for one in (database, ROLE, migrated_template))))
        with identity_subject(name, cluster.url(database)) as one:
            yield one
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


@pytest.fixture(scope="module")
def ann(subject: IdentitySubject) -> SignsIn:
    return subject.issuer.person("ann", "developer", "steward")


@pytest.fixture(scope="module")
def portal(subject: IdentitySubject) -> Credentials:
    return subject.issuer.portal()


@pytest.fixture(scope="module")
def application(subject: IdentitySubject, ann: SignsIn) -> Credentials:
    assert ann
    return subject.issuer.application("ann")


def refused(answer: httpx.Response, error: str) -> None:
    assert (answer.status_code in {400, 401}, answer.json()["error"]) == (True, error), answer.text


def is_refused_soon(subject: IdentitySubject, token: str) -> bool:
    """Within a second."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        if subject.me(token).status_code == 401:
            return True
        time.sleep(0.02)
    return False


# What it says of itself ----------------------------------------------------------------------------------------------


def test_its_document_names_what_a_client_needs(subject: IdentitySubject):
    said = subject.metadata
    for name in ("authorization", "token", "userinfo", "revocation", "end_session"):
        assert said[f"{name}_endpoint"].startswith(said["issuer"])
    assert said["jwks_uri"].startswith(said["issuer"])
    assert {"authorization_code", "client_credentials", "refresh_token"} <= set(said["grant_types_supported"])
    assert "S256" in said["code_challenge_methods_supported"]
    keys = subject.http.get(said["jwks_uri"]).json()["keys"]
    assert keys
    assert not any(member in key for key in keys for member in ("d", "p", "q", "k"))


# Applications --------------------------------------------------------------------------------------------------------


def test_an_application_is_itself_and_has_no_roles(subject: IdentitySubject, application: Credentials):
    answer = subject.own_token(application)
    assert (answer.status_code, answer.json()["token_type"].lower()) == (200, "bearer")
    me = subject.me(answer.json()["access_token"]).json()
    assert (me["id"], me["application"], me["roles"]) == (
        f"application:{application.application}",
        application.application,
        [],
    )


@pytest.mark.parametrize("secret", ["", "wrong", "hub_" + "A" * 43])
def test_an_application_proves_itself_with_its_own_secret(
    subject: IdentitySubject, application: Credentials, secret: str
):
    answer = subject.own_token(application, secret)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] in {"invalid_client", "unauthorized_client"}


def test_what_a_caller_puts_into_the_form_is_not_in_its_token(subject: IdentitySubject, application: Credentials):
    extra = {"sub": "root", "roles": "administrator", "organization": "min-zheng", "exp": "9999999999"}
    form = {"client_id": application.client, "client_secret": application.secret, **extra}
    answer = subject.token(grant_type="client_credentials", **form)
    me = subject.me(answer.json()["access_token"]).json()
    assert (me["id"], me["roles"]) == (f"application:{application.application}", [])


@pytest.mark.parametrize("grant", ["password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"])
def test_other_grants_are_not_offered(subject: IdentitySubject, application: Credentials, ann: SignsIn, grant: str):
    form = {"client_id": application.client, "client_secret": application.secret, "assertion": "x"}
    answer = subject.token(grant_type=grant, username=ann.login, password=ann.password, **form)
    assert answer.status_code in {400, 401, 403}
    assert "access_token" not in answer.text


# People --------------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_and_is_whom_the_rows_say(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    tokens = subject.sign_in(portal, ann)
    me = subject.me(tokens["access_token"]).json()
    assert (me["id"], me["organization"], me["application"]) == (
        f"person:{ann.account}",
        "gong-an",
        portal.application,
    )
    assert sorted(me["roles"]) == ["developer", "steward"]


def test_without_consent_to_act_an_application_has_no_roles_of_the_person(
    subject: IdentitySubject, portal: Credentials, ann: SignsIn
):
    me = subject.me(subject.sign_in(portal, ann, "openid")["access_token"]).json()
    assert (me["id"], me["roles"]) == (f"person:{ann.account}", [])


def test_a_wrong_password_gives_no_code(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    _, challenge = pkce()
    back = subject.browse(subject.authorize(portal, code_challenge=challenge), ann, "a-wrong-password-of-tests")
    assert "location" not in back.headers
    assert not re.search(r"[?&;]code=", back.text)


def test_a_code_is_good_only_with_its_verifier(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    verifier, challenge = pkce()
    for wrong in ("", "w" * 43, challenge):
        refused(subject.redeem(portal, subject.code(portal, ann, challenge), wrong), "invalid_grant")
    code = subject.code(portal, ann, challenge)
    refused(subject.redeem(portal, code, "w" * 43), "invalid_grant")
    refused(subject.redeem(portal, code, verifier), "invalid_grant")  # burnt by the wrong try


def test_a_code_is_good_once_and_at_its_address(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    verifier, challenge = pkce()
    code = subject.code(portal, ann, challenge)
    assert subject.redeem(portal, code, verifier).status_code == 200
    refused(subject.redeem(portal, code, verifier), "invalid_grant")
    code = subject.code(portal, ann, challenge)
    refused(subject.redeem(portal, code, verifier, redirect_uri=REDIRECT + "/"), "invalid_grant")


def test_no_sign_in_begins_without_a_challenge(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    back = subject.browse(subject.authorize(portal, code_challenge_method=None), ann)
    assert "code=" not in back.headers.get("location", "")
    assert "error=invalid_request" in back.headers["location"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:8421/back", "https://evil.test/back", "javascript:alert(1)"])
def test_nobody_is_sent_to_an_address_that_is_not_registered(
    subject: IdentitySubject, portal: Credentials, ann: SignsIn, address: str
):
    _, challenge = pkce()
    page = subject.browse(subject.authorize(portal, redirect_uri=address, code_challenge=challenge), ann)
    assert page.status_code == 400
    assert "location" not in page.headers


def test_a_refresh_token_rotates_and_its_second_use_is_refused(
    subject: IdentitySubject, portal: Credentials, ann: SignsIn
):
    first = subject.sign_in(portal, ann)
    form = {"grant_type": "refresh_token", "client_id": portal.client}
    second = subject.token(**form, refresh_token=first["refresh_token"]).json()
    assert subject.me(second["access_token"]).json()["id"] == f"person:{ann.account}"
    refused(subject.token(**form, refresh_token=first["refresh_token"]), "invalid_grant")


def test_signing_out_ends_the_refreshing(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    tokens = subject.sign_in(portal, ann)
    out = {"id_token_hint": tokens["id_token"], "client_id": portal.client}
    answer = subject.http.get(str(subject.metadata["end_session_endpoint"]), params=out)
    assert answer.status_code < 400
    form = {"grant_type": "refresh_token", "client_id": portal.client, "refresh_token": tokens["refresh_token"]}
    refused(subject.token(**form), "invalid_grant")


def test_a_revoked_refresh_token_is_good_for_nothing(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    tokens = subject.sign_in(portal, ann)
    form = {"client_id": portal.client, "token": tokens["refresh_token"]}
    assert subject.http.post(str(subject.metadata["revocation_endpoint"]), data=form).status_code == 200
    again = {"grant_type": "refresh_token", "client_id": portal.client, "refresh_token": tokens["refresh_token"]}
    refused(subject.token(**again), "invalid_grant")


# What the hub makes of tokens ----------------------------------------------------------------------------------------


def test_an_id_token_is_no_access_token(subject: IdentitySubject, portal: Credentials, ann: SignsIn):
    tokens = subject.sign_in(portal, ann)
    assert subject.me(tokens["id_token"]).status_code == 401
    assert subject.me(tokens["refresh_token"]).status_code == 401


def test_a_token_that_was_touched_is_refused(subject: IdentitySubject, application: Credentials):
    token = subject.own_token(application).json()["access_token"]
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    later = _text({**claims, "exp": claims["exp"] + 3600})
    none = _text({"alg": "none", "typ": "at+jwt"})
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    for touched in (f"{header}.{later}.{signature}", f"{none}.{payload}.", f"{header}.{payload}.{flipped}"):
        assert subject.me(touched).status_code == 401
    assert subject.me(token).status_code == 200


def test_what_is_changed_here_counts_whatever_the_token_says(subject: IdentitySubject, portal: Credentials):
    bea = subject.issuer.person("bea", "developer")
    token = subject.sign_in(portal, bea)["access_token"]
    assert subject.me(token).json()["roles"] == ["developer"]
    _acted(
        subject,
        lambda conn, root, now: people.change_roles(
            conn, root, bea.account, frozenset({"auditor"}), frozenset({"developer"}), now
        ),
    )
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and subject.me(token).json()["roles"] != ["auditor"]:
        time.sleep(0.02)
    assert subject.me(token).json()["roles"] == ["auditor"]
    _acted(subject, lambda conn, root, now: people.suspend(conn, root, bea.account, "test", now))
    assert is_refused_soon(subject, token)


def test_a_suspended_application_is_refused_at_once(subject: IdentitySubject, ann: SignsIn):
    assert ann
    made = subject.issuer.application("ann")
    token = subject.own_token(made).json()["access_token"]
    assert subject.me(token).status_code == 200
    _acted(subject, lambda conn, root, now: applications.suspend(conn, root, made.application, "test", now))
    assert is_refused_soon(subject, token)


def _acted(subject: IdentitySubject, act: Callable[[Connection, Caller, datetime], object]) -> None:
    with opened(subject.door.database_url) as conn:
        now = datetime.now(UTC)
        act(conn, caller_of_login(conn, ADMINISTRATOR, now), now)


def _text(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
