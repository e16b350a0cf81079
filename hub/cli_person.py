"""hub person: accounts of people, their roles and tier."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

import typer
from psycopg import Connection

from catalog.caller import Role
from hub.acts import people
from hub.acts.people import NewPerson
from hub.identity.errors import PersonUnknown
from hub.identity.people import caller_of_login
from hub.identity.person_store import PersonAccount, find_by_login
from hub.terminal import ActingAs, ActingAsOrFirst, AsJson, say, show_json, show_rows, transaction

person = typer.Typer(help="Accounts of people: roles, tier, suspension.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The account's login.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the ledger as a commitment.")]
APPROVED_DAYS = 365


@person.command("add")
def add_person(
    login: Login,
    *,
    name: Annotated[str, typer.Option(help="As others see it.")],
    organization: Annotated[str | None, typer.Option(help="Organization the account is bound to.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated.")] = None,
    person_of: Annotated[
        str | None, typer.Option(metavar="LOGIN", help="Another account of the same natural person.")
    ] = None,
    password: Annotated[bool, typer.Option(help="Whether it signs in here.")] = True,
    acting_as: ActingAsOrFirst = None,
    as_json: AsJson = False,
) -> None:
    """Make an account and print its password, once. Without --as: the first administrator, while there is none."""
    new = NewPerson(login, name, organization, roles_of(role), person_of, password)
    now = datetime.now(UTC)
    with transaction() as conn:
        if acting_as is None:
            added = people.add_first_administrator(conn, new, now)
        else:
            added = people.add_person(conn, caller_of_login(conn, acting_as, now), new, now)
    if as_json:
        show_json({**shown(added.account), "password": added.password})
        return
    say(
        f"账户 {login} 已建立(编号 {added.account.id})。",
        f"account {login} is made (id {added.account.id}).",
    )
    if added.password is not None:
        say("密码仅显示这一次,请本人登录后修改:", "its password, shown this once; its owner changes it:")
        typer.echo(added.password)


@person.command("list")
def list_people(acting_as: ActingAs, after: str = "", limit: int = 1_000, as_json: AsJson = False) -> None:
    """List accounts by login."""
    with transaction() as conn:
        found = people.people(conn, caller_of_login(conn, acting_as, datetime.now(UTC)), limit, after)
    show_rows([shown(one) for one in found], as_json=as_json)


@person.command("role")
def change_roles(
    login: Login,
    acting_as: ActingAs,
    give: Annotated[list[str] | None, typer.Option(help="A role to give; may be repeated.")] = None,
    take: Annotated[list[str] | None, typer.Option(help="A role to take; may be repeated.")] = None,
) -> None:
    """Give and take roles: administrator, reviewer, steward, auditor, developer, operator. Never for oneself."""
    now = datetime.now(UTC)
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        changed = people.change_roles(conn, actor, account_of(conn, login), roles_of(give), roles_of(take), now)
    listed = ", ".join(changed.roles) or "-"
    say(f"{login} 的角色:{listed}。", f"roles of {login}: {listed}.")


@person.command("approve")
def approve(
    login: Login,
    acting_as: ActingAs,
    days: Annotated[int, typer.Option(min=1, max=1_096, help="Days the tier is given for.")] = APPROVED_DAYS,
    since: Annotated[datetime | None, typer.Option("--from", help="First day, UTC; today without it.")] = None,
    end: Annotated[bool, typer.Option("--end", help="Take the tier back.")] = False,
) -> None:
    """Give tier approved for a term, or take it back. Never for oneself."""
    now = datetime.now(UTC)
    first = now if since is None else since.replace(tzinfo=UTC)
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        if end:
            people.end_approval(conn, actor, account_of(conn, login), now)
        else:
            people.approve(conn, actor, account_of(conn, login), first, first + timedelta(days=days), now)
    if end:
        say(f"{login} 的核准等级已收回。", f"{login} is approved no more.")
        return
    until = (first + timedelta(days=days)).date()
    say(f"{login} 已核准,至 {until}。", f"{login} is approved until {until}.")


@person.command("suspend")
def suspend(login: Login, acting_as: ActingAs, reason: Reason) -> None:
    """Let an account do nothing more; takes effect within a second, on its applications and tokens too."""
    now = datetime.now(UTC)
    with transaction() as conn:
        people.suspend(conn, caller_of_login(conn, acting_as, now), account_of(conn, login), reason, now)
    say(f"账户 {login} 已停用。", f"account {login} is suspended.")


@person.command("resume")
def resume(login: Login, acting_as: ActingAs, reason: Reason) -> None:
    """End a suspension. Never for oneself."""
    now = datetime.now(UTC)
    with transaction() as conn:
        people.resume(conn, caller_of_login(conn, acting_as, now), account_of(conn, login), reason, now)
    say(f"账户 {login} 已恢复。", f"account {login} is live again.")


@person.command("password")
def reset_password(login: Login, acting_as: ActingAs) -> None:
    """Make a new password and print it, once; every sign-in of the account ends."""
    now = datetime.now(UTC)
    with transaction() as conn:
        made = people.reset_password(conn, caller_of_login(conn, acting_as, now), account_of(conn, login), now)
    say(f"{login} 的新密码,仅显示这一次:", f"new password of {login}, shown this once:")
    typer.echo(made)


@person.command("link")
def link_identity(
    login: Login,
    acting_as: ActingAs,
    issuer: Annotated[str, typer.Option(help="The other issuer, as its tokens name it.")],
    subject: Annotated[str, typer.Option(help="The subject, as its tokens name it.")],
) -> None:
    """Say that another issuer's subject is this account. Never for oneself."""
    now = datetime.now(UTC)
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, now)
        people.link_identity(conn, actor, account_of(conn, login), issuer, subject, now)
    say(f"已关联到账户 {login}。", f"linked to account {login}.")


def account_of(conn: Connection, login: str) -> str:
    """Id of the account of a login.

    Raises:
        PersonUnknown: there is none.
    """
    found = find_by_login(conn, login)
    if found is None:
        raise PersonUnknown
    return found.id


def roles_of(names: list[str] | None) -> frozenset[Role]:
    """Roles as they were typed."""
    return frozenset(cast("list[Role]", names or []))  # the act checks them


def shown(account: PersonAccount) -> dict[str, Any]:
    """An account as commands show it."""
    members = asdict(account)
    del members["person"]  # it would tell which accounts are one person's
    return {**members, "roles": ", ".join(account.roles)}
