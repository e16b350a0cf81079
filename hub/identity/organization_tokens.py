"""The hub's own tokens: opaque, issued to an organization, two live at once so that one can be replaced without a gap.

A token is 256 random bits. The store keeps its SM3 alone, unsalted and unstretched: salt and slow hashes protect what
people choose and what can be guessed; 2^256 cannot be, and one fast digest makes the look-up one index probe.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg_pool import ConnectionPool

from catalog.errors import OrganizationUnknown
from catalog.store import find_organization
from hub.identity import token_store
from hub.identity.errors import NotAuthenticated, TokensTaken, TokenUnknown
from hub.identity.port import Caller

TOKENS_MAX = 2
TOKEN_DAYS = 365
_TOKEN = re.compile(r"hub_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; its text exists here and nowhere else."""

    token: str
    id: str
    organization: str
    expires_at: datetime


class OrganizationTokens:
    """The identity port over table organization_token."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def caller(self, token: str, now: datetime) -> Caller:
        """Who holds this token at ``now``. A revoked token is refused from the next request on."""
        if not _TOKEN.fullmatch(token):
            raise NotAuthenticated
        with self._pool.connection() as conn:
            organization = token_store.holder(conn, digest_of(token), now)
        if organization is None:
            raise NotAuthenticated
        return Caller(organization)


def issue(conn: Connection, organization: str, now: datetime, days: int = TOKEN_DAYS) -> Issued:
    """Make a token for an organization.

    Raises:
        OrganizationUnknown: there is no such organization.
        TokensTaken: it holds two live ones.
    """
    if find_organization(conn, organization) is None:
        raise OrganizationUnknown(organization=organization)
    if token_store.count_live(conn, organization, now) >= TOKENS_MAX:
        raise TokensTaken(organization=organization, tokens_max=TOKENS_MAX)
    token = "hub_" + secrets.token_urlsafe(32)
    digest = digest_of(token)
    expires_at = now + timedelta(days=days)
    token_store.add_token(conn, digest, organization, now, expires_at)
    return Issued(token, digest.hex()[:12], organization, expires_at)


def revoke(conn: Connection, organization: str, token: str, now: datetime) -> None:
    """End a token, named by its id."""
    if not token_store.revoke(conn, organization, token, now):
        raise TokenUnknown(organization=organization, token=token)


def digest_of(token: str) -> bytes:
    """What the store keeps of a token."""
    return hashlib.new("sm3", token.encode("ascii")).digest()
