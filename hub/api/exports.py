"""Whole datasets as files, streamed, and how each export went."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from catalog.caller import PUBLIC_ID
from catalog.decision import Asked
from hub.api.asked import asked_of
from hub.api.datasets import STATED, DatasetPath
from hub.api.dependencies import CallerNowOf, CallerOf, PartsOf
from hub.api.openapi import header, problems
from hub.api.parameters import OPAQUE_ID, Instant
from hub.api.streaming import Streamed
from hub.release.export import ExportAsk
from hub.release.export_format import OFFERED
from hub.release.export_store import ExportRow
from hub.release.formats import chosen_format, for_spreadsheet
from hub.release.page import instant_text

router = APIRouter(tags=["exports"])

_NAMES = [one.name for one in OFFERED]


class Point(BaseModel):
    """A record boundary: keep this many bytes of the file, and go on from there."""

    model_config = ConfigDict(extra="forbid")

    rows: int
    bytes: int
    after: str = Field(description="Cursor for ?after= of the same dataset and format.")


class ExportShown(BaseModel):
    """How an export went."""

    model_config = ConfigDict(extra="forbid")

    id: str
    dataset: str
    format: str
    instant: datetime
    state: str = Field(description="open while it runs, then complete or cut.")
    why: str = Field(description="Why it was cut: policy, quota, disconnected, stalled, slow, store or lost.")
    rows: int
    bytes: int
    sm3: str | None = Field(description="Of all bytes of records that were sent, hexadecimal.")
    terms: str = Field(description="Digest of fields, treatments and rows it was given under.")
    continues: str | None = Field(description="The export whose file it goes on with.")
    points: list[Point] = Field(description="The last record boundaries, where a file can go on.")
    opened_at: datetime
    closed_at: datetime | None


@router.get(
    "/v1/datasets/{dataset}/export",
    summary="A whole dataset as a file",
    response_class=Response,
    responses={
        200: {
            "description": "Every record the caller may have, in the order of the key, at one instant. Complete only "
            "if the transfer ends regularly; GET /v1/exports/{id} then has its digest.",
            "content": {one.media_type: {"schema": {"type": "string", "format": "binary"}} for one in OFFERED},
            "headers": {
                "hub-export": header("Id of the export, and of its leaf in the ledger."),
                "hub-instant": header("The records are those of this moment."),
                "hub-terms": header("Digest of fields, treatments and rows it is given under."),
            },
        },
        **problems(401, 403, 404, 406, 409, 429, 503),
    },
    openapi_extra={"parameters": STATED},
)
def export_dataset(
    request: Request,
    dataset: DatasetPath,
    parts: PartsOf,
    caller_now: CallerNowOf,
    format: Annotated[  # noqa: A002 - as in the address
        str | None,
        Query(description="Goes before Accept.", max_length=20, json_schema_extra={"enum": [*_NAMES, None]}),
    ] = None,
    for_: Annotated[
        str | None,
        Query(
            alias="for",
            description="CSV for people to open, formulas disarmed.",
            max_length=20,
            json_schema_extra={"enum": ["spreadsheet", None]},
        ),
    ] = None,
    instant: Annotated[Instant | None, Query(description="The records of this moment; now by default.")] = None,
    after: Annotated[str | None, Query(description="Cursor to go on from.", max_length=8000)] = None,
    other_terms: Annotated[
        bool, Query(description="Go on although fields, treatments or rows changed since the file began.")
    ] = False,
) -> Response:
    """Under a grant for method `file`, or what the caller's tier opens; cut within a second when that ends."""
    chosen = chosen_format(request.headers.get("accept", ""), format, OFFERED)
    stated = asked_of(request)
    ask = ExportAsk(
        dataset=dataset,
        asked=Asked("file", stated.purpose, stated.grant),
        format=chosen,
        spreadsheet=for_spreadsheet(for_, chosen),
        instant=instant,
        after=after,
        other_terms=other_terms,
    )
    export = parts.release_parts.exports.begin(caller_now, ask, parts.clock())
    suffix = {"parquet": "parquet", "avro": "avro", "ndjson": "ndjson"}.get(chosen.name, "csv")
    headers = {
        "hub-export": export.row.id,
        "hub-decision": export.row.id,
        "hub-instant": instant_text(export.row.instant),
        "hub-terms": export.row.terms,
        "content-disposition": f'attachment; filename="{dataset}.{suffix}"',
        "vary": "accept, authorization, hub-purpose, hub-grant",
    }
    if export.row.caller != PUBLIC_ID:  # who may read there how it went
        headers["link"] = f'</v1/exports/{export.row.id}>; rel="describedby"'
    return Streamed(export, chosen.content_type, headers, parts.settings.export_stall_seconds_max)


@router.get("/v1/exports/{export}", summary="How an export went", responses=problems(404))
def show_export(
    export: Annotated[str, Path(description="Of the header hub-export.", pattern=OPAQUE_ID)],
    caller: CallerOf,
    parts: PartsOf,
    response: Response,
) -> ExportShown:
    """The caller's own, or any to an auditor. Cursors of another's export are of no use."""
    found = parts.release_parts.exports.find(caller, export)
    if found.sm3 is not None:
        response.headers["hub-digest"] = f"sm3={found.sm3}"
    return _shown(found, own=found.caller == caller.id)


def _shown(row: ExportRow, *, own: bool) -> ExportShown:
    points: list[Mapping[str, Any]] = list(row.points) if own else []
    return ExportShown(
        id=row.id,
        dataset=row.dataset,
        format=row.format,
        instant=row.instant,
        state=row.state,
        why=row.why,
        rows=row.rows,
        bytes=row.bytes,
        sm3=row.sm3,
        terms=row.terms,
        continues=row.continues,
        points=[Point(rows=one["rows"], bytes=one["bytes"], after=one["after"]) for one in points],
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )
