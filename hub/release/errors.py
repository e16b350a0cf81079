"""What can go wrong on the way out.

HubError
└── ReleaseError
    ├── ReleaseRefused        the decision was no
    ├── QueryWrong            a query breaks the grammar, or names what it may not
    ├── FieldsInAddress       a confidential field stands in an address
    ├── CursorWrong           a cursor of another query or caller, forged, or too old
    ├── RecordAbsent          no such record, or none for this caller
    ├── DecisionUnknown       no such decision, or none of the caller's
    ├── FormatNotOffered      the records are not had in any form that is accepted
    ├── QuotaUsedUp           no more today
    └── IndexRefused          a field that cannot be indexed
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class ReleaseError(HubError):
    """Nothing is released."""


@dataclass(eq=False)
class ReleaseRefused(ReleaseError):
    """The decision was no; its id is that of its leaf, its rule and advice those of ``catalog.explanation``."""

    decision: str
    rule: str
    reason_zh: str
    reason_en: str
    advice_zh: str
    advice_en: str

    code: ClassVar[str] = "release_refused"
    zh: ClassVar[str] = "不放行:{reason_zh}{advice_zh}判定编号 {decision}。"
    en: ClassVar[str] = "refused: {reason_en} {advice_en} The decision is {decision}."


@dataclass(eq=False)
class QueryWrong(ReleaseError):
    """A query breaks the grammar or names a field that is not there for this caller. Values are not repeated."""

    where: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "query_wrong"
    zh: ClassVar[str] = "查询有误,位置 {where}:{rule_zh}。"
    en: ClassVar[str] = "the query is wrong at {where}: {rule_en}."


@dataclass(eq=False)
class FieldsInAddress(ReleaseError):
    """Addresses stand in logs and histories, so they carry no value of a confidential field."""

    fields: str
    query: str

    code: ClassVar[str] = "fields_in_address"
    zh: ClassVar[str] = "数据项 {fields} 不可作为地址中的筛选条件;请改用 POST {query},条件写在正文中。"
    en: ClassVar[str] = "{fields} may not be filtered by in an address; use POST {query} with the filter in its body."


@dataclass(eq=False)
class CursorWrong(ReleaseError):
    """Of another query or caller, forged, or too old: which of them is not told."""

    code: ClassVar[str] = "cursor_wrong"
    zh: ClassVar[str] = "游标无效:它属于其他查询或其他用户、已被改动或已过期。请去掉 cursor 从头查询。"
    en: ClassVar[str] = (
        "the cursor is of another query or caller, changed, or too old; ask again without it, from the beginning."
    )


@dataclass(eq=False)
class RecordAbsent(ReleaseError):
    """No such record, or none for this caller: the two look the same."""

    dataset: str
    decision: str

    code: ClassVar[str] = "record_absent"
    zh: ClassVar[str] = "数据资源 {dataset} 中没有此记录,或它不在您可读取的范围内。"
    en: ClassVar[str] = "dataset {dataset} has no such record, or it is not among those you may read."


@dataclass(eq=False)
class DecisionUnknown(ReleaseError):
    """No such decision, or none of the caller's, or its trail was erased."""

    decision: str

    code: ClassVar[str] = "decision_unknown"
    zh: ClassVar[str] = "没有判定 {decision},或它不是您的判定。编号见应答头 hub-decision。"
    en: ClassVar[str] = "there is no decision {decision}, or it is not one of yours; see the header hub-decision."


@dataclass(eq=False)
class FormatNotOffered(ReleaseError):
    """The records are not had in any form that is accepted."""

    offered: str

    code: ClassVar[str] = "format_not_offered"
    zh: ClassVar[str] = "没有所要的格式;可用:{offered}(Accept 请求头,或 ?format=)。"
    en: ClassVar[str] = "the records are not offered in that form; there is {offered} (by Accept, or ?format=)."


@dataclass(eq=False)
class QuotaUsedUp(ReleaseError):
    """No more today: of requests, rows or bytes. What is left may be less than what was asked for."""

    limit: str
    quota: int
    retry_after_seconds: float
    decision: str = ""

    code: ClassVar[str] = "quota_used_up"
    zh: ClassVar[str] = "今日配额({limit} {quota})不足;请在 {retry_after_seconds:.0f} 秒后再来,或减少一次所取的记录。"
    en: ClassVar[str] = (
        "too little is left of today's quota of {quota} {limit}; come again in {retry_after_seconds:.0f} s, "
        "or ask for fewer records at a time."
    )


@dataclass(eq=False)
class IndexRefused(ReleaseError):
    """A field that is not there, or whose values have no order or are too long."""

    dataset: str
    field: str

    code: ClassVar[str] = "index_refused"
    zh: ClassVar[str] = (
        "数据资源 {dataset} 没有可建索引的数据项 {field};空间数据项自带索引,二进制、数组和过长的文字不能建索引。"
    )
    en: ClassVar[str] = (
        "dataset {dataset} has no field {field} that can be indexed; a geometry has its index already, bytes, "
        "arrays and very long texts cannot have one."
    )
