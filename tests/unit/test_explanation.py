"""Explanations: every rule the decision can ask has words in both languages, and says what would change it."""

import ast
import inspect
import json
import random

from decision_cases import ASKED, DEPARTMENT, decided, grant, random_case, resource
from hypothesis import given
from hypothesis import strategies as st

from catalog import decision as decision_module
from catalog.caller import PUBLIC
from catalog.condition import StartsWith
from catalog.decision import Asked
from catalog.explanation import RULES, explanation, nearest_change, sentences

SEEDS = st.integers(0, 2**32)


def test_every_rule_a_decision_can_ask_is_in_words():
    source = ast.parse(inspect.getsource(decision_module))
    texts = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    asked = {text for text in texts if text.count(".") == 1 and text.replace(".", "").replace("_", "").isalpha()}
    assert asked == set(RULES)


@given(SEEDS)
def test_every_decision_has_an_explanation_in_both_languages(seed: int):
    caller, of, grants = random_case(random.Random(seed))
    decision = decided(caller, of, grants)
    told = explanation(decision)
    assert json.loads(json.dumps(told)) == told
    assert all(step["zh"] and step["en"] for step in told["steps"])
    assert all(field["zh"] and field["en"] for field in told["fields"].values())
    assert (told["nearest_change"] is None) is decision.allowed
    for language in ("zh", "en"):
        assert all(sentences(decision, language))


def test_a_masked_field_says_why_and_what_would_open_it():
    decision = decided(DEPARTMENT, resource({"id_number": 4}), [grant()])
    told = explanation(decision)["fields"]["id_number"]
    assert told["treatment"] == "masked"
    assert "GB/T 43697" in told["basis"]
    assert "law" in told["advice"]["en"]


def test_which_rows_a_grant_opens_is_told_to_a_person_too():
    decision = decided(DEPARTMENT, resource(), [grant(rows=StartsWith("division", "4201"))])
    for language in ("zh", "en"):
        assert '{"field": "division", "prefix": "4201"}' in "\n".join(sentences(decision, language))
    assert "prefix" not in "\n".join(sentences(decided(DEPARTMENT, resource(), [grant(rows=None)]), "en"))


def test_the_nearest_change_is_that_of_the_grant_that_nearly_fitted():
    wrong_purpose, wrong_method = grant(1, purpose="其他"), grant(2, methods=frozenset({"file"}))
    decision = decided(DEPARTMENT, resource(), [wrong_purpose, wrong_method])
    nearest = nearest_change(decision)
    assert nearest is not None
    assert (nearest.rule, nearest.about) == ("grant.method", wrong_method.id)


def test_the_public_is_told_to_ask():
    decision = decided(PUBLIC, resource(), asked=Asked("api"))
    assert sentences(decision, "zh")[-2:] == ["判定:不放行。", RULES["open.unconditional"].advice[0]]
    assert str(ASKED.purpose) not in " ".join(sentences(decision, "zh"))
