"""The private cluster: made, shared, killed and found again."""

import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import psycopg
import pytest

from hub.store.cluster import Cluster
from hub.store.errors import ClusterBroken, ClusterBusy

WAIT_SECONDS = 20
WatchedFolder = Callable[[], AbstractContextManager[Path]]

# A user of the cluster in a process of its own: enters, says so, leaves when its input ends.
USER = """import pathlib, sys
from hub.store.cluster import Cluster
cluster = Cluster(pathlib.Path(sys.argv[1]), memory_mb=256, durable=False)
cluster.enter()
print(cluster.status().pid, flush=True)
sys.stdin.read()
print(cluster.leave(), flush=True)
"""


@pytest.fixture(scope="module")
def made_folder(watched_folder: WatchedFolder) -> Iterator[Path]:
    """A folder with a cluster that the module's tests stop, kill and start again."""
    with watched_folder() as folder:
        yield folder / "postgres"


@pytest.fixture
def own(made_folder: Path) -> Iterator[Cluster]:
    """The module's cluster, stopped before and after each test."""
    own = Cluster(made_folder, memory_mb=256, durable=False, lock_timeout_seconds=WAIT_SECONDS)
    yield own
    own.leave()
    own.stop()


def ask(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row and len(row) == 1 else row


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def start_user(folder: Path) -> tuple[subprocess.Popen[str], int]:
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None
    return user, int(user.stdout.readline())


def loop_until_killed(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute("DO 'BEGIN LOOP END LOOP; END'")


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def running_pid(cluster: Cluster) -> int:
    pid = cluster.status().pid
    assert pid is not None
    return pid


def test_it_speaks_utf8_orders_by_code_point_and_knows_chinese_trigrams(own: Cluster):
    url = own.enter()
    query = "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = 'hub'"
    assert ask(url, query) == ("UTF8", "C.UTF-8", "C.UTF-8")
    run(url, "CREATE EXTENSION IF NOT EXISTS pg_trgm")
    assert ask(url, "SELECT cardinality(show_trgm('湖北省')) > 0") is True
    assert ask(url, "SELECT ST_SRID(ST_SetSRID(ST_MakePoint(114.3, 30.6), 4490))") == 4490


def test_the_hubs_role_is_no_superuser_and_owns_its_database(own: Cluster):
    url = own.enter()
    assert ask(url, "SELECT rolname::text, rolsuper FROM pg_roles WHERE rolname = current_user") == ("hub", False)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(url, "COPY (SELECT 1) TO PROGRAM 'true'")
    run(url, "CREATE TABLE IF NOT EXISTS owned (n int)", "DROP TABLE owned")


def test_no_secret_is_in_the_connection_string_and_the_password_is_the_owners_alone(own: Cluster):
    url = own.enter()
    password_file = own.folder / "password"
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    for line in password_file.read_text().splitlines():
        assert line.rsplit(":", maxsplit=1)[1] not in url
    with pytest.raises(psycopg.OperationalError, match="password"):
        ask(url.split("&passfile=")[0] + "&passfile=/dev/null&password=guess", "SELECT 1")


def test_it_stops_cleanly_and_starts_again_with_what_was_committed(own: Cluster):
    run(own.enter(), "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS n")
    pid = running_pid(own)
    assert own.leave() is True
    assert gone(pid)
    assert own.status().running is False
    assert ask(own.enter(), "SELECT n FROM kept") == 7


def test_a_killed_server_is_started_again_with_what_was_committed(own: Cluster):
    url = own.enter()
    run(url, "CREATE TABLE IF NOT EXISTS survived AS SELECT 8 AS n")
    os.kill(running_pid(own), signal.SIGKILL)
    until(lambda: own.status().running is False)
    assert own.ensure_running() is True
    assert own.ensure_running() is False
    assert ask(own.url(), "SELECT n FROM survived") == 8


def test_a_backend_that_outlives_its_killed_server_is_ended_first(own: Cluster):
    busy = psycopg.connect(own.enter(), autocommit=True)
    backend = busy.info.backend_pid
    busy.execute("SET application_name = 'endless'")
    endless = threading.Thread(target=loop_until_killed, args=[busy])
    endless.start()
    active = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'endless' AND state = 'active'"
    until(lambda: ask(own.superuser_url(), active) == 1)
    os.kill(running_pid(own), signal.SIGKILL)
    time.sleep(0.2)
    assert not gone(backend)
    own.ensure_running()
    assert gone(backend)
    endless.join(WAIT_SECONDS)
    busy.close()
    assert ask(own.url(), "SELECT 1") == 1


def test_a_server_whose_starter_was_killed_is_used_on(own: Cluster):
    user, pid = start_user(own.folder)
    with user:
        user.kill()
    assert not gone(pid)
    own.enter()
    assert own.status().pid == pid
    assert own.leave() is True
    assert gone(pid)


def test_two_that_start_at_once_share_one_server_and_the_last_to_leave_stops_it(own: Cluster):
    command = [sys.executable, "-c", USER, str(own.folder)]
    users = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = {int(user.stdout.readline()) for user in users if user.stdout}
    assert len(pids) == 1
    stopped = [user.communicate()[0].strip() for user in users]
    assert stopped == ["False", "False", "True"]
    assert gone(pids.pop())


def test_stop_ends_it_whoever_uses_it(own: Cluster):
    url = own.enter()
    with psycopg.connect(url) as idle:
        idle.execute("SELECT 1")
        assert own.stop() is True
        assert own.stop() is False
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
        idle.close()
    assert own.leave() is True


def test_a_start_while_another_starts_or_stops_waits_and_then_refuses(own: Cluster):
    own.enter()
    other = Cluster(own.folder, lock_timeout_seconds=0.2)
    with own._transition(), pytest.raises(ClusterBusy, match="try again later"):
        other.enter()


def test_an_old_process_id_used_by_another_process_does_not_stop_the_start(own: Cluster):
    own.enter()
    own.leave()
    lock_file = own.folder / "data/postmaster.pid"
    lock_file.write_text(f"{os.getpid()}\n/somewhere\n1\n5432\n\n\n")
    assert own.status().running is False
    assert ask(own.enter(), "SELECT 1") == 1


def test_the_servers_log_holds_no_values(own: Cluster):
    url = own.enter()
    secret = "420106199001011234"
    for statement in (f"SELECT '{secret}x'::bigint", f"SELECT {secret} / 0", f"SELECT '{secret}'::date"):
        with pytest.raises(psycopg.Error):
            ask(url, statement)
    own.leave()
    assert secret not in (own.folder / "server.log").read_text()


def test_a_lost_password_file_is_said(own: Cluster):
    own.enter()
    own.leave()
    (own.folder / "password").rename(own.folder / "password.away")
    try:
        with pytest.raises(ClusterBroken, match="password file is missing"):
            own.enter()
    finally:
        (own.folder / "password.away").rename(own.folder / "password")


def test_data_of_another_version_is_said_with_what_to_install(own: Cluster):
    own.enter()
    own.leave()
    version = own.folder / "data/PG_VERSION"
    before = version.read_text()
    version.write_text("9000\n")
    try:
        with pytest.raises(Exception, match="PostgreSQL 9000"):
            Cluster(own.folder).stop()
    finally:
        version.write_text(before)


def test_a_durable_cluster_closed_in_by_its_parents_leaves_their_modes_alone(watched_folder: WatchedFolder):
    with watched_folder() as top:
        closed = top / "closed"
        (closed / "deep").mkdir(mode=0o700, parents=True)
        closed.chmod(0o700)
        (closed / "deep/postgres").mkdir()
        (closed / "deep/postgres/data.new").mkdir()
        (closed / "deep/postgres/data.new/half-made").touch()
        with Cluster(closed / "deep/postgres", memory_mb=256) as cluster:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                assert ask(cluster.url(), f"SHOW {name}") == "on"
            assert ask(cluster.url(), "SHOW wal_compression") == "lz4"
            owner = psutil.Process(running_pid(cluster)).uids().real
        assert owner != 0
        assert (stat.S_IMODE(closed.stat().st_mode), closed.stat().st_uid) == (0o700, os.geteuid())


def test_a_path_too_long_for_a_socket_makes_it_listen_on_the_loopback(watched_folder: WatchedFolder):
    with watched_folder() as top:
        cluster = Cluster(top / ("long" * 30), memory_mb=256, durable=False)
        url = cluster.enter()
        assert ask(url, "SHOW listen_addresses") == "127.0.0.1"
        port = json.loads((cluster.folder / "server.json").read_text())["port"]
        cluster.leave()
        assert cluster.enter() == url
        cluster.leave()
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(("127.0.0.1", port))
            thief.listen()
            assert ask(cluster.enter(), "SHOW port") != str(port)
        cluster.leave()


def test_a_folder_may_have_any_name(watched_folder: WatchedFolder):
    with watched_folder() as top, Cluster(top / "数据 100%+a&b'c", memory_mb=256, durable=False) as cluster:
        assert ask(cluster.url(), "SELECT current_database()::text") == "hub"


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests run as an ordinary user already")
def test_an_ordinary_user_runs_it_as_itself(watched_folder: WatchedFolder):
    ordinary = pwd.getpwnam("postgres")
    become = f"import os; os.setgroups([]); os.setgid({ordinary.pw_gid}); os.setuid({ordinary.pw_uid})\n"
    imports, rest = USER.split(
        "cluster = ", maxsplit=1
    )  # modules are read as root: the checkout may be closed to others
    with watched_folder() as top:
        top.chmod(0o755)
        own_folder = top / "own"
        own_folder.mkdir()
        os.chown(own_folder, ordinary.pw_uid, ordinary.pw_gid)
        command = [sys.executable, "-c", f"{imports}{become}cluster = {rest}", str(own_folder / "postgres")]
        told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        assert told.stdout.split()[1:] == ["True"]
        assert stat.S_IMODE((own_folder / "postgres").stat().st_mode) == 0o700


def test_a_cluster_does_not_outlive_a_killed_test_process(tmp_path: Path):
    script = tmp_path / "killed.py"
    script.write_text(
        "import sys, conftest\nfrom hub.store.cluster import Cluster\n"
        "with conftest._watched_folder() as folder:\n"
        "    cluster = Cluster(folder / 'postgres', memory_mb=256, durable=False)\n"
        "    cluster.enter()\n"
        "    print(cluster.status().pid, folder, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    killed = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    with killed:
        assert killed.stdout is not None
        pid, folder = killed.stdout.readline().split()
        killed.kill()
    until(lambda: gone(int(pid)) and not Path(folder).exists())
