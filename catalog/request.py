"""A request (申请): the five elements of article 20, and the steps it takes under articles 20 to 22. Pure.

::

    submitted ─ accepted ─► accepted ─ delivered ─► delivered ─ closed ─► closed
      │  ▲ └─── refused ──► refused
    notice completed                     withdrawn: from submitted, incomplete and accepted to closed
      ▼  │
    incomplete

What happened is a list of events; state, clocks and who must act next are computed from it and never stored twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from catalog.clock import CLOCKS, Clock, Event, Pause
from catalog.grant import Method, Treatment
from catalog.request_errors import (
    ConsentMissing,
    ExtensionWrong,
    NoticeEmpty,
    NoticeFirst,
    NoticeGiven,
    ReasonsMissing,
    RequestIncomplete,
    RequestStepNotNow,
)

RequestState = Literal["submitted", "incomplete", "accepted", "refused", "delivered", "closed"]
RequestStep = Literal[
    "submitted",
    "notice",
    "completed",
    "extension_asked",
    "extended",
    "accepted",
    "refused",
    "delivered",
    "closed",
    "withdrawn",
]
Element = Literal["basis", "scenario", "scope", "method", "term", "consent"]
Shared = Literal["unconditional", "conditional"]

ARTICLES: Final[Mapping[RequestStep, int]] = {
    "submitted": 20,
    "notice": 21,
    "completed": 21,
    "extension_asked": 21,
    "extended": 21,
    "accepted": 21,
    "refused": 21,
    "delivered": 22,
    "closed": 25,
    "withdrawn": 20,
}
STEPS: Final[Mapping[tuple[RequestState, RequestStep], RequestState]] = {
    ("submitted", "notice"): "incomplete",
    ("incomplete", "completed"): "submitted",
    ("submitted", "extension_asked"): "submitted",
    ("submitted", "extended"): "submitted",
    ("submitted", "accepted"): "accepted",
    ("submitted", "refused"): "refused",
    ("accepted", "delivered"): "delivered",
    ("delivered", "closed"): "closed",
    ("submitted", "withdrawn"): "closed",
    ("incomplete", "withdrawn"): "closed",
    ("accepted", "withdrawn"): "closed",
}
ELEMENTS_ZH: Final[Mapping[Element, str]] = {
    "basis": "使用依据",
    "scenario": "使用场景",
    "scope": "使用范围",
    "method": "共享方式",
    "term": "使用时限",
    "consent": "共享工作机构负责人同意",
}


@dataclass(frozen=True, slots=True)
class Elements:
    """What article 20 asks a request to say. What is left out is None or empty, and missing.

    Args:
        basis: 使用依据, the law or duty.
        scenario: 使用场景; it becomes the purpose of the grant.
        fields: 使用范围: fields, each with the most open treatment wanted.
        rows: 使用范围: row condition in JSON as ``condition_to_json`` writes it; None for all rows.
        methods: 共享方式.
        valid_from: 使用时限, first instant.
        valid_until: 使用时限, first instant past it.
        consent: the document by which the lead of the requester's 共享工作机构 consented.
    """

    basis: str | None = None
    scenario: str | None = None
    fields: Mapping[str, Treatment] = field(default_factory=dict[str, Treatment])
    rows: Mapping[str, Any] | None = None
    methods: frozenset[Method] = frozenset()
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    consent: str | None = None

    def missing(self, *, by_organization: bool) -> tuple[Element, ...]:
        """The elements that are not there; consent is asked of organizations, which have a lead."""
        there: tuple[tuple[Element, bool], ...] = (
            ("basis", bool(self.basis and self.basis.strip())),
            ("scenario", bool(self.scenario and self.scenario.strip())),
            ("scope", bool(self.fields)),
            ("method", bool(self.methods)),
            ("term", self.valid_from is not None and self.valid_until is not None),
            ("consent", not by_organization or bool(self.consent and self.consent.strip())),
        )
        return tuple(element for element, given in there if not given)


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """One step that was taken: by which account and person, when, and what was said."""

    step: RequestStep
    actor: str
    person: str | None
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def article(self) -> int:
        """The article of the statute the step answers."""
        return ARTICLES[self.step]


@dataclass(frozen=True, slots=True)
class Request:
    """A request and everything that happened to it; the first event is its submission.

    Args:
        id: UUID version 7 in text.
        dataset: id.
        holder: whom a grant would be made out to.
        organization: of the requester; None for developers of their own.
        provider: the organization that owns the dataset and replies.
        share: the dataset's share attribute when it was asked for: it sets the clock of the reply.
        elements: as last completed.
        state: after the last event.
        events: in order.
    """

    id: str
    dataset: str
    holder: str
    organization: str | None
    provider: str
    share: Shared
    elements: Elements
    state: RequestState
    events: tuple[RequestEvent, ...]

    @property
    def missing(self) -> tuple[Element, ...]:
        """The elements it lacks."""
        return self.elements.missing(by_organization=self.organization is not None)

    @property
    def missing_in_words(self) -> str:
        """The elements it lacks, for a sentence."""
        return "、".join(f"{ELEMENTS_ZH[element]} {element}" for element in self.missing)

    @property
    def asked(self) -> RequestEvent:
        """Its submission: who asked."""
        return self.events[0]

    def happened(self, step: RequestStep) -> RequestEvent | None:
        """The last event of this step."""
        return next((event for event in reversed(self.events) if event.step == step), None)

    @property
    def held_by(self) -> str | None:
        """Who must act next: an organization id, the holder, or the administrator (主管部门); None at the end."""
        requester = self.organization or self.holder
        if self.state == "submitted" and self.happened("extension_asked") and not self.happened("extended"):
            return "administrator"
        return {"submitted": self.provider, "incomplete": requester, "accepted": self.provider,
                "delivered": requester}.get(self.state)  # fmt: skip

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """The reply's clock, and once accepted that of delivery."""
        event: Event = "reply_unconditional" if self.share == "unconditional" else "reply_conditional"
        notice, completed = self.happened("notice"), self.happened("completed")
        pauses = () if notice is None else (Pause(notice.at, None if completed is None else completed.at),)
        extended = self.happened("extended")
        accepted = self.happened("accepted")
        replied = accepted or self.happened("refused") or (self.happened("withdrawn") if accepted is None else None)
        days = 0 if extended is None else int(extended.detail["workdays"])
        reply = Clock(event, self.asked.at, days, pauses, None if replied is None else replied.at)
        if accepted is None:
            return (reply,)
        delivered = self.happened("delivered") or self.happened("withdrawn")
        return (reply, Clock("deliver", accepted.at, met_at=None if delivered is None else delivered.at))


