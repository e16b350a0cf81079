"""The table of tiers as JSON, and what no two administrators can agree on."""

import json
from typing import Any

import pytest

from catalog.tier import DEFAULT_TIERS
from catalog.tier_errors import TierTableWrong
from catalog.tier_text import text_of_tiers, tiers_from_json


def rules() -> list[dict[str, Any]]:
    return json.loads(text_of_tiers(DEFAULT_TIERS))


def changed(tier: str, granted: bool, **changes: Any) -> list[dict[str, Any]]:
    found = rules()
    (cell,) = (rule for rule in found if (rule["tier"], rule["granted"]) == (tier, granted))
    cell.update(changes)
    return found


def test_the_designs_table_survives_json():
    assert tiers_from_json(rules()) == DEFAULT_TIERS
    assert text_of_tiers(tiers_from_json(list(reversed(rules())))) == text_of_tiers(DEFAULT_TIERS)


def test_a_cell_that_is_left_out_opens_nothing():
    assert tiers_from_json([]) == {}


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ("clear_level", changed("public", granted=False, clear_level=2)),
        ("clear_level", changed("department", granted=False, treated_level=3)),
        ("clear_level", changed("department", granted=True, clear_level=5)),
        ("clear_level", changed("department", granted=True, clear_level=True)),
        ("clear_level", changed("department", granted=True, clear_level="3")),
        ("clear_level", changed("department", granted=True, treated_level=-1)),
        ("clear_level", changed("department", granted=True, clear_level=4)),
        ("named_level", changed("steward", granted=False, named_level=4)),
        ("granted", [{"tier": "public", "granted": True, "scope": "open", "clear_level": 1}]),
        ("granted", [{"tier": "steward", "granted": True, "scope": "own", "clear_level": 1}]),
        ("tier", [{"tier": "king", "granted": False, "scope": "open", "clear_level": 1}]),
        ("tier", [{"tier": ["public"], "granted": False, "scope": "open", "clear_level": 1}]),
        ("scope", changed("public", granted=False, scope="own")),
        ("scope", changed("steward", granted=False, scope="shareable")),
        ("purpose_required", changed("department", granted=True, purpose_required=False)),
        ("quota", changed("public", granted=False, quota={"rows": -1})),
        ("quota", changed("public", granted=False, quota={"rows": True})),
        ("quota", changed("public", granted=False, quota={"hours": 1})),
        ("quota", changed("public", granted=False, quota=None)),
        ("", changed("public", granted=False, colour="red")),
        ("", [{"tier": "public"}]),
        ("", [*rules(), rules()[0]]),
    ],
)
def test_a_table_beyond_the_bounds_is_refused_by_its_cell(where: str, wrong: list[dict[str, Any]]):
    with pytest.raises(TierTableWrong) as refused:
        tiers_from_json(wrong)
    assert refused.value.where.endswith(where)
