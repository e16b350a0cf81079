"""hub organization, hub organization token, hub mandate."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from catalog import store as catalog_store
from catalog.organization import Level, Organization
from hub import cli_organization_key
from hub.acts import organizations
from hub.identity import organization_tokens
from hub.identity.organization_tokens import TOKEN_DAYS, Issued
from hub.terminal import AsJson, say, show_json, show_rows, transaction

organization = typer.Typer(help="Organizations and their tokens.", no_args_is_help=True)
token = typer.Typer(
    help="Tokens of an organization: two live at once, so that one can be replaced.", no_args_is_help=True
)
mandate = typer.Typer(help="Who may hand in batches of whose dataset.", no_args_is_help=True)
organization.add_typer(token, name="token")
organization.add_typer(cli_organization_key.key, name="key")
organization.command("require-signature")(cli_organization_key.require_signature)

Id = Annotated[str, typer.Argument(metavar="ID", help="Organization id, as in gong-an.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="Days until the token expires.")]
DatasetOption = Annotated[str, typer.Option(help="Dataset id, as in 420000.resident.")]


@organization.command("add")
def add_organization(
    id_: Id,
    *,
    name_zh: Annotated[str, typer.Option(help="Chinese name.")],
    name_en: Annotated[str, typer.Option(help="English name.")],
    level: Annotated[Level, typer.Option(help="Level of government.")] = "province",
    region: Annotated[str, typer.Option(help="GB/T 2260 code of its region.")] = "420000",
    credit_code: Annotated[str | None, typer.Option(help="Unified social credit code (GB 32100).")] = None,
    days: Days = TOKEN_DAYS,
    as_json: AsJson = False,
) -> None:
    """Register an organization and print its first token. The token is shown once; only its digest is kept."""
    with transaction() as conn:
        made = Organization(id_, name_zh, name_en, level, region, credit_code)
        issued = organizations.add_organization(conn, made, days, datetime.now(UTC))
    _show_issued(issued, as_json=as_json)


@organization.command("list")
def list_organizations(as_json: AsJson = False) -> None:
    """List the organizations."""
    with transaction() as conn:
        found = catalog_store.list_organizations(conn)
    show_rows([asdict(one) for one in found], as_json=as_json)


@token.command("add")
def add_token(id_: Id, days: Days = TOKEN_DAYS, as_json: AsJson = False) -> None:
    """Issue another token. It is shown once."""
    with transaction() as conn:
        issued = organizations.issue_token(conn, id_, days, datetime.now(UTC))
    _show_issued(issued, as_json=as_json)


@token.command("revoke")
def revoke_token(id_: Id, token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="Id of the token.")]) -> None:
    """End a token; within a second it is refused everywhere."""
    with transaction() as conn:
        organizations.revoke_token(conn, id_, token_id, datetime.now(UTC))
    say(f"令牌 {token_id} 已撤销。", f"token {token_id} is revoked.")


@token.command("list")
def list_tokens(id_: Id, as_json: AsJson = False) -> None:
    """List an organization's tokens by id, the newest first."""
    with transaction() as conn:
        found = organization_tokens.list_tokens(conn, id_, datetime.now(UTC))
    show_rows([{"organization": id_, **asdict(one)} for one in found], as_json=as_json)


@mandate.command("add")
def add_mandate(
    sender: Annotated[str, typer.Argument(help="Organization that hands in.")],
    dataset: DatasetOption,
    basis: Annotated[str, typer.Option(help="Document the mandate rests on.")],
) -> None:
    """Record that an organization may hand in batches of another's dataset."""
    with transaction() as conn:
        owner = organizations.give_mandate(conn, sender, dataset, basis, datetime.now(UTC))
    say(f"{sender} 可代 {owner} 报送 {dataset}。", f"{sender} may hand in {dataset} of {owner}.")


@mandate.command("revoke")
def revoke_mandate(
    sender: Annotated[str, typer.Argument(help="Organization that handed in.")], dataset: DatasetOption
) -> None:
    """End a mandate; the sender's next batch is refused."""
    with transaction() as conn:
        organizations.revoke_mandate(conn, sender, dataset, datetime.now(UTC))
    say(f"{sender} 代报 {dataset} 的委托已终止。", f"{sender}'s mandate for {dataset} has ended.")


@mandate.command("list")
def list_mandates(as_json: AsJson = False) -> None:
    """List the mandates, ended ones too."""
    with transaction() as conn:
        found = catalog_store.list_mandates(conn)
    show_rows([asdict(one) for one in found], as_json=as_json)


def _show_issued(issued: Issued, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "organization": issued.organization,
                "token": issued.token,
                "id": issued.id,
                "expires_at": issued.expires_at,
            }
        )
        return
    until = issued.expires_at.date()
    say(
        f"单位 {issued.organization} 的令牌(编号 {issued.id},{until} 到期),仅显示这一次:",
        f"token of {issued.organization} (id {issued.id}, until {until}), shown this once:",
    )
    typer.echo(issued.token)
