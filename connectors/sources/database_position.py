"""Where reading a table goes on: what a run reads up to, and the last row read.

Values keep their types through JSON: a watermark that came back as text would be compared as text.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from connectors.sources.errors import PositionUnreadable

Value = bool | int | float | str | bytes | Decimal | datetime | date | UUID

# Looked up by the exact type: a bool is an int, and a datetime a date.
_WRITE: Mapping[type, tuple[str, Callable[[Any], str]]] = {
    bool: ("bool", lambda value: "true" if value else "false"),
    int: ("int", str),
    float: ("float", float.hex),
    str: ("str", str),
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    Decimal: ("decimal", str),
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    UUID: ("uuid", str),
}
_READ: Mapping[str, Callable[[str], Value]] = {
    "bool": lambda text: text == "true",
    "int": int,
    "float": float.fromhex,
    "str": str,
    "bytes": base64.b64decode,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "uuid": UUID,
}


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands.

    Args:
        rows: how many the run has read.
        after: watermark (if there is one) and key of the last row read; None when the run has read all its rows.
        top: the highest watermark when the run began; the run reads no further. None without a watermark.
        seen_at: when that was first the highest, in seconds since 1970.
        settled: whether the whole lag has passed between then and the reading: nothing can come late below ``top``.
    """

    rows: int
    after: tuple[Value, ...] | None
    top: Value | None = None
    seen_at: float = 0.0
    settled: bool = False

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "rows": self.rows,
                "after": None if self.after is None else [_written(value) for value in self.after],
                "top": None if self.top is None else _written(self.top),
                "seen_at": self.seen_at,
                "settled": self.settled,
            },
            ensure_ascii=False,
        )


def parse_position(item: str, text: str) -> Position:
    """Read a position back.

    Raises:
        PositionUnreadable: it is not one.
    """
    try:
        parts = json.loads(text)
        after, top = parts["after"], parts["top"]
        return Position(
            int(parts["rows"]),
            None if after is None else tuple(_value(one) for one in after),
            None if top is None else _value(top),
            float(parts["seen_at"]),
            bool(parts["settled"]),
        )
    except (ValueError, KeyError, TypeError, ArithmeticError) as problem:
        raise PositionUnreadable(item) from problem


def storable(value: object) -> bool:
    """Whether a value can be part of a position."""
    return type(value) in _WRITE


def _written(value: Value) -> list[str]:
    kind, write = _WRITE[type(value)]
    return [kind, write(value)]


def _value(pair: list[str]) -> Value:
    kind, text = pair
    return _READ[kind](text)
