"""What can be wrong with a file of rows.

ItemError
├── FileEmpty, HeaderOnly           nothing in it
├── ColumnNameless                  a column of the header has no name
├── RowRagged                       more or fewer columns than the header
├── QuoteStray, QuoteOpen           quotation marks that do not pair
├── EncodingForeign                 UTF-16 and other encodings that are not taken
├── EncodingUnreadable              bytes that are text in no encoding that is taken
├── JsonLineWrong                   a line that is no flat JSON object
├── FormatUnsupported               .xls
├── WorkbookUnreadable              no workbook, or a protected one
└── SheetUnclear, SheetUnknown      which sheet of several
"""

from dataclasses import dataclass
from typing import ClassVar

from connectors.sources.errors import ItemError


@dataclass(eq=False)
class FileEmpty(ItemError):
    """Not a byte."""

    code: ClassVar[str] = "file_empty"
    zh: ClassVar[str] = "{item} 是空文件(0 字节)。请核对导出步骤是否成功。"
    en: ClassVar[str] = "{item} is an empty file (0 bytes); see whether the export went well."


@dataclass(eq=False)
class HeaderOnly(ItemError):
    """A header and no rows."""

    code: ClassVar[str] = "header_only"
    zh: ClassVar[str] = "{item} 只有表头,没有任何记录。请核对导出条件。"
    en: ClassVar[str] = "{item} has a header and no records; look at the conditions of the export."


@dataclass(eq=False)
class ColumnNameless(ItemError):
    """A column of the header has no name."""

    line: int
    column: int

    code: ClassVar[str] = "column_nameless"
    zh: ClassVar[str] = (
        "{item} 的表头(第 {line} 行)第 {column} 列没有列名。请补上列名,或用 header_row 指明表头所在的行。"
    )
    en: ClassVar[str] = (
        "column {column} of the header of {item} (line {line}) has no name; name it, or say by header_row which line "
        "is the header."
    )


@dataclass(eq=False)
class RowRagged(ItemError):
    """More or fewer columns than the header."""

    line: int
    expected: int
    found: int

    code: ClassVar[str] = "row_ragged"
    zh: ClassVar[str] = (
        "{item} 第 {line} 行有 {found} 列,表头有 {expected} 列。"
        "含分隔符或换行的内容须加双引号;请改正后重新放入,已报送的记录不会重复生效。"
    )
    en: ClassVar[str] = (
        "line {line} of {item} has {found} columns, the header {expected}; text with separators or line ends goes in "
        "double quotes. Correct the file and drop it again: records sent before take no effect twice."
    )


@dataclass(eq=False)
class QuoteStray(ItemError):
    """A quotation mark in the middle of a value."""

    line: int

    code: ClassVar[str] = "quote_stray"
    zh: ClassVar[str] = '{item} 第 {line} 行的双引号位置有误:值内的双引号应写成两个(""),整个值加双引号。'
    en: ClassVar[str] = (
        'line {line} of {item} has a double quote where none may stand: inside a value it is doubled (""), and the '
        "value is quoted."
    )


@dataclass(eq=False)
class QuoteOpen(ItemError):
    """A quoted value that does not end."""

    line: int

    code: ClassVar[str] = "quote_open"
    zh: ClassVar[str] = "{item} 第 {line} 行开始的记录没有结束:双引号未配对,或文件不完整。"
    en: ClassVar[str] = (
        "the record that begins in line {line} of {item} does not end: a double quote has no pair, or the file is cut."
    )


@dataclass(eq=False)
class EncodingForeign(ItemError):
    """An encoding that is not taken."""

    encoding: str

    code: ClassVar[str] = "encoding_foreign"
    zh: ClassVar[str] = "{item} 是 {encoding} 编码的文本。请另存为 UTF-8 或 GB18030(Excel:「CSV UTF-8」)后重新放入。"
    en: ClassVar[str] = "{item} is text in {encoding}; save it as UTF-8 or GB18030 (in Excel: CSV UTF-8)."


@dataclass(eq=False)
class EncodingUnreadable(ItemError):
    """Bytes that are text in no encoding that is taken."""

    tried: str
    offset: int
    line: int

    code: ClassVar[str] = "encoding_unreadable"
    zh: ClassVar[str] = (
        "{item} 不是有效的 {tried} 文本:第 {offset} 字节(第 {line} 行)无法解读。请以 UTF-8 或 GB18030 重新导出。"
    )
    en: ClassVar[str] = (
        "{item} is not text in {tried}: byte {offset} (line {line}) cannot be read; "
        "export it again as UTF-8 or GB18030."
    )


@dataclass(eq=False)
class JsonLineWrong(ItemError):
    """A line that is no flat JSON object."""

    line: int
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "json_line_wrong"
    zh: ClassVar[str] = "{item} 第 {line} 行有误:{problem_zh}。每行应为一个 JSON 对象,值不嵌套。"
    en: ClassVar[str] = "line {line} of {item} is wrong: {problem_en}; each line is one JSON object without nesting."


@dataclass(eq=False)
class FormatUnsupported(ItemError):
    """An old or foreign format."""

    format: str

    code: ClassVar[str] = "format_unsupported"
    zh: ClassVar[str] = "{item} 是 {format} 格式,不受支持。请另存为 .xlsx 或 UTF-8 编码的 .csv。"
    en: ClassVar[str] = "{item} is in the format {format}, which is not read; save it as .xlsx, or as .csv in UTF-8."


@dataclass(eq=False)
class WorkbookUnreadable(ItemError):
    """No workbook, or a protected one."""

    code: ClassVar[str] = "workbook_unreadable"
    zh: ClassVar[str] = "{item} 无法作为 .xlsx 工作簿打开:文件已损坏、未传完或设有密码。请重新保存后放入。"
    en: ClassVar[str] = (
        "{item} cannot be opened as an .xlsx workbook: damaged, half copied or protected; save it again."
    )


@dataclass(eq=False)
class SheetUnclear(ItemError):
    """Several sheets, and none is named."""

    sheets: str

    code: ClassVar[str] = "sheet_unclear"
    zh: ClassVar[str] = "{item} 有多个工作表({sheets})。请用选项 sheet 指明其中之一。"
    en: ClassVar[str] = "{item} has several sheets ({sheets}); name one with the option sheet."


@dataclass(eq=False)
class SheetUnknown(ItemError):
    """The sheet that is named is not there."""

    sheet: str
    sheets: str

    code: ClassVar[str] = "sheet_unknown"
    zh: ClassVar[str] = "{item} 中没有工作表 {sheet},现有:{sheets}。请更正选项 sheet。"
    en: ClassVar[str] = "{item} has no sheet {sheet}; it has: {sheets}. Correct the option sheet."
