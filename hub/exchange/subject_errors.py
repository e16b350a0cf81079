"""What can be wrong with a question to the schema registry, and with records that name its schemas.

HubError
├── SubjectError
│   ├── SubjectUnknown              no dataset of the caller's has this topic
│   ├── SubjectVersionUnknown       the subject has no such version
│   ├── SubjectVersionWrong         a version is a number from 1, or latest
│   ├── SubjectSchemaUnknown        no schema of this id, or not under this subject
│   ├── SubjectSchemaUnfit          its records would not be records of the dataset's contract
│   └── SubjectSchemaKindUnknown    neither Avro nor by itself
└── BatchError
    ├── FramedSchemaUnknown         a record names a schema that its topic does not have
    ├── FramedKeyMissing            a record without a value, and without a key that says what to delete
    └── FramedRecordEmpty           a frame with nothing in it
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from schemas.errors import BatchError, HubError


@dataclass(eq=False)
class SubjectError(HubError):
    """The schema registry cannot answer as it was asked."""


@dataclass(eq=False)
class SubjectUnknown(SubjectError):
    """No dataset of the caller's has this topic."""

    subject: str

    code: ClassVar[str] = "subject_unknown"
    zh: ClassVar[str] = (
        "没有主题 {subject}。主题名为 exchange.<数据资源>-value 或 -key,只列出可由本单位报送的数据资源。"
    )
    en: ClassVar[str] = (
        "there is no subject {subject}; a subject is exchange.<dataset>-value or -key, of a dataset that you hand in."
    )


@dataclass(eq=False)
class SubjectVersionUnknown(SubjectError):
    """The subject has no such version."""

    subject: str
    version: str

    code: ClassVar[str] = "subject_version_unknown"
    zh: ClassVar[str] = "主题 {subject} 没有版本 {version}。"
    en: ClassVar[str] = "subject {subject} has no version {version}."


@dataclass(eq=False)
class SubjectVersionWrong(SubjectError):
    """A version is a number from 1, or latest."""

    code: ClassVar[str] = "subject_version_wrong"
    zh: ClassVar[str] = "版本应为 1 至 2147483647 的整数或 latest。"
    en: ClassVar[str] = "a version is an integer from 1 to 2147483647, or latest."


@dataclass(eq=False)
class SubjectSchemaUnknown(SubjectError):
    """No schema of this id, or not under this subject."""

    code: ClassVar[str] = "subject_schema_unknown"
    zh: ClassVar[str] = "没有这个模式,或它不在该主题下。请先登记:POST /subjects/<主题>/versions。"
    en: ClassVar[str] = "there is no such schema, or not under this subject; register it: POST /subjects/…/versions."


@dataclass(eq=False)
class SubjectSchemaUnfit(SubjectError):
    """Its records would not be records of the dataset's contract."""

    subject: str
    contract: str
    version: int
    problems: Sequence[Mapping[str, Any]]
    listed_zh: str
    listed_en: str

    code: ClassVar[str] = "subject_schema_unfit"
    zh: ClassVar[str] = "模式与主题 {subject} 的数据契约 {contract} 版本 {version} 不兼容:{listed_zh}"
    en: ClassVar[str] = (
        "the schema does not resolve to version {version} of contract {contract}, which subject {subject} follows: "
        "{listed_en}"
    )


@dataclass(eq=False)
class SubjectSchemaKindUnknown(SubjectError):
    """Neither Avro nor by itself."""

    code: ClassVar[str] = "subject_schema_kind_unknown"
    zh: ClassVar[str] = "只接受自身完整的 Avro 模式:schemaType 为 AVRO,没有 references、metadata 与 ruleSet。"
    en: ClassVar[str] = (
        "only Avro schemas that stand by themselves are taken: schemaType AVRO, no references, metadata or ruleSet."
    )


# Records -------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class FramedSchemaUnknown(BatchError):
    """A record names a schema that its topic does not have."""

    schema: int
    part: str

    code: ClassVar[str] = "framed_schema_unknown"
    zh: ClassVar[str] = "记录所用的模式 {schema} 未在其主题的 {part} 下登记。请使用中枢的模式注册接口(/v1/registry)。"
    en: ClassVar[str] = (
        "schema {schema} of these records is not registered for the {part} of their topic; "
        "write with the hub's schema registry (/v1/registry)."
    )


@dataclass(eq=False)
class FramedKeyMissing(BatchError):
    """A record without a value, and without a key that says what to delete."""

    code: ClassVar[str] = "framed_key_missing"
    zh: ClassVar[str] = "没有值的消息表示删除,其键须为带模式编号的 Avro 记录。"
    en: ClassVar[str] = "a message without a value deletes a record, so its key must be Avro framed with a schema's id."


@dataclass(eq=False)
class FramedRecordEmpty(BatchError):
    """A frame with nothing in it."""

    code: ClassVar[str] = "framed_record_empty"
    zh: ClassVar[str] = "消息只有模式编号,没有记录。"
    en: ClassVar[str] = "the message has the id of a schema and no record."
