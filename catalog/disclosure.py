"""What of a table of persons may be stated, so that nobody can be told from it. Pure and exact: integers only.

The unit is the *slice*: one region in one detail, say a county by sex and life stage. It is stated whole or not at all.
Suppressing single cells was left: which cells are missing then depends on the very attribute that is to be hidden (of a
person who moved, the one changed cell is missing), and whether enough are missing is a linear program over crossing
margins. With whole slices along one line of details what can be derived is known in closed form (``disclosure_audit``).

A slice may be stated at an instant only if all of these hold, with ``k`` of the definition:

threshold
    Each of its cells has no person or at least k, and no group that is told apart shares one value of an attribute.
line
    The detail before it and the region above it are stated at this instant too.
remainder (secondary suppression)
    What is left of the region above, taking away its regions that are stated, meets the threshold as a whole; else
    further regions are left unstated, the smallest that will do.
change (nested sets in time)
    Against every earlier statement of it, and against what it last was when it was not stated, each cell is the same or
    differs by at least k; so does every remainder. Till then what was stated before stands, with its instant, and what
    was withheld stays so. Adding, moving or changing fewer than k persons after a release of a table shows nowhere.
nested
    Against every earlier statement of a cell that holds it or lies in it, each cell is the same or differs by at least
    k; of other aggregates too (``crossing``).
interval
    No withheld cell is known too well from all that would be known (``disclosure_audit``, a second look at the whole).

What is stated is then rounded to 5 for publication. The rounding is beside the law: every rule holds against someone
who knows the exact counts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from catalog.aggregate import Cell
from catalog.disclosure_audit import narrow_slices
from catalog.hierarchy import UNKNOWN, WHOLE
from catalog.tabulation import Counts, Earlier, Slice, Statement, Table

Rule = Literal["threshold", "unchanged", "nested", "interval"]
ROUNDED_TO: Final = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What may be published of a table.

    Args:
        shown: every slice that is published: stated now, or standing from an earlier release.
        withheld: the other slices.
        recorded: what the release ledger must hold once this is published.
        refused: the rule for which nothing may be published; None where something may.
    """

    shown: dict[Slice, Statement] = field(default_factory=dict[Slice, Statement])
    withheld: tuple[Slice, ...] = ()
    recorded: dict[Slice, Statement] = field(default_factory=dict[Slice, Statement])
    refused: Rule | None = None


