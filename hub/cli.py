"""The hub's command line. Each command's errors are sentences; exit codes as in ``hub.terminal``.

A command's module is loaded when it is called for: loading all of them takes longer than most commands do.
"""

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Final

import psycopg
import typer

from hub.terminal import language
from schemas.errors import HubError

# Name → module and what of it, in the order of the help.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "start": ("cli_run", "start_command"),
    "serve": ("cli_run", "serve_command"),
    "worker": ("cli_run", "worker_command"),
    "dispatch": ("cli_subscription", "dispatch_command"),
    "metrics": ("cli_metrics", "metrics_command"),
    "doctor": ("cli_doctor", "doctor_command"),
    "backup": ("cli_backup", "backup_command"),
    "restore": ("cli_backup", "restore_command"),
    "erase": ("cli_exchange", "erase"),
    "token": ("cli_token", "token_command"),
}
GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    "store": ("cli_store", "store"),
    "contract": ("cli_contract", "contract"),
    "dataset": ("cli_contract", "dataset"),
    "organization": ("cli_organization", "organization"),
    "mandate": ("cli_organization", "mandate"),
    "person": ("cli_person", "person"),
    "application": ("cli_application", "application"),
    "keycloak": ("cli_keycloak", "keycloak"),
    "receipt": ("cli_exchange", "receipt"),
    "quarantine": ("cli_exchange", "quarantine"),
    "ledger": ("cli_ledger", "ledger"),
    "log": ("cli_log", "log"),
    "entry": ("cli_entry", "entry"),
    "request": ("cli_request", "request"),
    "calendar": ("cli_request", "calendar"),
    "grant": ("cli_grant", "grant"),
    "tier": ("cli_tier", "tier"),
    "subscription": ("cli_subscription", "subscription"),
    "statistics": ("cli_statistics", "statistics"),
}


def program(names: Iterable[str] | None = None) -> typer.Typer:
    """The command line with these commands; with all by default."""
    app = typer.Typer(
        name="hub",
        help="枢纽, a government data-exchange hub. Settings are variables HUB_…; errors are in the language of "
        "HUB_LANGUAGE or LANG (zh, en).",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_group)
    app.command("version")(show_version)
    for name in (*COMMANDS, *GROUPS) if names is None else names:
        module, attribute = COMMANDS.get(name) or GROUPS[name]
        found = getattr(import_module(f"hub.{module}"), attribute)
        if name in COMMANDS:
            app.command(name)(found)
        else:
            app.add_typer(found, name=name)
    return app


def show_version() -> None:
    """Print the hub's version."""
    typer.echo(version("shuniu"))


def main() -> None:
    """Run a command; an expected error is a sentence on standard error and exit code 1."""
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    known = called in COMMANDS or called in GROUPS
    app = program([called] if known else [] if called == "version" else None)
    try:
        app()
    except HubError as error:
        _refuse(error.sentence(language()))
    except psycopg.OperationalError as error:
        text = " ".join(str(error).split())
        _refuse(f"数据库无法使用:{text}" if language() == "zh" else f"the store cannot be used: {text}")


def _group() -> None:
    """Without a callback Typer would take a single command's name away."""


def _refuse(sentence: str) -> None:
    typer.echo(sentence, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
