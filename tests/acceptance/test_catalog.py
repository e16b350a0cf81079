# pyright: reportArgumentType=false, reportOperatorIssue=false, reportUnusedExpression=false
# pyright: reportOptionalSubscript=false, reportIncompatibleMethodOverride=false, reportReturnType=false
"""The catalogue through HTTP and the command line: search, entries, refusals, DCAT."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import rdflib
from entry_maker import NOW, given, office, publish, register
from running_door import RunningDoor

from hub.acts import entries
from hub.store.connect import connect

DCAT = rdflib.Namespace("http://www.w3.org/ns/dcat#")
DCT = rdflib.Namespace("http://purl.org/dc/terms/")
MARRIAGE, DIVISION, PLACE = "420000.marriage", "420000.division", "420000.place"


@pytest.fixture(scope="module")
def filled(door: RunningDoor) -> Iterator[RunningDoor]:
    """division and resident are in force, place is a draft, marriage is shared but not open."""
    with connect(door.database_url, "test") as conn:
        register(conn, "resident", "marriage", "registration")
        conn.execute("UPDATE dataset SET organization = 'min-zheng' WHERE id = %s", [DIVISION])
        for name in ("division", "marriage", "registration", "resident"):
            publish(conn, name)
        entries.draft(conn, office("min-zheng").steward, PLACE, given("place"), NOW)
        conn.commit()
    return door


def page(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.get("/v1/catalog/entries", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def datasets(found: dict[str, Any]) -> list[str]:
    return [one["dataset"] for one in found["entries"]]


def test_everyone_searches_and_finds_what_they_may_know_of(filled: RunningDoor):
    with filled.client(None) as public, filled.client("gong-an") as police, filled.client("min-zheng") as owner:
        assert datasets(page(public, q="江岸")) == [DIVISION]
        assert MARRIAGE not in datasets(page(public, q="婚姻"))
        assert datasets(page(police, q="婚姻"))[0] == MARRIAGE
        assert datasets(page(police, q="地名")) == []
        assert datasets(page(owner, q="地名点位")) == [PLACE]
        totals = [page(client, facets=True) for client in (public, police, owner)]
    assert [one["total"] for one in totals] == [3, 4, 5]
    assert [sum(one["facets"]["base"].values()) for one in totals] == [3, 4, 5]
    assert totals[0]["facets"]["share"] == {"unconditional": 1, "conditional": 2}
    assert "draft" not in totals[1]["facets"]["state"]


def test_pages_follow_one_another(filled: RunningDoor):
    with filled.client("min-zheng") as client:
        seen, address = [], "/v1/catalog/entries?limit=2"
        while address is not None:
            found = client.get(address).json()
            seen += datasets(found)
            address = found["next"]
        assert seen == datasets(page(client, limit=100))


def test_an_entry_has_every_element_and_an_etag(filled: RunningDoor):
    with filled.client(None) as client:
        answer = client.get(f"/v1/catalog/entries/{DIVISION}")
        assert answer.status_code == 200
        found = answer.json()
        again = client.get(f"/v1/catalog/entries/{DIVISION}", headers={"if-none-match": answer.headers["etag"]})
    assert (found["state"], found["secrecy_passed"], found["work"]) == ("published", True, None)
    assert found["entry"]["code"] == "103001/1"
    assert [item["level"] for item in found["entry"]["items"]] == [1, 1, 1, 1]
    assert found["freshness"]["state"] == "empty"
    assert (again.status_code, again.content) == (304, b"")
    assert "authorization" in answer.headers["vary"]


def test_etags_differ_by_who_asks(filled: RunningDoor):
    with filled.client(None) as public, filled.client("min-zheng") as owner:
        tags = [client.get(f"/v1/catalog/entries/{DIVISION}").headers["etag"] for client in (public, owner)]
    assert len(set(tags)) == 2


@pytest.mark.parametrize("path", ["", "/versions", "/versions/1..1", "?version=1"])
def test_what_may_not_be_known_of_is_as_absent_as_what_is_not(filled: RunningDoor, path: str):
    for organization, dataset in ((None, MARRIAGE), (None, PLACE), ("gong-an", PLACE)):
        with filled.client(organization) as client:
            foreign = client.get(f"/v1/catalog/entries/{dataset}{path}")
            absent = client.get(f"/v1/catalog/entries/420000.absent{path}")
        assert foreign.status_code == absent.status_code == 404
        assert foreign.text.replace(dataset, "X") == absent.text.replace("420000.absent", "X")


def test_versions_and_changes_are_read_by_the_owner(filled: RunningDoor):
    with connect(filled.database_url, "test") as conn:
        publish(conn, "registration", update_cycle="weekly")
        conn.commit()
    with connect(filled.database_url, "test") as conn:
        from hub.identity.organization_tokens import issue

        token = issue(conn, "shi-chang", NOW.now(NOW.tzinfo)).token
        conn.commit()
    headers = {"authorization": f"Bearer {token}"}
    with filled.client(None, **headers) as owner, filled.client("gong-an") as other:
        dataset = "/v1/catalog/entries/420000.registration"
        assert [one["version"] for one in owner.get(f"{dataset}/versions").json()["versions"]] == [2, 1]
        changes = owner.get(f"{dataset}/versions/1..2").json()
        assert changes["changes"] == [{"element": "update_cycle", "before": "daily", "after": "weekly"}]
        assert [one["version"] for one in other.get(f"{dataset}/versions").json()["versions"]] == [2]
        assert other.get(f"{dataset}/versions/1..2").status_code == 404


ACTS: dict[str, dict[str, Any]] = {
    "draft": given("division") | {"region": "420000"},
    "submit": {"version": 1, "sm3": "0" * 64},
    "review": {"version": 1, "sm3": "0" * 64},
    "secrecy-review": {"version": 1, "sm3": "0" * 64, "passed": True, "opinion": "可"},
    "send-back": {"version": 1, "reasons": "不妥"},
    "publish": {"version": 1, "sm3": "0" * 64},
    "withdraw": {"reasons": "不妥"},
    "levels": {"field": "name", "level": 4, "reasons": "不妥"},
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("dataset", [DIVISION, PLACE, "420000.absent"])
def test_acts_take_a_token_and_a_role_and_know_no_member_too_many(filled: RunningDoor, act: str, dataset: str):
    address = f"/v1/catalog/entries/{dataset}/{act}"
    with filled.client(None) as public, filled.client("min-zheng") as machine:
        assert public.post(address, json=ACTS[act]).status_code == 401
        refused = machine.post(address, json=ACTS[act])
        assert (refused.status_code, refused.json()["code"]) == (403, "role_needed")
        assert machine.post(address, json=ACTS[act] | {"approved_by": "me"}).status_code == 422
        assert machine.post(address, json={}).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "cursor=x", "cursor=W10=", "region=4x", "share=secret", "format=8", "state=none"),
        *("q=" + "字" * 101, "base='%20OR%201=1", "version=x", "cursor=W3RydWUsMCwiXHUwMDAwIiwiIiwwXQ=="),
    ],
)
def test_a_search_that_breaks_its_rules_is_refused(filled: RunningDoor, query: str):
    with filled.client(None) as client:
        answer = client.get(f"/v1/catalog/entries?{query}")
    assert answer.status_code == 422


@pytest.mark.parametrize("text", ["%", "_", "'; DROP TABLE entry_listing; --", "\\", "a\x00b", "江%岸", "((("])
def test_whatever_is_typed_is_only_looked_for(filled: RunningDoor, text: str):
    with filled.client(None) as client:
        assert client.get("/v1/catalog/entries", params={"q": text}).status_code == 200
        assert page(client)["total"] == 3


def test_a_wrong_token_is_refused_and_not_taken_for_the_public(filled: RunningDoor):
    with filled.client(None, authorization="Bearer hub_" + "x" * 43) as client:
        assert client.get("/v1/catalog/entries").status_code == 401
        assert client.get("/v1/catalog/dcat").status_code == 401


# DCAT ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "form"), [("text/turtle", "turtle"), ("application/ld+json", "json-ld"), ("*/*", "json-ld")]
)
def test_the_catalogue_is_dcat_that_others_can_read(filled: RunningDoor, accept: str, form: str):
    graph = _graph(filled, None, accept, form)
    found = {str(one).rsplit("/", 1)[-1] for one in graph.subjects(rdflib.RDF.type, DCAT.Dataset)}
    assert found == {"420000.division", "420000.registration", "420000.resident"}
    (catalog,) = graph.subjects(rdflib.RDF.type, DCAT.Catalog)
    assert len(set(graph.objects(catalog, DCAT.dataset))) == 3
    (division,) = (one for one in graph.subjects(rdflib.RDF.type, DCAT.Dataset) if str(one).endswith(DIVISION))
    assert rdflib.Literal("行政区划名录", lang="zh") in set(graph.objects(division, DCT.title))
    assert len(set(graph.objects(division, DCAT.distribution))) == 4
    access = {str(one) for one in graph.objects(None, DCAT.accessURL) if DIVISION in str(one)}
    assert {one.rsplit("/v1/", 1)[-1] for one in access} == {
        f"datasets/{DIVISION}/records",
        f"datasets/{DIVISION}/export",
        f"catalog/entries/{DIVISION}",
    }
    for one in graph.subjects(rdflib.RDF.type, DCAT.Dataset):
        for wanted in (DCT.title, DCT.description, DCT.publisher, DCT.identifier, DCT.issued, DCT.accrualPeriodicity):
            assert set(graph.objects(one, wanted)), (one, wanted)


def test_both_forms_say_the_same_and_a_department_reads_more(filled: RunningDoor):
    from rdflib.compare import isomorphic

    turtle = _graph(filled, "gong-an", "text/turtle", "turtle")
    assert isomorphic(turtle, _graph(filled, "gong-an", "application/ld+json", "json-ld"))
    found = {str(one).rsplit("/", 1)[-1] for one in turtle.subjects(rdflib.RDF.type, DCAT.Dataset)}
    assert MARRIAGE in found
    assert PLACE not in found


def _graph(door: RunningDoor, organization: str | None, accept: str, form: str) -> rdflib.Graph:
    with door.client(organization, accept=accept) as client:
        answer = client.get("/v1/catalog/dcat")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/turtle" if form == "turtle" else "application/ld+json")
    return rdflib.Graph().parse(data=answer.text, format=form)


# Commands ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(filled: RunningDoor, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs one command on the door's store."""
    from typer.testing import CliRunner

    from hub.cli import program

    monkeypatch.setenv("HUB_DATABASE_URL", filled.database_url)
    monkeypatch.setenv("HUB_LANGUAGE", "en")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(program([arguments[0]]), arguments)
        return done.exit_code, done.stdout

    return run


def test_commands_search_list_and_show_what_the_public_may_know(hub: Callable[..., tuple[int, str]]):
    code, printed = hub("entry", "search", "江岸", "--json")
    assert (code, [one["dataset"] for one in json.loads(printed)]) == (0, [DIVISION])
    code, printed = hub("entry", "list")
    assert code == 0
    assert DIVISION in printed
    assert MARRIAGE not in printed
    code, printed = hub("entry", "show", DIVISION)
    assert json.loads(printed)["entry"]["code"] == "103001/1"
    assert hub("entry", "show", MARRIAGE)[0] == 1
    assert json.loads(hub("entry", "versions", DIVISION, "--json")[1])[0]["state"] == "published"
    assert hub("entry", "changes", DIVISION, "1", "1", "--json") == (0, "[]\n")
