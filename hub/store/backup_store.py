"""What backup and restore ask the database itself."""

from psycopg import Connection


def export_snapshot(conn: Connection) -> str:
    """One moment for this transaction, its first statement, and for the program that dumps beside it."""
    conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    row = conn.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None  # noqa: S101 - a function's one row
    return str(row[0])


def is_empty(conn: Connection) -> bool:
    """Whether no hub was ever here."""
    row = conn.execute("SELECT to_regclass('schema_migration') IS NULL AND to_regnamespace('data') IS NULL").fetchone()
    return row is not None and bool(row[0])


def migration_number(conn: Connection) -> int:
    """The last migration applied."""
    row = conn.execute("SELECT max(number) FROM schema_migration").fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
