"""An issuer for tests of the verifier: its own keys, and tokens as right or as wrong as a test wants them."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from hub.identity.errors import IssuerUnreachable
from hub.identity.issuer_keys import IssuerKeys
from hub.identity.tokens import Tokens

ISSUER, AUDIENCE = "https://issuer.test/realms/hub", "hub"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
SignKey = RSAKey | ECKey | OKPKey | OctKey
DROPPED = object()


def base64url(text: bytes) -> str:
    return urlsafe_b64encode(text).rstrip(b"=").decode()


@dataclass
class Clock:
    """Monotonic seconds that a test moves."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class MadeIssuer:
    """Keys by kid, and how often they were fetched."""

    keys: dict[str, tuple[SignKey, str]] = field(default_factory=dict)
    fetches: int = 0
    is_down: bool = False
    clock: Clock = field(default_factory=Clock)

    def fetch(self) -> Sequence[Mapping[str, object]]:
        self.fetches += 1
        if self.is_down:
            raise IssuerUnreachable
        return [
            {**key.as_dict(private=False), "kid": kid, "alg": alg, "use": "sig"}
            for kid, (key, alg) in self.keys.items()
        ]

    def verifier(self) -> Tokens:
        return Tokens(ISSUER, AUDIENCE, IssuerKeys(self.fetch, ticks=self.clock))

    def token(self, kid: str = "ec", *, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """A right access token, but for the changes; DROPPED leaves a claim out."""
        key, alg = self.keys[kid]
        members = {"alg": alg, "kid": kid, "typ": "at+jwt", **(header or {})}
        return signed({name: value for name, value in members.items() if value is not DROPPED}, claims(**changes), key)


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a right access token, but for the changes."""
    seconds = int(NOW.timestamp())
    made = {
        "iss": ISSUER,
        "sub": "0190f1c4-0000-7000-8000-000000000001",
        "aud": AUDIENCE,
        "azp": "0190f1c4-0000-7000-8000-000000000002",
        "exp": seconds + 300,
        "iat": seconds,
        "jti": "0190f1c4-0000-7000-8000-000000000003",
        "sid": "0190f1c4-0000-7000-8000-000000000004",
        "scope": "openid act",
    }
    return {name: value for name, value in (made | changes).items() if value is not DROPPED}


def signed(header: Mapping[str, Any], payload: Mapping[str, Any] | bytes, key: SignKey) -> str:
    """Any header and payload, signed: by hand, so that no library keeps a test from being wrong."""
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return signed_raw(json.dumps(header).encode(), text, str(header["alg"]), key)


def signed_raw(header: bytes, payload: bytes, algorithm: str, key: SignKey) -> str:
    """Header and payload exactly as given, whatever they are."""
    signing_input = f"{base64url(header)}.{base64url(payload)}".encode()
    model = jws.default_registry.algorithms[algorithm]
    return f"{signing_input.decode()}.{base64url(model.sign(signing_input, key))}"


def with_keys(make: Callable[[], MadeIssuer] = MadeIssuer) -> MadeIssuer:
    """An issuer with one key of every kind that is allowed."""
    issuer = make()
    issuer.keys = {
        "ec": (ECKey.generate_key("P-256", private=True), "ES256"),
        "rsa": (RSAKey.generate_key(2048, private=True), "RS256"),
        "pss": (RSAKey.generate_key(2048, private=True), "PS256"),
        "ed": (OKPKey.generate_key("Ed25519", private=True), "EdDSA"),
    }
    return issuer
