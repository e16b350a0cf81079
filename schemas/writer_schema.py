"""The schema a batch was written with, and how each of its fields becomes the contract's: the plan of decoding.

A writer may give a field plain or as a union with null, an enum for a string, UTC timestamps for local ones, and any
field in text form (string). Everything else is refused here, before a decoder follows it: nested and recursive
records, maps, types without width.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas.container_errors import (
    FieldTypeUnfit,
    FieldUnknown,
    SchemaOfOtherDataset,
    WriterSchemaRecursive,
    WriterSchemaWrong,
)
from schemas.contract import Contract, Field, FieldType
from schemas.envelope import Operation

FIXED_BYTES_MAX: Final = 1024
DECIMAL_DIGITS_MAX: Final = 38
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PRIMITIVES: Final = frozenset({"string", "int", "long", "float", "double", "boolean", "bytes"})
_LOGICAL: Final[Mapping[tuple[str, str], str]] = {
    ("int", "date"): "date",
    ("long", "local-timestamp-millis"): "timestamp_millis",
    ("long", "local-timestamp-micros"): "timestamp_micros",
    ("long", "timestamp-millis"): "utc_millis",
    ("long", "timestamp-micros"): "utc_micros",
}
# What else than its own kind a contract's kind may be written as; text form comes on top of it.
_RESOLVES_FROM: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"string", "enum"}),
    "long": frozenset({"int", "long"}),
    "float": frozenset({"int", "long", "float"}),
    "double": frozenset({"int", "long", "float", "double"}),
    "bytes": frozenset({"bytes", "fixed"}),
    "geometry": frozenset({"bytes"}),
    "timestamp_millis": frozenset({"timestamp_millis", "utc_millis"}),
    "timestamp_micros": frozenset({"timestamp_millis", "timestamp_micros", "utc_millis", "utc_micros"}),
}
_COLUMNAR: Final[Mapping[str, Any]] = {
    **{kind: kind for kind in _PRIMITIVES},
    "date": {"type": "int", "logicalType": "date"},
    # UTC and local timestamps are the same numbers; the zone is applied after reading.
    "timestamp_millis": {"type": "long", "logicalType": "local-timestamp-millis"},
    "timestamp_micros": {"type": "long", "logicalType": "local-timestamp-micros"},
    "utc_millis": {"type": "long", "logicalType": "local-timestamp-millis"},
    "utc_micros": {"type": "long", "logicalType": "local-timestamp-micros"},
}


@dataclass(frozen=True, slots=True)
class Written:
    """How a field is written.

    Args:
        kind: a contract's kind, or ``enum``, ``fixed``, ``utc_millis``, ``utc_micros``.
        null_at: place of ``null`` in the union; None where the field cannot be null.
        precision: of a decimal.
        scale: of a decimal.
        size: of a fixed, also one that holds a decimal; 0 otherwise.
        symbols: of an enum.
        items: of an array.
    """

    kind: str
    null_at: int | None = None
    precision: int = 0
    scale: int = 0
    size: int = 0
    symbols: tuple[str, ...] = ()
    items: "Written | None" = None

    @property
    def columnar(self) -> bool:
        """Whether polars writes a column of this kind in the same bytes, so that its reading can be verified."""
        if self.null_at != 0 or self.size:
            return False
        return self.items.columnar if self.items else self.kind in _COLUMNAR or self.kind == "decimal"

    def to_avro(self) -> list[Any]:
        """The union polars is told to read; only where ``columnar``."""
        if self.items is not None:
            return ["null", {"type": "array", "items": self.items.to_avro()}]
        if self.kind == "decimal":
            digits = {"precision": self.precision, "scale": self.scale}
            return ["null", {"type": "bytes", "logicalType": "decimal", **digits}]
        return ["null", _COLUMNAR[self.kind]]


@dataclass(frozen=True, slots=True)
class PlannedField:
    """A field of the contract, how it is written, and whether that is its text form."""

    field: Field
    written: Written
    text: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The writer's fields in the writer's order."""

    fields: tuple[PlannedField, ...]

    @property
    def columnar(self) -> bool:
        """Whether every field is."""
        return all(planned.written.columnar for planned in self.fields)

    def to_avro(self, name: str) -> dict[str, Any]:
        """The schema polars is told to read."""
        fields = [{"name": planned.field.name, "type": planned.written.to_avro()} for planned in self.fields]
        return {"type": "record", "name": name, "fields": fields}


