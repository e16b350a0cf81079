"""The embedded store: a private PostgreSQL cluster in a folder of the hub.

Whoever uses the cluster enters it and leaves it. The first to enter starts the server, the last to leave stops it, and
a user that is killed counts as gone: each holds a shared lock on ``users.lock``, which the kernel releases. Starting
and stopping happen under ``transition.lock``, one process at a time, so two hubs never start one cluster twice.

    <folder>/data          PostgreSQL's own, closed to all but its account
    <folder>/socket        where it listens, unless the path is too long for a socket: then a port on the loopback
    <folder>/server.json   where it listens now; read again after every start
    <folder>/password      libpq password file, 0600; connection strings name it instead of a password
    <folder>/server.log    what the server says, without values of records
"""

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import pq, sql

from hub.store.account import find_account
from hub.store.address import Address, choose_address, make_passwords, read_address, read_password, write_address
from hub.store.connect import connect
from hub.store.errors import ClusterBroken, ClusterBusy, ClusterFailed
from hub.store.install import ready_postgres
from hub.store.server import Server
from hub.store.tuning import room_of, settings_for

DATABASE = "hub"
ROLE = "hub"
SUPERUSER = "postgres"
LOCK_TIMEOUT_SECONDS = 120.0
READY_TIMEOUT_SECONDS = 600.0
LOCK_PAUSE_SECONDS = 0.05
ADVISORY_LOCK = 0x6875_625F_636C_7573  # "hub_clus"


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What ``hub store status`` tells."""

    folder: str
    exists: bool
    running: bool
    pid: int | None
    address: Address | None


class Cluster:
    """A private cluster in ``folder``.

    Args:
        folder: of its own.
        memory_mb: what it plans with; half the machine's by default.
        durable: False is for tests only: a machine that stops may ruin the data.
        on_port: listen on the loopback for programs that know no socket, rather than on a socket.
        tell: what is told while it takes long.
        lock_timeout_seconds: how long another process may take to start or stop it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        memory_mb: int | None = None,
        durable: bool = True,
        on_port: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    ) -> None:
        self.folder = folder.resolve()
        self._memory_mb = memory_mb
        self._durable = durable
        self._on_port = on_port
        self._tell = tell
        self._lock_timeout_seconds = lock_timeout_seconds
        self._users: int | None = None

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> str:
        """Use the cluster: make and start it where need be, and return the connection string of the hub's database."""
        if self._users is None:
            try:
                self._make_folder()
                self._users = self._start_using()
            except PermissionError as error:
                raise ClusterBroken(folder=str(self.folder), problem=f"{error.strerror}: {error.filename}") from error
        return self.url()

    def ensure_running(self) -> bool:
        """Start the server again if it died while in use. True if it had to be."""
        with self._transition():
            if self._server().running() is not None:
                return False
            self._ensure_running()
            return True

    def leave(self) -> bool:
        """Stop using it. True if no one else did and the server was stopped."""
        if self._users is None:
            return False
        with self._transition():
            users, self._users = self._users, None
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            else:
                self._stop()
                return True
            finally:
                os.close(users)

    def stop(self) -> bool:
        """Stop the server whoever uses it. True if it ran."""
        if not self.folder.exists():
            return False
        with self._transition():
            return self._stop()

    def status(self) -> ClusterStatus:
        """How things stand, without changing anything."""
        exists = (self.folder / "data").exists()
        pid = self._server(may_install=False).running() if exists else None
        return ClusterStatus(
            str(self.folder), exists, pid is not None, pid, read_address(self.folder) if exists else None
        )

    def url(self, database: str = DATABASE, role: str = ROLE) -> str:
        """The connection string. It holds no secret: it names the password file."""
        address = read_address(self.folder)
        if address is None:
            raise ClusterBroken(folder=str(self.folder), problem="it has not been started")
        query = {"host": address.host, "port": address.port, "passfile": str(self.folder / "password")}
        return f"postgresql://{role}@/{database}?{urlencode(query, quote_via=quote)}"

    def superuser_url(self, database: str = "postgres") -> str:
        """For making databases and extensions; the hub itself runs without these rights."""
        return self.url(database, SUPERUSER)

    def create_database(self, name: str) -> None:
        """A database owned by the hub's role, with PostGIS; nothing happens where it exists."""
        with self._administration("postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                owner = sql.Identifier(ROLE)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner))
        with self._administration(name) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")

    def _start_using(self) -> int:
        with self._transition():
            users = self._lock_file("users.lock")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)  # nobody holds it otherwise outside a transition
                self._ensure_running()
            except BaseException:
                os.close(users)
                raise
            return users

    def _ensure_running(self) -> None:
        server = self._server()
        if not server.data.exists():
            self._tell(f"making a PostgreSQL {server.postgres.version} cluster in {self.folder}")
            make_passwords(self.folder, (SUPERUSER, ROLE))
            server.initialise(SUPERUSER, read_password(self.folder, SUPERUSER), durable=self._durable)
        read_password(self.folder, SUPERUSER)  # without it, say so before starting
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while not self._answers(server):
            if time.monotonic() > deadline:
                raise ClusterFailed(action="become ready", output=server.log_tail())
            time.sleep(LOCK_PAUSE_SECONDS)
        self._make_role_and_database()

    def _answers(self, server: Server) -> bool:
        """Start the server unless it runs; whether it takes connections: it may be recovering, or shutting down."""
        if server.running() is None:
            self._start(server)
        return pq.PGconn.ping(self.superuser_url().encode()) == pq.Ping.OK

    def _start(self, server: Server) -> None:
        server.stop_orphans()
        socket_folder = self.folder / "socket"
        socket_folder.mkdir(mode=0o700, exist_ok=True)
        server.account.own(socket_folder)
        address = choose_address(self.folder, on_port=self._on_port)
        write_address(self.folder, address)
        room = room_of(self.folder, self._memory_mb)
        self._tell(f"starting PostgreSQL {server.postgres.version} in {self.folder}")
        server.start({**settings_for(room, durable=self._durable), **address.settings})

    def _stop(self) -> bool:
        if not (self.folder / "data").exists():
            return False
        server = self._server(may_install=False)
        if server.running() is None:
            server.stop_orphans()
            return False
        self._tell("stopping PostgreSQL")
        server.stop()
        return True

    def _server(self, *, may_install: bool = True) -> Server:
        data = self.folder / "data"
        major = _major_of(data)
        account = find_account(data)
        if data.exists() and account.uid is None and data.stat().st_uid != os.geteuid():
            raise ClusterBroken(folder=str(self.folder), problem="it belongs to another user")
        return Server(self.folder, ready_postgres(self._tell, major=major, may_install=may_install), account)

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # The cluster's own folder only: the account goes from data to ../socket. Nothing above is touched.
            self.folder.chmod(0o711)

    def _make_role_and_database(self) -> None:
        with self._administration("postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                _make_role(connection, read_password(self.folder, ROLE))
        self.create_database(DATABASE)

    @contextmanager
    def _administration(self, database: str) -> Generator[psycopg.Connection]:
        with connect(self.superuser_url(database), "hub cluster", autocommit=True) as connection:
            # What a killed starter asked for last may still be under way; its backend holds this lock.
            connection.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
            yield connection

    @contextmanager
    def _transition(self) -> Generator[None]:
        descriptor = self._lock_file("transition.lock")
        deadline = time.monotonic() + self._lock_timeout_seconds
        try:
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise ClusterBusy(folder=str(self.folder), seconds=self._lock_timeout_seconds)
                time.sleep(LOCK_PAUSE_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def _lock_file(self, name: str) -> int:
        return os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _make_role(connection: psycopg.Connection, password: str) -> None:
    role = sql.Identifier(ROLE)
    connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
    connection.execute(sql.SQL("GRANT pg_monitor, pg_checkpoint TO {}").format(role))


def _major_of(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ClusterBroken(folder=str(data.parent), problem="PG_VERSION cannot be read") from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
