"""What can go wrong between the hub and who asks.

HubError
└── IdentityError
    ├── NotAuthenticated        no token, or none the hub takes
    ├── TokensTaken             an organization holds as many live tokens as it may
    └── TokenUnknown            nothing to revoke
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class IdentityError(HubError):
    """Who asks, and with what."""


@dataclass(eq=False)
class NotAuthenticated(IdentityError):
    """No token, or none the hub takes; which of the two is not said."""

    code: ClassVar[str] = "not_authenticated"
    zh: ClassVar[str] = (
        "需要有效的单位令牌:Authorization: Bearer hub_…。令牌可能缺失、有误、过期或已撤销;请向主管部门申领。"
    )
    en: ClassVar[str] = (
        "a valid token of an organization is needed: Authorization: Bearer hub_…; yours is missing, mistyped, expired "
        "or revoked. Ask the administrator for one."
    )


@dataclass(eq=False)
class TokensTaken(IdentityError):
    """An organization holds as many live tokens as it may."""

    organization: str
    tokens_max: int

    code: ClassVar[str] = "tokens_taken"
    zh: ClassVar[str] = (
        "单位 {organization} 已有 {tokens_max} 个有效令牌;请先用 hub organization token revoke 撤销一个。"
    )
    en: ClassVar[str] = (
        "{organization} has {tokens_max} live tokens already; revoke one first: hub organization token revoke."
    )


@dataclass(eq=False)
class TokenUnknown(IdentityError):
    """Nothing to revoke."""

    organization: str
    token: str

    code: ClassVar[str] = "token_unknown"
    zh: ClassVar[str] = "单位 {organization} 没有编号为 {token} 的有效令牌;请用 hub organization token list 查看。"
    en: ClassVar[str] = "{organization} has no live token {token}; see hub organization token list."
