"""Reads one table or query in pages, and refuses what paging would lose."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl
import sqlalchemy as sa

from connectors.sources.database_columns import frame_of
from connectors.sources.database_engine import told
from connectors.sources.database_errors import (
    KeyMissing,
    KeyNotUnique,
    WatermarkAhead,
    WatermarkMissing,
    WatermarkUnusable,
)
from connectors.sources.database_paging import Column, Condition, behind, page
from connectors.sources.database_position import Value, storable
from connectors.sources.database_relation import Relation
from connectors.sources.database_watermark import ceiling, usable
from connectors.sources.errors import OptionWrong

# Where one reading of many pages can see one moment. SQLite could, but a reader held open locks out its writers.
_SNAPSHOTS = {
    "postgresql": "REPEATABLE READ",
    "mysql": "REPEATABLE READ",
    "mariadb": "REPEATABLE READ",
    "oracle": "SERIALIZABLE",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows.

    Args:
        frame: their wanted columns.
        last: watermark, if there is one, and key of the last.
        more: whether rows come after them.
    """

    frame: pl.DataFrame
    last: tuple[Value, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """A relation with the order it is read in.

    Args:
        engine: of the database.
        relation: what is read.
        key: the columns that tell its rows apart.
        watermark: the column that rises with every change, if there is one.
        timeout_seconds: of a statement.
    """

    engine: sa.Engine
    relation: Relation
    key: tuple[str, ...]
    watermark: str | None
    timeout_seconds: float

    @contextmanager
    def connected(self, *, snapshot: bool = False) -> Generator[sa.Connection]:
        """A connection; with ``snapshot`` all its statements see one moment, where the database can."""
        level = _SNAPSHOTS.get(self.engine.dialect.name) if snapshot else None
        with self._told():
            connection = self.engine.connect()
        try:
            if level is not None:
                with self._told():
                    connection.execution_options(isolation_level=level)
            yield connection
        finally:
            connection.close()

    def count(self, connection: sa.Connection, condition: Condition | None = None) -> int:
        """How many rows there are, or meet a condition."""
        statement = sa.select(sa.func.count()).select_from(self.relation.source)
        return int(self._value(connection, statement if condition is None else statement.where(condition)))

    def refuse_unkeyed(self, connection: sa.Connection) -> None:
        """Rows without a whole key cannot be read in its order.

        Raises:
            KeyMissing: with their number.
        """
        nullable = [self.relation.column(name) for name in self.key if name in self.relation.nullable]
        if nullable:
            rows = self.count(connection, sa.or_(*(column.is_(None) for column in nullable)))
            if rows:
                raise KeyMissing(self.relation.name, ", ".join(self.key), rows)

    def highest(self, connection: sa.Connection, watermark: str, now: float) -> Value | None:
        """The highest watermark up to now; None where there are no rows.

        Raises:
            WatermarkMissing, WatermarkAhead: rows that would never be found, with their number.
            WatermarkUnusable: it is neither a time nor a whole number.
        """
        column = self.relation.column(watermark)
        top = self._value(connection, sa.select(sa.func.max(column)))
        self._refuse_unmarked(connection, column, watermark, top)
        if top is None:
            return None
        if not usable(top):
            raise WatermarkUnusable(self.relation.name, watermark)
        limit = ceiling(top, now)
        if limit is None or top <= limit:
            return top
        rows = self.count(connection, column > ceiling(top, now, tomorrow=True))
        if rows:
            raise WatermarkAhead(self.relation.name, watermark, rows)
        return self._value(connection, sa.select(sa.func.max(column)).where(column <= limit))

    def _refuse_unmarked(self, connection: sa.Connection, column: Column, watermark: str, top: object) -> None:
        conditions: list[Condition] = [column.is_(None)] if watermark in self.relation.nullable else []
        if isinstance(top, str):
            conditions.append(column == "")  # sorts before every time, and so is as good as missing
        rows = self.count(connection, sa.or_(*conditions)) if conditions else 0
        if rows:
            raise WatermarkMissing(self.relation.name, watermark, rows)

    def pages(
        self,
        connection: sa.Connection,
        names: Sequence[str],
        conditions: Sequence[Condition],
        after: tuple[Value, ...] | None,
        rows_max: int,
    ) -> Iterator[Page]:
        """Rows in the order of watermark and key, behind ``after`` if given.

        Raises:
            KeyNotUnique: neighbours have the same watermark and key.
        """
        order_names = (*([] if self.watermark is None else [self.watermark]), *self.key)
        order = [self.relation.column(name) for name in order_names]
        more = True
        while more:
            where = conditions if after is None else [*conditions, behind(order, after)]
            # One row more than wanted tells whether there are more, and whether it shares the last one's key.
            read = [*(self.relation.column(name) for name in names), *order]
            rows = self._rows(connection, page(read, self.relation.source, order, where, rows_max + 1))
            places = [self._place(row[len(names) :], order_names) for row in rows]
            if any(one == other for one, other in pairwise(places)):
                raise KeyNotUnique(self.relation.name, ", ".join(self.key))
            more = len(rows) > rows_max
            if rows:
                kept = rows[:rows_max]
                after = places[len(kept) - 1]
                yield Page(frame_of(names, [row[: len(names)] for row in kept]), after, more)

    def _place(self, values: Sequence[object], names: Sequence[str]) -> tuple[Value, ...]:
        plain = [bytes(value) if isinstance(value, bytearray | memoryview) else value for value in values]
        for name, value in zip(names, plain, strict=True):
            if not storable(value):
                kind = type(value).__name__
                raise OptionWrong(
                    "key",
                    f"列 {name} 的类型 {kind} 不能作为主键或水位",
                    f"column {name} is a {kind}, no key or watermark",
                )
        return tuple(plain)  # pyright: ignore[reportReturnType]  # just looked at

    def _rows(self, connection: sa.Connection, statement: sa.Select[Any]) -> list[tuple[object, ...]]:
        with self._told():
            return [tuple(row) for row in connection.execute(statement).all()]

    def _value(self, connection: sa.Connection, statement: sa.Select[Any]) -> Any:  # noqa: ANN401 - of any column
        with self._told():
            return connection.execute(statement).scalar()

    def _told(self) -> Any:  # noqa: ANN401 - a context manager
        return told(self.engine.url, self.relation.name, self.timeout_seconds)
