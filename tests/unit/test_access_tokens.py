"""The verifier of access tokens: what is right is taken, every known way of being wrong is refused, and alike."""

import hmac
import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from issuer_maker import AUDIENCE, DROPPED, ISSUER, NOW, MadeIssuer, base64url, claims, signed, signed_raw, with_keys
from joserfc.jwk import ECKey, RSAKey

from hub.identity.errors import IssuerUnreachable, NotAuthenticated
from hub.identity.issuer_keys import read_keys
from hub.identity.tokens import LEEWAY, TOKEN_CHARACTERS_MAX

SECONDS = int(NOW.timestamp())


@pytest.fixture(scope="module")
def made() -> MadeIssuer:
    return with_keys()


@pytest.fixture
def issuer(made: MadeIssuer) -> MadeIssuer:
    return MadeIssuer(keys=dict(made.keys))


def refused(issuer: MadeIssuer, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        issuer.verifier().verify(token, NOW)


# Taking --------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by RFC 9864, which Keycloak does not know
@pytest.mark.parametrize("kid", ["ec", "rsa", "pss", "ed"])
def test_a_right_token_says_who_asks_and_through_what(issuer: MadeIssuer, kid: str):
    verified = issuer.verifier().verify(issuer.token(kid), NOW)
    expected = claims()
    assert (verified.issuer, verified.subject, verified.client) == (ISSUER, expected["sub"], expected["azp"])
    assert verified.ids == (expected["jti"], expected["sid"])
    assert verified.scope == {"openid", "act"}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["account", AUDIENCE]},
        {"azp": DROPPED, "client_id": "app"},
        {"nbf": SECONDS + 20},
        {"exp": SECONDS - 20},
        {"exp": SECONDS + 0.5},
        {"jti": DROPPED, "sid": DROPPED, "iat": DROPPED},
        {"roles": ["administrator"], "organization": "gong-an", "tier": "steward"},
    ],
)
def test_what_is_allowed_is_taken(issuer: MadeIssuer, changes: dict[str, Any]):
    assert issuer.verifier().verify(issuer.token(**changes), NOW).subject == claims()["sub"]


def test_a_token_of_keycloaks_form_is_taken(issuer: MadeIssuer):
    token = issuer.token(header={"typ": "JWT"}, typ="Bearer")
    assert issuer.verifier().verify(token, NOW)


# Refusing: form and header -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "a.b.c.d", "hub_x", "é.é.é", " x.y.z", "x.y.z\n", "x" * 9000]
)
def test_what_is_no_token_is_refused_without_a_fetch(issuer: MadeIssuer, token: str):
    refused(issuer, token)
    assert issuer.fetches == 0


def test_a_token_of_a_megabyte_is_refused_before_it_is_read(issuer: MadeIssuer):
    token = issuer.token(padding="x" * 1_000_000)
    refused(issuer, token)
    refused(issuer, issuer.token(padding="x" * TOKEN_CHARACTERS_MAX))
    assert issuer.fetches == 0


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_no_signature_is_no_token(issuer: MadeIssuer, alg: str):
    header = base64url(json.dumps({"alg": alg, "kid": "ec", "typ": "at+jwt"}).encode())
    body = base64url(json.dumps(claims()).encode())
    _, _, signature = issuer.token().split(".")
    for last in ("", signature, "AA"):
        refused(issuer, f"{header}.{body}.{last}")


@pytest.mark.parametrize("kid", ["rsa", "ec"])
@pytest.mark.parametrize("form", ["pem", "der", "json"])
def test_a_public_key_is_no_shared_secret(issuer: MadeIssuer, kid: str, form: str):
    key, _ = issuer.keys[kid]
    assert isinstance(key, RSAKey | ECKey)
    public = {
        "pem": key.as_pem(private=False),
        "der": key.as_der(private=False),
        "json": json.dumps(key.as_dict(private=False)).encode(),
    }[form]
    header = base64url(json.dumps({"alg": "HS256", "kid": kid, "typ": "at+jwt"}).encode())
    signing_input = f"{header}.{base64url(json.dumps(claims()).encode())}"
    mac = hmac.new(public, signing_input.encode(), "sha256").digest()  # by hand: joserfc would not
    refused(issuer, f"{signing_input}.{base64url(mac)}")


