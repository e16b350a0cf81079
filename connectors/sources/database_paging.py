"""Statements that read rows in pages, each beginning behind the last row of the one before (keyset paging).

Unlike OFFSET it costs the same at every depth, given an index over watermark and key, and rows that come or go
meanwhile shift nothing. Rows with equal watermarks are told apart by their keys. SQLAlchemy quotes names and binds
values.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from connectors.sources.database_position import Value
from connectors.sources.database_watermark import Floor

Condition = sa.ColumnElement[bool]
Column = sa.ColumnElement[Any]


def behind(columns: Sequence[Column], values: Sequence[Value]) -> Condition:
    """Rows that sort behind a row: ``(a, b) > (x, y)``, written out, as not every database compares rows.

    The leading ``a >= x`` says nothing new; by it a database uses its index.
    """
    first, value = columns[0], values[0]
    if len(columns) == 1:
        return first > value
    return sa.and_(first >= value, sa.or_(first > value, behind(columns[1:], values[1:])))


def within(watermark: Column, floor: Floor | None, top: Value) -> Condition:
    """Rows that a run reads."""
    if floor is None:
        return watermark <= top
    above = watermark >= floor.value if floor.inclusive else watermark > floor.value
    return sa.and_(above, watermark <= top)


def page(
    read: Sequence[Column], source: sa.FromClause, order: Sequence[Column], conditions: Sequence[Condition], rows: int
) -> sa.Select[Any]:
    """The first rows, in order, that meet the conditions."""
    return sa.select(*read).select_from(source).where(*conditions).order_by(*order).limit(rows)
