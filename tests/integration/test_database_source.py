from pathlib import Path
from typing import Any

import polars as pl
import pytest
from department_databases import INSERT, TABLE, Clock, at, column, read, run_sql, source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sources import database_errors, errors
from seeds.generate import Plan, draw
from seeds.source_files import insurance_database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "d.sqlite"


# Reading to the end, and on ------------------------------------------------------------------------------------------


def test_without_a_watermark_every_run_reads_all_rows_in_the_order_of_the_key(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(0), "v") for k in (5, 1, 4, 2, 3)])
    first = read(source(file, clock), rows_max=2)
    assert [chunk.frame.height for chunk in first] == [2, 2, 1]
    assert column(first) == [1, 2, 3, 4, 5]
    assert [(chunk.first_row, chunk.progress) for chunk in first] == [(1, 2), (3, 4), (5, 5)]
    assert column(read(source(file, clock), first[-1].position)) == [1, 2, 3, 4, 5]
    assert next(source(file, clock).items()).size == 5


def test_ties_of_the_watermark_across_pages_are_told_apart_by_the_key(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(k // 10), "v") for k in range(30)])
    chunks = read(source(file, clock, watermark="w"), rows_max=4)
    assert column(chunks) == list(range(30))


def test_a_late_commit_inside_the_lag_window_is_not_missed(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(1, at(10), "v"), (2, at(20), "v")])
    options = {"watermark": "w", "lag_seconds": 600}
    first = read(source(file, clock, **options))
    run_sql(file, INSERT, rows=[(3, at(12), "stamped before, committed after"), (4, at(21), "v")])
    clock.now += 60
    second = read(source(file, clock, **options), first[-1].position)
    assert column(second) == [1, 3, 2, 4]
    assert {"stamped before, committed after"} <= set(column(second, "v"))


def test_a_table_at_rest_is_read_once_more_when_the_lag_is_over_and_then_no_more(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(k), "v") for k in range(30)])
    options = {"watermark": "w", "lag_seconds": 600}
    position = read(source(file, clock, **options))[-1].position
    clock.now += 300
    again = read(source(file, clock, **options), position)
    assert column(again) == list(range(19, 30))
    clock.now += 301
    settled = read(source(file, clock, **options), again[-1].position)
    assert column(settled) == list(range(19, 30))
    assert read(source(file, clock, **options), settled[-1].position) == []
    run_sql(file, INSERT, rows=[(50, at(40), "new")])
    assert column(read(source(file, clock, **options), settled[-1].position)) == [50]


def test_a_changed_row_comes_again(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(k), "old") for k in range(20)])
    position = read(source(file, clock, watermark="w", lag_seconds=0))[-1].position
    run_sql(file, "UPDATE t SET v = 'new', w = ? WHERE k = 3", rows=[(at(50),)])
    second = read(source(file, clock, watermark="w", lag_seconds=0), position)
    assert dict(zip(column(second), column(second, "v"), strict=True))[3] == "new"
    assert 4 not in column(second)


def test_a_run_reads_no_further_than_what_was_there_when_it_began(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(k), "v") for k in range(6)])
    opened = source(file, clock, watermark="w", lag_seconds=0)
    reading = next(opened.items()).chunks(None, 2)
    chunks = [next(reading)]
    run_sql(file, INSERT, rows=[(10, at(30), "later")])
    chunks += list(reading)
    opened.close()
    assert column(chunks) == [0, 1, 2, 3, 4, 5]
    assert 10 in column(read(source(file, clock, watermark="w", lag_seconds=0), chunks[-1].position))


def test_a_run_resumed_long_after_misses_no_late_commit(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(50 + k), "v") for k in range(10)])
    options = {"watermark": "w", "lag_seconds": 180}
    first = read(source(file, clock, **options), rows_max=9)[0]
    late, much_later = (20, at(57, 30), "committed after its place was read"), (30, "2026-05-01 13:50:00", "v")
    run_sql(file, INSERT, rows=[late, much_later])
    clock.now += 7200
    rest = read(source(file, clock, **options), first.position)
    assert column(rest) == [9]
    assert {20, 30} <= {*column(read(source(file, clock, **options), rest[-1].position))}


