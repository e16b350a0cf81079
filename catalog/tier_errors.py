"""What can go wrong with the table of tiers.

HubError
└── CatalogError
    └── TierError
        ├── TierTableWrong          a cell breaks its rule
        ├── TierVersionUnknown      no version of this number
        ├── TierVersionDecided      it was approved already, or a newer one was
        └── TierVersionChanged      what is to be approved is not what was proposed
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class TierError(CatalogError):
    """The table of tiers cannot become so."""


@dataclass(eq=False)
class TierTableWrong(TierError):
    """A cell breaks its rule."""

    where: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "tier_table_wrong"
    zh: ClassVar[str] = "授权等级表有误,位置 {where}:{rule_zh}。"
    en: ClassVar[str] = "the table of tiers is wrong at {where}: {rule_en}."


@dataclass(eq=False)
class TierVersionUnknown(TierError):
    """No version of this number."""

    version: int

    code: ClassVar[str] = "tier_version_unknown"
    zh: ClassVar[str] = "没有第 {version} 版授权等级表。"
    en: ClassVar[str] = "there is no version {version} of the table of tiers."


@dataclass(eq=False)
class TierVersionDecided(TierError):
    """It was approved already, or a newer one was."""

    version: int

    code: ClassVar[str] = "tier_version_decided"
    zh: ClassVar[str] = "第 {version} 版授权等级表已批准,或已有更新的版本生效;请另行提出。"
    en: ClassVar[str] = "version {version} is approved, or a newer one holds already; propose another."


@dataclass(eq=False)
class TierVersionChanged(TierError):
    """What is to be approved is not what was proposed, byte for byte."""

    version: int

    code: ClassVar[str] = "tier_version_changed"
    zh: ClassVar[str] = "第 {version} 版授权等级表的内容与所批准的摘要(SM3)不符。请重新查看后按其摘要批准。"
    en: ClassVar[str] = "version {version} does not have the digest (SM3) that was approved; look at it again."
