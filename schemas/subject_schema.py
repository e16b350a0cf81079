"""Writer schemas that departments register for records sent one at a time, as Kafka's own tools do.

A schema registry's subject holds the versions of one schema. Here a subject is the key or the value of a dataset's
topic, and the rule of what may follow is the contract's: each version must resolve to the contract by itself, so
every two versions are compatible with each other.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.batch import SCHEMA_DEPTH_MAX, sm3_hex
from schemas.compatibility import Incompatibility
from schemas.contract import Contract
from schemas.envelope import Operation
from schemas.errors import BatchError, SubjectSchemaUnreadable
from schemas.strict_json import StrictJsonError, read_strict
from schemas.writer_schema import resolve

Part = Literal["key", "value"]
SCHEMA_BYTES_MAX: Final = 256 * 1024
OPERATIONS: Final[Mapping[Part, Operation]] = {"key": "delete", "value": "upsert"}


@dataclass(frozen=True, slots=True)
class SubjectSchema:
    """A writer schema as it was handed in.

    Args:
        text: as the writer wrote it.
        parsed: its JSON.
    """

    text: str
    parsed: object

    @property
    def sm3(self) -> str:
        """Of what the text says: two spellings of one schema are one."""
        return sm3_hex(json.dumps(self.parsed, sort_keys=True, separators=(",", ":")).encode())

    def as_record(self, contract: Contract, part: Part) -> dict[str, Any]:
        """The record schema that its bytes are decoded by.

        The record may have any name: its subject says whose it is, and tools name records after their own tables. A
        key of one field may be that field's plain type, whose bytes are those of a record of one field.
        """
        if isinstance(self.parsed, dict) and self.parsed.get("type") == "record":
            named = {name: value for name, value in self.parsed.items() if name not in {"name", "namespace"}}
            return {**named, "name": contract.name}
        if part == "key" and len(contract.key) == 1:
            field = {"name": contract.key[0], "type": self.parsed}
            return {"type": "record", "name": contract.name, "fields": [field]}
        return {"type": "?"}


def read_subject_schema(text: str) -> SubjectSchema:
    """Read the text of an Avro schema.

    Raises:
        SubjectSchemaUnreadable: it is no JSON that can be read in one way alone, or too long, or too deep.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) > SCHEMA_BYTES_MAX:
        zh, en = f"长度超过 {SCHEMA_BYTES_MAX} 字节", f"it is longer than {SCHEMA_BYTES_MAX} bytes"
        raise SubjectSchemaUnreadable(problem_zh=zh, problem_en=en)
    try:
        parsed = read_strict(encoded, depth_max=SCHEMA_DEPTH_MAX, floats=True)
    except StrictJsonError as error:
        raise SubjectSchemaUnreadable(problem_zh=error.zh, problem_en=error.en) from None
    return SubjectSchema(text, parsed)


def own_schema(contract: Contract, part: Part) -> SubjectSchema:
    """The schema that a contract itself gives a subject: its fields in the hub's form."""
    avro = contract.avro_schema(contract.key if part == "key" else None)
    return SubjectSchema(json.dumps(avro, separators=(",", ":")), avro)


def misfits(contract: Contract, schema: SubjectSchema, part: Part) -> list[Incompatibility]:
    """Everything that keeps records of a schema from being records of a contract; empty where nothing does."""
    record = schema.as_record(contract, part)
    fields = record.get("fields")
    if record["type"] != "record" or not isinstance(fields, list) or not fields:
        zh, en = "应为有字段的记录(record)模式", "it must be a record schema with fields"
        return [Incompatibility("-", "record", zh, en)]
    found = _refusals(contract, record, part)
    if found:  # looked at field by field, so that a sender is told of all that is wrong
        found = [one for field in fields for one in _refusals(contract, {**record, "fields": [field]}, part)] or found
    return [*found, *_missing(contract, fields, part)]


def _refusals(contract: Contract, record: Mapping[str, Any], part: Part) -> list[Incompatibility]:
    try:
        resolve(contract, record, OPERATIONS[part])
    except BatchError as error:
        field = str(error.parameters().get("field", "-"))
        return [Incompatibility(field, error.code, error.sentence("zh"), error.sentence("en"))]
    return []


def _missing(contract: Contract, fields: list[Any], part: Part) -> Iterator[Incompatibility]:
    written = {one.get("name") for one in fields if isinstance(one, dict)}
    needed = {*contract.key}
    if part == "value":
        needed |= {one.name for one in contract.fields if one.required}
    for name in contract.field_names:
        if name in needed and name not in written:
            zh, en = "必填字段缺失,每条记录都会被拒收", "it is required: every record without it would be rejected"
            yield Incompatibility(name, "required", zh, en)