def rounded(count: int) -> int:
    """To the nearest multiple of 5: the same for the same count, always. None is a tie."""
    return (count + ROUNDED_TO // 2) // ROUNDED_TO * ROUNDED_TO


def disclose(table: Table, k: int, earlier: Earlier, instant: datetime, barred: Iterable[Slice] = ()) -> Outcome:
    """Decide what of a table may be stated.

    Args:
        table: exact counts of one instant.
        k: the threshold.
        earlier: the release ledger of this dataset, all aggregates and all releases, as far as it speaks of slices of
            this table.
        instant: of the counts.
        barred: slices not to be stated for reasons that lie outside of this table.
    """
    out: set[Slice] = set(barred)
    rules: set[Rule] = set()
    while True:
        fresh, unsafe = _choose(table, k, earlier, out)
        if not unsafe and (unsafe := _nested_wrong(table, k, earlier, fresh)):
            rules.add("nested")
        if not unsafe:
            changed = {of for of in fresh if _changed(table, earlier, of)}
            as_it_was = {of for of in earlier if of[0] in table.parents and not _changed(table, earlier, of)}
            if unsafe := narrow_slices(table, k, fresh | as_it_was, changed):
                rules.add("interval")
        if not unsafe:
            return _outcome(table, k, earlier, instant, fresh, rules)
        out |= unsafe


# Which slices ---------------------------------------------------------------------------------------------------------


def _choose(table: Table, k: int, earlier: Earlier, barred: set[Slice]) -> tuple[set[Slice], set[Slice]]:
    """The slices that may be stated, and those that turned out unsafe and must be left out of the next attempt."""
    fresh: set[Slice] = set()
    unsafe: set[Slice] = set()
    for detail in range(len(table.counts)):
        for region, parent in table.parents.items():
            if parent is None and _fits(table, k, earlier, fresh, barred, (region, detail)):
                fresh.add((region, detail))
            if (region, detail) not in fresh:
                continue
            below = table.children[region]
            fitting = [one for one in below if _fits(table, k, earlier, fresh, barred, (one, detail))]
            chosen = _with_safe_remainder(table, k, earlier, (region, detail), fitting)
            if chosen is None:
                unsafe.add((region, detail))
            else:
                fresh |= {(one, detail) for one in chosen}
    return fresh, unsafe


def _fits(table: Table, k: int, earlier: Earlier, fresh: set[Slice], barred: set[Slice], of: Slice) -> bool:
    """Threshold, line and change of one slice."""
    region, detail = of
    if of in barred or (detail and (region, detail - 1) not in fresh):
        return False
    now = table.cells(of)
    statements = earlier.get(of, ())
    if statements and not any(one.stated for one in statements) and not _differ(now, statements[-1].counts):
        return False  # withheld, if only to guard another: it does not appear because the other has changed
    against = [*(one for one in statements if one.stated), *statements[-1:]]
    return meets_threshold(now, k, table.attributes[detail]) and all(apart(now, one.counts, k) for one in against)


def _with_safe_remainder(table: Table, k: int, earlier: Earlier, of: Slice, fitting: Sequence[str]) -> set[str] | None:
    """Of the regions below that fit as many as leave a safe remainder; None where not even none of them does."""
    detail = of[1]
    chosen = set(fitting)
    by_size = sorted(fitting, key=lambda one: (sum(table.cells((one, detail)).values()), one))
    while not _remainder_is_safe(table, k, earlier, of, chosen):
        left = [one for one in by_size if one in chosen]
        if not left:
            return None
        enough = (one for one in left if _remainder_is_safe(table, k, earlier, of, chosen - {one}))
        chosen.discard(next(enough, left[0]))
    return chosen


def _remainder_is_safe(table: Table, k: int, earlier: Earlier, of: Slice, chosen: set[str]) -> bool:
    region, detail = of
    rest = [one for one in table.children[region] if one not in chosen]
    if not rest:
        return True
    left = _sum(table.cells((one, detail)) for one in rest)
    if not meets_threshold(left, k, table.attributes[detail]):
        return False
    # What others know of the rest from before is taken away from what is left now.
    standing = [last for one in rest if (last := last_stated(earlier, (one, detail))) is not None]
    if standing and not apart(left, _sum(one.counts for one in standing), k):
        return False
    before = last_stated(earlier, of)
    if before is None:
        return True
    pairs = [((one, detail), last_stated(earlier, (one, detail))) for one in chosen]
    known = [(table.cells(one), last.counts) for one, last in pairs if last is not None]
    now = _sum([table.cells(of)]) - _sum(now for now, _ in known)
    then = _sum([before.counts]) - _sum(then for _, then in known)
    return apart(now, then, k)


def _nested_wrong(table: Table, k: int, earlier: Earlier, fresh: set[Slice]) -> set[Slice]:
    """Slices of which a cell holds, or lies in, a cell stated earlier that has not quite as many persons."""
    wrong: set[Slice] = set()
    stated = {of: [one.counts for one in found if one.stated] for of, found in earlier.items()}
    for of in fresh:
        for cell, count in table.cells(of).items():
            known = [one.get(held, 0) for holds, held in _holding(table, of, cell) for one in stated.get(holds, ())]
            if any(one and 0 < abs(count - one) < k for one in known):
                wrong.add(of)
    for of, known in stated.items():
        if of[0] not in table.parents:
            continue
        for cell, count in {pair for one in known for pair in one.items()}:
            for holds, held in _holding(table, of, cell):
                now = table.cells(holds).get(held, 0)
                if holds in fresh and now and 0 < abs(now - count) < k:
                    wrong.add(holds)
    return wrong


def _holding(table: Table, of: Slice, cell: Cell) -> Iterator[tuple[Slice, Cell]]:
    """Every other cell that a cell lies in, with its slice."""
    region, detail = of
    line = table.line(detail, cell)
    for above in table.above(region):
        for coarse, holding in enumerate(line):
            if (above, coarse) != of:
                yield (above, coarse), holding


# Rules of one slice ---------------------------------------------------------------------------------------------------


def meets_threshold(counts: Counts, k: int, attributes: Sequence[int]) -> bool:
    """No cell of 1 to k - 1 persons, and no group all of one value of an attribute (group disclosure)."""
    return all(count >= k or count == 0 for count in counts.values()) and fewest_values(counts, attributes) != 1


def fewest_values(counts: Counts, attributes: Sequence[int]) -> int:
    """Over all groups told apart by the other dimensions, the fewest values of an attribute: the l of l-diversity.

    Persons of whom the value is not known protect nobody; 0 where nobody's is.
    """
    fewest: list[int] = []
    for place in attributes:
        groups: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for cell, count in counts.items():
            if count and cell[place] != UNKNOWN:
                groups[cell[:place] + cell[place + 1 :]].add(cell[place])
        fewest += [len(values) for values in groups.values()]
    return min(fewest, default=0)


def apart(now: Counts, then: Counts, k: int) -> bool:
    """Whether each cell is the same or differs by at least k."""
    return all(
        (difference := abs(now.get(cell, 0) - then.get(cell, 0))) == 0 or difference >= k for cell in {*now, *then}
    )


def last_stated(earlier: Earlier, of: Slice) -> Statement | None:
    """What stands of a slice."""
    return next((one for one in reversed(earlier.get(of, ())) if one.stated), None)


class _Signed(dict[tuple[str, ...], int]):
    """Counts that may be negative and are subtracted cell by cell."""

    def __sub__(self, other: Counts) -> "_Signed":
        return _Signed({cell: self.get(cell, 0) - other.get(cell, 0) for cell in {*self, *other}})


def _sum(several: Iterable[Counts]) -> _Signed:
    total: Counter[tuple[str, ...]] = Counter()
    for one in several:
        total.update(one)
    return _Signed(total)


def _changed(table: Table, earlier: Earlier, of: Slice) -> bool:
    """Whether stating a slice now would say anything that does not stand already."""
    last = last_stated(earlier, of)
    return last is None or _differ(table.cells(of), last.counts)


# The outcome ----------------------------------------------------------------------------------------------------------


def _outcome(table: Table, k: int, earlier: Earlier, instant: datetime, fresh: set[Slice], rules: set[Rule]) -> Outcome:
    shown: dict[Slice, Statement] = {}
    withheld: list[Slice] = []
    recorded: dict[Slice, Statement] = {}
    for of in table.slices:
        now = table.cells(of)
        last = last_stated(earlier, of)
        if of in fresh and _changed(table, earlier, of):
            shown[of] = recorded[of] = Statement(instant, stated=True, counts=now)
        elif last is not None:
            shown[of] = last
        else:
            withheld.append(of)
            before = next(iter(earlier.get(of, ())[-1:]), None)
            if before is None or (_differ(now, before.counts) and apart(now, before.counts, k)):
                recorded[of] = Statement(instant, stated=False, counts=now)
    if not any(one.stated for one in recorded.values()):
        before = last_stated(earlier, (WHOLE, len(table.counts) - 1)) or last_stated(earlier, (WHOLE, 0))
        refused: Rule = "threshold" if before is None else "unchanged"
        return Outcome(refused=min(rules) if rules else refused)
    return Outcome(shown, tuple(withheld), recorded)


def _differ(now: Counts, then: Counts) -> bool:
    return any(now.get(cell, 0) != then.get(cell, 0) for cell in {*now, *then})
