"""What can go wrong with contracts and batches, and the base of every room's errors.

HubError
├── ContractError          a contract is wrong, or does not fit the one before it
│   └── SubjectSchemaUnreadable                        a writer schema is no JSON of one reading
└── BatchError             a batch is refused whole
    ├── EnvelopeMissing, EnvelopeUnreadable, EnvelopeMemberWrong, EnvelopeNotCanonical, SignatureMalformed
    ├── BytesDiffer, DigestDiffers, RecordsDiffer      the container is not what its envelope says
    ├── BatchTooLarge                                  over a limit
    ├── what is wrong inside the container file: ``container_errors``
    ├── BatchIdReused, AllOrNothing, KeyListIncomplete, KeyListTooSmall
    └── DecoderDied, DecoderTimeout, DecoderFailed     met while decoding

Every error is a frozen set of typed fields, a stable ``code`` and a sentence in both languages that says
what was wrong, where, and what to do. The core knows no HTTP: ``hub/api/problems.py`` maps each class to a status.
"""

from dataclasses import dataclass, fields
from typing import ClassVar, Literal

Language = Literal["zh", "en"]


class HubError(Exception):
    """Base of all expected errors. Subclasses are dataclasses whose fields fill the sentences' ``{placeholders}``."""

    code: ClassVar[str] = "error"
    zh: ClassVar[str] = ""
    en: ClassVar[str] = ""

    def sentence(self, language: Language) -> str:
        """The error in words, without personal data."""
        template = self.zh if language == "zh" else self.en
        return template.format(**self.parameters())

    def parameters(self) -> dict[str, object]:
        """The typed fields by name, for programs."""
        names = [field.name for field in fields(self)] if hasattr(self, "__dataclass_fields__") else []  # pyright: ignore[reportArgumentType]  # a dataclass, as the condition says
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, object]:
        """Code, both sentences and the parameters: how a refusal stands in a receipt or a report."""
        return {"code": self.code, "zh": self.sentence("zh"), "en": self.sentence("en")}

    def __str__(self) -> str:
        return self.sentence("en")


@dataclass(eq=False)
class ContractError(HubError):
    """A contract cannot be read or registered."""


@dataclass(eq=False)
class SubjectSchemaUnreadable(ContractError):
    """The text of a writer schema cannot be read."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "subject_schema_unreadable"
    zh: ClassVar[str] = "模式文本无法读取:{problem_zh}。请提交 Avro 模式(JSON)。"
    en: ClassVar[str] = "the schema cannot be read: {problem_en}; send an Avro schema, which is JSON."


@dataclass(eq=False)
class BatchError(HubError):
    """A batch is refused whole."""


# Batch: envelope -----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class EnvelopeMissing(BatchError):
    """A container without its envelope."""

    code: ClassVar[str] = "envelope_missing"
    zh: ClassVar[str] = "缺少批次信封(hub-batch)。请随容器文件一并提交信封。"
    en: ClassVar[str] = "the batch has no envelope (hub-batch); send one with the container file."


@dataclass(eq=False)
class EnvelopeUnreadable(BatchError):
    """The envelope is not the JSON it must be."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "envelope_unreadable"
    zh: ClassVar[str] = "批次信封无法读取:{problem_zh}。"
    en: ClassVar[str] = "the batch's envelope cannot be read: {problem_en}."


@dataclass(eq=False)
class EnvelopeMemberWrong(BatchError):
    """A member of the envelope is missing, unknown or not as it must be."""

    member: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "envelope_member_wrong"
    zh: ClassVar[str] = "批次信封的成员 {member} 有误:{problem_zh}。"
    en: ClassVar[str] = "member {member} of the batch's envelope is wrong: {problem_en}."


@dataclass(eq=False)
class EnvelopeNotCanonical(BatchError):
    """The envelope says what it must, but not in the one form that can be signed."""

    code: ClassVar[str] = "envelope_not_canonical"
    zh: ClassVar[str] = "批次信封不是规范形式(RFC 8785:成员按名称排序、无空白)。请按该形式重写后再提交。"
    en: ClassVar[str] = "the batch's envelope is not canonical JSON (RFC 8785: members sorted, no white space)."


