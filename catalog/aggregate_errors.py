"""What can go wrong with pre-declared aggregates and their releases.

HubError
└── CatalogError
    └── AggregateError
        ├── AggregateWrong          a member of a definition breaks its rule
        ├── AggregateUnknown        there is no such aggregate, or none published
        ├── AggregateOverlaps       it crosses another aggregate of the dataset, and margins that cross pin cells
        ├── AggregateStepWrong      a release does not stand where this step begins
        ├── AggregateChanged        what is stored, or the policy, is not what was computed and looked at
        ├── AggregateNotOpen        the dataset's entry or levels forbid that anything of it is published
        ├── DisclosureRefused       no table can be published that would be safe
        └── PredicateRefused        an aggregate was asked for with conditions of the caller's own
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class AggregateError(CatalogError):
    """An aggregate cannot be defined, computed, published or recalled."""


@dataclass(eq=False)
class AggregateWrong(AggregateError):
    """A member of a definition breaks its rule."""

    where: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "aggregate_wrong"
    zh: ClassVar[str] = "统计定义的 {where} 不合规则:{rule_zh}。"
    en: ClassVar[str] = "{where} of the aggregate's definition breaks its rule: {rule_en}."


@dataclass(eq=False)
class AggregateUnknown(AggregateError):
    """There is no such aggregate, or none published: the two look the same."""

    aggregate: str

    code: ClassVar[str] = "aggregate_unknown"
    zh: ClassVar[str] = "没有统计 {aggregate},或它尚未发布。GET /v1/statistics 列出已发布的统计。"
    en: ClassVar[str] = (
        "there is no aggregate {aggregate}, or none is published; GET /v1/statistics lists those that are."
    )


@dataclass(eq=False)
class AggregateOverlaps(AggregateError):
    """It crosses another aggregate of the dataset."""

    aggregate: str
    other: str

    code: ClassVar[str] = "aggregate_overlaps"
    zh: ClassVar[str] = (
        "统计 {aggregate} 与同一数据资源的 {other} 共用字段,但不是从相同的开头逐级细分;"
        "交叉的合计可以相互推出小单元格。请调整维度的顺序或字段。"
    )
    en: ClassVar[str] = (
        "aggregate {aggregate} shares fields with {other} of the same dataset without beginning alike: margins that"
        " cross give small cells away; change the order of the dimensions, or the fields."
    )


@dataclass(eq=False)
class AggregateStepWrong(AggregateError):
    """A release does not stand where this step begins."""

    release: str
    state: str
    needed: str

    code: ClassVar[str] = "aggregate_step_wrong"
    zh: ClassVar[str] = "统计发布 {release} 现为 {state},此操作要求 {needed}。"
    en: ClassVar[str] = "release {release} of statistics is {state}; this step takes one that is {needed}."


@dataclass(eq=False)
class AggregateChanged(AggregateError):
    """What was looked at is not what would be published."""

    release: str

    code: ClassVar[str] = "aggregate_changed"
    zh: ClassVar[str] = "统计发布 {release} 的内容、报告或依据与所给摘要不符,或此后已有其他统计发布;请重新计算并核对。"
    en: ClassVar[str] = (
        "content, report or ground of release {release} are not those of the digest given, or other statistics were"
        " published since; compute anew and look at the result."
    )


@dataclass(eq=False)
class AggregateNotOpen(AggregateError):
    """The dataset's entry or levels forbid that anything of it is published."""

    dataset: str
    rule: str

    code: ClassVar[str] = "aggregate_not_open"
    zh: ClassVar[str] = (
        "数据资源 {dataset} 不能发布统计(规则 {rule}):目录条目须已发布并通过保密审查,字段须已分级且非重要、核心数据。"
    )
    en: ClassVar[str] = (
        "no statistics of dataset {dataset} may be published (rule {rule}): its entry must be published and have passed"
        " secrecy review, its fields be labelled, and neither important nor core."
    )


@dataclass(eq=False)
class DisclosureRefused(AggregateError):
    """No table can be published that would be safe. Names the rule and never a cell or its count."""

    aggregate: str
    rule: str

    code: ClassVar[str] = "disclosure_refused"
    zh: ClassVar[str] = (
        "统计 {aggregate} 现在不能安全发布(规则 {rule}:threshold 人数不足,unchanged 与已发布者相差不足 k 人,"
        "nested 嵌套集合相差不足 k 人,interval 可推出小单元格)。已发布的统计继续有效;请待数据变化或采用更粗的维度。"
    )
    en: ClassVar[str] = (
        "aggregate {aggregate} cannot be published safely now (rule {rule}: threshold, too few persons; unchanged,"
        " fewer than k persons differ from what is published; nested, sets differ by fewer than k; interval, a small"
        " cell could be derived). What is published stands; wait for the data to change, or use coarser dimensions."
    )


@dataclass(eq=False)
class PredicateRefused(AggregateError):
    """An aggregate was asked for with conditions of the caller's own."""

    parameter: str

    code: ClassVar[str] = "predicate_refused"
    zh: ClassVar[str] = "统计不接受条件 {parameter}:只提供事先定义的表格,条件可用于推算个人。可用参数:format。"
    en: ClassVar[str] = (
        "statistics take no condition {parameter}: there are pre-declared tables only, for conditions of one's own"
        " single persons out; the only parameter is format."
    )
