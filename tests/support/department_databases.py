"""Departments' databases, for tests of the database source."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from connectors.port import Chunk
from connectors.sources.database import DatabaseOptions, DatabaseSource

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=timezone(timedelta(hours=8))).timestamp()
TABLE = "CREATE TABLE t (k INTEGER PRIMARY KEY, w TEXT NOT NULL, v TEXT)"
INSERT = "INSERT INTO t VALUES (?, ?, ?)"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def run_sql(file: Path, *statements: str, rows: list[tuple[Any, ...]] | None = None) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            if rows is not None and "?" in statement:
                connection.executemany(statement, rows)
            else:
                connection.execute(statement)


def source(file: Path, clock: Clock, **options: Any) -> DatabaseSource:
    chosen: dict[str, Any] = {"url": f"sqlite:///{file}", "table": "t", "key": ("k",), **options}
    return DatabaseSource(DatabaseOptions(**chosen), clock)


def read(opened: DatabaseSource, after: str | None = None, rows_max: int = 3, number: int = 0) -> list[Chunk]:
    try:
        return list([*opened.items()][number].chunks(after, rows_max))
    finally:
        opened.close()


def column(chunks: list[Chunk], name: str = "k") -> list[Any]:
    return [value for chunk in chunks for value in chunk.frame[name].to_list()]


def at(minute: int, second: int = 0) -> str:
    return f"2026-05-01 11:{minute:02}:{second:02}"