def operation_fields(contract: Contract, operation: Operation) -> tuple[str, ...]:
    """The fields a batch of this operation holds, in the contract's order."""
    match operation:
        case "upsert":
            return contract.field_names
        case "delete":
            wanted = {*contract.key, contract.version_field}
        case "keys":
            wanted = {*contract.key}
    return tuple(name for name in contract.field_names if name in wanted)


def resolve(contract: Contract, schema: Mapping[str, Any], operation: Operation) -> Plan:
    """Plan the decoding of records of ``schema`` as records of the contract.

    Raises:
        BatchError: the schema is of another contract, recursive, or a field does not resolve.
    """
    if schema.get("type") != "record":
        raise WriterSchemaWrong(problem_zh="不是记录(record)模式", problem_en="it is no record schema")
    _refuse_references_to_records(schema)
    name = schema.get("name")
    # polars names the record '' unless told; a namespace may stand before the name.
    if not isinstance(name, str) or name.rsplit(".", 1)[-1] not in {"", contract.name}:
        raise SchemaOfOtherDataset(found=_shown(name), contract=contract.name)
    fields = schema.get("fields")
    if not isinstance(fields, list) or not fields:
        raise WriterSchemaWrong(problem_zh="没有字段", problem_en="it has no fields")
    return Plan(_plan_fields(contract, fields, operation))


def _plan_fields(contract: Contract, fields: Sequence[Any], operation: Operation) -> tuple[PlannedField, ...]:
    allowed = {name: contract.field(name) for name in operation_fields(contract, operation)}
    named: dict[str, Written] = {}
    planned: dict[str, PlannedField] = {}
    for one in fields:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or name not in allowed:
            raise FieldUnknown(field=_shown(name), contract=contract.name, operation=operation)
        if name in planned:
            raise WriterSchemaWrong(problem_zh=f"字段 {name} 重复", problem_en=f"field {name} stands twice")
        written = _nullable(one.get("type"), named)
        field = allowed[name]
        if not isinstance(written, Written):
            raise FieldTypeUnfit(field=name, found=written, expected=_spoken(field.type))
        text = field.type.kind != "string" and written.kind in {"string", "enum"}
        if not text and not _fits(written, field.type):
            raise FieldTypeUnfit(field=name, found=_spoken(written), expected=_spoken(field.type))
        planned[name] = PlannedField(field, written, text)
    return tuple(planned.values())


def _nullable(written: object, named: dict[str, Written]) -> Written | str:
    """A type or a union of null and a type; a text names what it is where it is neither."""
    if not isinstance(written, list):
        return _single(written, named)
    others = [one for one in written if one != "null"]
    if len(written) > 2 or len(others) != 1:  # noqa: PLR2004 - null and one type
        return "union"
    found = _single(others[0], named)
    if isinstance(found, Written) and len(written) == 2:  # noqa: PLR2004 - null and one type
        return replace(found, null_at=written.index("null"))
    return "union" if isinstance(found, Written) else found


def _single(written: object, named: dict[str, Written]) -> Written | str:
    if isinstance(written, str):
        return Written(written) if written in _PRIMITIVES else named.get(written) or _shown(written)
    if not isinstance(written, dict):
        return "?"
    match written.get("type"):
        case "array":
            items = _nullable(written.get("items"), named)
            return Written("array", items=items) if isinstance(items, Written) else f"array<{items}>"[:128]
        case "enum" | "fixed":
            return _named_type(written, named)
        case str() as kind:
            return _annotated(kind, written)
        case _:
            return "?"


