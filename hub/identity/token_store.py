"""Rows of organization tokens: digests only, never a token."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token as its organization may see it.

    Args:
        id: the first twelve hexadecimal digits of its digest: enough to name it, nothing to use it with.
    """

    id: str
    organization: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def add_token(conn: Connection, digest: bytes, organization: str, now: datetime, expires_at: datetime) -> None:
    """Keep a token's digest."""
    conn.execute(
        "INSERT INTO organization_token (digest, organization, created_at, expires_at) VALUES (%s, %s, %s, %s)",
        [digest, organization, now, expires_at],
    )


def holder(conn: Connection, digest: bytes, now: datetime) -> str | None:
    """Whose live token has this digest."""
    row = conn.execute(
        "SELECT organization FROM organization_token WHERE digest = %s AND revoked_at IS NULL AND expires_at > %s",
        [digest, now],
    ).fetchone()
    return None if row is None else str(row[0])


def list_tokens(conn: Connection, organization: str) -> list[TokenRow]:
    """All tokens of an organization, the newest first."""
    with conn.cursor(row_factory=class_row(TokenRow)) as cursor:
        return cursor.execute(
            "SELECT left(encode(digest, 'hex'), 12) AS id, organization, created_at, expires_at, revoked_at"
            " FROM organization_token WHERE organization = %s ORDER BY created_at DESC, digest",
            [organization],
        ).fetchall()


def count_live(conn: Connection, organization: str, now: datetime) -> int:
    """How many live tokens an organization holds; its row is locked, so that two issues at once count each other."""
    conn.execute("SELECT 1 FROM organization WHERE id = %s FOR UPDATE", [organization])
    row = conn.execute(
        "SELECT count(*) FROM organization_token WHERE organization = %s AND revoked_at IS NULL AND expires_at > %s",
        [organization, now],
    ).fetchone()
    return 0 if row is None else int(row[0])


def revoke(conn: Connection, organization: str, token: str, now: datetime) -> int:
    """End a token, named by its id; how many ended."""
    return conn.execute(
        "UPDATE organization_token SET revoked_at = %s"
        " WHERE organization = %s AND left(encode(digest, 'hex'), 12) = %s AND revoked_at IS NULL",
        [now, organization, token],
    ).rowcount
