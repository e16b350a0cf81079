"""How the ledger stands: sealed or behind, signed or stale, witnessed or not; and the fail-stop that rests on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection

from hub.ledger import checkpoint_store, tree_store
from hub.ledger.checkpoint_store import Alarm, WitnessStanding
from hub.ledger.errors import LedgerStale
from hub.ledger.sealer import FRESH_SECONDS, INTERVAL_SECONDS
from hub.ledger.tree_store import Head

INTERVALS_MISSED = 3
STALE_MINUTES = 15
WAITING_COUNTED_MAX = 100_000
ALARM_TERM = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """The ledger at a moment.

    Args:
        head: how far it is sealed.
        waiting: leaves not sealed yet, counted to 100,000.
        degraded: nothing was sealed for three intervals though there was something, or nobody looked.
        stale: no signed head for so long that the hub stops releasing and approving.
        witnesses: what each witness cosigned last.
        missing: witnesses that should cosign and do not.
        alarms: the newest.
        alarmed: whether one is of the last day; what goes on raises its alarm anew every day.
    """

    head: Head
    waiting: int
    degraded: bool
    stale: bool
    witnesses: tuple[WitnessStanding, ...]
    missing: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    alarmed: bool

    @property
    def sound(self) -> bool:
        """Nothing to worry about."""
        return not (self.degraded or self.stale or self.missing or self.alarmed or self.head.missed)


def read_standing(
    conn: Connection, now: datetime, witnesses: Sequence[str] = (), stale_minutes: int = STALE_MINUTES
) -> Standing:
    """How the ledger stands; ``witnesses`` are those that should cosign."""
    head = tree_store.read_head(conn)
    seen = checkpoint_store.witness_standings(conn)
    alarms = checkpoint_store.list_alarms(conn)
    fresh = {one.witness for one in seen if now - one.cosigned_at <= timedelta(seconds=FRESH_SECONDS * 3)}
    return Standing(
        head=head,
        waiting=tree_store.waiting_above(conn, head, WAITING_COUNTED_MAX),
        degraded=is_degraded(head, now),
        stale=is_stale(head, now, stale_minutes),
        witnesses=tuple(seen),
        missing=tuple(name for name in witnesses if name not in fresh),
        alarms=tuple(alarms),
        alarmed=any(now - one.raised_at < ALARM_TERM for one in alarms),
    )


def is_degraded(head: Head, now: datetime) -> bool:
    """Whether three intervals went by without sealing: a banner, nothing is refused yet."""
    looked_at = head.looked_at or head.begun_at
    return now - looked_at > timedelta(seconds=INTERVAL_SECONDS * INTERVALS_MISSED)


def is_stale(head: Head, now: datetime, stale_minutes: int = STALE_MINUTES) -> bool:
    """Whether the last signed head is older than this; a ledger never signed counts from when it was made."""
    return now - (head.signed_at or head.begun_at) > timedelta(minutes=stale_minutes)


def require_live(conn: Connection, now: datetime, stale_minutes: int = STALE_MINUTES) -> None:
    """The fail-stop: before releasing what is shared under conditions, and before any approval. Reads one row.

    Raises:
        LedgerStale: no signed head for ``stale_minutes`` (HUB_LEDGER_STALE_MINUTES).
    """
    if is_stale(tree_store.read_head(conn), now, stale_minutes):
        raise LedgerStale(minutes=stale_minutes)
