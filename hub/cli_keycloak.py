"""hub keycloak: applications, people and organizations in the realm that is the hub's issuer."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from psycopg import Connection

from catalog.caller import Caller
from hub.acts import clients as acts
from hub.cli_application import known
from hub.cli_keycloak_person import organization, person
from hub.identity.keycloak_clients import KeycloakClients
from hub.identity.people import caller_of_login
from hub.main import keycloak_realm
from hub.terminal import ActingAs, AsJson, say, settings_of, show_json, transaction

keycloak = typer.Typer(
    help="Applications, people and organizations in Keycloak, the hub's issuer.", no_args_is_help=True
)
keycloak.add_typer(person, name="person")
keycloak.add_typer(organization, name="organization")

Id = Annotated[str, typer.Argument(metavar="APPLICATION", help="Id of the application.")]


@keycloak.command("add")
def add_client(id_: Id, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Make a confidential client for an application, link it and print its secret, once."""
    now = datetime.now(UTC)
    with _acting(acting_as, now) as (conn, actor, clients):
        made = acts.add_client(conn, actor, clients, known(id_), now)
    if as_json:
        show_json(asdict(made))
        return
    say(f"客户端 {made.client} 的密钥,仅显示这一次:", f"secret of client {made.client}, shown this once:")
    typer.echo(made.secret)


@keycloak.command("rotate")
def rotate_secret(id_: Id, acting_as: ActingAs) -> None:
    """Replace a client's secret and print the new one, once; the old one counts no more."""
    now = datetime.now(UTC)
    with _acting(acting_as, now) as (conn, actor, clients):
        secret = acts.replace_secret(conn, actor, clients, known(id_), now)
    say("新密钥,仅显示这一次:", "the new secret, shown this once:")
    typer.echo(secret)


@keycloak.command("disable")
def disable_client(id_: Id, acting_as: ActingAs) -> None:
    """Let a client have no more tokens. Those it has end by themselves; hub application suspend ends them now."""
    now = datetime.now(UTC)
    with _acting(acting_as, now) as (conn, actor, clients):
        acts.set_client_enabled(conn, actor, clients, known(id_), now, enabled=False)
    say("客户端已停用。", "the client is disabled.")


@keycloak.command("enable")
def enable_client(id_: Id, acting_as: ActingAs) -> None:
    """Let a client have tokens again."""
    now = datetime.now(UTC)
    with _acting(acting_as, now) as (conn, actor, clients):
        acts.set_client_enabled(conn, actor, clients, known(id_), now, enabled=True)
    say("客户端已启用。", "the client is enabled.")


@contextmanager
def _acting(login: str, now: datetime) -> Generator[tuple[Connection, Caller, KeycloakClients]]:
    settings = settings_of()
    clients = KeycloakClients(keycloak_realm(settings), settings.oidc_audience)
    with transaction() as conn:
        yield conn, caller_of_login(conn, login, now), clients
