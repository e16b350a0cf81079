"""A department's database by SQLAlchemy: where its URL comes from, time-outs, and its errors in the connector's words.

Every connection reads only, where the database can be told so, and every statement ends by itself. PostgreSQL, MySQL
and SQLite get their time-outs here; for other drivers they belong into the URL.
"""

import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc

from connectors.sources.database_errors import (
    CredentialsRefused,
    PasswordInUrl,
    SecretMissing,
    StatementFailed,
    StatementTimeout,
)
from connectors.sources.errors import OptionWrong, SourceUnreachable

CONNECT_SECONDS: Final = 10
_PROGRESS_STEPS = 50_000  # SQLite looks at the clock every so many of its steps, some milliseconds
# How drivers say that the login was refused; psycopg has no code for it while it connects.
_LOGIN_WORDS = ("authentication failed", "access denied", "ora-01017", "login failed", "no pg_hba.conf entry")
_SQLITE_AWAY = ("unable to open", "database is locked", "disk i/o error", "not a database", "malformed")


@dataclass(frozen=True, slots=True)
class UrlPlace:
    """Where a database's URL comes from: exactly one of them.

    Args:
        url: itself; never with a password.
        env: the name of an environment variable.
        file: a file that holds nothing else.
    """

    url: str | None = None
    env: str | None = None
    file: Path | None = None

    def read(self) -> sa.URL:
        """The URL.

        Raises:
            OptionError: none or several are given, one holds a password, is missing, or is no URL.
        """
        if sum(place is not None for place in (self.url, self.env, self.file)) != 1:
            raise OptionWrong(
                "url_env", "应恰好写 url_env、url_file、url 之一", "give exactly one of url_env, url_file, url"
            )
        if self.url is not None:
            url = _parsed("url", self.url)
            if url.password is not None or "password" in url.query:
                raise PasswordInUrl("url")
            return url
        if self.env is not None:
            return _parsed("url_env", _present("url_env", self.env, os.environ.get(self.env, "")))
        assert self.file is not None  # noqa: S101 - one of three was given
        text = self.file.read_text(encoding="utf-8") if self.file.is_file() else ""
        return _parsed("url_file", _present("url_file", str(self.file), text))


def _present(option: str, place: str, text: str) -> str:
    if not text.strip():
        raise SecretMissing(option, place)
    return text.strip()


def _parsed(option: str, text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except exc.ArgumentError:
        # Without the cause: it repeats the text, and with it the password.
        raise OptionWrong(
            option, "不是 SQLAlchemy 连接地址", "it is no SQLAlchemy URL, as postgresql+psycopg://user@host/database"
        ) from None
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def place_of(url: sa.URL) -> str:
    """The database as people know it, without user and password."""
    host = f"{url.host}:{url.port}" if url.host and url.port else url.host or str(url.query.get("host", ""))
    return "/".join(part for part in (host, url.database) if part) or url.drivername


def engine_of(url: sa.URL, timeout_seconds: float) -> sa.Engine:
    """An engine whose statements each stand alone and end after ``timeout_seconds``.

    Raises:
        OptionWrong: no driver for such a database is installed.
        SourceUnreachable: there is no such SQLite file.
    """
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
        # SQLite would make an empty database where there is none.
        raise SourceUnreachable(place_of(url), "没有这个数据库文件", "there is no such database file")
    try:
        engine = sa.create_engine(
            url,
            pool_size=1,
            pool_pre_ping=True,
            isolation_level="AUTOCOMMIT",
            connect_args=_arguments(url, timeout_seconds),
        )
    except (ImportError, exc.NoSuchModuleError) as problem:
        name = url.drivername
        raise OptionWrong(
            "url", f"未安装 {name} 的驱动程序", f"no driver for {name} is installed beside the connector"
        ) from problem
    if url.get_backend_name() == "sqlite":
        _limit_sqlite(engine, timeout_seconds)
    return engine


def _arguments(url: sa.URL, timeout_seconds: float) -> Mapping[str, Any]:
    backend = url.get_backend_name()
    if backend == "postgresql":
        given = url.query.get("options", "")
        limits = f"-c statement_timeout={int(timeout_seconds * 1000)} -c default_transaction_read_only=on"
        return {"connect_timeout": CONNECT_SECONDS, "options": f"{given} {limits}".strip()}
    if backend in {"mysql", "mariadb"}:
        whole = max(1, int(timeout_seconds))
        return {"connect_timeout": CONNECT_SECONDS, "read_timeout": whole, "write_timeout": whole}
    return {"timeout": timeout_seconds} if backend == "sqlite" else {}


def _limit_sqlite(engine: sa.Engine, timeout_seconds: float) -> None:
    """SQLite has no time-out for statements, but asks a function from time to time whether to go on."""
    deadline = [float("inf")]

    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's, of any driver
        connection.set_progress_handler(lambda: time.monotonic() > deadline[0], _PROGRESS_STEPS)
        connection.execute("PRAGMA query_only = ON")

    def begun(*_: object) -> None:
        deadline[0] = time.monotonic() + timeout_seconds

    event.listen(engine, "connect", connected)
    event.listen(engine, "before_cursor_execute", begun)


@contextmanager
def told(url: sa.URL, table: str, timeout_seconds: float) -> Generator[None]:
    """Turn what a database says into the connector's words; nothing of a statement's values is repeated."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translated(error, url, table, timeout_seconds) from error
    except exc.SQLAlchemyError as error:
        raise StatementFailed(table, type(error).__name__) from error


def _translated(
    error: exc.DBAPIError, url: sa.URL, table: str, timeout_seconds: float
) -> CredentialsRefused | SourceUnreachable | StatementFailed | StatementTimeout:
    code = str(getattr(error.orig, "sqlstate", None) or "")
    said = _first_line(error, url)
    low = said.lower()
    if code == "57014" or low == "interrupted" or ("during query" in low and "timed out" in low):
        return StatementTimeout(table, timeout_seconds)
    if code.startswith("28") or any(word in low for word in _LOGIN_WORDS) or ("role" in low and "not exist" in low):
        return CredentialsRefused(place_of(url))
    if _is_away(error, url, code, low):
        return SourceUnreachable(place_of(url), f"数据库提示“{said}”", f"the database says “{said}”")
    # Only what is wrong with the statement is repeated; what is wrong with a value would show it.
    harmless = code.startswith("42") or url.get_backend_name() == "sqlite"
    return StatementFailed(table, said if harmless else f"{type(error.orig).__name__} {code}".strip())


def _is_away(error: exc.DBAPIError, url: sa.URL, code: str, low: str) -> bool:
    if url.get_backend_name() == "sqlite":
        return any(word in low for word in _SQLITE_AWAY)
    # Connection lost (08), server going (57P), out of resources (53), transaction to be repeated (40).
    if error.connection_invalidated or code.startswith(("08", "57P", "53", "40")):
        return True
    return not code and isinstance(error, exc.OperationalError | exc.InterfaceError)


def _first_line(error: exc.DBAPIError, url: sa.URL) -> str:
    lines = str(error.orig).strip().splitlines()
    first = lines[0][:200] if lines else type(error.orig).__name__
    return first.replace(str(url.password), "***") if url.password else first
