"""The schema registry over HTTP, as Confluent's clients ask one: what departments' own Kafka tools write records with.

Paths, members and error codes are those of Confluent's interface, so it is described there and not by
/v1/openapi.json, and parameters it does not know are passed over, as its clients send ever new ones. An error is an
RFC 9457 problem with ``error_code`` and ``message`` beside. Schemas are never deleted and their rules are the
contract's, so what would change either is not offered (405).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from hub.acts import subjects
from hub.api.dependencies import LanguageOf, PartsOf
from hub.api.problems import Problem, headers_of, problem_of
from hub.api.registry_caller import RegistryCallerOf
from hub.exchange.registry_store import contract_of, find_contract
from hub.exchange.subject_errors import (
    SubjectSchemaKindUnknown,
    SubjectSchemaUnknown,
    SubjectVersionUnknown,
    SubjectVersionWrong,
)
from hub.exchange.subject_store import SubjectVersion
from hub.identity.errors import OrganizationNeeded
from schemas.errors import HubError, Language, SubjectSchemaUnreadable
from schemas.subject_schema import SCHEMA_BYTES_MAX, SubjectSchema, read_subject_schema

PREFIX: Final = "/v1/registry"
MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
VERSION_MAX: Final = 2**31 - 1
_CODE_OF_UNREADABLE: Final = 42201

router = APIRouter(prefix=PREFIX, include_in_schema=False)

First = Annotated[int, Query(alias="offset", ge=0)]
Most = Annotated[int, Query(alias="limit", ge=-1)]


class RegistryAnswer(JSONResponse):
    """An answer of the registry."""

    media_type = MEDIA_TYPE


class SchemaBody(BaseModel):
    """A schema handed in. What the hub takes none of is named here to be refused in words."""

    model_config = ConfigDict(extra="forbid")

    schema_text: str = Field(alias="schema", max_length=SCHEMA_BYTES_MAX)
    kind: str = Field("AVRO", alias="schemaType", max_length=100)
    references: Sequence[Any] | None = None
    metadata: Any = None
    rules: Any = Field(None, alias="ruleSet")
    tags: Any = Field(None, alias="schemaTags")

    def read(self) -> SubjectSchema:
        """The schema it holds.

        Raises:
            SubjectSchemaKindUnknown: it is none of Avro, or needs others.
            SubjectSchemaUnreadable: it is no JSON.
        """
        if self.kind != "AVRO" or self.references or self.metadata or self.rules or self.tags:
            raise SubjectSchemaKindUnknown
        return read_subject_schema(self.schema_text)


class RegistryProblem(Problem):
    """A problem, and beside it what the registry's clients look for."""

    error_code: int
    message: str


def problem_response(error: HubError, language: Language) -> Response:
    """An expected error as the registry's clients understand it."""
    found = problem_of(error, language)
    code = getattr(error, "registry_code", None)
    if isinstance(error, SubjectSchemaUnreadable):
        code = _CODE_OF_UNREADABLE
    told = RegistryProblem(**found.model_dump(), error_code=code or found.status, message=found.detail)
    return RegistryAnswer(
        told.model_dump(mode="json"),
        status_code=found.status,
        headers={"content-language": language, "vary": "accept-language", **headers_of(error)},
    )


def sender_of(caller: RegistryCallerOf) -> str:
    """The id of the organization on whose behalf the caller asks."""
    if caller.organization is None:
        raise OrganizationNeeded
    return caller.organization


SenderOf = Annotated[str, Depends(sender_of)]


# What clients ask first ----------------------------------------------------------------------------------------------


@router.get("")
@router.get("/")
def read_root(_: RegistryCallerOf) -> Response:
    """Clients and proxies ask whether anyone is there."""
    return RegistryAnswer({})


@router.get("/contexts")
def read_contexts(_: RegistryCallerOf) -> Response:
    """There is one context, the default one."""
    return RegistryAnswer(["."])


