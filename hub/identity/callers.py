"""The identity port over the hub's own rows: an application key or an access token in, a caller out.

What a caller is (organization, roles, tier, suspended or not) is read from the rows, with the epoch they were true at,
and remembered by the credential's digest as long as the epoch stands. The epoch is looked at every 200 ms at the most,
by whichever request comes first; where that look fails the request fails: closed, not open. So suspending, revoking
and every other change take effect within that time in every process, and a request in between costs no query.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from psycopg_pool import ConnectionPool

from catalog.caller import Caller
from hub.identity import application_keys, caller_store
from hub.identity.caller_store import Holder
from hub.identity.errors import NotAuthenticated
from hub.identity.opaque_id import is_opaque_id
from hub.identity.people import roles_of, tier_of
from hub.identity.tokens import Tokens, Verified

EPOCH_SECONDS = 0.2
EPOCH_SECONDS_MAX = 0.8
REMEMBERED_MAX = 10_000
ACT_SCOPE = "act"  # an application acts with a person's roles only where the person consented to this


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    epoch: int
    until: datetime


class Callers:
    """Knows callers by keys and tokens. Threads may share it."""

    def __init__(
        self,
        pool: ConnectionPool,
        tokens: Tokens,
        *,
        built_in: bool = True,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put together.

        Args:
            pool: connections to the store.
            tokens: the verifier.
            built_in: whether the issuer is the hub's own, whose subjects are the hub's ids; another issuer's are
                looked up among the linked identities.
            ticks: monotonic seconds.
        """
        self._pool = pool
        self._tokens = tokens
        self._built_in = built_in
        self._ticks = ticks
        self._lock = threading.Lock()
        self._epoch = 0
        self._epoch_at = float("-inf")
        self._known: dict[bytes, _Known] = {}

    def caller(self, token: str, now: datetime) -> Caller:
        """Who holds this credential at ``now``.

        Raises:
            NotAuthenticated: unknown, expired or revoked; which of them is not told.
            IssuerUnreachable: a token that nobody can verify now.
        """
        self.look()
        return self.remembered(token, now) or self._read(token, now)

    def remembered(self, token: str, now: datetime) -> Caller | None:
        """The caller, where that is known without asking anyone, and never blocking; else ask ``caller``."""
        if self._ticks() - self._epoch_at > EPOCH_SECONDS_MAX:
            return None
        known = self._known.get(_digest(token))
        if known is None or known.epoch < self._epoch or now >= known.until:
            return None
        if not application_keys.is_key(token) and self._tokens.remembered(token, now) is None:
            return None
        return known.caller

    def look(self) -> None:
        """See whether anything of any caller has changed, unless that was seen just now."""
        age = self._ticks() - self._epoch_at
        if age < EPOCH_SECONDS or not self._lock.acquire(blocking=age > EPOCH_SECONDS_MAX):
            return
        try:
            looked_at = self._ticks()
            if looked_at - self._epoch_at < EPOCH_SECONDS:  # another thread looked meanwhile
                return
            with self._pool.connection() as conn:
                self._epoch = caller_store.epoch(conn)
            self._epoch_at = looked_at
        finally:
            self._lock.release()

    def _read(self, token: str, now: datetime) -> Caller:
        known = self._of_key(token, now) if application_keys.is_key(token) else self._of_token(token, now)
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[_digest(token)] = known
        return known.caller

    def _of_key(self, key: str, now: datetime) -> _Known:
        with self._pool.connection() as conn:
            holder = caller_store.holder_of_key(conn, application_keys.digest_of(key), now)
        if holder is None or holder.expires_at is None:
            raise NotAuthenticated
        return _Known(_application(holder, now), holder.epoch, _until(holder, now, holder.expires_at))

    def _of_token(self, token: str, now: datetime) -> _Known:
        verified = self._tokens.verify(token, now)
        holder, epoch, of_person = self._holder(verified)
        if holder is None:
            raise NotAuthenticated
        caller = _person(holder, verified.scope, now) if of_person else _application(holder, now)
        return _Known(caller, epoch, _until(holder, now, verified.expires_at))

    def _holder(self, verified: Verified) -> tuple[Holder | None, int, bool]:
        ids, client = list(verified.ids), verified.client
        with self._pool.connection() as conn:
            if self._built_in:
                application = verified.subject if verified.subject == verified.client else None
                account = None if application else verified.subject
                epoch = None
            else:
                # The epoch of the earlier snapshot: what changes between the two statements counts as not yet seen.
                found = caller_store.linked(conn, verified.issuer, verified.subject, client)
                if found is None or verified.subject.startswith(caller_store.CLIENT_PREFIX):
                    return None, 0, False
                account, application, epoch = found.account, found.application, found.epoch
                client = found.through or client
            if application is not None and is_opaque_id(application):
                holder = caller_store.holder_of_application_token(conn, application, ids)
            elif account is not None and is_opaque_id(account) and is_opaque_id(client):
                holder = caller_store.holder_of_person_token(conn, account, client, ids)
            else:
                return None, 0, False
        if holder is None:
            return None, 0, False
        return holder, holder.epoch if epoch is None else epoch, account is not None


def _application(holder: Holder, now: datetime) -> Caller:
    """An application as a caller. One that a person owns has that person's term of tier approved, and nothing of what
    the person's organization or roles would open.
    """
    caller_id = f"application:{holder.application}"
    if holder.stands_for_organization:
        caller_id = f"organization:{holder.organization}"
    tier = tier_of(holder.organization, holder.approved_from, holder.approved_until, now)
    return Caller(caller_id, holder.organization, tier=tier, application=holder.application)


def _person(holder: Holder, scope: frozenset[str], now: datetime) -> Caller:
    return Caller(
        id=f"person:{holder.account}",
        organization=holder.account_organization,
        roles=roles_of(holder.roles or []) if ACT_SCOPE in scope else frozenset(),
        tier=tier_of(holder.account_organization, holder.approved_from, holder.approved_until, now),
        person=holder.person,
        application=holder.application,
    )


def _until(holder: Holder, now: datetime, expires_at: datetime) -> datetime:
    """Until when this caller may be remembered: the tier changes at both ends of its term."""
    ends = (holder.approved_from, holder.approved_until)
    return min([expires_at, *(end for end in ends if end is not None and end > now)])


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
