"""Reading a field's Avro type: a short closed list of flat types, everything else refused.

Named types are the way to recursion, maps and enums have no place in a table, and an array of nothing lets five bytes
claim millions of items: none of them is known here.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from schemas.contract import FieldType, Kind
from schemas.contract_errors import refuse_field

ARRAY_DEPTH_MAX: Final = 4
DECIMAL_DIGITS_MAX: Final = 38
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


def read_type(value: object, name: str) -> FieldType:
    """The type in ``["null", T]`` of the field ``name``.

    Raises:
        ContractFieldWrong: it is written otherwise, or T is not of the list.
    """
    if _inside_null(value) is None:
        refuse_field(
            name, "nullable", '类型应写作 ["null", T]', 'its type must be written ["null", T]; required is a check'
        )
    return _type(_inside_null(value), name, 0)


def _inside_null(value: object) -> object | None:
    """T of ``["null", T]``; None where it is not written so."""
    return value[1] if isinstance(value, list) and len(value) == 2 and value[0] == "null" else None  # noqa: PLR2004 - null and one type


def _type(value: object, name: str, depth: int) -> FieldType:
    if depth > ARRAY_DEPTH_MAX:
        refuse_field(name, "depth", f"数组嵌套超过 {ARRAY_DEPTH_MAX} 层", f"arrays nest deeper than {ARRAY_DEPTH_MAX}")
    found = _plain(value) if isinstance(value, str) else None
    if isinstance(value, dict):
        plain, logical = value.get("type"), value.get("logicalType")
        if plain == "array":
            found = FieldType("array", items=_items(value.get("items"), name, depth))
        elif plain == "bytes" and logical == "decimal":
            found = _decimal(value, name)
        elif isinstance(plain, str) and isinstance(logical, str) and (plain, logical) in _LOGICAL:
            found = FieldType(_LOGICAL[plain, logical])
    if found is None:
        refuse_field(
            name,
            "closed_types",
            "类型不在允许范围(不允许嵌套 record、map、enum、fixed 及递归)",
            "its type is not allowed; records, maps, enums, fixed and names of other types are not",
        )
    return found


def _plain(value: str) -> FieldType | None:
    return FieldType(_PLAIN[value]) if value in _PLAIN else None


def _items(value: object, name: str, depth: int) -> FieldType:
    inner = _inside_null(value) or value
    if _takes_no_bytes(inner):
        refuse_field(
            name, "zero_width", "数组元素不占字节", "its items take no bytes, so a few bytes could claim millions"
        )
    return _type(inner, name, depth + 1)


def _takes_no_bytes(value: object) -> bool:
    if isinstance(value, dict):
        return value.get("type") == "null" or value.get("fields") == [] or value.get("size") == 0
    return value == "null"


def _decimal(value: Mapping[str, Any], name: str) -> FieldType:
    precision, scale = value.get("precision"), value.get("scale", 0)
    # Compared by type: True is an int in Python.
    if type(precision) is int and type(scale) is int:
        sound = 0 <= scale <= precision <= DECIMAL_DIGITS_MAX and precision > 0
    else:
        sound = False
    if not sound:
        refuse_field(
            name, "decimal", "精度应为 1 至 38,小数位不多于精度", "it needs a precision of 1 to 38 and a scale within"
        )
    return FieldType("decimal", precision=cast("int", precision), scale=cast("int", scale))
