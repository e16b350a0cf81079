"""Rows of failed sign-ins, by digests of login and address, within one window."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import Connection


def failures(conn: Connection, subjects: Sequence[bytes], since: datetime) -> dict[bytes, tuple[int, datetime]]:
    """Failures of each subject and when its window began, of windows that began after ``since``."""
    rows = conn.execute(
        "SELECT subject, failures, since FROM sign_in_failure WHERE subject = ANY(%s) AND since > %s",
        [list(subjects), since],
    ).fetchall()
    return {bytes(subject): (count, began) for subject, count, began in rows}


def add_failure(conn: Connection, subjects: Sequence[bytes], now: datetime, since: datetime) -> None:
    """Count one more; a window older than ``since`` begins anew."""
    conn.execute("DELETE FROM sign_in_failure WHERE since <= %s", [since])
    conn.execute(
        "INSERT INTO sign_in_failure (subject, failures, since) SELECT subject, 1, %s FROM unnest(%s::bytea[])"
        " AS given (subject) ORDER BY subject ON CONFLICT (subject)"
        " DO UPDATE SET failures = sign_in_failure.failures + 1",
        [now, list(subjects)],
    )


def forget(conn: Connection, subject: bytes) -> None:
    """Who signed in has no failures."""
    conn.execute("DELETE FROM sign_in_failure WHERE subject = %s", [subject])
