"""A department's database: the rows of a table or query that changed, and the complete list of its keys.

Rows are read in the order of a watermark (a column that every change raises) and the key, in pages. Each run goes on
where the last one ended, minus a lag window (``database_watermark``). Without a watermark every run reads all rows.

A row deleted at the source leaves no trace there, so ``deletes: keys`` also offers the list of all keys: the hub closes
what it holds and does not find. The list is read in the order of the key, in one snapshot where the database can. Where
it cannot (SQLite), or when reading is resumed, the list is still right: a key that is there all the time is always
listed, and what the hub took after the run began it does not close.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from connectors.port import Chunk, Item, Outcome
from connectors.sources.database_engine import UrlPlace, engine_of, place_of, told
from connectors.sources.database_paging import Condition, within
from connectors.sources.database_position import Position, Value, parse_position
from connectors.sources.database_reader import Reader
from connectors.sources.database_relation import Relation, checked_query, query_of, table_of
from connectors.sources.database_watermark import Lag, begin, floor_after
from connectors.sources.errors import OptionWrong
from schemas.envelope import Operation


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """Options of a source of kind ``database``.

    Args:
        key: the columns that tell rows apart.
        url: the database's SQLAlchemy URL, without a password; or
        url_env: the environment variable that holds it; or
        url_file: the file that holds it.
        table: ``name`` or ``schema.name``; or
        query: one SELECT statement, under
        name: what people call it; a table's own name if not given.
        columns: those of the table that are read; none named means all.
        watermark: the column that every change raises: a time, text of a time, or a whole number.
        lag_seconds: the longest a transaction at the source takes, for watermarks that are times.
        lag_numbers: the same for whole numbers: how many may be handed out and not yet committed.
        deletes: ``keys`` to offer the key list too.
        keys_every_seconds: how often, within one process; 0 for every run.
        timeout_seconds: the longest a statement may take.
    """

    key: tuple[str, ...]
    url: str | None = None
    url_env: str | None = None
    url_file: Path | None = None
    table: str | None = None
    query: str | None = None
    name: str | None = None
    columns: tuple[str, ...] = ()
    watermark: str | None = None
    lag_seconds: float = 600.0
    lag_numbers: int = 10_000
    deletes: Literal["none", "keys"] = "none"
    keys_every_seconds: float = 0.0
    timeout_seconds: float = 300.0

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            OptionWrong: which option, and why.
        """
        if (self.table is None) == (self.query is None):
            raise OptionWrong("table", "应恰好写 table 与 query 之一", "give exactly one of table and query")
        if not self.key:
            raise OptionWrong("key", "应写明主键各列", "name the columns of the key")
        if self.query is not None:
            checked_query(self.query)
            if self.name is None or self.columns:
                raise OptionWrong(
                    "query", "须配 name,且不能与 columns 并用", "it needs a name, and columns stand in it"
                )
        if min(self.lag_seconds, self.lag_numbers, self.keys_every_seconds) < 0 or self.timeout_seconds <= 0:
            raise OptionWrong("lag_seconds", "时间与数目不得为负", "times and numbers must not be negative")

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.table or ""


class DatabaseSource:
    """A table or query of a database.

    Args:
        options: what to read.
        clock: seconds since 1970; passed in for tests.

    Raises:
        OptionError: options do not go together, or the URL is not where they say.
    """

    def __init__(self, options: DatabaseOptions, clock: Callable[[], float] = time.time) -> None:
        options.check()
        self._options = options
        self._clock = clock
        self._url = UrlPlace(options.url, options.url_env, options.url_file).read()
        self._engine: sa.Engine | None = None
        self._keys_told_at: float | None = None

    def items(self) -> Iterator[Item]:
        """The rows, then, when it is time, the keys.

        Raises:
            SourceUnreachable: the database does not answer.
            SourceError: it does not let the connector in, or lacks the table or a column.
        """
        relation = self._relation()
        yield RowsItem(self._options, self._reader(relation, self._options.watermark), self._clock)
        if self._options.deletes == "keys" and self._keys_are_due():
            yield KeysItem(self._options, self._reader(relation, None), self._keys_told)

    def close(self) -> None:
        """Give back the connection."""
        if self._engine is not None:
            self._engine.dispose()

    def _relation(self) -> Relation:
        options = self._options
        if self._engine is None:
            self._engine = engine_of(self._url, options.timeout_seconds)
        with told(self._url, options.title, options.timeout_seconds), self._engine.connect() as connection:
            if options.query is not None:
                relation = query_of(connection, options.title, options.query)
            else:
                relation = table_of(connection, place_of(self._url), options.table or "")
        for name in (*options.key, *options.columns, *([] if options.watermark is None else [options.watermark])):
            relation.column(name)
        return relation

    def _reader(self, relation: Relation, watermark: str | None) -> Reader:
        assert self._engine is not None  # noqa: S101 - made by _relation
        return Reader(self._engine, relation, self._options.key, watermark, self._options.timeout_seconds)

    def _keys_are_due(self) -> bool:
        last = self._keys_told_at
        return last is None or self._clock() - last >= self._options.keys_every_seconds

    def _keys_told(self) -> None:
        self._keys_told_at = self._clock()


