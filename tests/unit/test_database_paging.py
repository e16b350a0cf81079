import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.sources.database_paging import behind, within
from connectors.sources.database_position import Position, Value, parse_position
from connectors.sources.database_watermark import (
    Floor,
    Lag,
    begin,
    ceiling,
    floor_after,
    lowered,
    settling_seconds,
    usable,
)
from connectors.sources.errors import PositionUnreadable

CHINA = timezone(timedelta(hours=8))
LAG = Lag(600, 100)
NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=CHINA)
W, K, L = sa.column("w"), sa.column("k"), sa.column("l")

values: st.SearchStrategy[Value] = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.datetimes(),
    st.datetimes(timezones=st.just(CHINA)),
    st.dates(),
    st.uuids(),
)


def sql(condition: sa.ColumnElement[bool]) -> str:
    return str(condition.compile(compile_kwargs={"literal_binds": True}))


# Position -------------------------------------------------------------------------------------------------------------


@given(
    st.builds(
        Position,
        st.integers(0, 10**12),
        st.none() | st.lists(values, min_size=1, max_size=4).map(tuple),
        st.none() | values,
        st.floats(0, 1e10),
        st.booleans(),
    )
)
def test_a_position_read_back_is_the_same_value_of_the_same_type(position: Position):
    back = parse_position("t", position.to_text())
    assert back == position
    assert [type(value) for value in back.after or ()] == [type(value) for value in position.after or ()]
    assert type(back.top) is type(position.top)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"rows": 1, "after": [["int", "x"]], "top": null, "seen_at": 0, "settled": false}',
     '{"rows": 1, "after": [["strange", "1"]], "top": null, "seen_at": 0, "settled": false}',
     '{"rows": 1, "after": [["decimal", "x"]], "top": null, "seen_at": 0, "settled": false}'],
)  # fmt: skip
def test_what_is_no_position_is_told_by_the_items_name(text: str):
    with pytest.raises(PositionUnreadable, match="cb_jbxx"):
        parse_position("cb_jbxx", text)


def test_a_position_is_plain_json_that_people_can_read():
    text = Position(3, (datetime(2026, 5, 1, 12), "甲"), 7).to_text()  # noqa: DTZ001 - local, as in the table
    assert json.loads(text)["after"] == [["datetime", "2026-05-01T12:00:00"], ["str", "甲"]]


# Conditions -----------------------------------------------------------------------------------------------------------


def test_behind_one_column_is_greater():
    assert sql(behind([W], [1])) == "w > 1"


def test_behind_a_row_compares_the_next_column_only_among_equals():
    assert sql(behind([W, K, L], [1, 2, 3])) == "w >= 1 AND (w > 1 OR k >= 2 AND (k > 2 OR l > 3))"


def test_the_window_has_an_upper_end_and_a_lower_one_that_may_be_open():
    assert sql(within(W, None, 9)) == "w <= 9"
    assert sql(within(W, Floor(4, inclusive=True), 9)) == "w >= 4 AND w <= 9"
    assert sql(within(W, Floor(4, inclusive=False), 9)) == "w > 4 AND w <= 9"


# Watermarks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOON, NOON - timedelta(minutes=10)),
        (date(2026, 5, 1), date(2026, 4, 30)),
        (1000, 900),
        (Decimal(1000), Decimal(900)),
        ("2026-05-01 12:00:00", "2026-05-01 11:50:00"),
        ("2026-05-01 12:00:00.123456", "2026-05-01 11:50:00"),
        ("2026-05-01T12:00:00+08:00", "2026-05-01T11:50:00"),
        ("2026-05-01T12:00:00Z", "2026-05-01T11:50:00"),
        ("2026/05/01 12:00:00", "2026/05/01 11:50:00"),
        ("2026-05-01 12:00", "2026-05-01 11:50"),
        ("20260501120000", "20260501115000"),
        ("2026-05-01", "2026-04-29"),
        ("20260501", "20260429"),
    ],
)
def test_a_watermark_is_lowered_by_the_lag_in_its_own_form(value: Value, expected: Value):
    assert usable(value)
    assert lowered(value, LAG) == expected
    assert type(lowered(value, LAG)) is type(value)


