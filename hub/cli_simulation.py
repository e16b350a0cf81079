"""hub grant simulate, hub tier simulate."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hub.acts.shown_simulation import shown_grant_simulation, shown_tier_simulation
from hub.acts.simulations import DAYS_MAX
from hub.acts.simulations import simulate_grant as act_on_grant
from hub.acts.simulations import simulate_tiers as act_on_tiers
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, language, say, show_json, show_rows, transaction

Days = Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="Requests of so many last days.")]


def simulate_grant(
    proposal: Annotated[str, typer.Argument(metavar="PROPOSAL", help="Id of the proposal.")],
    acting_as: ActingAs,
    days: Days = 30,
    as_json: AsJson = False,
) -> None:
    """Before approving: replay the holder's recorded requests under the proposed grant, and count what it covers."""
    with transaction() as conn:
        now = datetime.now(UTC)
        shown = shown_grant_simulation(act_on_grant(conn, caller_of_login(conn, acting_as, now), proposal, days, now))
    if as_json:
        show_json(shown)
        return
    say(f"{shown['holder']} 对 {shown['dataset']}:", f"{shown['holder']} on {shown['dataset']}:")
    if not shown["holder_stands"]:
        say("持有人不存在或已停用。", "there is no such holder, or it is suspended.")
    _tell_refusal(shown["refused_by"])
    show_rows(shown["fields"], as_json=False)
    _tell_coverage(shown["coverage"])
    _tell_replayed(shown)


def simulate_tiers(
    version: Annotated[int, typer.Argument(help="Number of the version.")],
    acting_as: ActingAs,
    days: Days = 30,
    as_json: AsJson = False,
) -> None:
    """Before approving: replay everyone's recorded requests under a table: who would gain or lose what."""
    with transaction() as conn:
        now = datetime.now(UTC)
        shown = shown_tier_simulation(act_on_tiers(conn, caller_of_login(conn, acting_as, now), version, days, now))
    if as_json:
        show_json(shown)
        return
    _tell_replayed(shown)


def _tell_refusal(refusal: Mapping[str, str] | None) -> None:
    if refusal is not None:
        say(f"仍会被拒绝:{refusal['zh']}", f"it would be refused all the same: {refusal['en']}")


def _tell_coverage(coverage: Mapping[str, Any] | None) -> None:
    if coverage is None:
        say("行范围过大,未能在时限内计数。", "its rows could not be counted in the time there is.")
        return
    for name, zh, en in (("records", "记录", "records"), ("persons", "人员", "persons")):
        found = coverage[name]
        if found is not None:
            say(
                f"覆盖{zh} {found['in_all']},其中现有授权未覆盖 {found['beyond']}(按十位取整)。",
                f"covers {found['in_all']} {en}, {found['beyond']} of them beyond present grants (to the ten below).",
            )


def _tell_replayed(shown: Mapping[str, Any]) -> None:
    sums = shown["requests"]
    say(
        f"最近 {shown['days']} 天记录请求 {sums['recorded']} 次:新放行 {sums['opened']},改为拒绝 {sums['closed']},"
        f"数据项或行范围有变 {sums['changed']},不变 {sums['same']};无法重放 {sums['unreadable']},"
        f"未读取 {sums['left_out']}。",
        f"{sums['recorded']} requests recorded in the last {shown['days']} days: {sums['opened']} would open, "
        f"{sums['closed']} would be refused, {sums['changed']} have other fields or rows, {sums['same']} stay as they "
        f"are; {sums['unreadable']} cannot be replayed, {sums['left_out']} were not read.",
    )
    spoken = language()
    refused = [
        {"still refused": one["requests"], "rule": one["rule"], "because": one[spoken]}
        for one in shown["still_refused"]
    ]
    for rows in ([_row(one) for one in shown["differences"]], refused):
        if rows:
            show_rows(rows, as_json=False)


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    fields: Sequence[Mapping[str, str]] = one["fields"]
    return {
        "kind": one["kind"],
        "requests": one["requests"],
        "caller": one["caller"],
        "dataset": one["dataset"],
        "method": one["method"],
        "fields": ", ".join(f"{change['field']}: {change['before']} → {change['after']}" for change in fields),
        "other_rows": one["other_rows"],
    }
