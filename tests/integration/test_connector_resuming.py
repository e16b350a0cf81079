"""Resuming: wherever a connector is killed, every record is sent under one id, and the same bytes."""

from pathlib import Path
from typing import Any

import pytest
from scripted_hub import Killed, ScriptedHub, Workplace, codes, killed_at, problem

from connectors import client, runner
from connectors.errors import HubUnreachable
from connectors.outbox import Outbox


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        *((Outbox, "put", call) for call in (1, 2, 3)),
        *((Outbox, "settle", call) for call in (1, 2)),
        *((Outbox, "remove", call) for call in (1, 2, 3)),
        *((runner, name, 1) for name in ("await_receipts", "advance_of", "_report")),
        *((runner, "advance_of", call) for call in (2, 3)),
    ],
)
def test_a_connector_that_is_killed_anywhere_sends_every_record_once(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int
):
    place.rows("a.csv", 25)
    hub = ScriptedHub()
    with monkeypatch.context() as patched:
        killed_at(patched, owner, name, call)
        with pytest.raises(Killed):
            place.run(hub)
    assert (place.inbox / "a.csv").exists()
    [report] = place.run(hub)
    assert report.outcome == "done"
    # Batches that were sent twice are the same, so the hub has each record under one id.
    assert codes(hub) == [f"{number:06}" for number in range(25)]
    assert len({envelope.run for envelope, _ in hub.taken.values()}) == 1
    assert len({envelope.cut_at for envelope, _ in hub.taken.values()}) == 1
    by_id: dict[str, set[tuple[str, bytes]]] = {}
    for text, container in hub.handed_in:
        by_id.setdefault(text.split('"batch":"')[1][:36], set()).add((text, container))
    assert {len(versions) for versions in by_id.values()} == {1}
    assert not list(place.outbox.iterdir())
    assert place.report("a.csv")["rows"]["sent"] == 25


def test_a_file_that_is_replaced_after_a_kill_is_read_from_its_beginning(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
):
    place.rows("a.csv", 25)
    hub = ScriptedHub()
    with monkeypatch.context() as patched:
        killed_at(patched, Outbox, "put", 3)
        with pytest.raises(Killed):
            place.run(hub)
    place.rows("a.csv", 12, start=100)
    reports = place.run(hub)
    assert [(one.outcome, one.run.records) for one in reports] == [("done", 12)]
    assert len({envelope.run for envelope, _ in hub.taken.values()}) == 2


def test_a_file_killed_between_putting_away_and_the_states_end_is_done(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
):
    from connectors.state import State

    place.rows("a.csv", 5)
    hub = ScriptedHub()
    with monkeypatch.context() as patched:
        killed_at(patched, State, "end", 1)
        with pytest.raises(Killed):
            place.run(hub)
    assert (place.inbox / "done" / "a.csv").exists()
    [report] = place.run(hub)
    assert report.outcome == "done"
    assert len(hub.taken) == 1


def test_a_batch_that_lies_in_the_outbox_is_sent_first_and_as_it_is(place: Workplace):
    place.rows("a.csv", 15)
    down = ScriptedHub(lambda *_: problem(503))
    with pytest.raises(HubUnreachable):
        place.run(down, retry_seconds=0.05)
    waiting = {file.name: file.read_bytes() for file in place.outbox.iterdir()}
    up = ScriptedHub()
    place.run(up)
    text, container = up.handed_in[0]
    name = text.split('"batch":"')[1][:36]
    assert waiting[f"{name}.avro"] == container
    assert waiting[f"{name}.avro.batch.json"] == text.encode()
    assert codes(up) == [f"{number:06}" for number in range(15)]


def test_a_spooled_batch_that_is_damaged_is_never_sent(place: Workplace):
    place.rows("a.csv", 5)
    with pytest.raises(HubUnreachable):
        place.run(ScriptedHub(lambda *_: problem(503)), retry_seconds=0.05)
    [file] = place.outbox.glob("*.avro")
    file.write_bytes(file.read_bytes()[:-1])
    hub = ScriptedHub()
    [report] = place.run(hub)
    assert report.outcome == "failed"
    assert not hub.handed_in
    assert "outbox" in place.report("a.csv", "failed")["refusals"][0]["en"]


def with_database(place: Workplace, count: int) -> None:
    import sqlite3

    with sqlite3.connect(place.folder / "d.sqlite") as connection:
        connection.execute("CREATE TABLE t (code TEXT PRIMARY KEY, name TEXT, at TEXT NOT NULL)")
        connection.executemany(
            "INSERT INTO t VALUES (?, 'n', ?)",
            [(f"{n:03}", f"2026-01-01 00:{n // 60:02}:{n % 60:02}") for n in range(count)],
        )
    connection.close()
    source = {"kind": "database", "url": "sqlite:///d.sqlite", "table": "t", "key": ["code"], "watermark": "at"}
    source |= {"deletes": "keys", "lag_seconds": 0}
    place.configure(source=source, mapping={"ignore": ["at"]})


def test_a_databases_rows_and_its_key_list_are_two_runs(place: Workplace):
    with_database(place, 25)
    hub = ScriptedHub()
    reports = place.run(hub)
    assert [(one.run.operation, one.outcome) for one in reports] == [("upsert", "done"), ("keys", "done")]
    parts = [envelope for envelope, _ in hub.taken.values() if envelope.keys is not None]
    assert [(one.keys.part, one.keys.total, one.records) for one in parts if one.keys] == [
        (1, None, 10),
        (2, None, 10),
        (3, None, 5),
        (4, 25, 0),
    ]
    assert len({one.run for one in parts}) == 1
    assert sum(one.records for one, _ in hub.taken.values() if one.keys is None) == 25


@pytest.mark.parametrize(("place_of_death", "time"), [("await_receipts", 2), ("_close_key_list", 1)])
def test_a_key_list_that_is_killed_names_its_total_once(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, place_of_death: str, time: int
):
    with_database(place, 25)
    hub = ScriptedHub()
    with monkeypatch.context() as patched:
        killed_at(patched, runner, place_of_death, time)
        with pytest.raises(Killed):
            place.run(hub)
    place.run(hub)
    totals = [envelope.keys.total for envelope, _ in hub.taken.values() if envelope.keys and envelope.keys.total]
    assert totals == [25]


def test_a_database_without_changes_is_nothing_to_tell(place: Workplace):
    with_database(place, 5)
    place.configure(
        source={"kind": "database", "url": "sqlite:///d.sqlite", "table": "t", "key": ["code"], "watermark": "at"}
        | {"lag_seconds": 0},
        mapping={"ignore": ["at"]},
    )
    hub = ScriptedHub()
    assert [one.run.records for one in place.run(hub)] == [5]
    again = place.run(hub)
    assert [one.run.records for one in again if one.run.records > 1] == []
