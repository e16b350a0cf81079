"""hub grant."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from psycopg import Connection

from catalog.calendar_store import read_calendar
from catalog.caller import Caller
from catalog.grant import Quota
from catalog.grant_course import GivenGrant
from catalog.grant_store import events_of, list_grants
from catalog.proposal_store import list_proposals
from catalog.visible import visible_to
from hub.acts import grant_course, grants
from hub.acts.grants import Emergency, Wanted
from hub.acts.shown import shown_grant, shown_proposal
from hub.acts.types import types_in
from hub.cli_request import (
    Fields,
    From,
    Limit,
    Methods,
    Reasons,
    Rows,
    Until,
    fields_of,
    instant_of,
    methods_of,
    rows_of,
)
from hub.cli_simulation import simulate_grant
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, say, show_json, show_members, show_rows, transaction

grant = typer.Typer(help="Grants: what was allowed to whom, for which purpose and until when.", no_args_is_help=True)
grant.command("simulate")(simulate_grant)

Id = Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.")]
ProposalId = Annotated[str, typer.Argument(metavar="PROPOSAL", help="Id of the proposal.")]
Laws = Annotated[list[str] | None, typer.Option("--law", help="field=law, of a field of level 4 given clear.")]
RequestsPerDay = Annotated[int | None, typer.Option(min=0, help="Requests within a day.")]
RowsPerDay = Annotated[int | None, typer.Option(min=0, help="Rows within a day.")]
BytesPerDay = Annotated[int | None, typer.Option(min=0, help="Bytes within a day.")]


@grant.command("propose")
def propose(
    request: Annotated[str, typer.Argument(help="Id of the request, accepted.")],
    acting_as: ActingAs,
    *,
    field: Fields = None,
    law: Laws = None,
    rows: Rows = None,
    method: Methods = None,
    from_: From = None,
    until: Until = None,
    quota_requests: RequestsPerDay = None,
    quota_rows: RowsPerDay = None,
    quota_bytes: BytesPerDay = None,
    as_json: AsJson = False,
) -> None:
    """Propose a grant on a request: as asked for, or narrower. Prints the digest that another person approves."""
    wanted = Wanted(
        fields=fields_of(field) if field else None,
        laws=_laws(law),
        rows=rows_of(rows),
        methods=methods_of(method) if method else None,
        quota=Quota(quota_requests, quota_rows, quota_bytes),
        valid_from=instant_of(from_),
        valid_until=instant_of(until),
    )
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        made = grants.propose(conn, actor, request, wanted, now)
    if as_json:
        show_json(shown_proposal(made))
        return
    say(f"提案 {made.id},摘要(SM3){made.digest}:", f"proposal {made.id}, digest (SM3) {made.digest}:")
    typer.echo(made.content)


@grant.command("proposals")
def list_proposed(
    acting_as: ActingAs,
    state: Annotated[str | None, typer.Option(help="open, approved or withdrawn.")] = "open",
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List proposals with their digests."""
    with transaction() as conn:
        actor, _ = _actor(conn, acting_as)
        found = list_proposals(conn, visible_to(actor), state=state, limit=limit)
    shown = [shown_proposal(one) for one in found]
    if as_json:
        show_json(shown)
        return
    show_rows([{**one, "grant": json.dumps(one["grant"], ensure_ascii=False)} for one in shown], as_json=False)


@grant.command("approve")
def approve(
    proposal: ProposalId,
    acting_as: ActingAs,
    digest: Annotated[str, typer.Option(help="SM3 of the content you have read, as propose and proposals print it.")],
    as_json: AsJson = False,
) -> None:
    """Give what was proposed; not by who asked or proposed, under no account."""
    _act(acting_as, lambda conn, actor, now: grants.approve(conn, actor, proposal, digest, now), as_json=as_json)


@grant.command("withdraw")
def withdraw(proposal: ProposalId, acting_as: ActingAs) -> None:
    """Take a proposal back."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        grants.withdraw_proposal(conn, actor, proposal, now)
    say(f"提案 {proposal} 已撤回。", f"proposal {proposal} is withdrawn.")


@grant.command("emergency")
def give_emergency(
    holder: Annotated[str, typer.Argument(help="organization:<id>, application:<uuid> or person:<uuid>.")],
    dataset: Annotated[str, typer.Argument(help="Dataset id.")],
    acting_as: ActingAs,
    reasons: Annotated[str, typer.Option(help="Why it cannot wait for a request.")],
    purpose: Annotated[str, typer.Option(help="The one purpose it is for.")],
    basis: Annotated[str, typer.Option(help="Law or duty it rests on.")],
    until: Annotated[str, typer.Option("--until", help="First day or instant past the term; at most 30 days ahead.")],
    *,
    field: Fields = None,
    law: Laws = None,
    rows: Rows = None,
    method: Methods = None,
    quota_rows: RowsPerDay = None,
    as_json: AsJson = False,
) -> None:
    """Give at once, on one person's word; another must review it within five workdays, or it ends by itself."""
    wanted = Wanted(
        fields=fields_of(field),
        laws=_laws(law),
        rows=rows_of(rows),
        methods=methods_of(method),
        quota=Quota(rows=quota_rows),
        valid_until=instant_of(until),
    )
    about = Emergency(holder, dataset, purpose, basis)
    _act(
        acting_as,
        lambda conn, actor, now: grants.give_emergency(conn, actor, about, wanted, reasons, now),
        as_json=as_json,
    )


