"""Which writer schemas resolve to a contract, and what the others are told."""

import json
from typing import Any, TypeVar

import pytest
from check_maker import frame_of
from contract_maker import contract_text
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.batch import Limits, walk
from schemas.container_errors import (
    FieldTypeUnfit,
    FieldUnknown,
    SchemaOfOtherDataset,
    WriterSchemaRecursive,
    WriterSchemaWrong,
)
from schemas.contract import Contract, parse_contract
from schemas.envelope import Operation
from schemas.errors import BatchError
from schemas.frame import encode
from schemas.writer_schema import Plan, operation_fields, resolve

DATE = {"type": "int", "logicalType": "date"}
MILLIS = {"type": "long", "logicalType": "local-timestamp-millis"}
MICROS = {"type": "long", "logicalType": "local-timestamp-micros"}
UTC_MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
UTC_MICROS = {"type": "long", "logicalType": "timestamp-micros"}
ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
FIXED = {"type": "fixed", "name": "f", "size": 4}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def contract_of(of: Any) -> Contract:
    geometry = of == "geometry"
    schema = json.loads(contract_text({"code": "string", "value": "bytes" if geometry else of}))
    if geometry:
        schema["fields"][1]["hub"] |= {"geometry": True, "checks": [{"check": "geometry", "types": ["Point"]}]}
    return parse_contract(json.dumps(schema))


def schema_of(*fields: tuple[str, Any], name: str = "simple") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": of} for field, of in fields]}


def plan_of(of: Any, written: Any) -> Plan:
    return resolve(contract_of(of), schema_of(("code", "string"), ("value", written)), "upsert")


E = TypeVar("E", bound=BatchError)


def refused(kind: type[E], contract: Contract, schema: Any, operation: Operation = "upsert") -> E:
    with pytest.raises(kind) as caught:
        resolve(contract, schema, operation)
    assert caught.value.sentence("zh").isprintable()
    assert caught.value.sentence("en").isprintable()
    assert len(caught.value.sentence("en")) < 500
    return caught.value


SIMPLE = contract_of("long")


@pytest.mark.parametrize(
    ("of", "written"),
    [
        ("string", ENUM),
        ("string", {"type": "string", "logicalType": "uuid"}),
        ("string", {"type": "string", "avro.java.string": "String"}),
        ("long", "int"),
        ("float", "int"),
        ("float", "long"),
        ("double", "int"),
        ("double", "long"),
        ("double", "float"),
        ("bytes", FIXED),
        ("geometry", "bytes"),
        (MILLIS, UTC_MILLIS),
        (MICROS, UTC_MICROS),
        (MICROS, MILLIS),
        (MICROS, UTC_MILLIS),
        (decimal(10, 2), decimal(9, 2)),
        (decimal(10, 2), decimal(9, 1)),
        (
            decimal(10, 2),
            {"type": "fixed", "name": "f", "size": 8, "logicalType": "decimal", "precision": 9, "scale": 2},
        ),
        ({"type": "array", "items": ["null", "string"]}, {"type": "array", "items": ENUM}),
        ({"type": "array", "items": ["null", "int"]}, {"type": "array", "items": "int"}),
        *((of, of) for of in ("string", "int", "long", "float", "double", "boolean", "bytes", DATE, MILLIS, MICROS)),
    ],
)
def test_what_avro_resolves_is_planned_plain_or_with_null_on_either_side(of: Any, written: Any):
    for form, null_at in ((written, None), (["null", written], 0), ([written, "null"], 1)):
        planned = plan_of(of, form).fields[1]
        assert (planned.field.name, planned.written.null_at, planned.text) == ("value", null_at, False)


@pytest.mark.parametrize(
    "of", ["int", "boolean", DATE, MICROS, decimal(5, 2), "geometry", {"type": "array", "items": "int"}]
)
def test_every_field_may_come_in_text_form(of: Any):
    assert plan_of(of, ["null", "string"]).fields[1].text
    assert plan_of(of, ENUM).fields[1].text
    assert not plan_of("string", "string").fields[1].text


@pytest.mark.parametrize(
    ("of", "written", "found"),
    [
        ("int", "long", "long"),
        ("long", "double", "double"),
        ("float", "double", "double"),
        ("string", "bytes", "bytes"),
        ("boolean", "int", "int"),
        ("int", DATE, "date"),
        (DATE, "int", "int"),
        (DATE, MICROS, "timestamp_micros"),
        (MILLIS, MICROS, "timestamp_micros"),
        (MILLIS, "long", "long"),
        ("geometry", FIXED, "fixed"),
        (decimal(5, 2), decimal(6, 2), "decimal(6,2)"),
        (decimal(5, 2), decimal(5, 3), "decimal(5,3)"),
        (decimal(5, 2), "bytes", "bytes"),
        ("bytes", decimal(5, 2), "decimal(5,2)"),
        (decimal(5, 2), decimal(99, 2), "decimal"),
        (decimal(5, 2), decimal(True, 0), "decimal"),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}, "array<int>"),
        ({"type": "array", "items": "int"}, "int", "int"),
        ("long", ["null", "long", "string"], "union"),
        ("long", ["long", "long"], "union"),
        ("long", ["null"], "union"),
        ("long", ["null", ["null", "long"]], "?"),
        ("long", {"type": "map", "values": "long"}, "map"),
        ("long", {"type": "record", "name": "r", "fields": []}, "record"),
        ("long", {"type": "array", "items": "null"}, "array<null>"),
        ("long", {"type": "long", "logicalType": "time-micros"}, "long (time-micros)"),
        ("string", {"type": "enum", "name": "e", "symbols": []}, "enum"),
        ("bytes", {"type": "fixed", "name": "f", "size": 0}, "fixed"),
        ("bytes", {"type": "fixed", "name": "f", "size": 10**9}, "fixed"),
        ("long", "nothing", "nothing"),
        ("long", None, "?"),
        ("long", 7, "?"),
        ("long", {}, "?"),
    ],
)
def test_a_type_that_does_not_resolve_is_named(of: Any, written: Any, found: str):
    error = refused(FieldTypeUnfit, contract_of(of), schema_of(("code", "string"), ("value", written)))
    assert (error.field, error.found) == ("value", found)


