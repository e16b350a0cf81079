"""The schema registry over HTTP, as Confluent's clients ask one: what departments' own Kafka tools write records with.

Paths, members and error codes are those of Confluent's interface, so it is described there and not by
/v1/openapi.json, and parameters it does not know are passed over, as its clients send ever new ones. An error is an
RFC 9457 problem with ``error_code`` and ``message`` beside. Schemas are never deleted and their rules are the
contract's, so what would change either is not offered (405).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from catalog.dataset import Dataset
from hub.acts import subjects
from hub.api.dependencies import LanguageOf, Parts, PartsOf, sender_of
from hub.api.problems import Problem, headers_of, problem_of, respond
from hub.api.registry_caller import RegistryCallerOf
from hub.exchange.registry_store import contract_of, find_contract
from hub.exchange.subject_errors import (
    SubjectSchemaKindUnknown,
    SubjectSchemaUnknown,
    SubjectUnknown,
    SubjectVersionUnknown,
    SubjectVersionWrong,
)
from hub.exchange.subject_store import SubjectVersion
from schemas.errors import HubError, Language, SubjectSchemaUnreadable
from schemas.subject_schema import SCHEMA_BYTES_MAX, Part, SubjectSchema, read_subject_schema

PREFIX: Final = "/v1/registry"
MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
VERSION_MAX: Final = 2**31 - 1
# What clients tell errors apart by, of those that Confluent's interface numbers; of any other it is the status.
ERROR_CODES: Final[Mapping[type[HubError], int]] = {
    SubjectUnknown: 40401,
    SubjectVersionUnknown: 40402,
    SubjectSchemaUnknown: 40403,
    SubjectSchemaUnreadable: 42201,
    SubjectSchemaKindUnknown: 42201,
    SubjectVersionWrong: 42202,
}

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
    code = ERROR_CODES.get(type(error), found.status)
    told = RegistryProblem(**found.model_dump(), error_code=code, message=found.detail)
    return respond(told, language, headers_of(error))


def registry_sender_of(caller: RegistryCallerOf) -> str:
    """The id of the organization on whose behalf the caller asks."""
    return sender_of(caller)


SenderOf = Annotated[str, Depends(registry_sender_of)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of one sender's. Clients name subjects by topics as Kafka has them, with the prefix of this hub."""

    parts: Parts
    sender: str
    prefix: str

    def find(self, conn: Connection, subject: str) -> tuple[Dataset, Part]:
        """The dataset of a subject, and the part of its messages.

        Raises:
            SubjectUnknown: there is none, or none of theirs.
        """
        return subjects.find_subject(conn, self.sender, subject, self.prefix)

    def versions(self, conn: Connection, subject: str) -> list[SubjectVersion]:
        """All versions of a subject."""
        return subjects.versions(conn, *self.find(conn, subject))

    def by_id(self, text: str, subject: str | None = None) -> list[SubjectVersion]:
        """Where a schema stands among the sender's subjects.

        Raises:
            SubjectSchemaUnknown: nowhere, or not under this subject.
        """
        number = _number(text)
        if number is None:
            raise SubjectSchemaUnknown
        with self.parts.pool.connection() as conn:
            found = subjects.find_schema(conn, self.sender, number)
        if not found or (subject is not None and all(self.name(one) != subject for one in found)):
            raise SubjectSchemaUnknown
        return found

    def name(self, version: SubjectVersion) -> str:
        """The subject of a version."""
        return self.prefix + version.subject

    def told(self, version: SubjectVersion) -> Mapping[str, object]:
        """A version as it is answered."""
        return {"subject": self.name(version), "version": version.version, "id": version.id, "schema": version.source}


def asked_of(parts: PartsOf, sender: SenderOf) -> Asked:
    """What the endpoints ask by."""
    return Asked(parts, sender, parts.settings.kafka_prefix if parts.settings.log == "kafka" else "")


AskedOf = Annotated[Asked, Depends(asked_of)]


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
def read_mode(asked: AskedOf, subject: str | None = None) -> Response:
    """Schemas are read, and written by who may send."""
    if subject is not None:
        with asked.parts.pool.connection() as conn:
            asked.find(conn, subject)
    return RegistryAnswer({"mode": "READWRITE"})


@router.get("/config")
def read_config(_: RegistryCallerOf) -> Response:
    """What a contract's versions are held to where its administrator said nothing else."""
    return RegistryAnswer({"compatibilityLevel": "BACKWARD_TRANSITIVE"})


@router.get("/config/{subject}")
def read_subject_config(asked: AskedOf, subject: str) -> Response:
    """What the versions of the subject's contract are held to. Each version is held against all before it."""
    with asked.parts.pool.connection() as conn:
        dataset, _ = asked.find(conn, subject)
        found = find_contract(conn, dataset.contract, dataset.contract_version)
    return RegistryAnswer({"compatibilityLevel": f"{found.compatibility.upper()}_TRANSITIVE"})


