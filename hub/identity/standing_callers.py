"""Callers who are not there: whose subscription is delivered. Who they are is read anew, from their id alone.

Nobody shows a credential here, so nobody acts with roles: what a subscription opens, it opens by tier and grant.
"""

from datetime import datetime

from psycopg import Connection

from catalog.caller import Caller
from hub.identity import caller_store
from hub.identity.errors import NotAuthenticated
from hub.identity.people import tier_of
from hub.identity.person_store import find_account


def standing_caller(conn: Connection, caller_id: str, now: datetime) -> Caller:
    """The caller of an id as of now.

    Raises:
        NotAuthenticated: unknown, or suspended: itself, or the person or organization it belongs to.
    """
    kind, _, name = caller_id.partition(":")
    match kind:
        case "person":
            account = find_account(conn, name)
            if account is None or account.suspended_at is not None:
                raise NotAuthenticated
            tier = tier_of(account.organization, account.approved_from, account.approved_until, now)
            return Caller(caller_id, account.organization, tier=tier, person=account.person)
        case "application":
            return _of_application(conn, name, now)
        case "organization":
            application = caller_store.application_standing_for(conn, name)
            if application is None:
                raise NotAuthenticated
            return Caller(caller_id, name, tier="department", application=application)
        case _:
            raise NotAuthenticated


def _of_application(conn: Connection, application: str, now: datetime) -> Caller:
    holder = caller_store.holder_of_application_token(conn, application, [])
    if holder is None:
        raise NotAuthenticated
    tier = tier_of(holder.organization, holder.approved_from, holder.approved_until, now)
    return Caller(f"application:{application}", holder.organization, tier=tier, application=application)
