"""Rows of applications and their keys: digests only, never a key. A connection comes first; nothing commits."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Application:
    """What asks on behalf of an organization or of one person.

    Args:
        organization: the owner, or None where ``account`` is.
        account: the owning person's account.
        stands_for_organization: its keys are the organization's own tokens.
        public_client: it cannot keep a key (RFC 8252) and has none.
        redirect_uris: where people may be sent back to, compared exactly.
    """

    id: str
    name: str
    organization: str | None
    account: str | None
    stands_for_organization: bool
    public_client: bool
    redirect_uris: list[str]
    created_at: datetime
    suspended_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key as its owner may see it.

    Args:
        id: the first twelve hexadecimal digits of its digest: enough to name it, nothing to use it with.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


# Applications --------------------------------------------------------------------------------------------------------


def add_application(conn: Connection, application: Application) -> None:
    """Insert an application."""
    conn.execute(
        "INSERT INTO application (id, name, organization, account, stands_for_organization, public_client,"
        " redirect_uris, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            application.id,
            application.name,
            application.organization,
            application.account,
            application.stands_for_organization,
            application.public_client,
            application.redirect_uris,
            application.created_at,
        ],
    )


def find_application(conn: Connection, application: str) -> Application | None:
    """One application by its id."""
    with conn.cursor(row_factory=class_row(Application)) as cursor:
        return cursor.execute(
            "SELECT id::text, name, organization, account::text, stands_for_organization, public_client,"
            " redirect_uris, created_at, suspended_at FROM application WHERE id = %s",
            [application],
        ).fetchone()


def application_of_organization(conn: Connection, organization: str, new_id: str, now: datetime) -> str:
    """The id of the application that stands for an organization, made where there is none yet."""
    conn.execute(
        "INSERT INTO application (id, name, organization, stands_for_organization, created_at)"
        " VALUES (%s, %s, %s, true, %s) ON CONFLICT (organization) WHERE stands_for_organization DO NOTHING",
        [new_id, organization, organization, now],
    )
    row = conn.execute(
        "SELECT id::text FROM application WHERE organization = %s AND stands_for_organization", [organization]
    ).fetchone()
    assert row is not None  # noqa: S101 - inserted above or there before
    return str(row[0])


def list_applications(
    conn: Connection,
    limit: int,
    after: str | None = None,
    *,
    organization: str | None = None,
    account: str | None = None,
    everyone: bool = False,
) -> list[Application]:
    """A page of applications by id: those of an organization or an account, or ``everyone``'s."""
    with conn.cursor(row_factory=class_row(Application)) as cursor:
        return cursor.execute(
            "SELECT id::text, name, organization, account::text, stands_for_organization, public_client,"
            " redirect_uris, created_at, suspended_at FROM application"
            " WHERE (%(after)s::uuid IS NULL OR id > %(after)s::uuid)"
            " AND (%(everyone)s OR organization = %(organization)s OR account = %(account)s::uuid)"
            " ORDER BY id LIMIT %(limit)s",
            {
                "after": after,
                "everyone": everyone,
                "organization": organization,
                "account": account,
                "limit": limit,
            },
        ).fetchall()


def set_application_suspended(conn: Connection, application: str, at: datetime | None) -> None:
    """Suspend from ``at`` on, or resume with None."""
    conn.execute("UPDATE application SET suspended_at = %s WHERE id = %s", [at, application])


def set_redirect_uris(conn: Connection, application: str, redirect_uris: list[str]) -> None:
    """Replace the addresses people may be sent back to."""
    conn.execute("UPDATE application SET redirect_uris = %s WHERE id = %s", [redirect_uris, application])


# Keys ----------------------------------------------------------------------------------------------------------------


def add_key(conn: Connection, digest: bytes, application: str, now: datetime, expires_at: datetime) -> None:
    """Keep a key's digest."""
    conn.execute(
        "INSERT INTO application_key (digest, application, created_at, expires_at) VALUES (%s, %s, %s, %s)",
        [digest, application, now, expires_at],
    )


def count_live(conn: Connection, application: str, now: datetime) -> int:
    """How many live keys an application holds; its row is locked, so that two issues at once count each other."""
    conn.execute("SELECT 1 FROM application WHERE id = %s FOR UPDATE", [application])
    row = conn.execute(
        "SELECT count(*) FROM application_key WHERE application = %s AND revoked_at IS NULL AND expires_at > %s",
        [application, now],
    ).fetchone()
    return 0 if row is None else int(row[0])


def list_keys(conn: Connection, application: str) -> list[KeyRow]:
    """All keys of an application, the newest first."""
    with conn.cursor(row_factory=class_row(KeyRow)) as cursor:
        return cursor.execute(
            "SELECT left(encode(digest, 'hex'), 12) AS id, created_at, expires_at, revoked_at"
            " FROM application_key WHERE application = %s ORDER BY created_at DESC, digest",
            [application],
        ).fetchall()


def revoke_key(conn: Connection, application: str, key: str, now: datetime) -> list[bytes]:
    """End a key, named by its id; the digests of those that ended."""
    rows = conn.execute(
        "UPDATE application_key SET revoked_at = %s"
        " WHERE application = %s AND left(encode(digest, 'hex'), 12) = %s AND revoked_at IS NULL RETURNING digest",
        [now, application, key],
    ).fetchall()
    return [bytes(row[0]) for row in rows]


def key_of(conn: Connection, digest: bytes, now: datetime) -> tuple[str, datetime] | None:
    """Which application's live key has this digest, and until when; None also where the application or its owner is
    suspended.
    """
    row = conn.execute(
        "SELECT a.id::text, k.expires_at FROM application_key k JOIN application a ON a.id = k.application"
        " LEFT JOIN person_account o ON o.id = a.account"
        " WHERE k.digest = %s AND k.revoked_at IS NULL AND k.expires_at > %s AND a.suspended_at IS NULL"
        " AND o.suspended_at IS NULL",
        [digest, now],
    ).fetchone()
    return None if row is None else (str(row[0]), row[1])
