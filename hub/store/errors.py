"""What can go wrong with the store.

HubError
└── StoreError                      the store cannot be used as it is
    ├── PostgresMissing             no PostgreSQL with PostGIS on this machine, and none could be installed
    ├── AccountMissing              root may not run PostgreSQL, and no unprivileged user could be found or made
    ├── ClusterBusy                 another process keeps the cluster's lock
    ├── ClusterBroken               the cluster folder is there but is not one this PostgreSQL can run
    ├── ClusterFailed               PostgreSQL was asked for something and refused
    ├── StoreUnreachable            no connection to the database
    ├── BackupFailed                a program of PostgreSQL's failed, or what came back is not what was
    ├── BackupUnreadable            a backup is none, or damaged
    ├── StoreNotEmpty               a backup is brought back into an empty store alone
    └── MigrationError              the tables are not as this version of the hub expects them
        ├── MigrationFolderWrong    the numbered files have gaps, repeats or wrong names
        ├── MigrationChanged        a file already applied has other content now
        ├── DatabaseNewer           the database was migrated by a newer hub
        └── MigrationFailed         the database refused a file; nothing of it was applied
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class StoreError(HubError):
    """The store cannot be used as it is."""


@dataclass(eq=False)
class PostgresMissing(StoreError):
    """No PostgreSQL with PostGIS on this machine, and none could be installed."""

    problem: str
    commands: str

    code: ClassVar[str] = "postgres_missing"
    zh: ClassVar[str] = "本机缺少 PostgreSQL 15+ 或 PostGIS({problem})。请执行:{commands};或设置 HUB_DATABASE_URL。"
    en: ClassVar[str] = (
        "PostgreSQL 15 or newer with PostGIS is needed: {problem}. "
        "Type: {commands} — or set HUB_DATABASE_URL to a server that has both."
    )


@dataclass(eq=False)
class AccountMissing(StoreError):
    """Root may not run PostgreSQL, and no unprivileged user could be found or made."""

    user: str
    problem: str

    code: ClassVar[str] = "account_missing"
    zh: ClassVar[str] = (
        "PostgreSQL 不能以 root 运行,且无法创建系统用户 {user}({problem})。请创建该用户,或以普通用户运行。"
    )
    en: ClassVar[str] = (
        "PostgreSQL does not run as root, and the system user {user} could not be made ({problem}). "
        "Create that user, or run the hub as an ordinary user."
    )


@dataclass(eq=False)
class ClusterBusy(StoreError):
    """Another process keeps the cluster's lock."""

    folder: str
    seconds: float

    code: ClassVar[str] = "cluster_busy"
    zh: ClassVar[str] = "{folder} 的数据库正被另一进程启动或停止,已等待 {seconds:.0f} 秒。请稍后再试。"
    en: ClassVar[str] = (
        "another process has been starting or stopping the database in {folder} for {seconds:.0f} s; try again later."
    )


@dataclass(eq=False)
class ClusterBroken(StoreError):
    """The cluster folder is there but is not one this PostgreSQL can run."""

    folder: str
    problem: str

    code: ClassVar[str] = "cluster_broken"
    zh: ClassVar[str] = "{folder} 不能作为数据库文件夹使用:{problem}。"
    en: ClassVar[str] = "{folder} cannot be used as the database's folder: {problem}."


@dataclass(eq=False)
class ClusterFailed(StoreError):
    """PostgreSQL was asked for something and refused."""

    action: str
    output: str

    code: ClassVar[str] = "cluster_failed"
    zh: ClassVar[str] = "PostgreSQL 未能完成 {action}:{output}"
    en: ClassVar[str] = "PostgreSQL could not {action}: {output}"


@dataclass(eq=False)
class StoreUnreachable(StoreError):
    """No connection to the database."""

    server: str
    problem: str

    code: ClassVar[str] = "store_unreachable"
    zh: ClassVar[str] = "无法连接数据库 {server}:{problem}"
    en: ClassVar[str] = "no connection to the database at {server}: {problem}"


@dataclass(eq=False)
class MigrationError(StoreError):
    """The tables are not as this version of the hub expects them."""


@dataclass(eq=False)
class MigrationFolderWrong(MigrationError):
    """The numbered files have gaps, repeats or wrong names."""

    file: str
    problem: str

    code: ClassVar[str] = "migration_folder_wrong"
    zh: ClassVar[str] = "迁移文件 {file} 有误:{problem}。"
    en: ClassVar[str] = "migration file {file}: {problem}."


@dataclass(eq=False)
class MigrationChanged(MigrationError):
    """A file already applied has other content now."""

    file: str

    code: ClassVar[str] = "migration_changed"
    zh: ClassVar[str] = "迁移文件 {file} 已执行过,但内容已被改动。请恢复原文件,另写新的迁移。"
    en: ClassVar[str] = (
        "migration {file} was applied with other content than it has now; "
        "put the file back as it was and write the change as a new one."
    )


@dataclass(eq=False)
class DatabaseNewer(MigrationError):
    """The database was migrated by a newer hub."""

    database_number: int
    code_number: int

    code: ClassVar[str] = "database_newer"
    zh: ClassVar[str] = "数据库已到第 {database_number} 号迁移,本程序只到第 {code_number} 号。请使用更新的程序。"
    en: ClassVar[str] = (
        "the database is at migration {database_number}, this hub knows {code_number}; run the newer hub."
    )


@dataclass(eq=False)
class MigrationFailed(MigrationError):
    """The database refused a file; nothing of it was applied."""

    file: str
    problem: str

    code: ClassVar[str] = "migration_failed"
    zh: ClassVar[str] = "迁移 {file} 执行失败,已全部回滚:{problem}"
    en: ClassVar[str] = "migration {file} failed and was rolled back: {problem}"


# Backups -------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class BackupFailed(StoreError):
    """A program of PostgreSQL's failed, or what came back is not what was."""

    program: str
    problem: str

    code: ClassVar[str] = "backup_failed"
    zh: ClassVar[str] = "{program} 未成功:{problem}。"
    en: ClassVar[str] = "{program} did not succeed: {problem}."


@dataclass(eq=False)
class BackupUnreadable(StoreError):
    """A backup is none, or damaged."""

    backup: str
    problem: str

    code: ClassVar[str] = "backup_unreadable"
    zh: ClassVar[str] = "{backup} 不是可用的备份({problem})。未做任何更改,请换一个备份。"
    en: ClassVar[str] = "{backup} is no backup that can be used ({problem}); nothing was changed, take another one."


@dataclass(eq=False)
class StoreNotEmpty(StoreError):
    """A backup is brought back into an empty store alone."""

    code: ClassVar[str] = "store_not_empty"
    zh: ClassVar[str] = "数据库中已有内容。请将备份恢复到空的数据库(新的 HUB_DATA_FOLDER 或 HUB_DATABASE_URL)。"
    en: ClassVar[str] = "the store is not empty; restore into a new one (another HUB_DATA_FOLDER or HUB_DATABASE_URL)."
