"""Signing people in by login and password, not often wrong and never telling whether a login exists.

Failures are counted per login, whether there is such a login or not, and per address; both counts hold over all
processes. A login is hashed against in either case, so the time tells nothing.
"""

import hashlib
from datetime import datetime, timedelta

from psycopg_pool import ConnectionPool

from hub.identity import passwords, person_store, sign_in_store
from hub.identity.errors import SignInRefused, SignInsTooMany

WINDOW = timedelta(minutes=15)
FAILURES_OF_LOGIN_MAX = 10
FAILURES_OF_ADDRESS_MAX = 50


def sign_in(pool: ConnectionPool, login: str, password: str, address: str, now: datetime) -> str:
    """The id of the account that login and password are of.

    Raises:
        SignInRefused: there is no such account, it is suspended, or the password is another; which is not told.
        SignInsTooMany: too many failures of this login or from this address.
    """
    of_login, of_address = _digest("login", login), _digest("address", address)
    with pool.connection() as conn:
        counted = sign_in_store.failures(conn, [of_login, of_address], now - WINDOW)
        found = person_store.password_hash_of(conn, login[:64])
    for subject, most in ((of_login, FAILURES_OF_LOGIN_MAX), (of_address, FAILURES_OF_ADDRESS_MAX)):
        count, since = counted.get(subject, (0, now))
        if count >= most:
            raise SignInsTooMany(retry_after_seconds=max(1.0, (since + WINDOW - now).total_seconds()))
    # No connection is held while the password is hashed.
    is_right = passwords.is_right(password, found[1] if found else None)
    with pool.connection() as conn:
        if not is_right or found is None:
            sign_in_store.add_failure(conn, [of_login, of_address], now, now - WINDOW)
        elif of_login in counted:
            sign_in_store.forget(conn, of_login)
    if not is_right or found is None:
        raise SignInRefused
    return found[0]


def _digest(kind: str, text: str) -> bytes:
    return hashlib.new("sm3", f"{kind}\n{text}".encode("utf-8", "surrogatepass")).digest()
