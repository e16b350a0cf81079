"""docs/reference.md, written from the code itself: commands, settings, problems and reasons cannot drift from it.

``python tests/support/reference_document.py`` writes it (``make reference``); a test compares.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from connectors.cli import app as connector_program
from hub.api.problems import CONCEALED, status_of
from hub.cli import program as hub_program
from hub.settings import PREFIX, Settings
from schemas.errors import HubError
from schemas.reasons import REASONS

FILE = Path(__file__).parents[2] / "docs" / "reference.md"
ROOMS = ("schemas", "catalog", "connectors", "hub")
OPENING = """\
# Reference

Written by `make reference` from the code; a test fails when the two differ.
"""


def document() -> str:
    """The whole text."""
    parts = [
        OPENING,
        "## Commands of the hub\n\n" + "\n".join(_commands("hub", hub_program())),
        "## Commands of the connector\n\n" + "\n".join(_commands("connector", connector_program)),
        "## Settings\n\nEnvironment variables, or lines of `hub.env` in the data folder.\n\n" + _settings(),
        "## Problems\n\nThe `code` of an RFC 9457 problem, of a refused batch in a receipt, and what the command lines "
        "say. `GET /v1/problems/{code}` explains one. The hub answers 503 `hub_unavailable` for those marked –: their "
        "sentences are for its operator.\n\n" + _problems(),
        "## Reasons\n\nWhy a record waits in quarantine; a flagged record is stored.\n\n" + _reasons(),
    ]
    return "\n\n".join(parts) + "\n"


def errors(*, of_connectors: bool) -> list[type[HubError]]:
    """Every error that has a code, by code; those of the connectors never meet HTTP."""
    for room in ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if module.name.endswith("errors"):
                importlib.import_module(module.name)
    found: list[type[HubError]] = []
    families: list[type[HubError]] = [HubError]
    while families:
        for child in families.pop().__subclasses__():
            families.append(child)
            if "code" in vars(child) and child.__module__.startswith("connectors.") == of_connectors:
                found.append(child)
    return sorted(set(found), key=lambda error: error.code)


def _commands(root: str, program: typer.Typer) -> Iterator[str]:
    app = typer.main.get_command(program)
    yield "| command | what it does |\n|---|---|"
    for name, command in _leaves(app, root):
        arguments = [_argument(one) for one in command.params if isinstance(one, TyperArgument)]
        options = [_option(one) for one in command.params if isinstance(one, TyperOption) and not one.hidden]
        shown = [one for one in options if "`--help`" not in one]
        listed = f"<br>{'<br>'.join(shown)}" if shown else ""
        yield f"| `{' '.join([name, *arguments])}` | {_cell(command.help or '')}{listed} |"


def _leaves(command: object, name: str) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for child_name, child in command.commands.items():
            yield from _leaves(child, f"{name} {child_name}")
    elif isinstance(command, TyperCommand) and not command.hidden:
        yield name, command


def _argument(one: TyperArgument) -> str:
    name = one.metavar or (one.name or "").upper()
    return name if one.required else f"[{name}]"


def _option(one: TyperOption) -> str:
    return f"`{one.opts[0]}` {_cell(one.help or '')}"


def _settings() -> str:
    rows = ["| setting | default | meaning |\n|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else str(field.default)
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {_cell(field.description or '')} |")
    return "\n".join(rows)


def _problems() -> str:
    hubs = errors(of_connectors=False)
    rows = ["| code | status | en | zh |\n|---|---|---|---|"]
    rows += [f"| `{one.code}` | {_status(one)} | {_cell(one.en)} | {_cell(one.zh)} |" for one in hubs]
    rows.append("\nOf the connector alone:\n\n| code | en | zh |\n|---|---|---|")
    rows += [f"| `{one.code}` | {_cell(one.en)} | {_cell(one.zh)} |" for one in errors(of_connectors=True)]
    return "\n".join(rows)


def _status(error: type[HubError]) -> str:
    return "–" if issubclass(error, CONCEALED) else str(status_of(error))


def _reasons() -> str:
    reasons: Mapping[str, Any] = REASONS
    rows = ["| code | en | zh |\n|---|---|---|"]
    rows += [f"| `{code}` | {_cell(en)} | {_cell(zh)} |" for code, (zh, en) in reasons.items()]
    return "\n".join(rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(document(), encoding="utf-8")
