"""How the connector speaks: sentences in the user's language on standard error, answers on standard output.

Exit codes: 0 it was done; 1 it was refused or an item failed, with a sentence; 2 the command line was wrong; 130
Ctrl-C.
The same variables as the hub's commands decide the language; the connector does not know the hub's code.
"""

import json
import os
from collections.abc import Mapping
from typing import Annotated

import typer

from schemas.errors import Language

LANGUAGE_VARIABLES = ("HUB_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for scripts.")]


def language(environment: Mapping[str, str] = os.environ) -> Language:
    """Of the first variable that is set: zh for Chinese, else en."""
    first = next((value for name in LANGUAGE_VARIABLES if (value := environment.get(name))), "")
    return "zh" if first.lower().startswith("zh") else "en"


def chosen(zh: str, en: str) -> str:
    """The sentence in the user's language."""
    return zh if language() == "zh" else en


def say(zh: str, en: str) -> None:
    """A sentence on standard output."""
    typer.echo(chosen(zh, en))


def tell(zh: str, en: str) -> None:
    """A sentence on standard error."""
    typer.echo(chosen(zh, en), err=True)


def show_json(value: object) -> None:
    """One JSON value on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))
