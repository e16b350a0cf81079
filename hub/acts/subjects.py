"""Acts on the schema registry: what a department's own tools write its records with."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from catalog.caller import Caller
from catalog.dataset import Dataset
from catalog.errors import DatasetUnknown
from hub.exchange.door import dataset_for
from hub.exchange.log import TOPIC_PREFIX
from hub.exchange.registry_store import contract_of
from hub.exchange.subject_errors import SubjectSchemaUnfit, SubjectUnknown
from hub.exchange.subject_store import (
    SubjectVersion,
    add_version,
    list_versions,
    lock_subjects,
    sendable_datasets,
    subject_name,
    versions_of_schema,
)
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append
from schemas.contract import Contract
from schemas.subject_schema import OPERATIONS, Part, SubjectSchema, misfits, own_schema

HUB: Final = "hub"
_SUBJECT: Final = re.compile(re.escape(TOPIC_PREFIX) + r"([0-9]{6}\.[a-z][a-z0-9_]{0,62})-(key|value)")


def list_subjects(conn: Connection, sender: str) -> list[str]:
    """The subjects of all that an organization may hand in, by name."""
    return sorted(subject_name(one, part) for one in sendable_datasets(conn, sender) for part in OPERATIONS)


def find_subject(conn: Connection, sender: str, subject: str, prefix: str = "") -> tuple[Dataset, Part]:
    """The dataset of a subject, whose name stands behind a prefix, and the part of its messages.

    Raises:
        SubjectUnknown: there is none, or none of theirs; the two look the same.
    """
    found = _SUBJECT.fullmatch(subject, len(prefix)) if subject.startswith(prefix) else None
    unknown = SubjectUnknown(subject=ascii(subject)[1:-1][:100])
    if found is None:
        raise unknown
    try:
        dataset = dataset_for(conn, sender, found[1])
    except DatasetUnknown:
        raise unknown from None
    return dataset, "key" if found[2] == "key" else "value"


def versions(conn: Connection, dataset: Dataset, part: Part) -> list[SubjectVersion]:
    """All versions of a subject. The schema of the contract itself is one, from the first time anyone asks."""
    known = list_versions(conn, dataset.id, part)
    own = own_schema(contract_of(conn, dataset), part)
    if any(one.sm3 == own.sm3 for one in known):
        return known
    lock_subjects(conn, dataset.id)
    add_version(conn, dataset, part, own, HUB)
    return list_versions(conn, dataset.id, part)


def register(
    conn: Connection, actor: Caller, dataset: Dataset, part: Part, schema: SubjectSchema, now: datetime
) -> SubjectVersion:
    """Register a writer schema; one that is known keeps its id and version.

    Raises:
        SubjectSchemaUnfit: with every field and rule.
    """
    lock_subjects(conn, dataset.id)
    known = [one for one in versions(conn, dataset, part) if one.sm3 == schema.sm3]
    if known:
        return known[0]
    contract = contract_of(conn, dataset)
    found = problems_of(contract, schema, part)
    if found:
        raise SubjectSchemaUnfit(
            subject=subject_name(dataset.id, part),
            contract=contract.name,
            version=contract.version,
            problems=found,
            listed_zh=" ".join(f"{one['field']} [{one['rule']}]:{one['zh']}" for one in found),
            listed_en=" ".join(f"{one['field']} [{one['rule']}]: {one['en']}" for one in found),
        )
    made = add_version(conn, dataset, part, schema, actor.id)
    leaf = Leaf(
        action="subject.registered",
        actor=actor.id,
        actor_org=actor.organization or "",
        object=f"subject:{made.subject}",
        object_version=f"{made.version}, schema {made.id}",
        result_sm3=made.sm3,
    )
    append(conn, leaf, now)
    return made


def problems_of(contract: Contract, schema: SubjectSchema, part: Part) -> Sequence[dict[str, Any]]:
    """What keeps a schema from a subject: field, rule, and the sentence in both languages."""
    return [
        {"field": one.field, "rule": one.rule, "zh": one.zh, "en": one.en} for one in misfits(contract, schema, part)
    ]


def find_schema(conn: Connection, sender: str, id_: int) -> list[SubjectVersion]:
    """Where a schema stands among the subjects of a sender; empty where it does not."""
    mine = set(sendable_datasets(conn, sender))
    return [one for one in versions_of_schema(conn, id_) if one.dataset in mine]
