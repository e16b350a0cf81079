"""Keys of applications: the hub's own credential. Opaque, shown once, expiring, two live at once so that one can be
replaced without a gap.

A key is 256 random bits. The store keeps its SM3 alone, unsalted and unstretched: salt and slow hashes protect what
people choose and what can be guessed; 2^256 cannot be, and one fast digest makes the look-up one index probe, whose
time tells nothing of a key that is not known whole.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import Connection

from hub.identity import application_store, revocation_store
from hub.identity.errors import KeysTaken, KeyUnknown

KEYS_MAX = 2
KEY_DAYS = 365
_KEY = re.compile(r"hub_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key; its text exists here and nowhere else."""

    key: str
    id: str
    application: str
    expires_at: datetime


def is_key(text: str) -> bool:
    """Whether a text has the form of a key."""
    return _KEY.fullmatch(text) is not None


def digest_of(key: str) -> bytes:
    """What the store keeps of a key."""
    return hashlib.new("sm3", key.encode("ascii")).digest()


def session_of(digest: bytes) -> str:
    """The ``sid`` of the access tokens that were issued for a key: revoking it revokes them too."""
    return str(UUID(bytes=digest[:16]))


def issue(conn: Connection, application: str, now: datetime, days: int = KEY_DAYS) -> IssuedKey:
    """Make a key for an application that is there.

    Raises:
        KeysTaken: it holds two live ones.
    """
    if application_store.count_live(conn, application, now) >= KEYS_MAX:
        raise KeysTaken(keys_max=KEYS_MAX)
    key = "hub_" + secrets.token_urlsafe(32)
    digest = digest_of(key)
    expires_at = now + timedelta(days=days)
    application_store.add_key(conn, digest, application, now, expires_at)
    return IssuedKey(key, digest.hex()[:12], application, expires_at)


def revoke(conn: Connection, application: str, key: str, now: datetime) -> None:
    """End a key, named by its id, and every access token issued for it.

    Raises:
        KeyUnknown: the application has no live key of this id.
    """
    ended = application_store.revoke_key(conn, application, key, now)
    if not ended:
        raise KeyUnknown(key=key)
    for digest in ended:
        revocation_store.revoke(conn, session_of(digest), now)
