"""What can go wrong at a connector.

ConnectorError
├── ConfigError                      the YAML file is not as it must be
│   ├── ConfigUnreadable             not there, or no YAML
│   └── ConfigWrong                  one place in it, and what to write there
├── TokenMissing                     the file or variable that should hold the token does not
├── MappingError                     columns of the source and fields of the contract do not meet
│   ├── FieldUnknown                 the mapping names a field the contract lacks
│   ├── ColumnMissing                a column that is needed is not in the source
│   ├── ColumnUnused                 a column that nobody said what to do with
│   ├── ColumnRepeated               two columns of one name
│   └── DigitsLost                   numbers with more digits than a spreadsheet keeps
├── RecordTooLarge                   one record is more than a batch may hold
├── DoorError                        what the hub answered, or did not
│   ├── HubUnreachable               no answer, and the time for retries is over
│   ├── AccessRefused                401, 403, 404: nothing this run does will change that
│   ├── BatchRefused                 the hub refuses a batch for good
│   └── AnswerStrange                not what a hub answers
├── StateBusy                        another connector works in this state folder
├── StateForeign                     the state folder belongs to another dataset or hub
├── SpoolDamaged                     a batch in the outbox is not what was written
├── KindUnknown                      no source of this kind
└── Interrupted                      Ctrl-C; everything is kept

What is wrong with a source or an item of it: ``connectors.sources.errors``. No value of a record stands in any of them.
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class ConnectorError(HubError):
    """A connector cannot do its work."""


# Configuration --------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ConfigError(ConnectorError):
    """The YAML file is not as it must be."""


@dataclass(eq=False)
class ConfigUnreadable(ConfigError):
    """Not there, or no YAML."""

    file: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "config_unreadable"
    zh: ClassVar[str] = "配置文件 {file} 无法读取:{problem_zh}。"
    en: ClassVar[str] = "the configuration {file} cannot be read: {problem_en}."


@dataclass(eq=False)
class ConfigWrong(ConfigError):
    """One place in it, and what to write there."""

    file: str
    place: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "config_wrong"
    zh: ClassVar[str] = "配置文件 {file} 的 {place} 有误:{problem_zh}。"
    en: ClassVar[str] = "{place} in the configuration {file} is wrong: {problem_en}."


@dataclass(eq=False)
class TokenMissing(ConnectorError):
    """The file or variable that should hold the token does not."""

    place: str

    code: ClassVar[str] = "token_missing"
    zh: ClassVar[str] = "{place} 不存在、无法读取或为空,其中应有枢纽管理员发放的令牌。"
    en: ClassVar[str] = "{place} is missing, unreadable or empty; it should hold the token given out by the hub."


@dataclass(eq=False)
class KindUnknown(ConnectorError):
    """No source of this kind."""

    kind: str
    known: str

    code: ClassVar[str] = "source_kind_unknown"
    zh: ClassVar[str] = "没有名为 {kind} 的数据源类型;source.kind 可用:{known}。"
    en: ClassVar[str] = "there is no source of kind {kind}; source.kind is one of {known}."


# Mapping --------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class MappingError(ConnectorError):
    """Columns of the source and fields of the contract do not meet."""


@dataclass(eq=False)
class FieldUnknown(MappingError):
    """The mapping names a field the contract lacks."""

    field: str
    contract: str
    near: str

    code: ClassVar[str] = "mapping_field_unknown"
    zh: ClassVar[str] = "mapping.fields 中的 {field} 不是契约 {contract} 的字段;相近的字段:{near}。"
    en: ClassVar[str] = "mapping.fields names {field}, which contract {contract} lacks; near names: {near}."


@dataclass(eq=False)
class ColumnMissing(MappingError):
    """A column that is needed is not in the source."""

    column: str
    field: str
    near: str

    code: ClassVar[str] = "column_missing"
    zh: ClassVar[str] = (
        "来源中没有列 {column}(用于字段 {field});最接近的列名:{near}。请更正文件的表头,或在 mapping.fields 中改写列名。"
    )
    en: ClassVar[str] = (
        "the source has no column {column} (for field {field}); nearest by spelling: {near}. "
        "Correct the header, or name the right column in mapping.fields."
    )


@dataclass(eq=False)
class ColumnUnused(MappingError):
    """A column that nobody said what to do with."""

    column: str
    near: str

    code: ClassVar[str] = "column_unused"
    zh: ClassVar[str] = (
        "来源中的列 {column} 既未映射,也不是契约的字段(相近的字段:{near})。"
        "请在 mapping.fields 中映射它;若不报送,请写入 mapping.ignore。"
    )
    en: ClassVar[str] = (
        "column {column} of the source is neither mapped nor a field of the contract (near fields: {near}); "
        "map it in mapping.fields, or list it in mapping.ignore if it is not to be sent."
    )


@dataclass(eq=False)
class ColumnRepeated(MappingError):
    """Two columns of one name."""

    item: str
    column: str

    code: ClassVar[str] = "column_repeated"
    zh: ClassVar[str] = "{item} 的表头中列名 {column} 出现了两次,无法判断应取哪一列。请改名或删去其一。"
    en: ClassVar[str] = "the header of {item} has column {column} twice; rename or remove one of them."


@dataclass(eq=False)
class DigitsLost(MappingError):
    """Numbers with more digits than a spreadsheet keeps."""

    column: str
    row: int

    code: ClassVar[str] = "digits_lost"
    zh: ClassVar[str] = (
        "列 {column} 第 {row} 行是 16 位以上的数值,电子表格只保留前 15 位,末尾数字已丢失(如公民身份号码)。"
        "请将该列设为文本格式并从业务系统重新导出。"
    )
    en: ClassVar[str] = (
        "row {row} of column {column} is a number of 16 digits or more, of which spreadsheets keep 15: the last digits "
        "are lost. Format the column as text and export it from the source system again."
    )


@dataclass(eq=False)
class RecordTooLarge(ConnectorError):
    """One record is more than a batch may hold."""

    row: int
    bytes_max: int

    code: ClassVar[str] = "record_too_large"
    zh: ClassVar[str] = "第 {row} 行的一条记录就超过一个批次的上限 {bytes_max} 字节,无法报送。"
    en: ClassVar[str] = "the record in row {row} alone is larger than a batch may be, {bytes_max} bytes."


# The hub --------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class DoorError(ConnectorError):
    """What the hub answered, or did not."""


@dataclass(eq=False)
class HubUnreachable(DoorError):
    """No answer that counts, and the time for retries is over."""

    hub: str
    seconds: int
    problem: str

    code: ClassVar[str] = "hub_unreachable"
    zh: ClassVar[str] = (
        "枢纽 {hub} 在 {seconds} 秒内始终无法完成请求({problem})。未确认的批次保留在发件箱,下次运行以相同批次号重发。"
    )
    en: ClassVar[str] = (
        "the hub {hub} could not complete the request for {seconds} s ({problem}); what is not acknowledged stays in "
        "the outbox, and the next run sends it under the same ids."
    )


@dataclass(eq=False)
class AccessRefused(DoorError):
    """401, 403, 404: nothing this run does will change that."""

    status: int
    detail: str

    code: ClassVar[str] = "access_refused"
    zh: ClassVar[str] = "枢纽拒绝访问({status}):{detail} 未确认的批次保留在发件箱。"
    en: ClassVar[str] = "the hub refuses access ({status}): {detail} What is not acknowledged stays in the outbox."


@dataclass(eq=False)
class BatchRefused(DoorError):
    """The hub refuses a batch for good."""

    batch: str
    status: int
    detail: str

    code: ClassVar[str] = "batch_refused"
    zh: ClassVar[str] = "枢纽拒收批次 {batch}({status}):{detail}"
    en: ClassVar[str] = "the hub refuses batch {batch} ({status}): {detail}"


@dataclass(eq=False)
class AnswerStrange(DoorError):
    """Not what a hub answers."""

    hub: str
    problem: str

    code: ClassVar[str] = "answer_strange"
    zh: ClassVar[str] = "{hub} 的应答不像来自枢纽({problem})。请核对配置中的 hub 地址与中间的代理。"
    en: ClassVar[str] = "what {hub} answers is not a hub's answer ({problem}); look at hub in the configuration."


# State ----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class StateBusy(ConnectorError):
    """Another connector works in this state folder."""

    folder: str

    code: ClassVar[str] = "state_busy"
    zh: ClassVar[str] = "另一个连接器正在使用状态目录 {folder}。请等它结束,或为本配置另设 state。"
    en: ClassVar[str] = "another connector works in the state folder {folder}; wait for it, or set another state."


@dataclass(eq=False)
class StateForeign(ConnectorError):
    """The state folder belongs to another dataset or hub."""

    folder: str
    found: str
    wanted: str

    code: ClassVar[str] = "state_foreign"
    zh: ClassVar[str] = "状态目录 {folder} 属于 {found},不属于 {wanted}。请为本配置另设 state。"
    en: ClassVar[str] = "the state folder {folder} belongs to {found}, not to {wanted}; set another state."


@dataclass(eq=False)
class SpoolDamaged(ConnectorError):
    """A batch in the outbox is not what was written."""

    file: str

    code: ClassVar[str] = "spool_damaged"
    zh: ClassVar[str] = "发件箱中的 {file} 缺失或已损坏,其批次号不能用于其他内容。请把对应的来源文件重新放入收件目录。"
    en: ClassVar[str] = (
        "{file} in the outbox is missing or damaged, and its batch id cannot be given to other bytes; "
        "put the source's item into the inbox again."
    )


@dataclass(eq=False)
class Interrupted(ConnectorError):
    """Ctrl-C; everything is kept."""

    waiting: int

    code: ClassVar[str] = "interrupted"
    zh: ClassVar[str] = "已中断:手上的批次已完成,{waiting} 个未确认的批次保留在发件箱,下次运行从此处继续。"
    en: ClassVar[str] = (
        "interrupted: the batch in hand is complete, {waiting} batches not acknowledged stay in the outbox, "
        "and the next run goes on from here."
    )
