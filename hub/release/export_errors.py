"""What can go wrong with whole-dataset exports.

HubError
└── ReleaseError
    ├── ExportsTooMany      no place is free
    ├── ExportTermsChanged  a file would go on under other terms than it began
    └── ExportUnknown       no such export, or none of the caller's
"""

from dataclasses import dataclass
from typing import ClassVar

from hub.release.errors import ReleaseError


@dataclass(eq=False)
class ExportsTooMany(ReleaseError):
    """So many run that there is no place for another."""

    exports_max: int

    code: ClassVar[str] = "exports_too_many"
    zh: ClassVar[str] = "同时进行的整库导出已达上限({exports_max});请稍后再试。"
    en: ClassVar[str] = "{exports_max} exports run already, as many as may at once; try again in a while."
    retry_after_seconds: ClassVar[int] = 10


@dataclass(eq=False)
class ExportTermsChanged(ReleaseError):
    """A file would go on under other terms: other fields, treatments or rows."""

    code: ClassVar[str] = "export_terms_changed"
    zh: ClassVar[str] = (
        "自该导出开始以来,可得的数据项、脱敏方式或行范围已变化;请重新导出,或以 other_terms=true "
        "明示接受在变化后的条件下续传。"
    )
    en: ClassVar[str] = (
        "fields, treatments or rows have changed since this export began; export anew, or say other_terms=true to go "
        "on under the terms of now."
    )


@dataclass(eq=False)
class ExportUnknown(ReleaseError):
    """No such export, or none of the caller's: the two look the same."""

    export: str

    code: ClassVar[str] = "export_unknown"
    zh: ClassVar[str] = "没有导出 {export},或它不是您的导出;编号见应答头 hub-export。"
    en: ClassVar[str] = "there is no export {export}, or it is not one of yours; see the header hub-export."
