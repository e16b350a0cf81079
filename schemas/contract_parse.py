"""Reading a contract: an Avro record schema with governance on it, and everything that makes one refused.

A schema is strangers' input. What could blow up a decoder never gets in: recursion, maps, enums, nested records, arrays
of nothing, depth, size (a recursive schema crashed an interpreter with 4.6 KB of data).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, cast

from schemas.contract import Check, Contract, Entity, Field, FieldType, Kind, Reference
from schemas.contract_errors import ContractFieldWrong, ContractUnreadable, ContractWrong
from schemas.strict_json import StrictJsonError, read_strict
from schemas.vocabulary import check_problem

BYTES_MAX: Final = 256 * 1024
FIELDS_MAX: Final = 500
ARRAY_DEPTH_MAX: Final = 4
DECIMAL_DIGITS_MAX: Final = 38
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
KEY_KINDS: Final = frozenset({"string", "int", "long", "date"})
VERSION_KINDS: Final = frozenset({"int", "long", "date", "timestamp_millis", "timestamp_micros"})
NATIONAL_TYPES: Final = frozenset("CNYDTLMGBIF")
LEVELS: Final = frozenset({1, 2, 3, 4})
_PLAIN: Final[Mapping[str, Kind]] = {
    "string": "string",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "bytes": "bytes",
}
_LOGICAL: Final[Mapping[tuple[str, str], Kind]] = {
    ("int", "date"): "date",
    ("long", "local-timestamp-millis"): "timestamp_millis",
    ("long", "local-timestamp-micros"): "timestamp_micros",
}
_RECORD_MEMBERS: Final = frozenset(
    {"version", "base", "title", "key", "version_field", "checks", "references", "entities", "all_or_nothing"}
)
_FIELD_MEMBERS: Final = frozenset({"title", "type", "level", "unit", "code_list", "checks", "geometry"})


def parse(text: str) -> Contract:
    """The contract of a JSON text.

    Raises:
        ContractError: which field, which rule.
    """
    if len(text.encode()) > BYTES_MAX:
        _wrong("size", f"超过 {BYTES_MAX} 字节", f"it is longer than {BYTES_MAX} bytes")
    try:
        schema = read_strict(text.encode(), floats=True)
    except StrictJsonError as error:
        raise ContractUnreadable(error.zh, error.en) from None
    if not isinstance(schema, dict) or schema.get("type") != "record":
        _wrong("record", "应为 Avro record", "it must be an Avro record")
    hub = _members(schema.get("hub"), _RECORD_MEMBERS, None)
    name = schema.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        _wrong("name", "名称应为小写字母、数字、下划线", f"its name must match {NAME.pattern}")
    fields = _fields(schema.get("fields"))
    title = _title(hub.get("title"), None)
    contract = Contract(
        name=name,
        version=_version(hub.get("version")),
        base=_base(hub.get("base")),
        title_zh=title[0],
        title_en=title[1],
        fields=fields,
        key=_names(hub.get("key"), "key"),
        version_field=cast("str | None", hub.get("version_field")),
        checks=tuple(_check(item, None) for item in _list(hub.get("checks", []), "checks")),
        references=tuple(_reference(item) for item in _list(hub.get("references", []), "references")),
        entities=tuple(_entity(item) for item in _list(hub.get("entities", []), "entities")),
        all_or_nothing=hub.get("all_or_nothing", False) is True,
        source=json.dumps(schema, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    )
    _agree(contract)
    return contract


# The record ----------------------------------------------------------------------------------------------------------


def _version(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        _wrong("version", "hub.version 应为正整数", "hub.version must be a positive integer")
    return value


def _base(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        _wrong("base", "hub.base 应为库名", "hub.base must name a base or theme")
    return value


def _agree(contract: Contract) -> None:
    """What the parts say of each other."""
    known = set(contract.field_names)
    if not contract.key:
        _wrong("key", "缺少主键", "hub.key names no field")
    version = (contract.version_field,) if contract.version_field is not None else ()
    named: list[tuple[str, str]] = [(name, "key") for name in contract.key]
    named += [(name, "version_field") for name in version]
    named += [(name, "references") for reference in contract.references for name in reference.fields]
    named += [(name, "entities") for entity in contract.entities for name in entity.fields]
    named += [(name, "checks") for check in contract.checks for name in _fields_of(check)]
    named += [(name, "checks") for field in contract.fields for check in field.checks for name in _fields_of(check)]
    for name, rule in named:
        if name not in known:
            _field_wrong(str(name), rule, "合同中没有此字段", "the contract has no such field")
    for names, kinds, rule in ((contract.key, KEY_KINDS, "key"), (version, VERSION_KINDS, "version_field")):
        for name in names:
            field = contract.field(name)
            if field.type.kind not in kinds:
                _field_wrong(name, rule, f"类型应为 {sorted(kinds)} 之一", f"its type must be one of {sorted(kinds)}")
            if not field.required:
                _field_wrong(name, rule, "须有 required 检查", "it must have the check required")
    if set(version) & set(contract.key):
        _field_wrong(version[0], "version_field", "不能同时是主键", "it cannot be part of the key")


def _fields_of(check: Check) -> list[str]:
    """The other fields that a check names."""
    return [
        str(check.params[member])
        for member in ("first", "then", "at", "birth", "sex", "citizen_id", "field", "indicator", "unit_field")
        if member in check.params
    ]


# Fields --------------------------------------------------------------------------------------------------------------


def _fields(value: object) -> tuple[Field, ...]:
    items = _list(value, "fields")
    if not 0 < len(items) <= FIELDS_MAX:
        _wrong("fields", f"字段数应为 1 到 {FIELDS_MAX}", f"it must have 1 to {FIELDS_MAX} fields")
    fields = tuple(_field(item) for item in items)
    seen: set[str] = set()
    for field in fields:
        if field.name in seen:
            _field_wrong(field.name, "name", "字段重名", "another field has this name")
        seen.add(field.name)
    return fields


def _field(item: object) -> Field:
    if not isinstance(item, dict):
        _wrong("fields", "字段应为对象", "every field must be an object")
    name = item.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        _field_wrong(str(name)[:80], "name", "名称应为小写字母、数字、下划线", f"its name must match {NAME.pattern}")
    hub = _members(item.get("hub"), _FIELD_MEMBERS, name)
    title = _title(hub.get("title"), name)
    national, level = hub.get("type"), hub.get("level")
    if national not in NATIONAL_TYPES:
        _field_wrong(name, "type", "缺少国家数据类型", f"hub.type must be one of {''.join(sorted(NATIONAL_TYPES))}")
    if level is not None and level not in LEVELS:
        _field_wrong(name, "level", "分级应为 1 至 4", "hub.level must be 1, 2, 3 or 4")
    of = _type(_without_null(item.get("type"), name), name, 0)
    if hub.get("geometry") is True:
        if of.kind != "bytes":
            _field_wrong(name, "geometry", "几何字段应为 bytes", "a geometry must be of type bytes")
        of = FieldType("geometry")
    return Field(
        name=name,
        type=of,
        title_zh=title[0],
        title_en=title[1],
        national_type=str(national),
        level=level,
        unit=hub.get("unit"),
        code_list=hub.get("code_list"),
        checks=tuple(_check(check, name) for check in _list(hub.get("checks", []), f"{name}.checks")),
    )


def _without_null(value: object, name: str) -> object:
    if not isinstance(value, list) or len(value) != 2 or value[0] != "null":  # noqa: PLR2004 - null and one type
        _field_wrong(
            name, "nullable", '类型应写作 ["null", T]', 'its type must be written ["null", T]; required is a check'
        )
    return value[1]


def _type(value: object, name: str, depth: int) -> FieldType:
    if depth > ARRAY_DEPTH_MAX:
        _field_wrong(name, "depth", f"数组嵌套超过 {ARRAY_DEPTH_MAX} 层", f"arrays nest deeper than {ARRAY_DEPTH_MAX}")
    if isinstance(value, str) and value in _PLAIN:
        return FieldType(_PLAIN[value])
    if isinstance(value, dict):
        plain, logical = value.get("type"), value.get("logicalType")
        if plain == "array":
            return FieldType("array", items=_items(value.get("items"), name, depth))
        if plain == "bytes" and logical == "decimal":
            return _decimal(value, name)
        if (plain, logical) in _LOGICAL:
            return FieldType(_LOGICAL[str(plain), str(logical)])
    # Named types are the way to recursion, maps and enums have no place in a table: none is known here.
    _field_wrong(
        name,
        "closed_types",
        "类型不在允许范围(不允许嵌套 record、map、enum、fixed 及递归)",
        "its type is not allowed; records, maps, enums, fixed and names of other types are not",
    )


def _items(value: object, name: str, depth: int) -> FieldType:
    if value == "null" or (isinstance(value, dict) and not value.get("fields", True)):
        _field_wrong(
            name, "zero_width", "数组元素不占字节", "its items take no bytes, so a few bytes could claim millions"
        )
    inner = value[1] if isinstance(value, list) and len(value) == 2 and value[0] == "null" else value  # noqa: PLR2004
    return _type(inner, name, depth + 1)


def _decimal(value: Mapping[str, Any], name: str) -> FieldType:
    precision, scale = value.get("precision"), value.get("scale", 0)
    sound = isinstance(precision, int) and isinstance(scale, int) and 0 < precision <= DECIMAL_DIGITS_MAX
    if not sound or not 0 <= scale <= precision:
        _field_wrong(
            name, "decimal", "精度应为 1 至 38,小数位不多于精度", "it needs a precision of 1 to 38 and a scale within"
        )
    return FieldType("decimal", precision=precision, scale=scale)


# Governance ----------------------------------------------------------------------------------------------------------


def _check(value: object, field: str | None) -> Check:
    if not isinstance(value, dict) or not isinstance(value.get("check"), str):
        _field_wrong(
            field or "hub.checks", "checks", "检查应有 check 名称", "every check is an object with a name in check"
        )
    params = {name: given for name, given in value.items() if name != "check"}
    problem = check_problem(value["check"], params, of_field=field is not None)
    if problem is not None:
        _field_wrong(field or "hub.checks", f"check {value['check'][:40]}", *problem)
    return Check(value["check"], params)


def _reference(value: object) -> Reference:
    members = _members(value, frozenset({"name", "fields", "dataset", "to_fields"}), "hub.references")
    fields, to_fields = _names(members.get("fields"), "references"), _names(members.get("to_fields"), "references")
    dataset = members.get("dataset")
    if len(fields) != len(to_fields) or not fields:
        _wrong("references", "fields 与 to_fields 数目应相同", "fields and to_fields must be as many")
    if not isinstance(dataset, str) or not NAME.fullmatch(dataset):
        _wrong("references", "dataset 应为数据资源名", "dataset must be a dataset's name without its region")
    return Reference(str(members.get("name")), fields, dataset, to_fields)


def _entity(value: object) -> Entity:
    members = _members(value, frozenset({"kind", "fields", "role"}), "hub.entities")
    return Entity(str(members.get("kind")), _names(members.get("fields"), "entities"), str(members.get("role", "")))


def _title(value: object, field: str | None) -> tuple[str, str]:
    if isinstance(value, dict) and all(isinstance(value.get(one), str) and value[one].strip() for one in ("zh", "en")):
        return value["zh"], value["en"]
    _field_wrong(field or "hub", "title", "应有中英文名称", "it needs a title in zh and en")


def _members(value: object, allowed: frozenset[str], field: str | None) -> dict[str, Any]:
    where = field or "hub"
    if not isinstance(value, dict):
        _field_wrong(where, "hub", "缺少 hub 说明", "it has no hub object with its governance")
    for name in value:
        if name not in allowed:
            _field_wrong(where, "hub", f"不认识的项 {name[:80]}", f"{name[:80]} is not known")
    return value


def _list(value: object, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        _wrong(what, "应为数组", f"{what} must be an array")
    return value


def _names(value: object, rule: str) -> tuple[str, ...]:
    items = _list(value, rule)
    if not all(isinstance(item, str) for item in items) or len(set(items)) != len(items):
        _wrong(rule, "应为互不相同的字段名", f"{rule} must be field names, each once")
    return tuple(items)


def _wrong(rule: str, zh: str, en: str) -> NoReturn:
    raise ContractWrong(rule, zh, en)


def _field_wrong(field: str, rule: str, zh: str, en: str) -> NoReturn:
    raise ContractFieldWrong(field, rule, zh, en)
