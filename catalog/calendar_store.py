"""Rows of the years of the calendar that an administrator entered. Nothing commits."""

from dataclasses import dataclass
from datetime import date, datetime

from psycopg import Connection
from psycopg.rows import class_row

from catalog.workdays import Calendar, YearArrangement


@dataclass(frozen=True, slots=True)
class EnteredYear:
    """A year's arrangement as it was entered."""

    year: int
    holidays: list[date]
    workdays: list[date]
    source: str
    entered_by: str
    entered_at: datetime


def read_calendar(conn: Connection) -> Calendar:
    """The calendar: what was entered, before what the package knows."""
    return Calendar(
        {
            one.year: YearArrangement(one.year, frozenset(one.holidays), frozenset(one.workdays), one.source)
            for one in list_years(conn)
        }
    )


def save_year(conn: Connection, year: YearArrangement, actor: str, now: datetime) -> None:
    """Enter a year's arrangement; a corrected one takes the place of the earlier."""
    conn.execute(
        "INSERT INTO calendar_year (year, holidays, workdays, source, entered_by, entered_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (year) DO UPDATE SET holidays = excluded.holidays,"
        " workdays = excluded.workdays, source = excluded.source, entered_by = excluded.entered_by,"
        " entered_at = excluded.entered_at",
        [year.year, sorted(year.holidays), sorted(year.workdays), year.source, actor, now],
    )


def list_years(conn: Connection) -> list[EnteredYear]:
    """The years that were entered."""
    with conn.cursor(row_factory=class_row(EnteredYear)) as cursor:
        return cursor.execute(
            "SELECT year, holidays, workdays, source, entered_by, entered_at FROM calendar_year ORDER BY year"
        ).fetchall()
