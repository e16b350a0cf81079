"""Connections to the store: one at a time, or a pool. Every connection tells its name and speaks UTC."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import conninfo
from psycopg_pool import ConnectionPool

from hub.store.errors import StoreUnreachable

CONNECT_TIMEOUT_SECONDS = 10
RETRY_PAUSE_SECONDS = 0.2

NO_SETTINGS: Mapping[str, str] = {}


def connect(
    url: str,
    application_name: str,
    *,
    autocommit: bool = False,
    wait_seconds: float = 0,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> psycopg.Connection:
    """One connection, with PostgreSQL's ``settings`` for its session.

    With ``wait_seconds`` a server that is still starting or recovering is asked again until then.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return psycopg.connect(
                url,
                autocommit=autocommit,
                application_name=application_name,
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                options=_options(settings),
            )
        except psycopg.OperationalError as error:
            if time.monotonic() >= deadline:
                raise StoreUnreachable(server=server_name(url), problem=_problem(error)) from error
            time.sleep(RETRY_PAUSE_SECONDS)


async def connect_async(
    url: str, application_name: str, *, settings: Mapping[str, str] = NO_SETTINGS
) -> psycopg.AsyncConnection:
    """One connection for an event loop, in autocommit, with PostgreSQL's ``settings`` for its session."""
    try:
        return await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            application_name=application_name,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            options=_options(settings),
        )
    except psycopg.OperationalError as error:
        raise StoreUnreachable(server=server_name(url), problem=_problem(error)) from error


@contextmanager
def pool(
    url: str,
    application_name: str,
    *,
    size: int,
    wait_seconds: float = 30,
    autocommit: bool = False,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> Generator[ConnectionPool[psycopg.Connection]]:
    """A pool of at most ``size`` connections, open inside the ``with``; broken connections are replaced when taken."""
    connections: ConnectionPool[psycopg.Connection] = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        check=ConnectionPool.check_connection,
        name=application_name,
        kwargs={
            "application_name": application_name,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": _options(settings),
            "autocommit": autocommit,
        },
        timeout=wait_seconds,
    )
    try:
        connections.open(wait=True, timeout=wait_seconds)
        yield connections
    finally:
        connections.close()


def server_name(url: str) -> str:
    """Where a connection string points to, fit for a log: no user, no password."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "an address that cannot be read"
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


def _options(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in {"timezone": "UTC", **settings}.items())


def _problem(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
