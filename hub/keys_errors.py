"""What can go wrong with the hub's own keys.

HubError
└── KeysError
    ├── KeyFileMissing       a key that was there before is gone
    ├── KeyFileUnreadable    it cannot be read, or does not hold a key
    ├── KeyFileOpen          somebody else may read or replace it
    └── KeyNameWrong         a key cannot have this name
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class KeysError(HubError):
    """The hub cannot use its own keys."""


@dataclass(eq=False)
class KeyFileMissing(KeysError):
    """A key that was there before is gone; a new one would not open what the old one sealed."""

    file: str

    code: ClassVar[str] = "key_file_missing"
    zh: ClassVar[str] = (
        "密钥文件 {file} 不存在,而同一目录中已有其他密钥;新密钥打不开旧密钥密封的内容,因此不会自动生成。请从备份恢复。"
    )
    en: ClassVar[str] = (
        "the key file {file} is missing while its folder holds other keys; none is made in its place, for it would not "
        "open what the old one sealed. Restore it from the backup."
    )


@dataclass(eq=False)
class KeyFileUnreadable(KeysError):
    """It cannot be read or made, or does not hold a key."""

    file: str
    problem: str

    code: ClassVar[str] = "key_file_unreadable"
    zh: ClassVar[str] = "密钥文件 {file} 无法使用:{problem}。请检查 HUB_KEYS_FOLDER 与文件权限,或从备份恢复。"
    en: ClassVar[str] = (
        "the key file {file} cannot be used: {problem}; look at HUB_KEYS_FOLDER and the file's permissions, or restore "
        "it from the backup."
    )


@dataclass(eq=False)
class KeyFileOpen(KeysError):
    """Somebody else may read or replace it."""

    file: str
    mode: str
    wanted: str

    code: ClassVar[str] = "key_file_open"
    zh: ClassVar[str] = (
        "{file} 的权限为 {mode},或不属于运行枢纽的用户:他人可能读取或替换密钥。"
        "请确认密钥未泄露,再执行 chmod {wanted} 并更正属主。"
    )
    en: ClassVar[str] = (
        "{file} has mode {mode}, or is not owned by the user the hub runs as: others may read or replace keys. "
        "Make sure none has leaked, then chmod {wanted} and correct the owner."
    )


@dataclass(eq=False)
class KeyNameWrong(KeysError):
    """A key cannot have this name."""

    rule: str

    code: ClassVar[str] = "key_name_wrong"
    zh: ClassVar[str] = "密钥名称不合规则,应为:{rule}"
    en: ClassVar[str] = "the key's name breaks its rule; it must be: {rule}"
