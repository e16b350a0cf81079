"""Every wrong way to say who one is: an administrator's own token but for one thing, and headers that are none."""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from access_stage import AccessStage
from issuer_maker import DROPPED, base64url, signed, signed_raw
from joserfc.jwk import ECKey, RSAKey
from signing_in import add_application, add_person, opened, sign_in

from hub.acts import applications, people
from hub.identity.embedded_issuer_keys import SEALING_KEY_BYTES, SEALING_PURPOSE, SigningKeys
from hub.identity.people import caller_of_login
from hub.main import crypto_of, keys_of
from hub.store.connect import pool

EVERYWHERE: Final = (  # one of each way in which they fail; the others at one endpoint of each kind
    "another's key",
    "expired",
    "a suspended person's token",
    "a revoked key",
    "a token through a suspended application",
    "no token",
    "two headers, both right",
)


def wrong_credentials(stage: AccessStage) -> Mapping[str, Sequence[str]]:
    """Values of the header Authorization by what is wrong with them; where there are two, it stands there twice."""
    right = f"Bearer {stage.tokens['administrator']}"
    key = stage.tokens["holder"]
    wrong = {name: f"Bearer {token}" for name, token in (_forged(stage) | _revoked(stage)).items()} | {
        "another scheme": f"Basic {stage.tokens['administrator']}",
        "no scheme": stage.tokens["administrator"],
        "no token": "Bearer",
        "an empty token": "Bearer ",
        "a token and more": f"{right} more",
        "a key that is none": f"Bearer {key[:-1]}{'A' if key[-1] != 'A' else 'B'}",
        "half a key": f"Bearer {key[:20]}",
        "a key and a space": f"Bearer {key[:20]} {key[20:]}",
        "no ASCII": "Bearer hub_é",
        "a token of 9,000 characters": f"Bearer {'x' * 9_000}",
    }
    return {name: (value,) for name, value in wrong.items()} | {
        "two headers, both right": (right, right),
        "two headers, the second wrong": (right, "Bearer x"),
    }


def _forged(stage: AccessStage) -> dict[str, str]:
    """The administrator's token, signed anew by whom it should not be, or saying what it should not."""
    header, claims = (_read(part) for part in stage.tokens["administrator"].split(".")[:2])
    settings = stage.door.settings
    sealing = keys_of(settings).derive(SEALING_PURPOSE, SEALING_KEY_BYTES)
    with pool(stage.door.database_url, "tests", size=1) as connections:
        own = SigningKeys(connections, crypto_of(settings), sealing).current(datetime.now(UTC)).key
    stranger, rsa = ECKey.generate_key("P-256", private=True), RSAKey.generate_key(2048, private=True)
    public_pem = own.as_pem(private=False)
    seconds = int(datetime.now(UTC).timestamp())

    def told(**changes: Any) -> str:
        return signed(header, {name: one for name, one in (claims | changes).items() if one is not DROPPED}, own)

    def by(key: Any, **changes: Any) -> str:
        return signed(header | changes, claims, key)

    first, second, third = stage.tokens["administrator"].split(".")
    twice = json.dumps(claims)[:-1].encode() + b', "sub": "x"}'
    return {
        "another's key": by(stranger),
        "another's key in its header": by(stranger, jwk=stranger.as_dict(private=False)),
        "an address of keys in its header": by(own, jku="http://127.0.0.1:9/jwks"),
        "an unknown key": by(own, kid="nobody"),
        "a path for a key": by(own, kid="../../../../dev/null"),
        "a question for a key": by(own, kid="' OR 1=1 --"),
        "no algorithm": f"{base64url(json.dumps(header | {'alg': 'none'}).encode())}.{second}.",
        "HS256 with the public key": _keyed(header, second, public_pem),
        "HS256 with the public key as JSON": _keyed(header, second, json.dumps(own.as_dict(private=False)).encode()),
        "RS256 of another's": by(rsa, alg="RS256"),
        "r and s of nothing": f"{first}.{second}.{base64url(bytes(64))}",
        "a signature cut off": f"{first}.{second}.{third[:-8]}",
        "other claims under its signature": f"{first}.{base64url(json.dumps(claims | {'sub': 'x'}).encode())}.{third}",
        "a claim twice": signed_raw(json.dumps(header).encode(), twice, "ES256", own),
        "expired": told(exp=seconds - 60),
        "no expiry": told(exp=DROPPED),
        "not yet": told(nbf=seconds + 600),
        "another audience": told(aud="another"),
        "no audience": told(aud=DROPPED),
        "another issuer": told(iss="https://issuer.test"),
        "another type": by(own, typ="JWT"),
    }


def _keyed(header: Mapping[str, Any], payload: str, key: bytes) -> str:
    """HMAC by hand: no library of today takes a public key for a secret."""
    text = f"{base64url(json.dumps({**header, 'alg': 'HS256'}).encode())}.{payload}"
    return f"{text}.{base64url(hmac.new(key, text.encode(), 'sha256').digest())}"


def _read(part: str) -> dict[str, Any]:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _revoked(stage: AccessStage) -> dict[str, str]:
    """Credentials that were right a moment ago."""
    now = datetime.now(UTC)
    with opened(stage.door.database_url) as conn:
        dismissed = add_person(conn, "dismissed", "administrator")
        bereft = add_application(conn, "dismissed")
        app = add_application(conn, "root", public=True)
        own, other = (add_application(conn, "root") for _ in range(2))
    granted = sign_in(stage.door.url, app, dismissed)
    through_other = sign_in(stage.door.url, other, stage.accounts["administrator"])
    with opened(stage.door.database_url) as conn:
        root = caller_of_login(conn, "root", now)
        people.suspend(conn, root, dismissed.id, "left", now)
        applications.revoke_key(conn, root, own.id, own.key_id, now)
        applications.suspend(conn, root, other.id, "abuse", now)
    return {
        "a suspended person's token": granted["access_token"],
        "an id token": granted["id_token"],
        "a suspended person's application": bereft.key,
        "a revoked key": own.key,
        "a suspended application's key": other.key,
        "a token through a suspended application": through_other["access_token"],
    }
