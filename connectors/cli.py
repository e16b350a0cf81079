"""The connector's command line. Errors are sentences; exit codes as in ``connectors.terminal``."""

import os
import sys

import typer

from connectors import cli_key, cli_look, cli_run
from connectors.errors import Interrupted
from connectors.terminal import language
from schemas.errors import HubError

INTERRUPTED = 130

app = typer.Typer(
    name="connector",
    help="Brings a department's files, layers and databases to the hub: a connector is one YAML file. Errors are in "
    "the language of HUB_LANGUAGE or LANG (zh, en).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("check")(cli_look.check_command)
app.command("dry-run")(cli_look.dry_run_command)
app.command("run")(cli_run.run_command)
app.command("status")(cli_look.status_command)
app.add_typer(cli_key.key, name="key")


def main() -> None:
    """Run a command; an expected error is a sentence on standard error and exit code 1, Ctrl-C is 130."""
    # Records are checked a batch at a time; more threads would only take turns on the machine's cores.
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    try:
        app()
    except Interrupted as error:
        _end(error.sentence(language()), INTERRUPTED)
    except HubError as error:
        _end(error.sentence(language()), 1)


def _end(sentence: str, code: int) -> None:
    typer.echo(sentence, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
