"""hub person and hub application at the command line, from the first administrator on."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import run_hub

Hub = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Hub:
    """Runs one command on a database of the test's own."""
    environment = {**os.environ, "HUB_DATABASE_URL": database_url, "HUB_DATA_FOLDER": str(tmp_path)}

    def run(*arguments: str, language: str = "en") -> "subprocess.CompletedProcess[str]":
        return run_hub(*arguments, environment={**environment, "HUB_LANGUAGE": language})

    return run


def as_json(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_first_administrator_is_made_on_the_machine_and_makes_the_others(hub: Hub):
    first = as_json(hub("person", "add", "root", "--name", "管理员", "--json"))
    assert first["roles"] == "administrator"
    assert len(first["password"]) == 20
    assert "person" not in first
    again = hub("person", "add", "thief", "--name", "x", language="zh")
    assert (again.returncode, again.stdout) == (1, "")
    assert "--as" in again.stderr
    plain = hub("person", "add", "dev", "--name", "开发者", "--role", "developer", "--as", "root")
    assert len(plain.stdout.splitlines()[-1]) == 20
    assert hub("person", "add", "dev", "--name", "x", "--as", "root").returncode == 1
    refused = hub("person", "add", "x1", "--name", "x", "--as", "dev")
    assert "administrator" in refused.stderr
    assert hub("person", "add", "x1", "--name", "x", "--as", "nobody").returncode == 1
    assert hub("person", "add", "x1", "--name", "x", "--role", "emperor", "--as", "root").returncode == 1
    assert "for himself" in hub("person", "role", "root", "--give", "auditor", "--as", "root").stderr
    assert hub("person", "role", "dev", "--give", "auditor", "--take", "developer", "--as", "root").returncode == 0
    assert hub("person", "approve", "dev", "--days", "30", "--as", "root").returncode == 0
    assert hub("person", "approve", "root", "--as", "root").returncode == 1
    listed = as_json(hub("person", "list", "--as", "dev", "--json"))
    assert [(one["login"], one["roles"]) for one in listed] == [("dev", "auditor"), ("root", "administrator")]
    assert listed[0]["approved_until"]
    assert hub("person", "approve", "dev", "--end", "--as", "root").returncode == 0
    assert hub("person", "suspend", "dev", "--reason", "left", "--as", "root").returncode == 0
    assert hub("person", "list", "--as", "dev").returncode == 1
    assert hub("person", "resume", "dev", "--reason", "back", "--as", "root").returncode == 0
    assert len(hub("person", "password", "dev", "--as", "root").stdout.splitlines()[-1]) == 20
    link = ("--issuer", "https://issuer.test", "--subject", "1")
    assert hub("person", "link", "dev", *link, "--as", "root").returncode == 0


@pytest.mark.slow
def test_a_developers_application_has_two_keys_and_no_third(hub: Hub):
    assert hub("person", "add", "root", "--name", "x").returncode == 0
    assert hub("person", "add", "dev", "--name", "x", "--role", "developer", "--as", "root").returncode == 0
    made = as_json(hub("application", "add", "地图", "--redirect-uri", "https://app.test/", "--as", "dev", "--json"))
    assert made["key"].startswith("hub_")
    second = hub("application", "key", "add", made["id"], "--as", "dev")
    assert second.stdout.splitlines()[-1].startswith("hub_")
    third = hub("application", "key", "add", made["id"], "--as", "dev", language="zh")
    assert (third.returncode, "2 个有效密钥" in third.stderr) == (1, True)
    assert hub("application", "key", "revoke", made["id"], made["key_id"], "--as", "dev").returncode == 0
    keys = as_json(hub("application", "key", "list", made["id"], "--as", "dev", "--json"))
    assert [one["revoked_at"] is None for one in keys] == [True, False]
    assert hub("application", "suspend", made["id"], "--reason", "x", "--as", "dev").returncode == 0
    assert hub("application", "resume", made["id"], "--reason", "x", "--as", "dev").returncode == 1
    assert hub("application", "resume", made["id"], "--reason", "x", "--as", "root").returncode == 0
    assert [one["id"] for one in as_json(hub("application", "list", "--as", "dev", "--json"))] == [made["id"]]
    for wrong in ("not-a-uuid", "00000000-0000-7000-8000-000000000000"):
        assert "no such application" in hub("application", "key", "list", wrong, "--as", "dev").stderr
    public = as_json(hub("application", "add", "desktop", "--public-client", "--as", "dev", "--json"))
    assert public["key"] is None