@pytest.mark.parametrize(
    "extra",
    [
        {"jku": "https://evil.test/jwks"},
        {"x5u": "https://evil.test/cert"},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
)
def test_nothing_may_stand_in_a_header_but_algorithm_key_and_type(issuer: MadeIssuer, extra: dict[str, Any]):
    refused(issuer, issuer.token(header=extra))
    assert issuer.fetches == 0


def test_a_key_in_the_token_is_not_used(issuer: MadeIssuer):
    own = ECKey.generate_key("P-256", private=True)
    header = {"alg": "ES256", "typ": "at+jwt", "jwk": own.as_dict(private=False)}
    for kid in ({}, {"kid": "ec"}):
        refused(issuer, signed(header | kid, claims(), own))
    refused(issuer, signed({"alg": "ES256", "typ": "at+jwt", "kid": "ec"}, claims(), own))


@pytest.mark.parametrize(
    "kid", ["../../etc/passwd", "ec' OR '1'='1", "", "x" * 1_000, 7, None, ["ec"], {"a": 1}, "http://evil.test/k"]
)
def test_a_strange_key_id_names_no_key(issuer: MadeIssuer, kid: object):
    refused(issuer, issuer.token(header={"kid": kid}))


def test_a_missing_key_id_names_no_key(issuer: MadeIssuer):
    refused(issuer, issuer.token(header={"kid": DROPPED}))


@pytest.mark.parametrize(("kid", "alg"), [("rsa", "PS256"), ("pss", "RS256"), ("rsa", "RS512")])
def test_a_key_is_used_with_its_own_algorithm_only(issuer: MadeIssuer, kid: str, alg: str):
    refused(issuer, issuer.token(kid, header={"alg": alg}))


@pytest.mark.parametrize("typ", ["JWT", "jwt", DROPPED, "dpop+jwt", "logout+jwt", 5, None])
def test_a_token_of_another_kind_is_no_access_token(issuer: MadeIssuer, typ: object):
    refused(issuer, issuer.token(header={"typ": typ}))


@pytest.mark.parametrize("kind", ["ID", "Refresh", "Logout", 1])
def test_keycloaks_other_tokens_are_no_access_tokens(issuer: MadeIssuer, kind: object):
    refused(issuer, issuer.token(header={"typ": "JWT"}, typ=kind))


@pytest.mark.parametrize("part", [0, 1])
def test_two_members_of_one_name_are_refused(issuer: MadeIssuer, part: int):
    texts = [
        json.dumps({"alg": "ES256", "kid": "ec", "typ": "at+jwt"}).encode(),
        json.dumps(claims()).encode(),
    ]
    texts[part] = texts[part][:-1] + (b', "alg": "ES256"}' if part == 0 else b', "sub": "other"}')
    refused(issuer, signed_raw(texts[0], texts[1], "ES256", issuer.keys["ec"][0]))


@pytest.mark.parametrize("payload", [b"[]", b"null", b'"x"', b"{", b'{"exp":NaN}', b"\xff", b'{"a":' * 5_000])
def test_claims_are_one_readable_object(issuer: MadeIssuer, payload: bytes):
    refused(issuer, signed({"alg": "ES256", "kid": "ec", "typ": "at+jwt"}, payload, issuer.keys["ec"][0]))


# Refusing: signature and claims --------------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", [b"\x00" * 64, b"\x00" * 32, b"", b"\x01" * 64, b"\xff" * 64, b"\x00" * 65])
def test_a_signature_that_is_none_is_refused(issuer: MadeIssuer, signature: bytes):
    header, body, _ = issuer.token().split(".")
    refused(issuer, f"{header}.{body}.{base64url(signature)}")


def test_a_changed_claim_breaks_the_signature(issuer: MadeIssuer):
    header, body, signature = issuer.token().split(".")
    changed = json.loads(urlsafe_b64decode(body + "=="))
    changed["sub"] = "someone-else"
    refused(issuer, f"{header}.{base64url(json.dumps(changed).encode())}.{signature}")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},
        {"iss": ISSUER + "/"},
        {"iss": DROPPED},
        {"iss": [ISSUER]},
        {"aud": "other"},
        {"aud": ["other", "account"]},
        {"aud": []},
        {"aud": DROPPED},
        {"aud": None},
        {"aud": {"hub": 1}},
        {"exp": DROPPED},
        {"exp": None},
        {"exp": str(SECONDS + 300)},
        {"exp": True},
        {"exp": SECONDS - 31},
        {"exp": -1},
        {"exp": 2**60},
        {"nbf": SECONDS + 61},
        {"nbf": "tomorrow"},
        {"iat": SECONDS + 61},
        {"azp": ""},
        {"azp": None},
        {"azp": 7},
        {"azp": DROPPED},
        {"sub": ""},
        {"sub": None},
        {"sub": DROPPED},
        {"sub": "x\x00y"},
        {"sub": "x" * 300},
        {"jti": 7},
        {"sid": None},
    ],
)
def test_a_claim_that_does_not_hold_is_refused(issuer: MadeIssuer, changes: dict[str, Any]):
    refused(issuer, issuer.token(**changes))


