"""The grammar of queries, and what of it stands under a decision."""

from datetime import UTC, datetime
from typing import Any

import pytest
from decision_cases import DEPARTMENT, FIELDS, decided, grant, resource
from hypothesis import given
from hypothesis import strategies as st

from catalog.condition import AllOf, Compare, Known, OneOf, StartsWith, Within
from catalog.condition_errors import ConditionWrong
from catalog.decision import Decision
from catalog.grant import Treatment
from catalog.resource import Resource
from hub.release.errors import FieldsInAddress, QueryWrong
from hub.release.query import RESERVED, Order, Query, query_of, wanted_from_address, wanted_from_body
from schemas.errors import HubError

HIDDEN: dict[str, Treatment] = {"phone": "masked", "address": "generalised", "card": "withheld"}


def held(parameters: list[tuple[str, str]], of: Resource | None = None) -> Query:
    of = of or resource()
    return query_of(wanted_from_address(parameters), decision_on(of), of)


def decision_on(of: Resource) -> Decision:
    fields: dict[str, Treatment] = {**dict.fromkeys(FIELDS, "clear"), **HIDDEN}
    decision = decided(DEPARTMENT, of, [grant(fields=fields)])
    assert decision.allowed
    return decision


@pytest.mark.parametrize(
    ("name", "text", "condition"),
    [
        ("division", "420102", Compare("division", "=", "420102")),
        ("division", "eq:prefix:4201", Compare("division", "=", "prefix:4201")),
        ("division", "ne:42", Compare("division", "!=", "42")),
        ("division", "prefix:4201", StartsWith("division", "4201")),
        ("division", "in:420102,420103", OneOf("division", ("420102", "420103"))),
        ("remark", "a:b", Compare("remark", "=", "a:b")),
        ("remark", "known:false", Known("remark", known=False)),
        ("small", "ge:3", Compare("small", ">=", 3)),
        ("rate", "lt:0.5", Compare("rate", "<", 0.5)),
        ("alive", "true", Compare("alive", "=", True)),
    ],
)
def test_each_short_form_means_its_condition(name: str, text: str, condition: Any):
    assert held([(name, text)]).condition == AllOf((condition,))


def test_an_interval_may_have_either_end():
    both = held([("birth", "from:1990-01-01,until:2000-01-01")]).condition
    assert isinstance(both, AllOf)
    assert isinstance(both.parts[0], Within)
    assert str(both.parts[0].start) == "1990-01-01"
    assert str(both.parts[0].end) == "2000-01-01"
    one = held([("birth", "until:2000-01-01")]).condition
    assert isinstance(one, AllOf)
    assert isinstance(one.parts[0], Within)
    assert one.parts[0].start is None


def test_repeated_filters_are_joined_by_and():
    found = held([("small", "ge:3"), ("small", "lt:5")]).condition
    assert found == AllOf((Compare("small", ">=", 3), Compare("small", "<", 5)))


def told(parameters: list[tuple[str, str]]) -> tuple[str, dict[str, object]]:
    with pytest.raises(HubError) as refused:
        held(parameters)
    return refused.value.code, refused.value.parameters()


@pytest.mark.parametrize("name", ["phone", "address", "card"])
@pytest.mark.parametrize("text", ["x", "prefix:1", "known:true", "in:a,b", "from:a", "true"])
def test_a_field_that_is_not_clear_is_refused_like_one_that_is_not_there(name: str, text: str):
    code, parameters = told([(name, text)])
    assert parameters["where"] == name  # what the caller wrote, and all that differs
    assert (code, parameters | {"where": "nothing"}) == told([("nothing", text)])
    assert told([("sort", name)]) == told([("sort", "nothing")])


def test_what_is_wrong_with_a_filter_is_told_by_its_parameter():
    assert told([("small", "ge:3"), ("birth", "nonsense")])[1]["where"] == "birth"
    assert told([("n" * 200, "x")])[1]["where"] == "n" * 63


def test_a_withheld_field_cannot_be_chosen_and_a_masked_one_can():
    assert told([("fields", "card")]) == told([("fields", "nothing")])
    assert held([("fields", "phone,division")]).fields == ("phone", "division")


