"""Records of datasets, each as the caller may have them, and why."""

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from catalog.explanation import explanation, sentences
from hub.api.asked import (
    FORMAT_PARAMETERS,
    PURPOSE_CHARACTERS_MAX,
    RECORD_PARAMETERS,
    ask_of,
    asked_of,
    pairs_of,
    reference_of,
)
from hub.api.body import JSON, length_of, read_body
from hub.api.dependencies import AnyCallerOf, CallerOf, LanguageOf, PartsOf
from hub.api.errors import AddressUnknown, MediaTypeWrong
from hub.api.openapi import header, problems
from hub.api.parameters import OPAQUE_ID
from hub.release.errors import QueryWrong
from hub.release.formats import FORMATS
from hub.release.page import Answer
from hub.release.query import (
    CURSOR_CHARACTERS_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    NAMES_MAX,
    SORT_MAX,
    Count,
    wanted_from_address,
    wanted_from_body,
)
from schemas.strict_json import StrictJsonError, read_strict

router = APIRouter(prefix="/v1/datasets", tags=["records"])
decisions = APIRouter(prefix="/v1/decisions", tags=["records"])

QUERY_BYTES_MAX = 256 * 1024

DatasetPath = Annotated[str, Path(description="Dataset id.", pattern=r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$")]
_HEADERS = {
    "hub-decision": header("Id of the decision: that of its leaf in the ledger."),
    "hub-instant": header("The records are those of this moment."),
    "hub-count": header("How many match, and whether that is exact or estimated."),
    "ETag": header("Changes with the records and with what the caller may see of them."),
    "Link": header("The next page, rel=next; absent on the last."),
    "RateLimit-Policy": header("The day's quota (draft-ietf-httpapi-ratelimit-headers)."),
    "RateLimit": header("What is left of it."),
}
_RECORDS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Records, or one. Each has its reference, `_ref`, and the fields that are given.",
        "content": {one.media_type: {"schema": {"type": "string", "format": "binary"}} for one in FORMATS}
        | {"application/json": {"schema": {"type": "object"}}},
        "headers": _HEADERS,
    },
    304: {"description": "Unchanged since the ETag given, and still allowed.", "headers": _HEADERS},
    **problems(401, 403, 404, 406, 429),
}
STATED = [
    {
        "name": "hub-purpose",
        "in": "header",
        "description": "The purpose (使用场景), UTF-8, which may be percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": PURPOSE_CHARACTERS_MAX},
    },
    {
        "name": "hub-grant",
        "in": "header",
        "description": "The one grant to decide under; without it the first that fits the purpose.",
        "schema": {"type": "string", "format": "uuid"},
    },
]
_FILTERS = {
    "name": "filters",
    "in": "query",
    "description": "Any field that is given clear: `field=value`, `field=prefix:4201`, `field=in:a,b`,"
    " `field=from:a,until:b`, `field=known:true`, or eq, ne, lt, le, gt, ge before the colon. All must hold.",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}
_NAME_LIST = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": True}
_RECORD_QUERY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "filter": {"type": "object", "description": "A row condition, as in grants."},
        "fields": _NAME_LIST | {"maxItems": NAMES_MAX},
        "sort": _NAME_LIST | {"maxItems": SORT_MAX},
        "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        "cursor": {"type": "string", "minLength": 1, "maxLength": CURSOR_CHARACTERS_MAX},
        "count": {"enum": list(get_args(Count)), "default": "estimated"},
        "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        "as_of": {"type": "string", "format": "date-time"},
    },
}


def _given(name: str, description: str, **schema: object) -> dict[str, Any]:
    """A parameter of the address, for the document: all are read together, in order, with the filters."""
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"} | schema}


_NAMES = "^[^,]+(,[^,]+)*$"
_NUMBER = r"-?[0-9]{1,3}(\.[0-9]+)?"
_FIELDS = _given("fields", "Fields to give, by commas, each once; all by default.", pattern=_NAMES)
_AS_OF = _given("as_of", "A moment with its offset: the records of then, under today's policy.", format="date-time")
_FORM = [
    _given("format", "Goes before Accept.", enum=[one.name for one in FORMATS]),
    _given("for", "CSV for people to open, formulas disarmed.", enum=["spreadsheet"]),
]
_PAGE = [
    _FIELDS,
    _given(
        "sort", "Fields by commas, each once, `-` before one for descending; the key ends the order.", pattern=_NAMES
    ),
    _given("limit", "Records of a page.", type="integer", minimum=1, maximum=LIMIT_MAX, default=LIMIT_DEFAULT),
    _given("cursor", "Of the page before.", minLength=1, maxLength=CURSOR_CHARACTERS_MAX),
    _given("count", "How all matches are counted.", enum=list(get_args(Count)), default="estimated"),
    _given("bbox", "west,south,east,north in degrees, EPSG:4490.", pattern=f"^{_NUMBER}(,{_NUMBER}){{3}}$"),
    _AS_OF,
    *_FORM,
]