# Subjects ------------------------------------------------------------------------------------------------------------


@router.get("/subjects")
def read_subjects(
    asked: AskedOf,
    prefix: Annotated[str, Query(alias="subjectPrefix", max_length=200)] = "",
    first: First = 0,
    most: Most = -1,
) -> Response:
    """The keys and values of all topics that the caller may send to."""
    with asked.parts.pool.connection() as conn:
        found = [asked.prefix + one for one in subjects.list_subjects(conn, asked.sender)]
    return RegistryAnswer(_page([one for one in found if one.startswith(prefix.removeprefix(":.:"))], first, most))


@router.get("/subjects/{subject}/versions")
def read_versions(asked: AskedOf, subject: str, first: First = 0, most: Most = -1) -> Response:
    """The numbers of a subject's versions."""
    with asked.parts.pool.connection() as conn:
        found = asked.versions(conn, subject)
    return RegistryAnswer(_page([one.version for one in found], first, most))


@router.get("/subjects/{subject}/versions/{version}")
def read_version(asked: AskedOf, subject: str, version: str) -> Response:
    """One version of a subject, or its latest."""
    with asked.parts.pool.connection() as conn:
        return RegistryAnswer(asked.told(_version(asked.versions(conn, subject), subject, version)))


@router.get("/subjects/{subject}/versions/{version}/schema")
def read_version_schema(asked: AskedOf, subject: str, version: str) -> Response:
    """The schema of a version alone."""
    with asked.parts.pool.connection() as conn:
        found = _version(asked.versions(conn, subject), subject, version)
    return Response(found.source, media_type=MEDIA_TYPE)


@router.post("/subjects/{subject}/versions")
def add_version(asked: AskedOf, caller: RegistryCallerOf, subject: str, body: SchemaBody) -> Response:
    """Register a schema; one that is known keeps its id."""
    schema = body.read()
    with asked.parts.pool.connection() as conn:
        dataset, part = asked.find(conn, subject)
        made = subjects.register(conn, caller, dataset, part, schema, asked.parts.clock())
    return RegistryAnswer({"id": made.id})


@router.post("/subjects/{subject}")
def look_up_schema(asked: AskedOf, subject: str, body: SchemaBody) -> Response:
    """Whether a schema is registered under a subject, and as what."""
    sm3 = body.read().sm3
    with asked.parts.pool.connection() as conn:
        found = [one for one in asked.versions(conn, subject) if one.sm3 == sm3]
    if not found:
        raise SubjectSchemaUnknown
    return RegistryAnswer(asked.told(found[0]))


# Schemas -------------------------------------------------------------------------------------------------------------


@router.get("/schemas/ids/{schema_id}")
def read_schema(asked: AskedOf, schema_id: str, subject: str | None = None) -> Response:
    """The schema that a framed record names."""
    return RegistryAnswer({"schema": asked.by_id(schema_id, subject)[0].source})


@router.get("/schemas/ids/{schema_id}/schema")
def read_schema_text(asked: AskedOf, schema_id: str, subject: str | None = None) -> Response:
    """The same alone."""
    return Response(asked.by_id(schema_id, subject)[0].source, media_type=MEDIA_TYPE)


@router.get("/schemas/ids/{schema_id}/versions")
def read_schema_versions(asked: AskedOf, schema_id: str) -> Response:
    """Under which subjects a schema is registered, in which versions."""
    found = asked.by_id(schema_id)
    return RegistryAnswer([{"subject": asked.name(one), "version": one.version} for one in found])


@router.get("/schemas/ids/{schema_id}/subjects")
def read_schema_subjects(asked: AskedOf, schema_id: str) -> Response:
    """Under which subjects a schema is registered."""
    return RegistryAnswer([asked.name(one) for one in asked.by_id(schema_id)])


# Compatibility -------------------------------------------------------------------------------------------------------


@router.post("/compatibility/subjects/{subject}/versions")
@router.post("/compatibility/subjects/{subject}/versions/{version}")
def check_compatibility(
    asked: AskedOf,
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
    with asked.parts.pool.connection() as conn:
        dataset, part = asked.find(conn, subject)
        _version(subjects.versions(conn, dataset, part), subject, version)
        found = subjects.problems_of(contract_of(conn, dataset), schema, part)
    told = {"messages": [f"{one['field']} [{one['rule']}]: {one[language]}" for one in found]} if verbose else {}
    return RegistryAnswer({"is_compatible": not found, **told})


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


def _number(text: str) -> int | None:
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(VERSION_MAX))
    return int(text) if digits and 1 <= int(text) <= VERSION_MAX else None


def _page(found: Sequence[Any], first: int, most: int) -> Sequence[Any]:
    return found[first:] if most < 0 else found[first : first + most]


def is_registry(request: Request) -> bool:
    """Whether an address is the registry's, whose errors its clients read."""
    path: str = request.scope["path"]
    return path == PREFIX or path.startswith(PREFIX + "/")
