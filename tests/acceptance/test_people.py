"""People's accounts over HTTP: who may do what to whom."""

import json
from typing import Any

import pytest
from people_stage import PeopleStage, code_of, people_stage
from running_door import RunningDoor

from hub.store.connect import connect

NOTHING = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def stage(door: RunningDoor) -> PeopleStage:
    return people_stage(door)


# People --------------------------------------------------------------------------------------------------------------


def test_an_administrator_makes_an_account_whose_password_is_shown_once(stage: PeopleStage):
    body = {"login": "made", "display_name": "张三", "organization": "gong-an", "roles": ["reviewer"]}
    answer = stage.call("root", "POST", "/v1/people", body)
    assert answer.status_code == 201
    made = answer.json()
    assert len(made["password"]) >= 16
    assert made["person"]["roles"] == ["reviewer"]
    assert code_of(stage.call("root", "POST", "/v1/people", body)) == (409, "login_taken")
    listed = stage.call("audit", "GET", "/v1/people?limit=1000")
    assert made["password"] not in listed.text
    assert "person" not in listed.json()["people"][0]
    assert "made" in [one["login"] for one in listed.json()["people"]]


def test_people_are_listed_page_by_page(stage: PeopleStage):
    seen: list[str] = []
    path = "/v1/people?limit=3"
    while path:
        page = stage.call("root", "GET", path).json()
        seen += [one["login"] for one in page["people"]]
        path = page["next"]
    assert seen == sorted(set(seen))
    assert {"root", "dev", "plain"} <= set(seen)


VERBS: list[tuple[str, str, object]] = [
    ("GET", "/v1/people", None),
    ("POST", "/v1/people", {"login": "nobody", "display_name": "x"}),
    ("POST", "/v1/people/{person}/roles", {"give": ["auditor"]}),
    ("PUT", "/v1/people/{person}/approval", {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}),
    ("DELETE", "/v1/people/{person}/approval", None),
    ("POST", "/v1/people/{person}/suspend", {"reason": "x"}),
    ("POST", "/v1/people/{person}/resume", {"reason": "x"}),
    ("POST", "/v1/people/{person}/password", None),
    ("POST", "/v1/applications/{application}/resume", {"reason": "x"}),
]


@pytest.mark.parametrize(("method", "path", "body"), VERBS)
def test_an_administrators_act_is_refused_to_everyone_else(stage: PeopleStage, method: str, path: str, body: object):
    address = path.format(person=stage.accounts["plain"].id, application=stage.app.id)
    others = ["dev", "stella", "org-dev", "plain", "root-again", *(["audit"] if method != "GET" else [])]
    for login in others:
        assert code_of(stage.call(login, method, address, body)) == (403, "role_needed"), login
    assert code_of(stage.call(None, method, address, body)) == (401, "not_authenticated")
    with stage.door.client("gong-an") as client:
        assert client.request(method, address, json=body).status_code == 403
    for way in ({"x-http-method-override": "DELETE"}, {"x-forwarded-user": "root"}, {"x-original-url": "/v1/me"}):
        with stage.client("plain") as client:
            assert client.request(method, address, json=body, headers=way).status_code == 403
    for bent in (address + "/", address.replace("/v1", "/V1"), address.replace("/v1/", "/v1/%2e/")):
        assert stage.call("plain", method, bent, body).status_code in {403, 404, 405}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [one for one in VERBS if one[2] is not None]
    + [
        ("POST", "/v1/applications", {"name": "x"}),
        ("POST", "/v1/applications/{application}/keys", {"days": 5}),
        ("PUT", "/v1/applications/{application}/redirect-uris", {"redirect_uris": []}),
        ("POST", "/v1/me/password", {"present": "x", "next": "y" * 12}),
    ],
)
@pytest.mark.parametrize("extra", ["id", "organization_id", "roles_given", "approved_by", "person", "suspended_at"])
def test_a_member_nobody_asked_for_is_refused(stage: PeopleStage, method: str, path: str, body: Any, extra: str):
    address = path.format(person=stage.accounts["plain"].id, application=stage.app.id)
    answer = stage.call("root", method, address, {**body, extra: "x"})
    assert code_of(answer) == (422, "request_invalid")


