"""Entries: every element has its rule, drafts are read strictly, content is digested canonically."""

from datetime import date
from typing import Any

import pytest
from entry_maker import ENTRIES, contracts, entry, given
from hypothesis import given as generated
from hypothesis import strategies as st

from catalog.entry import CODE, OpenTerms, ShareTerms, highest, rank_of
from catalog.entry_changes import changes_between
from catalog.entry_errors import EntryWrong
from catalog.entry_json import canonical, digest_of, entry_from_canonical
from catalog.resource import FieldLevel

LEVELS: list[FieldLevel] = [1, 2, 3, 4, "important", "core"]


@pytest.mark.parametrize("name", sorted(file.stem for file in ENTRIES.glob("*.yaml")))
def test_the_demos_entries_label_every_field_and_agree_with_their_contracts(name: str):
    made = entry(name)
    assert made.unlabelled == ()
    assert [item.name for item in made.items] == list(contracts()[name].field_names)
    assert all(item.level == field.level for item, field in zip(made.items, contracts()[name].fields, strict=True))


def test_there_is_an_entry_of_every_dataset_of_the_demo():
    from seeds.roster import DATASETS

    assert {one.name for one in DATASETS} == {file.stem for file in ENTRIES.glob("*.yaml")}
    terms = {one.name: (entry(one.name).share.type, entry(one.name).open.type) for one in DATASETS}
    assert {name for name, held in terms.items() if held == ("unconditional", "unconditional")} == {
        "institution", "division", "place", "outline", "indicator", "observation",
    }  # fmt: skip
    assert terms["registration"] == terms["resident"] == ("conditional", "conditional")
    assert {terms[name] for name in ("marriage", "social_insurance", "tax_registration")} == {
        ("conditional", "not_open")
    }


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"code": "4" + "01001/1"}, "code"),
        ({"code": "101001"}, "code"),
        ({"code": "10100/1"}, "code"),
        ({"code": "١01001/1"}, "code"),
        ({"provider_code": "11420000DEM000049A"}, "provider_code"),
        ({"name": {"zh": "名" * 51, "en": "x"}}, "name_zh"),
        ({"name": {"zh": "名"}}, "name.en"),
        ({"abstract": {"zh": "要" * 257, "en": "x"}}, "abstract_zh"),
        ({"abstract": {"zh": "一\n二", "en": "x"}}, "abstract_zh"),
        ({"format": 8}, "format"),
        ({"format": True}, "format"),
        ({"update_cycle": "sometimes"}, "update_cycle"),
        ({"theme": "没有这一类"}, "theme"),
        ({"region": "42"}, "region"),
        ({"methods": []}, "methods"),
        ({"methods": ["api", "api"]}, "methods"),
        ({"methods": ["post"]}, "methods"),
        ({"keywords": ["词"] * 21}, "keywords"),
        ({"related": ["x"]}, "related"),
        ({"share": {"type": "conditional", "scope": "各部门"}}, "share.uses"),
        ({"share": {"type": "unconditional", "conditions": "须申请"}}, "share.conditions"),
        ({"share": {"type": "not_shared", "reason": "保密"}, "methods": []}, "share.law"),
        ({"share": {"type": "maybe"}}, "share.type"),
        ({"share": {}}, "share.type"),
        ({"open": {"type": "conditional"}}, "open.conditions"),
        ({"open": {"type": "not_open", "planned_on": "soon"}}, "open.planned_on"),
        ({"owner": "min-zheng"}, "entry"),
        ({"labels": {"nothing": {"level": 1}}}, "labels"),
        ({"labels": {"name": {"level": 5}}}, "labels.name.level"),
        ({"labels": {"name": {"level": True}}}, "labels.name.level"),
        ({"labels": {"name": {"level": 3, "kind": "secret"}}}, "labels.name.kind"),
        ({"labels": {"name": 3}}, "labels.name"),
        ({"labels": []}, "labels"),
    ],
)
def test_an_element_that_breaks_its_rule_is_named(changes: dict[str, Any], element: str):
    with pytest.raises(EntryWrong) as refused:
        entry("resident", **changes)
    assert refused.value.element == element


def test_a_missing_element_is_named():
    for name in given("resident"):
        if name in {"provider_code", "related", "keywords", "region", "methods"}:
            continue
        written = given("resident")
        del written[name]
        with pytest.raises(EntryWrong, match=name):
            entry_of(written)


def entry_of(written: dict[str, Any]) -> object:
    from catalog.dataset import Dataset
    from catalog.entry_json import entry_from_draft
    from catalog.organization import Organization

    dataset = Dataset("420000.resident", "resident", 1, "gong-an", "人口", "residents", "population", "420000_resident")
    organization = Organization("gong-an", "公安厅", "Police", "province", "420000")
    return entry_from_draft(written, dataset, contracts()["resident"], organization)


@pytest.mark.parametrize("given_instead", [None, [], "text", 1, {1: 2}])
def test_a_draft_that_is_no_object_is_refused(given_instead: Any):
    with pytest.raises(EntryWrong):
        entry_of(given_instead)


def test_what_is_not_shared_names_reason_and_law_and_no_method():
    made = entry("resident", share={"type": "not_shared", "reason": "保密", "law": "某法第一条"}, methods=[])
    assert made.share == ShareTerms("not_shared", reason="保密", law="某法第一条")
    with pytest.raises(EntryWrong):
        entry("resident", share={"type": "not_shared", "reason": "保密", "law": "某法第一条"})


def test_the_canonical_text_reads_back_and_its_digest_is_of_version_and_content():
    made = entry("registration")
    text = canonical(made, 3)
    assert entry_from_canonical(text) == made
    assert made.open == OpenTerms("conditional", conditions=made.open.conditions, planned_on=date(2027, 6, 30))
    digests = {digest_of(canonical(one, version)) for one in (made, entry("resident")) for version in (1, 2)}
    assert len(digests) == 4


def test_what_changed_is_named_element_by_element():
    written = given("resident", update_cycle="weekly", keywords=["人口"])
    written["labels"]["phone"]["level"] = 4
    found = changes_between(entry("resident"), entry("resident", **written))
    assert [(one.element, one.before, one.after) for one in found] == [
        ("items.phone.level", 3, 4),
        ("update_cycle", "daily", "weekly"),
        ("keywords", ["常住人口", "身份核验", "户籍", "population"], ["人口"]),
    ]
    assert changes_between(entry("resident"), entry("resident")) == ()


@generated(st.lists(st.sampled_from(LEVELS)))
def test_the_highest_level_counts(levels: list[FieldLevel]):
    found = highest(levels)
    assert (found is None) == (levels == [])
    assert found is None or all(rank_of(found) >= rank_of(level) for level in levels)


@pytest.mark.parametrize("code", ["101001/1", "3992220001/798456"])
def test_a_code_has_class_item_section_detail_and_sequence(code: str):
    assert CODE.fullmatch(code)
