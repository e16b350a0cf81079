"""hub tier."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from catalog.tier_errors import TierTableWrong
from catalog.tier_store import current_policy
from catalog.tier_text import text_of_tiers
from hub.acts import tiers as acts
from hub.acts.shown import shown_tiers
from hub.cli_simulation import simulate_tiers
from hub.identity.people import caller_of_login
from hub.terminal import ActingAs, AsJson, say, show_json, show_rows, transaction

tier = typer.Typer(help="The table of tiers: what each opens, with a grant and without.", no_args_is_help=True)
tier.command("simulate")(simulate_tiers)


@tier.command("show")
def show(
    acting_as: ActingAs,
    version: Annotated[int | None, typer.Option(help="A version; the one that holds by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the table that holds, or another version."""
    with transaction() as conn:
        actor = caller_of_login(conn, acting_as, datetime.now(UTC))
        acts.read_versions(conn, actor)
        policy = current_policy(conn)
        holding: dict[str, Any] = {
            "version": policy.version,
            "digest": policy.digest,
            "rules": json.loads(text_of_tiers(policy.tiers)),
        }
        shown = holding if version is None else shown_tiers(acts.read_version(conn, actor, version))
    if as_json:
        show_json(shown)
        return
    say(f"第 {shown['version']} 版,摘要 {shown['digest']}", f"version {shown['version']}, digest {shown['digest']}")
    show_rows([{**rule, "quota": json.dumps(rule["quota"])} for rule in shown["rules"]], as_json=False)


@tier.command("propose")
def propose(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON: the rules, as show --json has them.")
    ],
    acting_as: ActingAs,
    reason: Annotated[str, typer.Option(help="Why.")],
    as_json: AsJson = False,
) -> None:
    """Propose a whole table, as an administrator; it holds once another has approved it."""
    rules = _rules(file.read_text(encoding="utf-8"))
    with transaction() as conn:
        now = datetime.now(UTC)
        made = acts.propose(conn, caller_of_login(conn, acting_as, now), rules, reason, now)
    if as_json:
        show_json(shown_tiers(made))
        return
    say(
        f"已提出第 {made.version} 版,摘要 {made.digest}。", f"version {made.version} is proposed, digest {made.digest}."
    )


@tier.command("approve")
def approve(
    version: Annotated[int, typer.Argument(help="Number of the version.")],
    acting_as: ActingAs,
    digest: Annotated[str, typer.Option(help="SM3 of the table you have read.")],
) -> None:
    """Approve a table, as an administrator other than the one who proposed it."""
    with transaction() as conn:
        now = datetime.now(UTC)
        acts.approve(conn, caller_of_login(conn, acting_as, now), version, digest, now)
    say(f"第 {version} 版授权等级表已生效。", f"version {version} of the table holds.")


def _rules(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    rules = found.get("rules") if isinstance(found, dict) else found
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in cast("list[object]", rules)):
        raise TierTableWrong(where="$", rule_zh="应为 JSON 数组", rule_en="it must be a JSON array of objects")
    return cast("list[dict[str, Any]]", rules)
