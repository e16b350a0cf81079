"""hub request, hub calendar."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from psycopg import Connection

from catalog.calendar_store import list_years, read_calendar
from catalog.caller import Caller
from catalog.clock_errors import CalendarYearWrong
from catalog.condition_errors import ConditionWrong
from catalog.grant import Method, Treatment
from catalog.request import Elements, Request, RequestState
from catalog.request_errors import RequestElementWrong
from catalog.request_store import list_requests
from catalog.visible import visible_to
from catalog.workdays import SHANGHAI, YearArrangement
from hub.acts import calendars
from hub.acts import requests as acts
from hub.acts.shown import shown_request
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, language, say, show_json, show_members, show_rows, transaction

request = typer.Typer(help="Requests for data, and their statutory clocks.", no_args_is_help=True)
calendar = typer.Typer(help="Workdays of years that the calendar does not know yet.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request.")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", help="A field, or field=treatment: clear, masked, generalised, pseudonymous. Repeatable."),
]
Rows = Annotated[str | None, typer.Option(help='Row condition, as {"field": "region", "prefix": "4201"}.')]
Methods = Annotated[list[str] | None, typer.Option("--method", help="api, batch, file, subscription. Repeatable.")]
From = Annotated[str | None, typer.Option("--from", help="First day or instant of the term, as 2026-12-01.")]
Until = Annotated[str | None, typer.Option("--until", help="First day or instant past the term.")]
Reasons = Annotated[str, typer.Option(help="Reasons; they are compulsory (article 21).")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


@request.command("submit")
def submit(
    dataset: Annotated[str, typer.Argument(help="Dataset id, as in 420000.resident.")],
    acting_as: ActingAs,
    *,
    basis: Annotated[str | None, typer.Option(help="使用依据: law or duty.")] = None,
    scenario: Annotated[str | None, typer.Option(help="使用场景: what for; the purpose of the grant.")] = None,
    field: Fields = None,
    rows: Rows = None,
    method: Methods = None,
    from_: From = None,
    until: Until = None,
    consent: Annotated[str | None, typer.Option(help="Document by which your data-sharing lead consented.")] = None,
    for_itself: Annotated[bool, typer.Option(help="The grant shall be the account's own.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a dataset (article 20). Elements left out are missing, and can be completed after the one notice."""
    elements = Elements(
        basis,
        scenario,
        fields_of(field),
        rows_of(rows),
        methods_of(method),
        instant_of(from_),
        instant_of(until),
        consent,
    )
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        made = acts.submit(conn, actor, dataset, elements, now, for_itself=for_itself)
        _show(conn, made, now, as_json=as_json)