def after(request: Request, event: RequestEvent, elements: Elements | None = None) -> Request:
    """The request once a step is taken.

    Args:
        request: before.
        event: the step.
        elements: as completed, with step completed and none other.

    Raises:
        RequestError: the step does not follow, or breaks its article.
    """
    state = STEPS.get((request.state, event.step))
    if state is None:
        if event.step == "notice" and request.happened("notice"):
            raise NoticeGiven
        raise RequestStepNotNow(step=event.step, state=request.state)
    guard = _GUARDS.get(event.step)
    if guard is not None:
        guard(request, event)
    changed = request.elements if elements is None else elements
    return replace(request, state=state, elements=changed, events=(*request.events, event))


# What each step asks besides its state -------------------------------------------------------------------------------


def _notice(request: Request, event: RequestEvent) -> None:
    if request.happened("notice"):
        raise NoticeGiven
    if not request.missing and not str(event.detail.get("text", "")).strip():
        raise NoticeEmpty


def _extension_asked(request: Request, event: RequestEvent) -> None:
    days, most = event.detail.get("workdays"), CLOCKS["reply_conditional"].extension_max
    if request.share != "conditional":
        raise ExtensionWrong(rule_zh="仅有条件共享可延长", rule_en="only replies on conditional share can be")
    if request.happened("extension_asked"):
        raise ExtensionWrong(rule_zh="只能延长一次", rule_en="it can be once")
    if not isinstance(days, int) or not 1 <= days <= most:
        raise ExtensionWrong(rule_zh=f"至多 {most} 个工作日", rule_en=f"by at most {most} workdays")
    _reasons(request, event)


def _extended(request: Request, event: RequestEvent) -> None:
    asked = request.happened("extension_asked")
    if asked is None or request.happened("extended"):
        raise ExtensionWrong(rule_zh="没有待同意的延长申请", rule_en="no extension is waiting for consent")
    if event.detail.get("workdays") != asked.detail["workdays"]:
        raise ExtensionWrong(rule_zh="同意的天数须与所申请的一致", rule_en="consent is to exactly the days asked for")


def _accepted(request: Request, event: RequestEvent) -> None:
    if request.missing:
        raise RequestIncomplete(missing=request.missing_in_words)
    if not str(event.detail.get("consent", "")).strip():
        raise ConsentMissing


def _refused(request: Request, event: RequestEvent) -> None:
    _reasons(request, event)
    if request.missing and not request.happened("notice"):
        raise NoticeFirst(missing=request.missing_in_words)


def _reasons(_: Request, event: RequestEvent) -> None:
    if not str(event.detail.get("reasons", "")).strip():
        raise ReasonsMissing


_GUARDS: Final = {
    "notice": _notice,
    "extension_asked": _extension_asked,
    "extended": _extended,
    "accepted": _accepted,
    "refused": _refused,
    "withdrawn": _reasons,
}
