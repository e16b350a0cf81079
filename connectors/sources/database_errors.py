"""What can go wrong at a department's database.

SourceError
├── OptionError
│   ├── PasswordInUrl                    a password stands in the configuration
│   └── SecretMissing                    the environment variable or file that should hold the URL
├── CredentialsRefused                   the database does not let the connector in
├── TableUnknown, ColumnUnknown          not in the database; near names are told
├── StatementFailed                      the database refuses a statement
├── StatementTimeout                     it took too long; retryable
├── WatermarkMissing, WatermarkAhead     rows that reading by watermark would never find
├── WatermarkUnusable                    neither a time nor a whole number
└── KeyMissing, KeyNotUnique             rows that reading in key order would lose
"""

from dataclasses import dataclass
from typing import ClassVar

from connectors.sources.errors import OptionError, SourceError


@dataclass(eq=False)
class PasswordInUrl(OptionError):
    """A password stands in the configuration, where everyone reads it."""

    code: ClassVar[str] = "source_password_in_url"
    zh: ClassVar[str] = (
        "选项 {option} 中含有口令。请把完整的连接地址放入环境变量(url_env)或仅本人可读的文件(url_file)。"
    )
    en: ClassVar[str] = (
        "option {option} holds a password; put the whole URL into an environment variable (url_env) "
        "or a file that only its owner reads (url_file)."
    )


@dataclass(eq=False)
class SecretMissing(OptionError):
    """The place that should hold the URL does not."""

    place: str

    code: ClassVar[str] = "source_secret_missing"
    zh: ClassVar[str] = "选项 {option} 所指的 {place} 不存在或为空。请在其中写入数据库连接地址。"
    en: ClassVar[str] = "option {option} names {place}, which is missing or empty; put the database's URL there."


@dataclass(eq=False)
class CredentialsRefused(SourceError):
    """The database does not let the connector in."""

    source: str

    code: ClassVar[str] = "source_credentials_refused"
    zh: ClassVar[str] = "数据库 {source} 拒绝登录。请核对用户名、口令与授权。"
    en: ClassVar[str] = "the database {source} refuses the login; look at user, password and privileges."


@dataclass(eq=False)
class TableUnknown(SourceError):
    """There is no such table."""

    source: str
    table: str
    near: str

    code: ClassVar[str] = "source_table_unknown"
    zh: ClassVar[str] = "数据库 {source} 中没有表 {table}。相近的名称:{near}。"
    en: ClassVar[str] = "the database {source} has no table {table}; near names: {near}."


@dataclass(eq=False)
class ColumnUnknown(SourceError):
    """The table or query has no such column."""

    table: str
    column: str
    near: str

    code: ClassVar[str] = "source_column_unknown"
    zh: ClassVar[str] = "{table} 中没有列 {column}。相近的名称:{near}。"
    en: ClassVar[str] = "{table} has no column {column}; near names: {near}."


@dataclass(eq=False)
class StatementFailed(SourceError):
    """The database refuses a statement."""

    table: str
    problem: str

    code: ClassVar[str] = "source_statement_failed"
    zh: ClassVar[str] = "读取 {table} 的语句被数据库拒绝({problem})。请核对选项 table、columns 或 query 以及读取权限。"
    en: ClassVar[str] = (
        "the database refuses the statement that reads {table} ({problem}); "
        "look at the options table, columns or query, and at the privilege to read."
    )


@dataclass(eq=False)
class StatementTimeout(SourceError):
    """A statement took too long."""

    table: str
    seconds: float

    retryable: ClassVar[bool] = True
    code: ClassVar[str] = "source_statement_timeout"
    zh: ClassVar[str] = (
        "读取 {table} 的语句超过 {seconds:g} 秒,已中止。请为水位列与主键建立索引,或增大 timeout_seconds。"
    )
    en: ClassVar[str] = (
        "a statement that reads {table} took more than {seconds:g} s and was stopped; "
        "give watermark and key an index, or raise timeout_seconds."
    )


@dataclass(eq=False)
class WatermarkMissing(SourceError):
    """Rows without a watermark, which no run would ever read."""

    table: str
    column: str
    rows: int

    code: ClassVar[str] = "source_watermark_missing"
    zh: ClassVar[str] = (
        "{table} 有 {rows} 行的水位列 {column} 为空,按水位读取会遗漏这些行。请补填,或用 query 给出缺省值。"
    )
    en: ClassVar[str] = (
        "{rows} rows of {table} have no {column}, and reading by it would never find them; "
        "fill it in, or give a default by a query (COALESCE)."
    )


@dataclass(eq=False)
class WatermarkAhead(SourceError):
    """Rows stamped more than a day ahead: later rows would be taken for old ones."""

    table: str
    column: str
    rows: int

    code: ClassVar[str] = "source_watermark_ahead"
    zh: ClassVar[str] = "{table} 有 {rows} 行的水位列 {column} 晚于当前时间一天以上。请更正,或用 query 给出可用的值。"
    en: ClassVar[str] = (
        "{rows} rows of {table} have a {column} more than a day in the future; correct them, or give a usable value "
        "by a query."
    )


@dataclass(eq=False)
class WatermarkUnusable(SourceError):
    """The watermark is of a kind that nothing can be taken from."""

    table: str
    column: str

    code: ClassVar[str] = "source_watermark_unusable"
    zh: ClassVar[str] = (
        "{table} 的水位列 {column} 既不是时间(或 ISO 8601 文本),也不是整数。请选用其他列,或用 query 转换。"
    )
    en: ClassVar[str] = (
        "{column} of {table} is neither a time (or ISO 8601 text) nor a whole number and cannot be the watermark; "
        "name another column, or convert it by a query."
    )


@dataclass(eq=False)
class KeyMissing(SourceError):
    """Rows without a key."""

    table: str
    columns: str
    rows: int

    code: ClassVar[str] = "source_key_missing"
    zh: ClassVar[str] = "{table} 有 {rows} 行的主键({columns})不完整,无法按主键读取。请补填,或用 query 排除。"
    en: ClassVar[str] = (
        "{rows} rows of {table} lack a part of the key ({columns}) and cannot be read in its order; "
        "fill it in, or leave them out by a query."
    )


@dataclass(eq=False)
class KeyNotUnique(SourceError):
    """The key columns do not tell rows apart."""

    table: str
    columns: str

    code: ClassVar[str] = "source_key_not_unique"
    zh: ClassVar[str] = "{table} 中有若干行的主键({columns})相同,分页读取会遗漏。请在选项 key 中写全主键各列。"
    en: ClassVar[str] = (
        "rows of {table} share the same key ({columns}), and reading in pages would lose some; "
        "name all columns of the key in the option key."
    )
