"""The built-in OpenID provider as people and applications meet it, through Authlib's client and plain HTTP."""

from collections.abc import Iterator

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from running_door import RunningDoor
from sign_in_stage import CHALLENGE, SignInStage, refusal, sign_in_stage
from signing_in import REDIRECT, browse, oauth, query_of, sign_in


@pytest.fixture(scope="module")
def stage(door: RunningDoor) -> Iterator[SignInStage]:
    with sign_in_stage(door) as made:
        yield made


# The whole way -------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_through_a_client_nobody_here_wrote(stage: SignInStage):
    tokens = sign_in(stage.door.url, stage.app, stage.ann)
    assert set(tokens) >= {"access_token", "refresh_token", "id_token", "expires_in", "token_type"}
    me = stage.me(tokens["access_token"]).json()
    assert me == {
        "id": f"person:{stage.ann.id}",
        "organization": "gong-an",
        "roles": ["developer", "steward"],
        "tier": "department",
        "application": stage.app.id,
    }
    found = stage.http.get(
        f"{stage.oidc}/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"}
    ).json()
    assert (found["sub"], found["preferred_username"]) == (stage.ann.id, "ann")


def test_an_id_token_verifies_with_the_published_keys_and_opens_nothing(stage: SignInStage):
    tokens = stage.exchange(stage.code()).json()
    discovery = stage.http.get(f"{stage.oidc}/.well-known/openid-configuration").json()
    assert discovery["issuer"] == stage.oidc
    keys = stage.http.get(discovery["jwks_uri"]).json()
    assert all("d" not in key for key in keys["keys"])
    claims = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=["ES256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (stage.oidc, stage.app.id, "n1")
    assert "name" not in claims
    assert stage.me(tokens["id_token"]).status_code == 401  # audience confusion


def test_without_consent_to_act_an_application_has_no_roles(stage: SignInStage):
    tokens = sign_in(stage.door.url, stage.app, stage.ann, scope="openid")
    assert stage.me(tokens["access_token"]).json()["roles"] == []
    assert (
        "name"
        not in stage.http.get(
            f"{stage.oidc}/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"}
        ).json()
    )


@pytest.mark.parametrize("post", [False, True])
def test_an_application_signs_in_with_its_key(stage: SignInStage, post: bool):
    with oauth(stage.app, post=post) as session:
        tokens = session.fetch_token(f"{stage.oidc}/token", grant_type="client_credentials")
    assert "refresh_token" not in tokens
    me = stage.me(tokens["access_token"]).json()
    assert (me["id"], me["organization"], me["tier"], me["roles"]) == (
        f"application:{stage.app.id}",
        "gong-an",
        "department",
        [],
    )


def test_a_key_as_bearer_and_a_token_for_it_are_the_same_caller(stage: SignInStage):
    token = stage.token(stage.other, grant_type="client_credentials").json()["access_token"]
    by_key, by_token = stage.me(stage.other.key).json(), stage.me(token).json()
    assert by_key == by_token
    # Owned by a person: nothing of that person's organization or roles.
    assert (by_key["organization"], by_key["tier"], by_key["roles"]) == (None, "registered", [])


def test_a_public_client_signs_people_in_with_pkce_alone(stage: SignInStage):
    tokens = sign_in(stage.door.url, stage.public, stage.ann)
    assert stage.me(tokens["access_token"]).status_code == 200
    refusal(stage.token(stage.public, grant_type="client_credentials"), "unauthorized_client")


def test_nobody_is_the_public(stage: SignInStage):
    me = stage.http.get(f"{stage.door.url}/v1/me").json()
    assert me == {"id": "public", "organization": None, "roles": [], "tier": "public", "application": None}
    for wrong in ("Bearer x.y.z", "Bearer", "Basic eDp5", ""):
        assert stage.http.get(f"{stage.door.url}/v1/me", headers={"authorization": wrong}).status_code == 401


# The page ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "lang", "word"), [("zh-CN", "zh-CN", "登录"), ("en", "en", "Sign in")])
def test_the_page_speaks_both_languages_and_runs_no_script(stage: SignInStage, language: str, lang: str, word: str):
    page = stage.http.get(stage.authorize(), headers={"accept-language": language})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{lang}">' in page.text
    assert word in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http://127.0.0.1:9" in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.text.count("<label for=") == 2


def test_what_an_application_sends_is_text_on_the_page(stage: SignInStage):
    page = stage.http.get(stage.authorize(state='"><script>alert(1)</script>', nonce="<b>"))
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_wrong_password_shows_the_form_again_and_declining_tells_the_application(stage: SignInStage):
    again = browse(stage.authorize(), "ann", "not-the-password")
    assert again.status_code == 401
    assert 'role="alert"' in again.text
    assert "not-the-password" not in again.text
    declined = query_of(browse(stage.authorize(), "", "", answer="deny"))
    assert declined == {"error": "access_denied", "state": "s1", "iss": stage.oidc}


def test_an_unknown_login_answers_as_a_wrong_password(stage: SignInStage):
    known = browse(stage.authorize(), "ann", "not-the-password")
    unknown = browse(stage.authorize(), "nobody-here", "not-the-password")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": REDIRECT + "?x=1"},
        {"redirect_uri": REDIRECT.upper()},
        {"redirect_uri": "http://127.0.0.1:9/back/../back"},
        {"redirect_uri": "https://evil.test/back"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": None},
        {"client_id": "no-such-client"},
        {"client_id": "00000000-0000-7000-8000-000000000000"},
        {"client_id": None},
    ],
)
def test_nobody_is_redirected_until_client_and_address_are_known_to_belong_together(
    stage: SignInStage, changes: dict[str, str | None]
):
    for answer in (stage.http.get(stage.authorize(**changes)), browse(stage.authorize(**changes), "ann", "x")):
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert answer.headers["content-type"].startswith("text/html")


def test_a_form_sent_with_another_address_than_was_shown_is_refused(stage: SignInStage):
    form = {"client_id": stage.app.id, "redirect_uri": "https://evil.test/", "response_type": "code", "answer": "allow"}
    form |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "login": "ann"}
    answer = stage.http.post(f"{stage.oidc}/authorize", data=form | {"password": stage.ann.password})
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://evil.test/r"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_request_that_cannot_be_met_is_told_to_the_application(
    stage: SignInStage, changes: dict[str, str | None], error: str
):
    answer = query_of(stage.http.get(stage.authorize(**changes)))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "s1", stage.oidc)


def test_a_parameter_that_stands_twice_is_refused(stage: SignInStage):
    assert stage.http.get(f"{stage.authorize()}&client_id={stage.other.id}").status_code == 400
    body = "grant_type=client_credentials&grant_type=refresh_token"
    answer = stage.http.post(
        f"{stage.oidc}/token",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
        auth=(stage.app.id, stage.app.key),
    )
    refusal(answer, "invalid_request")
