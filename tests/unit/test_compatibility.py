"""Which version of a contract may follow which, and what an incompatible one is told."""

import copy
import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from schemas.compatibility import Mode, problems
from schemas.contract import Contract, load_shipped, parse_contract

MODES: tuple[Mode, ...] = get_args(Mode)
TITLE = {"zh": "试", "en": "test"}
REQUIRED = {"check": "required"}


def made_field(name: str, of: Any, *checks: Any, **hub: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": ["null", of],
        "hub": {"title": TITLE, "type": "C", "level": 1, "checks": list(checks), **hub},
    }


CODED = ({"check": "code_list", "list": "gbt2261_1"},)
OLD: dict[str, Any] = {
    "type": "record",
    "name": "sample",
    "hub": {"version": 1, "base": "population", "title": TITLE, "key": ["code"], "version_field": "at"},
    "fields": [
        made_field("code", "string", REQUIRED),
        made_field("other", "string", REQUIRED),
        made_field("sex", "string", *CODED, code_list="gbt2261_1"),
        made_field("sum", {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, unit="元"),
        made_field("number", "int"),
        made_field("free", "string"),
        made_field("at", "long", REQUIRED),
    ],
}
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> Contract:
    schema = copy.deepcopy(OLD)
    change(schema)
    return parse_contract(json.dumps(schema))


def put(*path: str | int, to: Any) -> Change:
    def change(schema: dict[str, Any]) -> None:
        part: Any = schema
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = to

    return change


def told(change: Change, mode: Mode, *, turned: bool = False) -> set[tuple[str, str]]:
    old, new = parse_contract(json.dumps(OLD)), changed(change)
    found = problems(new, old, mode) if turned else problems(old, new, mode)
    assert all(one.zh and not one.zh.isascii() and one.en.isascii() for one in found)
    assert len({(one.field, one.rule) for one in found}) == len(found)
    return {(one.field, one.rule) for one in found}


def add(*checks: Any) -> Change:
    return lambda schema: schema["fields"].append(made_field("added", "string", *checks))


@pytest.mark.parametrize("mode", MODES)
def test_a_contract_may_follow_itself(mode: Mode):
    for contract in load_shipped():
        assert problems(contract, contract, mode) == []


@pytest.mark.parametrize("mode", MODES)
def test_fields_may_be_added_moved_and_described_anew(mode: Mode):
    assert told(add(), mode) == set()
    assert told(lambda schema: schema["fields"].reverse(), mode) == set()
    assert told(put("fields", 5, "hub", "title", to={"zh": "新", "en": "new"}), mode) == set()
    assert told(put("fields", 5, "hub", "level", to=3), mode) == set()
    assert told(put("fields", 4, "hub", "unit", to="人"), mode) == set()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (put("name", to="another"), ("-", "name")),
        (put("hub", "key", to=["other"]), ("code", "key")),
        (put("hub", "key", to=["code", "other"]), ("code", "key")),
        (put("hub", "version_field", to=None), ("at", "version_field")),
        (lambda schema: schema["fields"].pop(5), ("free", "removed")),
        (put("fields", 4, "type", to=["null", "long"]), ("number", "type")),
        (put("fields", 4, "type", to=["null", "string"]), ("number", "type")),
        (put("fields", 3, "type", 1, "precision", to=6), ("sum", "type")),
        (put("fields", 3, "type", 1, "scale", to=1), ("sum", "type")),
        (put("fields", 3, "hub", "unit", to="万元"), ("sum", "unit")),
        (put("fields", 3, "hub", "unit", to=None), ("sum", "unit")),
        (
            put(
                "fields",
                2,
                to=made_field("sex", "string", {"check": "code_list", "list": "gbt3304"}, code_list="gbt3304"),
            ),
            ("sex", "code_list"),
        ),
        (put("fields", 2, to=made_field("sex", "string")), ("sex", "code_list")),
    ],
)
def test_what_stored_values_mean_may_never_change(change: Change, expected: tuple[str, str], mode: Mode):
    assert expected in told(change, mode)


def test_a_renamed_field_is_one_removed():
    assert told(put("fields", 5, "name", to="renamed"), "backward") == {("free", "removed")}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (add(REQUIRED), ("added", "required")),
        (put("fields", 5, to=made_field("free", "string", REQUIRED)), ("free", "required")),
        (put("fields", 5, to=made_field("free", "string", *CODED, code_list="gbt2261_1")), ("free", "code_list")),
    ],
)
def test_what_asks_more_than_before_breaks_reading_old_records_and_the_other_way_round(
    change: Change, rule: tuple[str, str]
):
    field, name = rule
    assert told(change, "backward") == {(field, f"backward.{name}")}
    assert told(change, "forward") == set()
    assert told(change, "full") == {(field, f"backward.{name}")}
    turned = told(change, "forward", turned=True)
    assert (field, f"forward.{name}") in turned
    assert not any(rule.startswith("backward") for _, rule in told(change, "backward", turned=True))


def test_every_problem_is_told_at_once():
    def change(schema: dict[str, Any]) -> None:
        schema["fields"][4]["type"] = ["null", "long"]
        schema["fields"][3]["hub"]["unit"] = "万元"
        schema["fields"][1]["hub"]["checks"] = []
        schema["fields"].append(made_field("added", "string", REQUIRED))
        del schema["fields"][5]

    assert told(change, "full") == {
        ("number", "type"),
        ("sum", "unit"),
        ("free", "removed"),
        ("added", "backward.required"),
        ("other", "forward.required"),
    }
