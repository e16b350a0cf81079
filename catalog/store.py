"""Rows of organizations, datasets and mandates. A connection comes first; nothing commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from catalog.dataset import Dataset
from catalog.errors import MandateUnknown, OrganizationExists
from catalog.organization import Organization

# Organizations -------------------------------------------------------------------------------------------------------


def add_organization(conn: Connection, organization: Organization) -> None:
    """Register an organization."""
    try:
        with conn.transaction():  # a savepoint: the caller's transaction lives on
            conn.execute(
                "INSERT INTO organization (id, name_zh, name_en, level, region, credit_code)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    organization.id,
                    organization.name_zh,
                    organization.name_en,
                    organization.level,
                    organization.region,
                    organization.credit_code,
                ],
            )
    except UniqueViolation as taken:
        raise OrganizationExists(organization=organization.id) from taken


def find_organization(conn: Connection, organization: str) -> Organization | None:
    """One organization by its id."""
    with conn.cursor(row_factory=class_row(Organization)) as cursor:
        return cursor.execute(
            "SELECT id, name_zh, name_en, level, region, credit_code FROM organization WHERE id = %s", [organization]
        ).fetchone()


def list_organizations(conn: Connection) -> list[Organization]:
    """All organizations by id."""
    with conn.cursor(row_factory=class_row(Organization)) as cursor:
        return cursor.execute(
            "SELECT id, name_zh, name_en, level, region, credit_code FROM organization ORDER BY id"
        ).fetchall()


# Datasets ------------------------------------------------------------------------------------------------------------


def add_dataset(conn: Connection, dataset: Dataset) -> None:
    """Insert the row of a dataset and its statistics; the tables are the caller's."""
    conn.execute(
        "INSERT INTO dataset (id, contract, contract_version, organization, title_zh, title_en, base, table_name)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            dataset.id,
            dataset.contract,
            dataset.contract_version,
            dataset.organization,
            dataset.title_zh,
            dataset.title_en,
            dataset.base,
            dataset.table_name,
        ],
    )
    conn.execute("INSERT INTO dataset_statistics (dataset) VALUES (%s)", [dataset.id])


def find_dataset(conn: Connection, dataset: str) -> Dataset | None:
    """One dataset by its id."""
    with conn.cursor(row_factory=class_row(Dataset)) as cursor:
        return cursor.execute(
            "SELECT id, contract, contract_version, organization, title_zh, title_en, base, table_name"
            " FROM dataset WHERE id = %s",
            [dataset],
        ).fetchone()


def list_datasets(conn: Connection, contract: str | None = None) -> list[Dataset]:
    """All datasets by id, or those that follow one contract."""
    with conn.cursor(row_factory=class_row(Dataset)) as cursor:
        return cursor.execute(
            "SELECT id, contract, contract_version, organization, title_zh, title_en, base, table_name"
            " FROM dataset WHERE %(contract)s::text IS NULL OR contract = %(contract)s ORDER BY id",
            {"contract": contract},
        ).fetchall()


def set_contract_version(conn: Connection, datasets: Sequence[str], version: int) -> None:
    """The tables of these datasets have the columns of this version now."""
    conn.execute("UPDATE dataset SET contract_version = %s WHERE id = ANY(%s)", [version, list(datasets)])


# Mandates ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who may hand in batches of whose dataset, and on what basis."""

    sender: str
    organization: str
    dataset: str
    basis: str
    created_at: datetime
    revoked_at: datetime | None


def add_mandate(conn: Connection, sender: str, organization: str, dataset: str, basis: str) -> None:
    """Record a mandate; one that was revoked is given again."""
    conn.execute(
        "INSERT INTO mandate (sender, organization, dataset, basis) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (sender, organization, dataset)"
        " DO UPDATE SET basis = excluded.basis, created_at = now(), revoked_at = NULL",
        [sender, organization, dataset, basis],
    )


def revoke_mandate(conn: Connection, sender: str, dataset: str, now: datetime) -> None:
    """End a mandate; it counts no more from the sender's next batch on."""
    revoked = conn.execute(
        "UPDATE mandate SET revoked_at = %s WHERE sender = %s AND dataset = %s AND revoked_at IS NULL",
        [now, sender, dataset],
    ).rowcount
    if not revoked:
        raise MandateUnknown(sender=sender, dataset=dataset)


def list_mandates(conn: Connection) -> list[Mandate]:
    """All mandates, the revoked ones too."""
    with conn.cursor(row_factory=class_row(Mandate)) as cursor:
        return cursor.execute(
            "SELECT sender, organization, dataset, basis, created_at, revoked_at FROM mandate ORDER BY dataset, sender"
        ).fetchall()


def has_mandate(conn: Connection, sender: str, organization: str, dataset: str) -> bool:
    """Whether ``sender`` may hand in batches of ``organization``'s dataset now."""
    found = conn.execute(
        "SELECT 1 FROM mandate WHERE sender = %s AND organization = %s AND dataset = %s AND revoked_at IS NULL",
        [sender, organization, dataset],
    ).fetchone()
    return found is not None


def mandators(conn: Connection, sender: str) -> list[str]:
    """Whose batches ``sender`` has ever been allowed to hand in; the receipts of those it sent stay readable."""
    rows = conn.execute(
        "SELECT DISTINCT organization FROM mandate WHERE sender = %s ORDER BY organization", [sender]
    ).fetchall()
    return [str(row[0]) for row in rows]
