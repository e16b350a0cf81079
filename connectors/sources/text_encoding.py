"""Which encoding a text file is in: proved by reading all of it, never guessed from its beginning."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from connectors.sources.file_errors import EncodingForeign, EncodingUnreadable

Wanted = Literal["auto", "utf-8", "gb18030"]
_READ_BYTES: Final = 4 * 1024 * 1024
_FOREIGN: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding, and where text begins behind a byte order mark."""

    name: Literal["utf-8", "gb18030"]
    begins: int

    def to_utf8(self, block: bytes) -> bytes:
        """Whole characters of this encoding as UTF-8."""
        return block if self.name == "utf-8" else block.decode("gb18030").encode()


def encoding_of(file: Path, item: str, wanted: Wanted) -> Encoding:
    """The encoding of a file: by its byte order mark, else UTF-8 if all of it is, else GB18030 if all of it is.

    Raises:
        EncodingForeign: UTF-16 or UTF-32.
        EncodingUnreadable: neither; the first byte that is no UTF-8, or of the encoding that is wanted, is named.
    """
    with file.open("rb") as opened:
        head = opened.read(4)
    for mark, name in _FOREIGN:
        if head.startswith(mark):
            raise EncodingForeign(item, name)
    if _looks_like_utf16(head):
        raise EncodingForeign(item, "UTF-16")
    if head.startswith(codecs.BOM_UTF8):
        return _proved(file, item, "utf-8", len(codecs.BOM_UTF8))
    if wanted != "auto":
        return _proved(file, item, wanted, 0)
    wrong = _first_wrong(file, "utf-8", 0)
    if wrong is None:
        return Encoding("utf-8", 0)
    further = _first_wrong(file, "gb18030", 0)
    if further is None:
        return Encoding("gb18030", 0)
    # What was read further is what the file was meant to be.
    raise EncodingUnreadable(item, "UTF-8 / GB18030", *max(wrong, further))


def _proved(file: Path, item: str, name: Literal["utf-8", "gb18030"], begins: int) -> Encoding:
    wrong = _first_wrong(file, name, begins)
    if wrong is not None:
        raise EncodingUnreadable(item, name.upper(), *wrong)
    return Encoding(name, begins)


def _looks_like_utf16(head: bytes) -> bool:
    """Every other byte zero: Latin text in UTF-16 without its mark; UTF-8 has no such beginning."""
    return len(head) == 4 and (head[0::2] == b"\0\0") != (head[1::2] == b"\0\0")  # noqa: PLR2004 - two units


def _first_wrong(file: Path, name: str, begins: int) -> tuple[int, int] | None:
    """Offset and line of the first byte that cannot be read; None where all can."""
    decoder = codecs.getincrementaldecoder(name)("strict")
    offset, lines = begins, 1
    for block in _blocks(file, begins):
        if name == "utf-8" and block.isascii() and not decoder.getstate()[0]:
            lines, offset = lines + _lines_in(block), offset + len(block)
            continue
        kept = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as wrong:
            # The decoder counts from the bytes it had kept of the block before.
            at = max(0, wrong.start - kept)
            return offset - kept + wrong.start, lines + _lines_in(block[:at])
        lines, offset = lines + _lines_in(block), offset + len(block)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return offset - len(decoder.getstate()[0]), lines
    return None


def _lines_in(block: bytes) -> int:
    feeds = block.count(b"\n")
    return feeds or block.count(b"\r")


def _blocks(file: Path, begins: int) -> Iterator[bytes]:
    with file.open("rb") as opened:
        opened.seek(begins)
        while block := opened.read(_READ_BYTES):
            yield block
