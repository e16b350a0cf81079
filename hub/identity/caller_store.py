"""Who a credential belongs to, read in one statement each: the rows and the epoch they were true at."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

CLIENT_PREFIX = "client:"


@dataclass(frozen=True, slots=True)
class Holder:
    """A live credential's application, and the account it belongs to or acts for.

    Args:
        epoch: of the snapshot all of this was read in.
        application: id.
        organization: of the application, where one owns it.
        stands_for_organization: whether the application is the organization itself.
        expires_at: of the key; None where the credential is a token.
        account: the account that signed in, or that owns the application; None where an organization owns it.
        account_organization: what that account is bound to.
        person: the natural person behind it.
        roles: its roles.
        approved_from: term of its tier.
    """

    epoch: int
    application: str
    organization: str | None
    stands_for_organization: bool
    expires_at: datetime | None
    account: str | None
    account_organization: str | None
    person: str | None
    roles: list[str] | None
    approved_from: datetime | None
    approved_until: datetime | None


def epoch(conn: Connection) -> int:
    """The present epoch: it rises whenever what a known caller is may have changed."""
    row = conn.execute("SELECT epoch FROM identity_epoch").fetchone()
    return 0 if row is None else int(row[0])


def holder_of_key(conn: Connection, digest: bytes, now: datetime) -> Holder | None:
    """Whose live key has this digest."""
    with conn.cursor(row_factory=class_row(Holder)) as cursor:
        return cursor.execute(
            "SELECT e.epoch, a.id::text AS application, a.organization, a.stands_for_organization, k.expires_at,"
            " p.id::text AS account, p.organization AS account_organization, p.person::text, p.roles,"
            " p.approved_from, p.approved_until"
            " FROM identity_epoch e CROSS JOIN application_key k JOIN application a ON a.id = k.application"
            " LEFT JOIN person_account p ON p.id = a.account"
            " WHERE k.digest = %s AND k.revoked_at IS NULL AND k.expires_at > %s AND a.suspended_at IS NULL"
            " AND p.suspended_at IS NULL",
            [digest, now],
        ).fetchone()


def holder_of_application_token(conn: Connection, application: str, ids: list[str]) -> Holder | None:
    """Whose token an application's own is; None where it, its owner, or one of the token's ids is revoked."""
    with conn.cursor(row_factory=class_row(Holder)) as cursor:
        return cursor.execute(
            "SELECT e.epoch, a.id::text AS application, a.organization, a.stands_for_organization,"
            " NULL::timestamptz AS expires_at, p.id::text AS account, p.organization AS account_organization,"
            " p.person::text, p.roles, p.approved_from, p.approved_until"
            " FROM identity_epoch e CROSS JOIN application a LEFT JOIN person_account p ON p.id = a.account"
            " WHERE a.id = %s AND a.suspended_at IS NULL AND p.suspended_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM revoked_token r WHERE r.id = ANY(%s))",
            [application, ids],
        ).fetchone()


def holder_of_person_token(conn: Connection, account: str, application: str, ids: list[str]) -> Holder | None:
    """The account a person signed in with through an application; None where any of them is suspended or revoked."""
    with conn.cursor(row_factory=class_row(Holder)) as cursor:
        return cursor.execute(
            "SELECT e.epoch, a.id::text AS application, a.organization, a.stands_for_organization,"
            " NULL::timestamptz AS expires_at, p.id::text AS account, p.organization AS account_organization,"
            " p.person::text, p.roles, p.approved_from, p.approved_until"
            " FROM identity_epoch e CROSS JOIN person_account p CROSS JOIN application a"
            " LEFT JOIN person_account o ON o.id = a.account"
            " WHERE p.id = %s AND a.id = %s AND p.suspended_at IS NULL AND a.suspended_at IS NULL"
            " AND o.suspended_at IS NULL AND NOT EXISTS (SELECT 1 FROM revoked_token r WHERE r.id = ANY(%s))",
            [account, application, ids],
        ).fetchone()


@dataclass(frozen=True, slots=True)
class Linked:
    """Whom another issuer's subject is here, an account or an application, and which application its client is."""

    epoch: int
    account: str | None
    application: str | None
    through: str | None


def linked(conn: Connection, issuer: str, subject: str, client: str) -> Linked | None:
    """Whom another issuer's subject is here; None where nobody linked it."""
    with conn.cursor(row_factory=class_row(Linked)) as cursor:
        return cursor.execute(
            "SELECT e.epoch, x.account::text, x.application::text, c.application::text AS through"
            " FROM identity_epoch e CROSS JOIN external_identity x"
            " LEFT JOIN external_identity c ON c.issuer = x.issuer AND c.subject = %(client)s"
            " WHERE x.issuer = %(issuer)s AND x.subject = %(subject)s",
            {"issuer": issuer, "subject": subject, "client": client_subject(client)},
        ).fetchone()


def client_subject(client: str) -> str:
    """What a client of another issuer is linked under, beside the subjects: no subject of a token is like it."""
    return f"{CLIENT_PREFIX}{client}"


def application_standing_for(conn: Connection, organization: str) -> str | None:
    """The application whose keys are an organization's own; None where there is none or it is suspended."""
    row = conn.execute(
        "SELECT id::text FROM application WHERE organization = %s AND stands_for_organization AND suspended_at IS NULL",
        [organization],
    ).fetchone()
    return None if row is None else str(row[0])