def _annotated(kind: str, written: Mapping[str, Any]) -> Written | str:
    """A primitive with attributes, which may change its meaning."""
    logical = written.get("logicalType")
    if kind == "bytes" and logical == "decimal":
        return _decimal(written, size=0)
    if isinstance(logical, str) and (kind, logical) in _LOGICAL:
        return Written(_LOGICAL[kind, logical])
    if kind in _PRIMITIVES and (logical is None or kind in {"string", "bytes"}):
        return Written(kind)  # a string may be marked a uuid: it is text
    return _shown(kind) if logical is None else f"{_shown(kind)} ({_shown(logical)})"


def _named_type(written: Mapping[str, Any], named: dict[str, Written]) -> Written | str:
    """An enum or a fixed; later fields may refer to it by name."""
    name, symbols, size = written.get("name"), written.get("symbols"), written.get("size")
    if not isinstance(name, str) or not _NAME.fullmatch(name.rsplit(".", 1)[-1]):
        return _shown(written.get("type"))
    found: Written | str
    if written.get("type") == "enum":
        if not isinstance(symbols, list) or not symbols or not all(isinstance(symbol, str) for symbol in symbols):
            return "enum"
        found = Written("enum", symbols=tuple(symbols))
    elif type(size) is not int or not 1 <= size <= FIXED_BYTES_MAX:
        return "fixed"
    elif written.get("logicalType") == "decimal":
        found = _decimal(written, size)
    else:
        found = Written("fixed", size=size)
    if isinstance(found, Written):
        space = written.get("namespace")
        named[name] = named[name.rsplit(".", 1)[-1]] = found
        named[f"{space}.{name}"] = found
    return found


def _decimal(written: Mapping[str, Any], size: int) -> Written | str:
    precision, scale = written.get("precision"), written.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision <= DECIMAL_DIGITS_MAX:
        return "decimal"
    return Written("decimal", precision=precision, scale=scale, size=size) if precision else "decimal"


def _fits(written: Written, wanted: FieldType) -> bool:
    if wanted.kind == "array":
        return written.items is not None and wanted.items is not None and _is(written.items, wanted.items)
    if wanted.kind == "decimal":
        whole, wanted_whole = written.precision - written.scale, wanted.precision - wanted.scale
        return written.kind == "decimal" and written.scale <= wanted.scale and whole <= wanted_whole
    return written.kind in _RESOLVES_FROM.get(wanted.kind, {wanted.kind})


def _is(written: Written, wanted: FieldType) -> bool:
    """Inside an array nothing is converted; an enum is a string already when it is read."""
    if wanted.items is not None:
        return written.items is not None and _is(written.items, wanted.items)
    kind = "string" if written.kind == "enum" else written.kind
    same = kind == wanted.kind or (kind == "bytes" and wanted.kind == "geometry")
    return same and (written.precision, written.scale) == (wanted.precision, wanted.scale)


def _refuse_references_to_records(schema: Mapping[str, Any]) -> None:
    """A record referred to by name is one inside itself, or one used twice: neither is flat."""
    records: set[str] = set()
    references: set[str] = set()
    waiting: list[object] = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            references.add(one.rsplit(".", 1)[-1])
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            # Compared, not looked up: a stranger's type may be a list, which no set takes.
            if one.get("type") in ("record", "error") and isinstance(one.get("name"), str):
                records.add(one["name"].rsplit(".", 1)[-1])
            fields = one.get("fields")
            waiting.extend(fields if isinstance(fields, list) else ())
            waiting.extend(one.get(part) for part in ("type", "items", "values"))
    for name in sorted(references & (records - {"", "record", "error"} - _PRIMITIVES)):
        raise WriterSchemaRecursive(name=_shown(name))


def _spoken(of: Written | FieldType) -> str:
    if of.items is not None:
        return f"array<{_spoken(of.items)}>"
    return f"decimal({of.precision},{of.scale})" if of.kind == "decimal" else of.kind


def _shown(name: object) -> str:
    """A stranger's name for a sentence: short, and without characters that could spoil it."""
    return ascii(name)[1:-1][:64] if isinstance(name, str) else "?"
