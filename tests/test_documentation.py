"""What is written for people: every error, command, setting and task is explained, and what is promised exists."""

import inspect
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
import reference_document
import typer
from typer.core import TyperCommand, TyperGroup

from connectors.cli import app as connector_program
from hub.api.problems import status_of
from hub.cli import program as hub_program
from hub.settings import Settings
from schemas.errors import HubError

ROOT = Path(__file__).parent.parent


# Errors --------------------------------------------------------------------------------------------------------------


@cache
def errors() -> tuple[type[HubError], ...]:
    """Every class of the HubError family that is raised: those that have a code of their own."""
    return (*reference_document.errors(of_connectors=False), *reference_document.errors(of_connectors=True))


def test_every_error_has_a_code_of_its_own():
    codes = [vars(error)["code"] for error in errors()]
    assert sorted(codes) == sorted(set(codes))
    assert [code for code in codes if not re.fullmatch(r"[a-z][a-z0-9_]*", code)] == []


def test_every_error_speaks_both_languages_about_its_own_fields():
    wrong: list[str] = []
    for error in errors():
        known = set(inspect.signature(error).parameters)
        for language in ("zh", "en"):
            template = str(getattr(error, language))
            named = {name.split(".")[0].split("[")[0] for _, name, _, _ in Formatter().parse(template) if name}
            if not template or not named <= known:
                wrong.append(f"{error.__qualname__}.{language}")
    assert wrong == []


def test_every_error_is_mapped_to_a_status():
    met = reference_document.errors(of_connectors=False)  # the connectors' own end in an exit code, not in HTTP
    assert [error.__qualname__ for error in met if not 400 <= status_of(error) <= 599] == []


# Documents -----------------------------------------------------------------------------------------------------------


@cache
def documents() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))


def commands(command: object, name: str) -> Iterator[tuple[str, str | None]]:
    """Every command that can be typed, with its help."""
    if isinstance(command, TyperGroup):
        for child_name, child in command.commands.items():
            yield from commands(child, f"{name} {child_name}")
    elif isinstance(command, TyperCommand) and not command.hidden:
        yield name, command.help


@pytest.mark.parametrize(("name", "program"), [("hub", hub_program()), ("connector", connector_program)])
def test_every_command_is_explained_and_documented(name: str, program: typer.Typer):
    leaves = list(commands(typer.main.get_command(program), name))
    assert leaves
    assert [name for name, explanation in leaves if not explanation] == []
    assert [name for name, _ in leaves if name not in documents()] == []


def test_every_setting_is_explained_and_documented():
    settings = Settings.model_fields
    assert [name for name, field in settings.items() if not field.description] == []
    assert [name for name in settings if f"HUB_{name.upper()}" not in documents()] == []


def test_the_reference_is_what_the_code_says():
    assert reference_document.FILE.read_text(encoding="utf-8") == reference_document.document(), "make reference"


def test_every_setting_is_read():
    sources = [path for path in sorted((ROOT / "hub").rglob("*.py")) if path.name != "settings.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert [name for name in Settings.model_fields if not re.search(rf"settings\.{name}\b", text)] == []


def test_every_make_target_is_explained():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", text, re.MULTILINE)
    assert [target for target in targets if not re.search(rf"^{target}:.*## ", text, re.MULTILINE)] == []


def test_the_lock_file_names_every_dependency_with_its_hash():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9_-]", line)[0].lower() for line in wanted}
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    assert names - locked == set()
    assert re.findall(r"^[a-z0-9-]+==[^\\\n]*$", lock, re.MULTILINE) == []
