"""What can go wrong with the public keys of organizations.

HubError
└── CatalogError
    └── OrganizationKeyError
        ├── OrganizationKeyWrong      a field of a key breaks its rule
        ├── OrganizationKeyExists     the id is taken, or the key itself was registered before
        ├── OrganizationKeyUnknown    the organization has no such key
        ├── OrganizationKeysTaken     it holds as many keys as may overlap
        └── OrganizationKeyNeeded     it cannot be made to sign without a key that is valid
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class OrganizationKeyError(CatalogError):
    """A public key of an organization cannot be what was asked."""


@dataclass(eq=False)
class OrganizationKeyWrong(OrganizationKeyError):
    """A field of a key breaks its rule."""

    field: str
    rule: str

    code: ClassVar[str] = "organization_key_wrong"
    zh: ClassVar[str] = "公钥的 {field} 不合规则,应为:{rule}"
    en: ClassVar[str] = "the key's {field} breaks its rule; it must be: {rule}"


@dataclass(eq=False)
class OrganizationKeyExists(OrganizationKeyError):
    """The id is taken, or the key itself was registered before, by whomever."""

    organization: str
    key_id: str

    code: ClassVar[str] = "organization_key_exists"
    zh: ClassVar[str] = (
        "单位 {organization} 的密钥标识 {key_id} 已被使用,或该公钥曾经登记过。请用 connector key new 生成新的密钥对。"
    )
    en: ClassVar[str] = (
        "key id {key_id} of {organization} is taken, or this very key was registered before; make a new pair with "
        "connector key new."
    )


@dataclass(eq=False)
class OrganizationKeyUnknown(OrganizationKeyError):
    """The organization has no such key, or it has ended already."""

    organization: str
    key_id: str

    code: ClassVar[str] = "organization_key_unknown"
    zh: ClassVar[str] = "单位 {organization} 没有未撤销的密钥 {key_id};hub organization key list 列出其全部密钥。"
    en: ClassVar[str] = (
        "{organization} has no key {key_id} that is not revoked; hub organization key list shows what it has."
    )


@dataclass(eq=False)
class OrganizationKeysTaken(OrganizationKeyError):
    """It holds as many keys as may overlap."""

    organization: str
    keys_max: int

    code: ClassVar[str] = "organization_keys_taken"
    zh: ClassVar[str] = "单位 {organization} 已有 {keys_max} 个未到期的密钥;请先撤销一个(hub organization key revoke)。"
    en: ClassVar[str] = (
        "{organization} has {keys_max} keys that have not ended; revoke one first (hub organization key revoke)."
    )


@dataclass(eq=False)
class OrganizationKeyNeeded(OrganizationKeyError):
    """It cannot be made to sign without a key that is valid."""

    organization: str

    code: ClassVar[str] = "organization_key_needed"
    zh: ClassVar[str] = (
        "单位 {organization} 目前没有有效的公钥,要求签名会使其全部批次被拒收。请先登记公钥(hub organization key add)。"
    )
    en: ClassVar[str] = (
        "{organization} has no valid key now, so every batch of its would be refused; register a key first "
        "(hub organization key add)."
    )