@router.get(
    "/{dataset}/records",
    summary="A page of records",
    response_class=Response,
    responses=_RECORDS,
    openapi_extra={"parameters": [*STATED, *_PAGE, _FILTERS]},
)
def read_records(request: Request, dataset: DatasetPath, caller: AnyCallerOf, parts: PartsOf) -> Response:
    """In the order asked for, always ended by the key. There is another page where a `next` link is, and only there."""
    pairs = pairs_of(request)
    ask = ask_of(request, dataset, wanted_from_address(pairs), pairs)
    return response_of(parts.release.page(caller, ask, parts.clock()))


async def _query_body(request: Request) -> bytes:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != JSON:
        raise MediaTypeWrong(accepted=JSON)
    length_of(request, QUERY_BYTES_MAX)
    return await read_body(request, QUERY_BYTES_MAX)


@router.post(
    "/{dataset}/query",
    summary="A page of records, asked for in a body",
    response_class=Response,
    responses=_RECORDS | problems(408, 413, 415),
    openapi_extra={
        "parameters": [*STATED, *_FORM],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": _RECORD_QUERY}},
        },
    },
)
def query_records(
    request: Request,
    dataset: DatasetPath,
    caller: AnyCallerOf,
    parts: PartsOf,
    body: Annotated[bytes, Depends(_query_body)],
) -> Response:
    """For what may not stand in an address or cannot be said there. The next page is had by ``cursor`` in the body."""
    pairs = pairs_of(request, frozenset(FORMAT_PARAMETERS))
    try:
        wanted = wanted_from_body(read_strict(body, floats=True))
    except StrictJsonError as error:
        raise QueryWrong("$", error.zh, error.en) from None
    ask = ask_of(request, dataset, wanted, pairs, from_body=True)
    return response_of(parts.release.page(caller, ask, parts.clock()))


@router.get(
    "/{dataset}/records/{reference:path}",
    summary="One record",
    response_class=Response,
    responses=_RECORDS,
    openapi_extra={"parameters": [*STATED, _FIELDS, _AS_OF, *_FORM]},
)
def read_record(
    request: Request,
    dataset: DatasetPath,
    reference: Annotated[str, Path(description="The record's `_ref`.")],
    caller: AnyCallerOf,
    parts: PartsOf,
) -> Response:
    """By its reference: the key where that may stand in an address, else an opaque text that is the holder's own."""
    if not reference:  # nor is it another spelling of the page's address
        raise AddressUnknown
    pairs = pairs_of(request, RECORD_PARAMETERS)
    ask = ask_of(request, dataset, wanted_from_address(pairs), pairs, single=True)
    return response_of(parts.release.record(caller, ask, reference_of(request.scope), parts.clock()))


@router.get(
    "/{dataset}/explain",
    summary="What the caller may have of a dataset, and why",
    response_class=Response,
    responses={
        200: {
            "description": "The rules in order, their bases, each field's treatment, and what would change the answer.",
            "content": {"application/json": {"schema": {"type": "object"}}, "text/plain": {}},
        },
        **problems(401, 404, 406),
    },
    openapi_extra={"parameters": STATED},
)
def explain(
    request: Request, dataset: DatasetPath, caller: AnyCallerOf, parts: PartsOf, language: LanguageOf
) -> Response:
    """The decision there would be now; nothing is released."""
    pairs_of(request, frozenset())
    decision = parts.release.explain(caller, dataset, asked_of(request), parts.clock()).decision
    return _explained(request, explanation(decision), sentences(decision, language), language)


@decisions.get(
    "/{decision}/explain",
    summary="Why a decision of the past was as it was",
    response_class=Response,
    responses={
        200: {
            "description": "As it was explained then.",
            "content": {"application/json": {"schema": {"type": "object"}}, "text/plain": {}},
        },
        **problems(404),
    },
)
def explain_decision(
    request: Request,
    decision: Annotated[str, Path(description="Of the header hub-decision.", pattern=OPAQUE_ID)],
    caller: CallerOf,
    parts: PartsOf,
    language: LanguageOf,
) -> Response:
    """The caller's own, or any to an auditor."""
    pairs_of(request, frozenset())
    found = parts.release.explain_decision(caller, decision)
    content = found["decision"] | {"id": found["id"], "at": found["at"], "rows_given": found["rows"]}
    return _explained(request, content, found[language], language)


def _explained(request: Request, content: dict[str, Any], lines: list[str], language: str) -> Response:
    headers = {"vary": "accept, accept-language, authorization, hub-purpose, hub-grant"}
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse("\n".join(lines) + "\n", headers=headers | {"content-language": language})
    return JSONResponse(content, headers=headers)


def response_of(answer: Answer) -> Response:
    """An answer as HTTP has it."""
    response = Response(answer.body, status_code=answer.status)
    response.raw_headers[:] = [
        *((name.encode(), value.encode("latin-1")) for name, value in answer.headers),
        *(one for one in response.raw_headers if one[0] == b"content-length" and answer.status != 304),  # noqa: PLR2004 - RFC 9110 §15.4.5
    ]
    return response
