"""Why a decision is as it is: its rules in the order they were asked, what each rests on, and what would change it.

A person reads sentences in Chinese or English, a program the same as JSON. Nothing here repeats a record's values.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.condition_json import condition_to_json
from catalog.decision import Decision, Step
from schemas.errors import Language


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in words.

    Args:
        basis: the clause it rests on; empty where it is the hub's own frame.
        passed: what it means that it holds, in Chinese and English.
        failed: what it means that it does not.
        advice: what would change it; empty where nothing the caller can do would.
    """

    basis: str
    passed: tuple[str, str]
    failed: tuple[str, str]
    advice: tuple[str, str] = ("", "")


_STATUTE: Final = "《政务数据共享条例》(国务院令第809号)"
_GRADING: Final = "GB/T 43697-2024"
_ASK: Final = (
    "通过 POST /v1/requests 提出申请,写明依据、场景、范围、方式和时限。",
    "Ask by POST /v1/requests, giving basis, scenario, scope, method and term.",
)
_OWNER: Final = ("请联系数据提供单位。", "Ask the organization that provides the dataset.")

RULES: Final[Mapping[str, Rule]] = {
    "entry.published": Rule(
        f"{_STATUTE}第十三条",
        ("目录条目已发布。", "Its catalogue entry is published."),
        ("没有已发布的目录条目,任何数据都不放行。", "It has no published catalogue entry, so nothing leaves."),
        _OWNER,
    ),
    "entry.secrecy": Rule(
        f"{_STATUTE}第十三条",
        ("该版本已通过保密审查。", "This version has passed secrecy review."),
        ("该版本尚未通过保密审查,任何数据都不放行。", "This version has not passed secrecy review, so nothing leaves."),
        _OWNER,
    ),
    "grant.purpose": Rule(
        f"{_STATUTE}第二十五条",
        ("所述用途与授权 {about} 的使用场景一致。", "The stated purpose is that of grant {about}."),
        ("所述用途不是授权 {about} 的使用场景。", "The stated purpose is not that of grant {about}."),
        ("在 hub-purpose 请求头中写明授权的使用场景。", "State the grant's purpose in the header hub-purpose."),
    ),
    "grant.state": Rule(
        f"{_STATUTE}第二十七条",
        ("授权 {about} 有效。", "Grant {about} is active."),
        ("授权 {about} 已暂停或终止。", "Grant {about} is suspended or ended."),
        ("按整改要求整改,或重新申请。", "Rectify what was asked for, or make a new request."),
    ),
    "grant.term": Rule(
        f"{_STATUTE}第二十条",
        ("在授权 {about} 的使用时限之内。", "Grant {about} is within its term."),
        ("不在授权 {about} 的使用时限之内。", "Grant {about} is outside its term."),
        _ASK,
    ),
    "grant.method": Rule(
        f"{_STATUTE}第二十二条",
        ("授权 {about} 允许这种共享方式。", "Grant {about} allows this method of delivery."),
        ("授权 {about} 不包括这种共享方式。", "Grant {about} does not include this method of delivery."),
        ("改用授权所列的共享方式,或另行申请。", "Use a method the grant lists, or ask for this one."),
    ),
    "tier.grants": Rule(
        "",
        ("您的授权等级可以使用授权。", "Your tier may use grants."),
        ("您的授权等级不能使用授权。", "Your tier may not use grants."),
        ("向主管部门申请成为经批准的用户。", "Ask the administrator to be approved."),
    ),
    "share.granted": Rule(
        f"{_STATUTE}第十四条",
        ("共享属性允许共享。", "Its share attribute allows sharing."),
        ("共享属性为不予共享或尚未确定。", "Its share attribute is not shared, or not settled."),
        _OWNER,
    ),
    "open.granted": Rule(
        f"{_STATUTE}第十三条",
        ("开放属性允许向经批准的用户开放。", "Its open attribute allows approved users."),
        ("开放属性为不予开放或尚未确定。", "Its open attribute is not open, or not settled."),
        _OWNER,
    ),
    "grant.named": Rule(
        "",
        ("", ""),
        (
            "所指定的授权 {about} 不存在、不属于您或不适用。",
            "The named grant {about} is none of yours or does not fit.",
        ),
        ("去掉 hub-grant 请求头,或指定一项您的有效授权。", "Leave out the header hub-grant, or name a grant of yours."),
    ),
    "steward.purpose": Rule(
        f"{_STATUTE}第三十四条",
        ("数据管理员说明了用途。", "The steward has stated a purpose."),
        ("数据管理员读取本单位数据须说明用途。", "A steward states a purpose to read the own organization's records."),
        ("在 hub-purpose 请求头中写明用途。", "State it in the header hub-purpose."),
    ),
    "tier.open": Rule(
        "",
        ("您的授权等级可以读取无条件开放的数据。", "Your tier may read what is open without conditions."),
        ("您的授权等级没有授权则什么都不能读取。", "Your tier may read nothing without a grant."),
        _ASK,
    ),
    "open.persons": Rule(
        "《个人信息保护法》第四条、第七十三条",
        ("不是个人记录。", "Its records are not persons."),
        (
            "个人记录没有授权不放行;公众可用的是已发布的统计汇总。",
            "Records of persons do not leave without a grant; what the public may have are the published aggregates.",
        ),
        _ASK,
    ),
    "open.unconditional": Rule(
        f"{_STATUTE}第十三条",
        ("开放属性为无条件开放。", "It is open without conditions."),
        ("开放属性不是无条件开放,须有授权。", "It is not open without conditions; a grant is needed."),
        _ASK,
    ),
    "fields.some": Rule(
        "",
        ("至少有一个数据项可以放行。", "At least one field may leave."),
        ("没有任何数据项可以放行。", "No field may leave."),
        _ASK,
    ),
    "field.unlabelled": Rule(
        _GRADING,
        ("", ""),
        ("数据项尚未定级,不放行。", "The field has no level yet, so it does not leave."),
        _OWNER,
    ),
    "field.beyond": Rule(
        _GRADING,
        ("", ""),
        ("重要或核心数据不放行。", "Important and core data do not leave."),
    ),
    "field.level": Rule(
        _GRADING,
        ("级别在您可以明文读取的范围之内。", "Its level is one you may read as it is."),
        ("级别高于您的授权等级。", "Its level is above your tier."),
        _ASK,
    ),
    "field.law": Rule(
        f"{_STATUTE}第二十条",
        ("授权点名了该数据项及其法律依据。", "The grant names this field and the law it rests on."),
        ("", ""),
    ),
    "field.treated": Rule(
        _GRADING,
        ("级别较高,经处理后给出。", "Its level is high, so it is given treated."),
        ("级别较高,该类数据项没有可用的处理方式。", "Its level is high and its kind has no treatment."),
        (
            "四级数据项须由授权点名并写明法律依据,方可明文给出。",
            "A field of level 4 is given clear only where the grant names it with the law it rests on.",
        ),
    ),
    "grant.field": Rule(
        f"{_STATUTE}第二十条",
        ("", ""),
        ("授权不包括该数据项。", "The grant does not include this field."),
        _ASK,
    ),
    "grant.treatment": Rule(
        f"{_STATUTE}第二十条",
        ("按授权约定处理后给出。", "It is given treated, as the grant says."),
        ("授权约定的处理方式不适用于该类数据项。", "Its kind does not have the treatment the grant asks for."),
        _ASK,
    ),
}

TREATMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "clear": ("明文", "clear"),
    "masked": ("掩码", "masked"),
    "generalised": ("泛化", "generalised"),
    "pseudonymous": ("假名化", "pseudonymous"),
    "withheld": ("不放行", "withheld"),
}
WAYS: Final[Mapping[str, tuple[str, str]]] = {
    "grant": ("依授权 {grant}", "under grant {grant}"),
    "steward": ("以数据管理员身份", "as steward"),
    "tier": ("依授权等级", "by tier"),
    "none": ("", ""),
}


def _in(language: Language, pair: tuple[str, str]) -> str:
    return pair[0] if language == "zh" else pair[1]


def step_sentence(step: Step, language: Language) -> str:
    """One rule that was asked, as a sentence."""
    rule = RULES[step.rule]
    return _in(language, rule.passed if step.passed else rule.failed).format(about=step.about)


def nearest_change(decision: Decision) -> Step | None:
    """The rule whose change would change the answer with the least else: the last that failed; None where allowed.

    A grant that fell at a later rule was nearer to fitting than one that fell at an earlier; where the caller has
    grants, the nearest of those is told rather than that the dataset is not open.
    """
    if decision.allowed:
        return None
    failed = [step for step in decision.steps if not step.passed]
    of_grants = [step for step in failed if step.about and step.rule != "grant.named"]
    order = list(RULES)
    return max(of_grants, key=lambda step: order.index(step.rule)) if of_grants else failed[-1]


