"""Rows of aggregates: definitions, releases, and the release ledger. A connection comes first; nothing commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from catalog.request_store import is_uuid
from catalog.tabulation import Statement

ReleaseState = Literal["computed", "reviewed", "published", "superseded", "recalled"]
Form = Literal["json", "csv", "report"]


@dataclass(frozen=True, slots=True)
class DefinitionVersion:
    """One version of a definition; ``content`` is canonical JSON and ``sm3`` its digest."""

    dataset: str
    name: str
    version: int
    content: str
    sm3: str
    defined_by: str
    defined_person: str | None
    defined_at: datetime


@dataclass(frozen=True, slots=True)
class AggregateRelease:
    """A release without its bytes.

    Args:
        id: opaque.
        dataset: id.
        name: of the aggregate.
        version: of its definition.
        instant: of the counts.
        state: where it stands.
        basis: number of the dataset's last release when this was computed.
        number: its own, once published.
        certificate: SM3 of the report, which holds the digests of both forms.
        computed_by: account.
        computed_person: behind it.
        computed_at: when.
    """

    id: str
    dataset: str
    name: str
    version: int
    instant: datetime
    state: ReleaseState
    basis: int
    number: int | None
    certificate: str
    computed_by: str
    computed_person: str | None
    computed_at: datetime
    reviewed_by: str | None = None
    reviewed_person: str | None = None
    reviewed_at: datetime | None = None
    published_by: str | None = None
    published_at: datetime | None = None
    recalled_by: str | None = None
    recalled_at: datetime | None = None

    @property
    def aggregate(self) -> str:
        """``420000.resident/age_and_sex``."""
        return f"{self.dataset}/{self.name}"


# Definitions ---------------------------------------------------------------------------------------------------------


def lock_statistics(conn: Connection, dataset: str) -> None:
    """One act at a time on the statistics of a dataset, until the transaction ends. Batches go on."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('hub statistics ' || %s, 0))", [dataset])


def add_definition(
    conn: Connection, key: tuple[str, str], content: str, sm3: str, actor: tuple[str, str | None], now: datetime
) -> int:
    """Insert a definition under the next number of its dataset and name; the number."""
    row = conn.execute(
        "INSERT INTO aggregate_definition"
        " (dataset, name, version, content, sm3, defined_by, defined_person, defined_at)"
        " SELECT %(dataset)s, %(name)s, coalesce(max(version), 0) + 1, %(content)s, %(sm3)s, %(by)s, %(person)s,"
        " %(now)s"
        " FROM aggregate_definition WHERE dataset = %(dataset)s AND name = %(name)s RETURNING version",
        {
            "dataset": key[0],
            "name": key[1],
            "content": content,
            "sm3": sm3,
            "by": actor[0],
            "person": actor[1],
            "now": now,
        },
    ).fetchone()
    assert row is not None  # noqa: S101 - RETURNING of one row
    return int(row[0])


def list_definitions(conn: Connection, dataset: str | None = None) -> list[DefinitionVersion]:
    """The newest version of each, by dataset and name; of one dataset, or of all."""
    with conn.cursor(row_factory=class_row(DefinitionVersion)) as cursor:
        return cursor.execute(
            "SELECT DISTINCT ON (dataset, name) dataset, name, version, content, sm3, defined_by, defined_person,"
            " defined_at FROM aggregate_definition WHERE %(dataset)s::text IS NULL OR dataset = %(dataset)s"
            " ORDER BY dataset, name, version DESC",
            {"dataset": dataset},
        ).fetchall()


# Releases ------------------------------------------------------------------------------------------------------------


def add_release(conn: Connection, release: AggregateRelease, forms: Mapping[Form, bytes]) -> None:
    """Insert a computed release with its exact bytes."""
    conn.execute(
        "INSERT INTO aggregate_release (id, dataset, name, version, instant, state, basis, json, csv, report,"
        " certificate, computed_by, computed_person, computed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            release.id,
            release.dataset,
            release.name,
            release.version,
            release.instant,
            release.state,
            release.basis,
            forms["json"],
            forms["csv"],
            forms["report"],
            release.certificate,
            release.computed_by,
            release.computed_person,
            release.computed_at,
        ],
    )


def find_release(conn: Connection, release: str) -> AggregateRelease | None:
    """One release by its id."""
    if not is_uuid(release):
        return None
    with conn.cursor(row_factory=class_row(AggregateRelease)) as cursor:
        return cursor.execute(
            "SELECT id::text, dataset, name, version, instant, state, basis, number, certificate, computed_by,"
            " computed_person, computed_at, reviewed_by, reviewed_person, reviewed_at, published_by, published_at,"
            " recalled_by, recalled_at FROM aggregate_release WHERE id = %s",
            [release],
        ).fetchone()


