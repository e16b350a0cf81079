"""The act of erasing: by the dataset's steward or an administrator, with its leaf in the ledger."""

from datetime import datetime
from typing import Final

from psycopg import Connection

from catalog.caller import Caller, Role
from catalog.errors import DatasetUnknown, RoleNeeded
from catalog.request_errors import ReasonsMissing
from catalog.store import find_dataset
from hub.acts.requests import check_text
from hub.exchange.apply.erase import Erased, erase
from hub.exchange.apply.target import Target
from hub.exchange.erasure_keys import ErasureKeys
from hub.exchange.registry_store import contract_of
from hub.ledger.leaf import Leaf
from hub.ledger.leaf_store import append

ERASERS: Final[tuple[Role, ...]] = ("administrator", "steward")


def erase_record(
    conn: Connection, actor: Caller, dataset: str, key: tuple[str, ...], reason: str, keys: ErasureKeys, now: datetime
) -> Erased:
    """Erase one record by its key's parts in text form.

    The leaf commits to the commitment of the key: what opens the leaf would else hold the key.

    Raises:
        DatasetUnknown: there is none.
        RoleNeeded: the actor is neither an administrator nor the steward of its own dataset.
        ReasonsMissing: no reason is given.
        RecordUnknown: neither the tables nor the quarantine hold the key.
    """
    actor.require(*ERASERS)
    found = find_dataset(conn, dataset)
    if found is None:
        raise DatasetUnknown(dataset=dataset)
    if "administrator" not in actor.roles and actor.organization != found.organization:
        raise RoleNeeded(roles=", ".join(ERASERS))
    if not reason.strip():
        raise ReasonsMissing
    check_text("reason", reason)
    erased = erase(conn, Target(dataset, contract_of(conn, found)), key, keys, reason=reason, actor=actor.id)
    leaf = Leaf(
        action="record.erased",
        actor=actor.id,
        actor_org=actor.organization or "",
        on_behalf_of=f"organization:{found.organization}",
        object=f"dataset:{dataset}",
        object_version="" if erased.version is None else ".".join(map(str, erased.version)),
        rows=erased.rows,
        confidential={"record_key": erased.commitment, "reason": reason},
    )
    append(conn, leaf, now)
    return erased
