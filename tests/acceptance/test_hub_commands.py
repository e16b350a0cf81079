"""The hub's command line: what scripts rely on — JSON, exit codes, sentences in the user's language."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import run_hub

from schemas.contract import load_shipped

Hub = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Hub:
    """Runs one command on a database of the test's own."""
    environment = {**os.environ, "HUB_DATABASE_URL": database_url, "HUB_DATA_FOLDER": str(tmp_path)}

    def run(*arguments: str, language: str = "en", given: str | None = None) -> "subprocess.CompletedProcess[str]":
        return run_hub(*arguments, environment={**environment, "HUB_LANGUAGE": language}, given=given)

    return run


def as_json(done: "subprocess.CompletedProcess[str]") -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ADD_GONG_AN = ("organization", "add", "gong-an", "--name-zh", "公安厅", "--name-en", "Public Security")


def test_an_organization_is_added_with_its_token_and_tokens_are_replaced(hub: Hub):
    added = as_json(hub(*ADD_GONG_AN, "--json"))
    assert isinstance(added, dict)
    assert added["token"].startswith("hub_")
    plain = hub("organization", "token", "add", "gong-an")
    assert plain.stdout.splitlines()[-1].startswith("hub_")
    third = hub("organization", "token", "add", "gong-an", language="zh")
    assert (third.returncode, third.stdout) == (1, "")
    assert "已有 2 个有效令牌" in third.stderr
    assert hub("organization", "token", "revoke", "gong-an", added["id"]).returncode == 0
    tokens = as_json(hub("organization", "token", "list", "gong-an", "--json"))
    assert isinstance(tokens, list)
    assert [one["revoked_at"] is None for one in tokens] == [True, False]
    assert added["token"] not in json.dumps(tokens)


def test_refusals_are_sentences_with_exit_code_1_and_mistyped_commands_end_with_2(hub: Hub):
    refused = hub("dataset", "add", "420000.resident", "--contract", "resident", "--organization", "nobody")
    assert refused.returncode == 1
    assert refused.stderr.strip().startswith("contract resident has no version")
    assert hub("organization", "add", "gong-an").returncode == 2
    assert hub("nothing").returncode == 2
    assert hub("quarantine", "close", "1", "--reason", "x").returncode == 1
    assert hub("organization", "add", "Gong", "--name-zh", "公", "--name-en", "G").returncode == 1


def test_contracts_datasets_and_mandates_are_registered_once_and_listed(hub: Hub):
    first = as_json(hub("contract", "register", "--shipped", "--json"))
    again = as_json(hub("contract", "register", "--shipped", "--json"))
    assert isinstance(first, list)
    assert isinstance(again, list)
    assert {one["new"] for one in first} == {True}
    assert {one["new"] for one in again} == {False}
    assert len(first) == len(load_shipped())
    assert hub(*ADD_GONG_AN).returncode == 0
    assert hub("organization", "add", "wu-han", "--name-zh", "武汉", "--name-en", "Wuhan", "--level", "city",
               "--region", "420100").returncode == 0  # fmt: skip
    for is_new in (True, False):
        made = as_json(hub("dataset", "add", "420000.resident", "--contract", "resident", "--organization", "gong-an",
                           "--json"))  # fmt: skip
        assert isinstance(made, dict)
        assert (made["new"], made["organization"]) == (is_new, "gong-an")
    assert hub("mandate", "add", "wu-han", "--dataset", "420000.resident", "--basis", "No. 1").returncode == 0
    for listed in (("dataset", "list"), ("contract", "list"), ("organization", "list"), ("mandate", "list")):
        assert as_json(hub(*listed, "--json"))
        assert hub(*listed).returncode == 0
    topics = as_json(hub("log", "topics", "--json"))
    assert isinstance(topics, list)
    assert [one["name"] for one in topics] == ["exchange.420000.resident"]
    shown = hub("contract", "show", "resident")
    assert shown.stdout.strip() == next(one.source for one in load_shipped() if one.name == "resident")


def test_an_incompatible_version_is_refused_naming_field_and_rule(hub: Hub):
    (resident,) = [one for one in load_shipped() if one.name == "resident"]
    assert hub("contract", "register", "-", given=resident.source).returncode == 0
    changed = json.loads(resident.source)
    changed["hub"]["version"] = 2
    name = next(one for one in changed["fields"] if one["name"] == "name")
    name["type"] = ["null", "long"]
    name["hub"]["checks"] = []
    refused = hub("contract", "register", "-", given=json.dumps(changed, ensure_ascii=False))
    assert refused.returncode == 1
    assert "name [" in refused.stderr


def test_every_group_and_command_has_help(hub: Hub):
    shown = hub("--help")
    assert shown.returncode == 0
    assert "HUB_LANGUAGE" in shown.stdout
    for group in ("organization", "contract", "dataset", "mandate", "store", "log", "quarantine", "receipt"):
        assert hub(group, "--help").returncode == 0
