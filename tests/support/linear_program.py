"""An exact linear program, small and slow: the bounds of one variable over a table's feasible completions.

The simplex method over fractions with Bland's rule, so that it ends and rounds nothing. It knows nothing of
hierarchies: it is what the closed form of ``catalog.disclosure_audit`` is held against.
"""

from collections.abc import Sequence
from fractions import Fraction


class Polytope:
    """The non-negative solutions of ``rows · x = right``; there must be one."""

    def __init__(self, rows: Sequence[Sequence[int]], right: Sequence[int]) -> None:
        self.variables = len(rows[0])
        self._tableau = [
            [Fraction(one) for one in row] + [Fraction(int(place == at)) for at in range(len(rows))] + [Fraction(value)]
            for place, (row, value) in enumerate(zip(rows, right, strict=True))
        ]
        self._basis = [self.variables + place for place in range(len(rows))]
        self._feasible()

    def _feasible(self) -> None:
        """Phase one: drive the artificial variables out, drop equations that say nothing new."""
        width = self.variables + len(self._basis)
        costs = [Fraction(int(place >= self.variables)) for place in range(width)]
        assert self._minimise(costs, width) == 0
        kept: list[int] = []
        for place, variable in enumerate(self._basis):
            if variable >= self.variables:
                column = next((one for one in range(self.variables) if self._tableau[place][one] != 0), None)
                if column is None:
                    continue
                self._pivot(place, column)
            kept.append(place)
        self._tableau = [self._tableau[one][: self.variables] + self._tableau[one][-1:] for one in kept]
        self._basis = [self._basis[one] for one in kept]

    def bounds(self, wanted: Sequence[int]) -> tuple[int, int | None]:
        """The least and the greatest sum of the wanted variables; None where there is no greatest."""
        costs = [Fraction(int(place in wanted)) for place in range(self.variables)]
        least = self._minimise(costs, self.variables)
        greatest = self._minimise([-one for one in costs], self.variables)
        assert least is not None
        return _whole(least), None if greatest is None else _whole(-greatest)

    def _minimise(self, costs: Sequence[Fraction], width: int) -> Fraction | None:
        while True:
            of_basis = [costs[one] for one in self._basis]
            entering = next(
                (
                    one
                    for one in range(width)
                    if costs[one] < sum(cost * row[one] for cost, row in zip(of_basis, self._tableau, strict=True))
                ),
                None,
            )
            if entering is None:
                values = (cost * row[-1] for cost, row in zip(of_basis, self._tableau, strict=True))
                return sum(values, Fraction(0))
            ratios = [
                (row[-1] / row[entering], self._basis[place], place)
                for place, row in enumerate(self._tableau)
                if row[entering] > 0
            ]
            if not ratios:
                return None
            self._pivot(min(ratios)[2], entering)

    def _pivot(self, place: int, column: int) -> None:
        pivot = self._tableau[place][column]
        chosen = [one / pivot for one in self._tableau[place]]
        self._tableau[place] = chosen
        self._basis[place] = column
        for other, row in enumerate(self._tableau):
            if other != place and row[column] != 0:
                factor = row[column]
                self._tableau[other] = [one - factor * new for one, new in zip(row, chosen, strict=True)]


def _whole(value: Fraction) -> int:
    """Bounds of these tables are whole; anything else is not rounded away."""
    assert value.denominator == 1, value
    return value.numerator
