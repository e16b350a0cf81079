"""Rows of what was used of quotas. Nothing commits."""

from collections.abc import Sequence
from datetime import date

from psycopg import Connection

KEPT_DAYS = 40


def add_uses(
    conn: Connection, uses: Sequence[tuple[str, date, int, int, int]]
) -> dict[tuple[str, date], tuple[int, int, int]]:
    """Add requests, rows and bytes by subject and day, in one order so that no two wait for each other; the sums."""
    if not uses:
        return {}
    columns = [list(column) for column in zip(*uses, strict=True)]
    rows = conn.execute(
        "INSERT INTO quota_use AS u (subject, day, requests, rows, bytes)"
        " SELECT * FROM unnest(%s::text[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[])"
        " ON CONFLICT (subject, day) DO UPDATE SET requests = u.requests + excluded.requests,"
        " rows = u.rows + excluded.rows, bytes = u.bytes + excluded.bytes"
        " RETURNING subject, day, requests, rows, bytes",
        columns,
    ).fetchall()
    return {(subject, day): (requests, count, size) for subject, day, requests, count, size in rows}


def forget_uses(conn: Connection, before: date) -> int:
    """Take away the days before; how many rows."""
    return conn.execute("DELETE FROM quota_use WHERE day < %s", [before]).rowcount
