"""Acts on requests over a real store: who may take which step, what is kept, and what stands in the ledger."""

from datetime import timedelta
from typing import Any

import entry_maker
import grant_maker
import psycopg
import pytest
from entry_maker import person
from grant_maker import (
    ADMINISTRATOR,
    ASKER,
    AUDITOR,
    COLLEAGUE,
    DEVELOPER,
    NOW,
    RESIDENT,
    REVIEWER,
    STEWARD,
    STRANGER,
    accepted,
    asked,
    elements,
    published,
)

from catalog.caller import Caller
from catalog.condition_errors import ConditionWrong
from catalog.errors import DatasetUnknown, RoleNeeded
from catalog.request import Elements
from catalog.request_errors import (
    ConsentMissing,
    DeliveryWithoutGrant,
    NoticeFirst,
    NoticeGiven,
    NotShareable,
    OnePersonTwice,
    RequestElementWrong,
    RequestIncomplete,
    RequestStepNotNow,
    RequestUnknown,
)
from catalog.request_store import find_request, list_requests
from catalog.visible import visible_to
from hub.acts import requests
from hub.ledger.leaf import read_record
from hub.ledger.leaf_store import last_leaves


@pytest.fixture
def conn(connection: psycopg.Connection) -> psycopg.Connection:
    return published(connection)


def test_a_request_runs_from_submission_to_refusal_and_every_step_is_a_leaf(conn: psycopg.Connection):
    made = asked(conn, consent=None, rows=None)
    assert (made.state, made.held_by, made.missing) == ("submitted", "gong-an", ("consent",))
    noticed = requests.notice(conn, STEWARD, made.id, "请附审批文号", NOW)
    assert (noticed.state, noticed.held_by) == ("incomplete", "ren-she")
    completed = requests.complete(conn, COLLEAGUE, made.id, Elements(consent="鄂人社数〔2026〕12号"), NOW)
    assert (completed.state, completed.missing, completed.elements.basis) == ("submitted", (), made.elements.basis)
    refused = requests.refuse(conn, STEWARD, made.id, "超出履职所需", NOW)
    assert (refused.state, refused.held_by) == ("refused", None)
    leaves = [read_record(leaf) for leaf in reversed(last_leaves(conn, 4))]
    assert [(leaf["action"], leaf["rule_ids"]) for leaf in leaves] == [
        ("request.submitted", ["statute.20"]),
        ("request.notice", ["statute.21"]),
        ("request.completed", ["statute.21"]),
        ("request.refused", ["statute.21"]),
    ]
    assert "超出履职所需" not in str(leaves)  # free text is a commitment
    assert find_request(conn, made.id) == refused


def test_what_was_stored_is_what_is_read_back(conn: psycopg.Connection):
    made = asked(conn)
    assert find_request(conn, made.id) == made
    assert list_requests(conn, visible_to(ASKER)) == [made]
    assert find_request(conn, "no-uuid") is None


def test_an_incomplete_request_is_neither_refused_outright_nor_accepted_and_is_noticed_once(conn: psycopg.Connection):
    made = asked(conn, basis=" ", methods=frozenset())
    with pytest.raises(NoticeFirst) as first:
        requests.refuse(conn, STEWARD, made.id, "材料不全", NOW)
    assert "basis" in first.value.missing
    with pytest.raises(RequestIncomplete):
        requests.accept(conn, STEWARD, made.id, "同意", NOW)
    requests.notice(conn, STEWARD, made.id, "", NOW)
    with pytest.raises(NoticeGiven):
        requests.notice(conn, STEWARD, made.id, "还缺", NOW)
    requests.complete(conn, ASKER, made.id, Elements(), NOW)  # still incomplete
    with pytest.raises(NoticeGiven):
        requests.notice(conn, STEWARD, made.id, "还缺", NOW)
    assert requests.refuse(conn, STEWARD, made.id, "仍不全", NOW).state == "refused"


def test_the_store_itself_holds_one_notice(conn: psycopg.Connection):
    made = asked(conn)
    requests.notice(conn, STEWARD, made.id, "请补充", NOW)
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(
            "INSERT INTO request_event SELECT request, 9, step, actor, person, at, detail FROM request_event"
            " WHERE step = 'notice'"
        )


def test_who_asked_does_not_accept_also_through_another_account_or_the_organizations_token(conn: psycopg.Connection):
    made = asked(conn)
    for actor in (
        person("asker", "administrator", organization="ren-she"),
        person("double", "reviewer", organization="da-shu-ju", human="asker"),
    ):
        with pytest.raises(OnePersonTwice):
            requests.accept(conn, actor, made.id, "同意", NOW)
    by_token = Caller("organization:ren-she", "ren-she", tier="department")
    other = requests.submit(conn, by_token, RESIDENT, elements(), NOW)
    with pytest.raises(OnePersonTwice):
        requests.accept(conn, person("boss", "administrator", organization="ren-she"), other.id, "同意", NOW)


def test_who_completed_does_not_accept(conn: psycopg.Connection):
    made = asked(conn, consent=None)
    requests.notice(conn, STEWARD, made.id, "", NOW)
    requests.complete(conn, COLLEAGUE, made.id, Elements(consent="文"), NOW)
    double = person("third", "administrator", organization="da-shu-ju", human="colleague")
    with pytest.raises(OnePersonTwice):
        requests.accept(conn, double, made.id, "同意", NOW)


def test_acceptance_names_the_consent_of_the_providers_own_lead(conn: psycopg.Connection):
    made = asked(conn)
    with pytest.raises(ConsentMissing):
        requests.accept(conn, STEWARD, made.id, " ", NOW)


