"""Requests, grants, tiers and the calendar at the command line."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grant_maker
import pytest
from authorization_stage import PEOPLE, UNTIL
from signing_in import add_person, opened

from hub.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Hub = Callable[..., Done]


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hub:
    """Runs one command, in this process, on a store with the resident dataset published and people of four sides."""
    with opened(database_url) as conn:
        grant_maker.published(conn)
        add_person(conn, "root")
        for login, (organization, roles) in PEOPLE.items():
            add_person(conn, login, *roles, organization=organization)
    monkeypatch.setenv("HUB_DATABASE_URL", database_url)
    monkeypatch.setenv("HUB_DATA_FOLDER", str(tmp_path))

    def run(*arguments: str, language: str = "en") -> Done:
        monkeypatch.setenv("HUB_LANGUAGE", language)
        monkeypatch.setattr(sys, "argv", ["hub", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        said = capsys.readouterr()
        return Done(code if isinstance(code, int) else 0, said.out, said.err)

    return run


def shown(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_request_is_asked_granted_and_ended_at_the_command_line(hub: Hub):
    submit = ("request", "submit", "420000.resident", "--as", "ask", "--basis", "社会保险法", "--scenario", "资格核验")
    scope = ("--field", "name=masked", "--field", "division_code", "--method", "api", "--from", "2026-01-01")
    request = shown(hub(*submit, *scope, "--until", UNTIL, "--consent", "文号", "--json"))["id"]
    assert shown(hub("request", "show", request, "--as", "aud", "--json"))["held_by"] == "gong-an"
    assert request in hub("request", "list", "--as", "prov").stdout
    to_decide = hub("request", "show", request, "--as", "prov").stdout
    for element in ("社会保险法", "资格核验", '"name": "masked"', '["api"]', "2025-12-31T16:00"):
        assert element in to_decide
    nothing = hub("grant", "list", "--as", "ask")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "there is nothing to list.\n")
    foreign = hub("request", "show", request, "--as", "other")
    assert (foreign.returncode, foreign.stdout) == (1, "")
    assert hub("request", "accept", request, "--as", "prov", "--consent", "同意").returncode == 0
    proposed = ("grant", "propose", request, "--as", "prov", "--quota-rows", "100")
    proposal = shown(hub(*proposed, "--rows", '{"field": "division_code", "prefix": "4201"}', "--json"))
    approve = ("grant", "approve", proposal["id"], "--digest", proposal["digest"], "--as")
    own = hub(*approve, "prov", language="zh")
    assert own.returncode == 1
    assert "须由另一人进行" in own.stderr
    assert shown(hub(*approve, "rev", "--json"))["state"] == "active"
    assert hub("request", "deliver", request, "--as", "prov").returncode == 0
    assert "name=masked" in hub("grant", "list", "--as", "ask").stdout
    given = hub("grant", "show", proposal["id"], "--as", "ask").stdout
    for member in ('{"field": "division_code", "prefix": "4201"}', '"rows": 100', "社会保险法"):
        assert member in given
    ended = hub("grant", "end", proposal["id"], "--as", "prov", "--reasons", "超范围使用")
    assert (ended.returncode, "ended" in ended.stdout) == (0, True)
    again = hub("grant", "end", proposal["id"], "--as", "prov", "--reasons", "超范围使用", language="zh")
    assert (again.returncode, again.stdout) == (1, "")
    assert "hub grant show" in again.stderr


def test_a_refusal_names_its_article(hub: Hub):
    request = shown(hub("request", "submit", "420000.resident", "--as", "ask", "--json"))["id"]
    outright = hub("request", "refuse", request, "--as", "prov", "--reasons", "材料不全", language="zh")
    assert outright.returncode == 1
    assert "第二十一条" in outright.stderr
    assert "使用依据" in hub("request", "notice", request, "--as", "prov", language="zh").stdout


def test_an_option_that_cannot_be_is_refused_with_a_sentence(hub: Hub):
    submit = ("request", "submit", "420000.resident", "--as", "ask")
    for wrong in (("--field", "name=naked"), ("--rows", "{"), ("--method", "pigeon"), ("--until", "soon")):
        done = hub(*submit, *wrong)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr
        assert done.stderr.strip()


def test_a_years_arrangement_is_entered_from_a_file(hub: Hub, tmp_path: Path):
    file = tmp_path / "2027.json"
    days = ["2027-01-01", "2027-05-01", "2027-10-01", "2027-10-02", "2027-10-03"]
    file.write_text(json.dumps({"year": 2027, "source": "国办(示例)", "holidays": days, "workdays": ["2027-01-09"]}))
    assert hub("calendar", "add-year", str(file), "--as", "prov").returncode == 1
    assert hub("calendar", "add-year", str(file), "--as", "root2").returncode == 0
    assert shown(hub("calendar", "list", "--json"))[0]["year"] == 2027
    file.write_text('{"year": 2027}')
    assert "2027" in hub("calendar", "add-year", str(file), "--as", "root2").stderr


def test_the_table_of_tiers_is_shown_proposed_and_approved(hub: Hub, tmp_path: Path):
    file = tmp_path / "tiers.json"
    file.write_text(json.dumps(shown(hub("tier", "show", "--as", "aud", "--json"))))
    made = shown(hub("tier", "propose", str(file), "--as", "root2", "--reason", "重申", "--json"))
    approve = ("tier", "approve", str(made["version"]), "--digest", made["digest"], "--as")
    assert hub(*approve, "root2").returncode == 1
    assert hub(*approve, "root").returncode == 0
    assert hub("tier", "show", "--as", "ask").returncode == 1
