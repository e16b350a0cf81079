"""Fixtures of all tests: sockets are blocked in ``unit``; everywhere else a real PostgreSQL is at hand.

One private cluster serves a test session, made on first use in a temporary folder through ``hub.store.cluster``.
A template database is migrated once and cloned for each test. A watchdog process ends the cluster and removes the
folder when the test process is gone, however it went.
"""

import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from hub.store.cluster import ROLE, Cluster
from hub.store.connect import connect
from hub.store.migrate import migrate

TESTS = Path(__file__).parent
BARE, MIGRATED = "hub_bare", "hub_migrated"
MEMORY_MB = 256
MEMORY, MEMORY_BYTES_FREE = Path("/dev/shm"), 4 * 1024**3  # noqa: S108 - a folder of a random name is made in it
# Its input ends with the test process, however that ends.
WATCHDOG = """import pathlib, shutil, sys
folder = pathlib.Path(sys.argv[1])
sys.stdin.read()
for cluster in folder.glob("*/server.json"):
    from hub.store.cluster import Cluster
    Cluster(cluster.parent).stop()
shutil.rmtree(folder, ignore_errors=True)
"""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(TESTS / "unit"):
            item.add_marker(pytest.mark.disable_socket)


def _in_memory() -> Path | None:
    """A file system in memory with room to spare, where databases are cloned four times as fast; None without one."""
    try:
        return MEMORY if shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_FREE else None
    except OSError:
        return None


@contextmanager
def _watched_folder() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hub-test-", dir=_in_memory()))
    command = [sys.executable, "-c", WATCHDOG, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield folder


@pytest.fixture(scope="session")
def watched_folder() -> Callable[[], AbstractContextManager[Path]]:
    """Makes a temporary folder with a short name. Clusters in folders of it do not outlive this process."""
    return _watched_folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The session's private cluster; not durable, so fast."""
    with _watched_folder() as folder, Cluster(folder / "postgres", memory_mb=MEMORY_MB, durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def cluster_url(cluster: Cluster) -> str:
    """The superuser's connection string of the session's cluster."""
    return cluster.superuser_url()


@pytest.fixture(scope="session")
def bare_template(cluster: Cluster) -> str:
    """A database with PostGIS and nothing else, to be cloned."""
    cluster.create_database(BARE)
    return BARE


@pytest.fixture(scope="session")
def migrated_template(cluster: Cluster) -> str:
    """A database migrated once, to be cloned."""
    cluster.create_database(MIGRATED)
    migrate(cluster.url(MIGRATED))
    with connect(cluster.superuser_url(MIGRATED), "tests", autocommit=True) as admin:  # a third of what a clone copies
        admin.execute("DELETE FROM spatial_ref_sys WHERE srid NOT IN (4326, 4490)")
        admin.execute("VACUUM FULL spatial_ref_sys")
    return MIGRATED


_numbers = itertools.count(1)


@contextmanager
def _cloned_database(cluster: Cluster, template: str) -> Generator[str]:
    """A fresh database of the hub's role, by connection string; dropped afterwards, whoever is still connected."""
    name = f"test_{next(_numbers)}"
    parts = {"name": sql.Identifier(name), "role": sql.Identifier(ROLE), "template": sql.Identifier(template)}
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {name} OWNER {role} TEMPLATE {template} STRATEGY file_copy").format(**parts)
        )
        yield cluster.url(name)
        admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**parts))


@pytest.fixture
def bare_database_url(cluster: Cluster, bare_template: str) -> Iterator[str]:
    """The hub's connection string of an empty database of this test's own."""
    with _cloned_database(cluster, bare_template) as url:
        yield url


@pytest.fixture
def database_url(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    """The hub's connection string of a migrated database of this test's own."""
    with _cloned_database(cluster, migrated_template) as url:
        with connect(url, "tests", autocommit=True) as conn:  # a ledger of now, however long the tests have run
            conn.execute("UPDATE ledger_head SET begun_at = now()")
        yield url


@pytest.fixture(scope="session")
def shared_database_url(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    """A migrated database for all tests that commit nothing."""
    with _cloned_database(cluster, migrated_template) as url:
        yield url


def _refuse_to_commit() -> None:
    raise AssertionError("tests share this database: what commits asks for database_url, or for own_connection")


@pytest.fixture
def connection(request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """A connection within one transaction, which is rolled back; to this test's own database where it has one.

    Blocks ``with connection.transaction()`` are savepoints of it.
    """
    own = "database_url" in request.fixturenames
    url: str = request.getfixturevalue("database_url" if own else "shared_database_url")
    with closing(connect(url, "test")) as opened:
        if not own:
            opened.commit = _refuse_to_commit
            opened.execute("UPDATE ledger_head SET begun_at = now()")  # a ledger of now; and the transaction has begun
        yield opened


@pytest.fixture
def own_connection(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to this test's own database, for a test that commits."""
    with closing(connect(database_url, "test")) as opened:
        yield opened
