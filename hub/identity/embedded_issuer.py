"""The built-in OpenID provider: what stands behind the standard endpoints of the embedded default.

People sign in with the authorization code flow and PKCE, applications with client credentials (their key); nothing
else is offered. Tokens are ES256 (RFC 9068), live ten minutes and say who, never what that may. A code is used once;
refresh tokens rotate; one that is used twice ends all that came from its sign-in (RFC 9700 §4.14).
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from joserfc import jwt
from psycopg import Connection
from psycopg_pool import ConnectionPool

from hub.identity import application_keys, application_store, caller_store, embedded_issuer_store, revocation_store
from hub.identity.application_store import Application
from hub.identity.embedded_issuer_keys import SigningKeys
from hub.identity.embedded_issuer_request import AuthorizationRequest
from hub.identity.embedded_issuer_store import CodeRow, RefreshRow
from hub.identity.errors import TokenRefused
from hub.identity.opaque_id import is_opaque_id
from hub.identity.pkce import challenge_of

ACCESS_TOKEN_SECONDS = 600
ID_TOKEN_SECONDS = 600
CODE_LIFE = timedelta(seconds=60)
SESSION_LIFE = timedelta(hours=12)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 §4.1


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks at the token endpoint: an application, and the key it proved itself with."""

    application: Application
    key_session: str | None = None
    key_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Session:
    """What tokens are made from."""

    account: str
    application: str
    family: str
    scope: str
    signed_in_at: datetime
    expires_at: datetime
    nonce: str | None = None


