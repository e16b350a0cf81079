"""What can go wrong with a request.

HubError
└── CatalogError
    └── RequestError
        ├── RequestUnknown          there is none of this id, or none the caller may know of
        ├── RequestElementWrong     an element breaks its rule
        ├── RequestIncomplete       elements of article 20 are missing
        ├── RequestStepNotNow       the step does not follow from where the request stands
        ├── NoticeGiven             what is missing was told once already
        ├── NoticeEmpty             a notice that names nothing missing
        ├── NoticeFirst             an incomplete request may not be refused outright
        ├── ReasonsMissing          a refusal, suspension or end without reasons
        ├── ConsentMissing          the consent of the side's 共享工作机构 lead is not named
        ├── ExtensionWrong          an extension that the article does not allow
        ├── NotShareable            the dataset is not shared, or has no published entry
        ├── DeliveryWithoutGrant    nothing was granted that could be delivered
        └── OnePersonTwice          two acts that must be two persons'
"""

from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import CatalogError


@dataclass(eq=False)
class RequestError(CatalogError):
    """A request cannot take this step."""


@dataclass(eq=False)
class RequestUnknown(RequestError):
    """There is none of this id, or none the caller may know of: the two look the same on purpose."""

    request: str

    code: ClassVar[str] = "request_unknown"
    zh: ClassVar[str] = "没有申请 {request},或它与您的单位无关。请核对编号。"
    en: ClassVar[str] = "there is no request {request}, or it is no concern of your organization's; check its id."


@dataclass(eq=False)
class RequestElementWrong(RequestError):
    """An element breaks its rule."""

    element: str
    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "request_element_wrong"
    zh: ClassVar[str] = "申请的要素 {element} 有误:{rule_zh}。"
    en: ClassVar[str] = "the request's {element} is wrong: {rule_en}."


@dataclass(eq=False)
class RequestIncomplete(RequestError):
    """Elements of article 20 are missing."""

    missing: str

    code: ClassVar[str] = "request_incomplete"
    zh: ClassVar[str] = "申请要素不全(条例第二十条),缺:{missing}。请一次性告知申请方补充,或由申请方补齐。"
    en: ClassVar[str] = "the request lacks elements of article 20: {missing}; give one notice of all, or complete it."


@dataclass(eq=False)
class RequestStepNotNow(RequestError):
    """The step does not follow from where the request stands."""

    step: str
    state: str

    code: ClassVar[str] = "request_step_not_now"
    zh: ClassVar[str] = "申请的状态为 {state},其后不能是 {step};其进程见 hub request show。"
    en: ClassVar[str] = (
        "the request is {state}, and {step} does not follow from there; see its course with hub request show."
    )


@dataclass(eq=False)
class NoticeGiven(RequestError):
    """What is missing was told once already; the article allows one notice."""

    code: ClassVar[str] = "notice_given"
    zh: ClassVar[str] = "已一次性告知过需补充的内容(条例第二十一条),不得再次告知;请同意,或说明理由不予同意。"
    en: ClassVar[str] = (
        "everything missing was to be told in one notice (article 21), which was given; accept, or refuse with reasons."
    )


@dataclass(eq=False)
class NoticeEmpty(RequestError):
    """A notice that names nothing missing."""

    code: ClassVar[str] = "notice_empty"
    zh: ClassVar[str] = "申请要素齐全,告知中也未列出需补充的内容。请列出,或直接答复。"
    en: ClassVar[str] = "the request has every element and the notice names nothing missing; name it, or reply."


@dataclass(eq=False)
class NoticeFirst(RequestError):
    """An incomplete request may not be refused outright."""

    missing: str

    code: ClassVar[str] = "notice_first"
    zh: ClassVar[str] = "申请要素不全(缺:{missing}),不得直接拒绝;请先一次性告知(条例第二十一条)。"
    en: ClassVar[str] = (
        "the request lacks {missing} and may not be refused outright; give the one notice first (article 21)."
    )


@dataclass(eq=False)
class ReasonsMissing(RequestError):
    """A refusal, suspension or end without reasons."""

    code: ClassVar[str] = "reasons_missing"
    zh: ClassVar[str] = "须说明理由(条例第二十一条、第二十七条)。"
    en: ClassVar[str] = "this takes reasons (articles 21 and 27); state them."


@dataclass(eq=False)
class ConsentMissing(RequestError):
    """The consent of the side's 共享工作机构 lead is not named."""

    code: ClassVar[str] = "consent_missing"
    zh: ClassVar[str] = "须注明本单位政务数据共享工作机构负责人的同意(条例第二十条),如审批文号。"
    en: ClassVar[str] = "name the consent of your organization's data-sharing lead (article 20), as by its document."


@dataclass(eq=False)
class ExtensionWrong(RequestError):
    """An extension that the article does not allow."""

    rule_zh: str
    rule_en: str

    code: ClassVar[str] = "extension_wrong"
    zh: ClassVar[str] = "不能延长答复期限:{rule_zh}(条例第二十一条)。"
    en: ClassVar[str] = "the reply cannot be put off: {rule_en} (article 21)."


@dataclass(eq=False)
class NotShareable(RequestError):
    """The dataset is not shared with this side, or has no published entry."""

    dataset: str

    code: ClassVar[str] = "not_shareable"
    zh: ClassVar[str] = "数据资源 {dataset} 不予共享或尚未发布目录,不能申请或授权(条例第十四条)。"
    en: ClassVar[str] = (
        "dataset {dataset} is not shared, or its entry is not published:"
        " it cannot be asked for or granted (article 14)."
    )


@dataclass(eq=False)
class DeliveryWithoutGrant(RequestError):
    """Nothing was granted that could be delivered."""

    request: str

    code: ClassVar[str] = "delivery_without_grant"
    zh: ClassVar[str] = "申请 {request} 尚无有效授权,无从提供;请先用 hub grant propose 提出并批准授权。"
    en: ClassVar[str] = "request {request} has no grant to deliver under; propose one and have it approved first."


@dataclass(eq=False)
class OnePersonTwice(RequestError):
    """Two acts that must be two persons', also where one person has two accounts."""

    act: str
    earlier: str

    code: ClassVar[str] = "one_person_twice"
    zh: ClassVar[str] = "{act} 须由另一人进行:{earlier} 是您本人所为,或无法与您区分。"
    en: ClassVar[str] = "{act} takes another person: {earlier} was yours, or cannot be told apart from you."
