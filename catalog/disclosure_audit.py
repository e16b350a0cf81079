"""What someone who knows every stated count exactly can derive of a withheld cell: its feasible interval.

With slices stated along one line of details, and each only with the detail before it and the region above it, the sets
of persons whose number is known and in which a withheld cell has its part form one chain: smaller in the details,
larger in the regions. The cell is in all of them, so it is at most the smallest; and where the larger of two leaves
less room than the smaller fills, their overlap is known to hold someone. Both bounds are whole numbers in closed form.
No linear program is solved: a solver's floats would not be exact, and there is nothing for it to find that these do
not. A test compares them with an exact linear program, which knows nothing of chains, over random tables.

The law that the audit holds a table to: **of every withheld cell either its interval is at least k wide, or its lower
bound is k, or it is known to be empty.** Nobody can tell of a cell of fewer than k persons even that it is one.
"""

from dataclasses import dataclass

from catalog.aggregate import Cell
from catalog.tabulation import Slice, Table


@dataclass(frozen=True, slots=True)
class Interval:
    """All that can be known of a count: ``lower`` to ``upper``, both included."""

    lower: int
    upper: int

    def is_wide(self, k: int) -> bool:
        """Whether the law holds of it."""
        return self.upper - self.lower >= k or self.lower >= k or self.upper == 0


def narrow_slices(table: Table, k: int, known: set[Slice], new: set[Slice]) -> set[Slice]:
    """The slices to be left out because through them some withheld cell would be known too well.

    Args:
        table: exact counts of one instant.
        k: the threshold.
        known: slices whose counts of this instant would be known, those of ``new`` among them.
        new: slices that would be stated now; what is known without them cannot be taken back.
    """
    found: set[Slice] = set()
    if not new:
        return found
    for region, detail in table.slices:
        if (region, detail) in known:
            continue
        for cell, count in table.cells((region, detail)).items():
            if count and not interval(table, known, region, detail, cell).is_wide(k):
                around = ((above, one) for one in range(detail, -1, -1) for above in table.above(region))
                found.update(next(([one] for one in around if one in new), []))
    return found


def interval(table: Table, known: set[Slice], region: str, detail: int, cell: Cell) -> Interval:
    """The feasible interval of a withheld cell, all of ``known`` being known exactly."""
    line = table.line(detail, cell)
    sets = [found for one in range(detail + 1) if (found := _known_set(table, known, region, one)) is not None]
    if not sets:
        return Interval(0, sum(table.cells((region, detail)).values()))
    upper = min(_count(table, regions, one, line[one]) for one, regions in sets)
    own = [one for one, regions in sets if regions == (region,)]
    if not own:
        return Interval(0, upper)
    # From the region's own last stated detail the lower bound is carried from set to set.
    lowers = {own[-1]: _count(table, (region,), own[-1], line[own[-1]])}
    for one, regions in sets:
        if one <= own[-1]:
            continue
        size = _count(table, regions, one, line[one])
        room = {before: _count(table, regions, before, line[before]) for before in lowers}
        lowers[one] = max(0, *(lower + size - room[before] for before, lower in lowers.items()))
    last = max(lowers)
    return Interval(lowers[last] if last == detail or _only_cell(table, detail, last, line) else 0, upper)


def _known_set(table: Table, known: set[Slice], region: str, detail: int) -> tuple[int, tuple[str, ...]] | None:
    """The smallest set of regions around ``region`` whose sum is known in a detail.

    It is the region itself, or what is left of the lowest region above it that is known.
    """
    if (region, detail) in known:
        return detail, (region,)
    for above in table.above(region)[1:]:
        if (above, detail) in known:
            return detail, tuple(one for one in table.children[above] if (one, detail) not in known)
    return None


def _count(table: Table, regions: tuple[str, ...], detail: int, cell: Cell) -> int:
    return sum(table.cells((one, detail)).get(cell, 0) for one in regions)


def _only_cell(table: Table, detail: int, last: int, line: tuple[Cell, ...]) -> bool:
    """Whether from the last known detail on nothing divides the cell's set any more."""
    return all(
        sum(line[one - 1] == above for above in table.coarser[one].values()) == 1 for one in range(last + 1, detail + 1)
    )
