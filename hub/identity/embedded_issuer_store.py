"""Rows of the built-in issuer: signing keys, codes and refresh tokens. A connection comes first; nothing commits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

KEPT = timedelta(days=2)  # what has expired is kept as long as its reuse must be noticed
_ROTATION_LOCK = 0x6875_625F_6F69_6463  # "hub_oidc"

# Signing keys --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SigningKeyRow:
    """A signing key; its private half is sealed."""

    kid: str
    public_jwk: dict[str, Any]
    private_sealed: bytes
    signs_from: datetime
    published_until: datetime
    created_at: datetime


def lock_signing_keys(conn: Connection) -> None:
    """One transaction at a time makes keys."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", [_ROTATION_LOCK])


def list_signing_keys(conn: Connection, now: datetime) -> list[SigningKeyRow]:
    """The keys that are published at ``now``, the newest first."""
    with conn.cursor(row_factory=class_row(SigningKeyRow)) as cursor:
        return cursor.execute(
            "SELECT kid, public_jwk, private_sealed, signs_from, published_until, created_at FROM signing_key"
            " WHERE published_until > %s ORDER BY signs_from DESC, kid",
            [now],
        ).fetchall()


def add_signing_key(conn: Connection, row: SigningKeyRow) -> None:
    """Keep a key, and drop those published no more."""
    conn.execute("DELETE FROM signing_key WHERE published_until <= %s", [row.created_at])
    conn.execute(
        "INSERT INTO signing_key (kid, public_jwk, private_sealed, signs_from, published_until, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [row.kid, Jsonb(row.public_jwk), row.private_sealed, row.signs_from, row.published_until, row.created_at],
    )


# Codes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CodeRow:
    """What an authorization code stands for."""

    application: str
    account: str
    family: str
    redirect_uri: str
    challenge: str
    scope: str
    nonce: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


def add_code(conn: Connection, digest: bytes, row: CodeRow) -> None:
    """Keep a code's digest, and drop those long expired."""
    conn.execute("DELETE FROM authorization_code WHERE expires_at <= %s", [row.created_at - KEPT])
    conn.execute(
        "INSERT INTO authorization_code (digest, application, account, family, redirect_uri, challenge, scope, nonce,"
        " created_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            digest,
            row.application,
            row.account,
            row.family,
            row.redirect_uri,
            row.challenge,
            row.scope,
            row.nonce,
            row.created_at,
            row.expires_at,
        ],
    )


def use_code(conn: Connection, digest: bytes, now: datetime) -> CodeRow | None:
    """Take a code; it is used from here on, whoever showed it. ``used_at`` is what it was before."""
    with conn.cursor(row_factory=class_row(CodeRow)) as cursor:
        return cursor.execute(
            "WITH before AS (SELECT * FROM authorization_code WHERE digest = %(digest)s FOR UPDATE),"
            " taken AS (UPDATE authorization_code c SET used_at = %(now)s FROM before"
            " WHERE c.digest = before.digest AND before.used_at IS NULL)"
            " SELECT application::text, account::text, family::text, redirect_uri, challenge, scope, nonce, created_at,"
            " expires_at, used_at FROM before",
            {"digest": digest, "now": now},
        ).fetchone()


# Refresh tokens ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefreshRow:
    """What a refresh token stands for."""

    application: str
    account: str
    family: str
    scope: str
    signed_in_at: datetime
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


def add_refresh(conn: Connection, digest: bytes, row: RefreshRow) -> None:
    """Keep a refresh token's digest, and drop those long expired."""
    conn.execute("DELETE FROM refresh_token WHERE expires_at <= %s", [row.created_at - KEPT])
    conn.execute(
        "INSERT INTO refresh_token (digest, application, account, family, scope, signed_in_at, created_at, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            digest,
            row.application,
            row.account,
            row.family,
            row.scope,
            row.signed_in_at,
            row.created_at,
            row.expires_at,
        ],
    )


def find_refresh(conn: Connection, digest: bytes) -> RefreshRow | None:
    """One refresh token, its row locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(RefreshRow)) as cursor:
        return cursor.execute(
            "SELECT application::text, account::text, family::text, scope, signed_in_at, created_at, expires_at,"
            " used_at FROM refresh_token WHERE digest = %s FOR UPDATE",
            [digest],
        ).fetchone()


def use_refresh(conn: Connection, digest: bytes, now: datetime) -> None:
    """It is used from here on."""
    conn.execute("UPDATE refresh_token SET used_at = %s WHERE digest = %s", [now, digest])
