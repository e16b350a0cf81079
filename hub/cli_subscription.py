"""hub subscription, hub dispatch."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from psycopg import Connection

from catalog.caller import Caller
from catalog.subscription import Subscription
from hub.acts import subscriptions
from hub.identity.people import caller_of_login
from hub.supervise import end_with_input, stop_signals
from hub.terminal import ActingAs, AsJson, say, settings_of, show_rows, tell, transaction

subscription = typer.Typer(help="Subscriptions: standing releases of changes.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Id of the subscription.")]
After = Annotated[str | None, typer.Option(help="Those after this id.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Most that are shown.")]


@subscription.command("list")
def list_command(acting_as: ActingAs, *, after: After = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List subscriptions: one's own, or all to administrators, auditors and operators."""
    now = datetime.now(UTC)
    with transaction() as conn:
        found = subscriptions.list_known(conn, caller_of_login(conn, acting_as, now), after=after, limit=limit)
    rows = [
        {
            "id": one.id,
            "subscriber": one.subscriber,
            "dataset": one.dataset,
            "kind": one.kind,
            "state": one.state,
            "why": one.why,
            "settled": one.settled,
            "deliveries": one.deliveries,
            "changes": one.changes,
            "failures": one.failures,
            "failure": one.failure,
        }
        for one in found
    ]
    show_rows(rows, as_json=as_json)


@subscription.command("pause")
def pause(subscription_id: Id, acting_as: ActingAs) -> None:
    """Stop delivering for now; the place reached is kept."""
    _act(subscription_id, acting_as, subscriptions.pause)


@subscription.command("resume")
def resume(subscription_id: Id, acting_as: ActingAs) -> None:
    """Deliver again, from where it stopped."""
    _act(subscription_id, acting_as, subscriptions.resume)


@subscription.command("end")
def end(subscription_id: Id, acting_as: ActingAs) -> None:
    """End a subscription for good."""
    _act(subscription_id, acting_as, subscriptions.end)


def _act(
    subscription_id: str, acting_as: str, act: Callable[[Connection, Caller, str, datetime], Subscription]
) -> None:
    now = datetime.now(UTC)
    with transaction() as conn:
        found = act(conn, caller_of_login(conn, acting_as, now), subscription_id, now)
    say(f"订阅 {found.id}:{found.state}", f"subscription {found.id}: {found.state}")


def dispatch_command(
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True, help="End when the input ends.")] = False,
) -> None:
    """Run one dispatcher until Ctrl-C: it delivers changes to subscriptions. Several may run at once."""
    from hub.subscription.opened import run_dispatcher

    if supervised:
        end_with_input()
    with stop_signals() as stopping:
        run_dispatcher(settings_of(), tell, stopping.is_set)
