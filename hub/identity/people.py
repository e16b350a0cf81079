"""People and what they are here: an account's row as a caller. No token and no claim is believed about any of it."""

from datetime import datetime
from typing import cast, get_args

from psycopg import Connection

from catalog.caller import Caller, Role, Tier
from hub.identity.errors import PersonUnknown
from hub.identity.person_store import PersonAccount, find_by_login

ROLES: tuple[Role, ...] = get_args(Role)


def caller_of_login(conn: Connection, login: str, now: datetime) -> Caller:
    """The caller a command acts as.

    Who may type commands on the operator's machine may act as any account: that machine also holds the store.

    Raises:
        PersonUnknown: there is no such account, or it is suspended.
    """
    account = find_by_login(conn, login)
    if account is None or account.suspended_at is not None:
        raise PersonUnknown
    return caller_of_account(account, now)


def caller_of_account(account: PersonAccount, now: datetime) -> Caller:
    """An account as a caller."""
    return Caller(
        id=f"person:{account.id}",
        organization=account.organization,
        roles=roles_of(account.roles),
        tier=tier_of(account.organization, account.approved_from, account.approved_until, now),
        person=account.person,
    )


def tier_of(organization: str | None, since: datetime | None, until: datetime | None, now: datetime) -> Tier:
    """Department for who is bound to an organization, approved within its term (from the first, until before the
    last instant), else registered.
    """
    if organization is not None:
        return "department"
    if since is not None and until is not None and since <= now < until:
        return "approved"
    return "registered"


def roles_of(names: list[str]) -> frozenset[Role]:
    """Roles as the store has them, checked by it."""
    return frozenset(cast("list[Role]", names))