@router.get("/schemas/types")
def read_types(_: RegistryCallerOf) -> Response:
    """Kinds of schemas."""
    return RegistryAnswer(["AVRO"])


@router.get("/mode")
@router.get("/mode/{subject}")
def read_mode(parts: PartsOf, sender: SenderOf, subject: str | None = None) -> Response:
    """Schemas are read, and written by who may send."""
    if subject is not None:
        with parts.pool.connection() as conn:
            subjects.find_subject(conn, sender, subject)
    return RegistryAnswer({"mode": "READWRITE"})


@router.get("/config")
def read_config(_: RegistryCallerOf) -> Response:
    """What a contract's versions are held to where its administrator said nothing else."""
    return RegistryAnswer({"compatibilityLevel": "BACKWARD_TRANSITIVE"})


@router.get("/config/{subject}")
def read_subject_config(parts: PartsOf, sender: SenderOf, subject: str) -> Response:
    """What the versions of the subject's contract are held to. Each version is held against all before it."""
    with parts.pool.connection() as conn:
        dataset, _ = subjects.find_subject(conn, sender, subject)
        found = find_contract(conn, dataset.contract, dataset.contract_version)
    return RegistryAnswer({"compatibilityLevel": f"{found.compatibility.upper()}_TRANSITIVE"})


# Subjects ------------------------------------------------------------------------------------------------------------


@router.get("/subjects")
def read_subjects(
    parts: PartsOf,
    sender: SenderOf,
    prefix: Annotated[str, Query(alias="subjectPrefix", max_length=200)] = "",
    first: First = 0,
    most: Most = -1,
) -> Response:
    """The keys and values of all topics that the caller may send to."""
    with parts.pool.connection() as conn:
        found = subjects.list_subjects(conn, sender)
    return RegistryAnswer(_page([one for one in found if one.startswith(prefix.removeprefix(":.:"))], first, most))


@router.get("/subjects/{subject}/versions")
def read_versions(parts: PartsOf, sender: SenderOf, subject: str, first: First = 0, most: Most = -1) -> Response:
    """The numbers of a subject's versions."""
    with parts.pool.connection() as conn:
        found = _versions(conn, sender, subject)
    return RegistryAnswer(_page([one.version for one in found], first, most))


@router.get("/subjects/{subject}/versions/{version}")
def read_version(parts: PartsOf, sender: SenderOf, subject: str, version: str) -> Response:
    """One version of a subject, or its latest."""
    with parts.pool.connection() as conn:
        return RegistryAnswer(_told(_version(_versions(conn, sender, subject), subject, version)))


@router.get("/subjects/{subject}/versions/{version}/schema")
def read_version_schema(parts: PartsOf, sender: SenderOf, subject: str, version: str) -> Response:
    """The schema of a version alone."""
    with parts.pool.connection() as conn:
        found = _version(_versions(conn, sender, subject), subject, version)
    return Response(found.source, media_type=MEDIA_TYPE)


@router.post("/subjects/{subject}/versions")
def add_version(parts: PartsOf, caller: RegistryCallerOf, sender: SenderOf, subject: str, body: SchemaBody) -> Response:
    """Register a schema; one that is known keeps its id."""
    schema = body.read()
    with parts.pool.connection() as conn:
        dataset, part = subjects.find_subject(conn, sender, subject)
        made = subjects.register(conn, caller, dataset, part, schema, parts.clock())
    return RegistryAnswer({"id": made.id})


@router.post("/subjects/{subject}")
def look_up_schema(parts: PartsOf, sender: SenderOf, subject: str, body: SchemaBody) -> Response:
    """Whether a schema is registered under a subject, and as what."""
    sm3 = body.read().sm3
    with parts.pool.connection() as conn:
        found = [one for one in _versions(conn, sender, subject) if one.sm3 == sm3]
    if not found:
        raise SubjectSchemaUnknown
    return RegistryAnswer(_told(found[0]))


# Schemas -------------------------------------------------------------------------------------------------------------