@request.command("list")
def list_command(
    acting_as: ActingAs,
    state: Annotated[str | None, typer.Option(help="Only in this state.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only for this dataset.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List the requests the account may know of: who holds each, when it is due, what is late."""
    if state is not None and state not in get_args(RequestState):
        raise typer.BadParameter(", ".join(get_args(RequestState)), param_hint="--state")
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        wanted = cast("RequestState | None", state)
        found = list_requests(conn, visible_to(actor), state=wanted, dataset=dataset, limit=limit)
        known = read_calendar(conn)
    shown = [shown_request(one, now, known) for one in found]
    if as_json:
        show_json(shown)
        return
    show_rows([_row(one) for one in shown], as_json=False)


@request.command("show")
def show(request_id: Id, acting_as: ActingAs, as_json: AsJson = False) -> None:
    """Show one request: its elements, clocks and steps, each with its article."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        _show(conn, acts.read_request(conn, actor, request_id), now, as_json=as_json)


@request.command("notice")
def notice(
    request_id: Id,
    acting_as: ActingAs,
    text: Annotated[str, typer.Option(help="What is missing beyond the elements the hub finds missing.")] = "",
) -> None:
    """Tell everything that is missing, once (article 21); the clock of the reply is paused."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        changed = acts.notice(conn, actor, request_id, text, now)
    say(f"已一次性告知:{changed.missing_in_words} {text}", f"told, once: {changed.missing_in_words} {text}")


@request.command("complete")
def complete(
    request_id: Id,
    acting_as: ActingAs,
    *,
    basis: Annotated[str | None, typer.Option(help="使用依据.")] = None,
    scenario: Annotated[str | None, typer.Option(help="使用场景.")] = None,
    field: Fields = None,
    rows: Rows = None,
    method: Methods = None,
    from_: From = None,
    until: Until = None,
    consent: Annotated[str | None, typer.Option(help="Document by which your data-sharing lead consented.")] = None,
) -> None:
    """Hand in what the notice named (article 21); what is given takes the place of what was."""
    elements = Elements(
        basis,
        scenario,
        fields_of(field),
        rows_of(rows),
        methods_of(method),
        instant_of(from_),
        instant_of(until),
        consent,
    )
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        acts.complete(conn, actor, request_id, elements, now)
    say(f"申请 {request_id} 已补充。", f"request {request_id} is completed.")


@request.command("accept")
def accept(
    request_id: Id,
    acting_as: ActingAs,
    consent: Annotated[str, typer.Option(help="Document by which your data-sharing lead consented (article 20).")],
) -> None:
    """Agree (article 21); not by who asked. Then propose the grant."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        acts.accept(conn, actor, request_id, consent, now)
    say(f"已同意申请 {request_id}。", f"request {request_id} is accepted.")


@request.command("refuse")
def refuse(request_id: Id, acting_as: ActingAs, reasons: Reasons) -> None:
    """Refuse, with reasons (article 21); an incomplete request only after its notice."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        acts.refuse(conn, actor, request_id, reasons, now)
    say(f"已不予同意申请 {request_id}。", f"request {request_id} is refused.")


@request.command("extend")
def extend(
    request_id: Id,
    acting_as: ActingAs,
    workdays: Annotated[int | None, typer.Option(min=1, max=10, help="Asks for so many workdays more.")] = None,
    reasons: Annotated[str, typer.Option(help="Why, with --workdays.")] = "",
) -> None:
    """Ask to reply later, with --workdays; without, consent to what was asked, as an administrator (article 21)."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        if workdays is None:
            acts.extend(conn, actor, request_id, now)
        else:
            acts.ask_extension(conn, actor, request_id, workdays, reasons, now)
    if workdays is None:
        say(f"已同意延长申请 {request_id} 的答复期限。", f"the reply to request {request_id} may come later.")
    else:
        say("已提请主管部门同意延长。", "the administrator is asked to consent.")


@request.command("deliver")
def deliver(request_id: Id, acting_as: ActingAs) -> None:
    """Record the delivery (article 22); a grant must be in effect."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        acts.deliver(conn, actor, request_id, now)
    say(f"申请 {request_id} 已提供数据。", f"request {request_id} is delivered.")


@request.command("close")
def close(request_id: Id, acting_as: ActingAs) -> None:
    """Record that the requester is content with what was delivered."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        acts.close(conn, actor, request_id, now)
    say(f"申请 {request_id} 已办结。", f"request {request_id} is closed.")


@request.command("withdraw")
def withdraw(request_id: Id, acting_as: ActingAs, reasons: Reasons) -> None:
    """Take a request back."""
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        acts.withdraw(conn, actor, request_id, reasons, now)
    say(f"申请 {request_id} 已撤回。", f"request {request_id} is withdrawn.")


# Calendar ------------------------------------------------------------------------------------------------------------


@calendar.command("add-year")
def add_year(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help='JSON: {"year": 2027, "source": "…", "holidays": [dates], "workdays": [dates]}.',
        ),
    ],
    acting_as: ActingAs,
) -> None:
    """Enter a year's official arrangement of holidays and make-up workdays."""
    arrangement = _arrangement(file.read_text(encoding="utf-8"))
    with transaction() as conn:
        actor, now = _actor(conn, acting_as)
        calendars.enter_year(conn, actor, arrangement, now)
    say(f"已录入 {arrangement.year} 年的放假调休安排。", f"the arrangement of {arrangement.year} is entered.")


@calendar.command("list")
def list_calendar(as_json: AsJson = False) -> None:
    """List the years that were entered; what was entered counts before what the package knows."""
    with transaction() as conn:
        found = list_years(conn)
    rows = [
        {
            "year": one.year,
            "holidays": len(one.holidays),
            "workdays": len(one.workdays),
            "source": one.source,
            "entered_by": one.entered_by,
            "entered_at": one.entered_at,
        }
        for one in found
    ]
    show_rows(rows, as_json=as_json)


def _arrangement(text: str) -> YearArrangement:
    year = 0
    try:
        members: dict[str, Any] = json.loads(text)
        year = int(members["year"])
        days = {name: frozenset(date.fromisoformat(day) for day in members[name]) for name in ("holidays", "workdays")}
        return YearArrangement(year, days["holidays"], days["workdays"], str(members["source"]))
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise CalendarYearWrong(
            year=year, rule_zh="应为含 year、source、holidays、workdays 的 JSON,日期如 2027-01-01",
            rule_en="JSON with year, source, holidays and workdays, dates as 2027-01-01",
        ) from wrong  # fmt: skip


# What options mean ---------------------------------------------------------------------------------------------------


def fields_of(options: list[str] | None) -> dict[str, Treatment]:
    """``field`` is clear, ``field=masked`` is treated so."""
    found: dict[str, Treatment] = {}
    for option in options or ():
        name, _, treatment = option.partition("=")
        if (treatment or "clear") not in get_args(Treatment):
            raise RequestElementWrong(
                element=f"fields.{name}",
                rule_zh=f"处理方式应为 {', '.join(get_args(Treatment))}",
                rule_en=f"its treatment is one of {', '.join(get_args(Treatment))}",
            )
        found[name] = cast("Treatment", treatment or "clear")
    return found


def rows_of(option: str | None) -> dict[str, Any] | None:
    """A row condition in JSON; the act reads it against the contract."""
    if option is None:
        return None
    try:
        value = json.loads(option)
    except ValueError as wrong:
        raise ConditionWrong(where="$", rule_zh="应为 JSON 对象", rule_en="it must be a JSON object") from wrong
    if not isinstance(value, dict):
        raise ConditionWrong(where="$", rule_zh="应为 JSON 对象", rule_en="it must be a JSON object")
    return cast("dict[str, Any]", value)


def methods_of(options: list[str] | None) -> frozenset[Method]:
    """Ways of delivery."""
    if not set(options or ()) <= set(get_args(Method)):
        known = ", ".join(get_args(Method))
        raise RequestElementWrong(element="methods", rule_zh=f"应为 {known}", rule_en=f"one of {known}")
    return frozenset(cast("list[Method]", options or []))


def instant_of(option: str | None) -> datetime | None:
    """A day or an instant; without a zone it is China's."""
    if option is None:
        return None
    try:
        instant = datetime.fromisoformat(option)
        return (instant if instant.tzinfo is not None else instant.replace(tzinfo=SHANGHAI)).astimezone(UTC)
    except (ValueError, OverflowError) as wrong:
        raise RequestElementWrong(
            element="term", rule_zh="应写作 2026-12-01", rule_en="write it as 2026-12-01"
        ) from wrong


def _actor(conn: Connection, login: str) -> tuple[Caller, datetime]:
    now = datetime.now(UTC)
    return caller_of_login(conn, login, now), now


def _show(conn: Connection, found: Request, now: datetime, *, as_json: bool) -> None:
    shown = shown_request(found, now, read_calendar(conn))
    if as_json:
        show_json(shown)
        return
    show_rows([_row(shown)], as_json=False)
    show_members(shown["elements"])
    show_rows([_clock_row(clock) for clock in shown["clocks"]], as_json=False)
    show_rows(
        [{**step, "detail": json.dumps(step["detail"], ensure_ascii=False)} for step in shown["steps"]], as_json=False
    )


def _row(shown: dict[str, Any]) -> dict[str, Any]:
    running = [clock for clock in shown["clocks"] if clock["state"] in ("running", "paused", "late")]
    last = running[-1] if running else None
    return {
        "id": shown["id"],
        "dataset": shown["dataset"],
        "requester": shown["holder"],
        "state": shown["state"],
        "held_by": shown["held_by"],
        "clock": None if last is None else last["state"],
        "due": None if last is None else last["due"],
        "missing": ", ".join(shown["missing"]),
    }


def _clock_row(clock: dict[str, Any]) -> dict[str, Any]:
    due = clock["due"]
    if clock["year_unknown"] is not None:
        due = f"hub calendar add-year {clock['year_unknown']}"
    return {
        "clock": clock["zh" if language() == "zh" else "en"],
        "article": clock["article"],
        "state": clock["state"],
        "due": due,
        "met_at": clock["met_at"],
    }
