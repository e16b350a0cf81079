"""PostgreSQL's programs are found, or installed where allowed, or the commands are said. The machine is made up."""

import os
from pathlib import Path

import pytest

from hub.store import install
from hub.store.errors import PostgresMissing
from hub.store.install import Postgres, best, find_all, ready_postgres


class Machine:
    """A made-up machine: a folder of PostgreSQLs and a folder of commands that write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands = folder / "commands"
        self.calls = folder / "calls"
        self.commands.mkdir()
        self.add_command("env", f'echo "env $@" >> {self.calls}; shift; exec "$@"')
        self.patterns = [f"{folder}/postgresql/*/bin"]
        self.told: list[str] = []

    def add_postgres(self, version: str, *, postgis: bool) -> Path:
        top = self.folder / "postgresql" / version.split(".", maxsplit=1)[0]
        (top / "bin").mkdir(parents=True)
        (top / "made/extension").mkdir(parents=True)
        if postgis:
            (top / "made/extension/postgis.control").touch()
        script(top / "bin/postgres", f'echo "postgres (PostgreSQL) {version} (made up)"')
        script(top / "bin/pg_config", f"echo {top}/made")
        for name in ("initdb", "pg_ctl"):
            script(top / "bin" / name, "exit 1")
        return top

    def add_command(self, name: str, body: str = "") -> None:
        script(self.commands / name, f'echo "{name} $@" >> {self.calls}\n{body}' if name != "env" else body)

    def ready(self, **options: object) -> Postgres:
        return ready_postgres(self.told.append, patterns=self.patterns, **options)  # pyright: ignore[reportArgumentType]  # handed on

    def called(self) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if not line.startswith("env")]


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made_up = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(made_up.commands))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made_up


def test_the_newest_with_postgis_is_taken(machine: Machine):
    machine.add_postgres("15.9", postgis=True)
    machine.add_postgres("16.10", postgis=True)
    machine.add_postgres("17.2", postgis=False)
    machine.add_postgres("14.30", postgis=True)
    assert [found.version for found in find_all(machine.patterns)] == ["17.2", "16.10", "15.9"]
    assert machine.ready().version == "16.10"
    assert machine.ready(major=15).version == "15.9"


def test_one_on_the_path_is_found(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    top = machine.add_postgres("18.1", postgis=True)
    monkeypatch.setenv("PATH", str(top / "bin"))
    assert [found.version for found in find_all([])] == ["18.1"]


def test_a_program_that_does_not_run_is_passed_over(machine: Machine):
    broken = machine.add_postgres("16.1", postgis=True)
    script(broken / "bin/postgres", "exit 3")
    assert best(find_all(machine.patterns), None) is None


def test_root_installs_it_and_says_each_command(machine: Machine):
    later = machine.add_postgres("15.20", postgis=True)
    hidden = later.rename(machine.folder / "hidden")
    machine.add_command("sed")
    machine.add_command("apt-get", f'case "$*" in *postgis*) /bin/mv {hidden} {later};; esac')
    assert machine.ready().version == "15.20"
    called = machine.called()
    assert called[0] == "apt-get update"
    assert called[2].startswith("sed -i")
    assert "create_main_cluster = false" in called[2]
    assert called[3].endswith("postgresql postgresql-postgis")
    assert len(machine.told) == len(called)


def test_only_what_is_missing_is_installed_for_the_version_that_is_there(machine: Machine):
    top = machine.add_postgres("16.4", postgis=False)
    machine.add_command("sed")
    control = top / "made/extension/postgis.control"
    machine.add_command("apt-get", f'case "$*" in *postgis*) : > {control};; esac')
    assert machine.ready().version == "16.4"
    assert machine.called()[-1].endswith("postgresql-16 postgresql-16-postgis-3")


def test_an_installation_that_fails_is_said(machine: Machine):
    machine.add_command("apt-get", "echo no network >&2; exit 100")
    with pytest.raises(PostgresMissing, match="sudo apt-get install postgresql postgresql-postgis"):
        machine.ready()
    assert machine.told[-1] == "that failed: no network"


def test_nothing_is_installed_when_only_asking(machine: Machine):
    machine.add_command("apt-get")
    with pytest.raises(PostgresMissing):
        machine.ready(may_install=False)
    assert machine.called() == []


def test_an_ordinary_user_installs_through_sudo_only_where_it_asks_no_password(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.add_command("apt-get")
    machine.add_command("sudo", "exit 1")
    with pytest.raises(PostgresMissing):
        machine.ready()
    assert machine.called() == ["sudo -n true"]


@pytest.mark.parametrize(
    ("manager", "command"),
    [("dnf", "dnf install postgresql-server"), ("brew", "brew install"), (None, "package manager")],
)
def test_without_apt_the_error_says_what_to_type(machine: Machine, manager: str | None, command: str):
    if manager:
        machine.add_command(manager)
    with pytest.raises(PostgresMissing, match=command) as missing:
        machine.ready()
    assert "HUB_DATABASE_URL" in missing.value.sentence("zh")


def test_data_of_a_version_that_is_gone_names_that_version(machine: Machine):
    machine.add_postgres("17.1", postgis=True)
    with pytest.raises(PostgresMissing, match="made by PostgreSQL 15"):
        machine.ready(major=15)
    assert install.missing_packages([], 15) == ["postgresql-15", "postgresql-15-postgis-3"]
