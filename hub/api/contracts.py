"""Contracts: where connectors learn what a record is, contracts registered at run time included."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict

from hub.api.dependencies import CallerOf, PartsOf
from hub.api.openapi import header, problems
from hub.exchange.registry_store import ContractVersion, find_contract, list_contracts

router = APIRouter(prefix="/v1/contracts", tags=["contracts"])

NamePath = Annotated[str, Path(description="Name of the contract.", pattern="^[a-z][a-z0-9_]{0,62}$")]
VersionPath = Annotated[str, Path(description="A version, or latest.", pattern="^(latest|[1-9][0-9]{0,8})$")]


class ContractEntry(BaseModel):
    """One version of a contract."""

    model_config = ConfigDict(extra="forbid")

    name: str
    version: int
    base: str
    compatibility: str
    sm3: str
    registered_at: datetime
    href: str


class ContractList(BaseModel):
    """All that are registered."""

    model_config = ConfigDict(extra="forbid")

    contracts: list[ContractEntry]


@router.get("", summary="All contracts in all versions", responses=problems())
def read_contracts(_: CallerOf, parts: PartsOf) -> ContractList:
    """By name and version."""
    with parts.pool.connection() as conn:
        found = list_contracts(conn)
    return ContractList(contracts=[_entry(one) for one in found])


@router.get(
    "/{name}/{version}",
    summary="One version of a contract",
    response_class=Response,
    responses={
        200: {
            "description": "The contract as registered: an Avro record schema with governance.",
            "content": {"application/json": {"schema": {"type": "object"}}},
            "headers": {
                "ETag": header("SM3 of the body; strong."),
                "Content-Location": header("The address of exactly this version."),
            },
        },
        304: {"description": "Unchanged since the ETag given.", "headers": {"ETag": header("As given.")}},
        **problems(404),
    },
)
def read_contract(
    name: NamePath,
    version: VersionPath,
    _: CallerOf,
    parts: PartsOf,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """A version never changes, so its answer may be kept for good; the latest is asked for again, by its ETag."""
    with parts.pool.connection() as conn:
        found = find_contract(conn, name, None if version == "latest" else int(version))
    etag = f'"{found.sm3}"'
    headers = {
        "etag": etag,
        "content-location": _href(found),
        "cache-control": "private, no-cache" if version == "latest" else "private, max-age=31536000, immutable",
    }
    if if_none_match is not None and _matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(found.source, media_type="application/json", headers=headers)


def _matches(header_value: str, etag: str) -> bool:
    """RFC 9110 §13.1.2: weak comparison against each given tag."""
    given = [tag.strip().removeprefix("W/") for tag in header_value.split(",")]
    return etag in given or "*" in given


def _href(found: ContractVersion) -> str:
    return f"{router.prefix}/{found.name}/{found.version}"


def _entry(found: ContractVersion) -> ContractEntry:
    return ContractEntry(
        name=found.name,
        version=found.version,
        base=found.base,
        compatibility=found.compatibility,
        sm3=found.sm3,
        registered_at=found.registered_at,
        href=_href(found),
    )
