"""What the doctor asks the store: how the server is set up, and what waits there."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class ServerStanding:
    """A PostgreSQL server as the hub finds it."""

    version_number: int
    encoding: str
    locale: str
    fsync: str
    full_page_writes: str
    connections: int
    connections_max: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """What waits for somebody."""

    quarantined: int
    refused_today: int
    subscriptions_failing: int


def read_server(conn: Connection) -> ServerStanding:
    """How the server is set up."""
    with conn.cursor(row_factory=class_row(ServerStanding)) as cursor:
        found = cursor.execute(
            "SELECT current_setting('server_version_num')::integer AS version_number,"
            " pg_encoding_to_char(d.encoding) AS encoding, d.datctype AS locale, current_setting('fsync') AS fsync,"
            " current_setting('full_page_writes') AS full_page_writes,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,"
            " current_setting('max_connections')::integer AS connections_max, clock_timestamp() AS now"
            " FROM pg_database d WHERE d.datname = current_database()"
        ).fetchone()
    assert found is not None  # noqa: S101 - a session is in a database
    return found


def missing_extensions(conn: Connection) -> list[str]:
    """What the hub needs and the database does not have."""
    rows = conn.execute(
        "SELECT wanted FROM unnest(ARRAY['postgis', 'pgcrypto']) wanted"
        " WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = wanted) ORDER BY wanted"
    ).fetchall()
    return [str(row[0]) for row in rows]


def count_waiting(conn: Connection) -> Counted:
    """What waits for somebody, counted."""
    with conn.cursor(row_factory=class_row(Counted)) as cursor:
        found = cursor.execute(
            "SELECT (SELECT count(*) FROM quarantine WHERE state = 'open') AS quarantined,"
            " (SELECT count(*) FROM refused_message WHERE seen_at > now() - interval '1 day') AS refused_today,"
            " (SELECT count(*) FROM subscription WHERE state = 'paused' AND why = 'failing') AS subscriptions_failing"
        ).fetchone()
    assert found is not None  # noqa: S101 - a row without conditions
    return found
