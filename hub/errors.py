"""What can go wrong in the hub's own rooms. The base is ``schemas.errors.HubError``.

The HTTP door and identity have their own.

HubError
├── SettingWrong                    a setting has a value that cannot be
├── RegistryError                   contracts and their versions
│   ├── ContractVersionUnknown      no such contract, or not this version
│   ├── ContractVersionTaken        the version is registered with other content
│   ├── ContractVersionNotNext      versions are registered one after the other
│   └── ContractIncompatible        what was written under an earlier version could not be read, or the reverse
├── DoorError                       a batch cannot be taken as it was handed in
│   ├── BatchOfOtherHub             signed for another hub
│   ├── BatchOfOtherTopic           it stands in the log under another dataset's topic
│   ├── CutAtAhead                  the source was read in the future
│   └── EnvelopeDiffers             the envelope says one thing, the request another
├── RecordUnknown                   nothing to erase
├── QuarantineEntryUnknown          nothing to close
├── DecoderUnusable                 the process that decodes batches does not start
└── LogError                        the log cannot do what it was asked for
    ├── LogFull                     too much is unread; the same append may be tried again later
    ├── LogUnavailable              no connection, or lost; nothing was appended
    ├── OutcomeUnknown              lost while appending: the message may be in the log or not
    ├── PositionLost                the partition is another consumer's now
    ├── PositionOutOfRange          the log does not hold this position, or not any more
    └── TopicUnknown                no such topic
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError

# Settings ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class SettingWrong(HubError):
    """A setting has a value that cannot be."""

    setting: str
    problem: str

    code: ClassVar[str] = "setting_wrong"
    zh: ClassVar[str] = "设置 {setting} 有误:{problem}。"
    en: ClassVar[str] = "setting {setting} is wrong: {problem}."


# Registry ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class RegistryError(HubError):
    """Contracts and their versions."""


@dataclass(eq=False)
class ContractVersionUnknown(RegistryError):
    """No such contract, or not this version."""

    contract: str
    version: int | str

    code: ClassVar[str] = "contract_version_unknown"
    zh: ClassVar[str] = "数据契约 {contract} 没有版本 {version};GET /v1/contracts 列出已登记的版本。"
    en: ClassVar[str] = "contract {contract} has no version {version}; GET /v1/contracts lists what is registered."


@dataclass(eq=False)
class ContractVersionTaken(RegistryError):
    """The version is registered with other content."""

    contract: str
    version: int

    code: ClassVar[str] = "contract_version_taken"
    zh: ClassVar[str] = "数据契约 {contract} 版本 {version} 已登记且内容不同;已登记的版本不可更改,请用新的版本号。"
    en: ClassVar[str] = (
        "version {version} of contract {contract} is registered with other content and never changes; "
        "give yours the next number."
    )


@dataclass(eq=False)
class ContractVersionNotNext(RegistryError):
    """Versions are registered one after the other."""

    contract: str
    version: int
    expected: int

    code: ClassVar[str] = "contract_version_not_next"
    zh: ClassVar[str] = "数据契约 {contract} 的下一个版本应为 {expected},而不是 {version}。"
    en: ClassVar[str] = "the next version of contract {contract} is {expected}, not {version}."


@dataclass(eq=False)
class ContractIncompatible(RegistryError):
    """What was written under an earlier version could not be read under this one, or the reverse."""

    contract: str
    version: int
    earlier: int
    mode: str
    problems: Sequence[Mapping[str, str]]
    listed_zh: str
    listed_en: str

    code: ClassVar[str] = "contract_incompatible"
    zh: ClassVar[str] = (
        "数据契约 {contract} 版本 {version} 与版本 {earlier} 不兼容({mode}):{listed_zh}不兼容的修改须另立新数据资源。"
    )
    en: ClassVar[str] = (
        "version {version} of contract {contract} is not compatible with version {earlier} ({mode}): {listed_en} "
        "An incompatible change is a new dataset that replaces the old."
    )


# Door ----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class DoorError(HubError):
    """A batch cannot be taken as it was handed in."""


@dataclass(eq=False)
class BatchOfOtherHub(DoorError):
    """Signed for another hub."""

    audience: str
    hub: str

    code: ClassVar[str] = "batch_of_other_hub"
    zh: ClassVar[str] = "该批次发给枢纽 {audience},本枢纽是 {hub};请核对连接器的地址和枢纽编号。"
    en: ClassVar[str] = "the batch is for hub {audience}, this one is {hub}; check the connector's address and hub id."


@dataclass(eq=False)
class EnvelopeDiffers(DoorError):
    """The envelope says one thing, the request another."""

    member: str
    envelope: str
    request: str

    code: ClassVar[str] = "envelope_differs"
    zh: ClassVar[str] = "信封中的 {member} 是 {envelope},而请求是 {request};两者必须一致。"
    en: ClassVar[str] = "the envelope's {member} is {envelope}, the request's is {request}; they must agree."


@dataclass(eq=False)
class BatchOfOtherTopic(DoorError):
    """It stands in the log under another dataset's topic."""

    dataset: str
    topic: str

    code: ClassVar[str] = "batch_of_other_topic"
    zh: ClassVar[str] = "信封所写数据资源是 {dataset},批次却写入了主题 {topic};应写入 exchange.{dataset}。"
    en: ClassVar[str] = (
        "the envelope says dataset {dataset}, the batch came in topic {topic}; send it to exchange.{dataset}."
    )