def test_nobody_gives_himself_anything_through_another_account_neither(stage: PeopleStage):
    term = {"from": "2026-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"}
    for login in ("root", "root-again"):
        person = f"/v1/people/{stage.accounts[login].id}"
        for method, path, body in (
            ("POST", "/roles", {"give": ["auditor"]}),
            ("PUT", "/approval", term),
            ("POST", "/resume", {"reason": "x"}),
        ):
            assert code_of(stage.call("root", method, person + path, body)) == (403, "other_person_needed")
    third = {"login": "root-third", "display_name": "x", "roles": ["auditor"], "person_of": "root-again"}
    assert code_of(stage.call("root", "POST", "/v1/people", third)) == (403, "other_person_needed")
    assert stage.call("root2", "POST", f"/v1/people/{stage.accounts['root'].id}/roles", {"give": ["auditor"]}).json()[
        "roles"
    ] == ["administrator", "auditor"]
    given_up = stage.call("root", "POST", f"/v1/people/{stage.accounts['root'].id}/roles", {"take": ["auditor"]})
    assert given_up.json()["roles"] == ["administrator"]


def test_two_accounts_of_one_person_are_two_callers_of_one_person(stage: PeopleStage):
    one, other = (stage.call(login, "GET", "/v1/me").json() for login in ("root", "root-again"))
    assert one["id"] != other["id"]
    assert "administrator" in one["roles"]
    assert other["roles"] == []


def test_an_unknown_person_is_said_to_be_so(stage: PeopleStage):
    for path in (f"/v1/people/{NOTHING}/roles",):
        assert code_of(stage.call("root", "POST", path, {"give": ["auditor"]})) == (404, "person_unknown")
    assert stage.call("root", "POST", "/v1/people/not-a-uuid/roles", {}).status_code == 422
    body = {"login": "x1", "display_name": "x", "organization": "nowhere"}
    assert code_of(stage.call("root", "POST", "/v1/people", body)) == (404, "organization_unknown")


@pytest.mark.parametrize("login", ["A", "1a", "a b", "a", "ä" * 5, "x" * 65, "a\x00b", "root'--"])
def test_a_strange_login_is_refused(stage: PeopleStage, login: str):
    assert stage.call("root", "POST", "/v1/people", {"login": login, "display_name": "x"}).status_code == 422


def test_every_act_is_a_leaf_without_names(stage: PeopleStage):
    account = stage.add("leafy", "developer")
    person = f"/v1/people/{account.id}"
    term = {"from": "2026-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"}
    why = {"reason": "a word of nobody's business"}
    own = f"/v1/applications/{stage.call('leafy', 'POST', '/v1/applications', {'name': 'leafy app'}).json()['id']}"
    key = stage.call("leafy", "POST", f"{own}/keys", {}).json()["id"]
    chosen = {"present": account.password, "next": "a much better password"}
    answers = [
        stage.call("leafy", "DELETE", f"{own}/keys/{key}"),
        stage.call("leafy", "PUT", f"{own}/redirect-uris", {"redirect_uris": []}),
        stage.call("leafy", "POST", f"{own}/suspend", why),
        stage.call("root", "POST", f"{own}/resume", why),
        stage.call("leafy", "POST", "/v1/me/password", chosen),
        stage.call("root", "POST", f"{person}/roles", {"give": ["auditor"]}),
        stage.call("root", "PUT", f"{person}/approval", term),
        stage.call("root", "DELETE", f"{person}/approval"),
        stage.call("root", "POST", f"{person}/suspend", why),
        stage.call("root", "POST", f"{person}/resume", why),
        stage.call("root", "POST", f"{person}/password"),
    ]
    assert {answer.status_code for answer in answers} <= {200, 204}
    with connect(stage.door.database_url, "test") as conn:
        rows = conn.execute("SELECT convert_from(bytes, 'UTF8') FROM ledger_leaf ORDER BY xid, id").fetchall()
    objects = {f"person:{account.id}", f"application:{own.rpartition('/')[2]}"}
    actions = [leaf["action"] for (text,) in rows if (leaf := json.loads(text))["object"] in objects]
    assert actions == [
        "person.added",
        "application.added",
        "application.key_added",
        "application.key_revoked",
        "application.redirects_changed",
        "application.suspended",
        "application.resumed",
        "person.password_changed",
        "person.roles_changed",
        "person.approved",
        "person.approval_ended",
        "person.suspended",
        "person.resumed",
        "person.password_reset",
    ]
    for word in ("leafy", "leafy app", "name of", "nobody's business", account.password, account.login):
        assert word not in " ".join(text for (text,) in rows)
