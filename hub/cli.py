"""The hub's command line. Each command's errors are sentences; exit codes as in ``hub.terminal``."""

import sys
from importlib.metadata import version

import psycopg
import typer

from hub import cli_contract, cli_exchange, cli_log, cli_organization, cli_run, cli_store
from hub.terminal import language
from schemas.errors import HubError

app = typer.Typer(
    name="hub",
    help="枢纽, a government data-exchange hub. Settings are variables HUB_…; errors are in the language of "
    "HUB_LANGUAGE or LANG (zh, en).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("start")(cli_run.start_command)
app.command("serve")(cli_run.serve_command)
app.command("worker")(cli_run.worker_command)
app.add_typer(cli_store.store, name="store")
app.add_typer(cli_contract.contract, name="contract")
app.add_typer(cli_contract.dataset, name="dataset")
app.add_typer(cli_organization.organization, name="organization")
app.add_typer(cli_organization.mandate, name="mandate")
app.add_typer(cli_exchange.receipt, name="receipt")
app.add_typer(cli_exchange.quarantine, name="quarantine")
app.command("erase")(cli_exchange.erase)
app.add_typer(cli_log.log, name="log")


@app.command("version")
def show_version() -> None:
    """Print the hub's version."""
    typer.echo(version("shuniu"))


def main() -> None:
    """Run a command; an expected error is a sentence on standard error and exit code 1."""
    try:
        app()
    except HubError as error:
        _refuse(error.sentence(language()))
    except psycopg.OperationalError as error:
        text = " ".join(str(error).split())
        _refuse(f"数据库无法使用:{text}" if language() == "zh" else f"the store cannot be used: {text}")


def _refuse(sentence: str) -> None:
    typer.echo(sentence, err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
