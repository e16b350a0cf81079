"""The access matrix: every operation of the OpenAPI document, asked as every caller; every refusal looked at."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from access_stage import AccessStage
from plain_client import Answer, PlainClient
from release_maker import PURPOSE
from schema_examples import ABSENT, example_of

from hub.api.invalid import NAME_CHARACTERS_TOLD
from schemas.errors import HubError

NOTHING: Final[Mapping[str, str]] = {
    **dict.fromkeys(("dataset",), "420000.nothing"),
    **dict.fromkeys(("version", "first", "second", "size"), "999"),
    **dict.fromkeys(("name", "aggregate", "code", "reference"), "nothing"),
    "key": "0" * 12,
}
IN_BODIES: Final = ("dataset", "request", "purpose")  # of the stage's objects; the rest of a body is made up
NO_ACCESS: Final = {"role_needed", "organization_needed", "release_refused"}
# Refused all the same, but not for who asks: two persons are needed, or it was done a moment ago.
NOT_NOW: Final = {"one_person_twice", "password_wrong", "key_unknown"}
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSIDE: Final = re.compile(
    r"Traceback|psycopg|\.py\b|\b(SELECT|INSERT|UPDATE|DELETE) |syntax error|relation \"|HINT:|Pydantic|pydantic"
)
# An id number, a mobile number, a name of the stage's residents, a key or token.
_PERSONAL: Final = re.compile(
    r"(?<![0-9a-f-])([0-9]{17}[0-9X]|1[3-9][0-9]{9})(?![0-9a-f-])|张|某某|name of |hub_[\w-]{20}|eyJ"
)


@dataclass(frozen=True)
class Operation:
    """One endpoint."""

    method: str
    path: str
    told: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def needs_token(self) -> bool:
        return "security" in self.told

    @property
    def public_too(self) -> bool:
        return {} in self.told.get("security", [{}])

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        return [one for one in self.told.get("parameters", []) if one["in"] == place]

    @property
    def schema(self) -> Mapping[str, Any]:
        """Of the body's JSON; empty where there is none."""
        content = self.told.get("requestBody", {}).get("content", {})
        return self._resolved(content["application/json"]["schema"]) if content else {}

    @property
    def objects(self) -> list[str]:
        """What it acts on, the thing itself first."""
        in_path = sorted((one["name"] for one in self.parameters("path")), key=lambda name: name != "reference")
        return [*in_path, *(name for name in ("dataset", "request") if name in self.schema.get("properties", {}))]

    def address(self, objects: Mapping[str, str], query: Sequence[tuple[str, str]] = ()) -> str:
        """Objects stand in it as they are given, encoded or not."""
        path = re.sub(r"\{(\w+)\}", lambda found: objects[found[1]], self.path)
        needed = [one for one in self.parameters("query") if one.get("required")]
        pairs = [(one["name"], objects.get(one["name"], str(self.example(one)))) for one in needed]
        text = "&".join(f"{quote(name)}={quote(value)}" for name, value in [*pairs, *query])
        return f"{path}?{text}" if text else path

    def body(self, objects: Mapping[str, str]) -> Any:
        """The smallest that fits; None without one."""
        if not self.schema:
            return None
        made = example_of(self.document, self.schema)
        properties = self.schema.get("properties", {})
        return made | {name: objects[name] for name in IN_BODIES if name in properties} if properties else made

    def example(self, parameter: Mapping[str, Any]) -> Any:
        return example_of(self.document, parameter["schema"])

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        choices = schema.get("anyOf", [schema])  # a body that may be left out
        found = choices[0]
        return self.document["components"]["schemas"][found["$ref"].rpartition("/")[2]] if "$ref" in found else found