@grant.command("review")
def review(
    id_: Id, acting_as: ActingAs, opinion: Annotated[str, typer.Option(help="What was found.")], as_json: AsJson = False
) -> None:
    """Review an emergency grant: it was right and holds for its term. What was wrong is ended instead."""
    _act(acting_as, lambda conn, actor, now: grant_course.review(conn, actor, id_, opinion, now), as_json=as_json)


@grant.command("suspend")
def suspend(
    id_: Id,
    acting_as: ActingAs,
    reasons: Reasons,
    rectify_by: Annotated[str, typer.Option(help="Deadline of rectification, a day or an instant.")],
    as_json: AsJson = False,
) -> None:
    """Suspend from the next request on, to be rectified by a deadline (article 27)."""
    deadline = instant_of(rectify_by)
    assert deadline is not None  # noqa: S101 - the option is compulsory
    _act(
        acting_as,
        lambda conn, actor, now: grant_course.suspend(conn, actor, id_, reasons, deadline, now),
        as_json=as_json,
    )


@grant.command("rectify")
def rectify(
    id_: Id, acting_as: ActingAs, text: Annotated[str, typer.Option(help="What was done.")], as_json: AsJson = False
) -> None:
    """Tell, as its holder, that a suspended grant is rectified."""
    _act(acting_as, lambda conn, actor, now: grant_course.rectify(conn, actor, id_, text, now), as_json=as_json)


@grant.command("resume")
def resume(id_: Id, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Make a rectified grant active again; not by who said that it is rectified."""
    _act(acting_as, lambda conn, actor, now: grant_course.resume(conn, actor, id_, now), as_json=as_json)


@grant.command("end")
def end(id_: Id, acting_as: ActingAs, reasons: Reasons, as_json: AsJson = False) -> None:
    """End a grant for good (article 27), also as its holder when the purpose is met (article 25)."""
    _act(acting_as, lambda conn, actor, now: grant_course.end(conn, actor, id_, reasons, now), as_json=as_json)


@grant.command("show")
def show(id_: Id, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Show one grant and its course."""
    _act(acting_as, lambda conn, actor, _: grant_course.read_grant(conn, actor, id_), as_json=as_json)


@grant.command("list")
def list_command(
    acting_as: ActingAs,
    state: Annotated[str | None, typer.Option(help="active, suspended or ended.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only for this dataset.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the grants the account may know of."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        found = list_grants(conn, visible_to(actor), types_in(conn), state=state, dataset=dataset, limit=limit)
        known = read_calendar(conn)
    shown = [shown_grant(one, now, known) for one in found]
    if as_json:
        show_json(shown)
        return
    show_rows([_row(one) for one in shown], as_json=False)


def _act(login: str, act: Callable[[Connection, Caller, datetime], GivenGrant], *, as_json: bool) -> None:
    with transaction() as conn:
        actor, now = _actor(conn, login)
        given = act(conn, actor, now)
        shown = shown_grant(given, now, read_calendar(conn), events_of(conn, given.grant.id))
    if as_json:
        show_json(shown)
        return
    show_rows([_row(shown)], as_json=False)
    show_members({name: shown[name] for name in ("basis", "rows", "methods", "laws", "quota", "valid_from", "digest")})
    steps = [{**step, "detail": json.dumps(step["detail"], ensure_ascii=False)} for step in shown["steps"]]
    show_rows(steps, as_json=False)


def _row(shown: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": shown["id"],
        "kind": shown["kind"],
        "holder": shown["holder"],
        "dataset": shown["dataset"],
        "state": "lapsed" if shown["lapsed"] else shown["state"],
        "purpose": shown["purpose"],
        "fields": ", ".join(f"{name}={treatment}" for name, treatment in shown["fields"].items()),
        "holds_until": shown["holds_until"],
    }


def _laws(options: list[str] | None) -> dict[str, str]:
    return {name: law for name, _, law in (option.partition("=") for option in options or ())}


def _actor(conn: Connection, login: str) -> tuple[Caller, datetime]:
    now = datetime.now(UTC)
    return caller_of_login(conn, login, now), now
