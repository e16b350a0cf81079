import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from department_databases import INSERT, TABLE, Clock, at, column, read, run_sql, source

from connectors.sources import database_errors, errors
from connectors.sources.database import DatabaseOptions, DatabaseSource

SECRET = "pass-w0rd"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(bare_database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(bare_database_url, autocommit=True) as connection:
        yield connection


def postgres(url: str, clock: Clock | None = None, **options: Any) -> DatabaseSource:
    driver_url = url.replace("postgresql://", "postgresql+psycopg://")
    chosen: dict[str, Any] = {"url": driver_url, "table": "t", "key": ("k",), **options}
    return DatabaseSource(DatabaseOptions(**chosen), clock or Clock())


# PostgreSQL -----------------------------------------------------------------------------------------------------------


def test_types_of_postgresql_arrive_and_aware_times_become_local(writer: psycopg.Connection, bare_database_url: str):
    writer.execute(
        "CREATE TABLE t (k uuid PRIMARY KEY, n numeric(12,2), d date, local timestamp, aware timestamptz, b boolean,"
        " y bytea, j jsonb, big numeric, nan numeric, i bigint, f double precision)"
    )
    writer.execute(
        "INSERT INTO t VALUES (%s, 12.50, '2026-05-01', '2026-05-01 10:00', '2026-05-01 16:30+00', true, '\\x01ff',"
        " '{\"a\": [1]}', 1e40, 'NaN', 9007199254740993, 0.5), (%s, 3, NULL, NULL, NULL, NULL, NULL, NULL, 1, 2, 1, 1)",
        (UUID(int=1), UUID(int=2)),
    )
    (chunk,) = read(postgres(bare_database_url))
    assert chunk.frame["n"].dtype == pl.Decimal(38, 2)
    assert chunk.frame.row(0, named=True) == {
        "k": str(UUID(int=1)),
        "n": Decimal("12.50"),
        "d": date(2026, 5, 1),
        "local": datetime(2026, 5, 1, 10),  # noqa: DTZ001 - records' times are local
        "aware": datetime(2026, 5, 2, 0, 30),  # noqa: DTZ001 - records' times are local
        "b": True,
        "y": b"\x01\xff",
        "j": '{"a": [1]}',
        "big": "1" + "0" * 40,
        "nan": "NaN",
        "i": 9007199254740993,
        "f": 0.5,
    }


# Two rows a day: an hour's lag reaches one day back, a date's lag or one number two.
@pytest.mark.parametrize(
    ("kind", "overlap"),
    [("timestamp", 2), ("timestamptz", 2), ("text", 2), ("date", 4), ("bigint", 4), ("numeric(20)", 4)],
)
def test_every_kind_of_watermark_pages_resumes_and_overlaps(
    writer: psycopg.Connection, bare_database_url: str, clock: Clock, kind: str, overlap: int
):
    writer.execute(f"CREATE TABLE t (k text PRIMARY KEY, w {kind} NOT NULL)".encode())
    for number in range(12):
        day = datetime(2026, 4, 1 + number // 2, 10, tzinfo=UTC)
        value = 5_000_000_000 + number // 2 if kind in {"bigint", "numeric(20)"} else day.strftime("%Y-%m-%d %H:%M:%S")
        writer.execute("INSERT INTO t VALUES (%s, %s)", (f"k{number:02}", value))
    options = {"watermark": "w", "lag_seconds": 3600, "lag_numbers": 1}
    whole = read(postgres(bare_database_url, clock, **options), rows_max=5)
    assert column(whole) == [f"k{number:02}" for number in range(12)]
    rest = read(postgres(bare_database_url, clock, **options), whole[0].position, rows_max=5)
    assert column(rest) == column(whole)[5:]
    clock.now += 60
    again = column(read(postgres(bare_database_url, clock, **options), whole[-1].position))
    assert again == column(whole)[-overlap:]


def test_a_transaction_that_commits_after_later_ones_is_read_by_the_next_run(
    writer: psycopg.Connection, bare_database_url: str, clock: Clock
):
    writer.execute("CREATE TABLE t (k serial PRIMARY KEY, w timestamp NOT NULL)")
    options = {"watermark": "w", "lag_seconds": 600}
    with psycopg.connect(bare_database_url) as slow:
        slow.execute("INSERT INTO t (w) VALUES ('2026-05-01 11:50')")
        writer.execute("INSERT INTO t (w) VALUES ('2026-05-01 11:55')")
        first = read(postgres(bare_database_url, clock, **options))
        assert column(first) == [2]
        slow.commit()
    clock.now += 60
    assert column(read(postgres(bare_database_url, clock, **options), first[-1].position)) == [1, 2]


def test_a_key_list_is_of_one_moment_however_long_reading_takes(writer: psycopg.Connection, bare_database_url: str):
    writer.execute("CREATE TABLE t AS SELECT k FROM generate_series(1, 9) k")
    opened = postgres(bare_database_url, deletes="keys")
    _, keys = opened.items()
    reading = keys.chunks(None, 3)
    found = [next(reading)]
    writer.execute("DELETE FROM t WHERE k = 5")
    writer.execute("INSERT INTO t VALUES (100)")
    found += list(reading)
    assert column(found) == list(range(1, 10))
    assert keys.size == 9
    opened.close()


def test_schemas_and_views_are_found_by_name(writer: psycopg.Connection, bare_database_url: str):
    writer.execute('CREATE SCHEMA "Dept"')
    writer.execute('CREATE VIEW "Dept"."人员" AS SELECT 1 AS k, $$甲$$ AS "姓名"')
    (chunk,) = read(postgres(bare_database_url, table="Dept.人员"))
    assert chunk.frame.to_dicts() == [{"k": 1, "姓名": "甲"}]


def test_nothing_can_be_written_to_postgresql(writer: psycopg.Connection, bare_database_url: str):
    writer.execute("CREATE SEQUENCE s")
    opened = postgres(bare_database_url, table=None, query="SELECT nextval('s') AS k", name="q")
    with pytest.raises(database_errors.StatementFailed):
        read(opened)


# What goes wrong ------------------------------------------------------------------------------------------------------


def test_a_connection_lost_in_the_middle_is_worth_another_try_from_the_last_position(
    writer: psycopg.Connection, bare_database_url: str
):
    writer.execute("CREATE TABLE t AS SELECT k FROM generate_series(1, 9) k")
    opened = postgres(bare_database_url)
    reading = next(opened.items()).chunks(None, 4)
    first = next(reading)
    writer.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(errors.SourceUnreachable) as caught:
        next(reading)
    assert caught.value.retryable
    opened.close()
    assert column(read(postgres(bare_database_url), first.position, rows_max=4)) == [5, 6, 7, 8, 9]


def test_a_server_that_is_not_there_is_worth_another_try(tmp_path: Path):
    opened = DatabaseSource(DatabaseOptions(("k",), url=f"postgresql+psycopg://u@/d?host={tmp_path}", table="t"))
    with pytest.raises(errors.SourceUnreachable) as caught:
        list(opened.items())
    assert caught.value.retryable
    assert str(tmp_path) in caught.value.sentence("zh")


def test_a_login_that_is_refused_is_told_without_the_password(bare_database_url: str, monkeypatch: pytest.MonkeyPatch):
    url = sa.make_url(bare_database_url).set(username="nobody_here", password=SECRET)
    monkeypatch.setenv("DEPARTMENT_DB", url.render_as_string(hide_password=False))
    opened = DatabaseSource(DatabaseOptions(("k",), url_env="DEPARTMENT_DB", table="t"))
    with pytest.raises(database_errors.CredentialsRefused) as caught:
        list(opened.items())
    assert not caught.value.retryable
    assert SECRET not in str(caught.value.to_json())


def test_a_statement_that_takes_too_long_is_stopped(bare_database_url: str):
    query = "SELECT 1 AS k, pg_sleep(30)::text AS s"
    opened = postgres(bare_database_url, table=None, query=query, name="slow", timeout_seconds=0.3)
    began = time.monotonic()
    with pytest.raises(database_errors.StatementTimeout) as caught:
        read(opened)
    assert time.monotonic() - began < 10
    assert caught.value.retryable


def test_a_statement_of_sqlite_that_takes_too_long_is_stopped(tmp_path: Path, clock: Clock):
    run_sql(tmp_path / "d.sqlite", TABLE)
    endless = "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n) SELECT k FROM n WHERE k < 0"
    opened = source(tmp_path / "d.sqlite", clock, table=None, query=endless, name="slow", timeout_seconds=0.3)
    began = time.monotonic()
    with pytest.raises(database_errors.StatementTimeout):
        read(opened)
    assert time.monotonic() - began < 10


def test_what_is_wrong_with_a_value_is_told_without_the_value(writer: psycopg.Connection, bare_database_url: str):
    writer.execute("CREATE TABLE t (k text PRIMARY KEY)")
    writer.execute("INSERT INTO t VALUES ('420106199001011234')")
    opened = postgres(bare_database_url, table=None, query="SELECT k::interval AS k FROM t", name="q")
    with pytest.raises(database_errors.StatementFailed) as caught:
        read(opened)
    assert "420106" not in str(caught.value.to_json())


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path, clock: Clock):
    with pytest.raises(errors.SourceUnreachable, match="no such database file"):
        read(source(tmp_path / "nowhere.sqlite", clock))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_told(tmp_path: Path, clock: Clock):
    (tmp_path / "d.sqlite").write_text("no database, whatever its name says" * 100)
    with pytest.raises(errors.SourceUnreachable, match="not a database"):
        read(source(tmp_path / "d.sqlite", clock))


# Where the URL comes from ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [f"postgresql+psycopg://u:{SECRET}@h/d", f"postgresql://h/d?user=u&password={SECRET}"])
def test_a_password_in_the_configuration_is_refused_and_not_repeated(url: str):
    with pytest.raises(database_errors.PasswordInUrl) as caught:
        DatabaseSource(DatabaseOptions(("k",), url=url, table="t"))
    assert SECRET not in str(caught.value.to_json())


def test_a_url_may_stand_in_a_file_or_in_the_environment(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    run_sql(tmp_path / "d.sqlite", TABLE, INSERT, rows=[(1, at(1), "v")])
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path / 'd.sqlite'}\n")
    monkeypatch.setenv("DEPARTMENT_DB", f"sqlite:///{tmp_path / 'd.sqlite'}")
    places: list[dict[str, Any]] = [{"url_file": tmp_path / "url"}, {"url_env": "DEPARTMENT_DB"}]
    for options in places:
        assert column(read(source(tmp_path / "d.sqlite", clock, url=None, **options))) == [1]


@pytest.mark.parametrize("options", [{"url_env": "NOT_THERE_AT_ALL"}, {"url_file": Path("not-there")}])
def test_a_secret_that_is_missing_is_told_with_its_place(tmp_path: Path, clock: Clock, options: dict[str, Any]):
    place = str(next(iter(options.values())))
    with pytest.raises(database_errors.SecretMissing, match=place):
        source(tmp_path / "d.sqlite", clock, url=None, **options)


def test_text_in_the_environment_that_is_no_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DEPARTMENT_DB", f"host=h password={SECRET}")
    with pytest.raises(errors.OptionWrong) as caught:
        DatabaseSource(DatabaseOptions(("k",), url_env="DEPARTMENT_DB", table="t"))
    assert SECRET not in str(caught.value.to_json())
    assert caught.value.__cause__ is None


def test_a_missing_driver_is_told_by_name():
    opened = DatabaseSource(DatabaseOptions(("k",), url="oracle+cx_oracle://h/d", table="t"))
    with pytest.raises(errors.OptionWrong, match="no driver for oracle"):
        list(opened.items())