class RowsItem:
    """Rows that changed since the last run; all rows where there is no watermark."""

    def __init__(self, options: DatabaseOptions, reader: Reader, clock: Callable[[], float]) -> None:
        self._options = options
        self._reader = reader
        self._clock = clock
        self._lag = Lag(options.lag_seconds, options.lag_numbers)

    @property
    def name(self) -> str:
        """The table's or query's name."""
        return self._options.title

    @property
    def identity(self) -> str:
        """Another when database, table, columns, key or watermark are; then all rows are read anew."""
        return _identity(self._reader, "rows", self._options, *self._options.columns, str(self._options.watermark))

    @property
    def cut_at(self) -> None:
        """A database says how things are when it is asked."""

    @property
    def operation(self) -> Operation:
        """Rows are records."""
        return "upsert"

    @property
    def size(self) -> int | None:
        """Rows of the table; None with a watermark, as only the position says how many of them are new."""
        if self._options.watermark is not None:
            return None
        with self._reader.connected() as connection:
            return self._reader.count(connection)

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Rows in pages. A position in the middle of a run goes on there; one at its end begins the next run.

        Raises:
            SourceUnreachable, StatementTimeout: worth another try, from the last position.
            SourceError: the table cannot be read without losing rows, and why.
        """
        before = None if after is None else parse_position(self.name, after)
        names = self._options.columns or self._reader.relation.names
        with self._reader.connected() as connection:
            self._reader.refuse_unkeyed(connection)
            begun = self._begun(connection, before)
            if begun is None:
                return
            run, conditions = begun
            for page in self._reader.pages(connection, names, conditions, run.after, rows_max):
                first = run.rows + 1
                run = Position(
                    run.rows + page.frame.height, page.last if page.more else None, run.top, run.seen_at, run.settled
                )
                yield Chunk(page.frame, run.to_text(), first, run.rows)

    def _begun(self, connection: sa.Connection, before: Position | None) -> tuple[Position, list[Condition]] | None:
        """The run that is resumed or begun, and which rows it reads; None where there is nothing to read."""
        watermark = self._options.watermark
        resumed = before if before is not None and before.after is not None else None
        if watermark is None:
            return resumed or Position(0, None), []
        column = self._reader.relation.column(watermark)
        if resumed is not None and resumed.top is not None:
            return resumed, [within(column, None, resumed.top)]
        now = self._clock()
        top: Value | None = self._reader.highest(connection, watermark, now)
        floor = None if before is None else floor_after(before, self._lag)
        if top is None or (floor is not None and not floor.inclusive and floor.value == top):
            return None
        return begin(top, before, self._lag, now), [within(column, floor, top)]

    def finish(self, outcome: Outcome, report: str) -> None:
        """A table stays where it is."""


class KeysItem:
    """The complete key list. An empty table gives no chunk."""

    def __init__(self, options: DatabaseOptions, reader: Reader, finished: Callable[[], None]) -> None:
        self._options = options
        self._reader = reader
        self._finished = finished

    @property
    def name(self) -> str:
        """The table's or query's name, and that it is about keys."""
        return f"{self._options.title} (keys)"

    @property
    def identity(self) -> str:
        """Another when database, table or key are."""
        return _identity(self._reader, "keys", self._options)

    @property
    def cut_at(self) -> None:
        """A database says how things are when it is asked."""

    @property
    def operation(self) -> Operation:
        """A list of keys."""
        return "keys"

    @property
    def size(self) -> int | None:
        """Rows of the table."""
        with self._reader.connected() as connection:
            return self._reader.count(connection)

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Keys in their order.

        Raises:
            SourceError: the keys cannot be read.
        """
        run = Position(0, None) if after is None else parse_position(self.name, after)
        with self._reader.connected(snapshot=True) as connection:
            self._reader.refuse_unkeyed(connection)
            for page in self._reader.pages(connection, self._options.key, [], run.after, rows_max):
                first = run.rows + 1
                run = Position(run.rows + page.frame.height, page.last)
                yield Chunk(page.frame, run.to_text(), first, run.rows)

    def finish(self, outcome: Outcome, report: str) -> None:  # noqa: ARG002 - the port's; a table has no place for them
        """The next list is due ``keys_every_seconds`` from now."""
        self._finished()


def _identity(reader: Reader, kind: str, options: DatabaseOptions, *more: str) -> str:
    parts = (kind, reader.engine.dialect.name, place_of(reader.engine.url), str(options.table), str(options.query))
    text = json.dumps([*parts, *options.key, "", *more], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
