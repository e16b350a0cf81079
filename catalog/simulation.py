"""Simulation: what a proposal would open, by deciding recorded requests without it and with it. Pure.

What was recorded is replayed under today's rules on both sides, so a difference is the proposal's and nothing else's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from catalog.decision import Decision, Step
from catalog.explanation import nearest_change
from catalog.grant import Method, Treatment
from catalog.treatment import RANK

Kind = Literal["opened", "closed", "changed", "same"]
Coarse = int | Literal["<10"]

KINDS: Final[tuple[Kind, ...]] = ("opened", "closed", "changed", "same")
_SMALL: Final = 10


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field given otherwise than before."""

    field: str
    before: Treatment
    after: Treatment

    @property
    def more(self) -> bool:
        """Whether it is given more openly."""
        return RANK[self.after] > RANK[self.before]


@dataclass(frozen=True, slots=True)
class Replay:
    """Recorded requests that were alike, decided twice.

    Args:
        caller: opaque id.
        requests: how many.
        before: as things are.
        after: as they would be.
    """

    caller: str
    requests: int
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of recorded requests that are alike.

    Args:
        caller: opaque id.
        dataset: id.
        method: of delivery.
        kind: refused and then open, the reverse, open with other fields or rows, or as it was.
        requests: how many.
        fields: given otherwise than before.
        other_rows: whether both are open, with another row condition.
        refusal: the rule that refuses it after; None where it is open.
    """

    caller: str
    dataset: str
    method: Method
    kind: Kind
    requests: int
    fields: tuple[FieldChange, ...]
    other_rows: bool
    refusal: Step | None


def difference(replay: Replay) -> Difference:
    """Between both decisions."""
    before, after = replay.before, replay.after
    fields = field_changes(before, after)
    other_rows = before.allowed and after.allowed and before.rows != after.rows
    return Difference(
        caller=replay.caller,
        dataset=after.dataset,
        method=after.method,
        kind=_kind(before, after, changed=bool(fields) or other_rows),
        requests=replay.requests,
        fields=fields,
        other_rows=other_rows,
        refusal=nearest_change(after),
    )


def field_changes(before: Decision, after: Decision) -> tuple[FieldChange, ...]:
    """The fields given otherwise, in the contract's order."""
    changes = (
        FieldChange(name, before.fields[name].treatment, treated.treatment) for name, treated in after.fields.items()
    )
    return tuple(change for change in changes if change.before != change.after)


def _kind(before: Decision, after: Decision, *, changed: bool) -> Kind:
    if before.allowed != after.allowed:
        return "opened" if after.allowed else "closed"
    return "changed" if changed else "same"


def widest(before: Decision, unnamed: Decision, named: Decision) -> Decision:
    """The decision a caller would seek who may name the proposed grant and need not.

    It names it where that opens anything it did not have: a field, or other rows.
    """
    if not named.allowed:
        return unnamed
    gained = any(change.more for change in field_changes(before, named)) or named.rows != before.rows
    return named if gained or not before.allowed else unnamed


def differences(replays: Iterable[Replay]) -> list[Difference]:
    """What differs and what does not, alike ones together, the most frequent first."""
    summed: dict[Difference, int] = {}
    for replay in replays:
        found = difference(replay)
        alike = replace(found, requests=0)
        summed[alike] = summed.get(alike, 0) + found.requests
    found = [replace(alike, requests=requests) for alike, requests in summed.items()]
    return sorted(found, key=lambda one: (KINDS.index(one.kind), -one.requests, one.dataset, one.caller, one.method))


def totals(found: Iterable[Difference]) -> Mapping[Kind, int]:
    """Requests of each kind."""
    sums: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for one in found:
        sums[one.kind] += one.requests
    return sums


@dataclass(frozen=True, slots=True)
class Covered:
    """How many records, or persons, a row condition covers: in all, and beyond what is covered already."""

    in_all: int
    beyond: int


def coarse(count: int) -> Coarse:
    """A count as it is shown: to the ten below, and few as few.

    None is few, too, or a condition made for one person would tell whether there is one. Whole tens, because the
    difference of two exact counts is one as well.
    """
    return "<10" if count < _SMALL else count - count % _SMALL
