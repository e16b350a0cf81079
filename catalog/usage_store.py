"""Records of use (article 29): what a holder tells of scenario, course, effect, storage and disposal of the data."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One record of use.

    Args:
        id: UUID version 7.
        access_grant: the grant it tells of.
        told_by: account.
        told_at: when.
        scenario: 使用场景.
        course: 使用过程.
        effect: 应用成效.
        storage: 存储情况.
        disposal: 销毁情况.
        kept_until: not before this instant is it removed; the store refuses.
    """

    id: str
    access_grant: str
    told_by: str
    told_at: datetime
    scenario: str
    course: str
    effect: str
    storage: str
    disposal: str
    kept_until: datetime


def add_usage(conn: Connection, usage: UsageRecord) -> None:
    """Insert a record of use."""
    conn.execute(
        "INSERT INTO usage_record (id, access_grant, told_by, told_at, scenario, course, effect, storage, disposal,"
        " kept_until) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(usage.id, usage.access_grant, usage.told_by, usage.told_at),
            *(usage.scenario, usage.course, usage.effect, usage.storage, usage.disposal, usage.kept_until),
        ],
    )


def list_usage(conn: Connection, grant: str) -> list[UsageRecord]:
    """The records of use of a grant, in the order they were told."""
    with conn.cursor(row_factory=class_row(UsageRecord)) as cursor:
        return cursor.execute(
            "SELECT id::text, access_grant::text, told_by, told_at, scenario, course, effect, storage, disposal,"
            " kept_until FROM usage_record WHERE access_grant = %s ORDER BY id",
            [grant],
        ).fetchall()
