import json
import os
from pathlib import Path

import pytest

from connectors.sources.drop_folder import DropFolder, DroppedFile
from connectors.sources.errors import SourceUnreachable
from connectors.sources.spatial import belongs

LONG_AFTER = 4_000_000_000.0
REPORT = '{"accepted": 1}'


def drop(inbox: Path, name: str, text: str = "x", mtime: int = 1_700_000_000) -> Path:
    file = inbox / name
    file.write_text(text)
    os.utime(file, (mtime, mtime))
    return file


def only(folder: DropFolder) -> DroppedFile:
    (file,) = folder.ready(LONG_AFTER)
    return file


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_file())


def test_files_come_oldest_first_and_whatever_the_case_of_their_letters(tmp_path: Path):
    drop(tmp_path, "a.csv", mtime=3_000)
    drop(tmp_path, "B.CSV", mtime=1_000)
    drop(tmp_path, "c.csv", mtime=2_000)
    drop(tmp_path, "c.txt", mtime=500)
    found = DropFolder(tmp_path, ("*.csv",)).ready(LONG_AFTER)
    assert [file.path.name for file in found] == ["B.CSV", "c.csv", "a.csv"]


@pytest.mark.parametrize("name", [".a.csv", "a.csv.part", "~$a.csv", "a.csv~", "a.tmp", "a.csv.filepart"])
def test_hidden_and_temporary_names_are_never_read(tmp_path: Path, name: str):
    drop(tmp_path, name)
    assert DropFolder(tmp_path, ("*",)).ready(LONG_AFTER) == []


def test_a_file_somebody_wrote_to_just_now_waits_even_if_its_time_was_set_back(tmp_path: Path):
    file = drop(tmp_path, "a.csv", mtime=1_000)
    folder = DropFolder(tmp_path, ("*.csv",), settle_seconds=10)
    written = file.stat().st_ctime
    assert folder.ready(written + 9) == []
    assert len(folder.ready(written + 11)) == 1


def test_a_file_waits_for_its_companions(tmp_path: Path):
    drop(tmp_path, "a.shp")
    folder = DropFolder(tmp_path, ("*.shp",), 10, belongs)
    os.utime(tmp_path / "a.shp")
    table = drop(tmp_path, "a.dbf")
    assert folder.ready(table.stat().st_ctime + 5) == []
    assert [path.name for path in folder.ready(LONG_AFTER)[0].companions] == ["a.dbf"]


def test_a_file_put_away_lies_in_done_with_its_report(tmp_path: Path):
    drop(tmp_path, "a.csv", "content")
    folder = DropFolder(tmp_path, ("*.csv",))
    folder.put_away(only(folder), "done", REPORT)
    assert names(tmp_path) == []
    assert (tmp_path / "done" / "a.csv").read_text() == "content"
    assert (tmp_path / "done" / "a.csv.report.json").read_text() == REPORT


def test_putting_away_twice_changes_nothing(tmp_path: Path):
    drop(tmp_path, "a.csv")
    folder = DropFolder(tmp_path, ("*.csv",))
    file = only(folder)
    folder.put_away(file, "failed", REPORT)
    folder.put_away(file, "failed", "another")
    assert names(tmp_path / "failed") == ["a.csv", "a.csv.report.json"]
    assert (tmp_path / "failed" / "a.csv.report.json").read_text() == REPORT


def test_a_name_that_is_taken_gets_a_number_and_nothing_is_overwritten(tmp_path: Path):
    folder = DropFolder(tmp_path, ("*.csv",))
    for text in ("first", "second", "third"):
        drop(tmp_path, "a.b.csv", text)
        folder.put_away(only(folder), "done", text)
    assert (tmp_path / "done" / "a.b.csv").read_text() == "first"
    assert (tmp_path / "done" / "a.b-3.csv").read_text() == "third"
    assert (tmp_path / "done" / "a.b-3.csv.report.json").read_text() == "third"


def test_all_files_of_a_shapefile_move_together_under_one_name(tmp_path: Path):
    folder = DropFolder(tmp_path, ("*.shp",), 0, belongs)
    for _ in range(2):
        for extension in ("shp", "shx", "DBF", "prj", "cpg", "shp.xml"):
            drop(tmp_path, f"roads.{extension}")
        drop(tmp_path, "roads.csv")
        drop(tmp_path, "roads2.dbf")
        folder.put_away(only(folder), "failed", REPORT)
    assert names(tmp_path) == ["roads.csv", "roads2.dbf"]
    moved = {"roads-2.shp", "roads-2.shx", "roads-2.DBF", "roads-2.prj", "roads-2.cpg", "roads-2.shp.xml"}
    assert moved < set(names(tmp_path / "failed"))
    assert "roads-2.shp.report.json" in names(tmp_path / "failed")


def test_a_file_written_to_meanwhile_stays_and_is_read_next(tmp_path: Path):
    drop(tmp_path, "a.csv", "old")
    folder = DropFolder(tmp_path, ("*.csv",))
    file = only(folder)
    drop(tmp_path, "a.csv", "new")
    folder.put_away(file, "done", REPORT)
    assert (tmp_path / "a.csv").read_text() == "new"
    assert only(folder).identity != file.identity


def test_a_file_moved_back_into_the_folder_is_another_one(tmp_path: Path):
    drop(tmp_path, "a.csv")
    folder = DropFolder(tmp_path, ("*.csv",))
    file = only(folder)
    folder.put_away(file, "failed", REPORT)
    (tmp_path / "failed" / "a.csv").rename(tmp_path / "a.csv")
    assert only(folder).identity != file.identity


def test_a_move_that_was_cut_off_is_completed_at_the_next_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for extension in ("shp", "shx", "dbf"):
        drop(tmp_path, f"roads.{extension}")
    folder = DropFolder(tmp_path, ("*.shp",), 0, belongs)
    rename = Path.rename

    def dies_at_the_second(self: Path, target: Path) -> Path:
        if self.suffix == ".dbf":
            raise KeyboardInterrupt
        return rename(self, target)

    file = only(folder)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            folder.put_away(file, "done", REPORT)
    assert "roads.dbf" in names(tmp_path)
    assert folder.ready(LONG_AFTER) == []
    assert names(tmp_path) == []
    assert names(tmp_path / "done") == ["roads.dbf", "roads.shp", "roads.shp.report.json", "roads.shx"]
    assert json.loads((tmp_path / "done" / "roads.shp.report.json").read_text()) == {"accepted": 1}


def test_a_folder_that_is_not_there_is_worth_another_try(tmp_path: Path):
    with pytest.raises(SourceUnreachable) as caught:
        DropFolder(tmp_path / "nowhere", ("*",)).ready(LONG_AFTER)
    assert caught.value.retryable
    assert "nowhere" in caught.value.sentence("en")