# Remembering ---------------------------------------------------------------------------------------------------------


def test_a_token_is_verified_once_and_forgotten_when_it_expires(issuer: MadeIssuer):
    tokens, token = issuer.verifier(), issuer.token()
    assert tokens.remembered(token, NOW) is None
    assert tokens.verify(token, NOW) is tokens.verify(token, NOW)
    end = NOW + timedelta(seconds=300) + LEEWAY
    assert tokens.remembered(token, end - timedelta(seconds=1)) is not None
    assert tokens.remembered(token, end) is None
    with pytest.raises(NotAuthenticated):
        tokens.verify(token, end)


def test_the_leeway_is_no_longer_than_a_minute():
    assert timedelta(seconds=60) >= LEEWAY


def test_a_removed_key_is_refused_within_the_time_keys_are_kept_even_for_a_token_known_before(issuer: MadeIssuer):
    tokens, token = issuer.verifier(), issuer.token()
    tokens.verify(token, NOW)
    del issuer.keys["ec"]
    issuer.clock.seconds += 299
    assert tokens.verify(token, NOW)
    issuer.clock.seconds += 1
    with pytest.raises(NotAuthenticated):
        tokens.verify(token, NOW)


def test_a_new_key_is_looked_for_once(issuer: MadeIssuer):
    tokens = issuer.verifier()
    tokens.verify(issuer.token(), NOW)
    issuer.keys["next"] = (ECKey.generate_key("P-256", private=True), "ES256")
    issuer.clock.seconds += 60
    assert tokens.verify(issuer.token("next"), NOW)
    assert issuer.fetches == 2


def test_a_flood_of_unknown_keys_is_one_fetch_a_minute(issuer: MadeIssuer):
    tokens = issuer.verifier()
    tokens.verify(issuer.token(), NOW)
    for number in range(600):
        issuer.clock.seconds += 0.1
        with pytest.raises(NotAuthenticated):
            tokens.verify(issuer.token(header={"kid": f"unknown-{number}"}), NOW)
    assert issuer.fetches <= 2


def test_many_at_once_are_one_fetch(issuer: MadeIssuer):
    began, go = threading.Barrier(8), threading.Event()
    fetch = issuer.fetch

    def slow() -> Any:
        go.wait(0.2)
        return fetch()

    issuer.fetch = slow
    tokens, token = issuer.verifier(), issuer.token()
    taken: list[str] = []

    def ask() -> None:
        began.wait()
        taken.append(tokens.verify(token, NOW).subject)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), issuer.fetches) == (8, 1)


def test_an_issuer_that_is_down_keeps_old_keys_for_an_hour_and_lets_nobody_in_unverified(issuer: MadeIssuer):
    tokens = issuer.verifier()
    tokens.verify(issuer.token(), NOW)
    issuer.is_down = True
    issuer.clock.seconds += 3_000
    for second in range(20):
        issuer.clock.seconds += 1
        assert tokens.verify(issuer.token(jti=f"other-{second}"), NOW)
    assert issuer.fetches <= 4
    issuer.clock.seconds += 600
    with pytest.raises(IssuerUnreachable):
        tokens.verify(issuer.token(), NOW)


def test_an_issuer_never_reached_is_said_to_be_so(issuer: MadeIssuer):
    issuer.is_down = True
    tokens = issuer.verifier()
    for _ in range(3):
        with pytest.raises(IssuerUnreachable):
            tokens.verify(issuer.token(), NOW)
    assert issuer.fetches == 1
    issuer.is_down = False
    issuer.clock.seconds += 10
    assert tokens.verify(issuer.token(), NOW)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"kty": "oct", "k": "AAAA", "kid": "x"},
        lambda: {**RSAKey.generate_key(1024, private=True).as_dict(private=False), "kid": "x"},
        lambda: {**ECKey.generate_key("P-521", private=True).as_dict(private=False), "kid": "x"},
        lambda: {**ECKey.generate_key("P-256", private=True).as_dict(private=False), "kid": "x", "use": "enc"},
        lambda: {**ECKey.generate_key("P-256", private=True).as_dict(private=False), "kid": "x", "alg": "RS256"},
        lambda: {**ECKey.generate_key("P-256", private=True).as_dict(private=False), "kid": 5},
        lambda: {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "x"},
        lambda: {"kty": "RSA", "kid": "x"},
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_published_key_that_is_not_fit_is_left_out(make: Callable[[], dict[str, object]]):
    assert read_keys([make()]) == {}
