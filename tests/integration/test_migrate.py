"""Migrations are applied once, whole, in order, by whoever comes first."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from hub.store.errors import DatabaseNewer, MigrationChanged, MigrationFailed, MigrationFolderWrong
from hub.store.migrate import MIGRATIONS, migrate, read_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_fruit.sql").write_text("CREATE TABLE fruit (name text);\nINSERT INTO fruit VALUES ('梨');\n")
    (tmp_path / "0002_peel.sql").write_text("ALTER TABLE fruit ADD COLUMN peel text;\n")
    return tmp_path


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_files_are_applied_in_order_and_recorded_with_their_digest(bare_database_url: str, folder: Path):
    applied = migrate(bare_database_url, folder)
    assert [migration.file for migration in applied] == ["0001_fruit.sql", "0002_peel.sql"]
    assert ask(bare_database_url, "SELECT name, peel FROM fruit") == [("梨", None)]
    recorded = ask(bare_database_url, "SELECT number, name, sm3 FROM schema_migration ORDER BY number")
    assert recorded == [(migration.number, migration.name, migration.sm3) for migration in applied]
    assert all(len(migration.sm3) == 64 for migration in applied)


def test_a_second_run_does_nothing(bare_database_url: str, folder: Path):
    migrate(bare_database_url, folder)
    assert migrate(bare_database_url, folder) == []


def test_a_new_file_is_applied_alone(bare_database_url: str, folder: Path):
    migrate(bare_database_url, folder)
    (folder / "0005_core.sql").write_text("ALTER TABLE fruit ADD COLUMN core text;")
    assert [migration.number for migration in migrate(bare_database_url, folder)] == [5]


def test_several_processes_may_start_at_once_and_each_file_runs_once(bare_database_url: str, folder: Path):
    (folder / "0003_slow.sql").write_text("SELECT pg_sleep(0.3); CREATE TABLE slow (n int);")
    with ThreadPoolExecutor(6) as starters:
        counts = [len(done) for done in starters.map(lambda _: migrate(bare_database_url, folder), range(6))]
    assert sorted(counts) == [0, 0, 0, 0, 0, 3]
    assert ask(bare_database_url, "SELECT count(*) FROM fruit") == [(1,)]


def test_a_changed_file_is_refused_by_name(bare_database_url: str, folder: Path):
    migrate(bare_database_url, folder)
    (folder / "0001_fruit.sql").write_text("CREATE TABLE vegetable (name text);")
    with pytest.raises(MigrationChanged, match="0001_fruit"):
        migrate(bare_database_url, folder)


def test_other_line_ends_are_not_a_change(bare_database_url: str, folder: Path):
    migrate(bare_database_url, folder)
    file = folder / "0001_fruit.sql"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(bare_database_url, folder) == []


def test_a_database_newer_than_the_code_is_refused(bare_database_url: str, folder: Path):
    migrate(bare_database_url, folder)
    (folder / "0002_peel.sql").unlink()
    with pytest.raises(DatabaseNewer) as refused:
        migrate(bare_database_url, folder)
    assert (refused.value.database_number, refused.value.code_number) == (2, 1)


def test_a_file_that_fails_leaves_nothing_of_itself_and_keeps_those_before(bare_database_url: str, folder: Path):
    (folder / "0003_broken.sql").write_text("CREATE TABLE half (n int); SELECT 1 / 0;")
    with pytest.raises(MigrationFailed, match=r"0003_broken.*division by zero"):
        migrate(bare_database_url, folder)
    assert ask(bare_database_url, "SELECT to_regclass('half'), to_regclass('fruit')::text") == [(None, "fruit")]
    (folder / "0003_broken.sql").write_text("CREATE TABLE half (n int);")
    assert [migration.number for migration in migrate(bare_database_url, folder)] == [3]


def test_a_file_squeezed_in_before_those_applied_is_refused(bare_database_url: str, folder: Path):
    (folder / "0002_peel.sql").rename(folder / "0007_peel.sql")
    migrate(bare_database_url, folder)
    (folder / "0003_late.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationFolderWrong, match="0003_late"):
        migrate(bare_database_url, folder)


def test_a_file_that_would_wait_for_a_lock_gives_up(bare_database_url: str, folder: Path):
    (folder / "0002_peel.sql").unlink()
    migrate(bare_database_url, folder)
    (folder / "0002_peel.sql").write_text("ALTER TABLE fruit ADD COLUMN peel text;")
    with psycopg.connect(bare_database_url) as reader:
        reader.execute("SELECT * FROM fruit")
        with pytest.raises(MigrationFailed, match="lock timeout"):
            migrate(bare_database_url, folder, lock_seconds=0.1)


def test_a_statement_that_takes_too_long_is_ended(bare_database_url: str, folder: Path):
    (folder / "0003_endless.sql").write_text("SELECT pg_sleep(60);")
    with pytest.raises(MigrationFailed, match="statement timeout"):
        migrate(bare_database_url, folder, statement_seconds=0.1)


@pytest.mark.parametrize(
    ("name", "text"),
    [("2_short.sql", "SELECT 1;"), ("0003_Upper.sql", "SELECT 1;"), ("0002_again.sql", "SELECT 1;")],
)
def test_a_wrong_name_or_number_is_refused(folder: Path, name: str, text: str):
    (folder / name).write_text(text)
    with pytest.raises(MigrationFolderWrong):
        read_folder(folder)


def test_a_file_may_not_end_its_transaction(folder: Path):
    (folder / "0003_sly.sql").write_text("CREATE TABLE sly (n int);\nCOMMIT;\nSELECT 1;")
    with pytest.raises(MigrationFolderWrong, match="transaction"):
        read_folder(folder)


def test_the_hubs_own_files_are_in_order_and_idempotent(database_url: str):
    assert [migration.number for migration in read_folder(MIGRATIONS)] == list(range(1, len(read_folder()) + 1))
    assert migrate(database_url) == []
