"""What OpenAPI says beyond what FastAPI reads from signatures: problems, bodies, and the headers of answers."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from hub.api.body import CONTAINER, JSON, NDJSON
from hub.api.dependencies import PUBLIC_TOO
from hub.api.problems import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]

DESCRIPTION = """\
A government data-exchange hub. Departments hand in batches of records and get a receipt for each.

Every error is an RFC 9457 problem in Chinese or English, by `Accept-Language`.
"""

_PROBLEM_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}}}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}},
    503: _RETRY_AFTER,
}

BATCH_BODY: dict[str, Any] = {
    "required": True,
    "description": "One batch. A container file comes with its envelope in the header hub-batch; for NDJSON and JSON "
    "the hub writes both.",
    "content": {
        CONTAINER: {"schema": {"type": "string", "format": "binary", "description": "Avro object container file."}},
        NDJSON: {"schema": {"type": "string", "description": "One JSON object a line."}},
        JSON: {
            "schema": {
                "oneOf": [
                    {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Record"}},
                    {"$ref": "#/components/schemas/Record"},
                ]
            }
        },
    },
}
_RECORD: dict[str, Any] = {
    "type": "object",
    "description": "A record of the dataset's contract by field name. A value may be in text form: dates and times "
    "ISO 8601, decimals plain, bytes hexadecimal, geometry WKT.",
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}},
        ]
    },
}


def problems(*statuses: int, **notes: str) -> Responses:
    """The problems an endpoint may answer with; 401, 422, 500 and 503 come with every one behind a token.

    Args:
        statuses: beyond those.
        notes: ``on_404="…"`` says what a status means here.
    """
    return {
        status: {
            "description": notes.get(f"on_{status}", HTTPStatus(status).phrase),
            "content": _PROBLEM_CONTENT,
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in sorted({401, 422, 500, 503, *statuses})
    }


def header(description: str, kind: str = "string") -> dict[str, Any]:
    """A response header."""
    return {"description": description, "schema": {"type": kind}}


def _open_to_the_public(app: FastAPI, document: dict[str, Any]) -> None:
    """Say of each operation that serves the public, too, that it needs no credential."""
    for route in iter_route_contexts(app.routes):
        original = route.original_route
        if isinstance(original, APIRoute) and original.include_in_schema and _serves_public(original.dependant):
            for method in original.methods or ():
                document["paths"][original.path_format][method.lower()]["security"].append({})


def _serves_public(dependant: Dependant) -> bool:
    return dependant.call in PUBLIC_TOO or any(_serves_public(one) for one in dependant.dependencies)


def describe(app: FastAPI) -> None:
    """Make ``app.openapi`` tell the whole truth; the document is made once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            schemas["Record"] = _RECORD
            _open_to_the_public(app, made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document
