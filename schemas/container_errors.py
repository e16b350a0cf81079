"""What can be wrong inside a container file. Kept apart from ``errors`` for its length only.

BatchError
├── ContainerForeign           not an Avro object container file
├── ContainerTruncated         ends in the middle
├── ContainerDamaged           breaks the container format
├── CodecUnknown               neither null nor deflate
├── RecordsDamaged             the bytes of a record are not what the writer schema says
├── WriterSchemaWrong          the schema in the file cannot be used
├── WriterSchemaRecursive      it refers to itself
├── SchemaOfOtherDataset       it is of another contract
├── FieldUnknown               it has a field that has no place here
└── FieldTypeUnfit             a field's type does not resolve to the contract's
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import BatchError

# container file -----------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ContainerForeign(BatchError):
    """Not an Avro object container file at all."""

    code: ClassVar[str] = "container_foreign"
    zh: ClassVar[str] = "内容不是 Avro 容器文件(开头应为 Obj 1)。"
    en: ClassVar[str] = "this is no Avro object container file (it does not begin with Obj 1)."


@dataclass(eq=False)
class ContainerTruncated(BatchError):
    """The file ends in the middle."""

    offset: int

    code: ClassVar[str] = "container_truncated"
    zh: ClassVar[str] = "容器文件不完整,在第 {offset} 字节之后中断。请重新提交完整文件。"
    en: ClassVar[str] = "the container file is cut off: what begins at byte {offset} does not end; send the whole file."


@dataclass(eq=False)
class ContainerDamaged(BatchError):
    """The file breaks the container format."""

    offset: int
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "container_damaged"
    zh: ClassVar[str] = "容器文件在第 {offset} 字节处损坏:{problem_zh}。请重新生成批次。"
    en: ClassVar[str] = "the container file is damaged at byte {offset}: {problem_en}; make the batch anew."


@dataclass(eq=False)
class CodecUnknown(BatchError):
    """A codec other than null and deflate."""

    codec: str

    code: ClassVar[str] = "codec_unknown"
    zh: ClassVar[str] = "不支持压缩方式 {codec}。请使用 null 或 deflate。"
    en: ClassVar[str] = "the codec {codec} is not supported; use null or deflate."


@dataclass(eq=False)
class RecordsDamaged(BatchError):
    """A record's bytes cannot be what the writer schema says."""

    record: int
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "records_damaged"
    zh: ClassVar[str] = "批次的第 {record} 条记录无法解码:{problem_zh}。请重新生成批次。"
    en: ClassVar[str] = "record {record} of the batch cannot be decoded: {problem_en}; make the batch anew."


# writer schema ------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class WriterSchemaWrong(BatchError):
    """The schema in the container cannot be used."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "writer_schema_wrong"
    zh: ClassVar[str] = "容器文件中的模式有误:{problem_zh}。"
    en: ClassVar[str] = "the schema in the container file is wrong: {problem_en}."


@dataclass(eq=False)
class WriterSchemaRecursive(BatchError):
    """The schema in the container refers to itself."""

    name: str

    code: ClassVar[str] = "writer_schema_recursive"
    zh: ClassVar[str] = "容器文件中的模式 {name} 引用了自身。记录必须是平的。"
    en: ClassVar[str] = "the schema {name} in the container file refers to itself; records must be flat."


@dataclass(eq=False)
class SchemaOfOtherDataset(BatchError):
    """The records are of another contract than the envelope's."""

    found: str
    contract: str

    code: ClassVar[str] = "schema_of_other_dataset"
    zh: ClassVar[str] = "容器文件中的记录是 {found},信封所写数据资源的契约是 {contract}。请核对数据资源。"
    en: ClassVar[str] = "the container holds records {found}, but the envelope's dataset follows contract {contract}."


@dataclass(eq=False)
class FieldUnknown(BatchError):
    """The writer schema has a field that this contract, or this operation, does not have."""

    field: str
    contract: str
    operation: str

    code: ClassVar[str] = "field_unknown"
    zh: ClassVar[str] = "字段 {field} 不在契约 {contract} 的 {operation} 操作可用字段之列。请改名、去掉或登记新版本。"
    en: ClassVar[str] = (
        "field {field} has no place in a batch of contract {contract} with operation {operation}; "
        "rename it, leave it out, or register a new version."
    )


@dataclass(eq=False)
class FieldTypeUnfit(BatchError):
    """A field's type in the writer schema does not resolve to the contract's."""

    field: str
    found: str
    expected: str

    code: ClassVar[str] = "field_type_unfit"
    zh: ClassVar[str] = "字段 {field} 的类型 {found} 不能转换为契约的 {expected}。也可以文本形式(string)提交。"
    en: ClassVar[str] = (
        "field {field} is written as {found}, which does not resolve to {expected}; text form works too."
    )
