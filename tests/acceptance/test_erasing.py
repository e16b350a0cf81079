"""hub erase, as the steward of a dataset types it, and what readers and the ledger then say."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authorization_stage import ASKED, Stage, authorization_stage
from release_maker import residents, take

from hub.cli import main
from hub.store.connect import connect

KEY = residents(1)[0]["id_number"]


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    with authorization_stage(database_url) as made:
        with connect(database_url, "test", autocommit=True) as conn:
            take(conn, ASKED["dataset"], residents(2))
        yield made


def test_a_steward_erases_a_record_for_good(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HUB_DATABASE_URL", stage.door.database_url)
    monkeypatch.setenv("HUB_DATA_FOLDER", str(tmp_path))

    def hub(*arguments: str, language: str = "en") -> tuple[int, str, str]:
        monkeypatch.setenv("HUB_LANGUAGE", language)
        monkeypatch.setattr(sys, "argv", ["hub", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return (ended.value.code if isinstance(ended.value.code, int) else 0, said.out, said.err)

    def erase(who: str, *more: str, language: str = "en") -> tuple[int, str, str]:
        words = ("erase", ASKED["dataset"], "--key", KEY, "--reason", "本人申请删除", "--as", who)
        return hub(*words, *more, language=language)

    for who in ("other", "rev", "ask"):
        code, out, error = erase(who)
        assert (code, out) == (1, "")
        assert "steward" in error
    code, out, _ = erase("prov", "--json")
    assert code == 0
    erased: dict[str, Any] = json.loads(out)
    assert (erased["records"], erased["history_rows"], erased["version"]) == (1, 0, [1, 0])
    assert KEY not in out
    assert "salt" not in out
    code, out, error = erase("prov", language="zh")
    assert (code, out) == (1, "")
    assert "没有此主键的记录" in error
    assert KEY not in error
    with connect(stage.door.database_url, "test") as conn:
        left = conn.execute('SELECT count(*) FROM data."420000_resident"').fetchone()
        said = conn.execute("SELECT string_agg(convert_from(bytes, 'UTF8'), '') FROM ledger_leaf").fetchone()
        kept = conn.execute("SELECT commitment FROM erasure").fetchall()
    assert left == (1,)
    assert kept == [(erased["commitment"],)]
    assert said is not None
    assert '"action":"record.erased"' in said[0]
    assert KEY not in said[0]
