"""The way out over real tables: what a page holds, who may have it, and what it leaves behind."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from release_maker import (
    DEPARTMENT,
    MASKED,
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
from catalog.errors import DatasetUnknown
from hub.release.errors import (
    CursorWrong,
    FormatNotOffered,
    RecordAbsent,
    ReleaseRefused,
)
from hub.release.gate import Gate
from hub.release.page import Answer
from schemas.errors import HubError


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


def following(answer: Answer) -> str | None:
    link = json.loads(answer.body).get("next")
    return None if link is None else str(link).partition("cursor=")[2]


# Who may have what ---------------------------------------------------------------------------------------------------


def test_each_caller_has_the_same_records_in_its_own_way(out: WayOut):
    out.grant(rows={"field": "division_code", "prefix": "4201"})
    first = records(out.get(DEPARTMENT, RESIDENT, "limit=1"))[0]
    assert first["id_number"] == "4****************X"
    assert first["name"] == "张一"
    assert first["address"] == "湖北省武汉市***"
    assert "marital_status" not in first
    own = records(out.get(OWNER, RESIDENT, "limit=1", purpose="数据核对"))[0]
    assert own["id_number"] == "42010219600101000X"
    for caller in (PUBLIC, OTHER):
        with pytest.raises(ReleaseRefused) as refused:
            out.get(caller, RESIDENT)
        assert refused.value.rule == "open.persons"


def test_the_public_may_have_what_is_open_and_a_refusal_is_explained(out: WayOut):
    assert len(records(out.get(PUBLIC, PLACE, "limit=3", purpose=None))) == 3
    out.grant()
    with pytest.raises(ReleaseRefused) as refused:
        out.get(DEPARTMENT, RESIDENT, purpose="别的用途")
    assert refused.value.rule == "grant.purpose"
    assert "hub-purpose" in refused.value.advice_en
    assert refused.value.decision in str(out.leaves("release.refused"))


def test_a_row_filter_holds_for_pages_counts_and_single_records(out: WayOut):
    out.take(RESIDENT, residents(5, "420202"))
    own = records(out.get(OWNER, RESIDENT, "limit=100", purpose="x"))
    assert len(own) == 25
    out.grant(rows={"field": "division_code", "prefix": "4201"})
    page = json.loads(out.get(DEPARTMENT, RESIDENT, "limit=100&count=exact").body)
    assert page["count"] == {"kind": "exact", "value": 20}
    assert {one["division_code"] for one in page["records"]} == {"420102"}
    assert records(out.get(DEPARTMENT, RESIDENT, "division_code=420202")) == []


def test_where_the_entry_does_not_stand_nothing_is_known(out: WayOut):
    out.conn.execute("UPDATE secrecy_review SET passed = false")
    for caller in (PUBLIC, DEPARTMENT):
        with pytest.raises(DatasetUnknown):
            out.get(caller, PLACE, purpose=None)
    with pytest.raises(DatasetUnknown):
        out.get(PUBLIC, "420000.nothing", purpose=None)
    with pytest.raises(ReleaseRefused):  # the owner knows of its own
        out.get(OWNER, RESIDENT)


# Changes take effect on the next request ------------------------------------------------------------------------------


def test_a_grant_that_ends_between_two_pages_ends_the_second(out: WayOut):
    given = out.grant()
    page = out.get(DEPARTMENT, RESIDENT, "limit=2")
    out.end(given)
    with pytest.raises(ReleaseRefused):
        out.get(DEPARTMENT, RESIDENT, [("limit", "2"), ("cursor", following(page) or "")])


def test_a_raised_level_takes_effect_on_the_next_request(out: WayOut):
    out.grant()
    assert records(out.get(DEPARTMENT, RESIDENT, "limit=1"))[0]["name"] == "张一"
    out.raise_level(RESIDENT, "name", 4)
    assert records(out.get(DEPARTMENT, RESIDENT, "limit=1"))[0]["name"] == "张**"


def test_a_decision_overtaken_while_its_statement_runs_gives_nothing(out: WayOut, monkeypatch: pytest.MonkeyPatch):
    given = out.grant()
    out.get(DEPARTMENT, RESIDENT, "limit=1")
    remembered = Gate.remembered

    def ends_meanwhile(gate: Gate, *key: Any) -> Any:
        found = remembered(gate, *key)
        out.end(given)
        return found

    monkeypatch.setattr(Gate, "remembered", ends_meanwhile)
    with pytest.raises(ReleaseRefused):
        out.get(DEPARTMENT, RESIDENT, "limit=1")
    assert [leaf["action"] for leaf in out.leaves()] == ["release.page", "release.refused"]


def test_a_grant_ends_with_its_term_although_nothing_changed(out: WayOut):
    out.grant(valid_until=out.now + timedelta(hours=1))
    out.get(DEPARTMENT, RESIDENT)
    out.now += timedelta(hours=1)
    with pytest.raises(ReleaseRefused):
        out.get(DEPARTMENT, RESIDENT)


def test_a_new_grant_is_used_on_the_next_request(out: WayOut):
    with pytest.raises(ReleaseRefused):
        out.get(DEPARTMENT, RESIDENT)
    out.grant()
    assert records(out.get(DEPARTMENT, RESIDENT))


def test_a_filter_by_a_field_that_has_just_been_opened_is_not_judged_by_the_old_decision(out: WayOut):
    first = out.grant()
    with pytest.raises(HubError):
        out.post(DEPARTMENT, RESIDENT, {"filter": {"field": "phone", "known": True}})
    out.end(first)
    out.grant({**MASKED, "phone": "clear"})
    assert records(out.post(DEPARTMENT, RESIDENT, {"filter": {"field": "phone", "known": True}}))


# Hidden fields, cursors, injection -----------------------------------------------------------------------------------


def told(ask: Callable[[], Any]) -> tuple[str, dict[str, object]]:
    with pytest.raises(HubError) as refused:
        ask()
    return refused.value.code, refused.value.parameters()


@pytest.mark.parametrize("name", ["phone", "marital_status", "address", "_version", "_receipt", "ctid"])
def test_a_hidden_field_is_refused_like_one_that_is_not_there(out: WayOut, name: str):
    out.grant()
    for condition in ({"op": "=", "value": "x"}, {"known": True}, {"prefix": "1"}):
        hidden = told(lambda: out.post(DEPARTMENT, RESIDENT, {"filter": {"field": name, **condition}}))  # noqa: B023 - called at once
        absent = told(lambda: out.post(DEPARTMENT, RESIDENT, {"filter": {"field": "nothing", **condition}}))  # noqa: B023 - called at once
        assert hidden == absent
    assert told(lambda: out.get(DEPARTMENT, RESIDENT, f"sort={name}")) == told(
        lambda: out.get(DEPARTMENT, RESIDENT, "sort=nothing")
    )


def test_another_callers_cursor_and_another_querys_are_refused(out: WayOut):
    out.grant()
    out.grant(holder=OTHER.id)
    cursor = following(out.get(DEPARTMENT, RESIDENT, "limit=2")) or ""
    assert records(out.get(DEPARTMENT, RESIDENT, [("limit", "5"), ("cursor", cursor)]))
    for caller, pairs in (
        (OTHER, [("cursor", cursor)]),
        (DEPARTMENT, [("cursor", cursor), ("sex", "1")]),
        (DEPARTMENT, [("cursor", cursor), ("sort", "sex")]),
        (DEPARTMENT, [("cursor", cursor[:-4] + "AAAA")]),
        (DEPARTMENT, [("cursor", "x")]),
    ):
        with pytest.raises(CursorWrong):
            out.get(caller, RESIDENT, pairs)
    out.now += timedelta(days=1)
    with pytest.raises(CursorWrong):
        out.get(DEPARTMENT, RESIDENT, [("cursor", cursor)])


@pytest.mark.parametrize("text", ["' OR true --", '"; DROP TABLE x; --', "%s", "%(p0)s", "{}", "\\", "$1", "𠀀"])
def test_values_are_no_way_into_the_statement(out: WayOut, text: str):
    assert records(out.get(PUBLIC, PLACE, [("division_code", f"eq:{text}")], purpose=None)) == []
    assert records(out.get(PUBLIC, PLACE, [("name", f"prefix:{text}")], purpose=None)) == []
    with pytest.raises(RecordAbsent):
        out.record(PUBLIC, PLACE, text, purpose=None)
    with pytest.raises(HubError):
        out.get(PUBLIC, PLACE, [("sort", text)], purpose=None)
    assert len(records(out.get(PUBLIC, PLACE, "limit=100", purpose=None))) == 20


# Single records ------------------------------------------------------------------------------------------------------


def test_a_record_is_had_by_the_reference_it_carries(out: WayOut):
    out.grant()
    for caller, dataset, purpose in ((DEPARTMENT, RESIDENT, PURPOSE), (PUBLIC, PLACE, None)):
        for one in records(out.get(caller, dataset, "limit=20", purpose=purpose)):
            assert json.loads(out.record(caller, dataset, one["_ref"], purpose=purpose).body) == one


def test_an_opaque_reference_is_of_one_holder_and_shows_nothing(out: WayOut):
    out.grant()
    out.grant(holder=OTHER.id)
    ours, theirs = (records(out.get(caller, RESIDENT, "limit=1"))[0]["_ref"] for caller in (DEPARTMENT, OTHER))
    assert ours != theirs
    for reference in (theirs, "42010219600101000X", ours[:-2], "", "%", "x" * 5_000):
        with pytest.raises(RecordAbsent) as absent:
            out.record(DEPARTMENT, RESIDENT, reference)
        assert set(absent.value.parameters()) == {"dataset", "decision"}


def test_a_key_that_is_not_given_clear_is_no_reference_either(out: WayOut):
    out.raise_level(PLACE, "name", 2)
    first = records(out.get(PUBLIC, PLACE, "limit=1", purpose=None))[0]
    assert "name" not in first
    assert "place" not in first["_ref"]
    assert json.loads(out.record(PUBLIC, PLACE, first["_ref"], purpose=None).body) == first
    with pytest.raises(RecordAbsent):
        out.record(PUBLIC, PLACE, "place-001", purpose=None)


def test_a_look_up_of_what_is_not_there_is_in_the_ledger_too(out: WayOut):
    out.grant()
    with pytest.raises(RecordAbsent) as absent:
        out.record(DEPARTMENT, RESIDENT, "nothing")
    leaf = out.leaves("release.record")[0]
    assert (leaf["id"], leaf["rows"], leaf["bytes"]) == (absent.value.decision, 0, 0)


# ETag ----------------------------------------------------------------------------------------------------------------


def test_an_etag_is_of_the_records_and_of_who_may_have_them(out: WayOut):
    given = out.grant()
    first = out.get(DEPARTMENT, RESIDENT, "limit=3")
    etag = dict(first.headers)["etag"]
    again = out.get(DEPARTMENT, RESIDENT, "limit=3", if_none_match=f'"x", {etag}')
    assert (again.status, again.body) == (304, b"")
    assert out.leaves()[-1]["rows"] == 0
    out.grant(holder=OTHER.id)
    assert dict(out.get(OTHER, RESIDENT, "limit=3").headers)["etag"] != etag
    out.take(RESIDENT, [residents(1)[0] | {"name": "李四"}], version=2)
    assert out.get(DEPARTMENT, RESIDENT, "limit=3", if_none_match=etag).status == 200
    out.end(given)
    with pytest.raises(ReleaseRefused):
        out.get(DEPARTMENT, RESIDENT, "limit=3", if_none_match=etag)


def test_geojson_is_offered_where_there_is_a_position(out: WayOut):
    out.grant()
    with pytest.raises(FormatNotOffered) as refused:
        out.get(DEPARTMENT, RESIDENT, form="geojson")
    assert "geojson" not in refused.value.offered
    with pytest.raises(FormatNotOffered):
        out.get(PUBLIC, PLACE, "fields=name", purpose=None, form="geojson")


def test_many_threads_get_their_own_answers(out: WayOut):
    out.grant()
    expected = {one["_ref"]: one for one in records(out.get(DEPARTMENT, RESIDENT, "limit=20"))}
    wrong: list[str] = []

    def read(references: list[str]) -> None:
        for reference in references:
            found = json.loads(out.record(DEPARTMENT, RESIDENT, reference).body)
            if found != expected[reference]:
                wrong.append(reference)

    threads = [threading.Thread(target=read, args=(list(expected),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(out.leaves("release.record")) == 160
    assert len({leaf["id"] for leaf in out.leaves()}) == 161