def explanation(decision: Decision) -> dict[str, Any]:
    """The decision for a program: rules in order, bases, fields, row condition, what would change it."""
    nearest = nearest_change(decision)
    return {
        "allowed": decision.allowed,
        "dataset": decision.dataset,
        "entry_version": decision.entry_version,
        "way": decision.way,
        "grant": decision.grant,
        "purpose": decision.purpose,
        "method": decision.method,
        "policy": decision.policy,
        "steps": [
            {
                "rule": step.rule,
                "passed": step.passed,
                "about": step.about,
                "basis": RULES[step.rule].basis,
                "zh": step_sentence(step, "zh"),
                "en": step_sentence(step, "en"),
            }
            for step in decision.steps
        ],
        "fields": {name: field_explanation(decision, name) for name in decision.fields},
        "rows": None if decision.rows is None else condition_to_json(decision.rows),
        "nearest_change": None
        if nearest is None
        else {
            "rule": nearest.rule,
            "about": nearest.about,
            "zh": RULES[nearest.rule].advice[0],
            "en": RULES[nearest.rule].advice[1],
        },
    }


def field_explanation(decision: Decision, name: str) -> dict[str, Any]:
    """What becomes of one field, by which rule, on which basis, and what would open it further."""
    treated = decision.fields[name]
    rule = RULES[treated.rule]
    given = treated.treatment != "withheld"
    sentences = rule.passed if given and any(rule.passed) else rule.failed
    return {
        "treatment": treated.treatment,
        "rule": treated.rule,
        "basis": rule.basis,
        "zh": sentences[0].format(about=""),
        "en": sentences[1].format(about=""),
        "advice": {"zh": rule.advice[0], "en": rule.advice[1]} if treated.treatment != "clear" else None,
    }


def sentences(decision: Decision, language: Language) -> list[str]:
    """The decision for a person, a sentence a line."""
    zh = language == "zh"
    lines = [step_sentence(step, language) for step in decision.steps]
    if decision.allowed:
        way = _in(language, WAYS[decision.way]).format(grant=decision.grant)
        lines.append(f"判定:放行({way})。" if zh else f"Decision: released, {way}.")
        if decision.rows is not None:
            rows = json.dumps(condition_to_json(decision.rows), ensure_ascii=False)
            lines.append(f"只给出符合行条件的记录:{rows}" if zh else f"Only records of this row condition: {rows}")
        lines += [
            f"  {name}:{TREATMENTS[treated.treatment][0]}。{field_explanation(decision, name)['zh']}"
            if zh
            else f"  {name}: {TREATMENTS[treated.treatment][1]}. {field_explanation(decision, name)['en']}"
            for name, treated in decision.fields.items()
        ]
        return lines
    nearest = nearest_change(decision)
    lines.append("判定:不放行。" if zh else "Decision: refused.")
    if nearest is not None and any(RULES[nearest.rule].advice):
        lines.append(_in(language, RULES[nearest.rule].advice))
    return lines