def test_a_named_type_may_be_used_again_by_its_name():
    contract = parse_contract(contract_text({"code": "string", "one": "string", "other": "string"}))
    spaced = {**ENUM, "namespace": "cn.gov"}
    for name in ("e", "cn.gov.e"):
        plan = resolve(contract, schema_of(("code", "string"), ("one", spaced), ("other", ["null", name])), "upsert")
        assert [planned.written.symbols for planned in plan.fields] == [(), ("A", "B"), ("A", "B")]


def test_the_record_is_named_as_its_contract_or_not_at_all():
    for name in ("simple", "", "cn.gov.simple"):
        resolve(SIMPLE, schema_of(("code", "string"), name=name), "upsert")
    for name in ("other", "simple.other", "simple2", "\x1b[31m" + "x" * 300):
        assert refused(SchemaOfOtherDataset, SIMPLE, schema_of(("code", "string"), name=name)).contract == "simple"
    refused(SchemaOfOtherDataset, SIMPLE, schema_of(("code", "string")) | {"name": ["simple"]})


def test_a_field_the_contract_does_not_have_is_named():
    assert refused(FieldUnknown, SIMPLE, schema_of(("code", "string"), ("extra", "string"))).field == "extra"
    assert refused(FieldUnknown, SIMPLE, schema_of(("Code", "string"))).field == "Code"
    refused(FieldUnknown, SIMPLE, {"type": "record", "name": "simple", "fields": ["code", None]})


def test_a_field_stands_once():
    refused(WriterSchemaWrong, SIMPLE, schema_of(("code", "string"), ("code", "string")))


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "enum"}, {"type": "record", "name": "simple"}, {"type": "record", "name": "simple", "fields": []}],
)
def test_what_is_no_record_with_fields_is_wrong(schema: dict[str, Any]):
    refused(WriterSchemaWrong, SIMPLE, schema)


@pytest.mark.parametrize(
    "written",
    [
        "simple",
        ["null", "simple"],
        {"type": "array", "items": "simple"},
        {"type": "map", "values": ["null", "simple"]},
        {"type": "record", "name": "inner", "fields": [{"name": "next", "type": ["null", "inner"]}]},
        {"type": "record", "name": "inner", "namespace": "x", "fields": [{"name": "next", "type": "x.inner"}]},
    ],
)
def test_a_schema_that_leads_back_to_itself_is_refused_as_such(written: Any):
    refused(WriterSchemaRecursive, SIMPLE, schema_of(("code", "string"), ("value", written)))


def test_an_operation_takes_its_own_fields_only():
    contract = parse_contract(contract_text({"code": "string", "note": "string", "at": "long"}, version_field="at"))
    expected: dict[Operation, tuple[str, ...]] = {
        "upsert": ("code", "note", "at"),
        "delete": ("code", "at"),
        "keys": ("code",),
    }
    whole = schema_of(("code", "string"), ("note", "string"), ("at", "long"))
    for operation, names in expected.items():
        assert operation_fields(contract, operation) == names
        resolve(contract, schema_of(*((name, "string") for name in names)), operation)
    assert refused(FieldUnknown, contract, whole, "delete").field == "note"
    assert refused(FieldUnknown, contract, whole, "keys").field in {"note", "at"}


def test_what_the_hub_writes_resolves_without_conversion():
    fields = {
        "code": "string",
        "a": "int",
        "b": decimal(9, 2),
        "c": MICROS,
        "d": {"type": "array", "items": ["null", DATE]},
    }
    contract = parse_contract(contract_text(fields))
    schema = walk(encode(contract, frame_of(contract, {"code": ["x"]}), "upsert"), Limits()).schema
    assert schema == contract.avro_schema()
    assert resolve(contract, schema, "upsert").columnar


junk = st.recursive(
    st.none() | st.integers() | st.sampled_from(["string", "long", "null", "simple", "record", "array", "", "e"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "name", "fields", "items", "values", "symbols", "size", "logicalType", "precision"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)


@given(junk, junk)
@settings(max_examples=300, deadline=None)
def test_no_schema_does_worse_than_be_refused(one: Any, other: Any):
    fields = [{"name": "code", "type": one}, {"name": "value", "type": other}]
    for schema in (
        {"type": "record", "name": "simple", "fields": fields},
        {"type": one, "name": other, "fields": [other]},
    ):
        try:
            assert resolve(SIMPLE, schema, "upsert").fields
        except BatchError as refusal:
            refusal.to_json()
