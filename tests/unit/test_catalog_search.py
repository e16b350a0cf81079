"""What a text is found by, what a query asks for, who may know of what: all without a store."""

from datetime import UTC, datetime, timedelta

import pytest
from entry_maker import entry, office, person
from hypothesis import given
from hypothesis import strategies as st

from catalog.caller import PUBLIC, Caller
from catalog.entry import CYCLES
from catalog.freshness import CYCLE_LASTS, standing_of
from catalog.lifecycle import RULES, State, after
from catalog.search import QUERY_CHARACTERS_MAX, VARIANTS_MAX, Variant, grams, key_of, normalised, read_query
from catalog.visibility import DEPARTMENTS, EVERYONE, OFFICES, Sight, audience_of, may_know, sight_of

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def fits(variant: Variant, text: str) -> bool:
    import re

    written = normalised(text)
    patterns = [re.escape(one).replace("%", ".*").replace("_", ".") for one in variant.unsettled]
    return set(variant.grams) <= grams(written) and all(re.search(one, written, re.DOTALL) for one in patterns)


def finds(query: str, text: str) -> str:
    asked = read_query(query)
    assert asked is not None
    if fits(asked.strict, text):
        return "strict"
    return "relaxed" if any(fits(one, text) for one in asked.relaxed) else "not"


@pytest.mark.parametrize(
    ("query", "text", "how"),
    [
        ("江岸", "武汉市江岸区常住人口", "strict"),
        ("岸", "江岸区", "strict"),
        ("  江岸   人口 ", "江岸区常住人口", "strict"),
        ("江 岸 区", "江岸区", "strict"),
        ("ＧＤＰ", "湖北省GDP统计", "strict"),
        ("統計數據", "宏观经济统计数据", "strict"),
        ("统计数据", "宏觀經濟統計數據", "strict"),
        ("Population", "resident population of the province", "strict"),
        ("popul", "resident population", "strict"),
        ("gb", "GB/T 2260", "strict"),
        ("2260", "GB/T 2260", "strict"),
        ("江案区", "江岸区", "relaxed"),
        ("常住人囗", "常住人口信息", "relaxed"),
        ("常人口", "常住人口信息", "relaxed"),
        ("常住住人口", "常住人口信息", "relaxed"),
        ("江岸人口", "江岸区常住人口", "relaxed"),
        ("populaton", "resident population", "relaxed"),
        ("popullation", "resident population", "relaxed"),
        ("水质", "江岸区常住人口", "not"),
        ("江案", "江岸区", "not"),
    ],
)
def test_a_query_finds_what_was_meant(query: str, text: str, how: str):
    assert finds(query, text) == how


@pytest.mark.parametrize("nothing", ["", "   ", "!?%_\\", "\x00"])
def test_nothing_typed_is_no_query(nothing: str):
    assert read_query(nothing) is None


@given(st.text(max_size=300))
def test_any_text_is_a_bounded_query_of_words_alone(text: str):
    asked = read_query(text)
    if asked is not None:
        assert len(asked.relaxed) <= VARIANTS_MAX
        assert len(asked.key) <= QUERY_CHARACTERS_MAX * 18  # NFKC may write one character as eighteen
        assert all("\\" not in one for variant in (asked.strict, *asked.relaxed) for one in variant.patterns)
        assert all(variant.grams for variant in asked.relaxed)


@given(st.text(st.characters(categories=("Lo", "Ll", "Nd", "Zs")), min_size=1, max_size=40))
def test_a_text_is_found_by_itself(text: str):
    asked = read_query(text)
    if asked is not None and normalised(text) == normalised(normalised(text)):
        pieces = normalised(text).split()
        if len(pieces) <= 8:
            assert set(asked.strict.grams) <= grams(normalised(text))


def test_normalising_twice_changes_nothing_more():
    for text in ("臺灣 ＡＢＣ", "Ａ－Ｂ_c", "江岸區", "ﬁne"):
        assert normalised(normalised(text)) == normalised(text)
    assert key_of("江岸 区-人口") == "江岸区人口"


# Visibility ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "sight"),
    [
        (PUBLIC, Sight(EVERYONE, None)),
        (person("dev", "developer", organization=None), Sight(EVERYONE, None)),
        (Caller("organization:gong-an", "gong-an", tier="department"), Sight(DEPARTMENTS, "gong-an")),
        (office().steward, Sight(DEPARTMENTS, "gong-an")),
        (office().administrator, Sight(OFFICES, "da-shu-ju")),
        (person("auditor", "auditor"), Sight(OFFICES, "gong-an")),
    ],
)
def test_what_a_caller_may_know_of(caller: Caller, sight: Sight):
    assert sight_of(caller) == sight


def test_an_entry_in_force_is_for_those_it_may_be_opened_or_shared_to():
    shared = entry("marriage")
    withheld = {"type": "not_shared", "reason": "保密", "law": "某法"}
    hidden = entry("resident", share=withheld, open={"type": "not_open", "reason": "保密"}, methods=[])
    assert audience_of(entry("division"), "published", secrecy_passed=True) == EVERYONE
    assert audience_of(entry("registration"), "published", secrecy_passed=True) == EVERYONE
    assert audience_of(shared, "published", secrecy_passed=True) == DEPARTMENTS
    assert audience_of(hidden, "published", secrecy_passed=True) == OFFICES
    assert audience_of(entry("division"), "published", secrecy_passed=False) == OFFICES
    states: tuple[State, ...] = ("draft", "submitted", "reviewed", "sent_back", "revised", "withdrawn")
    assert {audience_of(entry("division"), state, secrecy_passed=True) for state in states} == {OFFICES}
    assert may_know(Sight(EVERYONE, "gong-an"), OFFICES, "gong-an")
    assert not may_know(Sight(EVERYONE, None), DEPARTMENTS, "gong-an")


# Lifecycle and freshness ---------------------------------------------------------------------------------------------


def test_no_act_leads_back_from_what_was_submitted_to_a_draft():
    for act, rule in RULES.items():
        for state in rule.begins:
            ends = after(act, "420000.x", 1, state)
            assert ends != "draft" or state == "draft"


@pytest.mark.parametrize("cycle", CYCLES)
def test_freshness_goes_from_fresh_to_late_to_stale(cycle: str):
    lasts = CYCLE_LASTS[cycle]  # pyright: ignore[reportArgumentType] - its keys
    moment = timedelta(microseconds=1)
    expected = [(timedelta(), "fresh"), (lasts, "fresh"), (lasts + moment, "late"), (2 * lasts + moment, "stale")]
    for age, freshness in expected:
        assert standing_of(cycle, NOW - age, NOW).freshness == freshness  # pyright: ignore[reportArgumentType]  # its keys
    assert standing_of(cycle, None, NOW).freshness == "empty"  # pyright: ignore[reportArgumentType]  # its keys
