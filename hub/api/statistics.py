"""Statistics: the open tier of personal datasets. Pre-declared tables, the same answer to everyone every time.

There is no condition to be given: what is published is fixed bytes, served under the digest that was reviewed.
"""

import json
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from catalog.aggregate_errors import AggregateUnknown, PredicateRefused
from catalog.aggregate_store import AggregateRelease, Form, find_published, list_definitions, list_releases, read_forms
from hub.acts.aggregates import closed_by
from hub.api.dependencies import AnyCallerOf, PartsOf
from hub.api.openapi import header, problems
from hub.api.parameters import own_parameters
from schemas.batch import sm3_hex

_MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "report": "application/json",
}

DatasetPath = Annotated[str, Path(description="Dataset id.", pattern=r"^[0-9]{6}\.[a-z][a-z0-9_]{0,40}$")]
NamePath = Annotated[str, Path(description="Name of the aggregate.", pattern="^[a-z][a-z0-9_]{0,62}$")]
IfNoneMatch = Annotated[str | None, Header(max_length=1_000)]


def no_predicates(request: Request) -> None:
    """Refuse every parameter but the form of the answer, in words of their own: it may be meant as a condition."""
    other = next((name for name in request.query_params if name != "format"), None)
    if other is not None:
        raise PredicateRefused(parameter=other[:50])


router = APIRouter(
    prefix="/v1/statistics", tags=["statistics"], dependencies=[Depends(no_predicates), Depends(own_parameters)]
)


class Title(BaseModel):
    """In both languages."""

    model_config = ConfigDict(extra="forbid")

    zh: str
    en: str


class StatisticsEntry(BaseModel):
    """A published aggregate."""

    model_config = ConfigDict(extra="forbid")

    dataset: str
    aggregate: str
    title: Title
    k: int = Field(description="The fewest persons in a published cell.")
    published_at: datetime
    certificate: str = Field(description="SM3 of the reviewed report, which holds the SM3 of both forms.")
    href: str
    report: str


class StatisticsList(BaseModel):
    """All that are published."""

    model_config = ConfigDict(extra="forbid")

    statistics: list[StatisticsEntry]


@router.get("", summary="The published statistics", responses=problems())
def read_statistics(_: AnyCallerOf, parts: PartsOf) -> StatisticsList:
    """By dataset and name."""
    with parts.pool.connection() as conn:
        definitions = {(one.dataset, one.name): json.loads(one.content) for one in list_definitions(conn)}
        found = [
            _entry(release, definitions[release.dataset, release.name])
            for release in list_releases(conn, state="published")
            if _is_open(conn, release)
        ]
    return StatisticsList(statistics=found)


_FIXED = {
    "ETag": header("SM3 of the body; strong."),
    "Link": header("rel=describedby: the report the release was reviewed by."),
}


@router.get(
    "/{dataset}/{aggregate}",
    summary="One published table",
    response_class=Response,
    responses={
        200: {
            "description": "The exact bytes that were reviewed, by ?format= or Accept.",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/csv": {"schema": {"type": "string"}},
            },
            "headers": _FIXED,
        },
        304: {"description": "Unchanged since the ETag given.", "headers": {"ETag": header("As given.")}},
        **problems(404),
    },
)
def read_table(
    dataset: DatasetPath,
    aggregate: NamePath,
    _: AnyCallerOf,
    parts: PartsOf,
    format_: Annotated[Literal["json", "csv"] | None, Query(alias="format")] = None,
    accept: Annotated[str, Header(max_length=1_000)] = "",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Public. A recalled release is gone from the next request on."""
    form: Form = format_ or ("csv" if accept.lower().startswith("text/csv") else "json")
    return _served(parts, dataset, aggregate, form, if_none_match)


@router.get(
    "/{dataset}/{aggregate}/report",
    summary="How safe a published table is",
    response_class=Response,
    responses={
        200: {
            "description": "k and l reached, the rules checked, and the digests: exactly what was reviewed.",
            "content": {"application/json": {"schema": {"type": "object"}}},
            "headers": {"ETag": header("The certificate: SM3 of the body.")},
        },
        304: {"description": "Unchanged since the ETag given.", "headers": {"ETag": header("As given.")}},
        **problems(404),
    },
)
def read_report(
    dataset: DatasetPath, aggregate: NamePath, _: AnyCallerOf, parts: PartsOf, if_none_match: IfNoneMatch = None
) -> Response:
    """Public too: it holds no count that the table does not."""
    return _served(parts, dataset, aggregate, "report", if_none_match)


def _served(parts: PartsOf, dataset: str, aggregate: str, form: Form, if_none_match: str | None) -> Response:
    with parts.pool.connection() as conn:
        found = find_published(conn, dataset, aggregate)
        if found is None or not _is_open(conn, found):
            raise AggregateUnknown(aggregate=f"{dataset}/{aggregate}")
        content = read_forms(conn, found.id)[form]
    etag = f'"{sm3_hex(content)}"'
    href = f"{router.prefix}/{dataset}/{aggregate}"
    headers = {
        "etag": etag,
        "vary": "accept, authorization",
        "cache-control": "no-cache",  # kept, and asked for again each time: it may have been recalled
        "link": f'<{href}/report>; rel="describedby"',
        "hub-certificate": found.certificate,
    }
    if if_none_match is not None and _matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "content-type": _MEDIA_TYPES[form]})


def _is_open(conn: Connection, release: AggregateRelease) -> bool:
    """Whether entry and levels still let the release be public: a change takes effect on the next request."""
    definition = next(one for one in list_definitions(conn, release.dataset) if one.name == release.name)
    content = json.loads(definition.content)
    region = content["region"]
    fields = [*([] if region is None else [region["field"]]), *(one["field"] for one in content["dimensions"])]
    return closed_by(conn, release.dataset, tuple(fields)) is None


def _matches(header_value: str, etag: str) -> bool:
    """RFC 9110 §13.1.2: weak comparison against each given tag."""
    given = [tag.strip().removeprefix("W/") for tag in header_value.split(",")]
    return etag in given or "*" in given


def _entry(release: AggregateRelease, definition: dict[str, object]) -> StatisticsEntry:
    href = f"{router.prefix}/{release.dataset}/{release.name}"
    return StatisticsEntry.model_validate(
        {
            "dataset": release.dataset,
            "aggregate": release.name,
            "title": definition["title"],
            "k": definition["k"],
            "published_at": release.published_at,
            "certificate": release.certificate,
            "href": href,
            "report": f"{href}/report",
        }
    )
