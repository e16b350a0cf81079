"""What can go wrong at a source, in words its owner understands.

SourceError                     base; ``retryable`` says whether the same run later may go well
├── SourceUnreachable           folder, server or network; retryable
├── OptionError                 the configuration's ``source`` cannot be as it is
│   └── OptionWrong
├── databases: ``database_errors``
└── ItemError                   one item cannot be read; the others go on
    ├── ItemUnreadable          for a reason told in words
    ├── ItemChanged             somebody wrote to it meanwhile; retryable
    ├── ItemTruncated, ItemEmpty
    ├── PositionUnreadable      the connector's state does not fit the item
    ├── EncodingUnclear, EncodingWrong      text that would become garbage
    └── layers: ``spatial_errors``

No value of a record and no password stands in any of them; names of files, tables and columns do.
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class SourceError(HubError):
    """A source, or an item of it, cannot be read."""

    retryable: ClassVar[bool] = False


# The source as a whole ------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class SourceUnreachable(SourceError):
    """The folder, server or network is not there now."""

    source: str
    problem_zh: str
    problem_en: str

    retryable: ClassVar[bool] = True
    code: ClassVar[str] = "source_unreachable"
    zh: ClassVar[str] = "数据源 {source} 无法访问:{problem_zh}。将在下次运行时重试。"
    en: ClassVar[str] = "the source {source} cannot be reached: {problem_en}; the next run tries again."


@dataclass(eq=False)
class OptionError(SourceError):
    """An option of the source cannot be as it is."""

    option: str


@dataclass(eq=False)
class OptionWrong(OptionError):
    """For a reason told in words."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "source_option_wrong"
    zh: ClassVar[str] = "数据源的选项 {option} 有误:{problem_zh}。"
    en: ClassVar[str] = "the source's option {option} is wrong: {problem_en}."


# Items ----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ItemError(SourceError):
    """One item cannot be read."""

    item: str


@dataclass(eq=False)
class ItemUnreadable(ItemError):
    """For a reason told in words."""

    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "item_unreadable"
    zh: ClassVar[str] = "{item} 无法读取:{problem_zh}。"
    en: ClassVar[str] = "{item} cannot be read: {problem_en}."


@dataclass(eq=False)
class ItemChanged(ItemError):
    """Somebody wrote to the item while it was read."""

    retryable: ClassVar[bool] = True
    code: ClassVar[str] = "item_changed"
    zh: ClassVar[str] = "{item} 在读取期间被改动,下次运行时将从头读取。请先写入临时名称,完成后再改名放入。"
    en: ClassVar[str] = (
        "{item} changed while it was read, the next run reads it anew; "
        "write under a temporary name and rename when it is complete."
    )


@dataclass(eq=False)
class ItemTruncated(ItemError):
    """The file ends before its end."""

    part: str

    code: ClassVar[str] = "item_truncated"
    zh: ClassVar[str] = "{item} 不完整:{part} 比其自身声明的短。请重新复制整个文件。"
    en: ClassVar[str] = "{item} is incomplete: {part} is shorter than it says itself; copy the whole file again."


@dataclass(eq=False)
class ItemEmpty(ItemError):
    """There is nothing in it."""

    code: ClassVar[str] = "item_empty"
    zh: ClassVar[str] = "{item} 中没有任何记录。请核对导出步骤。"
    en: ClassVar[str] = "{item} holds no records at all; look at how it was exported."


@dataclass(eq=False)
class PositionUnreadable(ItemError):
    """The connector's state holds a position that is not one of this item's."""

    code: ClassVar[str] = "position_unreadable"
    zh: ClassVar[str] = "{item} 的读取位置无法识别。请重置该连接器对此项的状态,从头读取。"
    en: ClassVar[str] = "the position kept for {item} is not one of it; reset the connector's state to read it anew."


@dataclass(eq=False)
class EncodingUnclear(ItemError):
    """Nothing says how text is encoded, and it is not evidently UTF-8."""

    code: ClassVar[str] = "encoding_unclear"
    zh: ClassVar[str] = (
        "{item} 未声明文本编码(缺少 .cpg),且内容不是可确认的 UTF-8。请用选项 encoding 指明,例如 GB18030。"
    )
    en: ClassVar[str] = (
        "nothing says how the text of {item} is encoded (no .cpg), and it is not evidently UTF-8; "
        "name it with the option encoding, GB18030 for instance."
    )


@dataclass(eq=False)
class EncodingWrong(ItemError):
    """Text is not in the encoding it is said to be in."""

    encoding: str
    place: str

    code: ClassVar[str] = "encoding_wrong"
    zh: ClassVar[str] = "{item} 的文本不是所声明的编码 {encoding}({place})。请更正声明(.cpg 或选项 encoding)或文件。"
    en: ClassVar[str] = (
        "text of {item} is not in {encoding} as declared ({place}); "
        "correct the declaration (.cpg, or the option encoding) or the file."
    )
