"""Tables of persons for tests: random trees of regions and lines of details, without the hub's own hierarchies."""

import random
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from linear_program import Polytope

from catalog.disclosure import Outcome
from catalog.tabulation import Slice, Statement, Table

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Leaf = tuple[str, tuple[str, ...]]  # the smallest region and the finest cell of a person
Persons = dict[Leaf, int]


class Shape:
    """A tree of regions below the whole and a tree of cells below everybody, both named by their paths."""

    def __init__(self, regions: Mapping[str, str | None], cells: list[dict[tuple[str, ...], tuple[str, ...]]]) -> None:
        self.parents = regions
        self.coarser = cells

    @property
    def leaf_regions(self) -> list[str]:
        return [one for one in self.parents if one not in set(self.parents.values())]

    @property
    def leaf_cells(self) -> list[tuple[str, ...]]:
        return list(self.coarser[-1]) if len(self.coarser) > 1 else [()]

    def table(self, persons: Persons, attributes: int | None = None) -> Table:
        """Sum persons up; ``attributes`` makes the first dimension an attribute from that detail on."""
        details = len(self.coarser)
        counts: list[dict[str, dict[tuple[str, ...], int]]] = [
            defaultdict(lambda: defaultdict(int)) for _ in range(details)
        ]
        for (region, cell), count in persons.items():
            where: str | None = region
            while where is not None:
                what = cell
                for detail in range(details - 1, -1, -1):
                    if count:
                        counts[detail][where][what] += count
                    what = self.coarser[detail].get(what, ())
                where = self.parents[where]
        places = [(0,) if attributes is not None and detail >= attributes else () for detail in range(details)]
        return Table(self.parents, [{r: dict(c) for r, c in one.items()} for one in counts], self.coarser, places)


def random_shape(dice: random.Random, leaves_max: int = 6) -> Shape:
    """Up to three levels of regions and four details."""
    regions: dict[str, str | None] = {"": None}
    for one in range(dice.randint(1, 4)):
        regions[f"{one}"] = ""
    for parent in [one for one in regions if one]:
        if dice.random() < 0.6 and len(regions) < leaves_max + 3:
            for one in range(dice.randint(1, 3)):
                regions[f"{parent}.{one}"] = parent
    cells: list[dict[tuple[str, ...], tuple[str, ...]]] = [{}]
    last: list[tuple[str, ...]] = [()]
    for detail in range(dice.randint(1, 3)):
        below: dict[tuple[str, ...], tuple[str, ...]] = {}
        for cell in last:
            for one in range(dice.randint(1 + (detail == 0), 3 if len(last) < 3 else 2)):
                below[((cell[0] if cell else "c") + str(one),)] = cell
        cells.append(below)
        last = list(below)
    return Shape(regions, cells)


def random_persons(dice: random.Random, shape: Shape, most: int) -> Persons:
    """Counts with many small ones and zeros among them."""
    return {
        (region, cell): 0 if dice.random() < 0.25 else dice.randint(0, dice.choice([most // 6 + 1, most // 2, most]))
        for region in shape.leaf_regions
        for cell in shape.leaf_cells
    }


def later(outcome: Outcome, earlier: dict[Slice, list[Statement]]) -> dict[Slice, list[Statement]]:
    """The release ledger after a release was published."""
    grown = {of: list(statements) for of, statements in earlier.items()}
    for of, statement in outcome.recorded.items():
        grown.setdefault(of, []).append(statement)
    return grown


def instant(number: int) -> datetime:
    """Of the releases of a test, in order."""
    return NOW + timedelta(days=number)


def polytope(table: Table, shape: Shape, stated: set[Slice]) -> tuple[Polytope, list[Leaf]]:
    """All tables that agree exactly with every stated count, zeros included."""
    leaves = [(region, cell) for region in shape.leaf_regions for cell in shape.leaf_cells]
    rows: list[list[int]] = []
    right: list[int] = []
    for region, detail in sorted(stated):
        for cell in set(shape.coarser[detail]) or {()}:
            rows.append([int(within(table, leaf, region, detail, cell)) for leaf in leaves])
            right.append(table.cells((region, detail)).get(cell, 0))
    return Polytope(rows, right), leaves


def within(table: Table, leaf: Leaf, region: str, detail: int, cell: tuple[str, ...]) -> bool:
    """Whether a person of this leaf is counted in that cell."""
    finest = len(table.counts) - 1
    return region in table.above(leaf[0]) and table.line(finest, leaf[1])[detail] == cell
