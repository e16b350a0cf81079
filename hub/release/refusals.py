"""Refusals that are no leaf of their own: those of the public, and of quotas used up, are summed per minute.

Otherwise whoever likes could fill the ledger with refusals. A minute's sum is one leaf whose id is known from its first
refusal on, so that every answer names the leaf that holds it.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hub.ledger.leaf import Leaf
from schemas.batch import uuid7

SUMS_MAX: Final = 10_000
_OTHERS: Final = "*"


@dataclass(slots=True)
class _Sum:
    id: str
    refusals: int = 0


class Refusals:
    """Counts refusals by caller, dataset, rule and minute. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, str, str, str], _Sum] = {}

    def add(self, actor: str, dataset: str, rule: str, now: datetime) -> str:
        """Count one; the id of the leaf that will hold it."""
        minute = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        with self._lock:
            key = (actor, dataset, rule, minute)
            if key not in self._sums and len(self._sums) >= SUMS_MAX:
                key = (actor, _OTHERS, rule, minute)
            found = self._sums.setdefault(key, _Sum(uuid7(now)))
            found.refusals += 1
            return found.id

    def ended(self, now: datetime, *, everything: bool = False) -> list[tuple[str, Leaf]]:
        """The sums of minutes that are over, each with its leaf's id. They stay until they are ``written``."""
        minute = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        with self._lock:
            over = {key: one for key, one in self._sums.items() if everything or key[3] != minute}
        return [(one.id, _leaf(key, one)) for key, one in over.items()]

    def written(self, ids: Iterable[str]) -> None:
        """Forget sums whose leaves are durable."""
        gone = frozenset(ids)
        with self._lock:
            self._sums = {key: one for key, one in self._sums.items() if one.id not in gone}


def _leaf(key: tuple[str, str, str, str], one: _Sum) -> Leaf:
    actor, dataset, rule, minute = key
    return Leaf(
        action="release.refusals",
        actor=actor,
        object=f"dataset:{dataset}",
        object_version=minute,
        decision="denied",
        rules=(rule,),
        rows=one.refusals,  # how many refusals: nothing was given
    )
