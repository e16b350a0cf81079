"""What simulation reads: the recorded requests, from the trail, and how many records a row condition covers.

Counts are all that leaves the data tables, and they are made inside PostgreSQL through the conditions a release runs.
"""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Connection, sql
from psycopg.errors import QueryCanceled

from catalog.condition import AnyOf, Condition
from catalog.decision import Asked
from catalog.resource import Resource
from catalog.simulation import Covered
from hub.release.compile import Parameters, condition_sql
from hub.store.tables import table_name

SECONDS_MAX: Final = 20  # of one statement
GROUPS_MAX: Final = 5_000  # of requests that are alike; the most frequent ones are read, the rest is counted


@dataclass(frozen=True, slots=True)
class RecordedRequests:
    """Requests of one caller for one dataset that were decided alike.

    Args:
        dataset: id.
        caller: opaque id.
        requests: how many.
        asked: what was asked for, without a grant that was named; None where the trail does not say any more.
    """

    dataset: str
    caller: str
    requests: int
    asked: Asked | None


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded.

    Args:
        groups: the most frequent first.
        left_out: requests beyond the groups that were read.
    """

    groups: Sequence[RecordedRequests]
    left_out: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a row condition covers; persons where the dataset names any by their citizen id."""

    records: Covered
    persons: Covered | None


# A leaf's id begins with the milliseconds of its time, so the trail's indexes find a term without one on the time.
_RECORDED: Final = (
    "WITH alike AS (SELECT t.dataset, t.caller, t.decision, count(*) AS requests FROM release_trail t"
    " WHERE t.leaf >= %(since)s AND (%(dataset)s::text IS NULL OR t.dataset = %(dataset)s)"
    " AND (%(holder)s::text IS NULL OR t.caller = %(holder)s OR t.organization = %(organization)s)"
    " GROUP BY t.dataset, t.caller, t.decision)"
    " SELECT a.dataset, a.caller, a.requests, d.content, sum(a.requests) OVER ()"
    " FROM alike a LEFT JOIN release_decision d ON d.sm3 = a.decision"
    " ORDER BY a.requests DESC, a.dataset, a.caller, a.decision LIMIT %(groups)s"
)


def read_recorded(
    conn: Connection, since: datetime, *, dataset: str | None = None, holder: str | None = None
) -> Recording | None:
    """The requests recorded since an instant, released and refused; None where there is no time to read them.

    Args:
        conn: a connection, in a transaction.
        since: the first instant.
        dataset: only for this one.
        holder: only of those a grant to this holder would be for.
    """
    kind, _, name = (holder or "").partition(":")
    asked = {
        "since": UUID(int=int(since.timestamp() * 1000) << 80),
        "dataset": dataset,
        "holder": holder,
        "organization": name if kind == "organization" else None,
        "groups": GROUPS_MAX,
    }
    try:
        with _bounded(conn):
            rows = conn.execute(_RECORDED, asked).fetchall()
    except QueryCanceled:
        return None
    groups = [RecordedRequests(row[0], row[1], int(row[2]), _asked(row[3])) for row in rows]
    recorded = int(rows[0][4]) if rows else 0
    return Recording(groups, recorded - sum(one.requests for one in groups))


def _asked(content: str | None) -> Asked | None:
    """From a decision as it was explained."""
    if content is None:
        return None
    decision: dict[str, Any] = json.loads(content)["decision"]
    return Asked(decision["method"], decision["purpose"])


def read_coverage(
    conn: Connection, resource: Resource, proposed: Condition | None, present: Sequence[Condition | None]
) -> Coverage | None:
    """What a proposed row condition covers, in all and beyond the present ones; None where there is no time to count.

    Args:
        conn: a connection, in a transaction.
        resource: the dataset.
        proposed: the row condition; None for every record.
        present: those of the grants there are.
    """
    already = None if None in present else AnyOf(tuple(one for one in present if one is not None))
    try:
        with _bounded(conn):
            records = _count(conn, _RECORDS, resource, (), proposed, already)
            persons = tuple(name for name, label in resource.fields.items() if label.kind == "citizen_id")
            if not persons:
                return Coverage(records, None)
            if persons == resource.key:
                return Coverage(records, records)
            return Coverage(records, _count(conn, _PERSONS, resource, persons, proposed, already))
    except QueryCanceled:
        return None


_RECORDS: Final = sql.SQL(
    "SELECT count(*), count(*) FILTER (WHERE ({already}) IS NOT TRUE) FROM {current} c"
    " WHERE NOT c._deleted AND {proposed}"
)
# A person may be in several records, some of them covered already.
_PERSONS: Final = sql.SQL(
    "SELECT count(*) FILTER (WHERE proposed), count(*) FILTER (WHERE proposed AND NOT already) FROM ("
    "SELECT bool_or(({proposed}) IS TRUE) AS proposed, bool_or(({already}) IS TRUE) AS already"
    " FROM {current} c CROSS JOIN LATERAL (VALUES {persons}) AS named (person)"
    " WHERE NOT c._deleted AND person IS NOT NULL GROUP BY person) counted"
)


def _count(
    conn: Connection,
    query: sql.SQL,
    resource: Resource,
    persons: tuple[str, ...],
    proposed: Condition | None,
    already: Condition | None,
) -> Covered:
    types = {name: label.type for name, label in resource.fields.items()}
    parameters = Parameters()
    statement = query.format(
        current=sql.SQL("data.{}").format(sql.Identifier(table_name(resource.dataset))),
        proposed=condition_sql(proposed, types, "c", parameters),
        already=condition_sql(already, types, "c", parameters),
        persons=sql.SQL(", ").join(sql.SQL("({}::text)").format(sql.Identifier("c", name)) for name in persons),
    )
    row = conn.execute(statement, parameters.values).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Covered(int(row[0]), int(row[1]))


@contextmanager
def _bounded(conn: Connection) -> Generator[None]:
    """Statements inside end after ``SECONDS_MAX``; the transaction outside goes on either way."""
    with conn.transaction():
        before = conn.execute("SELECT current_setting('statement_timeout')").fetchone()
        conn.execute("SELECT set_config('statement_timeout', %s, true)", [f"{SECONDS_MAX}s"])
        yield
        conn.execute("SELECT set_config('statement_timeout', %s, true)", [before[0] if before else "0"])
