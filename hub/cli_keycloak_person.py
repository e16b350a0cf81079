"""hub keycloak person, hub keycloak organization: who signs in through the realm that is the hub's issuer."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from hub.acts import realm_people as acts
from hub.cli_person import account_of, roles_of, shown
from hub.identity.keycloak_people import KeycloakPeople, MadePerson
from hub.identity.people import caller_of_login
from hub.main import keycloak_realm
from hub.terminal import ActingAs, ActingAsOrFirst, AsJson, say, settings_of, show_json, transaction

person = typer.Typer(help="People who sign in through Keycloak, the hub's issuer.", no_args_is_help=True)
organization = typer.Typer(help="The hub's organizations in Keycloak, the hub's issuer.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The account's login.")]


@person.command("add")
def add_person(
    logins: Annotated[list[str], typer.Argument(metavar="LOGIN...", help="The accounts' logins.")],
    acting_as: ActingAsOrFirst = None,
    as_json: AsJson = False,
) -> None:
    """Make accounts' people in the realm, link them and print their first passwords, once; with --json a line each."""
    realm = _realm()
    for login in logins:  # each by itself: what was made is told, whatever becomes of the next
        now = datetime.now(UTC)
        with transaction() as conn:
            account = account_of(conn, login)
            if acting_as is None:
                made = acts.add_first_administrator(conn, realm, account, now)
            else:
                made = acts.add_person(conn, caller_of_login(conn, acting_as, now), realm, account, now)
        _show_made(login, made, as_json=as_json)


@person.command("adopt")
def adopt_person(
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="Her login in the realm.")],
    acting_as: ActingAs,
    *,
    name: Annotated[str | None, typer.Option(help="As others see her; by default as the realm says.")] = None,
    organization: Annotated[
        str | None, typer.Option(help="Organization the account is bound to; by default as the realm says.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="A role; may be repeated. By default those the realm says.")
    ] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Make the account; without it, it is only shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the account the realm's roles and organization propose for a person it knows; --confirm makes it."""
    now, realm = datetime.now(UTC), _realm()
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        new = acts.proposed(conn, actor, realm, login)
        new = replace(
            new,
            display_name=new.display_name if name is None else name,
            organization=new.organization if organization is None else organization,
            roles=new.roles if role is None else roles_of(role),
        )
        made = acts.adopt(conn, actor, realm, new, now) if confirm else None
    if as_json:
        fields = {"login": new.login, "display_name": new.display_name, "organization": new.organization}
        show_json(shown(made) if made else {**fields, "roles": ", ".join(sorted(new.roles))})
        return
    listed = ", ".join(sorted(new.roles)) or "-"
    say(
        f"{new.login}({new.display_name}),单位 {new.organization or '-'},角色 {listed}",
        f"{new.login} ({new.display_name}), organization {new.organization or '-'}, roles {listed}",
    )
    if made is None:
        say("尚未建立;确认请加 --confirm。", "nothing is made yet; --confirm makes it.")
    else:
        say(f"账户已建立(编号 {made.id})。", f"the account is made (id {made.id}).")


@person.command("disable")
def disable_person(login: Login, acting_as: ActingAs) -> None:
    """Let a person sign in no more. Tokens she has end by themselves; hub person suspend ends them now."""
    _set_enabled(login, acting_as, enabled=False)
    say(f"{login} 不能再登录。", f"{login} signs in no more.")


@person.command("enable")
def enable_person(login: Login, acting_as: ActingAs) -> None:
    """Let a person sign in again. Never for oneself."""
    _set_enabled(login, acting_as, enabled=True)
    say(f"{login} 可以登录。", f"{login} may sign in.")


@person.command("password")
def reset_password(login: Login, acting_as: ActingAs) -> None:
    """Make a password for one sign-in and print it, once; she then chooses her own."""
    now, realm = datetime.now(UTC), _realm()
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        password = acts.reset_password(conn, actor, realm, account_of(conn, login), now)
    say(f"{login} 的一次性密码,仅显示这一次:", f"password of {login} for one sign-in, shown this once:")
    typer.echo(password)


@organization.command("add")
def add_organization(
    ids: Annotated[list[str], typer.Argument(metavar="ORGANIZATION...", help="Ids of organizations.")],
    acting_as: ActingAs,
) -> None:
    """Make organizations in the realm; people made there afterwards become their members."""
    realm = _realm()
    for id_ in ids:
        now = datetime.now(UTC)
        with transaction() as conn:
            acts.add_organization(conn, caller_of_login(conn, acting_as, now), realm, id_, now)
        say(f"单位 {id_} 已在 Keycloak 建立。", f"organization {id_} is made in Keycloak.")


def _realm() -> KeycloakPeople:
    return KeycloakPeople(keycloak_realm(settings_of()))


def _set_enabled(login: str, acting_as: str, *, enabled: bool) -> None:
    now, realm = datetime.now(UTC), _realm()
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        acts.set_person_enabled(conn, actor, realm, account_of(conn, login), now, enabled=enabled)


def _show_made(login: str, made: MadePerson, *, as_json: bool) -> None:
    if as_json:
        show_json({"login": login, **asdict(made)})
        return
    say(f"{login} 的首次登录密码,仅显示这一次:", f"password of {login} for the first sign-in, shown this once:")
    typer.echo(made.password)
