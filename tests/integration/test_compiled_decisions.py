"""The decision as SQL agrees with the decision in Python, row by row and value by value, NULLs included.

``HUB_TEST_ROW_DECISIONS`` says how many row decisions are compared: 50,000 here, 500,000 in ``make nightly``.
"""

import os
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from decision_cases import DEPARTMENT, FIELDS, NOW, TREATMENTS, TYPES, condition_of, grant, resource, row_of
from psycopg import Connection, sql

from catalog.condition import Compare, holds
from catalog.decision import Asked, Decision, decide
from catalog.grant import Treatment
from catalog.masking import treat
from catalog.tier import DEFAULT_TIERS
from hub.release.compile import Parameters, condition_sql
from hub.release.treated import treated_columns
from hub.store.connect import connect
from hub.store.tables import column_type

ROWS = 500
ROW_DECISIONS = int(os.environ.get("HUB_TEST_ROW_DECISIONS", "50000"))
KEY = b"k" * 32
SEED = 20261125


@pytest.fixture
def connection(bare_database_url: str) -> Iterator[Connection]:
    """A database with what treatments need and nothing else."""
    with connect(bare_database_url, "test") as opened:
        opened.execute("CREATE EXTENSION pgcrypto")
        yield opened
        opened.rollback()


@pytest.fixture
def rows(connection: Connection) -> list[dict[str, Any]]:
    """A table of random rows, and what Python knows of them."""
    dice = random.Random(SEED)
    made = [row_of(dice, number) for number in range(ROWS)]
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(column_type(of)))  # pyright: ignore[reportArgumentType] - our own constants
        for name, of in TYPES.items()
    )
    connection.execute(sql.SQL("CREATE TEMP TABLE rows_of_test ({})").format(columns))
    with connection.cursor().copy("COPY rows_of_test FROM STDIN") as copy:
        for row in made:
            copy.write_row([row[name] for name in FIELDS])
    return made


def random_decision(dice: random.Random) -> Decision:
    fields: dict[str, Treatment] = {name: dice.choice(TREATMENTS) for name in FIELDS}
    given = grant(
        fields={**fields, "row": "clear"},
        laws=dict.fromkeys(dice.sample(list(FIELDS), k=5), "《某法》"),
        rows=condition_of(dice),
    )
    levels: dict[str, Any] = {name: dice.choice([1, 2, 3, 4, None, "core"]) for name in FIELDS} | {"row": 1}
    decision = decide(DEPARTMENT, resource(levels), [given], Asked("api", given.purpose), DEFAULT_TIERS, NOW)
    assert decision.allowed
    return decision


def by_sql(connection: Connection, decision: Decision) -> dict[int, dict[str, Any]]:
    parameters = Parameters()
    columns = treated_columns(decision, TYPES, "t", parameters, KEY)
    query = sql.SQL("SELECT {} FROM rows_of_test t WHERE {}").format(
        sql.SQL(", ").join(columns.values()), condition_sql(decision.rows, TYPES, "t", parameters)
    )
    found = connection.execute(query, parameters.values).fetchall()
    return {values[0]: dict(zip(columns, values, strict=True)) for values in found}


def by_python(decision: Decision, rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {
        row["row"]: {name: treat(read(name, row[name]), decision.fields[name], KEY) for name in decision.given_fields}
        for row in rows
        if holds(decision.rows, row)
    }


def read(name: str, value: Any) -> Any:
    """A value as the driver reads it: of a four-byte float the shortest text that means it."""
    return float(str(np.float32(value))) if TYPES[name].kind == "float" and value is not None else value


def differences(one: Mapping[str, Any], other: Mapping[str, Any], decision: Decision) -> list[Any]:
    assert one.keys() == other.keys()
    return [
        (name, decision.fields[name], one[name], other[name])
        for name in one
        if one[name] != other[name] and (one[name] == one[name] or other[name] == other[name])
    ]


def test_sql_and_python_decide_every_row_and_value_alike(connection: Connection, rows: list[dict[str, Any]]):
    dice = random.Random(SEED)
    given = 0
    for _ in range(ROW_DECISIONS // ROWS):
        decision = random_decision(dice)
        sql_rows, python_rows = by_sql(connection, decision), by_python(decision, rows)
        assert sql_rows.keys() == python_rows.keys(), decision.rows
        for number, row in python_rows.items():
            assert differences(row, sql_rows[number], decision) == []
        given += len(python_rows)
    assert ROW_DECISIONS // 10 < given < ROW_DECISIONS  # neither everything nor nothing was given


def test_a_condition_over_values_is_no_way_into_the_statement(connection: Connection, rows: list[dict[str, Any]]):
    decision = decide(DEPARTMENT, resource(), [grant(rows=None)], Asked("api", "低保核对"), DEFAULT_TIERS, NOW)
    assert len(by_sql(connection, decision)) == len(rows)
    for text in ("' OR true --", '"; DROP TABLE rows_of_test; --', "%s", "%(p0)s", "{}"):
        hostile = grant(rows=Compare("name", "=", text))
        narrowed = decide(DEPARTMENT, resource(), [hostile], Asked("api", "低保核对"), DEFAULT_TIERS, NOW)
        assert by_sql(connection, narrowed) == {}
