"""Brings the tables to where this version of the hub expects them: numbered SQL files, each once, in order.

A file is ``NNNN_name.sql``. Each runs in one transaction with its entry in ``schema_migration``, so it took place
whole or not at all. Several starting processes may call at once: one works, the others wait and find nothing to do.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from hub.store.connect import connect
from hub.store.errors import DatabaseNewer, MigrationChanged, MigrationFailed, MigrationFolderWrong

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x6875_625F_6D69_6772  # "hub_migr"
WAIT_SECONDS = 600
LOCK_SECONDS = 10
STATEMENT_SECONDS = 300

FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
TRANSACTION_CONTROL = re.compile(
    r"^\s*(BEGIN|COMMIT|ROLLBACK|START\s+TRANSACTION|END)\s*;", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    text: bytes
    sm3: str

    @property
    def file(self) -> str:
        return f"{self.number:04d}_{self.name}.sql"


def migrate(
    url: str,
    folder: Path = MIGRATIONS,
    *,
    lock_seconds: float = LOCK_SECONDS,
    statement_seconds: float = STATEMENT_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
) -> list[Migration]:
    """Apply what is missing and return it."""
    known = read_folder(folder)
    with connect(url, "hub migrate", autocommit=True, wait_seconds=min(wait_seconds, 30)) as connection:
        _set_timeouts(connection, wait_seconds, wait_seconds)
        connection.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])  # released with the connection
        _set_timeouts(connection, lock_seconds, statement_seconds)
        _make_table(connection)
        missing = _missing(known, _applied(connection))
        for migration in missing:
            _apply(connection, migration)
    return missing


def pending(connection: psycopg.Connection, folder: Path = MIGRATIONS) -> list[Migration]:
    """What ``migrate`` would apply; changes nothing."""
    row = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    made = row is not None and bool(row[0])
    return _missing(read_folder(folder), _applied(connection) if made else {})


def read_folder(folder: Path = MIGRATIONS) -> list[Migration]:
    """The numbered files in order. Line ends do not count in their digest: a checkout may change them."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        parts = FILE_NAME.fullmatch(path.name)
        if parts is None:
            raise MigrationFolderWrong(file=path.name, problem="its name is not NNNN_name.sql")
        text = path.read_bytes().replace(b"\r\n", b"\n")
        migration = Migration(int(parts[1]), parts[2], text, hashlib.new("sm3", text).hexdigest())
        if migration.number in found:
            raise MigrationFolderWrong(file=path.name, problem=f"{found[migration.number].file} has its number")
        if TRANSACTION_CONTROL.search(text.decode()):
            raise MigrationFolderWrong(file=path.name, problem="it opens or ends a transaction of its own")
        found[migration.number] = migration
    return list(found.values())


def _missing(known: list[Migration], applied: dict[int, str]) -> list[Migration]:
    last_known = known[-1].number if known else 0
    last_applied = max(applied, default=0)
    if last_applied > last_known:
        raise DatabaseNewer(database_number=last_applied, code_number=last_known)
    missing: list[Migration] = []
    for migration in known:
        digest = applied.get(migration.number)
        if digest is not None and digest != migration.sm3:
            raise MigrationChanged(file=migration.file)
        if digest is None and migration.number < last_applied:
            problem = f"the database is already past it, at {last_applied}; give it a higher number"
            raise MigrationFolderWrong(file=migration.file, problem=problem)
        if digest is None:
            missing.append(migration)
    return missing


def _make_table(connection: psycopg.Connection) -> None:
    connection.execute("""
        CREATE TABLE IF NOT EXISTS schema_migration (
            number integer PRIMARY KEY,
            name text NOT NULL,
            sm3 text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )""")


def _applied(connection: psycopg.Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT number, sm3 FROM schema_migration").fetchall())


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.text)
            connection.execute(
                "INSERT INTO schema_migration (number, name, sm3) VALUES (%s, %s, %s)",
                [migration.number, migration.name, migration.sm3],
            )
    except psycopg.Error as error:
        raise MigrationFailed(file=migration.file, problem=" ".join(str(error).split())) from error


def _set_timeouts(connection: psycopg.Connection, lock_seconds: float, statement_seconds: float) -> None:
    connection.execute(
        "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)",
        [f"{int(lock_seconds * 1000)}ms", f"{int(statement_seconds * 1000)}ms"],
    )
