"""The course of a request: no step but those of the statute, one notice, reasons, and clocks that follow the steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.request import ARTICLES, STEPS, Elements, Request, RequestEvent, RequestState, RequestStep, after
from catalog.request_errors import (
    ConsentMissing,
    ExtensionWrong,
    NoticeEmpty,
    NoticeFirst,
    NoticeGiven,
    ReasonsMissing,
    RequestError,
    RequestIncomplete,
    RequestStepNotNow,
)
from catalog.request_text import elements_from_json, elements_to_json
from catalog.workdays import Calendar

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
WHOLE = Elements(
    basis="社会保险法",
    scenario="资格核验",
    fields={"name": "masked"},
    rows={"field": "division_code", "prefix": "4201"},
    methods=frozenset({"api"}),
    valid_from=NOW,
    valid_until=NOW + timedelta(days=90),
    consent="文号",
)
DETAIL: dict[RequestStep, dict[str, Any]] = {
    "notice": {"text": "请补充"},
    "extension_asked": {"workdays": 5, "reasons": "会商"},
    "extended": {"workdays": 5},
    "accepted": {"consent": "文号"},
    "refused": {"reasons": "超范围"},
    "withdrawn": {"reasons": "不再需要"},
}
ALL_STEPS = [step for step in get_args(RequestStep) if step != "submitted"]


def event(step: RequestStep, at: datetime = NOW, **detail: Any) -> RequestEvent:
    return RequestEvent(step, "person:x", "x", at, {**DETAIL.get(step, {}), **detail})


def request(**changes: Any) -> Request:
    members: dict[str, Any] = {
        "id": "01999999-0000-7000-8000-000000000000",
        "dataset": "420000.resident",
        "holder": "organization:ren-she",
        "organization": "ren-she",
        "provider": "gong-an",
        "share": "conditional",
        "elements": WHOLE,
        "state": "submitted",
        "events": (event("submitted"),),
    }
    return Request(**(members | changes))


def through(*steps: RequestStep, start: Request | None = None) -> Request:
    found = start or request()
    for number, step in enumerate(steps, 1):
        found = after(found, event(step, NOW + timedelta(days=number)), WHOLE if step == "completed" else None)
    return found


# Steps ---------------------------------------------------------------------------------------------------------------


def test_every_step_cites_its_article_and_every_state_is_reached():
    assert set(ARTICLES) == set(get_args(RequestStep))
    reached: set[RequestState] = {"submitted"}
    for _ in STEPS:
        reached |= {to for (begin, _), to in STEPS.items() if begin in reached}
    assert reached == set(get_args(RequestState))
    assert {step for _, step in STEPS} == set(ALL_STEPS)


@given(st.lists(st.sampled_from(ALL_STEPS), max_size=12), st.booleans())
def test_whatever_is_tried_only_steps_of_the_statute_are_taken(tried: list[RequestStep], whole: bool):
    found = request() if whole else request(elements=replace(WHOLE, basis=None))
    for number, step in enumerate(tried, 1):
        try:
            changed = after(found, event(step, NOW + timedelta(hours=number)))
        except RequestError:
            continue
        assert STEPS[found.state, step] == changed.state
        assert changed.events == (*found.events, changed.events[-1])
        found = changed
    steps = [one.step for one in found.events]
    assert all(steps.count(step) <= 1 for step in steps)  # none is taken twice
    if found.state in ("accepted", "delivered"):
        assert not found.missing
        assert "accepted" in steps
    if found.state in ("refused", "closed"):
        assert found.held_by is None
    else:
        assert found.held_by is not None
    if found.missing and "refused" in steps:
        assert "notice" in steps
    reading = [clock.read(NOW + timedelta(days=1), Calendar()).state for clock in found.clocks]
    assert all(state != "running" for state in reading) is (found.state not in ("submitted", "accepted"))


@pytest.mark.parametrize("state", get_args(RequestState))
@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_step_that_does_not_follow_is_refused(state: RequestState, step: RequestStep):
    if (state, step) not in STEPS:
        with pytest.raises(RequestStepNotNow):
            after(request(state=state), event(step))


# One notice, reasons, consent ----------------------------------------------------------------------------------------


def test_what_is_missing_is_everything_article_20_asks():
    assert request(elements=Elements()).missing == ("basis", "scenario", "scope", "method", "term", "consent")
    assert request(elements=Elements(), organization=None).missing[-1] == "term"  # a developer has no lead
    assert request(elements=replace(WHOLE, valid_until=None)).missing == ("term",)
    assert request().missing == ()


def test_a_notice_names_something_and_is_given_once():
    with pytest.raises(NoticeEmpty):
        after(request(), event("notice", text=" "))
    assert after(request(elements=Elements()), event("notice", text="")).state == "incomplete"
    again = through("notice", "completed")
    with pytest.raises(NoticeGiven):
        after(again, event("notice"))
    with pytest.raises(NoticeGiven):
        after(through("notice"), event("notice"))


def test_an_incomplete_request_is_noticed_before_it_is_refused_and_never_accepted():
    lacking = request(elements=replace(WHOLE, scenario=None))
    with pytest.raises(NoticeFirst):
        after(lacking, event("refused"))
    with pytest.raises(RequestIncomplete):
        after(lacking, event("accepted"))
    noticed = after(after(lacking, event("notice")), event("completed"), lacking.elements)
    assert after(noticed, event("refused")).state == "refused"


@pytest.mark.parametrize("step", ["refused", "withdrawn", "extension_asked"])
def test_reasons_are_compulsory(step: RequestStep):
    with pytest.raises(ReasonsMissing):
        after(request(), event(step, reasons=" "))


def test_acceptance_names_the_providers_consent():
    with pytest.raises(ConsentMissing):
        after(request(), event("accepted", consent=""))


@pytest.mark.parametrize("workdays", [0, 11, -1, "5", None])
def test_an_extension_is_of_one_to_ten_workdays(workdays: object):
    with pytest.raises(ExtensionWrong):
        after(request(), event("extension_asked", workdays=workdays))


def test_an_extension_is_asked_once_of_a_conditional_share_and_consented_as_asked():
    with pytest.raises(ExtensionWrong):
        after(request(share="unconditional"), event("extension_asked"))
    waiting = through("extension_asked")
    with pytest.raises(ExtensionWrong):
        after(waiting, event("extension_asked"))
    with pytest.raises(ExtensionWrong):
        after(waiting, event("extended", workdays=10))
    with pytest.raises(ExtensionWrong):
        after(request(), event("extended"))
    with pytest.raises(ExtensionWrong):
        after(through("extension_asked", "extended"), event("extended"))


# Who holds it, and the clocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "held_by"),
    [
        ((), "gong-an"),
        (("notice",), "ren-she"),
        (("notice", "completed"), "gong-an"),
        (("extension_asked",), "administrator"),
        (("extension_asked", "extended"), "gong-an"),
        (("accepted",), "gong-an"),
        (("accepted", "delivered"), "ren-she"),
        (("accepted", "delivered", "closed"), None),
        (("refused",), None),
        (("withdrawn",), None),
    ],
)
def test_it_is_told_who_must_act_next(steps: tuple[RequestStep, ...], held_by: str | None):
    assert through(*steps).held_by == held_by


def test_a_developers_request_is_held_by_the_developer_when_it_must_be_completed():
    alone = request(organization=None, holder="person:d")
    assert through("notice", start=alone).held_by == "person:d"


def test_the_share_type_sets_the_clock_of_the_reply():
    assert request().clocks[0].event == "reply_conditional"
    assert request(share="unconditional").clocks[0].event == "reply_unconditional"


def test_the_clocks_follow_the_steps():
    calendar, later = Calendar(), NOW + timedelta(days=60)
    assert [clock.read(later, calendar).state for clock in through("notice").clocks] == ["paused"]
    assert [clock.read(later, calendar).state for clock in request().clocks] == ["late"]
    assert [clock.read(later, calendar).state for clock in through("refused").clocks] == ["met"]
    assert [clock.read(later, calendar).state for clock in through("accepted").clocks] == ["met", "late"]
    assert [clock.read(later, calendar).state for clock in through("accepted", "delivered").clocks] == ["met", "met"]
    assert through("extension_asked").clocks[0].extension == 0
    assert through("extension_asked", "extended").clocks[0].extension == 5


def test_elements_survive_json():
    for elements in (WHOLE, Elements()):
        assert elements_from_json(elements_to_json(elements)) == elements
