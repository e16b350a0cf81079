"""Rows of organizations' public keys, and whether an organization must sign."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from catalog.key_errors import OrganizationKeyExists
from catalog.organization_key import OrganizationKey


@dataclass(frozen=True, slots=True)
class SigningRules:
    """What holds for the batches an organization sends.

    Args:
        required: whether they are refused without a signature.
        keys: all its keys by id, the ended ones too.
    """

    required: bool
    keys: dict[str, OrganizationKey]


def add_key(conn: Connection, key: OrganizationKey) -> None:
    """Register a key."""
    try:
        with conn.transaction():  # a savepoint: the caller's transaction lives on
            conn.execute(
                "INSERT INTO organization_key"
                " (organization, key_id, pem, fingerprint, valid_from, valid_until, added_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    key.organization,
                    key.key_id,
                    key.pem,
                    key.fingerprint,
                    key.valid_from,
                    key.valid_until,
                    key.added_at,
                ],
            )
    except UniqueViolation as taken:
        raise OrganizationKeyExists(organization=key.organization, key_id=key.key_id) from taken


def list_keys(conn: Connection, organization: str) -> list[OrganizationKey]:
    """All keys of an organization, in the order they were registered."""
    with conn.cursor(row_factory=class_row(OrganizationKey)) as cursor:
        return cursor.execute(
            "SELECT organization, key_id, pem, fingerprint, valid_from, valid_until, added_at, revoked_at"
            " FROM organization_key WHERE organization = %s ORDER BY added_at, key_id",
            [organization],
        ).fetchall()


def count_not_ended(conn: Connection, organization: str, now: datetime) -> int:
    """How many keys have not ended, the coming ones too; the organization's row is locked, so that two acts at once
    count each other.
    """
    conn.execute("SELECT 1 FROM organization WHERE id = %s FOR NO KEY UPDATE", [organization])
    row = conn.execute(
        "SELECT count(*) FROM organization_key WHERE organization = %s AND revoked_at IS NULL AND valid_until > %s",
        [organization, now],
    ).fetchone()
    return 0 if row is None else int(row[0])


def revoke_key(conn: Connection, organization: str, key_id: str, now: datetime) -> bool:
    """End a key; whether there was one to end."""
    return bool(
        conn.execute(
            "UPDATE organization_key SET revoked_at = %s"
            " WHERE organization = %s AND key_id = %s AND revoked_at IS NULL",
            [now, organization, key_id],
        ).rowcount
    )


def set_signature_required(conn: Connection, organization: str, *, required: bool) -> None:
    """Whether the organization's batches are refused without a signature."""
    conn.execute("UPDATE organization SET signature_required = %s WHERE id = %s", [required, organization])


def signing_rules(conn: Connection, organization: str) -> SigningRules:
    """What holds for the batches an organization sends; nothing is asked of one that is unknown."""
    row = conn.execute("SELECT signature_required FROM organization WHERE id = %s", [organization]).fetchone()
    keys = {key.key_id: key for key in list_keys(conn, organization)}
    return SigningRules(required=row is not None and bool(row[0]), keys=keys)
