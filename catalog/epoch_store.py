"""The policy epoch: one number that rises with everything a decision is made from. Nothing commits.

Changes of entries, secrecy reviews, levels and datasets raise it by triggers; acts on grants and tiers call
``bump_epoch``. Who remembers what it read compares epochs, or listens to ``CHANNEL``: what is remembered under an
older epoch is read again, so a change takes effect on the next request.
"""

from typing import Final

from psycopg import Connection

CHANNEL: Final = "policy_epoch"
# The epoch beside something else of the same snapshot, as ``e.epoch``. A scalar: PostgreSQL takes the table of one row
# for one of thousands, and would plan the join with it for them.
EPOCH_BESIDE: Final = "(SELECT (SELECT epoch FROM policy_epoch) AS epoch) e"


def current_epoch(conn: Connection) -> int:
    """The epoch as this transaction sees it."""
    row = conn.execute("SELECT epoch FROM policy_epoch").fetchone()
    assert row is not None  # noqa: S101 - the migration made the one row
    return int(row[0])


def bump_epoch(conn: Connection) -> int:
    """Raise the epoch and tell who listens, when this transaction commits. Holds the row's lock until then."""
    row = conn.execute("SELECT bump_policy_epoch()").fetchone()
    assert row is not None  # noqa: S101 - the function returns one value
    return int(row[0])