def list_releases(
    conn: Connection, dataset: str | None = None, state: ReleaseState | None = None
) -> list[AggregateRelease]:
    """Releases by dataset and name, the newest first; of one dataset or all, in one state or any."""
    with conn.cursor(row_factory=class_row(AggregateRelease)) as cursor:
        return cursor.execute(
            "SELECT id::text, dataset, name, version, instant, state, basis, number, certificate, computed_by,"
            " computed_person, computed_at, reviewed_by, reviewed_person, reviewed_at, published_by, published_at,"
            " recalled_by, recalled_at FROM aggregate_release"
            " WHERE (%(dataset)s::text IS NULL OR dataset = %(dataset)s)"
            " AND (%(state)s::text IS NULL OR state = %(state)s) ORDER BY dataset, name, computed_at DESC, id DESC",
            {"dataset": dataset, "state": state},
        ).fetchall()


def find_published(conn: Connection, dataset: str, name: str) -> AggregateRelease | None:
    """The release that is in force now, if there is one."""
    with conn.cursor(row_factory=class_row(AggregateRelease)) as cursor:
        return cursor.execute(
            "SELECT id::text, dataset, name, version, instant, state, basis, number, certificate, computed_by,"
            " computed_person, computed_at, reviewed_by, reviewed_person, reviewed_at, published_by, published_at,"
            " recalled_by, recalled_at FROM aggregate_release WHERE dataset = %s AND name = %s AND state = 'published'",
            [dataset, name],
        ).fetchone()


def read_forms(conn: Connection, release: str) -> Mapping[Form, bytes]:
    """The exact bytes of a release that is there."""
    row = conn.execute("SELECT json, csv, report FROM aggregate_release WHERE id = %s", [release]).fetchone()
    assert row is not None  # noqa: S101 - the caller has found it
    return {"json": bytes(row[0]), "csv": bytes(row[1]), "report": bytes(row[2])}


def review_release(conn: Connection, release: str, actor: str, person: str | None, now: datetime) -> None:
    """The release has been reviewed."""
    conn.execute(
        "UPDATE aggregate_release SET state = 'reviewed', reviewed_by = %s, reviewed_person = %s, reviewed_at = %s"
        " WHERE id = %s",
        [actor, person, now, release],
    )


def publish_release(conn: Connection, release: AggregateRelease, actor: str, now: datetime) -> None:
    """The release is in force and the one before it no more; from now on the release ledger speaks of it."""
    conn.execute(
        "UPDATE aggregate_release SET state = 'superseded' WHERE dataset = %s AND name = %s AND state = 'published'",
        [release.dataset, release.name],
    )
    conn.execute(
        "UPDATE aggregate_release SET state = 'published', number = %s, published_by = %s, published_at = %s"
        " WHERE id = %s",
        [release.basis + 1, actor, now, release.id],
    )


def recall_release(conn: Connection, release: str, actor: str, now: datetime) -> None:
    """The release is gone from the next request on. What it said stays in the release ledger: somebody may have it."""
    conn.execute(
        "UPDATE aggregate_release SET state = 'recalled', recalled_by = %s, recalled_at = %s WHERE id = %s",
        [actor, now, release],
    )


# The release ledger --------------------------------------------------------------------------------------------------


def last_number(conn: Connection, dataset: str) -> int:
    """How many releases of the dataset were ever published."""
    row = conn.execute(
        "SELECT coalesce(max(number), 0) FROM aggregate_release WHERE dataset = %s", [dataset]
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate returns one row
    return int(row[0])


def add_statements(conn: Connection, release: str, statements: Mapping[tuple[str, str], Statement]) -> None:
    """Keep what a release would newly state or withhold, by detail id and region."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO aggregate_statement (release, detail, region, instant, stated, counts)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (release, detail, region, one.instant, one.stated, Jsonb([[list(c), n] for c, n in one.counts.items()]))
                for (detail, region), one in statements.items()
            ],
        )


def read_statements(conn: Connection, dataset: str) -> dict[tuple[str, str], list[Statement]]:
    """All that releases of the dataset ever stated or withheld, oldest first, by detail id and region."""
    rows = conn.execute(
        "SELECT s.detail, s.region, s.instant, s.stated, s.counts FROM aggregate_statement s"
        " JOIN aggregate_release r ON r.id = s.release WHERE r.dataset = %s AND r.number IS NOT NULL ORDER BY r.number",
        [dataset],
    ).fetchall()
    found: dict[tuple[str, str], list[Statement]] = {}
    for detail, region, instant, stated, counts in rows:
        cells = {tuple(cell): count for cell, count in counts}
        found.setdefault((detail, region), []).append(Statement(instant, stated, cells))
    return found


def names_ever_published(conn: Connection, dataset: str) -> set[str]:
    """The aggregates of the dataset of which anything was ever published."""
    rows = conn.execute(
        "SELECT DISTINCT name FROM aggregate_release WHERE dataset = %s AND number IS NOT NULL", [dataset]
    ).fetchall()
    return {str(row[0]) for row in rows}
