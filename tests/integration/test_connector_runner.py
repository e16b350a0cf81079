"""Exactly once at the connector's side, over a scripted hub: what may be repeated, and what must not."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract_maker import contract_text
from scripted_hub import CONTRACT, ScriptedHub, TakenSilently, Workplace, codes, problem

from connectors import client
from connectors.errors import AccessRefused, BatchRefused, HubUnreachable, Interrupted, StateBusy, StateForeign
from connectors.progress import Silent
from connectors.session import opened_session
from connectors.state import opened_state
from schemas.batch import Limits, walk
from schemas.contract import parse_contract
from schemas.frame import decode


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_a_file_is_sent_in_batches_and_put_away_with_its_report(place: Workplace):
    place.rows("a.csv", 25)
    hub = ScriptedHub()
    [report] = place.run(hub)
    assert report.outcome == "done"
    envelopes = sorted((one for one, _ in hub.taken.values()), key=lambda one: one.first_row)
    assert [(one.first_row, one.records) for one in envelopes] == [(0, 10), (10, 10), (20, 5)]
    assert len({one.run for one in envelopes}) == len({one.cut_at for one in envelopes}) == 1
    assert {one.organization for one in envelopes} == {one.sender for one in envelopes} == {"gong-an"}
    assert codes(hub) == [f"{number:06}" for number in range(25)]
    assert place.report("a.csv")["receipts"]["accepted"] == 25
    assert not list(place.outbox.iterdir())
    assert not (place.inbox / "a.csv").exists()


def test_nothing_is_sent_without_the_token_and_the_language(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUB_LANGUAGE", "zh")
    place.rows("a.csv", 1)
    hub = ScriptedHub()
    place.run(hub)
    assert {request.headers["authorization"] for request in hub.requests} == {"Bearer secret"}
    assert {request.headers["accept-language"] for request in hub.requests} == {"zh"}


def test_a_contract_that_is_kept_is_asked_for_by_its_etag(place: Workplace):
    hub = ScriptedHub()
    place.rows("a.csv", 1)
    place.run(hub)
    place.rows("b.csv", 1)
    [report] = place.run(hub)
    asked = [one for one in hub.requests if one.url.path == "/v1/contracts/simple/1"]
    assert [one.headers.get("if-none-match") for one in asked] == [None, '"one"']
    assert report.outcome == "done"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_hub_that_is_busy_is_asked_again_with_the_same_bytes(place: Workplace, status: int):
    place.rows("a.csv", 5)
    hub = ScriptedHub(lambda number, _: problem(status) if number <= 2 else None)
    [report] = place.run(hub)
    assert report.outcome == "done"
    assert len(hub.handed_in) == 3
    assert len(set(hub.handed_in)) == 1


def test_a_wish_to_wait_is_honoured(place: Workplace):
    place.rows("a.csv", 5)
    pauses: list[float] = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0)
            return self.is_set()

    hub = ScriptedHub(lambda number, _: problem(429, **{"retry-after": "7"}) if number == 1 else None)
    with opened_session(place.file, Silent(), Event(), 60, 1, transport=hub.transport()) as session:
        [report] = session.run()
    assert report.outcome == "done"
    assert 7 in pauses


def test_pauses_grow_and_have_an_end(place: Workplace):
    place.rows("a.csv", 5)
    hub = ScriptedHub(lambda *_: problem(503))
    with pytest.raises(HubUnreachable) as error:
        place.run(hub, retry_seconds=0.3)
    assert 2 <= len(hub.handed_in) <= 12
    assert "outbox" in error.value.sentence("en")
    assert (place.inbox / "a.csv").exists()
    assert len(list(place.outbox.glob("*.avro"))) == 1


def test_an_answer_that_is_lost_makes_no_second_batch(place: Workplace):
    place.rows("a.csv", 5)
    hub = ScriptedHub(lambda number, _: TakenSilently() if number == 1 else None)
    [report] = place.run(hub)
    assert report.outcome == "done"
    assert len(hub.handed_in) == 2
    assert len(hub.taken) == 1


def test_a_connection_that_breaks_is_made_again(place: Workplace):
    place.rows("a.csv", 5)
    hub = ScriptedHub(lambda number, _: httpx.ConnectError("refused") if number <= 3 else None)
    assert place.run(hub)[0].outcome == "done"


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_a_batch_the_hub_refuses_fails_its_item_in_the_hubs_own_words(place: Workplace, status: int):
    place.rows("a.csv", 5)
    place.rows("b.csv", 5, start=100)
    refuse_first = ScriptedHub(
        lambda _, envelope: problem(status, "the id was used before") if envelope.batch == first[0] else None
    )
    first: list[str] = []
    real = refuse_first.script

    def script(number: int, envelope: Any) -> Any:
        if not first:
            first.append(envelope.batch)
        return real(number, envelope)

    refuse_first.script = script
    reports = place.run(refuse_first)
    assert [one.outcome for one in reports] == ["failed", "done"]
    assert isinstance(reports[0].error, BatchRefused)
    assert "the id was used before" in place.report("a.csv", "failed")["error"]["en"]
    assert not list(place.outbox.iterdir())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_token_that_is_refused_stops_the_run_and_loses_nothing(place: Workplace, status: int):
    place.rows("a.csv", 25)
    hub = ScriptedHub(lambda number, _: problem(status, "no such token") if number == 2 else None)
    with pytest.raises(AccessRefused, match="no such token"):
        place.run(hub)
    assert (place.inbox / "a.csv").exists()
    repaired = ScriptedHub()
    repaired.taken = hub.taken
    [report] = place.run(repaired)
    assert report.outcome == "done"
    assert codes(repaired) == [f"{number:06}" for number in range(25)]


def test_ctrl_c_finishes_the_batch_in_hand_and_keeps_the_rest(place: Workplace):
    place.rows("a.csv", 50)
    stopping = threading.Event()

    def script(_number: int, _envelope: Any) -> None:
        stopping.set()

    hub = ScriptedHub(script)
    with (
        opened_session(place.file, Silent(), stopping, 5, 1, transport=hub.transport()) as session,
        pytest.raises(Interrupted),
    ):
        list(session.run())
    assert 0 < hub.records < 50
    again = ScriptedHub()
    again.taken = hub.taken
    place.run(again)
    assert codes(again) == [f"{number:06}" for number in range(50)]


def test_one_connector_at_a_time_works_in_a_state_folder(place: Workplace):
    with opened_state(place.folder / ".connector.yaml.state"), pytest.raises(StateBusy, match="another connector"):
        place.run(ScriptedHub())


def test_a_state_folder_is_not_used_for_another_dataset(place: Workplace):
    place.rows("a.csv", 1)
    place.run(ScriptedHub())
    place.configure(dataset="420000.other")
    with pytest.raises(StateForeign, match=r"420000\.simple"):
        place.run(ScriptedHub())


def test_a_batch_over_the_byte_limit_is_split_before_it_is_written(place: Workplace):
    place.configure(batch={"records": 2_000, "bytes": 65_536})
    place.rows("a.csv", 5_000)
    hub = ScriptedHub()
    place.run(hub)
    assert all(len(container) <= 65_536 for _, container in hub.taken.values())
    assert codes(hub) == [f"{number:06}" for number in range(5_000)]
    rows = sorted((one.first_row, one.records) for one, _ in hub.taken.values())
    assert [first for first, _ in rows] == [sum(records for _, records in rows[:at]) for at in range(len(rows))]


def test_a_batch_the_worker_refuses_fails_the_item(place: Workplace):
    place.rows("a.csv", 5)
    hub = ScriptedHub(receipt_status="refused")
    [report] = place.run(hub)
    assert report.outcome == "failed"
    assert place.report("a.csv", "failed")["refusals"][0]["en"] == "not taken"


def test_receipts_that_do_not_come_are_not_waited_for_for_ever(place: Workplace, monkeypatch: pytest.MonkeyPatch):
    place.rows("a.csv", 5)
    hub = ScriptedHub()
    monkeypatch.setattr(hub, "_receipt", lambda _: problem(404))
    [report] = place.run(hub, wait_seconds=0.2)
    assert (report.outcome, report.waiting) == ("done", 1)
    assert "receipts" in "".join(report.lines("en"))


def test_bad_records_are_sent_in_text_form_and_told_by_row(place: Workplace):
    (place.inbox / "a.csv").write_text("code,name,day,amount\n1,a,2026-01-02,1\n2,b,32.1.2026,1\n,c,2026-01-02,1\n")
    hub = ScriptedHub()
    place.run(hub)
    [(_, container)] = hub.taken.values()
    decoded = decode(parse_contract(CONTRACT), walk(container, Limits()), "upsert")
    assert decoded.text is not None
    assert decoded.text["day"].to_list() == ["2026-01-02", "32.1.2026", "2026-01-02"]
    found = place.report("a.csv")["found"]
    assert [(one["row"], one["field"], one["code"]) for one in found["rows"]] == [
        (3, "day", "type"),
        (4, "code", "required"),
    ]
    assert "32.1" not in (place.inbox / "done" / "a.csv.report.json").read_text()


def test_held_records_stay_and_are_told(place: Workplace):
    place.configure(rejects="hold")
    (place.inbox / "a.csv").write_text("code,name,day,amount\n1,a,2026-01-02,1\n2,b,32.1.2026,1\n,c,2026-01-02,1\n")
    hub = ScriptedHub()
    place.run(hub)
    assert codes(hub) == ["1"]
    assert place.report("a.csv")["rows"] == {"read": 3, "sent": 1, "held": 2, "found_bad": 2}


def test_two_records_of_one_key_are_the_hubs_to_judge(place: Workplace):
    (place.inbox / "a.csv").write_text("code,name,day,amount\n1,a,2026-01-02,1\n1,b,2026-01-02,1\n")
    hub = ScriptedHub()
    place.run(hub)
    assert codes(hub) == ["1", "1"]


def test_a_sender_under_a_mandate_is_named_in_the_envelope(place: Workplace):
    place.configure(sender="wu-han")
    place.rows("a.csv", 1)
    hub = ScriptedHub()
    place.run(hub)
    [(envelope, _)] = hub.taken.values()
    assert (envelope.organization, envelope.sender) == ("gong-an", "wu-han")


def test_versions_do_not_fall_when_the_clock_goes_back(place: Workplace):
    from datetime import UTC, datetime

    hub = ScriptedHub()
    for name, year in (("a.csv", 2026), ("b.csv", 2020)):
        place.rows(name, 1)
        with opened_session(place.file, Silent(), threading.Event(), 5, 1, transport=hub.transport()) as session:
            session.clock = lambda year=year: datetime(year, 1, 1, tzinfo=UTC)
            list(session.run())
    first, second = (envelope.cut_at for envelope, _ in hub.taken.values())
    assert second > first


def test_a_hub_that_is_none_is_told(place: Workplace):
    from connectors.errors import AnswerStrange

    hub = ScriptedHub()

    def some_page(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>proxy</html>")

    place.rows("a.csv", 1)
    with (
        opened_session(
            place.file, Silent(), threading.Event(), 1, 1, transport=httpx.MockTransport(some_page)
        ) as session,
        pytest.raises(AnswerStrange, match="hub"),
    ):
        list(session.run())
    assert not hub.taken


def test_a_contract_with_other_fields_is_taken_as_the_hub_has_it(place: Workplace):
    hub = ScriptedHub(contract=contract_text({"code": "string"}))
    place.rows("a.csv", 1)
    [report] = place.run(hub)
    assert report.outcome == "failed"
    assert "name" in place.report("a.csv", "failed")["error"]["en"]