def test_the_order_ends_with_the_key():
    assert held([("sort", "-birth,small")]).order == (Order("birth", True), Order("small"), Order("row"))
    assert held([("sort", "-row")]).order == (Order("row", True),)
    assert held([]).order == (Order("row"),)


def test_confidential_fields_are_kept_out_of_addresses_and_taken_in_bodies():
    of = resource({"row": 4, "name": 3, "division": 2})
    fields: dict[str, Treatment] = dict.fromkeys(FIELDS, "clear")
    decision = decided(DEPARTMENT, of, [grant(fields=fields)])
    with pytest.raises(FieldsInAddress) as refused:
        query_of(wanted_from_address([("name", "张三")]), decision, of)
    assert "/v1/datasets/420000.resident/query" in refused.value.sentence("en")
    assert "张三" not in str(refused.value.parameters())
    assert query_of(wanted_from_address([("division", "42")]), decision, of).condition is not None
    body = {"filter": {"field": "name", "op": "=", "value": "张三"}}
    assert query_of(wanted_from_body(body), decision, of).condition == Compare("name", "=", "张三")


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ([("limit", "0")], "limit"),
        ([("limit", "1001")], "limit"),
        ([("limit", "１")], "limit"),
        ([("limit", "1"), ("limit", "1")], "limit"),
        ([("count", "all")], "count"),
        ([("fields", "")], "fields"),
        ([("fields", "row,row")], "fields"),
        ([("sort", "-")], "sort"),
        ([("sort", "row,-row")], "sort"),
        ([("bbox", "1,2,3")], "bbox"),
        ([("bbox", "3,0,1,1")], "bbox"),
        ([("bbox", "nan,0,1,1")], "bbox"),
        ([("bbox", "1,2,3,4")], "bbox"),  # there is no geometry
        ([("as_of", "2026-01-01")], "as_of"),
        ([("as_of", "yesterday")], "as_of"),
        ([("as_of", "0001-01-01T00:00:00+10:00")], "as_of"),
        ([("as_of", "9999-12-31T23:00:00-10:00")], "as_of"),
        ([("cursor", "")], "cursor"),
        ([("birth", "from:2000-01-01,from:2001-01-01")], "birth"),
    ],
)
def test_what_breaks_the_grammar_is_refused_where_it_stands(parameters: list[tuple[str, str]], where: str):
    with pytest.raises(QueryWrong) as refused:
        held(parameters)
    assert refused.value.where == where


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"filters": {}},
        {"limit": "10"},
        {"limit": True},
        {"limit": 1.0},
        {"fields": "row"},
        {"sort": ["row", 1]},
        {"bbox": [1, 2, 3, True]},
        {"bbox": ["1", 1, 1, 1]},
        {"cursor": 1},
        {"as_of": 1},
    ],
)
def test_a_body_breaks_the_grammar_no_less(body: object):
    with pytest.raises(QueryWrong):
        wanted_from_body(body)


def test_an_offset_whose_plus_was_read_as_a_space_is_understood():
    for written in ("2026-01-01T08:00:00 08:00", "2025-12-31T07:06:00-16:54"):
        assert wanted_from_address([("as_of", written)]).as_of == datetime(2026, 1, 1, tzinfo=UTC)


def sentences(parameters: list[tuple[str, str]]) -> set[str]:
    """What is told of a query that is refused; nothing of one that is read."""
    try:
        held(parameters)
    except (QueryWrong, ConditionWrong) as refused:
        return {refused.sentence("zh"), refused.sentence("en")}
    return set()


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=6))
def test_whatever_is_asked_is_read_or_refused_in_words(parameters: list[tuple[str, str]]):
    assert "" not in sentences(parameters)


@given(st.sampled_from(sorted(FIELDS)), st.text(max_size=40))
def test_whatever_is_asked_of_a_field_is_read_or_refused_without_repeating_it(name: str, text: str):
    told_of = sentences([(name, text)])
    assert not any(text in sentence for sentence in told_of if len(text) > 8)


def test_reserved_names_are_what_the_grammar_reads():
    assert {"filter"} | RESERVED >= {"fields", "sort", "limit", "cursor", "count", "bbox", "as_of", "format", "for"}