rows_of_a_table = st.lists(
    st.tuples(st.integers(0, 3), st.text("aB1é中", max_size=2), st.none() | st.integers(0, 9)),
    unique_by=lambda row: (row[0], row[1]),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(rows_of_a_table, st.integers(1, 4), st.booleans())
def test_reading_on_from_any_chunk_gives_exactly_the_remaining_rows(
    tmp_path: Path, rows: list[tuple[int, str, int | None]], rows_max: int, marked: bool
):
    file = tmp_path / "any.sqlite"
    create = "CREATE TABLE t (w INTEGER NOT NULL, k TEXT NOT NULL, v INTEGER, PRIMARY KEY (w, k))"
    run_sql(file, "DROP TABLE IF EXISTS t", create, "INSERT INTO t VALUES (?, ?, ?)", rows=rows)
    options = {"key": ("k", "w"), "watermark": "w" if marked else None, "lag_numbers": 0}
    whole = read(source(file, Clock(), **options), rows_max=rows_max)
    sort = (lambda row: (row[0], row[1].encode())) if marked else (lambda row: (row[1].encode(), row[0]))
    assert [row for chunk in whole for row in chunk.frame.rows()] == sorted(rows, key=sort)
    assert all(0 < chunk.frame.height <= rows_max for chunk in whole)
    for number, chunk in enumerate(whole[:-1], 1):
        rest = read(source(file, Clock(), **options), chunk.position, rows_max)
        assert [one.frame.rows() for one in rest] == [one.frame.rows() for one in whole[number:]]
        assert [one.position for one in rest] == [one.position for one in whole[number:]]


# Deletions ------------------------------------------------------------------------------------------------------------


def test_a_deleted_row_is_missing_from_the_key_list(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(k), "v") for k in range(10)])
    opened = source(file, clock, watermark="w", deletes="keys")
    before = column(read(opened, number=1))
    run_sql(file, "DELETE FROM t WHERE k = 4")
    after = read(source(file, clock, watermark="w", deletes="keys"), number=1)
    assert set(before) - set(column(after)) == {4}
    assert [chunk.frame.columns for chunk in after] == [["k"]] * 3
    assert column(after) == sorted(column(after))


def test_a_key_list_is_resumed_where_it_stopped_and_has_nothing_behind_its_end(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(k), "v") for k in range(7)])
    whole = read(source(file, clock, deletes="keys"), number=1)
    rest = read(source(file, clock, deletes="keys"), whole[0].position, number=1)
    assert column(rest) == [3, 4, 5, 6]
    assert read(source(file, clock, deletes="keys"), whole[-1].position, number=1) == []


def test_keys_are_listed_as_often_as_asked_for_and_again_if_they_were_not_finished(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(1, at(1), "v")])
    opened = source(file, clock, deletes="keys", keys_every_seconds=3600)

    def operations() -> list[str]:
        return [item.operation for item in opened.items()]

    assert operations() == ["upsert", "keys"]
    assert operations() == ["upsert", "keys"]
    list(opened.items())[1].finish("done", "{}")
    assert operations() == ["upsert"]
    clock.now += 3600
    assert operations() == ["upsert", "keys"]
    opened.close()


# Rows that would be lost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, ""])
def test_rows_without_a_watermark_are_counted_and_refused(file: Path, clock: Clock, missing: str | None):
    run_sql(file, "CREATE TABLE t (k INTEGER PRIMARY KEY, w TEXT)")
    run_sql(file, "INSERT INTO t VALUES (?, ?)", rows=[(1, at(1)), (2, missing), (3, missing)])
    with pytest.raises(database_errors.WatermarkMissing, match="2 rows of t have no w"):
        read(source(file, clock, watermark="w"))


def test_rows_stamped_far_ahead_are_counted_and_refused(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(1, at(1), "v"), (2, "2099-01-01 00:00:00", "v")])
    with pytest.raises(database_errors.WatermarkAhead, match="1 rows"):
        read(source(file, clock, watermark="w"))


def test_rows_stamped_a_little_ahead_wait_for_their_time(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(1, at(1), "v"), (2, "2026-05-01 12:00:30", "v")])
    first = read(source(file, clock, watermark="w"))
    assert column(first) == [1]
    clock.now += 31
    assert 2 in column(read(source(file, clock, watermark="w"), first[-1].position))


def test_text_that_is_no_time_is_no_watermark(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(1, "5/1/2026", "v")])
    with pytest.raises(database_errors.WatermarkUnusable):
        read(source(file, clock, watermark="w"))


def test_rows_without_a_whole_key_are_counted_and_refused(file: Path, clock: Clock):
    run_sql(file, "CREATE TABLE t (k TEXT, l TEXT)", "INSERT INTO t VALUES ('a', 'b'), (NULL, 'c'), ('d', NULL)")
    with pytest.raises(database_errors.KeyMissing, match="2 rows"):
        read(source(file, clock, key=("k", "l")))


@pytest.mark.parametrize("rows_max", [1, 2, 3, 9])
def test_a_key_that_does_not_tell_rows_apart_is_refused_wherever_pages_end(file: Path, clock: Clock, rows_max: int):
    run_sql(file, "CREATE TABLE t (k TEXT NOT NULL)", "INSERT INTO t VALUES ('a'), ('b'), ('b'), ('c')")
    with pytest.raises(database_errors.KeyNotUnique):
        read(source(file, clock), rows_max=rows_max)


# Queries and columns --------------------------------------------------------------------------------------------------


def test_a_query_stands_for_a_table_and_its_text_is_not_touched(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(k, at(k), "10:30 :x 5%") for k in range(5)])
    query = "SELECT k, w, v, ':y %s 12:30' AS fixed FROM t WHERE k > 1 AND v LIKE '%:x%';"
    chunks = read(source(file, clock, table=None, query=query, name="new ones", watermark="w"), rows_max=2)
    assert column(chunks) == [2, 3, 4]
    assert chunks[0].frame.row(0) == (2, at(2), "10:30 :x 5%", ":y %s 12:30")


