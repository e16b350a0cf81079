"""The rows of the schema registry: writer schemas by id, and the versions of each subject."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import class_row

from catalog.dataset import Dataset
from hub.exchange.log import TOPIC_PREFIX
from schemas.subject_schema import Part, SubjectSchema

_SELECT: Final = (
    "SELECT v.dataset, v.part, v.version, v.contract, s.id, s.source, s.sm3"
    " FROM subject_version v JOIN writer_schema s ON s.id = v.writer_schema"
)


@dataclass(frozen=True, slots=True)
class SubjectVersion:
    """One version of a subject.

    Args:
        dataset: whose topic.
        part: of the topic's messages.
        version: from 1, by subject.
        contract: the version of the contract that it resolves to.
        id: of the schema, the same in every subject.
        source: the schema's text, as it was first handed in.
        sm3: of what the text says.
    """

    dataset: str
    part: Part
    version: int
    contract: int
    id: int
    source: str
    sm3: str

    @property
    def subject(self) -> str:
        """Its subject's name, as Kafka's tools make it from the topic's."""
        return subject_name(self.dataset, self.part)


def subject_name(dataset: str, part: Part) -> str:
    """A subject by its topic and the part of its messages."""
    return f"{TOPIC_PREFIX}{dataset}-{part}"


def list_versions(conn: Connection, dataset: str, part: Part) -> list[SubjectVersion]:
    """All versions of a subject, the first one first."""
    with conn.cursor(row_factory=class_row(SubjectVersion)) as cursor:
        return cursor.execute(
            _SELECT + " WHERE v.dataset = %s AND v.part = %s ORDER BY v.version",
            [dataset, part],
        ).fetchall()


def versions_of_schema(conn: Connection, id_: int) -> list[SubjectVersion]:
    """Where a schema is registered."""
    with conn.cursor(row_factory=class_row(SubjectVersion)) as cursor:
        return cursor.execute(
            _SELECT + " WHERE s.id = %s ORDER BY v.dataset, v.part",
            [id_],
        ).fetchall()


def writer_of(conn: Connection, dataset: str, part: Part, id_: int) -> SubjectVersion | None:
    """The version under which a topic's records name a schema; it never changes."""
    with conn.cursor(row_factory=class_row(SubjectVersion)) as cursor:
        return cursor.execute(
            _SELECT + " WHERE v.dataset = %s AND v.part = %s AND s.id = %s",
            [dataset, part, id_],
        ).fetchone()


def lock_subjects(conn: Connection, dataset: str) -> None:
    """One registration at a time for a dataset, to the end of the transaction: versions are numbered in order."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('hub subjects ' || %s, 0))", [dataset])


def add_version(
    conn: Connection, dataset: Dataset, part: Part, schema: SubjectSchema, registered_by: str
) -> SubjectVersion:
    """Register a schema as the next version of a subject, under ``lock_subjects``; one that is known stays as it is."""
    known = [one for one in list_versions(conn, dataset.id, part) if one.sm3 == schema.sm3]
    if known:
        return known[0]
    conn.execute(
        "INSERT INTO writer_schema (sm3, source) VALUES (%s, %s) ON CONFLICT (sm3) DO NOTHING",
        [schema.sm3, schema.text],
    )
    conn.execute(
        "INSERT INTO subject_version (dataset, part, version, writer_schema, contract, registered_by)"
        " SELECT %(dataset)s, %(part)s, coalesce(max(v.version), 0) + 1,"
        " (SELECT id FROM writer_schema WHERE sm3 = %(sm3)s), %(contract)s, %(by)s"
        " FROM subject_version v WHERE v.dataset = %(dataset)s AND v.part = %(part)s",
        {
            "dataset": dataset.id,
            "part": part,
            "sm3": schema.sm3,
            "contract": dataset.contract_version,
            "by": registered_by,
        },
    )
    return next(one for one in list_versions(conn, dataset.id, part) if one.sm3 == schema.sm3)


def sendable_datasets(conn: Connection, sender: str) -> Sequence[str]:
    """Ids of the datasets that an organization owns or may hand in."""
    rows = conn.execute(
        "SELECT id FROM dataset WHERE organization = %(sender)s UNION SELECT dataset FROM mandate"
        " WHERE sender = %(sender)s AND revoked_at IS NULL ORDER BY id",
        {"sender": sender},
    ).fetchall()
    return [str(row[0]) for row in rows]
