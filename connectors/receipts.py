"""Waiting for what the hub made of a run's batches: politely, and not for ever."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connectors.client import Door, Patience
from connectors.errors import HubUnreachable, Interrupted
from connectors.state import State

PAUSE_SECONDS: Final = 0.1
PAUSE_SECONDS_MAX: Final = 0.25

Receipt = Mapping[str, Any]


def await_receipts(
    door: Door, patience: Patience, state: State, run: str, seconds_max: float, told: Callable[[int], None]
) -> list[Receipt]:
    """The receipts of a run's batches, as far as they come.

    Args:
        door: of the hub.
        patience: how a request is repeated.
        state: where receipts are kept as they come.
        run: whose.
        seconds_max: how long to wait after the last one that came.
        told: how many are still missing, after each look.
    """
    known = state.batches(run)
    missing = [batch for batch, (status, receipt) in known.items() if status != "refused" and receipt is None]
    pause, deadline = PAUSE_SECONDS, time.monotonic() + seconds_max
    while missing:
        arrived = _arrived(door, patience, state, missing)
        if arrived:
            missing = missing[arrived:]
            pause, deadline = PAUSE_SECONDS, time.monotonic() + seconds_max
        told(len(missing))
        if not missing or time.monotonic() > deadline or patience.stopping.wait(pause):
            break
        pause = min(pause * 1.5, PAUSE_SECONDS_MAX)
    return [receipt for _, receipt in state.batches(run).values() if receipt is not None]


def _arrived(door: Door, patience: Patience, state: State, missing: Sequence[str]) -> int:
    """How many of the first of them have their receipt now; the hub takes batches about in the order they came."""
    for count, batch in enumerate(missing):
        try:
            receipt = patience.ask(lambda batch=batch: door.receipt(batch))
        except (HubUnreachable, Interrupted):
            # Everything is acknowledged already: only the summary has less to say.
            return count
        if receipt is None:
            return count
        state.settle(batch, "acknowledged", receipt)
    return len(missing)
