"""The keys the built-in issuer signs with (ES256): kept sealed in the store, published before they sign and after.

A key signs for 30 days. The next one is published for a quarter of an hour before it signs, so that no verifier meets
a key it has not had time to hear of, and the old one for a day after its last signature.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import ECKey
from psycopg_pool import ConnectionPool

from hub.errors import SettingWrong
from hub.identity.embedded_issuer_store import (
    SigningKeyRow,
    add_signing_key,
    list_signing_keys,
    lock_signing_keys,
)
from schemas.national.errors import SealBroken
from schemas.national.provider import CryptoProvider

SIGNS_FOR = timedelta(days=30)
ANNOUNCED_FOR = timedelta(minutes=15)
PUBLISHED_AFTER = timedelta(days=1)
LOOK_EVERY = timedelta(seconds=60)
SEALING_PURPOSE = "signing keys of the built-in issuer"
SEALING_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs now."""

    kid: str
    key: ECKey


class SigningKeys:
    """Signing keys in the store, opened with a key of the keys folder. Threads may share it."""

    def __init__(self, pool: ConnectionPool, provider: CryptoProvider, sealing_key: bytes) -> None:
        """Over a pool; ``sealing_key`` is the 16 bytes of SM4 that private keys are sealed under in the store."""
        self._pool = pool
        self._provider = provider
        self._sealing_key = sealing_key
        self._lock = threading.Lock()
        self._current: tuple[SigningKey, datetime] | None = None

    def current(self, now: datetime) -> SigningKey:
        """The key to sign with; rotates when it is time."""
        with self._lock:
            if self._current is None or now >= self._current[1]:
                row = self._signing_row(now)
                self._current = (SigningKey(row.kid, self._opened(row)), now + LOOK_EVERY)
            return self._current[0]

    def published(self, now: datetime) -> Sequence[Mapping[str, Any]]:
        """The public keys, those that will sign soon and those that have signed lately among them."""
        with self._pool.connection() as conn:
            return [row.public_jwk for row in list_signing_keys(conn, now)]

    def _signing_row(self, now: datetime) -> SigningKeyRow:
        with self._pool.connection() as conn:
            rows = list_signing_keys(conn, now)
            if not rows or now >= _next_at(rows[0]):
                lock_signing_keys(conn)
                rows = list_signing_keys(conn, now)
                if not rows or now >= _next_at(rows[0]):
                    since = max(now, rows[0].signs_from + SIGNS_FOR) if rows else now
                    if rows and since - now < ANNOUNCED_FOR:
                        since = now + ANNOUNCED_FOR
                    add_signing_key(conn, self._made(now, since))
                    rows = list_signing_keys(conn, now)
        return next((row for row in rows if row.signs_from <= now), rows[-1])

    def _made(self, now: datetime, since: datetime) -> SigningKeyRow:
        key = ECKey.generate_key("P-256", private=True)
        kid = key.thumbprint()
        public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": "ES256"}
        sealed = self._provider.aead_seal(self._sealing_key, key.as_pem(private=True), _bound_to(kid))
        until = since + SIGNS_FOR + ANNOUNCED_FOR + PUBLISHED_AFTER
        return SigningKeyRow(kid, public, sealed, since, until, now)

    def _opened(self, row: SigningKeyRow) -> ECKey:
        try:
            private = self._provider.aead_open(self._sealing_key, row.private_sealed, _bound_to(row.kid))
        except SealBroken:
            problem = "its keys do not open the store's signing keys; is it the folder of this store?"
            raise SettingWrong(setting="HUB_KEYS_FOLDER", problem=problem) from None
        return ECKey.import_key(private)


def _next_at(row: SigningKeyRow) -> datetime:
    """When the key after this one is to be made."""
    return row.signs_from + SIGNS_FOR - ANNOUNCED_FOR


def _bound_to(kid: str) -> bytes:
    return f"signing_key|private_sealed|{kid}".encode()
