"""The token endpoint of the built-in OpenID provider: codes, clients, refreshing, ending. Abuse is most of it."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from authlib.common.security import generate_token
from running_door import RunningDoor
from sign_in_stage import CHALLENGE, SignInStage, refusal, sign_in_stage
from signing_in import REDIRECT, add_person, browse, oauth, opened


@pytest.fixture(scope="module")
def stage(door: RunningDoor) -> Iterator[SignInStage]:
    with sign_in_stage(door) as made:
        yield made


# Codes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"code_verifier": CHALLENGE},
        {"code_verifier": "v" * 42},
        {"code_verifier": "v" * 44},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": ""},
    ],
)
def test_a_code_is_good_only_with_its_verifier_and_address_and_is_burnt_by_a_wrong_try(
    stage: SignInStage, changes: dict[str, str]
):
    code = stage.code()
    refusal(stage.exchange(code, changes=changes), "invalid_grant")
    refusal(stage.exchange(code), "invalid_grant")


def test_a_code_is_of_one_client_only(stage: SignInStage):
    refusal(stage.exchange(stage.code(), stage.other), "invalid_grant")
    refusal(stage.exchange(stage.code(), stage.public), "invalid_grant")


def test_a_replayed_code_ends_what_came_from_its_first_use(stage: SignInStage):
    code = stage.code()
    tokens = stage.exchange(code).json()
    assert stage.me(tokens["access_token"]).status_code == 200
    refusal(stage.exchange(code), "invalid_grant")
    assert stage.is_refused_soon(tokens["access_token"])
    refusal(stage.token(stage.app, grant_type="refresh_token", refresh_token=tokens["refresh_token"]), "invalid_grant")


def test_claims_and_scopes_a_caller_supplies_are_not_in_the_token(stage: SignInStage):
    extra = {"sub": "root", "roles": "administrator", "tier": "steward", "organization": "min-zheng", "aud": "x"}
    extra |= {"claims": json.dumps({"access_token": {"sub": "root"}}), "scope": "act admin", "exp": "9999999999"}
    for form in (extra | {"grant_type": "client_credentials"},):
        answer = stage.token(stage.app, **form).json()
        me = stage.me(answer["access_token"]).json()
        assert (me["id"], me["roles"]) == (f"application:{stage.app.id}", [])
    answer = stage.exchange(stage.code(scope="openid root"), changes=extra).json()
    assert answer["scope"] == "openid"
    body = json.loads(base64.urlsafe_b64decode(answer["access_token"].split(".")[1] + "=="))
    assert set(body) == {"iss", "sub", "aud", "azp", "client_id", "exp", "iat", "jti", "sid", "scope"}
    assert (body["sub"], body["aud"], body["exp"] - body["iat"]) == (stage.ann.id, "hub", 600)


# Clients and refreshing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "secret"),
    [
        ("app", "hub_" + "A" * 43),
        ("app", ""),
        ("app", "other"),
        ("other", "app"),
        ("nobody", "app"),
        ("public", ""),
        ("", ""),
        ("\x00", "hub_'; --"),
    ],
)
def test_a_client_proves_itself_with_its_own_key(stage: SignInStage, user: str, secret: str):
    ids = {"app": stage.app.id, "other": stage.other.id, "public": stage.public.id}
    keys = {"app": stage.app.key, "other": stage.other.key}
    auth = (ids.get(user, user), keys.get(secret, secret))
    answer = stage.http.post(f"{stage.oidc}/token", data={"grant_type": "client_credentials"}, auth=auth)
    refusal(answer, "invalid_client", 401)
    assert answer.headers["www-authenticate"].startswith("Basic")
    form = {"grant_type": "client_credentials", "client_id": auth[0], "client_secret": auth[1]}
    answer = stage.http.post(f"{stage.oidc}/token", data=form)
    assert answer.status_code in {400, 401}
    assert "access_token" not in answer.text


def test_a_client_authenticates_in_one_way_only(stage: SignInStage):
    form = {"grant_type": "client_credentials", "client_secret": stage.app.key}
    answer = stage.http.post(f"{stage.oidc}/token", data=form, auth=(stage.app.id, stage.app.key))
    refusal(answer, "invalid_request")


@pytest.mark.parametrize("grant", ["", "password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"])
def test_other_grants_are_not_offered(stage: SignInStage, grant: str):
    answer = stage.token(stage.app, grant_type=grant, username="ann", password=stage.ann.password)
    refusal(answer, "unsupported_grant_type")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_the_token_endpoint_takes_forms_alone(stage: SignInStage, content_type: str):
    answer = stage.http.post(
        f"{stage.oidc}/token",
        content=b'{"grant_type":"client_credentials"}',
        headers={"content-type": content_type},
        auth=(stage.app.id, stage.app.key),
    )
    refusal(answer, "invalid_request")


def test_a_refresh_token_rotates_and_its_reuse_ends_the_sign_in(stage: SignInStage):
    first = stage.exchange(stage.code()).json()
    second = stage.token(stage.app, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert stage.me(second["access_token"]).status_code == 200
    again = stage.token(stage.app, grant_type="refresh_token", refresh_token=first["refresh_token"])
    refusal(again, "invalid_grant")
    assert stage.is_refused_soon(second["access_token"])
    refusal(stage.token(stage.app, grant_type="refresh_token", refresh_token=second["refresh_token"]), "invalid_grant")


def test_a_refresh_token_is_of_one_client(stage: SignInStage):
    tokens = stage.exchange(stage.code()).json()
    stolen = stage.token(stage.other, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    refusal(stolen, "invalid_grant")
    own = stage.token(stage.app, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert own.status_code == 200


def test_authlib_refreshes_and_revokes(stage: SignInStage):
    with oauth(stage.app) as session:
        verifier = generate_token(64)
        address, _ = session.create_authorization_url(f"{stage.oidc}/authorize", code_verifier=verifier)
        back = browse(address, stage.ann.login, stage.ann.password).headers["location"]
        session.fetch_token(f"{stage.oidc}/token", authorization_response=back, code_verifier=verifier)
        tokens: dict[str, Any] = session.refresh_token(f"{stage.oidc}/token")
        assert stage.me(tokens["access_token"]).status_code == 200
        assert session.revoke_token(f"{stage.oidc}/revoke", token=tokens["refresh_token"]).status_code == 200
    assert stage.is_refused_soon(tokens["access_token"])


def test_an_access_token_is_revoked_by_its_client_only(stage: SignInStage):
    token = stage.exchange(stage.code()).json()["access_token"]
    revoke = f"{stage.oidc}/revoke"
    assert stage.http.post(revoke, data={"token": token}, auth=(stage.other.id, stage.other.key)).status_code == 200
    time.sleep(0.5)
    assert stage.me(token).status_code == 200
    refusal(stage.http.post(revoke, data={"token": token}), "invalid_client", 401)
    assert stage.http.post(revoke, data={"token": token}, auth=(stage.app.id, stage.app.key)).status_code == 200
    assert stage.is_refused_soon(token)
    assert stage.http.post(revoke, data={"token": "junk"}, auth=(stage.app.id, stage.app.key)).status_code == 200


def test_signing_out_ends_the_sign_in_and_goes_back_to_a_registered_address_only(stage: SignInStage):
    for target, status in ((REDIRECT, 303), ("https://evil.test/", 200)):
        tokens = stage.exchange(stage.code()).json()
        given = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": target, "state": "z"}
        answer = stage.http.get(f"{stage.oidc}/logout", params=given)
        assert answer.status_code == status
        assert answer.headers.get("location") == (f"{REDIRECT}?state=z" if status == 303 else None)
        assert stage.is_refused_soon(tokens["access_token"])
    assert stage.http.get(f"{stage.oidc}/logout", params={"id_token_hint": "junk"}).status_code == 200


def test_too_many_failures_shut_a_login_for_a_while(stage: SignInStage):
    with opened(stage.door.database_url) as conn:
        target = add_person(conn, "often")
    for _ in range(10):
        assert browse(stage.authorize(), "often", "not-the-password").status_code == 401
    shut = browse(stage.authorize(), "often", target.password)
    assert shut.status_code == 429
    assert 0 < int(shut.headers["retry-after"]) <= 900
    with opened(stage.door.database_url) as conn:
        conn.execute("DELETE FROM sign_in_failure")
    assert browse(stage.authorize(), "often", target.password).status_code == 303
