"""What the parts of a contract say of each other: fields that are named exist, and checks suit their types.

A check on a type it was not made for would fail in the middle of a batch; here it fails at registration.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from schemas.contract import Check, Contract, Field, FieldType, Kind
from schemas.contract_errors import refuse, refuse_field, shown
from schemas.vocabulary import fields_named

INT_MAX: Final = 2**31 - 1
_TEXTS: Final = frozenset({"string"})
_TIMES: Final = frozenset({"date", "timestamp_millis", "timestamp_micros"})
_INTEGERS: Final = frozenset({"int", "long"})
NUMBERS: Final = frozenset({*_INTEGERS, "float", "double", "decimal"})
KEY_KINDS: Final = frozenset({"string", "int", "long", "date"})
VERSION_KINDS: Final = frozenset({*_INTEGERS, *_TIMES})
_ORDERED: Final = frozenset({*NUMBERS, *_TIMES, "string"})
# What a field check may stand on; ``required`` on anything.
_SUITS: Final[Mapping[str, frozenset[str]]] = {
    "length": _TEXTS,
    "pattern": _TEXTS,
    "code_list": _TEXTS,
    "citizen_id": _TEXTS,
    "credit_code": _TEXTS,
    "division": _TEXTS,
    "range": NUMBERS,
    "not_future": _TIMES,
    "geometry": frozenset({"geometry"}),
    "extent": frozenset({"geometry"}),
}
# What the fields that a check names may be.
_NAMED: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("division", "at"): _TIMES,
    ("order", "first"): _ORDERED,
    ("order", "then"): _ORDERED,
    ("different", "first"): _ORDERED,
    ("different", "then"): _ORDERED,
    ("citizen_id_agrees", "citizen_id"): _TEXTS,
    ("citizen_id_agrees", "birth"): frozenset({"date"}),
    ("citizen_id_agrees", "sex"): _TEXTS,
    ("required_when", "field"): frozenset({*_TEXTS, *_INTEGERS, "boolean"}),
    ("unit", "indicator"): _TEXTS,
    ("unit", "unit_field"): _TEXTS,
}
_CHOICE_TYPES: Final[Mapping[Kind, type]] = {"string": str, "int": int, "long": int, "boolean": bool}


def agree(contract: Contract) -> None:
    """Refuse a contract whose parts contradict each other.

    Raises:
        ContractError: which field, which rule.
    """
    if not contract.key:
        refuse("key", "缺少主键", "hub.key names no field")
    known = set(contract.field_names)
    for name, rule in _named(contract):
        if name not in known:
            refuse_field(shown(name), rule, "合同中没有此字段", "the contract has no such field")
    _columns_agree(contract)
    for field in contract.fields:
        _field_agrees(contract, field)
    for check in contract.checks:
        _named_agree(contract, check, "hub.checks")


def _columns_agree(contract: Contract) -> None:
    """Key, version and references: what they are made of, and that the first two are always there."""
    for names, kinds, rule, required in (
        (contract.key, KEY_KINDS, "key", True),
        (_version(contract), VERSION_KINDS, "version_field", True),
        (_referring(contract), KEY_KINDS, "references", False),
    ):
        for name in names:
            field = contract.field(name)
            _of_kind(field, kinds, rule)
            if required and not field.required:
                refuse_field(name, rule, "须有 required 检查", "it must have the check required")
    for name in {*_version(contract)} & {*contract.key}:
        refuse_field(name, "version_field", "不能同时是主键", "it cannot be part of the key")


def _version(contract: Contract) -> tuple[str, ...]:
    return () if contract.version_field is None else (contract.version_field,)


def _referring(contract: Contract) -> tuple[str, ...]:
    return tuple(name for reference in contract.references for name in reference.fields)


def _named(contract: Contract) -> Iterator[tuple[str, str]]:
    """Every field that something names, and what does."""
    yield from ((name, "key") for name in contract.key)
    yield from ((name, "version_field") for name in _version(contract))
    yield from ((name, "references") for name in _referring(contract))
    yield from ((name, "entities") for entity in contract.entities for name in entity.fields)
    checks = [*contract.checks, *(check for field in contract.fields for check in field.checks)]
    yield from ((name, "checks") for check in checks for name in fields_named(check.params))


def _of_kind(field: Field, kinds: frozenset[str], rule: str) -> None:
    if field.type.kind not in kinds:
        listed = ", ".join(sorted(kinds))
        refuse_field(field.name, rule, f"类型应为 {listed} 之一", f"its type must be one of {listed}")


# Fields and their checks ---------------------------------------------------------------------------------------------


def _field_agrees(contract: Contract, field: Field) -> None:
    listed = {check.params["list"] for check in field.checks if check.kind == "code_list"}
    if listed != ({field.code_list} if field.code_list is not None else set()):
        refuse_field(
            field.name,
            "code_list",
            "hub.code_list 与 code_list 检查应一致",
            "hub.code_list and the check code_list must name the same list",
        )
    if field.unit is not None:
        _of_kind(field, NUMBERS, "unit")
    if field.type.kind == "geometry" and all(check.kind != "geometry" for check in field.checks):
        refuse_field(field.name, "geometry", "几何字段须有 geometry 检查", "it must have the check geometry")
    for check in field.checks:
        if check.kind in _SUITS:
            _of_kind(field, _SUITS[check.kind], f"check {check.kind}")
        if check.kind == "range":
            _bounds_fit(field, check)
        _named_agree(contract, check, field.name)


def _bounds_fit(field: Field, check: Check) -> None:
    for name, bound in check.params.items():
        if not _is_of(field.type, bound):
            refuse_field(
                field.name,
                "check range",
                f"参数 {name} 不是此类型的值",
                f"its parameter {name} is no value of the field's type",
            )


def _is_of(of: FieldType, bound: float) -> bool:
    """Whether a bound is a value of the type: comparing with one beyond it would fail."""
    if of.kind == "decimal":
        exact = exact_decimal(bound)
        return -int(exact.as_tuple().exponent) <= of.scale and abs(exact) < 10 ** (of.precision - of.scale)
    if of.kind in _INTEGERS:
        return isinstance(bound, int) and (of.kind == "long" or -INT_MAX <= bound <= INT_MAX)
    return True


def exact_decimal(bound: float) -> Decimal:
    """The number as it is written in the contract, not the binary fraction next to it."""
    # Written out: polars 2.1 reads Decimal("1E+6") as another number.
    return Decimal(format(Decimal(repr(bound)).normalize(), "f"))


def _named_agree(contract: Contract, check: Check, where: str) -> None:
    """The types of the fields that a check names."""
    named = {name: contract.field(value) for name, value in check.params.items() if (check.kind, name) in _NAMED}
    for name, field in named.items():
        _of_kind(field, _NAMED[check.kind, name], f"check {check.kind}")
    if check.kind in {"order", "different"} and named["first"].type.kind != named["then"].type.kind:
        refuse_field(
            named["then"].name, f"check {check.kind}", "两个字段类型不同", "the two fields are of different types"
        )
    if check.kind == "required_when" and not _are_of(named["field"].type.kind, check.params["in"]):
        refuse_field(
            where,
            "check required_when",
            "参数 in 不是该字段类型的值",
            "its parameter in holds no values of the field's type",
        )


def _are_of(kind: Kind, choices: list[Any]) -> bool:
    wanted = _CHOICE_TYPES[kind]
    return all(type(choice) is wanted for choice in choices) and (
        kind != "int" or all(abs(choice) <= INT_MAX for choice in choices)
    )
