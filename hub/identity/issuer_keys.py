"""The public keys of the issuer the hub trusts, remembered; fetched by one thread at a time and not too often.

A key that the issuer takes back is refused once the keys are fetched again, within ``ttl_seconds``. A token that names
a key nobody knows makes the hub look again, at most once in ``refetch_seconds``, so a flood of them is no flood of
fetches. Where the issuer cannot be reached the keys known last count on for ``stale_seconds``: its tokens outlive it
for that long, and new ones nobody can verify are refused.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from hub.identity.errors import IssuerUnreachable

Key = RSAKey | ECKey | OKPKey
Fetch = Callable[[], Sequence[Mapping[str, object]]]  # the JWKs of the issuer's key set; raises IssuerUnreachable

# Which algorithms a key may be used with, by its type and curve: never what the token would like.
ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "PS256"),
    "EC P-256": ("ES256",),
    "OKP Ed25519": ("EdDSA", "Ed25519"),
}
KEYS_MAX = 32
RSA_BITS_MIN = 2_048
FAILED_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key and what it may verify."""

    key: Key
    algorithms: tuple[str, ...]


class IssuerKeys:
    """The key set. Threads may share it."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        ttl_seconds: float = 300,
        refetch_seconds: float = 60,
        stale_seconds: float = 3_600,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._ttl_seconds = ttl_seconds
        self._refetch_seconds = refetch_seconds
        self._stale_seconds = stale_seconds
        self._ticks = ticks
        self._lock = threading.Lock()
        self._keys: Mapping[str, IssuerKey] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None

    def find(self, kid: str) -> IssuerKey | None:
        """The key of this id, as the issuer publishes it now or did within ``ttl_seconds``.

        Raises:
            IssuerUnreachable: no key set can be had.
        """
        if not self._is_fresh():
            self._refetch(self._is_fresh)
        found = self._keys.get(kid)
        if found is None:
            self._refetch(lambda: kid in self._keys or not self._may_look_again())
            found = self._keys.get(kid)
        return found

    def holds(self, kid: str) -> bool:
        """Whether the key still counts; never fetches, so no where that would be needed."""
        return self._is_fresh() and kid in self._keys

    def _is_fresh(self) -> bool:
        return self._fetched_at is not None and self._ticks() - self._fetched_at < self._ttl_seconds

    def _may_look_again(self) -> bool:
        return self._tried_at is None or self._ticks() - self._tried_at >= self._refetch_seconds

    def _refetch(self, is_done: Callable[[], bool]) -> None:
        """Fetch once; who comes while another thread does waits and finds it done."""
        if is_done():
            return
        with self._lock:
            if is_done():
                return
            now = self._ticks()
            if self._tried_at is None or now - self._tried_at >= min(FAILED_PAUSE_SECONDS, self._refetch_seconds):
                self._tried_at = now
                try:
                    self._keys = read_keys(self._fetch())
                    self._fetched_at = now
                except IssuerUnreachable:
                    self._refuse_stale(now)
                return
            if not self._is_fresh():
                self._refuse_stale(now)

    def _refuse_stale(self, now: float) -> None:
        if self._fetched_at is None or now - self._fetched_at >= self._stale_seconds:
            self._keys = {}
            raise IssuerUnreachable


def read_keys(published: Sequence[Mapping[str, object]]) -> Mapping[str, IssuerKey]:
    """The usable keys of a set by their ids: public, for signatures, of a kind that is allowed; the rest are left."""
    found: dict[str, IssuerKey] = {}
    for one in list(published)[:KEYS_MAX]:
        kid = one.get("kid")
        if not isinstance(kid, str) or not kid or kid in found or one.get("use", "sig") != "sig":
            continue
        usable = _read_key(one)
        if usable is not None:
            found[kid] = usable
    return found


def _read_key(jwk: Mapping[str, object]) -> IssuerKey | None:
    kind = str(jwk.get("kty"))
    algorithms = ALGORITHMS.get(kind if kind == "RSA" else f"{kind} {jwk.get('crv')}", ())
    declared = jwk.get("alg")
    if declared is not None:
        algorithms = tuple(one for one in algorithms if one == declared)
    if not algorithms:
        return None
    public = {name: value for name, value in jwk.items() if name in {"kty", "crv", "x", "y", "n", "e"}}
    try:
        key = import_key(public)  # pyright: ignore[reportArgumentType]  # a key of wrong types is refused by it
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < RSA_BITS_MIN:
        return None
    return IssuerKey(key, algorithms) if isinstance(key, RSAKey | ECKey | OKPKey) else None
