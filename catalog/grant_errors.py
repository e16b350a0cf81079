"""What can go wrong with a grant.

HubError
└── CatalogError
    └── GrantError
        ├── GrantUnknown            there is none of this id, or none the caller may know of
        ├── ProposalUnknown         the same of proposals
        ├── ProposalDecided         it was approved or withdrawn already
        ├── ProposalChanged         what is to be approved is not what was proposed
        ├── GrantWrong              it breaks a rule of contract, classification, entry or term
        ├── GrantTooWide            it is wider than the request it answers
        ├── GrantStepNotNow         the step does not follow from where the grant stands
        ├── DeadlineWrong           a deadline that has passed, or lies too far ahead
        └── UsageWrong              a record of use that lacks what article 29 asks for
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class GrantError(CatalogError):
    """A grant cannot take this step."""


@dataclass(eq=False)
class GrantUnknown(GrantError):
    """There is none of this id, or none the caller may know of: the two look the same on purpose."""

    grant: str

    code: ClassVar[str] = "grant_unknown"
    zh: ClassVar[str] = "没有授权 {grant},或它与您的单位无关。请核对编号。"
    en: ClassVar[str] = "there is no grant {grant}, or it is no concern of your organization's; check its id."


@dataclass(eq=False)
class ProposalUnknown(GrantError):
    """There is none of this id, or none the caller may know of: the two look the same on purpose."""

    proposal: str

    code: ClassVar[str] = "proposal_unknown"
    zh: ClassVar[str] = "没有授权提案 {proposal},或它与您的单位无关。请核对编号。"
    en: ClassVar[str] = "there is no proposal {proposal}, or it is no concern of your organization's; check its id."


@dataclass(eq=False)
class ProposalDecided(GrantError):
    """It was approved or withdrawn already."""

    proposal: str
    state: str

    code: ClassVar[str] = "proposal_decided"
    zh: ClassVar[str] = "授权提案 {proposal} 已是 {state},不能再处理。"
    en: ClassVar[str] = "proposal {proposal} is {state} already."


@dataclass(eq=False)
class ProposalChanged(GrantError):
    """What is to be approved is not what was proposed, byte for byte."""

    proposal: str

    code: ClassVar[str] = "proposal_changed"
    zh: ClassVar[str] = "授权提案 {proposal} 的内容与所批准的摘要(SM3)不符。请重新查看提案,再按其摘要批准。"
    en: ClassVar[str] = (
        "the content of proposal {proposal} does not have the digest (SM3) that was approved;"
        " look at it again and approve the digest you see."
    )


@dataclass(eq=False)
class GrantWrong(GrantError):
    """It breaks a rule of contract, classification, entry or term; every broken rule is named."""

    problems: Sequence[dict[str, Any]]
    listed_zh: str
    listed_en: str

    code: ClassVar[str] = "grant_wrong"
    zh: ClassVar[str] = "授权不合规则:{listed_zh}"
    en: ClassVar[str] = "the grant breaks rules: {listed_en}"


@dataclass(eq=False)
class GrantTooWide(GrantError):
    """It is wider than the request it answers; every element that is."""

    problems: Sequence[dict[str, Any]]
    listed_zh: str
    listed_en: str

    code: ClassVar[str] = "grant_too_wide"
    zh: ClassVar[str] = "授权超出申请的范围(条例第二十五条):{listed_zh}"
    en: ClassVar[str] = "the grant is wider than the request it answers (article 25): {listed_en}"


@dataclass(eq=False)
class GrantStepNotNow(GrantError):
    """The step does not follow from where the grant stands."""

    step: str
    state: str

    code: ClassVar[str] = "grant_step_not_now"
    zh: ClassVar[str] = "授权的状态为 {state},不能由此转为 {step};其进程见 hub grant show。"
    en: ClassVar[str] = "the grant is {state}, so it cannot be {step} now; see its course with hub grant show."


@dataclass(eq=False)
class DeadlineWrong(GrantError):
    """A deadline that has passed, or lies too far ahead."""

    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "deadline_wrong"
    zh: ClassVar[str] = "期限有误:{rule_zh}。"
    en: ClassVar[str] = "the deadline is wrong: {rule_en}."


@dataclass(eq=False)
class UsageWrong(GrantError):
    """A record of use that lacks what article 29 asks for."""

    missing: str

    code: ClassVar[str] = "usage_wrong"
    zh: ClassVar[str] = "使用记录缺少:{missing}(条例第二十九条)。"
    en: ClassVar[str] = "the record of use lacks {missing} (article 29)."