@dataclass(eq=False)
class SignatureMalformed(BatchError):
    """The header hub-signature cannot be read."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "signature_malformed"
    zh: ClassVar[str] = "批次签名(hub-signature)格式有误:{problem_zh}。"
    en: ClassVar[str] = "the batch's signature (hub-signature) is malformed: {problem_en}."


# Batch: container against envelope and limits ------------------------------------------------------------------------


@dataclass(eq=False)
class BytesDiffer(BatchError):
    """The container is shorter or longer than its envelope says."""

    expected: int
    found: int

    code: ClassVar[str] = "bytes_differ"
    zh: ClassVar[str] = "容器文件为 {found} 字节,信封所写为 {expected} 字节。文件可能未传完,请重新提交。"
    en: ClassVar[str] = (
        "the container has {found} bytes, its envelope says {expected}; it may be half sent, send it again."
    )


@dataclass(eq=False)
class DigestDiffers(BatchError):
    """The container's SM3 is not the envelope's."""

    code: ClassVar[str] = "digest_differs"
    zh: ClassVar[str] = "容器文件的 SM3 摘要与信封不符。文件在途中被改动或损坏,请重新提交。"
    en: ClassVar[str] = "the container's SM3 is not the one in its envelope; it was changed or damaged, send it again."


@dataclass(eq=False)
class RecordsDiffer(BatchError):
    """The container does not hold as many records as its envelope says."""

    expected: int
    found: int

    code: ClassVar[str] = "records_differ"
    zh: ClassVar[str] = "容器文件有 {found} 条记录,信封所写为 {expected} 条。请核对后重新生成批次。"
    en: ClassVar[str] = "the container holds {found} records, its envelope says {expected}; make the batch anew."


@dataclass(eq=False)
class BatchTooLarge(BatchError):
    """A batch, or a part of it, is over a limit."""

    part_zh: str
    part_en: str
    found: int
    maximum: int

    code: ClassVar[str] = "batch_too_large"
    zh: ClassVar[str] = "批次过大:{part_zh}为 {found},上限 {maximum}。请拆成较小的批次。"
    en: ClassVar[str] = "the batch is too large: {found} {part_en}, at most {maximum}; split it into smaller batches."


# Batch: what applies to it as a whole --------------------------------------------------------------------------------


@dataclass(eq=False)
class BatchIdReused(BatchError):
    """The batch id was used for other bytes."""

    batch: str

    code: ClassVar[str] = "batch_id_reused"
    zh: ClassVar[str] = "批次号 {batch} 已用于内容不同的批次。请为新内容使用新的批次号。"
    en: ClassVar[str] = "the batch id {batch} was used for other bytes; new content needs a new id."


@dataclass(eq=False)
class AllOrNothing(BatchError):
    """The contract takes a batch whole or not at all, and some records are bad."""

    rejected: int

    code: ClassVar[str] = "all_or_nothing"
    zh: ClassVar[str] = "该契约要求整批通过,本批有 {rejected} 条记录不合格。请全部更正后重新提交。"
    en: ClassVar[str] = (
        "this contract takes a batch whole or not at all, and {rejected} records are bad; correct them all."
    )


@dataclass(eq=False)
class KeyListIncomplete(BatchError):
    """All parts of a key list are there, but not all keys."""

    total: int
    listed: int

    code: ClassVar[str] = "key_list_incomplete"
    zh: ClassVar[str] = "主键清单应有 {total} 个主键,各部分合计为 {listed} 个。请重新提交完整清单。"
    en: ClassVar[str] = (
        "the key list names a total of {total} keys, its parts hold {listed}; send the whole list again."
    )


@dataclass(eq=False)
class KeyListTooSmall(BatchError):
    """Taking the key list at its word would close too much."""

    closing: int
    records: int
    percent: float

    code: ClassVar[str] = "key_list_too_small"
    zh: ClassVar[str] = (
        "按此主键清单将关闭 {records} 条记录中的 {closing} 条,超过 {percent}%。确认无误后请以 confirm 重新提交。"
    )
    en: ClassVar[str] = (
        "this key list would close {closing} of {records} records, more than {percent} %; "
        "if that is right, send it again with confirm."
    )


# Batch: decoding -----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class DecoderDied(BatchError):
    """The decoding process ended while it worked on this batch."""

    how: str

    code: ClassVar[str] = "decoder_died"
    zh: ClassVar[str] = "解码进程在处理本批次时终止({how})。请检查文件或拆成较小的批次,再以新的批次号提交。"
    en: ClassVar[str] = (
        "the decoding process ended while it worked on this batch ({how}); "
        "look at the file or split it, and send it under a new batch id."
    )


@dataclass(eq=False)
class DecoderTimeout(BatchError):
    """Decoding took too long."""

    seconds: float

    code: ClassVar[str] = "decoder_timeout"
    zh: ClassVar[str] = "本批次的解码与检查超过 {seconds:g} 秒,已中止。请拆成较小的批次。"
    en: ClassVar[str] = (
        "decoding and checking this batch took more than {seconds:g} s and was stopped; split the batch."
    )


@dataclass(eq=False)
class DecoderFailed(BatchError):
    """A defect of the hub met while decoding; the batch waits for its repair instead of stopping the others."""

    where: str

    code: ClassVar[str] = "decoder_failed"
    zh: ClassVar[str] = "枢纽在检查本批次时出现内部错误({where})。请将此信息告知枢纽运维,修复后重新提交。"
    en: ClassVar[str] = (
        "the hub met a defect of its own on this batch ({where}); tell its operators, then send it again."
    )
