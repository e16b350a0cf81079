"""What is done to entries over HTTP: each endpoint is one act of ``hub.acts.entries``."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from catalog.classification import propose
from catalog.entry_errors import EntryUnknown
from catalog.store import find_dataset
from catalog.visibility import sight_of
from hub.acts import entries
from hub.acts.entries import SecrecyOpinion
from hub.acts.shown_entry import shown_review, shown_version
from hub.api.catalog import DatasetPath
from hub.api.catalog_bodies import (
    DraftBody,
    LevelBody,
    ProposalsAnswer,
    ReviewAnswer,
    ReviewBody,
    SecrecyBody,
    SendBackBody,
    VersionAnswer,
    VersionBody,
    WithdrawBody,
)
from hub.api.dependencies import CallerOf, PartsOf
from hub.api.openapi import problems
from hub.exchange.registry_store import contract_of

router = APIRouter(prefix="/v1/catalog/entries/{dataset}", tags=["catalog"])

_MOVED: dict[int | str, dict[str, Any]] = {200: {"model": VersionAnswer}, **problems(403, 404, 409)}


@router.post("/draft", summary="Write a draft", responses=_MOVED)
def write_draft(dataset: DatasetPath, draft: DraftBody, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """Replaces the draft in work, or begins the next version."""
    with parts.pool.connection() as conn:
        made = entries.draft(conn, caller, dataset, draft.given(), parts.clock())
    return JSONResponse(shown_version(made))


@router.post("/submit", summary="Submit a draft for review", responses=_MOVED)
def submit(dataset: DatasetPath, body: VersionBody, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """From here on its content never changes."""
    with parts.pool.connection() as conn:
        made = entries.submit(conn, caller, dataset, body.version, body.sm3, parts.clock())
    return JSONResponse(shown_version(made))


@router.post("/review", summary="Approve a submitted version", responses=_MOVED)
def review(dataset: DatasetPath, body: ReviewBody, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """By another person than who drafted or submitted it."""
    with parts.pool.connection() as conn:
        made = entries.review(conn, caller, dataset, body.version, body.sm3, parts.clock(), body.note)
    return JSONResponse(shown_version(made))


@router.post(
    "/secrecy-review",
    summary="Record a secrecy review",
    responses={200: {"model": ReviewAnswer}, **problems(403, 404, 409)},
)
def review_secrecy(dataset: DatasetPath, body: SecrecyBody, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """保密审查 by another person; the last one of a version counts, at once."""
    outcome = SecrecyOpinion(body.passed, body.opinion, body.impact)
    with parts.pool.connection() as conn:
        made = entries.secrecy_review(conn, caller, dataset, body.version, body.sm3, outcome, parts.clock())
    return JSONResponse(shown_review(made))


@router.post("/send-back", summary="Send a version back", responses=_MOVED)
def send_back(dataset: DatasetPath, body: SendBackBody, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """With reasons; it is corrected in a new version."""
    with parts.pool.connection() as conn:
        made = entries.send_back(conn, caller, dataset, body.version, body.reasons, parts.clock())
    return JSONResponse(shown_version(made))


@router.post("/publish", summary="Put a reviewed version in force", responses=_MOVED)
def publish(dataset: DatasetPath, body: VersionBody, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """By a third person, after a passed secrecy review."""
    with parts.pool.connection() as conn:
        made = entries.publish(conn, caller, dataset, body.version, body.sm3, parts.clock())
    return JSONResponse(shown_version(made))


@router.post("/withdraw", summary="Take an entry out of force", responses=_MOVED)
def withdraw(dataset: DatasetPath, body: WithdrawBody, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """Nothing of the dataset is released from the next request on."""
    with parts.pool.connection() as conn:
        made = entries.withdraw(conn, caller, dataset, body.reasons, parts.clock())
    return JSONResponse(shown_version(made))


@router.post("/levels", summary="Raise the level of a field", status_code=204, responses=problems(403, 404, 409))
def raise_level(dataset: DatasetPath, body: LevelBody, caller: CallerOf, parts: PartsOf) -> None:
    """At once; it can only become stricter."""
    with parts.pool.connection() as conn:
        entries.raise_level(conn, caller, dataset, body.field, body.level, body.reasons, parts.clock())


@router.get(
    "/proposals",
    summary="Labels suggested for the fields",
    responses={200: {"model": ProposalsAnswer}, **problems(404)},
)
def read_proposals(dataset: DatasetPath, caller: CallerOf, parts: PartsOf) -> JSONResponse:
    """From names, checks and types; for who works on the entry."""
    with parts.pool.connection() as conn:
        found = find_dataset(conn, dataset)
        if found is None or not sight_of(caller).covers_work_of(found.organization):
            raise EntryUnknown(dataset=dataset)
        proposals = propose(contract_of(conn, found), {})
    shown = [
        {
            "field": one.field,
            "level": one.level,
            "kind": one.kind,
            "signs": [
                {"kind": sign.kind, "level": sign.level, "zh": sign.why_zh, "en": sign.why_en} for sign in one.signs
            ],
        }
        for one in proposals
    ]
    return JSONResponse({"dataset": dataset, "proposals": shown})
