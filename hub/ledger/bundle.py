"""What proves one leaf to anyone, offline: its bytes, its place, the way up to the root, and the signed checkpoint."""

import base64
from typing import Any, Final

from psycopg import Connection

from hub.ledger import checkpoint_store, leaf_store, tree_store
from hub.ledger.checkpoint_store import LedgerKey, StoredCheckpoint
from hub.ledger.errors import LeafNotSealed, LeafUnknown
from hub.ledger.leaf import Opening, is_leaf_id
from hub.ledger.leaf_store import StoredLeaf
from hub.ledger.proof import inclusion_path

VERSION: Final = 1


def stored_leaf(conn: Connection, leaf: str) -> StoredLeaf:
    """A leaf by its id.

    Raises:
        LeafUnknown: there is none.
    """
    found = leaf_store.find_leaf(conn, leaf) if is_leaf_id(leaf) else None
    if found is None:
        raise LeafUnknown(leaf=leaf)
    return found


def make_bundle(conn: Connection, leaf: str, stored: StoredLeaf) -> dict[str, Any]:
    """The bundle of a sealed leaf under the newest checkpoint that all witnesses cosigned, else the newest of all.

    The size is told for people: who verifies takes it from the checkpoint.

    Raises:
        LeafNotSealed: it is recorded and waits to be sealed.
    """
    checkpoint = None if stored.leaf_index is None else _checkpoint_over(conn, stored.leaf_index)
    if stored.leaf_index is None or checkpoint is None:
        raise LeafNotSealed(leaf=leaf)
    path = inclusion_path(stored.leaf_index, checkpoint.size, tree_store.nodes_of(conn))
    return {
        "v": VERSION,
        "leaf": leaf,
        "record": base64.b64encode(stored.bytes).decode("ascii"),
        "index": stored.leaf_index,
        "size": checkpoint.size,
        "path": hashes_to_json(path),
        "checkpoint": checkpoint_store.with_cosignatures(conn, checkpoint).to_text(),
        "keys": [key_to_json(key) for key in checkpoint_store.list_keys(conn)],
    }


def openings_to_json(openings: list[Opening]) -> list[dict[str, str]]:
    """What opens a record's commitments, for whom it may be told."""
    return [{"member": one.member, "salt": one.salt.hex(), "value": one.value} for one in openings]


def hashes_to_json(hashes: list[bytes]) -> list[str]:
    """Hashes as they travel."""
    return [base64.b64encode(one).decode("ascii") for one in hashes]


def key_to_json(key: LedgerKey) -> dict[str, str]:
    """A public key as it travels. Whoever verifies compares it with one they got elsewhere."""
    return {"name": key.name, "kind": key.kind, "key_id": key.key_id, "public_pem": key.public_pem}


def _checkpoint_over(conn: Connection, index: int) -> StoredCheckpoint | None:
    witnesses = {key.name for key in checkpoint_store.list_keys(conn) if key.kind == "witness"}
    return checkpoint_store.newest_cosigned(conn, index + 1, len(witnesses)) or checkpoint_store.newest(conn)
