"""Where records are read from: current for the newest, current and history together for those of a moment.

Of a moment, each of the two is cut to the page before they are merged, so that both are read along the key's index. The
row is called ``t`` in everything that is said of it.
"""

from collections.abc import Sequence
from typing import Final

from psycopg import sql

from hub.store.tables import table_name

_NEWEST: Final = sql.SQL("data.{table} t WHERE NOT t._deleted AND {conditions}")
_BRANCH: Final = sql.SQL(
    "(SELECT {columns} FROM data.{table} t WHERE t._taken <= %(at)s {until} AND NOT t._deleted AND {conditions}{order})"
)
_OF_MOMENT: Final = sql.SQL("({current} UNION ALL {history}) t WHERE true")


def newest(dataset: str, conditions: sql.Composable) -> sql.Composable:
    """What FROM and WHERE say of the newest records."""
    return _NEWEST.format(table=sql.Identifier(table_name(dataset)), conditions=conditions)


def of_moment(
    dataset: str, columns: Sequence[str], conditions: sql.Composable, order: sql.Composable
) -> sql.Composable:
    """What FROM and WHERE say of the records of the parameter ``at``, which is not past the horizon.

    Args:
        dataset: id.
        columns: what is read of each.
        conditions: over the row ``t``.
        order: the page's ORDER BY and LIMIT, or nothing where all are read.
    """
    parts = {
        "columns": sql.SQL(", ").join(sql.Identifier("t", name) for name in columns),
        "conditions": conditions,
        "order": order,
    }
    table = table_name(dataset)
    return _OF_MOMENT.format(
        current=_BRANCH.format(table=sql.Identifier(table), until=sql.SQL(""), **parts),
        history=_BRANCH.format(
            table=sql.Identifier(table + "_history"), until=sql.SQL("AND t._until > %(at)s"), **parts
        ),
    )
