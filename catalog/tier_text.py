"""The table of tiers as JSON, and the bounds no table may cross."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, get_args

from catalog.caller import Tier
from catalog.grant import Quota
from catalog.tier import Scope, TierRule, TierTable
from catalog.tier_errors import TierTableWrong

LEVEL_MAX = 4  # of general data; important and core have no number
OPEN_LEVEL_MAX = 1  # without a grant and not one's own (design: 公众只见 1 级)
_WITHOUT_GRANT: Final = frozenset({"public", "registered"})
_MEMBERS: Final = frozenset(TierRule.__dataclass_fields__)
_LIMITS: Final = frozenset(Quota.__dataclass_fields__)


def text_of_tiers(tiers: TierTable) -> str:
    """Canonical JSON of a table: its digest is the policy id."""
    rules = [asdict(rule) for _, rule in sorted(tiers.items(), key=lambda cell: cell[0])]
    return json.dumps(rules, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def tiers_from_json(rules: Sequence[Mapping[str, Any]]) -> TierTable:
    """Read a table.

    Raises:
        TierTableWrong: a cell breaks its rule, or stands twice.
    """
    table: dict[tuple[Tier, bool], TierRule] = {}
    for place, members in enumerate(rules):
        rule = _rule(f"[{place}]", members)
        if (rule.tier, rule.granted) in table:
            raise TierTableWrong(where=f"[{place}]", rule_zh="同一格出现两次", rule_en="the cell stands twice")
        table[rule.tier, rule.granted] = rule
    return table


def _rule(where: str, members: Mapping[str, Any]) -> TierRule:
    if not {"tier", "granted", "scope", "clear_level"} <= members.keys() <= _MEMBERS:
        known = ", ".join(sorted(_MEMBERS))
        raise TierTableWrong(where=where, rule_zh=f"成员应为 {known}", rule_en=f"its members are {known}")
    given: dict[str, Any] = dict(members)
    given["quota"] = _quota(f"{where}.quota", members.get("quota", {}))
    if not isinstance(given["tier"], str):
        raise TierTableWrong(where=f"{where}.tier", rule_zh="没有此等级", rule_en="there is no such tier")
    rule = TierRule(**given)
    for member, holds, zh, en in _rules_of(rule):
        if not holds:
            raise TierTableWrong(where=f"{where}.{member}", rule_zh=zh, rule_en=en)
    return rule


def _rules_of(rule: TierRule) -> tuple[tuple[str, bool, str, str], ...]:
    """What holds of every cell, whatever two administrators agree on; later rules presume the earlier ones."""
    levels = (rule.clear_level, rule.treated_level, rule.named_level)
    numbers = all(type(level) is int and 0 <= level <= LEVEL_MAX for level in levels)
    open_only = rule.granted or rule.tier == "steward"
    return (
        ("tier", rule.tier in get_args(Tier), "没有此等级", "there is no such tier"),
        ("granted", type(rule.granted) is bool and not (rule.granted and rule.tier in _WITHOUT_GRANT | {"steward"}),
         "公众、注册用户与数据管理员不凭授权", "public, registered and steward use no grants"),
        ("scope", rule.scope in get_args(Scope) and (rule.scope == "own") == (rule.tier == "steward"),
         "范围应为 open、shareable,管理员为 own", "open or shareable; own of stewards"),
        ("clear_level", numbers, f"级别应为 0 至 {LEVEL_MAX} 的整数", f"levels are whole numbers, 0 to {LEVEL_MAX}"),
        ("clear_level", numbers and (open_only or max(levels) <= OPEN_LEVEL_MAX),
         f"无授权时至多 {OPEN_LEVEL_MAX} 级", f"at most {OPEN_LEVEL_MAX} without a grant"),
        ("named_level", rule.named_level == 0 or rule.granted, "只有授权能指明法律条文", "only a grant names a law"),
        ("clear_level", numbers and (rule.clear_level < LEVEL_MAX or not rule.granted),
         "4 级明文须由授权指明法律条文", "level 4 is clear by a named law only"),
        ("purpose_required", type(rule.purpose_required) is bool and (rule.purpose_required or not open_only),
         "凭授权或作为管理员须说明用途", "a grant and stewardship take a purpose"),
    )  # fmt: skip


def _quota(where: str, limits: Any) -> Quota:  # noqa: ANN401 - decoded JSON
    if not isinstance(limits, dict) or not limits.keys() <= _LIMITS:
        known = ", ".join(sorted(_LIMITS))
        raise TierTableWrong(where=where, rule_zh=f"成员应为 {known}", rule_en=f"its members are {known}")
    if any(limit is not None and (type(limit) is not int or limit < 0) for limit in limits.values()):
        raise TierTableWrong(where=where, rule_zh="应为非负整数", rule_en="limits are whole numbers from 0")
    return Quota(**limits)
