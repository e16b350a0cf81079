"""Requests, grants and tiers as both sides meet them over HTTP, with real tokens; and every endpoint under abuse."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from authorization_stage import ABSENT, ASKED, UNTIL, Stage, authorization_stage
from psycopg import sql

from catalog.tier import DEFAULT_TIERS
from catalog.tier_text import text_of_tiers
from hub.store.cluster import ROLE, Cluster
from hub.store.connect import connect


@pytest.fixture(scope="module")
def stage(cluster: Cluster, migrated_template: str) -> Iterator[Stage]:
    with connect(cluster.superuser_url(), "tests", autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE authorization_door OWNER {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(sql.Identifier(ROLE), sql.Identifier(migrated_template)))
        with authorization_stage(cluster.url("authorization_door")) as made:
            yield made
        admin.execute("DROP DATABASE authorization_door WITH (FORCE)")


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


# The whole way -------------------------------------------------------------------------------------------------------


def test_a_request_becomes_a_grant_and_its_clocks_and_articles_are_seen_by_both_sides(stage: Stage):
    request = stage.asked(consent=None)
    noticed = stage("prov", "POST", f"/v1/requests/{request}/notice", text="请附审批文号").json()
    assert (noticed["state"], noticed["held_by"], noticed["missing"]) == ("incomplete", "ren-she", ["consent"])
    assert [clock["state"] for clock in noticed["clocks"]] == ["paused"]
    refused(stage("prov", "POST", f"/v1/requests/{request}/notice", text="还有"), 409, "notice_given")
    completed = stage("ren-she", "POST", f"/v1/requests/{request}/completion", consent="文号").json()
    assert (completed["state"], completed["missing"]) == ("submitted", [])
    refused(stage("prov", "POST", f"/v1/requests/{request}/refusal", reasons=" "), 422, "reasons_missing")
    accepted = stage("prov", "POST", f"/v1/requests/{request}/acceptance", consent="鄂公数〔2026〕3号").json()
    assert [(clock["event"], clock["article"]) for clock in accepted["clocks"]] == [
        ("reply_conditional", 21), ("deliver", 22),
    ]  # fmt: skip
    refused(stage("prov", "POST", f"/v1/requests/{request}/delivery"), 409, "delivery_without_grant")
    proposal = stage("prov", "POST", "/v1/grants/proposals", request=request, quota={"rows": 1000}).json()
    approval = f"/v1/grants/proposals/{proposal['id']}/approval"
    refused(stage("prov", "POST", approval, digest=proposal["digest"]), 403, "one_person_twice")
    refused(stage("rev", "POST", approval, digest="0" * 64), 409, "proposal_changed")
    given = stage("rev", "POST", approval, digest=proposal["digest"]).json()
    assert (given["state"], given["holder"], given["quota"]["rows"]) == ("active", "organization:ren-she", 1000)
    refused(stage("rev", "POST", approval, digest=proposal["digest"]), 409, "proposal_decided")
    delivered = stage("prov", "POST", f"/v1/requests/{request}/delivery").json()
    assert [(step["step"], step["article"]) for step in delivered["steps"]] == [
        ("submitted", 20), ("notice", 21), ("completed", 21), ("accepted", 21), ("delivered", 22),
    ]  # fmt: skip
    assert stage("ask", "POST", f"/v1/requests/{request}/closing").json()["state"] == "closed"
    seen = stage("ask", "GET", f"/v1/requests/{request}").json()
    assert seen["state"] == "closed"
    assert "person" not in seen["steps"][0]  # which accounts are one person's is nobody's business


def test_a_grant_is_suspended_rectified_and_ended(stage: Stage):
    grant = stage.given()
    deadline = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    suspended = stage("prov", "POST", f"/v1/grants/{grant}/suspension", reasons="超范围", rectify_by=deadline).json()
    assert suspended["state"] == "suspended"
    assert stage("ren-she", "POST", f"/v1/grants/{grant}/rectification", text="已整改").status_code == 200
    assert stage("prov", "POST", f"/v1/grants/{grant}/resumption").json()["state"] == "active"
    usage = {"scenario": "核验", "course": "每月", "effect": "减少冒领", "storage": "政务云", "disposal": "未销毁"}
    told = stage("ask", "POST", f"/v1/grants/{grant}/usage", **usage)
    assert told.status_code == 201
    assert stage("prov", "GET", f"/v1/grants/{grant}/usage").json()["usage"] == [told.json()]
    assert stage("ask", "POST", f"/v1/grants/{grant}/end", reasons="目的已实现").json()["state"] == "ended"
    refused(stage("prov", "POST", f"/v1/grants/{grant}/resumption"), 409, "grant_step_not_now")


def test_an_emergency_grant_is_given_by_one_and_reviewed_by_another(stage: Stage):
    body = {
        "holder": "organization:ren-she",
        "dataset": "420000.resident",
        "purpose": "洪灾人员安置",
        "basis": "突发事件应对法",
        "reasons": "洪峰将至",
        "fields": {"name": "masked"},
        "methods": ["api"],
        "valid_until": (datetime.now(UTC) + timedelta(days=20)).isoformat(),
    }
    refused(stage("prov", "POST", "/v1/grants/emergencies", **body), 403, "role_needed")
    given = stage("root2", "POST", "/v1/grants/emergencies", **body).json()
    assert given["holds_until"] == given["review_by"]
    review = f"/v1/grants/{given['id']}/review"
    refused(stage("root2", "POST", review, text="属实"), 403, "one_person_twice")
    reviewed = stage("rev", "POST", review, text="属实").json()
    assert reviewed["holds_until"] == reviewed["valid_until"]


def test_the_table_of_tiers_is_changed_by_two_administrators(stage: Stage):
    rules = json.loads(text_of_tiers(DEFAULT_TIERS))
    assert stage("aud", "GET", "/v1/tiers").json()["rules"] == rules
    for who in ("ask", "prov", "ren-she"):
        refused(stage(who, "GET", "/v1/tiers"), 403, "role_needed")
        refused(stage(who, "POST", "/v1/tiers", rules=rules, reason="不变"), 403, "role_needed")
    made = stage("root2", "POST", "/v1/tiers", rules=rules, reason="重申").json()
    approval = f"/v1/tiers/{made['version']}/approval"
    refused(stage("root2", "POST", approval, digest=made["digest"]), 403, "one_person_twice")
    refused(stage("root", "POST", approval, digest="0" * 64), 409, "tier_version_changed")
    assert stage("root", "POST", approval, digest=made["digest"]).status_code == 200
    assert stage("aud", "GET", "/v1/tiers").json()["version"] == made["version"]
    refused(stage("aud", "GET", "/v1/tiers/999"), 404, "tier_version_unknown")


# Abuse: every endpoint -----------------------------------------------------------------------------------------------

VERBS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/requests": ("POST", ASKED),
    "/v1/requests/{request}/notice": ("POST", {"text": "缺"}),
    "/v1/requests/{request}/completion": ("POST", {"basis": "法"}),
    "/v1/requests/{request}/acceptance": ("POST", {"consent": "文"}),
    "/v1/requests/{request}/refusal": ("POST", {"reasons": "由"}),
    "/v1/requests/{request}/extension": ("POST", {"reasons": "由", "workdays": 3}),
    "/v1/requests/{request}/withdrawal": ("POST", {"reasons": "由"}),
    "/v1/requests/{request}/extension/consent": ("POST", {}),
    "/v1/requests/{request}/delivery": ("POST", {}),
    "/v1/requests/{request}/closing": ("POST", {}),
    "/v1/requests/{request}": ("GET", {}),
    "/v1/grants/proposals": ("POST", {"request": ABSENT}),
    "/v1/grants/proposals/{proposal}/approval": ("POST", {"digest": "0" * 64}),
    "/v1/grants/proposals/{proposal}/withdrawal": ("POST", {}),
    "/v1/grants/proposals/{proposal}/simulation": ("GET", {}),
    "/v1/grants/proposals/{proposal}": ("GET", {}),
    "/v1/grants/emergencies": (
        "POST",
        {"holder": "organization:ren-she", "dataset": "420000.resident", "purpose": "x", "basis": "x", "reasons": "x"},
    ),
    "/v1/grants/{grant}/suspension": ("POST", {"reasons": "由", "rectify_by": UNTIL}),
    "/v1/grants/{grant}/rectification": ("POST", {"text": "改"}),
    "/v1/grants/{grant}/resumption": ("POST", {}),
    "/v1/grants/{grant}/review": ("POST", {"text": "审"}),
    "/v1/grants/{grant}/end": ("POST", {"reasons": "由"}),
    "/v1/grants/{grant}/usage": (
        "POST",
        {"scenario": "x", "course": "x", "effect": "x", "storage": "x", "disposal": "x"},
    ),
    "/v1/grants/{grant}": ("GET", {}),
    "/v1/tiers": ("POST", {"rules": [], "reason": "x"}),
    "/v1/tiers/{version}/approval": ("POST", {"digest": "0" * 64}),
    "/v1/tiers/{version}/simulation": ("GET", {}),
    "/v1/tiers/{version}": ("GET", {}),
}
LISTS = ("/v1/requests", "/v1/grants", "/v1/grants/proposals", "/v1/tiers")
WITH_OBJECT = [path for path in VERBS if re.search(r"\{(request|proposal|grant)\}", path)]
WITH_BODY = [path for path, (_, body) in VERBS.items() if body]


def at(path: str, object_: str) -> str:
    return re.sub(r"\{(request|proposal|grant)\}", object_, path).replace("{version}", "1")


def test_the_matrix_has_every_endpoint_of_these_resources(stage: Stage):
    document = stage("ask", "GET", "/v1/openapi.json").json()
    ours = re.compile(r"/v1/(requests|grants|tiers)")
    found = {(path, verb.upper()) for path, verbs in document["paths"].items() if ours.match(path) for verb in verbs}
    tried = {(path, method) for path, (method, _) in VERBS.items()} | {(path, "GET") for path in LISTS}
    assert found - tried == {("/v1/grants/{grant}/usage", "GET")}
    assert tried <= found


@pytest.mark.parametrize("path", [*VERBS, *LISTS])
def test_without_a_token_there_is_no_answer(stage: Stage, path: str):
    method, body = VERBS.get(path, ("GET", {}))
    answer = stage.client.request(method, at(path, ABSENT), json=body)
    assert answer.status_code == 401


@pytest.mark.parametrize("path", WITH_OBJECT)
@pytest.mark.parametrize("who", ["other", "min-zheng"])
def test_a_foreign_object_is_as_if_it_were_absent(stage: Stage, path: str, who: str):
    method, body = VERBS[path]
    foreign = stage.asked() if "{request}" in path else stage.given()
    answers = [stage(who, method, at(path, one), **body) for one in (foreign, ABSENT)]
    assert [answer.status_code for answer in answers] == [404, 404]
    texts = {answer.text.replace(foreign, "…").replace(ABSENT, "…") for answer in answers}
    assert len(texts) == 1
    shown = [stage(who, "GET", one).text for one in ("/v1/requests", "/v1/grants", "/v1/grants/proposals")]
    assert foreign not in "".join(shown)


@pytest.mark.parametrize("path", WITH_BODY)
@pytest.mark.parametrize(
    "extra",
    [
        {"id": ABSENT},
        {"state": "active"},
        {"approved_by": "person:x"},
        {"provider": "ren-she"},
        {"share": "unconditional"},
    ],
)
def test_members_that_nobody_asked_for_are_refused(stage: Stage, path: str, extra: dict[str, Any]):
    method, body = VERBS[path]
    refused(stage("root2", method, at(path, ABSENT), **(body | extra)), 422, "request_invalid")


@pytest.mark.parametrize("who", ["ask", "ren-she", "aud"])
def test_who_may_see_may_not_therefore_decide(stage: Stage, who: str):
    request, grant = stage.asked(), stage.given()
    for path in ("notice", "acceptance", "refusal", "extension", "extension/consent", "delivery"):
        method, body = VERBS[f"/v1/requests/{{request}}/{path}"]
        refused(stage(who, method, f"/v1/requests/{request}/{path}", **body), 403, "role_needed")
    for path in ("suspension", "resumption", "review"):
        method, body = VERBS[f"/v1/grants/{{grant}}/{path}"]
        refused(stage(who, method, f"/v1/grants/{grant}/{path}", **body), 403, "role_needed")


@pytest.mark.parametrize(
    "changes",
    [
        {"basis": "a\x00b"},
        {"rows": {"field": "division_code", "prefix": "42\x00"}},
        {"rows": {"field": "1; DROP TABLE request", "known": True}},
        {"fields": {"name": "opened"}},
        {"methods": ["carrier pigeon"]},
        {"valid_until": "2027-01-01T00:00:00"},
        {"dataset": "x" * 100},
        {"dataset": "420000.a\x00"},
        {"valid_from": "0001-01-01T00:00:00+08:00", "valid_until": "0001-02-01T00:00:00+08:00"},
        {"valid_from": None, "valid_until": "9999-12-31T23:59:59-08:00"},
        {"scenario": "x" * 1_001},
    ],
)
def test_an_element_that_cannot_be_is_refused_in_words(stage: Stage, changes: dict[str, Any]):
    answer = stage("ask", "POST", "/v1/requests", **(ASKED | changes))
    assert answer.status_code == 422, answer.text


def test_lists_are_paged_and_hold_what_one_may_know(stage: Stage):
    made = [stage.asked(scenario=f"场景{number}") for number in range(3)]
    first = stage("ask", "GET", "/v1/requests?limit=2").json()
    assert len(first["requests"]) == 2
    found, after = [one["id"] for one in first["requests"]], first["next"]
    while after:
        page = stage("ask", "GET", f"/v1/requests?limit=50&after={after}").json()
        found += [one["id"] for one in page["requests"]]
        after = page["next"]
    assert found == sorted(found)
    assert set(made) <= set(found)
    assert stage("other", "GET", "/v1/requests").json() == {"requests": [], "next": None}
    assert stage("ask", "GET", "/v1/grants/proposals").json() == {"proposals": [], "next": None}
