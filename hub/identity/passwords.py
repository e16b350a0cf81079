"""Passwords: made by the hub or chosen by their owner, kept as Argon2id (RFC 9106) in PHC form."""

import secrets
import threading
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hub.identity.errors import PersonWrong

CHARACTERS_MIN, CHARACTERS_MAX = 12, 128
MEMORY_KIB, ITERATIONS, LANES = 19_456, 2, 1  # OWASP's minimum of 2023: about 50 ms on the project's kind of machine
SALT_BYTES, HASH_BYTES = 16, 32
# However many sign in at once, as many hash: each takes 19 MiB and a core.
_PLACES: Final = threading.BoundedSemaphore(2)


def made_up() -> str:
    """A password nobody has chosen: 120 random bits, to be shown once and then changed."""
    return secrets.token_urlsafe(15)


def hash_of(password: str) -> str:
    """What the store keeps.

    Raises:
        PersonWrong: it is too short or too long.
    """
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise PersonWrong(field="password", rule=f"{CHARACTERS_MIN}..{CHARACTERS_MAX} characters")
    return _hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether it is the password of this hash; without one it takes as long and is not."""
    if len(password) > CHARACTERS_MAX:
        return False
    with _PLACES:
        try:
            Argon2id.verify_phc_encoded(_encoded(password), kept or _hash_of_nobody())
        except InvalidKey:
            return False
    return kept is not None


def ready() -> None:
    """Make what unknown logins are compared with, so that the first of them takes no longer than the rest."""
    _hash_of_nobody()


def _hash(password: str) -> str:
    derivation = Argon2id(
        salt=secrets.token_bytes(SALT_BYTES),
        length=HASH_BYTES,
        iterations=ITERATIONS,
        lanes=LANES,
        memory_cost=MEMORY_KIB,
    )
    return derivation.derive_phc_encoded(_encoded(password))


@cache
def _hash_of_nobody() -> str:
    return _hash(secrets.token_urlsafe(32))


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
