"""What must not, or should not, stand in any text: control characters, and private-use characters.

Private-use characters (U+E000–F8FF and planes 15 and 16) are how rare characters of names were written before GB 18030
had them; they are kept and flagged, so that someone replaces them.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from schemas.text_bytes import joined_bytes

_CONTROL = r"[\x00-\x1f\x7f-\x{9F}]"
_PRIVATE_USE = r"[\x{E000}-\x{F8FF}\x{F0000}-\x{FFFFD}\x{100000}-\x{10FFFD}]"
_SPACE, _DELETE = 0x20, 0x7F
# First bytes in UTF-8 of private-use characters and of few others.
_LEADS = (0xEE, 0xF3, 0xF4)
_LEAD_C2 = 0xC2  # of U+0080–00BF, among them the C1 control characters
_LEAD_EF, _AFTER_EF_LEAST, _AFTER_EF_MOST = 0xEF, 0xA0, 0xA3


def unclean_text(column: pl.Series) -> Iterator[tuple[str, Literal["reject", "flag"], pl.Series]]:
    """Failures of one column, as (code, severity, mask); looks at characters only where a byte gives cause."""
    texts = _texts(column)
    if texts is None:
        return
    data = joined_bytes(texts)
    if len(data) == 0:
        return
    if data.min() < _SPACE or (data == _DELETE).any() or (data == _LEAD_C2).any():
        yield "control_character", "reject", _contains(column, _CONTROL)
    if data.max() >= _LEADS[0] and _may_be_private(data):
        yield "private_use_character", "flag", _contains(column, _PRIVATE_USE)


def _texts(column: pl.Series) -> pl.Series | None:
    """All texts of a column, also those in arrays; None where it holds none."""
    while isinstance(column.dtype, pl.List):
        column = column.explode()
    return column if column.dtype == pl.String else None


def _may_be_private(data: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> bool:
    if any(bool((data == lead).any()) for lead in _LEADS):
        return True
    after = data[1:][data[:-1] == _LEAD_EF]
    return bool(((after >= _AFTER_EF_LEAST) & (after <= _AFTER_EF_MOST)).any())


def _contains(column: pl.Series, pattern: str) -> pl.Series:
    if not isinstance(column.dtype, pl.List):
        return column.str.contains(pattern).fill_null(value=False)
    items = pl.DataFrame({"row": pl.int_range(len(column), eager=True), "text": column})
    while isinstance(items.schema["text"], pl.List):
        items = items.explode("text")
    rows = items.filter(pl.col("text").str.contains(pattern))["row"]
    return pl.int_range(len(column), eager=True).is_in(rows.implode())
