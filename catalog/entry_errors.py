"""What can go wrong with catalogue entries.

HubError
└── CatalogError
    ├── EntryWrong              an element breaks its rule
    ├── EntryUnknown            there is none, or none the caller may know of
    ├── EntryStepWrong          the version does not stand where this act begins
    ├── EntryChanged            what was looked at is not what is stored
    ├── FieldsUnlabelled        a field has no level: not labelled is not published
    ├── SecrecyReviewMissing    the version has not passed secrecy review
    ├── LevelNotRaised          a level can be raised at once, but lowered only by a new version
    └── CatalogPageUnknown      a cursor is none of the hub's
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class EntryWrong(CatalogError):
    """An element breaks its rule."""

    element: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "entry_wrong"
    zh: ClassVar[str] = "目录条目的 {element} 不合规则:{rule_zh}。"
    en: ClassVar[str] = "element {element} of the catalogue entry breaks its rule: {rule_en}."


@dataclass(eq=False)
class EntryUnknown(CatalogError):
    """There is none, or none the caller may know of: the two look the same on purpose."""

    dataset: str

    code: ClassVar[str] = "entry_unknown"
    zh: ClassVar[str] = "目录中没有 {dataset} 的此条目,或您无权知悉。请核对编号,或以有权的账户查询。"
    en: ClassVar[str] = (
        "the catalogue has no such entry of {dataset}, or none you may know of; check its id, or ask with an account "
        "that may."
    )


@dataclass(eq=False)
class EntryStepWrong(CatalogError):
    """The version does not stand where this act begins."""

    dataset: str
    version: int
    state: str
    act: str
    needed: str

    code: ClassVar[str] = "entry_step_wrong"
    zh: ClassVar[str] = "{dataset} 目录条目第 {version} 版的状态为 {state},不能执行 {act};该操作要求状态为 {needed}。"
    en: ClassVar[str] = (
        "version {version} of the entry of {dataset} is {state}, and {act} begins from {needed}; see where it stands "
        "with hub entry show."
    )


@dataclass(eq=False)
class EntryChanged(CatalogError):
    """What was looked at is not what is stored: an approval counts for exactly the content it was given to."""

    dataset: str
    version: int

    code: ClassVar[str] = "entry_changed"
    zh: ClassVar[str] = (
        "所审内容的 SM3 摘要与 {dataset} 目录条目第 {version} 版不符;批准只对所见内容有效,请重新查看后再办。"
    )
    en: ClassVar[str] = (
        "the SM3 given is not that of version {version} of the entry of {dataset}; an approval counts for exactly what "
        "was looked at, so look at it again."
    )


@dataclass(eq=False)
class FieldsUnlabelled(CatalogError):
    """A field has no level: not labelled is not published."""

    dataset: str
    fields: str

    code: ClassVar[str] = "fields_unlabelled"
    zh: ClassVar[str] = "{dataset} 的字段 {fields} 尚未分级,未分级不得发布;请在目录条目中补齐分级后重新提交。"
    en: ClassVar[str] = (
        "{dataset} has fields without a level: {fields}; what is not labelled is not published. Label them in a new "
        "draft."
    )


@dataclass(eq=False)
class SecrecyReviewMissing(CatalogError):
    """The version has not passed secrecy review (保密审查)."""

    dataset: str
    version: int

    code: ClassVar[str] = "secrecy_review_missing"
    zh: ClassVar[str] = "{dataset} 目录条目第 {version} 版未通过保密审查,不得发布;请先由他人完成保密审查。"
    en: ClassVar[str] = (
        "version {version} of the entry of {dataset} has not passed secrecy review; have another person do it first."
    )


@dataclass(eq=False)
class LevelNotRaised(CatalogError):
    """A level can be raised at once, but lowered only by a new version that goes through review."""

    dataset: str
    field: str
    level: str

    code: ClassVar[str] = "level_not_raised"
    zh: ClassVar[str] = "{dataset} 字段 {field} 现为 {level} 级;即时调整只能升级,降级须以新版条目经审核发布。"
    en: ClassVar[str] = (
        "field {field} of {dataset} is of level {level} now; at once it can only be raised, a lower level takes a new "
        "version of the entry and its reviews."
    )


@dataclass(eq=False)
class CatalogPageUnknown(CatalogError):
    """A cursor is none of the hub's, or belongs to another query."""

    code: ClassVar[str] = "catalog_page_unknown"
    zh: ClassVar[str] = "翻页游标无法识别;请从第一页重新查询。"
    en: ClassVar[str] = "the cursor cannot be read; begin with the first page again."
