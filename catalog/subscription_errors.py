"""What can go wrong with subscriptions.

HubError
└── CatalogError
    └── SubscriptionError
        ├── SubscriptionUnknown     no such subscription, or none of yours
        ├── SubscriptionStepNotNow  its state does not allow this step
        ├── SubscriptionWrong       it cannot be made so
        ├── SubscriptionsTooMany    a subscriber has a limited number
        └── DeliveryUnknown         an acknowledgement of something that was not handed out
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class SubscriptionError(CatalogError):
    """Something is wrong with a subscription."""


@dataclass(eq=False)
class SubscriptionUnknown(SubscriptionError):
    """No such subscription, or none of the caller's: the two look the same."""

    code: ClassVar[str] = "subscription_unknown"
    zh: ClassVar[str] = "没有此订阅,或它不是您的订阅;GET /v1/subscriptions 列出您的订阅。"
    en: ClassVar[str] = "there is no such subscription, or none of yours; GET /v1/subscriptions lists yours."


@dataclass(eq=False)
class SubscriptionStepNotNow(SubscriptionError):
    """Its state does not allow this step."""

    step: str
    state: str

    code: ClassVar[str] = "subscription_step_not_now"
    zh: ClassVar[str] = "订阅现为 {state} 状态,不能执行 {step}。"
    en: ClassVar[str] = "the subscription is {state}; it cannot {step} now."


@dataclass(eq=False)
class SubscriptionWrong(SubscriptionError):
    """It cannot be made so."""

    where: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "subscription_wrong"
    zh: ClassVar[str] = "订阅的 {where} 有误:{rule_zh}。"
    en: ClassVar[str] = "the subscription's {where} is wrong: {rule_en}."


@dataclass(eq=False)
class SubscriptionsTooMany(SubscriptionError):
    """A subscriber has a limited number that have not ended."""

    most: int

    code: ClassVar[str] = "subscriptions_too_many"
    zh: ClassVar[str] = "每个订阅方至多有 {most} 个未终止的订阅;请先终止不再需要的订阅。"
    en: ClassVar[str] = "a subscriber has at most {most} subscriptions that have not ended; end one that is not needed."


@dataclass(eq=False)
class DeliveryUnknown(SubscriptionError):
    """What is acknowledged is not the delivery that was handed out last."""

    delivery: str

    code: ClassVar[str] = "delivery_unknown"
    zh: ClassVar[str] = "投递 {delivery} 不是该订阅当前待确认的投递;请重新拉取。"
    en: ClassVar[str] = "delivery {delivery} is not the one to be acknowledged; pull again."
