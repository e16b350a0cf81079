"""Every reason for which a contract is refused, by field and rule."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.contract import Contract, load_shipped, parse_contract
from schemas.contract_errors import ContractFieldWrong, ContractWrong
from schemas.errors import ContractError

TITLE = {"zh": "试", "en": "test"}
Change = Callable[[dict[str, Any]], object]


def made_field(name: str, of: Any = "string", *checks: dict[str, Any], **hub: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": ["null", of],
        "hub": {"title": dict(TITLE), "type": "C", "level": 1, "checks": list(checks), **hub},
    }


def required(**more: Any) -> dict[str, Any]:
    return {"check": "required", **more}


def base() -> dict[str, Any]:
    """A contract with a field of every kind that checks tell apart."""
    return {
        "type": "record",
        "name": "sample",
        "hub": {"version": 1, "base": "population", "title": dict(TITLE), "key": ["code"], "version_field": "at"},
        "fields": [
            made_field("code", "string", required()),
            made_field("note"),
            made_field("number", "int"),
            made_field("amount", {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}),
            made_field("day", {"type": "int", "logicalType": "date"}),
            made_field("yes", "boolean"),
            made_field("shape", "bytes", {"check": "geometry", "types": ["Point"]}, geometry=True),
            made_field("at", {"type": "long", "logicalType": "local-timestamp-micros"}, required()),
        ],
    }


def parse(change: Change = lambda _: None) -> Contract:
    schema = base()
    change(schema)
    return parse_contract(json.dumps(schema, ensure_ascii=False))


def put(*path: str | int, to: Any) -> Change:
    def change(schema: dict[str, Any]) -> None:
        part: Any = schema
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = to

    return change


def typed(of: Any) -> Change:
    """Another type for the field ``note``."""
    return put("fields", 1, "type", to=["null", of])


def checked(place: int, /, **check: Any) -> Change:
    return put("fields", place, "hub", "checks", to=[check])


def across(**check: Any) -> Change:
    """A check of the record."""
    return put("hub", "checks", to=[check])


NOTE, NUMBER, AMOUNT, DAY, YES, SHAPE, AT = range(1, 8)


def test_the_sample_is_right():
    contract = parse()
    assert (contract.key, contract.version_field, contract.field("amount").type.precision) == (("code",), "at", 5)
    assert contract.field("shape").type.kind == "geometry"
    assert contract.field("code").required


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (put("type", to="enum"), "record"),
        (put("name", to="Sample"), "name"),
        (put("name", to="_sample"), "name"),
        (put("name", to="x" * 64), "name"),
        (put("name", to="数据"), "name"),
        (put("name", to=7), "name"),
        (put("hub", "version", to=0), "version"),
        (put("hub", "version", to=True), "version"),
        (put("hub", "version", to=1.0), "version"),
        (put("hub", "version", to=2**31), "version"),
        (put("hub", "base", to=None), "base"),
        (put("hub", "key", to=[]), "key"),
        (put("hub", "key", to="code"), "key"),
        (put("hub", "key", to=["code", "code"]), "key"),
        (put("hub", "key", to=[{}]), "key"),
        (put("hub", "version_field", to=["at"]), "version_field"),
        (put("hub", "checks", to={}), "checks"),
        (
            put("hub", "references", to=[{"name": "r", "fields": ["code"], "dataset": "d", "to_fields": []}]),
            "references",
        ),
        (put("hub", "references", to=[{"name": "r", "fields": [], "dataset": "d", "to_fields": []}]), "references"),
        (
            put("hub", "references", to=[{"name": "r", "fields": ["code"], "dataset": "420000.d", "to_fields": ["c"]}]),
            "references",
        ),
        (
            put("hub", "references", to=[{"name": "r", "fields": ["code"], "dataset": "d", "to_fields": ["C"]}]),
            "references",
        ),
        (
            put("hub", "references", to=[{"name": "r", "fields": ["code"], "dataset": "d", "to_fields": ["c"]}] * 2),
            "references",
        ),
        (put("hub", "entities", to=[{"fields": ["code"]}]), "entities"),
        (put("hub", "entities", to=[{"kind": "person", "fields": []}]), "entities"),
        (put("hub", "entities", to=[{"kind": "person", "fields": ["code"], "role": 1}]), "entities"),
        (put("fields", to=[]), "fields"),
        (put("fields", to=None), "fields"),
        (put("fields", to=["code"]), "fields"),
        (put("fields", to=[made_field(f"f{number}") for number in range(501)]), "fields"),
    ],
)
def test_a_record_is_refused_by_the_rule_it_breaks(change: Change, rule: str):
    with pytest.raises(ContractWrong) as refused:
        parse(change)
    assert refused.value.rule == rule
    assert rule in refused.value.sentence("zh")
    assert rule in refused.value.sentence("en")


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (put("hub", "title", to={"zh": "试"}), "hub", "title"),
        (put("hub", "title", to={"zh": "试", "en": "\x00"}), "hub", "title"),
        (put("hub", "all_or_nothing", to="yes"), "hub", "all_or_nothing"),
        (put("hub", "tier", to=1), "hub", "hub"),
        (put("hub", to=None), "hub", "hub"),
        (put("aliases", to=["other"]), "record", "hub"),
        (put("hub", "key", to=["nothing"]), "nothing", "key"),
        (put("hub", "key", to=["number"]), "number", "key"),
        (put("hub", "key", to=["amount"]), "amount", "key"),
        (put("hub", "key", to=["at"]), "at", "key"),
        (put("hub", "version_field", to="nothing"), "nothing", "version_field"),
        (put("hub", "version_field", to="day"), "day", "version_field"),
        (put("hub", "version_field", to="note"), "note", "version_field"),
        (put("hub", "version_field", to="amount"), "amount", "version_field"),
        (put("hub", "version_field", to="code"), "code", "version_field"),
        (
            put("hub", "references", to=[{"name": "r", "fields": ["nothing"], "dataset": "d", "to_fields": ["c"]}]),
            "nothing",
            "references",
        ),
        (
            put("hub", "references", to=[{"name": "r", "fields": ["amount"], "dataset": "d", "to_fields": ["c"]}]),
            "amount",
            "references",
        ),
        (put("hub", "entities", to=[{"kind": "person", "fields": ["nothing"]}]), "nothing", "entities"),
        (put("fields", 1, "name", to="code"), "code", "name"),
        (put("fields", 1, "name", to="_version"), "_version", "name"),
        (put("fields", 1, "name", to="Note"), "Note", "name"),
        (put("fields", 1, "name", to="n" * 64), "n" * 64, "name"),
        *((put("fields", 1, "name", to=name), name, "name") for name in ("ctid", "xmin", "tableoid")),
        (put("fields", 1, "hub", to=None), "note", "hub"),
        (put("fields", 1, "hub", "mask", to=True), "note", "hub"),
        (put("fields", 1, "aliases", to=["n"]), "note", "hub"),
        (put("fields", 1, "default", to="x"), "note", "default"),
        (put("fields", 1, "hub", "title", to="note"), "note", "title"),
        (put("fields", 1, "hub", "title", to={"zh": " ", "en": "x"}), "note", "title"),
        (put("fields", 1, "hub", "title", to={"zh": "x" * 201, "en": "x"}), "note", "title"),
        *((put("fields", 1, "hub", "type", to=of), "note", "type") for of in (None, "Z", "", "CN", ["C"])),
        *((put("fields", 1, "hub", "level", to=level), "note", "level") for level in (0, 5, True, 1.0, "1", [1])),
        (put("fields", NUMBER, "hub", "unit", to=["元"]), "number", "unit"),
        (put("fields", NUMBER, "hub", "unit", to=""), "number", "unit"),
        (put("fields", NOTE, "hub", "unit", to="元"), "note", "unit"),
        (put("fields", 1, "hub", "code_list", to="nothing"), "note", "code_list"),
        (put("fields", 1, "hub", "code_list", to=["gbt3304"]), "note", "code_list"),
        (put("fields", 1, "hub", "code_list", to="gbt3304"), "note", "code_list"),
        (checked(NOTE, check="code_list", list="gbt3304"), "note", "code_list"),
        (put("fields", NOTE, "hub", "geometry", to=True), "note", "geometry"),
        (put("fields", SHAPE, "hub", "geometry", to=1), "shape", "geometry"),
        (put("fields", SHAPE, "hub", "checks", to=[]), "shape", "geometry"),
    ],
)
def test_a_field_is_refused_by_the_rule_it_breaks(change: Change, field: str, rule: str):
    with pytest.raises(ContractFieldWrong) as refused:
        parse(change)
    assert (refused.value.field, refused.value.rule) == (field, rule)
    assert field in refused.value.sentence("zh")
    assert field in refused.value.sentence("en")


RECURSIVE = {"type": "record", "name": "sample", "fields": [{"name": "next", "type": ["null", "sample"]}]}


@pytest.mark.parametrize(
    ("of", "rule"),
    [
        ("sample", "closed_types"),
        (RECURSIVE, "closed_types"),
        ({"type": "array", "items": "sample"}, "closed_types"),
        ({"type": "map", "values": "string"}, "closed_types"),
        ({"type": "enum", "name": "e", "symbols": ["A"]}, "closed_types"),
        ({"type": "fixed", "name": "f", "size": 2}, "closed_types"),
        ({"type": {"type": "string"}}, "closed_types"),
        ({"type": ["string"], "logicalType": ["date"]}, "closed_types"),
        ({"type": "int", "logicalType": "time-millis"}, "closed_types"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "closed_types"),
        ("null", "closed_types"),
        (None, "nullable"),
        ({"type": "array", "items": "null"}, "zero_width"),
        ({"type": "array", "items": ["null", "null"]}, "zero_width"),
        ({"type": "array", "items": {"type": "null"}}, "zero_width"),
        ({"type": "array", "items": {"type": "record", "name": "e", "fields": []}}, "zero_width"),
        ({"type": "array", "items": {"type": "fixed", "name": "f", "size": 0}}, "zero_width"),
        ({"type": "bytes", "logicalType": "decimal"}, "decimal"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 39}, "decimal"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 0}, "decimal"),
        ({"type": "bytes", "logicalType": "decimal", "precision": True}, "decimal"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}, "decimal"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": -1}, "decimal"),
    ],
)
def test_a_type_that_is_not_flat_is_refused(of: Any, rule: str):
    with pytest.raises(ContractFieldWrong) as refused:
        parse(typed(of))
    assert (refused.value.field, refused.value.rule) == ("note", rule)


def test_arrays_nest_four_deep_and_no_deeper():
    of: Any = "int"
    for _ in range(4):
        of = {"type": "array", "items": ["null", of]}
    assert parse(typed(of)).field("note").type.to_avro() == of
    with pytest.raises(ContractFieldWrong) as refused:
        parse(typed({"type": "array", "items": of}))
    assert refused.value.rule == "depth"


@pytest.mark.parametrize("written", ["string", ["string", "null"], ["null"], ["null", "string", "int"], {}, None])
def test_every_field_is_written_as_null_or_a_type(written: Any):
    with pytest.raises(ContractFieldWrong) as refused:
        parse(put("fields", 1, "type", to=written))
    assert refused.value.rule == "nullable"


@pytest.mark.parametrize(
    ("at", "check"),
    [
        (NOTE, {"check": "nothing"}),
        (NOTE, {"check": "order", "first": "day", "then": "day"}),
        (NOTE, {"check": "required", "when": 1}),
        (NOTE, {"check": "length"}),
        (NOTE, {"check": "length", "max": -1}),
        (NOTE, {"check": "length", "max": 1.5}),
        (NOTE, {"check": "length", "max": True}),
        (NOTE, {"check": "length", "min": 2, "max": 1}),
        (NOTE, {"check": "pattern"}),
        (NOTE, {"check": "pattern", "re": 7}),
        (NOTE, {"check": "code_list", "list": "nothing"}),
        (NOTE, {"check": "division", "lengths": []}),
        (NOTE, {"check": "division", "lengths": [6.0]}),
        (NOTE, {"check": "division", "lengths": [[6]]}),
        (NOTE, {"check": "division", "at": "note"}),
        (NUMBER, {"check": "length", "max": 2}),
        (NUMBER, {"check": "pattern", "re": "a"}),
        (NUMBER, {"check": "citizen_id"}),
        (NUMBER, {"check": "range"}),
        (NUMBER, {"check": "range", "min": "1"}),
        (NUMBER, {"check": "range", "min": 1.5}),
        (NUMBER, {"check": "range", "max": 2**31}),
        (NUMBER, {"check": "range", "min": 3, "max": 2}),
        (AMOUNT, {"check": "range", "max": 1000}),
        (AMOUNT, {"check": "range", "max": 0.001}),
        (AMOUNT, {"check": "range", "max": 1e300}),
        (NOTE, {"check": "range", "min": 1}),
        (NOTE, {"check": "not_future"}),
        (NOTE, {"check": "geometry", "types": ["Point"]}),
        (SHAPE, {"check": "geometry", "types": ["GeometryCollection"]}),
        (SHAPE, {"check": "geometry", "types": []}),
        (SHAPE, {"check": "geometry", "types": [["Point"]]}),
    ],
)
def test_a_check_must_be_known_fully_told_and_suit_its_field(at: int, check: dict[str, Any]):
    with pytest.raises(ContractFieldWrong) as refused:
        parse(checked(at, **check))
    assert refused.value.rule == f"check {check['check']}"


@pytest.mark.parametrize("box", [[0, 0, 0, 1], [0, 0, 1], [0, 0, 1, 91], [-181, 0, 1, 1], ["0", 0, 1, 1], None])
def test_an_extent_lies_on_the_earth(box: object):
    checks = [{"check": "geometry", "types": ["Point"]}, {"check": "extent", "box": box}]
    with pytest.raises(ContractFieldWrong) as refused:
        parse(put("fields", SHAPE, "hub", "checks", to=checks))
    assert refused.value.rule == "check extent"


@pytest.mark.parametrize(
    "check",
    [
        {"check": "required"},
        {"check": "order", "first": "day"},
        {"check": "order", "first": "day", "then": "day"},
        {"check": "order", "first": "day", "then": "at"},
        {"check": "order", "first": "yes", "then": "shape"},
        {"check": "different", "first": "code", "then": "number"},
        {"check": "citizen_id_agrees", "citizen_id": "code"},
        {"check": "citizen_id_agrees", "citizen_id": "code", "birth": "note"},
        {"check": "citizen_id_agrees", "citizen_id": "number", "birth": "day"},
        {"check": "required_when", "field": "note", "in": [], "then": "day"},
        {"check": "required_when", "field": "note", "in": [1], "then": "day"},
        {"check": "required_when", "field": "number", "in": [True], "then": "day"},
        {"check": "required_when", "field": "number", "in": [2**31], "then": "day"},
        {"check": "required_when", "field": "day", "in": ["2026-01-01"], "then": "note"},
        {"check": "required_when", "field": "note", "in": [["x"]], "then": "day"},
        {"check": "unit", "indicator": "code", "unit_field": "number"},
    ],
)
def test_a_check_of_the_record_names_fields_of_fitting_types(check: dict[str, Any]):
    with pytest.raises(ContractFieldWrong) as refused:
        parse(across(**check))
    assert refused.value.rule == f"check {check['check']}"


def test_a_check_that_names_no_field_of_the_contract_is_refused():
    with pytest.raises(ContractFieldWrong) as refused:
        parse(across(check="order", first="nothing", then="day"))
    assert (refused.value.field, refused.value.rule) == ("nothing", "checks")


def test_checks_are_objects_with_a_name():
    for check in ("required", {}, {"check": 7}, None):
        with pytest.raises(ContractFieldWrong):
            parse(put("fields", 1, "hub", "checks", to=[check]))


def test_a_contract_is_bounded_in_size():
    with pytest.raises(ContractWrong) as refused:
        parse(put("doc", to="x" * 300_000))
    assert refused.value.rule == "size"


def test_a_field_may_be_without_a_level_and_then_says_so():
    assert parse(lambda schema: schema["fields"][1]["hub"].pop("level")).field("note").level is None


def test_the_source_of_a_contract_reads_as_the_same_contract():
    for contract in (parse(), *load_shipped()):
        assert parse_contract(contract.source) == contract


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "name", "check"]), inner),
    max_leaves=4,
)


def places(part: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]


PLACES = places(base())[1:]


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(PLACES), junk)
def test_whatever_stands_anywhere_in_a_contract_it_is_read_or_refused(place: tuple[str | int, ...], value: object):
    with suppress(ContractError):
        parse(put(*place, to=copy.deepcopy(value)))
