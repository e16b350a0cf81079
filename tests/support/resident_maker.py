"""Residents for tests of statistics, written to the table as apply would have written them."""

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import entry_maker
import yaml
from psycopg import Connection, sql

RESIDENT = "420000.resident"
COUNTIES = ("420102", "420103", "420106", "420111", "420502", "420503", "420606")
SEEDS = entry_maker.ENTRIES.parent / "statistics"
TAKEN = entry_maker.NOW - timedelta(days=1)
COLUMNS = ("id_number", "name", "sex", "birth_date", "division_code", "education", "updated_at")
SYSTEM = ("_version", "_row", "_deleted", "_taken", "_receipt")
Row = dict[str, Any]


def definition(name: str = "age_and_sex", **changes: Any) -> Any:
    """A definition of the seeds, but for what is to be otherwise."""
    return yaml.safe_load((SEEDS / f"{name}.yaml").read_text(encoding="utf-8")) | changes


def resident(number: int, **changes: Any) -> Row:
    """A person; the same number is the same person."""
    dice = random.Random(number)
    return {
        "id_number": f"{number:018}",
        "name": "某某",
        "sex": dice.choice("12"),
        "birth_date": date(1930, 1, 1) + timedelta(days=dice.randrange(34_000)),
        "division_code": dice.choice(COUNTIES) + dice.choice(["", "001", "002005"]),
        "education": dice.choice(["10", "20", "30", "60", "70", "80", "90"]),
        "updated_at": datetime(2026, 1, 1),  # noqa: DTZ001 - the column has no zone
    } | changes


def put(conn: Connection, rows: Sequence[Row], taken: datetime = TAKEN) -> None:
    """Rows as apply would have written them."""
    columns = sql.SQL(", ").join(map(sql.Identifier, (*COLUMNS, *SYSTEM)))
    with conn.cursor().copy(sql.SQL('COPY data."420000_resident" ({}) FROM STDIN').format(columns)) as copy:
        for row in rows:
            copy.write_row((*(row[name] for name in COLUMNS), 1, 0, False, taken, 1))
