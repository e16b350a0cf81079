"""Catalogue entries for tests: the people who act on them, the demo's entries, and one brought into force."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from psycopg import Connection

from catalog.caller import Caller, Role
from catalog.dataset import Dataset
from catalog.entry import Entry
from catalog.entry_json import entry_from_draft
from catalog.entry_store import EntryVersion
from catalog.organization import Organization
from catalog.store import add_organization, find_organization
from hub.acts import entries
from hub.acts.entries import SecrecyOpinion
from hub.exchange.registry_store import register_contract, register_dataset
from schemas.contract import Contract, load_shipped
from seeds.roster import DATASETS

ENTRIES = Path(__file__).parent.parent.parent / "seeds" / "entries"
NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)


def person(name: str, *roles: Role, organization: str | None = "gong-an", human: str | None = None) -> Caller:
    """An account of a person; two accounts of one person share ``human``."""
    tier = "department" if organization is not None else "registered"
    return Caller(f"person:{name}", organization, frozenset(roles), tier, human or name)


@dataclass(frozen=True, slots=True)
class Office:
    """Everyone an entry of one organization needs."""

    steward: Caller
    reviewer: Caller
    secrecy: Caller
    administrator: Caller


def office(organization: str = "gong-an") -> Office:
    """The owner's steward, and the hub's own people."""
    return Office(
        person(f"steward-{organization}", "steward", organization=organization),
        person("reviewer", "reviewer", organization="da-shu-ju"),
        person("secrecy", "reviewer", organization="da-shu-ju"),
        person("administrator", "administrator", organization="da-shu-ju"),
    )


@cache
def contracts() -> dict[str, Contract]:
    return {contract.name: contract for contract in load_shipped()}


def given(name: str, /, **changes: Any) -> dict[str, Any]:
    """The demo's entry of a dataset as its provider writes it, but for what is to be otherwise."""
    return deepcopy(yaml.safe_load((ENTRIES / f"{name}.yaml").read_text(encoding="utf-8"))) | changes


def entry(name: str, /, **changes: Any) -> Entry:
    """The same as an entry, without a database."""
    contract = contracts()[name]
    owner = next(one.organization for one in DATASETS if one.name == name)
    dataset = Dataset(
        f"420000.{name}", name, 1, owner, contract.title_zh, contract.title_en, contract.base, f"420000_{name}"
    )
    organization = Organization(owner, owner, owner, "province", "420000")
    return entry_from_draft(given(name, **changes), dataset, contract, organization)


def register(conn: Connection, *names: str) -> None:
    """Organizations, contracts and datasets of the demo, as many as are named."""
    for name in names:
        owner = next(one.organization for one in DATASETS if one.name == name)
        if find_organization(conn, owner) is None:
            add_organization(conn, Organization(owner, f"{owner}厅", f"Department {owner}", "province", "420000"))
        register_contract(conn, contracts()[name].source)
        register_dataset(conn, f"420000.{name}", name, owner)


def publish(
    conn: Connection, name: str, now: datetime = NOW, *, owner: str | None = None, **changes: Any
) -> EntryVersion:
    """Draft, submit, review, secrecy review and publish an entry, each by who may."""
    dataset = f"420000.{name}"
    owner = owner or next(one.organization for one in DATASETS if one.name == name)
    who = office(owner)
    made = entries.draft(conn, who.steward, dataset, given(name, **changes), now)
    entries.submit(conn, who.steward, dataset, made.version, made.sm3, now)
    entries.review(conn, who.reviewer, dataset, made.version, made.sm3, now)
    opinion = SecrecyOpinion(passed=True, opinion="不涉密", impact="已评估,去标识化后共享")
    entries.secrecy_review(conn, who.secrecy, dataset, made.version, made.sm3, opinion, now)
    return entries.publish(conn, who.administrator, dataset, made.version, made.sm3, now)
