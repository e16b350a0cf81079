"""What can go wrong with a department's signing key at the connector.

HubError
└── ConnectorError
    ├── SigningKeyUnusable   the file is not there, cannot be read or written, or holds no SM2 private key
    ├── SigningKeyOpen       others may read it
    └── SigningKeyTaken      a key would be written over
"""

from dataclasses import dataclass
from typing import ClassVar

from connectors.errors import ConnectorError


@dataclass(eq=False)
class SigningKeyUnusable(ConnectorError):
    """The file is not there, cannot be read or written, or holds no SM2 private key."""

    file: str
    problem_zh: str
    problem_en: str

    code: ClassVar[str] = "signing_key_unusable"
    zh: ClassVar[str] = "签名私钥文件 {file} 无法使用:{problem_zh}。connector key new 可生成新的密钥对。"
    en: ClassVar[str] = (
        "the signing key's file {file} cannot be used: {problem_en}; connector key new makes a new pair of keys."
    )


@dataclass(eq=False)
class SigningKeyOpen(ConnectorError):
    """Others may read it."""

    file: str
    mode: str

    code: ClassVar[str] = "signing_key_open"
    zh: ClassVar[str] = (
        "签名私钥文件 {file} 的权限为 {mode},他人可能读取。如已泄露请通知枢纽撤销该密钥;否则请 chmod 600。"
    )
    en: ClassVar[str] = (
        "the signing key's file {file} has mode {mode}, so others may read it; if it has leaked, have the hub revoke "
        "the key, else chmod 600."
    )


@dataclass(eq=False)
class SigningKeyTaken(ConnectorError):
    """A key would be written over."""

    file: str

    code: ClassVar[str] = "signing_key_taken"
    zh: ClassVar[str] = "文件 {file} 已存在,不会覆盖其中的私钥。请换一个文件名。"
    en: ClassVar[str] = "the file {file} exists, and the key in it is not written over; take another name."
