"""The catalogue entry (目录条目): what the national guide and article 13 have a dataset say of itself.

Elements are those of 《政务信息资源目录编制指南（试行）》 and of article 13 of 《政务数据共享条例》(国务院令第809号);
frozen and valid when made. What an entry says of a field's level is the reviewed act of classification and grading
(数据分类分级); the publication date (发布日期) is the lifecycle's, not the provider's to claim.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from catalog.entry_errors import EntryWrong
from catalog.grant import Method
from catalog.resource import FieldKind, FieldLevel, Open, Share

UpdateCycle = Literal[
    "realtime", "daily", "weekly", "ten_days", "monthly", "quarterly", "half_yearly", "yearly"
]  # fmt: skip
Format = Literal[1, 2, 3, 4, 5, 6, 7]

# Guide: 类 1 digit, 项 2, 目 3, 细目 variable, then "/" and the sequence.
CODE: Final = re.compile(r"[123]\d{2}\d{3}\d*/\d+", re.ASCII)
CODE_CHARACTERS_MAX: Final = 64
NAME_ZH_CHARACTERS_MAX: Final = 50
NAME_EN_CHARACTERS_MAX: Final = 200
ABSTRACT_ZH_CHARACTERS_MAX: Final = 256
ABSTRACT_EN_CHARACTERS_MAX: Final = 512  # the same content takes about twice the characters
TERMS_CHARACTERS_MAX: Final = 500
KEYWORDS_MAX, KEYWORD_CHARACTERS_MAX = 20, 30
RELATED_MAX: Final = 50
REGION: Final = re.compile(r"[1-9][0-9]{5}")
NATIONAL_TYPES: Final = frozenset("CNYDTLMGBIF")

FORMATS: Final[Mapping[int, tuple[str, str]]] = {
    1: ("电子文件", "document"),
    2: ("电子表格", "spreadsheet"),
    3: ("数据库", "database"),
    4: ("图形图像", "image"),
    5: ("流媒体", "stream"),
    6: ("自描述格式", "self-describing format"),
    7: ("服务接口", "service interface"),
}
CYCLES: Final[Mapping[str, tuple[str, str]]] = {
    "realtime": ("实时", "in real time"),
    "daily": ("每日", "daily"),
    "weekly": ("每周", "weekly"),
    "ten_days": ("每旬", "every ten days"),
    "monthly": ("每月", "monthly"),
    "quarterly": ("每季度", "quarterly"),
    "half_yearly": ("每半年", "half-yearly"),
    "yearly": ("每年", "yearly"),
}
# Guide: classes 基础 (first five) and 主题.
THEMES: Final = (
    *("人口", "法人单位", "自然资源和空间地理", "社会信用", "电子证照"),
    *("公共服务", "健康保障", "社会保障", "食品药品安全", "安全生产", "价格监管", "能源安全", "信用体系"),
    *("城乡建设", "社区治理", "生态环保", "应急维稳", "宏观经济"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """An information item (信息项): a field with its national type and its label.

    Args:
        name: of the contract's field.
        title_zh: Chinese title.
        title_en: English title.
        national_type: C N Y D T L M G B I F.
        level: GB/T 43697-2024; None is not labelled, and an entry with such an item cannot be published.
        kind: what its values are.
    """

    name: str
    title_zh: str
    title_en: str
    national_type: str
    level: FieldLevel | None
    kind: FieldKind

    def __post_init__(self) -> None:
        _require(self.national_type in NATIONAL_TYPES, f"items.{self.name}", "CNYDTLMGBIF 之一", "one of CNYDTLMGBIF")
        known = self.level is None or (type(self.level) in {int, str} and self.level in get_args(FieldLevel))
        levels = "1–4, important, core"
        _require(known, f"labels.{self.name}.level", f"应为 {levels}", f"it must be one of {levels}")
        kinds = ", ".join(get_args(FieldKind))
        _require(self.kind in get_args(FieldKind), f"labels.{self.name}.kind", f"应为 {kinds}", f"one of {kinds}")


@dataclass(frozen=True, slots=True)
class ShareTerms:
    """Share attribute (共享属性, article 14) with what article 15 has it list.

    Args:
        type: unconditional 无条件, conditional 有条件, not_shared 不予共享.
        scope: whom it is shared with (共享范围); conditional only.
        uses: for what (使用用途); conditional only.
        conditions: any others; conditional only.
        reason: why not (理由); not_shared only.
        law: the law, regulation or State Council decision that says so (依据); not_shared only.
    """

    type: Share
    scope: str = ""
    uses: str = ""
    conditions: str = ""
    reason: str = ""
    law: str = ""

    def __post_init__(self) -> None:
        _require(self.type in get_args(Share), "share.type", "无条件、有条件或不予共享", ", ".join(get_args(Share)))
        wanted = {"unconditional": set[str](), "conditional": {"scope", "uses"}, "not_shared": {"reason", "law"}}
        allowed = wanted[self.type] | ({"conditions"} if self.type == "conditional" else set())
        for name in ("scope", "uses", "conditions", "reason", "law"):
            _require_terms("share", name, getattr(self, name), wanted[self.type], allowed, "条例第十五条", "article 15")


@dataclass(frozen=True, slots=True)
class OpenTerms:
    """Open attribute (开放属性).

    Args:
        type: unconditional 无条件开放, conditional 有条件开放, not_open 不予开放.
        conditions: what is asked of who wants it; conditional only.
        reason: why not; not_open only.
        planned_on: when it is planned to open, or to open further (开放时间表).
    """

    type: Open
    conditions: str = ""
    reason: str = ""
    planned_on: date | None = None

    def __post_init__(self) -> None:
        _require(self.type in get_args(Open), "open.type", "无条件、有条件或不予开放", ", ".join(get_args(Open)))
        wanted = {"conditions"} if self.type == "conditional" else set[str]()
        allowed = wanted | ({"reason"} if self.type == "not_open" else set())
        for name in ("conditions", "reason"):
            _require_terms("open", name, getattr(self, name), wanted, allowed, "编制指南", "the guide")


@dataclass(frozen=True, slots=True)
class Entry:
    """A catalogue entry's content. Its version, state and dates belong to the lifecycle.

    Args:
        dataset: id.
        class_code: 资源分类 (类 项 目 细目), front part of the code.
        sequence: 顺序码, back part of the code.
        provider: the organization's id (提供单位).
        provider_code: its unified social credit code (提供方代码, GB 32100).
        name_zh: 名称, at most 50 characters.
        name_en: English name.
        abstract_zh: 摘要, at most 256 characters.
        abstract_en: English abstract.
        format: class of 数据格式, 1–7.
        items: 信息项, every field of the contract in its order.
        share: 共享属性.
        open: 开放属性.
        methods: 共享方式 (article 22: 服务接口, 批量交换, 文件下载; and subscription); none where it is not shared.
        update_cycle: 更新周期.
        related: codes of related resources (关联资源代码).
        keywords: what people look for it by.
        theme: class of the guide it belongs to, one of ``THEMES``.
        region: GB/T 2260 code of what it covers.
    """

    dataset: str
    class_code: str
    sequence: str
    provider: str
    provider_code: str
    name_zh: str
    name_en: str
    abstract_zh: str
    abstract_en: str
    format: Format
    items: tuple[Item, ...]
    share: ShareTerms
    open: OpenTerms
    methods: tuple[Method, ...]
    update_cycle: UpdateCycle
    related: tuple[str, ...]
    keywords: tuple[str, ...]
    theme: str
    region: str

    @property
    def code(self) -> str:
        """The resource's code, ``<class>/<sequence>``."""
        return f"{self.class_code}/{self.sequence}"

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """Items without a level."""
        return tuple(item.name for item in self.items if item.level is None)

    @property
    def level(self) -> FieldLevel | None:
        """Of the whole: that of its highest item (就高从严, GB/T 43697-2024); None while an item has none."""
        return None if self.unlabelled else highest(item.level for item in self.items)

    def item(self, name: str) -> Item | None:
        """The item of a field."""
        return next((item for item in self.items if item.name == name), None)

    def __post_init__(self) -> None:
        _check_code("code", self.code)
        _text("name_zh", self.name_zh, NAME_ZH_CHARACTERS_MAX)
        _text("name_en", self.name_en, NAME_EN_CHARACTERS_MAX)
        _text("abstract_zh", self.abstract_zh, ABSTRACT_ZH_CHARACTERS_MAX)
        _text("abstract_en", self.abstract_en, ABSTRACT_EN_CHARACTERS_MAX)
        _check_credit_code(self.provider_code)
        _require(type(self.format) is int and self.format in FORMATS, "format", "应为 1 至 7", "it must be 1 to 7")
        cycles = ", ".join(CYCLES)
        _require(self.update_cycle in CYCLES, "update_cycle", f"应为 {cycles}", f"it must be one of {cycles}")
        _require(self.theme in THEMES, "theme", f"应为 {'、'.join(THEMES)}", f"it must be one of {', '.join(THEMES)}")
        _require(REGION.fullmatch(self.region) is not None, "region", "应为六位区划代码", "six digits of GB/T 2260")
        self._check_lists()

    def _check_lists(self) -> None:
        names = [item.name for item in self.items]
        _require(bool(names) and len(set(names)) == len(names), "items", "信息项须各列一次", "each field, once")
        methods = ", ".join(get_args(Method))
        known = all(one in get_args(Method) for one in self.methods) and len(set(self.methods)) == len(self.methods)
        _require(known, "methods", f"应为 {methods}", f"each one of {methods}, once")
        _require(
            bool(self.methods) == (self.share.type != "not_shared"),
            "methods",
            "可共享的须列明共享方式,不予共享的不列",
            "what is shared names its methods, what is not shared names none",
        )
        _require(len(self.keywords) <= KEYWORDS_MAX, "keywords", f"至多 {KEYWORDS_MAX} 个", f"at most {KEYWORDS_MAX}")
        for keyword in self.keywords:
            _text("keywords", keyword, KEYWORD_CHARACTERS_MAX)
        _require(len(self.related) <= RELATED_MAX, "related", f"至多 {RELATED_MAX} 个", f"at most {RELATED_MAX}")
        for code in self.related:
            _check_code("related", code)