@dataclass(eq=False)
class CutAtAhead(DoorError):
    """The source was read in the future."""

    seconds: int

    code: ClassVar[str] = "cut_at_ahead"
    zh: ClassVar[str] = "cut_at 比枢纽时间超前 {seconds} 秒以上;请校准报送端时钟后重新成批。"
    en: ClassVar[str] = (
        "cut_at is more than {seconds} s ahead of the hub; set the sender's clock and make the batch anew."
    )


# Records -------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class RecordUnknown(HubError):
    """Nothing to erase."""

    dataset: str

    code: ClassVar[str] = "record_unknown"
    zh: ClassVar[str] = "数据资源 {dataset} 及其隔离区中都没有此主键的记录;请核对 --key。"
    en: ClassVar[str] = "neither dataset {dataset} nor its quarantine holds a record of this key; check --key."


@dataclass(eq=False)
class QuarantineEntryUnknown(HubError):
    """Nothing to close."""

    entry: int

    code: ClassVar[str] = "quarantine_entry_unknown"
    zh: ClassVar[str] = "没有编号为 {entry} 的待处理隔离条目;请用 hub quarantine list 查看。"
    en: ClassVar[str] = "no quarantine entry {entry} is waiting; see hub quarantine list."


# Decoding ------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class DecoderUnusable(HubError):
    """The process that decodes batches does not start; no batch is to blame, and none is refused for it."""

    how: str
    starts: int

    code: ClassVar[str] = "decoder_unusable"
    zh: ClassVar[str] = (
        "解码进程连续 {starts} 次未能启动({how})。请检查 HUB_DECODER_MEMORY_BYTES_MAX 是否过小、安装是否完整。"
    )
    en: ClassVar[str] = (
        "the decoding process failed to start {starts} times ({how}); "
        "look whether HUB_DECODER_MEMORY_BYTES_MAX is too small and the installation complete."
    )


# Log -----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class LogError(HubError):
    """The log cannot do what it was asked for."""


@dataclass(eq=False)
class LogFull(LogError):
    """Too much of the topic is unread; nothing was appended."""

    topic: str
    retry_after_seconds: float

    code: ClassVar[str] = "log_full"
    zh: ClassVar[str] = "主题 {topic} 待处理的数据过多,本次未写入;请在 {retry_after_seconds:.0f} 秒后重发同一批次。"
    en: ClassVar[str] = (
        "too much of topic {topic} is still unread, so nothing was appended; "
        "send the same batch again in {retry_after_seconds:.0f} s."
    )


@dataclass(eq=False)
class LogUnavailable(LogError):
    """The log cannot be reached; nothing was appended."""

    problem: str

    code: ClassVar[str] = "log_unavailable"
    zh: ClassVar[str] = "日志暂不可用({problem}),本次未写入;请稍后重发同一批次。"
    en: ClassVar[str] = "the log is not available ({problem}); nothing was appended, send the same batch again later."


@dataclass(eq=False)
class OutcomeUnknown(LogError):
    """The log was lost while it appended: the message may be in it or not."""

    topic: str

    code: ClassVar[str] = "outcome_unknown"
    zh: ClassVar[str] = "向主题 {topic} 写入时与日志失去联系,结果未知;请重发同一批次,重复的不会计两次。"
    en: ClassVar[str] = (
        "the log was lost while appending to topic {topic}, so the outcome is unknown; "
        "send the same batch again, it does not count twice."
    )


@dataclass(eq=False)
class PositionLost(LogError):
    """The position is not where this consumer left it: the partition is another's now."""

    topic: str
    partition: int

    code: ClassVar[str] = "position_lost"
    zh: ClassVar[str] = "主题 {topic} 分区 {partition} 已由其他进程接手;本进程所读的不再计入。"
    en: ClassVar[str] = (
        "partition {partition} of topic {topic} has been taken over; what was read of it here does not count any more."
    )


@dataclass(eq=False)
class PositionOutOfRange(LogError):
    """The log does not hold this position, or not any more."""

    topic: str
    partition: int
    position: int
    first_offset: int

    code: ClassVar[str] = "position_out_of_range"
    zh: ClassVar[str] = (
        "主题 {topic} 分区 {partition} 中没有位置 {position}(现存最早为 {first_offset});请改从现存的位置重放。"
    )
    en: ClassVar[str] = (
        "partition {partition} of topic {topic} does not hold position {position}; the first kept is {first_offset}. "
        "Replay from a position that is kept."
    )


@dataclass(eq=False)
class TopicUnknown(LogError):
    """No such topic."""

    topic: str

    code: ClassVar[str] = "topic_unknown"
    zh: ClassVar[str] = "日志中没有主题 {topic};请先登记数据资源。"
    en: ClassVar[str] = "the log has no topic {topic}; register its dataset first."
