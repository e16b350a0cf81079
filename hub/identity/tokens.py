"""The one verifier of access tokens (OpenID Connect Core 1.0, RFC 7519, RFC 8725, RFC 9068).

It knows an issuer's name, the hub's audience and a set of public keys, and nothing of which issuer it is. What a token
says is who asks: ``iss``, ``sub``, and through which client. What that caller is here, the hub's own rows say.

A token is refused, always with the same answer, in this order: its size, its form, its header (only ``alg``, ``kid``
and ``typ`` may stand in it, so neither a key nor an address comes from the token), its key, its signature, its claims.
"""

import hashlib
import re
import threading
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from hub.identity.errors import NotAuthenticated
from hub.identity.issuer_keys import IssuerKeys
from schemas.strict_json import StrictJsonError, read_strict

TOKEN_CHARACTERS_MAX = 8_192
LEEWAY = timedelta(seconds=30)
REMEMBERED_MAX = 10_000
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_HEADER: Final = {"alg", "kid", "typ"}
_ALGORITHMS: Final = ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"]
_TYPES: Final = {"at+jwt", "application/at+jwt"}
TEXT_CHARACTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class Verified:
    """A token whose signature and claims hold.

    Args:
        subject: ``sub``.
        client: ``azp`` or ``client_id``: the application through which it was asked for.
        ids: ``jti`` and ``sid``: what the kill-list may name.
        scope: what was consented to.
        expires_at: first instant at which it counts no more, leeway included.
        kid: of the key that signed it.
    """

    issuer: str
    subject: str
    client: str
    ids: tuple[str, ...]
    scope: frozenset[str]
    expires_at: datetime
    kid: str


class Tokens:
    """Verifies tokens of one issuer, each once: then it is known by its digest until it or its key ends."""

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._lock = threading.Lock()
        self._remembered: dict[bytes, Verified] = {}

    @property
    def issuer(self) -> str:
        """Whose tokens these are."""
        return self._issuer

    def remembered(self, token: str, now: datetime) -> Verified | None:
        """A token verified before that still counts; never fetches and never blocks."""
        found = self._remembered.get(_digest(token))
        return found if found is not None and now < found.expires_at and self._keys.holds(found.kid) else None

    def verify(self, token: str, now: datetime) -> Verified:
        """What a token says, if it holds at ``now``.

        Raises:
            NotAuthenticated: whatever is wrong with it.
            IssuerUnreachable: the issuer's keys cannot be had.
        """
        found = self.remembered(token, now)
        if found is not None:
            return found
        verified = self._verified(token, now)
        with self._lock:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[_digest(token)] = verified
        return verified

    def id_token_hint(self, token: str) -> tuple[str, str] | None:
        """The ``sid`` and client of an id token of this issuer, expired or not; None where it is none.

        It ends a sign-in and opens nothing, so its expiry does not matter (RP-Initiated Logout 1.0 §2).
        """
        try:
            header, claims, _ = self._signed(token)
            if str(header.get("typ")).upper() != "JWT" or claims.get("iss") != self._issuer:
                return None
            return _text(claims, "sid"), _text(claims, "aud")
        except NotAuthenticated:
            return None

    def _verified(self, token: str, now: datetime) -> Verified:
        header, claims, kid = self._signed(token)
        return self._read(header, claims, kid, now)

    def _signed(self, token: str) -> tuple[Mapping[str, Any], Mapping[str, Any], str]:
        """Header, claims and key id of a token whose signature holds."""
        if len(token) > TOKEN_CHARACTERS_MAX or not _COMPACT.fullmatch(token):
            raise NotAuthenticated
        header_text, payload_text, _ = token.split(".")
        header, claims = _object(header_text), _object(payload_text)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not set(header) <= _HEADER or not isinstance(kid, str) or len(kid) > TEXT_CHARACTERS_MAX:
            raise NotAuthenticated
        key = self._keys.find(kid)
        if key is None or algorithm not in key.algorithms:
            raise NotAuthenticated
        try:
            jws.deserialize_compact(token, key.key, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            raise NotAuthenticated from None
        return header, claims, kid

    def _read(self, header: Mapping[str, Any], claims: Mapping[str, Any], kid: str, now: datetime) -> Verified:
        if not _is_access_token(header, claims):
            raise NotAuthenticated
        audiences = claims.get("aud")
        if claims.get("iss") != self._issuer or self._audience not in (
            audiences if isinstance(audiences, list) else [audiences]
        ):
            raise NotAuthenticated
        expires_at = _instant(claims, "exp")
        if expires_at is None or now >= expires_at + LEEWAY:
            raise NotAuthenticated
        for name in ("nbf", "iat"):
            since = _instant(claims, name)
            if since is not None and now + LEEWAY < since:
                raise NotAuthenticated
        ids = tuple(_text(claims, name) for name in ("jti", "sid") if name in claims)
        scope = claims.get("scope", "")
        return Verified(
            issuer=self._issuer,
            subject=_text(claims, "sub"),
            client=_text(claims, "azp" if "azp" in claims else "client_id"),
            ids=ids,
            scope=frozenset(scope.split()) if isinstance(scope, str) else frozenset(),
            expires_at=expires_at + LEEWAY,
            kid=kid,
        )


def _is_access_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """RFC 9068 names the type in the header; Keycloak has JWT there and ``"typ": "Bearer"`` among the claims. An id
    token has neither.
    """
    kind = header.get("typ")
    if isinstance(kind, str) and kind.lower() in _TYPES:
        return True
    return isinstance(kind, str) and kind.upper() == "JWT" and claims.get("typ") == "Bearer"


def _object(part: str) -> Mapping[str, Any]:
    """One part of a token, of which there is one reading only."""
    try:
        text = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        value = read_strict(text, depth_max=8, floats=True)
    except (ValueError, StrictJsonError):
        raise NotAuthenticated from None
    if not isinstance(value, dict):
        raise NotAuthenticated
    return value


def _instant(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A NumericDate (RFC 7519 §2), or None where there is none."""
    if name not in claims:
        return None
    seconds = claims[name]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 2**40:
        raise NotAuthenticated
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise NotAuthenticated from None


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS_MAX or "\x00" in value:
        raise NotAuthenticated
    return value


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