@pytest.mark.parametrize("value", [1.5, True, b"1", UUID(int=1), "", "yesterday", "2026-5-1", "1/5/2026", "007"])
def test_what_is_neither_time_nor_whole_number_is_no_watermark(value: object):
    assert not usable(value)


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), st.integers(0, 10**6))  # noqa: DTZ001 - any local time
def test_text_of_times_is_lowered_to_text_that_sorts_no_later(moment: datetime, seconds: int):
    text = moment.isoformat(" ")
    low = lowered(text, Lag(seconds, 0))
    assert isinstance(low, str)
    assert low <= (moment - timedelta(seconds=seconds)).isoformat(" ")


def test_now_is_said_in_the_watermarks_own_form():
    now = NOON.timestamp()
    local = NOON.replace(tzinfo=None)
    assert ceiling(NOON.astimezone(UTC), now) == NOON
    assert ceiling(local, now) == local
    assert ceiling(local, now, tomorrow=True) == local + timedelta(days=1)
    assert ceiling(date(2020, 1, 1), now) == date(2026, 5, 1)
    assert "2026-05-01 12:00:00.999" < str(ceiling("2020-01-01 00:00:00", now)) < "2026-05-01 12:00:01"
    assert ceiling(17, now) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(NOON, 601), (12, 601), ("2026-05-01 12:00", 660), (date(2026, 5, 1), 87_000), ("20260501", 87_000)],
)
def test_a_watermark_settles_when_the_lag_is_over_and_its_value_is_given_no_more(value: Value, seconds: float):
    assert settling_seconds(value, LAG) == seconds


def ended(run: Position) -> Position:
    return Position(10, None, run.top, run.seen_at, run.settled)


def test_a_run_begins_at_the_last_top_minus_the_lag_until_that_has_settled():
    first = ended(begin(1000, None, LAG, now=0))
    assert floor_after(first, LAG) == Floor(900, inclusive=True)
    second = ended(begin(1000, first, LAG, now=600))
    assert not second.settled
    third = ended(begin(1000, second, LAG, now=601))
    assert floor_after(third, LAG) == Floor(1000, inclusive=False)


def test_a_higher_watermark_starts_the_lag_anew():
    settled = ended(begin(1000, ended(begin(1000, None, LAG, now=0)), LAG, now=700))
    higher = ended(begin(1001, settled, LAG, now=800))
    assert (higher.seen_at, higher.settled) == (800, False)


@example([(1, 599, False), (1, 0, False), (1, 0, True), (1, 0, True)])  # two runs while the first row is open
@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 599), st.booleans()), min_size=1, max_size=30))
def test_no_row_is_missed_that_commits_within_the_lag(steps: list[tuple[int, int, bool]]):
    """A model of source and runs: rows are stamped with the time, and seen when they commit; some steps are runs."""
    now, rows, read = 0, list[tuple[int, int]](), set[int]()
    last: Position | None = None
    for waited, open_seconds, runs in [*steps, (2000, 0, True), (700, 0, True)]:
        now += waited
        if not runs:
            rows.append((now, now + open_seconds))
            continue
        seen = {stamp for stamp, committed in rows if committed <= now}
        if not seen:
            continue
        top = max(seen)
        floor = None if last is None else floor_after(last, Lag(600, 600))
        read |= {
            stamp
            for stamp in seen
            if floor is None or stamp > int(str(floor.value)) or (floor.inclusive and stamp == floor.value)
        }
        last = ended(begin(top, last, Lag(600, 600), now))
    assert read == {stamp for stamp, _ in rows}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), unique=True, min_size=2))
def test_rows_behind_a_row_are_those_that_sort_after_it(rows: list[tuple[int, int, int]]):
    engine = sa.create_engine("sqlite://")
    columns = [sa.column(name) for name in "wkl"]
    table = sa.table("t", *columns)
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE t (w, k, l)"))
        connection.execute(table.insert(), [{"w": w, "k": k, "l": one} for w, k, one in rows])
        for row, _ in pairwise(sorted(rows)):
            found = connection.execute(sa.select(table).where(behind(columns, row)).order_by(*columns)).all()
            assert [tuple(one) for one in found] == [other for other in sorted(rows) if other > row]
    engine.dispose()
