# pyright: reportArgumentType=false, reportOperatorIssue=false, reportUnusedExpression=false
# pyright: reportOptionalSubscript=false, reportIncompatibleMethodOverride=false, reportReturnType=false
"""Classification: the matrix, the refusal of unlabelled fields, and what a proposal sees in names and content."""

import pytest
from entry_maker import contracts, entry, given
from hypothesis import given as generated
from hypothesis import strategies as st

from catalog.classification import ImpactObject, Severity, grade, propose, require_labelled
from catalog.entry import rank_of
from catalog.entry_errors import FieldsUnlabelled
from catalog.kind_signs import has_citizen_id, is_bank_card, is_credit_code, is_name
from catalog.labels import labels_of
from catalog.resource import FieldLevel
from seeds.roster import DATASETS

OBJECTS: tuple[ImpactObject, ...] = ("national_security", "economy_society_public", "organization_individual")
SEVERITIES: tuple[Severity, ...] = ("none", "general", "serious", "especially_serious")
ID = "999999190001010007"


@pytest.mark.parametrize(
    ("impact", "levels"),
    [
        ("national_security", ("core", "core", "important")),
        ("economy_society_public", ("core", "important", 2)),
        ("organization_individual", (4, 3, 2)),
    ],
)
def test_the_matrix_is_the_standards(impact: ImpactObject, levels: tuple[FieldLevel, ...]):
    severities: tuple[Severity, ...] = ("especially_serious", "serious", "general")
    assert tuple(grade({impact: severity}) for severity in severities) == levels


@generated(st.dictionaries(st.sampled_from(OBJECTS), st.sampled_from(SEVERITIES)), st.sampled_from(OBJECTS))
def test_more_harm_never_lowers_the_level(impacts: dict[ImpactObject, Severity], also: ImpactObject):
    worse = impacts | {also: "especially_serious"}
    assert rank_of(grade(worse)) >= rank_of(grade(impacts))


def test_an_unlabelled_field_is_refused_by_name():
    labels = given("resident")["labels"]
    del labels["phone"]
    labels["name"]["level"] = None
    with pytest.raises(FieldsUnlabelled) as refused:
        require_labelled(entry("resident", labels=labels), contracts()["resident"])
    assert refused.value.fields == "name, phone"


@pytest.mark.parametrize("name", [one.name for one in DATASETS])
def test_proposals_are_never_below_the_contract_and_cover_every_field(name: str):
    contract = contracts()[name]
    proposals = propose(contract, {})
    assert [one.field for one in proposals] == list(contract.field_names)
    for one, field in zip(proposals, contract.fields, strict=True):
        assert field.level is None or rank_of(one.level) >= field.level


def test_names_and_checks_tell_kinds():
    found = {one.field: (one.level, one.kind) for one in propose(contracts()["resident"], {})}
    assert found["id_number"] == (4, "citizen_id")
    assert found["name"] == (3, "name")
    assert found["phone"] == (3, "phone")
    assert found["address"] == (3, "address")
    assert found["birth_date"] == (3, "date")
    assert found["sex"][1] == "code"


@pytest.mark.parametrize(
    ("values", "level", "kind"),
    [
        ([f"备注 {ID} 等"], 4, "citizen_id"),
        (["6222020200112233441" if is_bank_card("6222020200112233441") else "4111111111111111"] * 5, 4, "bank_card"),
        (["13812345678", "15912345678", "027-87654321", "18612345678", "13300001111"], 3, "phone"),
        (["a@b.cn", "c@d.com.cn", "e@f.org", "g@h.cn", "i@j.cn"], 3, "email"),
        (
            ["江岸区沿江大道188号", "武昌区中南路99号", "洪山区珞喻路1037号", "硚口区解放大道2号", "汉阳区琴台路3号"],
            1,
            "address",
        ),
        (["91350100M000100Y43"] * 5, 1, "credit_code"),
        (["张伟", "王芳", "欧阳娜娜", "李小龙", "诸葛亮"], 2, "name"),
    ],
)
def test_content_tells_kinds_whatever_the_field_is_called(values: list[str], level: FieldLevel, kind: str):
    found = next(one for one in propose(contracts()["institution"], {"remark": values}) if one.field == "remark")
    assert found.kind == kind
    assert rank_of(found.level) >= rank_of(level)
    assert all(value not in sign.why_zh + sign.why_en for sign in found.signs for value in values)


def test_places_that_begin_with_a_surname_are_no_names():
    places = ["武昌", "黄石", "江岸", "宜城", "襄阳", "洪湖", "石首", "钟祥"]
    found = next(one for one in propose(contracts()["place"], {"name": places}) if one.field == "name")
    assert found.kind == "text"


@pytest.mark.parametrize(
    ("text", "holds"),
    [(ID, True), ("11010519491231002X", True), ("11010519491231002x", True), ("110105194912310021", False),
     ("9" + ID, False), ("", False)],
)  # fmt: skip
def test_a_citizen_id_has_its_check_digit(text: str, holds: bool):
    assert has_citizen_id(text) is holds


def test_checks_of_cards_codes_and_names():
    assert is_bank_card("4111 1111 1111 1111")
    assert not is_bank_card("4111111111111112")
    assert not is_bank_card("1234")
    assert is_credit_code("914403001922038216")
    assert not is_credit_code("914403001922038217")
    assert is_name("欧阳修")
    assert not is_name("欧阳")
    assert not is_name("数据局")
    assert not is_name("张三李四王")


def test_a_field_takes_the_highest_level_of_entry_contract_and_raise():
    contract, made = contracts()["resident"], entry("resident")
    assert labels_of(contract, None, {})["name"].level is None
    assert labels_of(contract, made, {})["education"].level == 2
    assert labels_of(contract, made, {"education": "core"})["education"].level == "core"
    assert labels_of(contract, made, {"id_number": "1"})["id_number"].level == 4
    unlabelled = given("resident")["labels"]
    del unlabelled["sex"]
    assert labels_of(contract, entry("resident", labels=unlabelled), {"sex": "4"})["sex"].level is None
