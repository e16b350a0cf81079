"""hub keycloak: applications as clients of the realm that is the hub's issuer."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from hub.acts import applications
from hub.identity.errors import ApplicationUnknown
from hub.identity.keycloak_clients import KeycloakClients
from hub.identity.opaque_id import is_opaque_id
from hub.identity.people import caller_of_login
from hub.main import keycloak_clients
from hub.terminal import ActingAs, AsJson, say, settings_of, show_json, transaction

keycloak = typer.Typer(help="Applications as clients of Keycloak, the hub's issuer.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="APPLICATION", help="Id of the application.")]


@keycloak.command("add")
def add_client(id_: Id, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Make a confidential client for an application, link it and print its secret, once."""
    settings = settings_of()
    clients, now = keycloak_clients(settings), datetime.now(UTC)
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        actor.require("administrator")
        found = applications.application(conn, actor, _known(id_))
        made = clients.add(found.id, found.name)
        applications.link_client(
            conn, actor, found.id, str(settings.oidc_issuer), made.client, now, subject=made.subject
        )
    if as_json:
        show_json(asdict(made))
        return
    say(f"客户端 {made.client} 的密钥,仅显示这一次:", f"secret of client {made.client}, shown this once:")
    typer.echo(made.secret)


@keycloak.command("rotate")
def rotate_secret(id_: Id, acting_as: ActingAs) -> None:
    """Replace a client's secret and print the new one, once; the old one counts no more."""
    secret = _of_administrator(acting_as).rotate(_known(id_))
    say("新密钥,仅显示这一次:", "the new secret, shown this once:")
    typer.echo(secret)


@keycloak.command("disable")
def disable_client(id_: Id, acting_as: ActingAs) -> None:
    """Let a client have no more tokens. Those it has end by themselves; hub application suspend ends them now."""
    _of_administrator(acting_as).set_enabled(_known(id_), enabled=False)
    say("客户端已停用。", "the client is disabled.")


@keycloak.command("enable")
def enable_client(id_: Id, acting_as: ActingAs) -> None:
    """Let a client have tokens again."""
    _of_administrator(acting_as).set_enabled(_known(id_), enabled=True)
    say("客户端已启用。", "the client is enabled.")


def _of_administrator(login: str) -> KeycloakClients:
    with transaction() as conn:
        caller_of_login(conn, login, datetime.now(UTC)).require("administrator")
    return keycloak_clients(settings_of())


def _known(id_: str) -> str:
    if not is_opaque_id(id_):
        raise ApplicationUnknown
    return id_
