"""What can be wrong with a row condition.

HubError
└── CatalogError
    └── ConditionWrong      it cannot be read, or does not fit the fields it speaks of
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class ConditionWrong(CatalogError):
    """It cannot be read, or does not fit its fields. The value given is not repeated: it may be a person's."""

    where: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "condition_wrong"
    zh: ClassVar[str] = "行条件有误,位置 {where}:{rule_zh}。"
    en: ClassVar[str] = "the row condition is wrong at {where}: {rule_en}."
