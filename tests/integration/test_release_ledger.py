"""What a release leaves behind: leaf, trail, quota, and the explanation of what was decided."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from release_maker import (
    AUDITOR,
    DEPARTMENT,
    OTHER,
    OWNER,
    PLACE,
    PURPOSE,
    RESIDENT,
    WayOut,
    places,
    residents,
    way_out,
)

from catalog.caller import PUBLIC
from catalog.grant import Quota
from hub.ledger.errors import LedgerStale
from hub.release.errors import DecisionUnknown, QuotaUsedUp, ReleaseRefused
from hub.release.page import Answer
from hub.release.trail_store import erase_trail, find_trail


@pytest.fixture
def out(database_url: str) -> Iterator[WayOut]:
    with way_out(database_url, RESIDENT, PLACE) as made:
        made.take(RESIDENT, residents(20))
        made.take(PLACE, places(20))
        yield made


def records(answer: Answer) -> list[dict[str, Any]]:
    return json.loads(answer.body)["records"]


def decision_of(answer: Answer) -> str:
    return dict(answer.headers)["hub-decision"]


def test_a_page_is_one_leaf_with_its_trail_before_it_is_answered(out: WayOut):
    given = out.grant()
    answer = out.get(DEPARTMENT, RESIDENT, "limit=3&sex=1")
    leaf = out.leaves()[0]
    assert leaf["id"] == decision_of(answer)
    assert (leaf["action"], leaf["actor"], leaf["rows"], leaf["bytes"]) == (
        "release.page",
        DEPARTMENT.id,
        3,
        len(answer.body),
    )
    assert (leaf["grant_id"], leaf["purpose"], leaf["decision"]) == (given.grant.id, PURPOSE, "allowed")
    assert "420102" not in json.dumps(leaf)
    trail = find_trail(out.conn, leaf["id"])
    assert trail is not None
    assert trail.rows == 3
    assert json.loads(trail.query or "")["filter"] == {"all": [{"field": "sex", "op": "=", "value": "1"}]}
    assert json.loads(trail.first_place or "") == ["42010219600101000X"]
    assert erase_trail(out.conn, leaf["id"]) == 1
    assert out.leaves()[0] == leaf


def test_a_stewards_purpose_is_a_commitment_not_a_text(out: WayOut):
    out.get(OWNER, RESIDENT, purpose="核对张三的记录")
    leaf = out.leaves()[0]
    assert "张三" not in json.dumps(leaf, ensure_ascii=False)
    assert leaf["reason"]


def test_nothing_is_answered_whose_leaf_is_not_durable(out: WayOut, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any, **__: Any) -> str:
        raise LedgerStale(minutes=1)

    monkeypatch.setattr(out.release.settlement._writer, "write", full)
    with pytest.raises(LedgerStale):
        out.get(PUBLIC, PLACE, purpose=None)


def test_what_is_shared_under_conditions_waits_for_a_ledger_that_is_sealed(out: WayOut):
    out.grant()
    out.now += timedelta(minutes=16)
    with pytest.raises(LedgerStale):
        out.get(DEPARTMENT, RESIDENT)
    assert records(out.get(PUBLIC, PLACE, purpose=None))


def test_a_quota_of_rows_lets_no_page_through_that_goes_beyond_it(out: WayOut):
    out.grant(quota=Quota(rows=5))
    assert len(records(out.get(DEPARTMENT, RESIDENT, "limit=4"))) == 4
    with pytest.raises(QuotaUsedUp) as refused:
        out.get(DEPARTMENT, RESIDENT, "limit=2")
    assert refused.value.limit == "rows"
    assert refused.value.decision
    answer = out.get(DEPARTMENT, RESIDENT, "limit=1")
    assert dict(answer.headers)["ratelimit"].startswith('"rows";r=0;')


def test_two_processes_share_a_quota(out: WayOut, database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hub.release.quota.FRESH_SECONDS", 0)
    out.grant(quota=Quota(requests=2))
    with way_out(database_url) as other:
        other.now = out.now
        for one in (out, other):
            one.get(DEPARTMENT, RESIDENT)
            one.teller.tell()
        for one in (out, other):
            with pytest.raises(QuotaUsedUp):
                one.get(DEPARTMENT, RESIDENT)


def test_refusals_of_the_public_are_one_leaf_a_minute(out: WayOut):
    ids: set[str] = set()
    for _ in range(3):
        with pytest.raises(ReleaseRefused) as refused:
            out.get(PUBLIC, RESIDENT)
        ids.add(refused.value.decision)
    assert out.leaves("release.refused") == []
    out.teller.tell(everything=True)
    assert [(leaf["id"], leaf["rows"], leaf["actor"]) for leaf in out.leaves("release.refusals")] == [
        (ids.pop(), 3, "public")
    ]
    assert ids == set()


def test_a_decision_of_the_past_is_explained_to_its_caller_and_to_auditors(out: WayOut):
    given = out.grant()
    decision = decision_of(out.get(DEPARTMENT, RESIDENT))
    out.end(given)
    for caller in (DEPARTMENT, AUDITOR):
        found = out.release.explain_decision(caller, decision)
        assert found["decision"]["grant"] == given.grant.id
        assert found["decision"]["fields"]["id_number"]["treatment"] == "masked"
        assert any("掩码" in line for line in found["zh"])
    for caller, id_ in ((OTHER, decision), (PUBLIC, decision), (DEPARTMENT, "x"), (DEPARTMENT, given.grant.id)):
        with pytest.raises(DecisionUnknown):
            out.release.explain_decision(caller, id_)