def test_only_the_columns_named_are_handed_on(file: Path, clock: Clock):
    run_sql(file, TABLE, INSERT, rows=[(1, at(1), "v")])
    chunks = read(source(file, clock, columns=("v",), watermark="w"))
    assert chunks[0].frame.columns == ["v"]


def test_names_are_quoted_whatever_they_are(file: Path, clock: Clock):
    run_sql(file, 'CREATE TABLE "order; DROP" ("select" TEXT PRIMARY KEY, "A""b" TEXT)')
    run_sql(file, 'INSERT INTO "order; DROP" VALUES (?, ?)', rows=[("x", "y"), ("z", "w")])
    chunks = read(source(file, clock, table="order; DROP", key=("select",)), rows_max=1)
    assert [chunk.frame.row(0) for chunk in chunks] == [("x", "y"), ("z", "w")]
    assert chunks[0].frame.columns == ["select", 'A"b']


def test_an_unknown_table_or_column_is_answered_with_near_names(file: Path, clock: Clock):
    run_sql(file, "CREATE TABLE cb_jbxx (sfzh TEXT PRIMARY KEY)")
    with pytest.raises(database_errors.TableUnknown, match="cb_jbxx"):
        read(source(file, clock, table="cb_jbx"))
    with pytest.raises(database_errors.ColumnUnknown, match="near names: sfzh"):
        read(source(file, clock, table="cb_jbxx", key=("sfz",)))


@pytest.mark.parametrize("query", ["DELETE FROM t", "SELECT 1; SELECT 2", "", "UPDATE t SET k = 1"])
def test_a_query_must_be_one_statement_that_reads(file: Path, clock: Clock, query: str):
    with pytest.raises(errors.OptionWrong, match="SELECT"):
        source(file, clock, table=None, query=query, name="q")


def test_nothing_can_be_written_through_the_connection(file: Path, clock: Clock):
    run_sql(file, TABLE)
    opened = source(file, clock)
    list(opened.items())
    assert opened._engine is not None
    with opened._engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("DELETE FROM t")
    opened.close()


@pytest.mark.parametrize(
    "options",
    [
        {"table": None},
        {"query": "SELECT 1"},
        {"key": ()},
        {"table": None, "query": "SELECT 1"},
        {"lag_seconds": -1},
        {"timeout_seconds": 0},
        {"url": None},
        {"url": "no url"},
        {"url_env": "X"},
    ],
)
def test_options_that_do_not_go_together_are_refused_at_once(file: Path, clock: Clock, options: dict[str, Any]):
    with pytest.raises(errors.OptionWrong):
        source(file, clock, **options)


# Types ----------------------------------------------------------------------------------------------------------------


def test_columns_are_typed_by_their_values_and_mixed_ones_are_text(file: Path, clock: Clock):
    rows: list[tuple[Any, ...]] = [
        (1, 7, 1.5, "甲", b"\x01", 1, None, 2**62),
        (2, None, None, None, None, "x", None, 5),
        (3, 8, 0.1, "", b"", 2.5, None, 6),
    ]
    run_sql(file, "CREATE TABLE t (k INTEGER PRIMARY KEY, i, f, s, b, mixed, empty, big)")
    run_sql(file, "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows=rows)
    (chunk,) = read(source(file, clock))
    integer, text = pl.Int64, pl.String
    assert chunk.frame.dtypes == [integer, integer, pl.Float64, text, pl.Binary, text, text, integer]
    assert chunk.frame["mixed"].to_list() == ["1", "x", "2.5"]
    assert chunk.frame["s"].to_list() == ["甲", None, ""]


# The demo's database --------------------------------------------------------------------------------------------------


def test_the_insurance_database_of_the_demo_is_read_once_and_whole(tmp_path: Path, clock: Clock):
    drawn = draw(Plan(residents=2_000, legal_persons=200), lambda _: None).frames["social_insurance"]
    insurance_database(drawn, tmp_path / "insurance.sqlite")
    options = {"table": "cb_jbxx", "key": ("sfzh", "xz"), "watermark": "gxsj", "deletes": "keys"}
    chunks = read(source(tmp_path / "insurance.sqlite", clock, **options), rows_max=700)
    keys = read(source(tmp_path / "insurance.sqlite", clock, **options), rows_max=700, number=1)
    read_keys = [key for chunk in chunks for key in chunk.frame.select("sfzh", "xz").rows()]
    assert len(read_keys) == drawn.height > 1_000
    assert sorted(read_keys) == sorted(drawn.select("id_number", "insurance_type").rows())
    assert sorted(read_keys) == [key for chunk in keys for key in chunk.frame.rows()]
    assert column(chunks, "gxsj") == sorted(column(chunks, "gxsj"))
