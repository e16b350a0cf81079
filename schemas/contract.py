"""A contract: fields, types, keys, checks, code lists and field levels of a dataset's records, versioned.

The values here are what ``contract_parse`` reads from an Avro schema with governance on it; they do no I/O and know
no data frame. One contract may be followed by several datasets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, NewType

ContractName = NewType("ContractName", str)

Kind = Literal[
    "string",
    "int",
    "long",
    "float",
    "double",
    "boolean",
    "bytes",
    "date",
    "decimal",
    "timestamp_millis",
    "timestamp_micros",
    "array",
    "geometry",
]

_PLAIN_AVRO: Mapping[str, str] = {
    "string": "string",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "bytes": "bytes",
    "geometry": "bytes",
}
_LOGICAL_AVRO: Mapping[str, tuple[str, str]] = {
    "date": ("int", "date"),
    "timestamp_millis": ("long", "local-timestamp-millis"),
    "timestamp_micros": ("long", "local-timestamp-micros"),
}


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field's type: ``precision`` and ``scale`` for decimals, ``items`` for arrays; geometry is EWKB, SRID 4490."""

    kind: Kind
    precision: int = 0
    scale: int = 0
    items: "FieldType | None" = None

    def to_avro(self) -> str | dict[str, Any]:
        """The Avro type without ``null``, as polars writes it."""
        if self.items is not None:
            return {"type": "array", "items": ["null", self.items.to_avro()]}
        if self.kind == "decimal":
            return {"logicalType": "decimal", "precision": self.precision, "scale": self.scale, "type": "bytes"}
        if self.kind in _LOGICAL_AVRO:
            plain, logical = _LOGICAL_AVRO[self.kind]
            return {"type": plain, "logicalType": logical}
        return _PLAIN_AVRO[self.kind]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the closed vocabulary in ``checks``, with its parameters."""

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Field:
    """A field and its governance.

    Args:
        name: snake case, ASCII.
        type: what it holds; every field may be null, ``required`` is a check.
        title_zh: Chinese title.
        title_en: English title.
        national_type: C N Y D T L M G B I F, the 信息项 data types (norms: catalogue guide).
        level: 1..4 within general data (GB/T 43697-2024); None is not labelled, and then nothing leaves.
        unit: of a number.
        code_list: the list its values come from.
        checks: in the order they are told to the sender.
    """

    name: str
    type: FieldType
    title_zh: str
    title_en: str
    national_type: str
    level: int | None
    unit: str | None
    code_list: str | None
    checks: tuple[Check, ...]

    @property
    def required(self) -> bool:
        """Whether a record without it is rejected."""
        return any(check.kind == "required" for check in self.checks)


@dataclass(frozen=True, slots=True)
class Reference:
    """Fields that name a record of another dataset, in the same region."""

    name: str
    fields: tuple[str, ...]
    dataset: str
    to_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity a record speaks of: ``person by id_number``; a marriage has two, told apart by role."""

    kind: str
    fields: tuple[str, ...]
    role: str


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of a contract; ``source`` is the canonical JSON it was registered as."""

    name: str
    version: int
    base: str
    title_zh: str
    title_en: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    version_field: str | None
    checks: tuple[Check, ...]
    references: tuple[Reference, ...]
    entities: tuple[Entity, ...]
    all_or_nothing: bool
    source: str

    def field(self, name: str) -> Field:
        """The field of that name; KeyError where there is none."""
        for one in self.fields:
            if one.name == name:
                return one
        raise KeyError(name)

    @property
    def field_names(self) -> tuple[str, ...]:
        """All field names in order."""
        return tuple(one.name for one in self.fields)

    def avro_schema(self, names: tuple[str, ...] | None = None) -> dict[str, Any]:
        """The hub form of the schema, exactly what polars writes; ``names`` keeps only those fields."""
        wanted = self.field_names if names is None else names
        return {
            "type": "record",
            "name": self.name,
            "fields": [
                {"name": one.name, "type": ["null", one.type.to_avro()]} for one in self.fields if one.name in wanted
            ],
        }


def parse_contract(text: str) -> Contract:
    """Read a contract from its JSON text.

    Raises:
        ContractError: what is wrong, in which field, by which rule.
    """
    from schemas.contract_parse import parse

    return parse(text)


def load_shipped() -> list[Contract]:
    """The contracts that come with the hub, by name and version."""
    found = [
        parse_contract(file.read_text(encoding="utf-8"))
        for base in ("population", "legal_person", "geospatial", "macro_economy")
        for folder in resources.files("schemas").joinpath(base).iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(".avsc")
    ]
    return sorted(found, key=lambda contract: (contract.name, contract.version))
