"""How commands speak: tables for people, JSON for scripts, sentences in the user's language, exit codes.

0 it was done; 1 it was refused, with a sentence on standard error; 2 the command line was wrong.
"""

import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer
from psycopg import Connection
from rich.console import Console
from rich.table import Table

from hub.main import opened_store
from hub.settings import LANGUAGE_VARIABLE, Settings, read_settings, unknown_variables
from hub.store.connect import connect
from schemas.errors import Language

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for scripts.")]
ActingAs = Annotated[str, typer.Option("--as", metavar="LOGIN", help="The account that acts; its roles decide.")]
ActingAsOrFirst = Annotated[
    str | None,
    typer.Option("--as", metavar="LOGIN", help="The account that acts; only the first administrator needs none."),
]
Rows = Sequence[Mapping[str, Any]]

LANGUAGE_VARIABLES = (LANGUAGE_VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")


def language() -> Language:
    """Of the first variable that is set: zh for Chinese, else en."""
    first = next((value for name in LANGUAGE_VARIABLES if (value := os.environ.get(name))), "")
    return "zh" if first.lower().startswith("zh") else "en"


def say(zh: str, en: str) -> None:
    """A sentence on standard output."""
    typer.echo(zh if language() == "zh" else en)


def tell(text: str) -> None:
    """Progress, on standard error."""
    typer.echo(text, err=True)


def show_json(value: object) -> None:
    """One JSON value on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def show_rows(rows: Rows, *, as_json: bool) -> None:
    """A table, or JSON with one object a row."""
    if as_json:
        show_json([dict(row) for row in rows])
        return
    if not rows:  # beside the output: what counts its lines finds none
        tell("没有可列出的内容。" if language() == "zh" else "there is nothing to list.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(_plain(value)) for value in row.values()))
    # Not to a terminal: wide enough that no value is folded and grep finds it.
    Console(width=None if sys.stdout.isatty() else 400, highlight=False, markup=False).print(table)


def show_members(value: Mapping[str, Any]) -> None:
    """What one thing consists of, a line a member; what is absent is left out."""
    shown = {name: member for name, member in value.items() if member not in (None, "", [], {})}
    rows = [
        {"what": name, "is": json.dumps(member, ensure_ascii=False) if isinstance(member, dict | list) else member}
        for name, member in shown.items()
    ]
    show_rows(rows, as_json=False)


def settings_of(**given: object) -> Settings:
    """The settings, with a word about variables that are none."""
    for name in unknown_variables(os.environ):
        tell(f"{name} is no setting of the hub; is it misspelt?")
    return read_settings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def transaction(settings: Settings | None = None) -> Generator[Connection]:
    """One transaction on the store, migrated; the store is started for it where it does not run."""
    with (
        opened_store(settings or settings_of(), tell) as url,
        connect(url, "hub cli", wait_seconds=10) as conn,
        conn.transaction(),
    ):
        yield conn


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value if isinstance(value, str | int | float | bool) else str(value)
