"""The source port: what a connector needs of a department's files, layers or databases.

Words:

- A **source** is what a configuration's ``source`` names. It offers **items**, oldest first: a file, a layer, the rows
  of a table changed since last time, the complete list of its keys.
- An item is read in **chunks**, each of bounded size, however large the item. A chunk's **position** says where reading
  goes on after it, so that a run that was killed resumes there; the same item read from the same position gives the
  same chunks. Positions are the source's own JSON text; nobody else looks inside.
- What the last chunk of a finished item left as position is given back with the next item of the same name: that is how
  a database's watermark travels from run to run. An item whose ``identity`` is another starts anew.
- Columns come under the source's own names. A column is String where the source has only text, else typed; what cannot
  be read at all (encoding, header, coordinates without a system) is a ``SourceError`` and fails that item alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import polars as pl

from schemas.envelope import Operation

Outcome = Literal["done", "failed"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of an item.

    Args:
        frame: rows under the source's column names; geometry as EWKB, SRID 4490, in the column ``geometry``.
        position: where reading goes on after these rows.
        first_row: number of the first row in the item as its owner counts, for reports: the line of a text file, the
            row of a sheet, else from 1.
        progress: how far the item has been read, in the unit of ``Item.size``.
        row_numbers: of every row, where they do not simply count on from ``first_row``: after blank lines, or records
            of several lines.
    """

    frame: pl.DataFrame
    position: str
    first_row: int
    progress: int
    row_numbers: pl.Series | None = None


class Item(Protocol):
    """One thing a run reads."""

    @property
    def name(self) -> str:
        """What people know it by: a file's name, a table's. Free of records' values."""
        ...

    @property
    def identity(self) -> str:
        """Changes when the content is another under the same name; positions of another identity mean nothing."""
        ...

    @property
    def cut_at(self) -> datetime | None:
        """As of when the item speaks, where it knows; else it speaks of the time at which it begins to be read.

        It orders records whose contract has no version field: an old file handed in late does not undo a newer one.
        """
        ...

    @property
    def operation(self) -> Operation:
        """What its records ask for; ``keys`` for a complete key list."""
        ...

    @property
    def size(self) -> int | None:
        """How much there is to read, in bytes or rows; None when nobody knows."""
        ...

    def chunks(self, after: str | None, rows_max: int) -> Iterator[Chunk]:
        """Read on after a position, or from the beginning; no chunk has more than ``rows_max`` rows.

        Raises:
            SourceError: the item cannot be read, with where and why.
        """
        ...

    def finish(self, outcome: Outcome, report: str) -> None:
        """All its batches are acknowledged, or it failed: put it away, with the report beside it. Repeatable."""
        ...


class Source(Protocol):
    """Where items come from."""

    def items(self) -> Iterator[Item]:
        """What there is to read now, oldest first.

        Raises:
            SourceError: the source as a whole cannot be reached.
        """
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...