class EmbeddedIssuer:
    """The provider's core. Threads may share it."""

    def __init__(self, pool: ConnectionPool, keys: SigningKeys, issuer: str, audience: str) -> None:
        self._pool = pool
        self._keys = keys
        self.issuer = issuer
        self._audience = audience

    def jwks(self, now: datetime) -> Mapping[str, Any]:
        """The published key set."""
        return {"keys": list(self._keys.published(now))}

    # Clients ---------------------------------------------------------------------------------------------------------

    def application(self, client_id: str) -> Application | None:
        """The application of a client id, where it and its owner are not suspended."""
        if not is_opaque_id(client_id):
            return None
        with self._pool.connection() as conn:
            return _live_application(conn, client_id)

    def client(self, client_id: str, secret: str | None, now: datetime) -> Client:
        """The application that proves itself with one of its keys; a public client has none to show.

        Raises:
            TokenRefused: ``invalid_client``, whatever is wrong.
        """
        with self._pool.connection() as conn:
            if secret is None:
                found = _live_application(conn, client_id) if is_opaque_id(client_id) else None
                if found is None or not found.public_client:
                    raise _invalid_client()
                return Client(found)
            if not application_keys.is_key(secret):
                raise _invalid_client()
            digest = application_keys.digest_of(secret)
            owner = application_store.key_of(conn, digest, now)
            if owner is None or not hmac.compare_digest(owner[0].encode(), client_id.encode("utf-8", "replace")):
                raise _invalid_client()
            found = _live_application(conn, owner[0])
        if found is None:
            raise _invalid_client()
        return Client(found, application_keys.session_of(digest), owner[1])

    # Authorization ---------------------------------------------------------------------------------------------------

    def code(self, request: AuthorizationRequest, account: str, now: datetime) -> str:
        """A code for what a person has just consented to: for one use within a minute."""
        code = secrets.token_urlsafe(32)
        row = CodeRow(
            application=request.application,
            account=account,
            family=str(uuid4()),
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
            scope=" ".join(request.scope),
            nonce=request.nonce,
            created_at=now,
            expires_at=now + CODE_LIFE,
            used_at=None,
        )
        with self._pool.connection() as conn:
            embedded_issuer_store.add_code(conn, _digest(code), row)
        return code

    # Tokens ----------------------------------------------------------------------------------------------------------

    def token(self, client: Client, given: Mapping[str, str], now: datetime) -> Mapping[str, Any]:
        """The answer of the token endpoint (RFC 6749 §5.1).

        Raises:
            TokenRefused: with the error of RFC 6749 §5.2.
        """
        match given.get("grant_type"):
            case "client_credentials":
                return self._of_client(client, now)
            case "authorization_code":
                return self._of_code(client, given, now)
            case "refresh_token":
                return self._of_refresh(client, given, now)
            case _:
                raise TokenRefused("unsupported_grant_type", "authorization_code, refresh_token or client_credentials")

    def _of_client(self, client: Client, now: datetime) -> Mapping[str, Any]:
        if client.key_session is None or client.key_expires_at is None:
            raise TokenRefused("unauthorized_client", "this takes an application with a key")
        application = client.application.id
        expires_at = min(now + timedelta(seconds=ACCESS_TOKEN_SECONDS), client.key_expires_at)
        return {
            "access_token": self._access_token(application, application, client.key_session, "", now, expires_at),
            "token_type": "Bearer",
            "expires_in": int((expires_at - now).total_seconds()),
        }

    def _of_code(self, client: Client, given: Mapping[str, str], now: datetime) -> Mapping[str, Any]:
        verifier = given.get("code_verifier", "")
        with self._pool.connection() as conn:
            code = embedded_issuer_store.use_code(conn, _digest(given.get("code", "")), now)
            if code is not None and code.used_at is not None:
                revocation_store.revoke(conn, code.family, now)
        if (
            code is None
            or code.used_at is not None
            or now >= code.expires_at
            or code.application != client.application.id
            or code.redirect_uri != given.get("redirect_uri")
            or not _VERIFIER.fullmatch(verifier)
            or not hmac.compare_digest(challenge_of(verifier), code.challenge)
        ):
            raise TokenRefused("invalid_grant", "the code is not valid, was used, or is not of this sign-in")
        expires_at = code.created_at + SESSION_LIFE
        session = _Session(
            code.account, code.application, code.family, code.scope, code.created_at, expires_at, code.nonce
        )
        return self._answer(session, now)

    def _of_refresh(self, client: Client, given: Mapping[str, str], now: datetime) -> Mapping[str, Any]:
        digest = _digest(given.get("refresh_token", ""))
        with self._pool.connection() as conn:
            row = embedded_issuer_store.find_refresh(conn, digest)
            if row is not None and row.application == client.application.id:
                if row.used_at is None:
                    embedded_issuer_store.use_refresh(conn, digest, now)
                else:
                    revocation_store.revoke(conn, row.family, now)
        if row is None or row.used_at is not None or row.application != client.application.id or now >= row.expires_at:
            raise TokenRefused("invalid_grant", "the refresh token is not valid, or was used; sign in again")
        return self._answer(
            _Session(row.account, row.application, row.family, row.scope, row.signed_in_at, row.expires_at), now
        )

    def _answer(self, session: _Session, now: datetime) -> Mapping[str, Any]:
        refresh = secrets.token_urlsafe(32)
        with self._pool.connection() as conn:
            live = caller_store.holder_of_person_token(conn, session.account, session.application, [session.family])
            if live is None:
                raise TokenRefused("invalid_grant", "the account, the application or this sign-in has ended")
            row = RefreshRow(
                application=session.application,
                account=session.account,
                family=session.family,
                scope=session.scope,
                signed_in_at=session.signed_in_at,
                created_at=now,
                expires_at=session.expires_at,
                used_at=None,
            )
            embedded_issuer_store.add_refresh(conn, _digest(refresh), row)
        expires_at = min(now + timedelta(seconds=ACCESS_TOKEN_SECONDS), session.expires_at)
        answer = {
            "access_token": self._access_token(
                session.account, session.application, session.family, session.scope, now, expires_at
            ),
            "token_type": "Bearer",
            "expires_in": int((expires_at - now).total_seconds()),
            "refresh_token": refresh,
            "scope": session.scope,
        }
        if "openid" in session.scope.split():
            answer["id_token"] = self._id_token(session, now)
        return answer

    def _access_token(
        self, subject: str, client: str, session: str, scope: str, now: datetime, expires_at: datetime
    ) -> str:
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": self._audience,
            "azp": client,
            "client_id": client,
            "exp": int(expires_at.timestamp()),
            "iat": int(now.timestamp()),
            "jti": str(uuid4()),
            "sid": session,
            "scope": scope,
        }
        return self._signed("at+jwt", claims, now)

    def _id_token(self, session: _Session, now: datetime) -> str:
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": session.account,
            "aud": session.application,
            "exp": int(now.timestamp()) + ID_TOKEN_SECONDS,
            "iat": int(now.timestamp()),
            "auth_time": int(session.signed_in_at.timestamp()),
            "sid": session.family,
        }
        if session.nonce is not None:
            claims["nonce"] = session.nonce
        return self._signed("JWT", claims, now)

    def _signed(self, kind: str, claims: dict[str, Any], now: datetime) -> str:
        signing = self._keys.current(now)
        return jwt.encode({"alg": "ES256", "typ": kind, "kid": signing.kid}, claims, signing.key, algorithms=["ES256"])

    # Ending ----------------------------------------------------------------------------------------------------------

    def revoke_refresh(self, client: Client, refresh: str, now: datetime) -> bool:
        """End the sign-in a refresh token of this client came from; whether it is one."""
        with self._pool.connection() as conn:
            row = embedded_issuer_store.find_refresh(conn, _digest(refresh))
            if row is None or row.application != client.application.id:
                return False
            revocation_store.revoke(conn, row.family, now)
        return True

    def revoke(self, token_or_session: str, now: datetime) -> None:
        """Put a token's ``jti`` or a sign-in's ``sid`` on the kill-list."""
        with self._pool.connection() as conn:
            revocation_store.revoke(conn, token_or_session, now)


def _invalid_client() -> TokenRefused:
    return TokenRefused("invalid_client", "the application is not known, or its key is not right")


def _live_application(conn: Connection, application: str) -> Application | None:
    holder = caller_store.holder_of_application_token(conn, application, [])
    return None if holder is None else application_store.find_application(conn, application)


def _digest(secret: str) -> bytes:
    return hashlib.new("sm3", secret.encode("utf-8", "surrogatepass")).digest()
