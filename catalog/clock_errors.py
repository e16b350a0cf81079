"""What can be wrong with the calendar that statutory clocks run on.

HubError
└── CatalogError
    ├── CalendarYearUnknown     nobody has said which days of the year are workdays
    └── CalendarYearWrong       an arrangement that cannot be a year's official one
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class CalendarYearUnknown(CatalogError):
    """Nobody has said which days of the year are workdays; a guess could make somebody late, or let them be."""

    year: int

    code: ClassVar[str] = "calendar_year_unknown"
    zh: ClassVar[str] = (
        "尚不知道 {year} 年的放假调休安排,无法计算工作日。请主管部门按国务院办公厅通知用 hub calendar add-year 录入。"
    )
    en: ClassVar[str] = (
        "the official arrangement of holidays in {year} is not known, so workdays cannot be counted;"
        " an administrator enters it with hub calendar add-year."
    )


@dataclass(eq=False)
class CalendarYearWrong(CatalogError):
    """An arrangement that cannot be a year's official one."""

    year: int
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "calendar_year_wrong"
    zh: ClassVar[str] = "{year} 年的放假调休安排有误:{rule_zh}。请对照国务院办公厅通知核对。"
    en: ClassVar[str] = "the arrangement of {year} is wrong: {rule_en}; compare it with the official notice."
