"""The registry: which contracts there are in which versions, and the datasets that follow them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from psycopg import Connection
from psycopg.rows import class_row

from catalog import store as catalog_store
from catalog.dataset import Dataset
from catalog.errors import DatasetExists, OrganizationUnknown
from hub.errors import ContractIncompatible, ContractVersionNotNext, ContractVersionTaken, ContractVersionUnknown
from hub.store.tables import create_dataset_tables, extend_dataset_tables, table_name
from schemas.compatibility import problems
from schemas.contract import Contract, parse_contract

Mode = Literal["backward", "forward", "full"]
MODES: tuple[Mode, ...] = ("backward", "forward", "full")
LOCK_TIMEOUT = "30s"  # a new version's columns wait at most so long for a batch under way


@dataclass(frozen=True, slots=True)
class ContractVersion:
    """One row of table contract_version."""

    name: str
    version: int
    base: str
    source: str
    sm3: str
    compatibility: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration did; repeating one does nothing.

    Args:
        contract: as parsed.
        compatibility: the mode its next version is held to.
        is_new: false when this version was registered already with the same content.
        datasets: whose tables got columns.
    """

    contract: Contract
    compatibility: str
    is_new: bool
    datasets: tuple[str, ...]


def register_contract(conn: Connection, text: str, compatibility: Mode | None = None) -> Registered:
    """Register a version of a contract and give the tables of its datasets the new columns.

    A version is held against every earlier one, not the last alone: the tables carry the union of all versions, and
    the log may hold batches of each.

    Raises:
        ContractError: the text is no contract.
        ContractVersionTaken: the version exists with other content.
        ContractVersionNotNext: a version number was left out or lies behind.
        ContractIncompatible: with every field and rule.
    """
    contract = parse_contract(text)
    _lock_registry(conn)
    earlier = _versions_of(conn, contract.name)
    sm3 = hashlib.new("sm3", contract.source.encode()).hexdigest()
    mode: Mode = compatibility or (cast("Mode", earlier[-1].compatibility) if earlier else "backward")
    known = next((one for one in earlier if one.version == contract.version), None)
    if known is not None:
        if known.sm3 != sm3:
            raise ContractVersionTaken(contract=contract.name, version=contract.version)
        return Registered(contract, known.compatibility, is_new=False, datasets=())
    expected = earlier[-1].version + 1 if earlier else 1
    if contract.version != expected:
        raise ContractVersionNotNext(contract=contract.name, version=contract.version, expected=expected)
    for one in reversed(earlier):
        _refuse_incompatible(one, contract, mode)
    conn.execute(
        "INSERT INTO contract_version (name, version, base, source, sm3, compatibility)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [contract.name, contract.version, contract.base, contract.source, sm3, mode],
    )
    return Registered(contract, mode, is_new=True, datasets=_extend_datasets(conn, contract))


def _lock_registry(conn: Connection) -> None:
    """One registration at a time: a dataset made while its contract gets a version would miss the new columns."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('hub registry', 0))")


def _refuse_incompatible(earlier: ContractVersion, contract: Contract, mode: Mode) -> None:
    found = problems(parse_contract(earlier.source), contract, mode)
    if found:
        listed = [{"field": one.field, "rule": one.rule, "zh": one.zh, "en": one.en} for one in found]
        raise ContractIncompatible(
            contract=contract.name,
            version=contract.version,
            earlier=earlier.version,
            mode=mode,
            problems=listed,
            listed_zh=" ".join(f"{one['field']} [{one['rule']}]:{one['zh']}" for one in listed),
            listed_en=" ".join(f"{one['field']} [{one['rule']}]: {one['en']}" for one in listed),
        )


def _extend_datasets(conn: Connection, contract: Contract) -> tuple[str, ...]:
    datasets = tuple(dataset.id for dataset in catalog_store.list_datasets(conn, contract.name))
    if datasets:
        conn.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
    for dataset in datasets:
        extend_dataset_tables(conn, dataset, contract)
    catalog_store.set_contract_version(conn, datasets, contract.version)
    return datasets


def _versions_of(conn: Connection, name: str) -> list[ContractVersion]:
    with conn.cursor(row_factory=class_row(ContractVersion)) as cursor:
        return cursor.execute(
            "SELECT name, version, base, source, sm3, compatibility, registered_at FROM contract_version"
            " WHERE name = %s ORDER BY version",
            [name],
        ).fetchall()


def list_contracts(conn: Connection) -> list[ContractVersion]:
    """Every version of every contract."""
    with conn.cursor(row_factory=class_row(ContractVersion)) as cursor:
        return cursor.execute(
            "SELECT name, version, base, source, sm3, compatibility, registered_at FROM contract_version"
            " ORDER BY name, version"
        ).fetchall()


def find_contract(conn: Connection, name: str, version: int | None = None) -> ContractVersion:
    """One version of a contract, or its latest.

    Raises:
        ContractVersionUnknown: there is none such.
    """
    with conn.cursor(row_factory=class_row(ContractVersion)) as cursor:
        found = cursor.execute(
            "SELECT name, version, base, source, sm3, compatibility, registered_at FROM contract_version"
            " WHERE name = %(name)s AND (%(version)s::integer IS NULL OR version = %(version)s)"
            " ORDER BY version DESC LIMIT 1",
            {"name": name, "version": version},
        ).fetchone()
    if found is None:
        raise ContractVersionUnknown(contract=name, version="latest" if version is None else version)
    return found


def contract_source(conn: Connection, name: str, version: int) -> str | None:
    """The text of one version, as registered."""
    row = conn.execute(
        "SELECT source FROM contract_version WHERE name = %s AND version = %s", [name, version]
    ).fetchone()
    return None if row is None else str(row[0])


def contract_of(conn: Connection, dataset: Dataset) -> Contract:
    """The version of its contract that a dataset's tables hold the columns of."""
    return parse_contract(find_contract(conn, dataset.contract, dataset.contract_version).source)


def register_dataset(
    conn: Connection,
    dataset: str,
    contract_name: str,
    organization: str,
    *,
    title_zh: str | None = None,
    title_en: str | None = None,
) -> tuple[Dataset, bool]:
    """Register a dataset of an organization and make its tables; its topic in the log is the caller's to make.

    Returns the dataset and whether it is new: registering the same one again does nothing.

    Raises:
        OrganizationUnknown, ContractVersionUnknown: what it names must be there first.
        DatasetExists: the id is taken by another organization or contract.
    """
    _lock_registry(conn)
    version = find_contract(conn, contract_name)
    contract = parse_contract(version.source)
    wanted = Dataset(
        id=dataset,
        contract=contract.name,
        contract_version=contract.version,
        organization=organization,
        title_zh=title_zh or contract.title_zh,
        title_en=title_en or contract.title_en,
        base=contract.base,
        table_name=table_name(dataset),
    )
    if catalog_store.find_organization(conn, organization) is None:
        raise OrganizationUnknown(organization=organization)
    known = catalog_store.find_dataset(conn, dataset)
    if known is not None:
        if (known.contract, known.organization) != (wanted.contract, wanted.organization):
            raise DatasetExists(dataset=dataset)
        return known, False
    create_dataset_tables(conn, dataset, contract)
    catalog_store.add_dataset(conn, wanted)
    return wanted, True