def rank_of(level: FieldLevel) -> int:
    """Levels in order: 1 to 4, then important, then core (GB/T 43697-2024: 核心 > 重要 > 一般)."""
    return level if isinstance(level, int) else {"important": 5, "core": 6}[level]


def highest(levels: Iterable[FieldLevel | None]) -> FieldLevel | None:
    """The highest of the levels there are; None where there is none (就高从严)."""
    found: FieldLevel | None = None
    for level in levels:
        if level is not None and (found is None or rank_of(level) > rank_of(found)):
            found = level
    return found


# Rules ---------------------------------------------------------------------------------------------------------------


def _require(holds: bool, element: str, rule_zh: str, rule_en: str) -> None:
    if not holds:
        raise EntryWrong(element=element, rule_zh=rule_zh, rule_en=rule_en)


def _text(element: str, value: str, characters_max: int) -> None:
    fits = value.strip() != "" and len(value) <= characters_max and value.isprintable()
    _require(
        fits,
        element,
        f"应为 1 至 {characters_max} 个可见字符",
        f"it must have 1 to {characters_max} characters, all of them printable",
    )


def _require_terms(
    attribute: str, name: str, value: str, wanted: set[str], allowed: set[str], source_zh: str, source_en: str
) -> None:
    element = f"{attribute}.{name}"
    if name in wanted or value:
        _require(name in allowed, element, f"该类型不列此项({source_zh})", f"this type lists no {name} ({source_en})")
        _text(element, value, TERMS_CHARACTERS_MAX)


def _check_code(element: str, code: str) -> None:
    _require(
        len(code) <= CODE_CHARACTERS_MAX and CODE.fullmatch(code) is not None,
        element,
        "应为 类(1位)项(2位)目(3位)细目/顺序码",
        "it must be class 1 digit, item 2, section 3, detail any, then / and the sequence",
    )


def _check_credit_code(code: str) -> None:
    from schemas.identifiers import credit_code_problem  # brings numpy, which most of the catalogue needs for nothing

    _require(credit_code_problem(code) is None, "provider_code", "应为统一社会信用代码(GB 32100)", "a code of GB 32100")
