"""How a dataset fares: records, quality and users, as apply counts. A connection comes first; nothing commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection

RECEIPTS_LOOKED_AT: Final = 1_000
REASONS_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Quality:
    """What came of what was handed in.

    Args:
        records: the hub holds now.
        received: records handed in, over all batches.
        rejected: of them.
        accepted_share: of those received that were not rejected, 0..1; None before the first.
        reasons: the commonest reasons for rejection among the last batches, code and count, the commonest first.
        last_taken_at: when the hub last took a batch.
    """

    records: int
    received: int
    rejected: int
    accepted_share: float | None
    reasons: Mapping[str, int]
    last_taken_at: datetime | None


def quality_of(conn: Connection, dataset: str) -> Quality:
    """Quality of one dataset; all zero where nothing was handed in."""
    row = conn.execute(
        "SELECT records, received, rejected, last_taken_at FROM dataset_statistics WHERE dataset = %s", [dataset]
    ).fetchone()
    records, received, rejected, last_taken_at = row or (0, 0, 0, None)
    reasons = conn.execute(
        "SELECT r.key, sum(r.value::bigint)::bigint AS number FROM (SELECT reasons FROM receipt WHERE dataset = %s"
        " ORDER BY id DESC LIMIT %s) last CROSS JOIN LATERAL jsonb_each_text(last.reasons) r"
        " GROUP BY r.key ORDER BY number DESC, r.key LIMIT %s",
        [dataset, RECEIPTS_LOOKED_AT, REASONS_MAX],
    ).fetchall()
    return Quality(
        records=records,
        received=received,
        rejected=rejected,
        accepted_share=None if not received else round(1 - rejected / received, 4),
        reasons={str(row[0]): int(row[1]) for row in reasons},
        last_taken_at=last_taken_at,
    )


def count_users(conn: Connection, dataset: str, now: datetime) -> int:
    """How many hold a grant of a dataset that is in effect now."""
    row = conn.execute(
        "SELECT count(DISTINCT holder) FROM access_grant WHERE dataset = %s AND state = 'active'"
        " AND valid_from <= %s AND valid_until > %s AND (review_by > %s OR reviewed_at IS NOT NULL"
        " OR review_by IS NULL)",
        [dataset, now, now, now],
    ).fetchone()
    return 0 if row is None else int(row[0])