@dataclass
class Matrix:
    """The door asked, and what was wrong with its refusals."""

    stage: AccessStage
    operations: list[Operation]
    client: PlainClient
    wrong: list[str] = field(default_factory=list)

    def ask(
        self,
        operation: Operation,
        caller: str,
        objects: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """One operation on the stage's objects, but for those given; as ``public`` without a credential."""
        shown = [] if caller == "public" else [("authorization", f"Bearer {self.stage.tokens[caller]}")]
        return self.send(operation, [*shown, *headers], objects, query, body)

    def send(
        self,
        operation: Operation,
        headers: Sequence[tuple[str, str]] = (),
        objects: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
    ) -> Answer:
        """The same with headers as they are given."""
        on = {**self.stage.objects, **(objects or {})}
        given = operation.body(on) if body is None else body
        sent = None if given is None else json.dumps(given).encode()
        told = [("hub-purpose", quote(PURPOSE)), ("accept-language", "en"), *headers]
        answer = self.client.ask(operation.method, operation.address(on, query), told, sent)
        said = [*(text for pair in query for text in pair), *_texts_of(body)]
        self.wrong += [f"{operation.name} {answer.status}: {one}" for one in faults_of(answer, said)]
        return answer

    def seen(self) -> list[str]:
        """What was wrong with refusals so far; told once."""
        found, self.wrong = self.wrong, []
        return found


def matrix_of(stage: AccessStage) -> Matrix:
    """The operations are those of the running door's own document."""
    client = PlainClient(stage.door.url)
    document = client.ask("GET", "/v1/openapi.json").json()
    operations = [
        Operation(method.upper(), path, told, document)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    return Matrix(stage, operations, client)


def absent(objects: Sequence[str]) -> dict[str, str]:
    """The first of these objects, as one that is not there."""
    return {objects[0]: NOTHING.get(objects[0], ABSENT)}


def without_ids(answer: Answer, *objects: str) -> tuple[int, list[tuple[str, str]], str]:
    """An answer as it may be compared with another's: without its ids, its objects' names and its date."""
    text = answer.text
    for one in objects:
        text = text.replace(one, "…")
    headers = {name: _UUID.sub("…", value) for name, value in answer.headers.items()}
    same = sorted((name, value) for name, value in headers.items() if name not in {"date", "content-length"})
    return answer.status, same, _UUID.sub("…", text)


def _texts_of(value: Any) -> Iterator[str]:
    """Every text of a JSON value, its members' names too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in [*value.keys(), *value.values()] if isinstance(value, Mapping) else value:
            yield from _texts_of(part)


def _without_own_words(text: str, said: Sequence[str]) -> str:
    """An answer without what looks like the inside and is the caller's own, as far as a name of it may be repeated."""
    for one in said:
        if _INSIDE.search(one):
            text = text.replace(json.dumps(one[:NAME_CHARACTERS_TOLD], ensure_ascii=False)[1:-1], "…")
    return text


def faults_of(answer: Answer, said: Sequence[str] = ()) -> Iterator[str]:
    """What is wrong with a refusal; nothing for what is none.

    Args:
        answer: any.
        said: what the caller wrote itself.
    """
    if answer.status < 400:
        return
    if answer.status >= 500:
        yield "an error of the hub's own"
    if answer.headers.get("content-type") != "application/problem+json":
        yield f"no problem: {answer.headers.get('content-type')}"
        return
    if answer.headers.get("content-language") != "en":
        yield f"language {answer.headers.get('content-language')}"
    problem = answer.json()
    if problem["status"] != answer.status or problem["type"] != f"/v1/problems/{problem['code']}":
        yield f"it contradicts itself: {answer.text}"
    if problem["code"] not in known_codes():
        yield f"a code nobody knows: {problem['code']}"
    if _INSIDE.search(_without_own_words(answer.text, said)):
        yield f"it tells of the inside: {answer.text}"
    if _PERSONAL.search(answer.text):
        yield f"it tells of persons: {answer.text}"


@cache
def known_codes() -> set[str]:
    """Of every error there is."""
    waiting: list[type[HubError]] = [HubError]
    found: set[str] = set()
    while waiting:
        for error in waiting.pop().__subclasses__():
            waiting.append(error)
            found |= {error.code} if "code" in vars(error) else set()
    return found
