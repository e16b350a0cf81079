"""Nested sets across aggregates: sets of persons that lie in each other because of who the persons are.

No cell of ``education`` is part of a cell of ``age``; yet where all children of a county are at primary school, those
children are a subset of its pupils, and who publishes both counts publishes how many grown-ups are among the pupils. So
inclusion is looked up in the persons themselves. Pure; the counts come with both aggregates' leaves on each person.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.aggregate import Aggregate, Cell
from catalog.tabulation import Earlier, Leaves, Slice, Table, cells_of, regions_of

_Pair = tuple[int, Cell, int, Cell]  # detail and cell of the one and of the other


@dataclass(frozen=True, slots=True)
class Other:
    """Another aggregate of the dataset that was ever published.

    Args:
        aggregate: its definition.
        earlier: the release ledger, as far as it speaks of its slices.
        leaves: persons by their leaves in the one aggregate and in this.
    """

    aggregate: Aggregate
    earlier: Earlier
    leaves: Mapping[tuple[Leaves, Leaves], int]


def crossed_slices(aggregate: Aggregate, table: Table, k: int, other: Other) -> set[Slice]:
    """The slices of which a cell lies in a cell the other stated, or holds one, with fewer than k persons between."""
    together, sizes = _together(aggregate, other)
    stated: dict[str, dict[int, list[Mapping[Cell, int]]]] = defaultdict(lambda: defaultdict(list))
    for (region, detail), statements in other.earlier.items():
        stated[region][detail] += [one.counts for one in statements if one.stated]
    wrong: set[Slice] = set()
    for region, pairs in together.items():
        for (detail, cell, its_detail, its_cell), count in pairs.items():
            inside = count == table.cells((region, detail)).get(cell, 0)
            holds = count == sizes[region][its_detail, its_cell]
            for above in table.above(region):
                if inside:  # all of this cell are in the other's, here and so in every region above
                    values = (one.get(its_cell, 0) for one in stated[above][its_detail])
                    if any(0 < value - count < k for value in values):
                        wrong.add((region, detail))
                if holds:
                    now = table.cells((above, detail)).get(cell, 0)
                    values = (one.get(its_cell, 0) for one in stated[region][its_detail])
                    if any(value and 0 < now - value < k for value in values):
                        wrong.add((above, detail))
    return wrong


def _together(
    aggregate: Aggregate, other: Other
) -> tuple[dict[str, dict[_Pair, int]], dict[str, dict[tuple[int, Cell], int]]]:
    """By region: persons in a cell of the one and of the other, and persons in a cell of the other."""
    together: dict[str, dict[_Pair, int]] = defaultdict(lambda: defaultdict(int))
    sizes: dict[str, dict[tuple[int, Cell], int]] = defaultdict(lambda: defaultdict(int))
    for (own, its), count in other.leaves.items():
        own_cells, its_cells = cells_of(aggregate, own[1:]), cells_of(other.aggregate, its[1:])
        for region in regions_of(aggregate, own[0]):
            for its_detail, its_cell in enumerate(its_cells):
                sizes[region][its_detail, its_cell] += count
                for detail, cell in enumerate(own_cells):
                    together[region][detail, cell, its_detail, its_cell] += count
    return together, sizes
