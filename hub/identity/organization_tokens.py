"""Tokens of organizations: keys of the application that stands for the organization itself."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from catalog.errors import OrganizationUnknown
from catalog.store import find_organization
from hub.identity import application_keys, application_store
from hub.identity.application_keys import KEY_DAYS, KEYS_MAX
from hub.identity.application_store import KeyRow
from hub.identity.errors import KeysTaken, KeyUnknown, TokensTaken, TokenUnknown
from schemas.batch import uuid7

TOKEN_DAYS = KEY_DAYS


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; its text exists here and nowhere else."""

    token: str
    id: str
    organization: str
    expires_at: datetime


def issue(conn: Connection, organization: str, now: datetime, days: int = TOKEN_DAYS) -> Issued:
    """Make a token for an organization.

    Raises:
        OrganizationUnknown: there is no such organization.
        TokensTaken: it holds two live ones.
    """
    application = _application(conn, organization, now)
    try:
        made = application_keys.issue(conn, application, now, days)
    except KeysTaken:
        raise TokensTaken(organization=organization, tokens_max=KEYS_MAX) from None
    return Issued(made.key, made.id, organization, made.expires_at)


def revoke(conn: Connection, organization: str, token: str, now: datetime) -> None:
    """End a token, named by its id.

    Raises:
        OrganizationUnknown: there is no such organization.
        TokenUnknown: it has no live token of this id.
    """
    try:
        application_keys.revoke(conn, _application(conn, organization, now), token, now)
    except KeyUnknown:
        raise TokenUnknown(organization=organization, token=token) from None


def list_tokens(conn: Connection, organization: str, now: datetime) -> list[KeyRow]:
    """All tokens of an organization, the newest first.

    Raises:
        OrganizationUnknown: there is no such organization.
    """
    return application_store.list_keys(conn, _application(conn, organization, now))


def _application(conn: Connection, organization: str, now: datetime) -> str:
    if find_organization(conn, organization) is None:
        raise OrganizationUnknown(organization=organization)
    return application_store.application_of_organization(conn, organization, uuid7(now), now)