@router.get("/schemas/ids/{schema_id}")
def read_schema(parts: PartsOf, sender: SenderOf, schema_id: str, subject: str | None = None) -> Response:
    """The schema that a framed record names."""
    return RegistryAnswer({"schema": _by_id(parts, sender, schema_id, subject)[0].source})


@router.get("/schemas/ids/{schema_id}/schema")
def read_schema_text(parts: PartsOf, sender: SenderOf, schema_id: str, subject: str | None = None) -> Response:
    """The same alone."""
    return Response(_by_id(parts, sender, schema_id, subject)[0].source, media_type=MEDIA_TYPE)


@router.get("/schemas/ids/{schema_id}/versions")
def read_schema_versions(parts: PartsOf, sender: SenderOf, schema_id: str) -> Response:
    """Under which subjects a schema is registered, in which versions."""
    found = _by_id(parts, sender, schema_id, None)
    return RegistryAnswer([{"subject": one.subject, "version": one.version} for one in found])


@router.get("/schemas/ids/{schema_id}/subjects")
def read_schema_subjects(parts: PartsOf, sender: SenderOf, schema_id: str) -> Response:
    """Under which subjects a schema is registered."""
    return RegistryAnswer([one.subject for one in _by_id(parts, sender, schema_id, None)])


# Compatibility -------------------------------------------------------------------------------------------------------


@router.post("/compatibility/subjects/{subject}/versions")
@router.post("/compatibility/subjects/{subject}/versions/{version}")
def check_compatibility(
    parts: PartsOf,
    sender: SenderOf,
    language: LanguageOf,
    subject: str,
    body: SchemaBody,
    *,
    version: str = "latest",
    verbose: bool = False,
) -> Response:
    """Whether a schema may be the next version. It may where its records are records of the contract, so the answer
    is the same for every version there is.
    """
    schema = body.read()
    with parts.pool.connection() as conn:
        dataset, part = subjects.find_subject(conn, sender, subject)
        _version(subjects.versions(conn, dataset, part), subject, version)
        found = subjects.problems_of(contract_of(conn, dataset), schema, part)
    told = {"messages": [f"{one['field']} [{one['rule']}]: {one[language]}" for one in found]} if verbose else {}
    return RegistryAnswer({"is_compatible": not found, **told})


def _versions(conn: Connection, sender: str, subject: str) -> list[SubjectVersion]:
    return subjects.versions(conn, *subjects.find_subject(conn, sender, subject))


def _version(found: Sequence[SubjectVersion], subject: str, version: str) -> SubjectVersion:
    """One of a subject's versions by the text of an address."""
    if version in {"latest", "-1"}:
        return found[-1]
    number = _number(version)
    if number is None:
        raise SubjectVersionWrong
    for one in found:
        if one.version == number:
            return one
    raise SubjectVersionUnknown(subject=subject, version=version)


def _by_id(parts: PartsOf, sender: str, text: str, subject: str | None) -> list[SubjectVersion]:
    number = _number(text)
    if number is None:
        raise SubjectSchemaUnknown
    with parts.pool.connection() as conn:
        found = subjects.find_schema(conn, sender, number)
    if not found or (subject is not None and all(one.subject != subject for one in found)):
        raise SubjectSchemaUnknown
    return found


def _number(text: str) -> int | None:
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(VERSION_MAX))
    return int(text) if digits and 1 <= int(text) <= VERSION_MAX else None


def _told(found: SubjectVersion) -> Mapping[str, object]:
    return {"subject": found.subject, "version": found.version, "id": found.id, "schema": found.source}


def _page(found: Sequence[Any], first: int, most: int) -> Sequence[Any]:
    return found[first:] if most < 0 else found[first : first + most]


def is_registry(request: Request) -> bool:
    """Whether an address is the registry's, whose errors its clients read."""
    path: str = request.scope["path"]
    return path == PREFIX or path.startswith(PREFIX + "/")
