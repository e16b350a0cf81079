"""Counts of persons along an aggregate's hierarchies, and what earlier releases said of the same cells."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import product
from typing import Final

from catalog.aggregate import Aggregate, Cell
from catalog.hierarchy import CODE_LEVEL, REGION_DIGITS, UNKNOWN, WHOLE, nodes_of, regions_above

Counts = Mapping[Cell, int]  # zeros are left out
Slice = tuple[str, int]  # a region and a detail: stated whole or not at all
Leaves = tuple[str, ...]  # a person's region at its smallest, then one leaf for each dimension

LEAF_REGION_DIGITS: Final = REGION_DIGITS[-1]
_NOTHING: Final[Counts] = {}


@dataclass(frozen=True)
class Table:
    """Counts of one instant, all of them sums of the same leaves.

    Args:
        parents: region → the one above it; the whole has none. Ordered from the whole downwards.
        counts: by detail, region and cell.
        coarser: by detail, the cell of the detail before that each cell lies in; empty for the first.
        attributes: by detail, the places of a cell that hold attributes.
    """

    parents: Mapping[str, str | None]
    counts: Sequence[Mapping[str, Counts]]
    coarser: Sequence[Mapping[Cell, Cell]]
    attributes: Sequence[tuple[int, ...]]

    def cells(self, of: Slice) -> Counts:
        """The counts of one slice."""
        region, detail = of
        return self.counts[detail].get(region, _NOTHING)

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Region → those right below it."""
        found: dict[str, list[str]] = {region: [] for region in self.parents}
        for region, parent in self.parents.items():
            if parent is not None:
                found[parent].append(region)
        return {region: tuple(below) for region, below in found.items()}

    @property
    def slices(self) -> tuple[Slice, ...]:
        """All of them, coarse to fine and from the whole downwards."""
        return tuple((region, detail) for detail in range(len(self.counts)) for region in self.parents)

    def line(self, detail: int, cell: Cell) -> tuple[Cell, ...]:
        """The cells of the details 0 to ``detail`` that a cell lies in, itself the last."""
        found = [cell]
        for one in range(detail, 0, -1):
            found.append(self.coarser[one][found[-1]])
        return tuple(reversed(found))

    def above(self, region: str) -> tuple[str, ...]:
        """A region and those above it, upwards."""
        found = [region]
        while (parent := self.parents[found[-1]]) is not None:
            found.append(parent)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the release ledger holds of a slice at one release.

    Args:
        instant: of the counts.
        stated: whether it was published; what was withheld is kept too, so that a cell cannot come and go with one
            person.
        counts: exact.
    """

    instant: datetime
    stated: bool
    counts: Counts


Earlier = Mapping[Slice, Sequence[Statement]]  # oldest first


def tabulate(aggregate: Aggregate, leaves: Mapping[Leaves, int], known_regions: Sequence[str] = ()) -> Table:
    """Sum leaves up along all hierarchies.

    Args:
        aggregate: the definition.
        leaves: persons by leaves; the region is the empty text where the aggregate has none.
        known_regions: regions that earlier releases spoke of and that may be empty now.
    """
    details = range(len(aggregate.details))
    sums: list[dict[str, dict[Cell, int]]] = [defaultdict(lambda: defaultdict(int)) for _ in details]
    for persons, count in leaves.items():
        regions = regions_of(aggregate, persons[0])
        cells = cells_of(aggregate, persons[1:])
        for detail in details:
            for region in regions:
                sums[detail][region][cells[detail]] += count
    found = {WHOLE, *known_regions, *sums[0]}
    parents = {region: _parent(region) for region in sorted(found, key=lambda one: (_depth(one), one))}
    counts = [{region: dict(cells) for region, cells in of_detail.items()} for of_detail in sums]
    places = [aggregate.attribute_places(detail) for detail in details]
    return Table(parents, counts, coarser_cells(aggregate), places)


@lru_cache(64)
def coarser_cells(aggregate: Aggregate) -> tuple[Mapping[Cell, Cell], ...]:
    """For each detail, the cell of the detail before that each of its cells lies in."""
    finest = [nodes_of(one.kind, one.code_list, _leaf_level(one.kind)) for one in aggregate.dimensions]
    of_leaves = [cells_of(aggregate, tuple(map(_leaf, leaves))) for leaves in product(*finest)]
    steps = range(1, len(aggregate.details))
    return ({}, *({cells[detail]: cells[detail - 1] for cells in of_leaves} for detail in steps))


def _leaf_level(kind: str) -> str:
    return "five_year" if kind == "age" else CODE_LEVEL


def _leaf(node: str) -> str:
    """Bands of ages have their first year for a leaf: ``15-19`` is 15, ``85+`` is 85."""
    return node.partition("-")[0].removesuffix("+")


@lru_cache(65_536)
def cells_of(aggregate: Aggregate, leaves: Leaves) -> tuple[Cell, ...]:
    """The cell of each detail that persons of these leaves (without the region) are counted in."""
    return tuple(aggregate.cell_of(detail, leaves) for detail in range(len(aggregate.details)))


def regions_of(aggregate: Aggregate, leaf: str) -> tuple[str, ...]:
    """The regions a person is counted in, from the whole downwards."""
    return (WHOLE,) if aggregate.region_field is None else regions_above(leaf, aggregate.region_digits)


def _depth(region: str) -> int:
    return 0 if region == WHOLE else 1 if region == UNKNOWN else REGION_DIGITS.index(len(region)) + 1


def _parent(region: str) -> str | None:
    if region == WHOLE:
        return None
    depth = _depth(region)
    return WHOLE if depth == 1 else region[: REGION_DIGITS[depth - 2]]
