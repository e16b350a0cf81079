"""hub application, hub application key."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from hub.acts import applications
from hub.acts.applications import NewApplication
from hub.identity.application_keys import KEY_DAYS
from hub.identity.errors import ApplicationUnknown
from hub.identity.opaque_id import is_opaque_id
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, say, show_json, show_rows, transaction

application = typer.Typer(help="Applications and their keys.", no_args_is_help=True)
key = typer.Typer(help="Keys of an application: two live at once, so that one can be replaced.", no_args_is_help=True)
application.add_typer(key, name="key")

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the application.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="Days until the key expires.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the ledger as a commitment.")]


@application.command("add")
def add_application(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As people see it who are asked to consent.")],
    acting_as: ActingAs,
    organization: Annotated[str | None, typer.Option(help="The owner; without it the acting account.")] = None,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where people who sign in come back to; may be repeated.")
    ] = None,
    public_client: Annotated[bool, typer.Option(help="It cannot keep a key and gets none.")] = False,
    days: Days = KEY_DAYS,
    as_json: AsJson = False,
) -> None:
    """Register an application and print its first key. The key is shown once; only its digest is kept."""
    new = NewApplication(name, organization, public_client, tuple(redirect_uri or ()))
    now = datetime.now(UTC)
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        made = applications.add_application(conn, actor, new, now)
        issued = None if public_client else applications.add_key(conn, actor, made.id, now, days)
    if as_json:
        show_json({**asdict(made), "key": issued.key if issued else None, "key_id": issued.id if issued else None})
        return
    say(f"应用已登记,编号 {made.id}。", f"the application is registered, id {made.id}.")
    if issued is not None:
        say(f"密钥(编号 {issued.id})仅显示这一次:", f"its key (id {issued.id}), shown this once:")
        typer.echo(issued.key)


@application.command("list")
def list_applications(acting_as: ActingAs, limit: int = 1_000, as_json: AsJson = False) -> None:
    """List the acting account's applications; all of them for administrators and auditors."""
    with transaction() as conn:
        found = applications.applications(conn, caller_of_login(conn, acting_as, datetime.now(UTC)), limit)
    rows = [{**asdict(one), "redirect_uris": " ".join(one.redirect_uris)} for one in found]
    show_rows(rows, as_json=as_json)


@application.command("suspend")
def suspend(id_: Id, acting_as: ActingAs, reason: Reason) -> None:
    """Let an application do nothing more; takes effect within a second."""
    now = datetime.now(UTC)
    with transaction() as conn:
        applications.suspend(conn, caller_of_login(conn, acting_as, now), known(id_), reason, now)
    say("应用已停用。", "the application is suspended.")


@application.command("resume")
def resume(id_: Id, acting_as: ActingAs, reason: Reason) -> None:
    """End a suspension; administrators only."""
    now = datetime.now(UTC)
    with transaction() as conn:
        applications.resume(conn, caller_of_login(conn, acting_as, now), known(id_), reason, now)
    say("应用已恢复。", "the application is live again.")


@application.command("link")
def link_client(
    id_: Id,
    acting_as: ActingAs,
    issuer: Annotated[str, typer.Option(help="The other issuer, as its tokens name it.")],
    client: Annotated[str, typer.Option(help="Id of the client there (azp of its tokens).")],
    subject: Annotated[
        str | None, typer.Option(help="Subject of the client's own tokens, where it gets some without a person.")
    ] = None,
) -> None:
    """Say that a client of another issuer is this application; administrators only."""
    now = datetime.now(UTC)
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        applications.link_client(conn, actor, known(id_), issuer, client, now, subject=subject)
    say(f"客户端 {client} 已关联到该应用。", f"client {client} is linked to the application.")


@key.command("add")
def add_key(id_: Id, acting_as: ActingAs, days: Days = KEY_DAYS, as_json: AsJson = False) -> None:
    """Make another key and print it, once."""
    now = datetime.now(UTC)
    with transaction() as conn:
        issued = applications.add_key(conn, caller_of_login(conn, acting_as, now), known(id_), now, days)
    if as_json:
        show_json(asdict(issued))
        return
    until = issued.expires_at.date()
    say(
        f"密钥(编号 {issued.id},{until} 到期),仅显示这一次:",
        f"key (id {issued.id}, until {until}), shown this once:",
    )
    typer.echo(issued.key)


@key.command("revoke")
def revoke_key(
    id_: Id, key_id: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key.")], acting_as: ActingAs
) -> None:
    """End a key and the tokens issued for it, within a second."""
    now = datetime.now(UTC)
    with transaction() as conn:
        applications.revoke_key(conn, caller_of_login(conn, acting_as, now), known(id_), key_id, now)
    say(f"密钥 {key_id} 已撤销。", f"key {key_id} is revoked.")


@key.command("list")
def list_keys(id_: Id, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """List an application's keys by id, the newest first."""
    with transaction() as conn:
        found = applications.keys(conn, caller_of_login(conn, acting_as, datetime.now(UTC)), known(id_))
    show_rows([asdict(one) for one in found], as_json=as_json)


def known(id_: str) -> str:
    """An id the store can compare: what is no UUID names no application."""
    if not is_opaque_id(id_):
        raise ApplicationUnknown
    return id_
