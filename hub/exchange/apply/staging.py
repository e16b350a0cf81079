"""Rows of one batch on their way into current: a temporary table of the worker's own connection."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import Connection, sql

from hub.exchange.apply.target import Target
from hub.store.tables import column_type


def ensure_staging(conn: Connection, target: Target) -> None:
    """Create this connection's staging table for the target, once."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(
            sql.Identifier(field.name),
            sql.SQL(column_type(field.type)),  # pyright: ignore[reportArgumentType] - a closed table of types
        )
        for field in target.contract.fields
    )
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE IF NOT EXISTS {} ({}, _version bigint NOT NULL, _row bigint NOT NULL, _n bigint)"
            " ON COMMIT DELETE ROWS"
        ).format(target.staging_name, columns)
    )


def copy_rows(conn: Connection, target: Target, columns: Sequence[str], rows: bytes) -> None:
    """COPY rows in text format into staging."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    with conn.cursor() as cursor, cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(target.staging, names)) as copy:
        copy.write(rows)


def empty_staging(conn: Connection, target: Target) -> None:
    """Make room for the next batch of the same transaction."""
    conn.execute(sql.SQL("TRUNCATE {}").format(target.staging))


def split_rows(rows: bytes) -> tuple[bytes, bytes]:
    """Both halves of COPY text by lines; the second is empty when there is one line. Values hold no bare newline."""
    middle = rows.find(b"\n", len(rows) // 2)
    if middle + 1 >= len(rows):
        middle = rows.rfind(b"\n", 0, len(rows) - 1)
        if middle < 0:
            return rows, b""
    return rows[: middle + 1], rows[middle + 1 :]


def unstage(conn: Connection, target: Target, positions: Sequence[int]) -> None:
    """Take rows out of staging again by their position in the batch."""
    conn.execute(sql.SQL("DELETE FROM {} WHERE _n = ANY(%s)").format(target.staging), [list(positions)])


def clock(conn: Connection) -> datetime:
    """The server's time now, not the transaction's."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row[0]