@pytest.mark.parametrize("actor", [STRANGER, DEVELOPER, person("other", organization="min-zheng")])
def test_a_foreign_request_is_as_if_it_were_not_there(conn: psycopg.Connection, actor: Caller):
    made = asked(conn)
    absent = "01999999-0000-7000-8000-000000000000"
    sentences: set[str] = set()
    for request in (made.id, absent):
        for act in (
            lambda: requests.read_request(conn, actor, request),  # noqa: B023 - called at once
            lambda: requests.accept(conn, actor, request, "同意", NOW),  # noqa: B023 - called at once
            lambda: requests.withdraw(conn, actor, request, "撤回", NOW),  # noqa: B023 - called at once
        ):
            with pytest.raises(RequestUnknown) as unknown:
                act()
            sentences.add(unknown.value.sentence("en").replace(request, "…"))
    assert len(sentences) == 1
    assert list_requests(conn, visible_to(actor)) == []


def test_who_may_know_of_a_request_may_not_therefore_act_on_it(conn: psycopg.Connection):
    made = asked(conn)
    for actor in (ASKER, AUDITOR, person("clerk", organization="gong-an")):
        assert requests.read_request(conn, actor, made.id) == made
        with pytest.raises(RoleNeeded):
            requests.accept(conn, actor, made.id, "同意", NOW)
    with pytest.raises(RoleNeeded):
        requests.withdraw(conn, STEWARD, made.id, "代撤", NOW)
    with pytest.raises(RoleNeeded):
        requests.extend(conn, STEWARD, made.id, NOW)


def test_the_reply_is_put_off_once_with_the_administrators_consent(conn: psycopg.Connection):
    made = asked(conn)
    waiting = requests.ask_extension(conn, STEWARD, made.id, 5, "需会商", NOW)
    assert waiting.held_by == "administrator"
    both = person("both", "administrator", organization="da-shu-ju", human="provider")
    with pytest.raises(OnePersonTwice):
        requests.extend(conn, both, made.id, NOW)
    extended = requests.extend(conn, ADMINISTRATOR, made.id, NOW)
    assert (extended.held_by, extended.clocks[0].extension) == ("gong-an", 5)


def test_nothing_is_delivered_without_a_grant(conn: psycopg.Connection):
    made = asked(conn)
    with pytest.raises(RequestStepNotNow):
        requests.deliver(conn, STEWARD, made.id, NOW)
    requests.accept(conn, STEWARD, made.id, "同意", NOW)
    with pytest.raises(DeliveryWithoutGrant):
        requests.deliver(conn, STEWARD, made.id, NOW)


def test_a_delivered_request_is_closed_by_its_requester(conn: psycopg.Connection):
    grant = grant_maker.given(conn)
    assert grant.grant.request is not None
    delivered = requests.deliver(conn, STEWARD, grant.grant.request, NOW)
    assert (delivered.state, delivered.held_by) == ("delivered", "ren-she")
    assert requests.close(conn, COLLEAGUE, delivered.id, NOW).state == "closed"


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": {"no_such_field": "clear"}},
        {"fields": {"name": "opened"}},
        {"valid_until": grant_maker.elements().valid_from},
        {"valid_until": NOW.replace(year=2040)},
        {"scenario": "x" * 1_001},
        {"basis": "a\x00b"},
        {"basis": "\ud800"},
    ],
)
def test_an_element_that_breaks_its_rule_is_refused(conn: psycopg.Connection, changes: dict[str, Any]):
    with pytest.raises(RequestElementWrong):
        asked(conn, **changes)


@pytest.mark.parametrize(
    "rows", [{"field": "nothing", "prefix": "42"}, {"field": "birth_date", "op": "=", "value": "x"}]
)
def test_rows_are_typed_by_the_contract(conn: psycopg.Connection, rows: dict[str, object]):
    with pytest.raises(ConditionWrong):
        asked(conn, rows=rows)


def test_what_is_not_shared_or_not_published_cannot_be_asked_for(connection: psycopg.Connection):
    entry_maker.register(connection, "resident")
    with pytest.raises(DatasetUnknown):
        requests.submit(connection, ASKER, RESIDENT, elements(), NOW)
    terms = {"type": "not_shared", "reason": "法律规定", "law": "反间谍法第一条"}
    entry_maker.publish(connection, "resident", share=terms, methods=[])
    with pytest.raises(NotShareable):
        requests.submit(connection, STRANGER, RESIDENT, elements(), NOW)
    with pytest.raises(DatasetUnknown):
        requests.submit(connection, ASKER, "420000.nothing", elements(), NOW)


def test_a_developer_asks_for_itself_without_a_leads_consent_and_only_for_what_is_open(connection: psycopg.Connection):
    entry_maker.register(connection, "resident")
    entry_maker.publish(connection, "resident", open={"type": "not_open", "reason": "含个人信息"})
    with pytest.raises(NotShareable):
        requests.submit(connection, DEVELOPER, RESIDENT, elements(), NOW)
    entry_maker.publish(connection, "resident", open={"type": "conditional", "conditions": "仅向经批准的应用提供"})
    made = requests.submit(connection, DEVELOPER, RESIDENT, elements(consent=None), NOW)
    assert (made.holder, made.organization, made.missing) == ("person:developer", None, ())


def test_a_list_is_paged_by_the_order_of_asking(conn: psycopg.Connection):
    made = [asked(conn, NOW + timedelta(seconds=second)) for second in range(5)]
    first = list_requests(conn, visible_to(REVIEWER), limit=2)
    rest = list_requests(conn, visible_to(REVIEWER), after=first[-1].id)
    assert [one.id for one in (*first, *rest)] == [one.id for one in made]
    assert list_requests(conn, visible_to(REVIEWER), state="accepted") == []
    accepted(conn)
    assert len(list_requests(conn, visible_to(STEWARD), state="accepted", dataset=RESIDENT)) == 1
