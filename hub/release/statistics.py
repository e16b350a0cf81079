"""Counts of persons from a data table, as of one instant, in one statement: nothing else reads it for statistics.

The table is cut into leaves: the smallest region and the finest bands and codes. All coarser counts are sums of these
(``catalog.tabulation``), so that a table is consistent in itself whatever is written meanwhile. Where other aggregates
of the dataset were published, persons are counted by both aggregates' leaves too, as further grouping sets of the same
statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection, sql

from catalog.aggregate import Aggregate
from catalog.hierarchy import AGE_STEP, CODE_LEVEL, OLDEST_BAND, UNKNOWN, nodes_of
from catalog.tabulation import LEAF_REGION_DIGITS, Leaves
from hub.exchange.apply.locks import horizon
from hub.exchange.apply.target import Target

# A day is a day where the hub is.
_DAY: Final = sql.SQL("(%(at)s::timestamptz AT TIME ZONE 'Asia/Shanghai')::date")


@dataclass(frozen=True, slots=True)
class Counted:
    """Persons as of an instant.

    Args:
        instant: the one asked for, or the last settled one before.
        leaves: by the aggregate's leaves.
        pairs: for each other aggregate, by both aggregates' leaves.
    """

    instant: datetime
    leaves: Mapping[Leaves, int]
    pairs: Sequence[Mapping[tuple[Leaves, Leaves], int]]


def count_persons(
    conn: Connection, target: Target, aggregate: Aggregate, others: Sequence[Aggregate], instant: datetime | None
) -> Counted:
    """Count the persons of a dataset.

    Args:
        conn: a connection in read committed, outside an older snapshot.
        target: the dataset.
        aggregate: whose leaves.
        others: with whose leaves as well.
        instant: the moment asked for; None or later than the horizon: the horizon.
    """
    settled = horizon(conn)
    at = settled if instant is None else min(instant, settled)
    sets = [aggregate.fields, *(_both(aggregate, other) for other in others)]
    fields = tuple(dict.fromkeys(name for one in sets for name in one))
    leaves = {name: _leaf(name, (aggregate, *others)) for name in fields}
    rows = conn.execute(_query(target, leaves, sets), {"at": at}).fetchall()
    found: list[dict[tuple[str, ...], int]] = [{} for _ in sets]
    places = [tuple(fields.index(name) for name in one) for one in sets]
    for *values, count, missing in rows:
        for place, wanted in enumerate(places):
            if missing == _missing(wanted, len(fields)):
                found[place][tuple(str(values[one]) for one in wanted)] = count
    own = {_leaves(aggregate, aggregate.fields, values): count for values, count in found[0].items()}
    pairs = [
        {
            (_leaves(aggregate, names, values), _leaves(other, names, values)): count
            for values, count in found[place].items()
        }
        for place, (names, other) in enumerate(zip(sets[1:], others, strict=True), 1)
    ]
    return Counted(at, own, pairs)


def _both(one: Aggregate, other: Aggregate) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one.fields, *other.fields)))


def _leaves(aggregate: Aggregate, names: Sequence[str], values: Sequence[str]) -> Leaves:
    of_field = dict(zip(names, values, strict=True))
    region = "" if aggregate.region_field is None else of_field[aggregate.region_field]
    return (region, *(of_field[one.field] for one in aggregate.dimensions))


def _missing(wanted: Sequence[int], fields: int) -> int:
    """What GROUPING says of a set: a bit for each field that is not in it, the first field's the highest."""
    return sum(1 << (fields - 1 - place) for place in range(fields) if place not in wanted)


def _query(target: Target, leaves: Mapping[str, sql.Composable], sets: Sequence[Sequence[str]]) -> sql.Composed:
    columns = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(leaf, sql.Identifier(f"leaf_{name}")) for name, leaf in leaves.items()
    )
    named = {name: sql.Identifier(f"leaf_{name}") for name in leaves}
    own = [
        sql.SQL("({})").format(sql.SQL(", ").join(named[name] for name in one))
        for one in dict.fromkeys(map(tuple, sets))
    ]
    return sql.SQL(
        "SELECT {named}, count(*), GROUPING({named}) FROM (SELECT {columns} FROM {current} t"
        " WHERE t._taken <= %(at)s AND NOT t._deleted UNION ALL SELECT {columns} FROM {history} t"
        " WHERE t._taken <= %(at)s AND t._until > %(at)s AND NOT t._deleted) persons GROUP BY GROUPING SETS ({sets})"
    ).format(
        named=sql.SQL(", ").join(named.values()),
        columns=columns,
        current=target.current,
        history=target.history,
        sets=sql.SQL(", ").join(own),
    )


def _leaf(name: str, aggregates: Sequence[Aggregate]) -> sql.Composable:
    """The leaf a row falls in, as text; UNKNOWN where the value is absent or none of the hierarchy's."""
    column = sql.Identifier("t", name)
    unknown = sql.Literal(UNKNOWN)
    if any(one.region_field == name for one in aggregates):
        pattern = sql.Literal(f"^[0-9]{{{LEAF_REGION_DIGITS}}}")
        template = sql.SQL("CASE WHEN {c} ~ {pattern} THEN left({c}, {digits}) ELSE {unknown} END")
        return template.format(c=column, pattern=pattern, digits=sql.Literal(LEAF_REGION_DIGITS), unknown=unknown)
    dimension = next(one for aggregate in aggregates for one in aggregate.dimensions if one.field == name)
    if dimension.kind == "age":
        template = sql.SQL(
            "CASE WHEN {c} <= {day} THEN"
            " (least(extract(year FROM age({day}, {c}))::integer / {step} * {step}, {oldest}))::text ELSE {unknown} END"
        )
        return template.format(
            c=column, day=_DAY, step=sql.Literal(AGE_STEP), oldest=sql.Literal(OLDEST_BAND), unknown=unknown
        )
    codes = list(nodes_of("code", dimension.code_list, CODE_LEVEL)[:-1])
    template = sql.SQL("CASE WHEN {c} = ANY({codes}) THEN {c} ELSE {unknown} END")
    return template.format(c=column, codes=sql.Literal(codes), unknown=unknown)
