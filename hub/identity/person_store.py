"""Rows of people's accounts. A connection comes first; nothing commits."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from hub.identity.errors import LoginTaken


@dataclass(frozen=True, slots=True)
class PersonAccount:
    """An account as administrators see it; its password's hash stays in the store.

    Args:
        person: the natural person, the same for two accounts of one person.
        approved_from: the term of tier approved; both None where it was never given, or ended.
    """

    id: str
    login: str
    display_name: str
    organization: str | None
    person: str
    roles: list[str]
    approved_from: datetime | None
    approved_until: datetime | None
    created_at: datetime
    suspended_at: datetime | None


def add_account(conn: Connection, account: PersonAccount, password_hash: str | None) -> None:
    """Insert an account.

    Raises:
        LoginTaken: someone has this login.
    """
    try:
        with conn.transaction():  # a savepoint: the caller's transaction lives on
            conn.execute(
                "INSERT INTO person_account (id, login, display_name, organization, person, password_hash, roles,"
                " created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    account.id,
                    account.login,
                    account.display_name,
                    account.organization,
                    account.person,
                    password_hash,
                    account.roles,
                    account.created_at,
                ],
            )
    except UniqueViolation as taken:
        raise LoginTaken from taken


def find_by_login(conn: Connection, login: str) -> PersonAccount | None:
    """One account by its login."""
    with conn.cursor(row_factory=class_row(PersonAccount)) as cursor:
        return cursor.execute(
            "SELECT id::text, login, display_name, organization, person::text, roles, approved_from, approved_until,"
            " created_at, suspended_at FROM person_account WHERE login = %s",
            [login],
        ).fetchone()


def find_account(conn: Connection, account: str, *, locked: bool = False) -> PersonAccount | None:
    """One account by its id; ``locked`` until the transaction ends, so that two acts do not cross."""
    with conn.cursor(row_factory=class_row(PersonAccount)) as cursor:
        if locked:
            cursor.execute("SELECT 1 FROM person_account WHERE id = %s FOR UPDATE", [account])
        return cursor.execute(
            "SELECT id::text, login, display_name, organization, person::text, roles, approved_from, approved_until,"
            " created_at, suspended_at FROM person_account WHERE id = %s",
            [account],
        ).fetchone()


def list_accounts(conn: Connection, limit: int, after: str = "") -> list[PersonAccount]:
    """A page of accounts by login."""
    with conn.cursor(row_factory=class_row(PersonAccount)) as cursor:
        return cursor.execute(
            "SELECT id::text, login, display_name, organization, person::text, roles, approved_from, approved_until,"
            " created_at, suspended_at FROM person_account WHERE login > %s ORDER BY login LIMIT %s",
            [after, limit],
        ).fetchall()


def has_administrator(conn: Connection) -> bool:
    """Whether anyone administers the hub. The table is locked against new accounts until the transaction ends."""
    conn.execute("LOCK TABLE person_account IN SHARE ROW EXCLUSIVE MODE")
    return bool(administrators(conn))


def administrators(conn: Connection) -> list[str]:
    """Ids of the accounts that administer the hub, none of them suspended."""
    found = conn.execute(
        "SELECT id::text FROM person_account WHERE 'administrator' = ANY(roles) AND suspended_at IS NULL"
    ).fetchall()
    return [str(row[0]) for row in found]


def set_roles(conn: Connection, account: str, roles: list[str]) -> None:
    """Replace the roles."""
    conn.execute("UPDATE person_account SET roles = %s WHERE id = %s", [roles, account])


def set_approval(conn: Connection, account: str, since: datetime | None, until: datetime | None) -> None:
    """Give tier approved for a term, or end it with None."""
    conn.execute(
        "UPDATE person_account SET approved_from = %s, approved_until = %s WHERE id = %s", [since, until, account]
    )


def set_suspended(conn: Connection, account: str, at: datetime | None) -> None:
    """Suspend from ``at`` on, or resume with None."""
    conn.execute("UPDATE person_account SET suspended_at = %s WHERE id = %s", [at, account])


def password_hash_of(conn: Connection, login: str) -> tuple[str, str | None] | None:
    """Account id and password hash of a login that may sign in; None for an unknown or suspended one."""
    row = conn.execute(
        "SELECT id::text, password_hash FROM person_account WHERE login = %s AND suspended_at IS NULL", [login]
    ).fetchone()
    return None if row is None else (str(row[0]), row[1])


def set_password_hash(conn: Connection, account: str, password_hash: str | None) -> None:
    """Replace the password."""
    conn.execute("UPDATE person_account SET password_hash = %s WHERE id = %s", [password_hash, account])


def link_identity(
    conn: Connection, issuer: str, subject: str, now: datetime, *, account: str | None, application: str | None
) -> None:
    """Say whom another issuer's subject is; a link that was there is replaced."""
    conn.execute(
        "INSERT INTO external_identity (issuer, subject, account, application, linked_at) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (issuer, subject) DO UPDATE SET account = excluded.account,"
        " application = excluded.application, linked_at = excluded.linked_at",
        [issuer, subject, account, application, now],
    )


def subject_of(conn: Connection, issuer: str, account: str) -> str | None:
    """The subject by which another issuer knows an account; the one linked last, None where there is none."""
    row = conn.execute(
        "SELECT subject FROM external_identity WHERE issuer = %s AND account = %s ORDER BY linked_at DESC LIMIT 1",
        [issuer, account],
    ).fetchone()
    return None if row is None else str(row[0])
