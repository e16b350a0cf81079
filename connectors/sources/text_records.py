"""Text files cut into blocks of whole records, by their bytes: never line by line.

Line ends, quotation marks and separators are single bytes that stand in no character's middle, in UTF-8 and in GB18030
alike, so blocks are cut before they are decoded. A line end inside quotation marks does not end a record; whether one
is inside is the parity of the marks before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from connectors.sources.file_errors import QuoteOpen, QuoteStray

BLOCK_BYTES_MAX: Final = 16 * 1024 * 1024  # of one block, and so of one record
_READ_BYTES: Final = 4 * 1024 * 1024
_HEAD_BYTES: Final = 1024 * 1024
LF, CR, QUOTE = 0x0A, 0x0D, 0x22

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Form:
    """How records are written.

    Args:
        line_end: the byte that ends a line; a carriage return before it belongs to it.
        separator: the byte between values; None where a line is one value.
    """

    line_end: int
    separator: int | None

    @property
    def quoted(self) -> bool:
        """Whether quotation marks mean anything."""
        return self.separator is not None


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records.

    Args:
        content: their bytes, in the file's encoding.
        ends: where each record ends in ``content``, behind its line end.
        quotes: whether there are quotation marks.
        lines: line number of each record's first line.
        next_offset: where the file goes on.
        next_line: number of the line there.
    """

    content: bytes
    ends: Positions
    quotes: bool
    lines: Positions
    next_offset: int
    next_line: int


def line_end_of(file: Path, begins: int) -> int:
    """The byte that ends lines: a carriage return where no line feed follows one in the file's beginning."""
    with file.open("rb") as opened:
        opened.seek(begins)
        head = opened.read(_HEAD_BYTES)
    return CR if b"\r" in head and b"\n" not in head else LF


def blocks(file: Path, item: str, form: Form, place: tuple[int, int], records_max: int) -> Iterator[Block]:
    """Blocks of at most ``records_max`` records and 16 MiB.

    Args:
        file: to be read.
        item: its name, for errors.
        form: how records are written.
        place: offset and line number to begin at; a record begins there.
        records_max: of one block; lines without content count.

    Raises:
        QuoteStray, QuoteOpen: quotation marks do not pair.
    """
    offset, line = place
    with file.open("rb") as opened:
        opened.seek(offset)
        buffer, at_end, wanted = b"", False, _READ_BYTES
        while True:
            while not at_end and len(buffer) < wanted:
                more = opened.read(wanted - len(buffer))
                at_end = not more
                buffer += more
            if not buffer:
                return
            ends = _record_ends(buffer, form, at_end=at_end)
            if len(ends) < records_max and not at_end and len(buffer) < BLOCK_BYTES_MAX:
                wanted = min(BLOCK_BYTES_MAX, len(buffer) + _READ_BYTES // 2)
                continue
            if len(ends) == 0:
                raise QuoteOpen(item, line)
            block = _cut(buffer, ends[:records_max], form, (offset, line), item)
            yield block
            buffer = buffer[len(block.content) :]
            offset, line = block.next_offset, block.next_line
            # Records of a file are of a size: the next block needs about what this one did.
            wanted = min(BLOCK_BYTES_MAX, max(_READ_BYTES // 4, len(block.content) + len(block.content) // 16))


def _record_ends(buffer: bytes, form: Form, *, at_end: bool) -> Positions:
    content = np.frombuffer(buffer, np.uint8)
    ends = np.flatnonzero(content == form.line_end)
    open_at_end = False
    if form.quoted and b'"' in buffer:
        marks = np.flatnonzero(content == QUOTE)
        ends = ends[np.searchsorted(marks, ends) % 2 == 0]
        open_at_end = len(marks) % 2 == 1
    ends = ends + 1
    if at_end and not open_at_end and (len(ends) == 0 or ends[-1] != len(buffer)):
        ends = np.append(ends, len(buffer))  # the last line needs no end
    return ends


def _cut(buffer: bytes, ends: Positions, form: Form, place: tuple[int, int], item: str) -> Block:
    offset, line = place
    content = buffer[: int(ends[-1])]
    quotes = form.quoted and b'"' in content
    bytes_of = np.frombuffer(content, np.uint8)
    if quotes:
        feeds = np.flatnonzero(bytes_of == form.line_end)
        starts = np.concatenate(([0], ends[:-1]))
        lines = line + np.searchsorted(feeds, starts)
        stray = _first_stray(bytes_of, form)
        if stray is not None:
            raise QuoteStray(item, line + int(np.searchsorted(feeds, stray)))
        line_count = len(feeds)
    else:
        lines = line + np.arange(len(ends), dtype=np.int64)
        line_count = len(ends)
    return Block(content, ends, quotes, lines, offset + len(content), line + line_count)


def _first_stray(content: npt.NDArray[np.uint8], form: Form) -> int | None:
    """Where the first quotation mark stands that neither opens a value, closes one, nor is doubled."""
    marks = np.flatnonzero(content == QUOTE)
    opening, closing = marks[0::2], marks[1::2]
    allowed = np.zeros(256, np.bool_)
    allowed[[form.separator or 0, LF, CR, QUOTE]] = True
    before = np.where(opening > 0, content[opening - 1], LF)
    after = np.where(closing + 1 < len(content), content[np.minimum(closing + 1, len(content) - 1)], LF)
    wrong = np.concatenate((opening[~allowed[before]], closing[~allowed[after]]))
    return int(wrong.min()) if len(wrong) else None
