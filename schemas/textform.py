"""The text form of records: one way to write a value as text, for keys, quarantine, digests and comparisons.

Dates and timestamps are ISO 8601, timestamps always with six digits of a second; decimals plain with their scale;
booleans ``true``/``false``; bytes and geometry (EWKB) hexadecimal in lower case; arrays JSON; floats the shortest
text that reads back the same. The hub compares contents by this form, so it must never depend on a library's mood.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

KEY_BYTES_MAX: Final = 1_000  # indexes take 2,704 bytes of a row at most, and an entry holds more than the key
KEY_SEPARATOR = "\x1f"  # cannot stand in a value: control characters are rejected


def text_of(value: object) -> str | None:
    """One value in text form; None stays None."""
    if value is None or isinstance(value, str):
        return value
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return str(value)


def _array(values: Sequence[object]) -> str:
    return json.dumps([text_of(value) for value in values], ensure_ascii=False, separators=(",", ":"))


# In this order: a bool is an int, a datetime is a date, and bytes are a sequence.
_WRITERS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (bool, lambda value: "true" if value else "false"),
    (float, repr),
    (datetime, lambda value: value.isoformat(sep="T", timespec="microseconds")),
    (date, date.isoformat),
    (Decimal, lambda value: format(value, "f")),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).hex()),
    (Sequence, _array),
)


def key_text(values: Sequence[object]) -> str | None:
    """The key as one text, its parts joined by U+001F; None where a part is missing."""
    parts = [text_of(value) for value in values]
    return None if any(part is None for part in parts) else KEY_SEPARATOR.join(str(part) for part in parts)


def canonical(record: Mapping[str, str | None]) -> bytes:
    """RFC 8785 for the flat text records the hub compares: sorted names, no spaces, UTF-8; missing values left out.

    Leaving None out makes a record written under an older version of its contract equal to the same record
    under a newer one that only added fields.
    """
    present = {name: value for name, value in record.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def record_digest(record: Mapping[str, str | None]) -> str:
    """SM3 of the canonical form, hexadecimal: the record's commitment in quarantine and after erasure."""
    return hashlib.new("sm3", canonical(record)).hexdigest()
