"""What can go wrong with pushing changes to a subscriber's address.

HubError
└── PushError
    ├── AddressRefused      the address is none the hub connects to
    ├── AddressUnresolved   its name has no address now
    ├── PushFailed          no answer, or none that acknowledges
    └── PushStopped         the policy changed while the delivery was leaving
"""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import HubError


@dataclass(eq=False)
class PushError(HubError):
    """Changes could not be pushed."""


@dataclass(eq=False)
class AddressRefused(PushError):
    """The address is none the hub connects to. Where its name leads is not told: that would map a network."""

    rule: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "address_refused"
    zh: ClassVar[str] = "推送地址不可用:{rule_zh}。"
    en: ClassVar[str] = "nothing is pushed to this address: {rule_en}."


@dataclass(eq=False)
class AddressUnresolved(PushError):
    """Its name has no address now."""

    code: ClassVar[str] = "address_unresolved"
    zh: ClassVar[str] = "推送地址的主机名无法解析。"
    en: ClassVar[str] = "the name in the push address does not resolve."


@dataclass(eq=False)
class PushFailed(PushError):
    """No answer, or none that acknowledges. What was answered is not repeated: it is a stranger's."""

    problem: str

    code: ClassVar[str] = "push_failed"
    zh: ClassVar[str] = "推送未成功:{problem}。"
    en: ClassVar[str] = "the push failed: {problem}."


@dataclass(eq=False)
class PushStopped(PushError):
    """The policy changed while the delivery was leaving; it is decided again."""

    code: ClassVar[str] = "push_stopped"
    zh: ClassVar[str] = "推送过程中授权策略发生变化,已中止,将重新判定。"
    en: ClassVar[str] = "the policy changed while the delivery was leaving; it was stopped and is decided again."
