"""The ledger: its signed head, proofs, and keys. Heads and consistency are everybody's; a leaf's proof is not."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from catalog.caller import Caller
from hub.api.dependencies import CallerOf, PartsOf
from hub.api.openapi import Responses, problems
from hub.api.parameters import OPAQUE_ID
from hub.ledger import checkpoint_store, tree_store
from hub.ledger.bundle import hashes_to_json, key_to_json, make_bundle, stored_leaf
from hub.ledger.errors import CheckpointUnknown, LeafUnknown
from hub.ledger.leaf import read_record
from hub.ledger.proof import consistency_path

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])

SIZE_MAX = 2**63 - 1
Size = Annotated[int, Query(ge=0, le=SIZE_MAX, description="Leaves in the tree.")]
LeafPath = Annotated[str, Path(description="Id of the leaf.", pattern=OPAQUE_ID)]
TEXT: Responses = {200: {"description": "A signed note: text, blank line, signatures.", "content": {"text/plain": {}}}}


class KeyAnswer(BaseModel):
    """A public key that signs or witnesses checkpoints."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: Literal["ledger", "witness"]
    key_id: str = Field(description="First four bytes of SHA-256 over name, type and key, as in the signature lines.")
    public_pem: str


class KeyList(BaseModel):
    """All keys, the ledger's own first."""

    model_config = ConfigDict(extra="forbid")

    keys: list[KeyAnswer]


class ConsistencyAnswer(BaseModel):
    """That the later tree begins with the earlier one (RFC 9162 §2.1.4)."""

    model_config = ConfigDict(extra="forbid")

    earlier: int
    later: int
    path: list[str] = Field(description="Hashes in base64.")


class ProofAnswer(BaseModel):
    """All it takes to prove a leaf offline (RFC 9162 §2.1.3), with `verify_standalone.py`."""

    model_config = ConfigDict(extra="forbid")

    v: Literal[1]
    leaf: str
    record: str = Field(description="The leaf's bytes as hashed, base64.")
    index: int
    size: int = Field(description="As in the checkpoint; who verifies takes it from there.")
    path: list[str] = Field(description="Hashes in base64, from the leaf up.")
    checkpoint: str = Field(description="The signed note.")
    keys: list[KeyAnswer] = Field(description="For convenience: the key one verifies with comes from elsewhere.")


def _of_all(*statuses: int) -> Responses:
    """The problems of what needs no token."""
    return {status: one for status, one in problems(*statuses).items() if status != 401}  # noqa: PLR2004 - no token, so none is wrong


@router.get(
    "/checkpoint", summary="The newest signed head", response_class=PlainTextResponse, responses=TEXT | _of_all(404)
)
def read_checkpoint(parts: PartsOf) -> PlainTextResponse:
    """With the witnesses' signatures so far. Keep it: a later one must go on from it."""
    with parts.pool.connection() as conn:
        found = checkpoint_store.newest(conn)
        if found is None:
            raise CheckpointUnknown(size=0)
        return PlainTextResponse(checkpoint_store.with_cosignatures(conn, found).to_text())


@router.get(
    "/checkpoints", summary="The head of a size", response_class=PlainTextResponse, responses=TEXT | _of_all(404)
)
def read_checkpoint_of_size(size: Size, parts: PartsOf) -> PlainTextResponse:
    """The last one that was signed of exactly this size."""
    with parts.pool.connection() as conn:
        found = checkpoint_store.of_size(conn, size)
        if found is None:
            raise CheckpointUnknown(size=size)
        return PlainTextResponse(checkpoint_store.with_cosignatures(conn, found).to_text())


@router.get("/consistency", summary="That a head goes on from an earlier one", responses=_of_all(404))
def read_consistency(
    parts: PartsOf,
    earlier: Annotated[int, Query(alias="from", ge=0, le=SIZE_MAX, description="Size of the earlier tree.")],
    later: Annotated[int, Query(alias="to", ge=0, le=SIZE_MAX, description="Size of the later tree.")],
) -> ConsistencyAnswer:
    """Both sizes from signed heads, the roots too: the proof alone says nothing."""
    with parts.pool.connection() as conn:
        size = tree_store.read_head(conn).size
        if later > size or earlier > later:
            raise CheckpointUnknown(size=max(earlier, later))
        path = consistency_path(earlier, later, tree_store.nodes_of(conn))
    return ConsistencyAnswer(earlier=earlier, later=later, path=hashes_to_json(path))


@router.get("/keys", summary="Public keys of the ledger and its witnesses", responses=_of_all())
def read_keys(parts: PartsOf) -> KeyList:
    """To compare with those you got elsewhere; whoever could change the ledger could change this list."""
    with parts.pool.connection() as conn:
        found = checkpoint_store.list_keys(conn)
    return KeyList(keys=[KeyAnswer.model_validate(key_to_json(key)) for key in found])


@router.get(
    "/leaves/{leaf}/proof",
    summary="The proof of a leaf",
    responses=problems(404, on_404="No such leaf, or not one of yours."),
)
def read_proof(leaf: LeafPath, caller: CallerOf, parts: PartsOf) -> ProofAnswer:
    """For auditors, for who acted, and for the organization that acted or was acted for. 503 until it is sealed."""
    with parts.pool.connection() as conn:
        stored = stored_leaf(conn, leaf)
        if not may_prove(caller, read_record(stored.bytes)):
            raise LeafUnknown(leaf=leaf)
        return ProofAnswer.model_validate(make_bundle(conn, leaf, stored))


def may_prove(caller: Caller, members: dict[str, object]) -> bool:
    """Whether a leaf is any of the caller's business."""
    concerned = {str(members[name]).removeprefix("organization:") for name in ("actor_org", "on_behalf_of")}
    own = caller.organization is not None and caller.organization in concerned
    return "auditor" in caller.roles or own or (caller.identified and caller.id == members["actor"])
