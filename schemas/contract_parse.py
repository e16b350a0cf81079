"""Reading a contract: an Avro record schema with governance on it, and everything that makes one refused.

A schema is strangers' input. What could blow up a decoder never gets in: recursion, maps, enums, nested records, arrays
of nothing, depth, size (a recursive schema crashed an interpreter with 4.6 KB of data). Members that are not known are
refused too: what the hub does not understand it cannot keep to.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from schemas import codelists
from schemas.contract import Check, Contract, Entity, Field, FieldType, Reference
from schemas.contract_agreement import agree
from schemas.contract_errors import ContractUnreadable, refuse, refuse_field, shown
from schemas.field_types import read_type
from schemas.strict_json import StrictJsonError, read_strict
from schemas.vocabulary import check_problem

BYTES_MAX: Final = 256 * 1024
FIELDS_MAX: Final = 500
TITLE_CHARACTERS_MAX: Final = 200
UNIT_CHARACTERS_MAX: Final = 40
VERSION_MAX: Final = 2**31 - 1
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")  # 63 bytes: an identifier of PostgreSQL
# PostgreSQL gives every table columns of these names; the hub's own begin with an underscore, which NAME does not take.
RESERVED: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
NATIONAL_TYPES: Final = "BCDFGILMNTY"
LEVELS: Final = (1, 2, 3, 4)
_SCHEMA_MEMBERS: Final = frozenset({"type", "name", "doc", "hub", "fields"})
_RECORD_MEMBERS: Final = frozenset(
    {"version", "base", "title", "key", "version_field", "checks", "references", "entities", "all_or_nothing"}
)
_SCHEMA_FIELD_MEMBERS: Final = frozenset({"name", "type", "doc", "default", "hub"})
_FIELD_MEMBERS: Final = frozenset({"title", "type", "level", "unit", "code_list", "checks", "geometry"})


def parse(text: str) -> Contract:
    """The contract of a JSON text.

    Raises:
        ContractError: which field, which rule.
    """
    schema = _read(text)
    if schema.get("type") != "record":
        refuse("record", "应为 Avro record", "it must be an Avro record")
    hub = _members(schema.get("hub"), _RECORD_MEMBERS, "hub")
    _members(schema, _SCHEMA_MEMBERS, "record")
    title = _title(hub.get("title"), "hub")
    contract = Contract(
        name=_name(schema.get("name"), "name"),
        version=_version(hub.get("version")),
        base=_name(hub.get("base"), "base"),
        title_zh=title[0],
        title_en=title[1],
        fields=_fields(schema.get("fields")),
        key=_names(hub.get("key"), "key"),
        version_field=_version_field(hub.get("version_field")),
        checks=tuple(_check(item, None) for item in _list(hub.get("checks", []), "checks")),
        references=_references(hub.get("references", [])),
        entities=tuple(_entity(item) for item in _list(hub.get("entities", []), "entities")),
        all_or_nothing=_boolean(hub.get("all_or_nothing", False), "hub", "all_or_nothing"),
        source=json.dumps(schema, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    )
    agree(contract)
    return contract


def _read(text: str) -> dict[str, Any]:
    content = text.encode("utf-8", "surrogatepass")  # half a surrogate pair is refused as no UTF-8
    if len(content) > BYTES_MAX:
        refuse("size", f"超过 {BYTES_MAX} 字节", f"it is longer than {BYTES_MAX} bytes")
    try:
        schema = read_strict(content, floats=True)
    except StrictJsonError as error:
        raise ContractUnreadable(error.zh, error.en) from None
    if not isinstance(schema, dict):
        refuse("record", "应为 Avro record", "it must be an Avro record")
    return schema


# The record ----------------------------------------------------------------------------------------------------------


def _name(value: object, rule: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        refuse(rule, "名称应为小写字母、数字、下划线", f"{rule} must match {NAME.pattern}")
    return value


def _version(value: object) -> int:
    if type(value) is not int or not 1 <= value <= VERSION_MAX:
        refuse("version", "hub.version 应为正整数", "hub.version must be a positive integer of 31 bits")
    return value


def _version_field(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        refuse("version_field", "应为字段名或 null", "hub.version_field must name a field or be null")
    return value


# Fields --------------------------------------------------------------------------------------------------------------


def _fields(value: object) -> tuple[Field, ...]:
    items = _list(value, "fields")
    if not 0 < len(items) <= FIELDS_MAX:
        refuse("fields", f"字段数应为 1 到 {FIELDS_MAX}", f"it must have 1 to {FIELDS_MAX} fields")
    fields = tuple(_field(item) for item in items)
    seen: set[str] = set()
    for field in fields:
        if field.name in seen:
            refuse_field(field.name, "name", "字段重名", "another field has this name")
        seen.add(field.name)
    return fields


def _field(item: object) -> Field:
    if not isinstance(item, dict):
        refuse("fields", "字段应为对象", "every field must be an object")
    name = item.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        refuse_field(shown(name), "name", "名称应为小写字母、数字、下划线", f"its name must match {NAME.pattern}")
    if name in RESERVED:
        refuse_field(name, "name", "此名称为数据库保留", "the database keeps this name for itself")
    hub = _members(item.get("hub"), _FIELD_MEMBERS, name)
    _members(item, _SCHEMA_FIELD_MEMBERS, name)
    if item.get("default") is not None:
        refuse_field(name, "default", "默认值只能为 null", "its default can be null only: a value is not made up")
    title = _title(hub.get("title"), name)
    return Field(
        name=name,
        type=_field_type(item.get("type"), hub, name),
        title_zh=title[0],
        title_en=title[1],
        national_type=_national_type(hub.get("type"), name),
        level=_level(hub.get("level"), name),
        unit=None if hub.get("unit") is None else _text(hub["unit"], UNIT_CHARACTERS_MAX, name, "unit"),
        code_list=_code_list(hub.get("code_list"), name),
        checks=tuple(_check(check, name) for check in _list(hub.get("checks", []), f"{name}.checks")),
    )


def _field_type(value: object, hub: dict[str, Any], name: str) -> FieldType:
    of = read_type(value, name)
    if not _boolean(hub.get("geometry", False), name, "geometry"):
        return of
    if of.kind != "bytes":
        refuse_field(name, "geometry", "几何字段应为 bytes", "a geometry must be of type bytes")
    return FieldType("geometry")


def _national_type(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) != 1 or value not in NATIONAL_TYPES:
        refuse_field(name, "type", "缺少国家数据类型", f"hub.type must be one letter of {NATIONAL_TYPES}")
    return value


def _level(value: object, name: str) -> int | None:
    if value is not None and (type(value) is not int or value not in LEVELS):
        refuse_field(name, "level", "分级应为 1 至 4", "hub.level must be 1, 2, 3 or 4")
    return value


def _code_list(value: object, name: str) -> str | None:
    if value is not None and (not isinstance(value, str) or value not in codelists.names()):
        known = ", ".join(sorted(codelists.names()))
        refuse_field(name, "code_list", f"没有此代码表;可用:{known}", f"there is no such list; there are {known}")
    return value


# Governance ----------------------------------------------------------------------------------------------------------


def _check(value: object, field: str | None) -> Check:
    where = field or "hub.checks"
    if not isinstance(value, dict) or not isinstance(value.get("check"), str):
        refuse_field(where, "checks", "检查应有 check 名称", "every check is an object with a name in check")
    kind = value["check"]
    params = {name: given for name, given in value.items() if name != "check"}
    problem = check_problem(kind, params, of_field=field is not None)
    if problem is not None:
        refuse_field(where, f"check {shown(kind)[:40]}", *problem)
    return Check(kind, params)


def _references(value: object) -> tuple[Reference, ...]:
    references = tuple(_reference(item) for item in _list(value, "references"))
    if len({reference.name for reference in references}) != len(references):
        refuse("references", "引用重名", "two references have one name")
    return references


def _reference(value: object) -> Reference:
    members = _members(value, frozenset({"name", "fields", "dataset", "to_fields"}), "hub.references")
    fields, to_fields = _names(members.get("fields"), "references"), _names(members.get("to_fields"), "references")
    if len(fields) != len(to_fields) or not fields:
        refuse("references", "fields 与 to_fields 数目应相同", "fields and to_fields must be as many")
    for name in to_fields:
        _name(name, "references")
    return Reference(
        _name(members.get("name"), "references"), fields, _name(members.get("dataset"), "references"), to_fields
    )


def _entity(value: object) -> Entity:
    members = _members(value, frozenset({"kind", "fields", "role"}), "hub.entities")
    fields, role = _names(members.get("fields"), "entities"), members.get("role", "")
    if not fields:
        refuse("entities", "fields 应有字段名", "an entity names at least one field")
    return Entity(_name(members.get("kind"), "entities"), fields, "" if role == "" else _name(role, "entities"))


def _title(value: object, where: str) -> tuple[str, str]:
    if not isinstance(value, dict) or set(value) != {"zh", "en"}:
        refuse_field(where, "title", "应有中英文名称", "it needs a title in zh and en")
    return (
        _text(value["zh"], TITLE_CHARACTERS_MAX, where, "title"),
        _text(value["en"], TITLE_CHARACTERS_MAX, where, "title"),
    )


def _text(value: object, characters_max: int, where: str, rule: str) -> str:
    """A text for people: not empty, not long, and nothing in it that a page or a database could stumble over."""
    if not isinstance(value, str) or not value.strip() or len(value) > characters_max:
        refuse_field(
            where, rule, f"应为 1 至 {characters_max} 个字符", f"it must have 1 to {characters_max} characters"
        )
    if not value.isprintable():
        refuse_field(where, rule, "含不可见字符", "it holds characters that cannot be seen")
    return value


def _members(value: object, allowed: frozenset[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse_field(where, "hub", "缺少 hub 说明", "it has no hub object with its governance")
    for name in value:
        if name not in allowed:
            refuse_field(where, "hub", f"不认识的项 {shown(name)}", f"{shown(name)} is not known")
    return value


def _boolean(value: object, where: str, rule: str) -> bool:
    if not isinstance(value, bool):
        refuse_field(where, rule, "应为 true 或 false", "it must be true or false")
    return value


def _list(value: object, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        refuse(what, "应为数组", f"{what} must be an array")
    return value


def _names(value: object, rule: str) -> tuple[str, ...]:
    items = _list(value, rule)
    if not all(isinstance(item, str) for item in items) or len(set(items)) != len(items):
        refuse(rule, "应为互不相同的字段名", f"{rule} must be field names, each once")
    return tuple(items)
