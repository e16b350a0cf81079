"""Simulation as an approver meets it: over HTTP and at the command line, on what was really asked and refused."""

import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from authorization_stage import ABSENT, ASKED, Stage, authorization_stage
from release_maker import residents, take

from catalog.tier import DEFAULT_TIERS
from catalog.tier_text import text_of_tiers
from hub.cli import main
from hub.store.connect import connect

RECORDS = "/v1/datasets/420000.resident/records"


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    with authorization_stage(database_url) as made:
        with connect(database_url, "test", autocommit=True) as conn:
            take(conn, "420000.resident", [*residents(21), *residents(5, "420502")])
        yield made


def ask_for_records(stage: Stage, times: int, purpose: str = ASKED["scenario"]) -> httpx.Response:
    headers = {"authorization": f"Bearer {stage.organization_tokens['ren-she']}", "hub-purpose": quote(purpose)}
    answers = [stage.client.get(RECORDS, headers=headers) for _ in range(times)]
    assert len({answer.status_code for answer in answers}) == 1
    return answers[0]


def proposed(stage: Stage) -> dict[str, Any]:
    request = stage.asked()
    assert stage("prov", "POST", f"/v1/requests/{request}/acceptance", consent="同意").status_code == 200
    return stage("prov", "POST", "/v1/grants/proposals", request=request).json()


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def hub(stage: Stage, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setenv("HUB_DATABASE_URL", stage.door.database_url)
    monkeypatch.setenv("HUB_LANGUAGE", "en")
    monkeypatch.setattr(sys, "argv", ["hub", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code if isinstance(ended.value.code, int) else 0


def test_an_approver_sees_what_would_open_before_it_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert ask_for_records(stage, 3).status_code == 403
    assert ask_for_records(stage, 2, "别的").status_code == 403
    made = proposed(stage)
    address = f"/v1/grants/proposals/{made['id']}/simulation"
    found = stage("rev", "GET", f"{address}?days=7")
    assert found.status_code == 200, found.text
    shown = found.json()
    assert shown["requests"] == {
        "recorded": 5, "opened": 3, "closed": 0, "changed": 0, "same": 2, "unreadable": 0, "left_out": 0,
    }  # fmt: skip
    assert shown["fields"] == [
        {"field": "name", "before": "withheld", "after": "masked"},
        {"field": "division_code", "before": "withheld", "after": "clear"},
    ]
    assert [(one["kind"], one["requests"], one["fields"]) for one in shown["differences"]] == [
        ("opened", 3, shown["fields"])
    ]
    assert [(one["rule"], one["requests"]) for one in shown["still_refused"]] == [("grant.purpose", 2)]
    assert shown["coverage"]["records"] == {"in_all": 20, "beyond": 20}
    assert shown["coverage"]["persons"] == {"in_all": 20, "beyond": 20}
    assert hub(stage, monkeypatch, "grant", "simulate", made["id"], "--as", "rev", "--days", "7", "--json") == 0
    assert json.loads(capsys.readouterr().out) | {"moment": ""} == shown | {"moment": ""}
    assert hub(stage, monkeypatch, "grant", "simulate", made["id"], "--as", "rev") == 0
    said = capsys.readouterr().out
    assert "3 would open" in said
    assert "covers 20 records, 20 of them beyond present grants" in said
    assert "name: withheld → masked" in said
    approval = f"/v1/grants/proposals/{made['id']}/approval"
    assert stage("rev", "POST", approval, digest=made["digest"]).status_code == 200
    assert ask_for_records(stage, 1).status_code == 200
    refused(stage("rev", "GET", address), 409, "proposal_decided")


def test_who_may_not_approve_may_not_simulate(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    made = proposed(stage)
    address = f"/v1/grants/proposals/{made['id']}/simulation"
    assert stage("prov", "GET", address).status_code == 200
    refused(stage("aud", "GET", address), 403, "role_needed")
    for who in ("ask", "ren-she", "other"):
        refused(stage(who, "GET", address), 404, "proposal_unknown")
    refused(stage("rev", "GET", f"/v1/grants/proposals/{ABSENT}/simulation"), 404, "proposal_unknown")
    for days in ("0", "367", "x"):
        refused(stage("rev", "GET", f"{address}?days={days}"), 422, "request_invalid")
    assert hub(stage, monkeypatch, "grant", "simulate", made["id"], "--as", "ask") == 1
    assert capsys.readouterr().out == ""


def test_an_administrator_sees_who_would_lose_what_under_another_table(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stage.given()
    assert ask_for_records(stage, 2).status_code == 200
    rules = json.loads(text_of_tiers(DEFAULT_TIERS))
    for rule in rules:
        if (rule["tier"], rule["granted"]) == ("department", True):
            rule["clear_level"], rule["treated_level"], rule["named_level"] = 0, 0, 0
    version = stage("root2", "POST", "/v1/tiers", rules=rules, reason="收紧").json()["version"]
    shown = stage("root", "GET", f"/v1/tiers/{version}/simulation").json()
    assert shown["requests"]["closed"] == 2
    [lost] = shown["differences"]
    assert (lost["caller"], lost["kind"]) == ("organization:ren-she", "closed")
    assert {one["after"] for one in lost["fields"]} == {"withheld"}
    for who, status in (("rev", 403), ("prov", 403), ("aud", 403)):
        refused(stage(who, "GET", f"/v1/tiers/{version}/simulation"), status, "role_needed")
    refused(stage("root", "GET", "/v1/tiers/999/simulation"), 404, "tier_version_unknown")
    assert hub(stage, monkeypatch, "tier", "simulate", str(version), "--as", "root") == 0
    assert "2 would be refused" in capsys.readouterr().out
