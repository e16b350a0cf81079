# pyright: reportArgumentType=false, reportOperatorIssue=false, reportUnusedExpression=false
# pyright: reportOptionalSubscript=false, reportIncompatibleMethodOverride=false, reportReturnType=false
"""Whole-dataset exports: complete, pinned, resumable, cut when they must be, and told of in the ledger."""

import csv
import hashlib
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest
from release_maker import DEPARTMENT, MASKED, OTHER, PLACE, RESIDENT, places, residents
from standing_maker import FILE, Standing, read_until_cut, standing

from catalog.grant import Quota
from hub.identity.errors import NotAuthenticated
from hub.release import export as export_module
from hub.release import read_ahead
from hub.release.errors import CursorWrong, QueryWrong, ReleaseRefused
from hub.release.export import close_lost
from hub.release.export_errors import ExportsTooMany, ExportTermsChanged, ExportUnknown

COUNT = 60


@pytest.fixture
def stage(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    """A dataset in parts of ten records, with a grant for files."""
    monkeypatch.setattr(read_ahead, "PART_ROWS_FIRST", 10)
    monkeypatch.setattr(read_ahead, "PART_ROWS_MAX", 10)
    monkeypatch.setattr(export_module, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(export_module, "BEAT_SECONDS", 0.0)
    with standing(database_url, RESIDENT, PLACE) as made:
        made.out.take(RESIDENT, residents(COUNT))
        yield made


def lines(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_every_record_once_in_the_order_of_the_key_treated_as_decided(stage: Standing):
    stage.out.grant(methods=FILE)
    content, row = stage.whole(DEPARTMENT)
    found = lines(content)
    assert [one["id_number"] for one in found] == [
        f"{one['id_number'][0]}{'*' * 16}{one['id_number'][-1]}" for one in residents(COUNT)
    ]
    assert sorted(one["name"] for one in found) == sorted(one["name"] for one in residents(COUNT))
    assert {one["phone"] for one in found} == {f"138****{number:04d}" for number in range(COUNT)}
    assert (row.state, row.rows, row.bytes) == ("complete", COUNT, len(content))
    assert row.sm3 == hashlib.new("sm3", content).hexdigest()


def test_a_stream_is_two_leaves(stage: Standing):
    given = stage.out.grant(methods=FILE)
    content, row = stage.whole(DEPARTMENT)
    opened, closed = stage.out.leaves()
    assert (opened["action"], opened["id"], opened["grant_id"], opened["decision"]) == (
        "release.opened",
        row.id,
        given.grant.id,
        "allowed",
    )
    assert (closed["action"], closed["object"], closed["object_ver"]) == (
        "release.closed",
        f"release:{row.id}",
        "complete",
    )
    assert (closed["rows"], closed["bytes"], closed["result_digest"]) == (COUNT, len(content), row.sm3)


def test_without_a_grant_for_files_nothing_is_opened(stage: Standing):
    stage.out.grant(methods=frozenset({"api"}))
    with pytest.raises(ReleaseRefused) as refused:
        stage.begin(DEPARTMENT)
    assert [leaf["action"] for leaf in stage.out.leaves()] == ["release.refused"]
    assert refused.value.rule == "grant.method"
    # The place it had is free again.
    stage.out.grant(methods=FILE)
    assert [stage.begin(DEPARTMENT) for _ in range(2)]
    with pytest.raises(ExportsTooMany):
        stage.begin(DEPARTMENT)


def test_rows_outside_the_grant_are_not_there(stage: Standing):
    stage.out.take(RESIDENT, residents(7, "420684"))
    stage.out.grant(methods=FILE, rows={"field": "division_code", "prefix": "4206"})
    content, _ = stage.whole(DEPARTMENT, "ndjson")
    assert {json.loads(line)["division_code"] for line in content.splitlines()} == {"420684"}
    assert len(content.splitlines()) == 7


def test_json_lines_pass_through_whatever_the_texts_hold(stage: Standing):
    texts = ['a"b', "c\\d", "e,f", "\\.", "\\N", "g\\nh", "'", "i\u2028j", "𠮷"]
    rows = [one | {"address": text} for one, text in zip(residents(COUNT), texts, strict=False)]
    stage.out.take(RESIDENT, rows, version=2)
    stage.out.grant({**MASKED, "address": "clear"}, methods=FILE)
    content, _ = stage.whole(DEPARTMENT, "ndjson")
    assert {json.loads(line)["address"] for line in content.splitlines()} == {*texts, residents(1)[0]["address"]}
    content, _ = stage.whole(DEPARTMENT)
    assert {one["address"] for one in lines(content)} == {*texts, residents(1)[0]["address"]}


def test_what_changes_while_it_runs_is_not_in_it(stage: Standing):
    stage.out.grant(methods=FILE)
    before, _ = stage.whole(DEPARTMENT)
    export = stage.begin(DEPARTMENT)
    chunks = export.chunks()
    first = two_of(chunks)  # header and the first part
    stage.out.take(RESIDENT, [one | {"name": "改名"} for one in residents(COUNT)[::2]], version=2)
    stage.out.take(RESIDENT, residents(COUNT)[1::7], version=3, delete=True)
    stage.out.take(RESIDENT, residents(5, "420106"))
    assert b"".join([*first, *chunks]) == before
    assert stage.whole(DEPARTMENT)[0] != before
    again, _ = stage.whole(DEPARTMENT, instant=export.row.instant)
    assert again == before


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_it_goes_on_from_every_boundary_as_if_it_had_never_been_cut(stage: Standing, form: str):
    stage.out.grant(methods=FILE)
    content, row = stage.whole(DEPARTMENT, form)
    assert [point["rows"] for point in row.points] == list(range(10, COUNT + 1, 10))
    stage.out.take(RESIDENT, [one | {"name": "改名"} for one in residents(COUNT)], version=2)
    for point in row.points:
        rest, resumed = stage.whole(DEPARTMENT, form, after=point["after"])
        assert content[: point["bytes"]] + rest == content
        assert (resumed.continues, resumed.instant) == (row.id, row.instant)


def test_a_cursor_is_good_for_its_caller_dataset_format_and_instant_alone(stage: Standing):
    stage.out.grant(methods=FILE)
    stage.out.grant(methods=FILE, holder=OTHER.id)
    _, row = stage.whole(DEPARTMENT)
    after = row.points[0]["after"]
    for caller, form in ((OTHER, "csv"), (DEPARTMENT, "ndjson")):
        with pytest.raises(CursorWrong):
            stage.begin(caller, form, after=after)
    with pytest.raises(CursorWrong):
        stage.begin(DEPARTMENT, after=after[:-4] + "AAAA")
    with pytest.raises(QueryWrong):
        stage.begin(DEPARTMENT, after=after, instant=datetime.now(UTC))


def test_a_revoked_grant_cuts_it_and_the_cut_is_visible(stage: Standing):
    given = stage.out.grant(methods=FILE)
    export = stage.begin(DEPARTMENT)
    chunks = export.chunks()
    got = two_of(chunks)
    stage.out.end(given)
    rest, why = read_until_cut(Rest(export, chunks))  # pyright: ignore[reportArgumentType] - as the case needs it
    content = b"".join([*got, rest])
    assert why == "policy"
    assert content.endswith(f"#hub-cut {export.row.id} policy\n".encode())
    assert len(content.splitlines()) == 1 + 10 + 1
    row = stage.row(export)
    assert (row.state, row.why, row.rows) == ("cut", "policy", 10)
    assert [(leaf["action"], leaf["object_ver"]) for leaf in stage.out.leaves()][-1] == ("release.closed", "cut")


def two_of(chunks: Iterator[bytes]) -> list[bytes]:
    """The first two chunks."""
    return [next(chunks), next(chunks)]


class Rest:
    """What is left of an export."""

    def __init__(self, export: Any, chunks: Any) -> None:
        self.row, self._chunks = export.row, chunks

    def chunks(self) -> Any:
        return self._chunks


def test_other_terms_cut_it_and_it_goes_on_under_them_only_if_that_is_said(stage: Standing):
    given = stage.out.grant(methods=FILE)
    export = stage.begin(DEPARTMENT, "ndjson")
    chunks = export.chunks()
    two_of(chunks)
    stage.out.end(given)
    stage.out.grant({**MASKED, "name": "masked"}, methods=FILE)
    _, why = read_until_cut(Rest(export, chunks))  # pyright: ignore[reportArgumentType] - as the case needs it
    assert why == "policy"
    after = stage.row(export).points[-1]["after"]
    with pytest.raises(ExportTermsChanged):
        stage.begin(DEPARTMENT, "ndjson", after=after)
    rest, row = stage.whole(DEPARTMENT, "ndjson", after=after, other_terms=True)
    assert {json.loads(line)["name"] for line in rest.splitlines()} == {"张**"}
    assert row.terms != export.row.terms


def test_who_is_revoked_is_cut_off(stage: Standing):
    stage.out.grant(methods=FILE)
    revoked: list[bool] = []

    def caller_now() -> Any:
        if revoked:
            raise NotAuthenticated
        return DEPARTMENT

    export = stage.begin(caller_now)
    chunks = export.chunks()
    two_of(chunks)
    revoked.append(True)
    assert read_until_cut(Rest(export, chunks))[1] == "policy"  # pyright: ignore[reportArgumentType] - as the case needs it


def test_a_quota_of_rows_cuts_it(stage: Standing):
    stage.out.grant(methods=FILE, quota=Quota(rows=25))
    export = stage.begin(DEPARTMENT)
    content, why = read_until_cut(export)
    assert (why, stage.row(export).rows) == ("quota", 20)
    assert len(content.splitlines()) == 1 + 20 + 1


def test_a_reader_that_goes_away_leaves_a_leaf_and_no_busy_connection(stage: Standing):
    stage.out.grant(methods=FILE)
    for _ in range(5):  # more than there are places: each is free again
        export = stage.begin(DEPARTMENT)
        chunks = export.chunks()
        two_of(chunks)
        export.stop("disconnected")
        chunks.close()
        assert (stage.row(export).state, stage.row(export).why) == ("cut", "disconnected")
    open_ = stage.out.conn.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub export'")
    deadline = time.monotonic() + 5
    while open_.fetchone() != (0,) and time.monotonic() < deadline:
        open_ = stage.out.conn.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub export'")
    assert stage.whole(DEPARTMENT)[1].state == "complete"


def test_one_that_was_never_read_is_closed_as_well(stage: Standing):
    stage.out.grant(methods=FILE)
    export = stage.begin(DEPARTMENT)
    export.close("disconnected")
    assert stage.row(export).state == "cut"


def test_what_a_killed_process_left_open_is_closed_later(stage: Standing):
    stage.out.grant(methods=FILE)
    export = stage.begin(DEPARTMENT)
    chunks = export.chunks()
    for _ in range(4):
        next(chunks)
    now = datetime.now(UTC)
    with stage.out.conn.transaction():
        assert close_lost(stage.out.conn, now - timedelta(minutes=5), now) == 0
        assert close_lost(stage.out.conn, now + timedelta(seconds=1), now) == 1
    row = stage.row(export)
    assert (row.state, row.why, row.rows) == ("cut", "lost", 20)
    assert stage.out.leaves()[-1]["rule_ids"] == ["stream.lost"]
    chunks.close()  # too late: what is written stays
    assert stage.row(export) == row


def test_columnar_files_hold_what_the_lines_do(stage: Standing):
    stage.out.take(PLACE, places(25))
    stage.out.grant(dict.fromkeys(("name", "division_code", "geometry"), "clear"), dataset=PLACE, methods=FILE)
    stage.out.grant(methods=FILE)
    for dataset, count in ((RESIDENT, COUNT), (PLACE, 25)):
        told = [json.loads(line) for line in stage.whole(DEPARTMENT, "ndjson", dataset=dataset)[0].splitlines()]
        table = pq.read_table(io.BytesIO(stage.whole(DEPARTMENT, "parquet", dataset=dataset)[0])).to_pylist()
        file = io.BytesIO(stage.whole(DEPARTMENT, "avro", dataset=dataset)[0])
        records: list[Any] = list(fastavro.reader(file))
        key = "id_number" if dataset == RESIDENT else "name"
        assert len(told) == count
        assert [one[key] for one in table] == [one[key] for one in told] == [one[key] for one in records]
        assert [one["_ref"] for one in table] == [one["_ref"] for one in told]


def test_a_csv_for_people_disarms_formulas_and_a_csv_for_programs_does_not(stage: Standing):
    signs = ["=1+1", "+1", "-1", "@x", "＝cmd", "plain"]
    rows = [one | {"address": text} for one, text in zip(residents(6), signs, strict=True)]
    stage.out.take(RESIDENT, rows, version=2)
    stage.out.grant({**MASKED, "address": "clear"}, methods=FILE)
    plain, _ = stage.whole(DEPARTMENT)
    guarded, _ = stage.whole(DEPARTMENT, spreadsheet=True)
    assert set(signs) < {one["address"] for one in lines(plain)}
    assert guarded.startswith(b"\xef\xbb\xbf")
    assert {"'=1+1", "'+1", "'-1", "'@x", "'＝cmd", "plain"} < {one["address"] for one in lines(guarded[3:])}


def test_an_export_is_known_to_its_caller_and_to_auditors_alone(stage: Standing):
    stage.out.grant(methods=FILE)
    _, row = stage.whole(DEPARTMENT)
    assert stage.exports.find(DEPARTMENT, row.id) == row
    assert stage.exports.find(replace(OTHER, roles=frozenset({"auditor"})), row.id) == row
    for caller, id_ in ((OTHER, row.id), (DEPARTMENT, "01999999-0000-7000-8000-000000000000"), (DEPARTMENT, "x")):
        with pytest.raises(ExportUnknown):
            stage.exports.find(caller, id_)
