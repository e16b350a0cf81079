"""Cursors: where a page ended, sealed (SM4-GCM) so that nobody reads the key values in it or makes up others.

A cursor holds the order's values of the last record, bound to caller, dataset, query and instant. Another caller's,
another query's, a forged one and one that is too old are refused in the same words. It says nothing of what may be
released: the next page is decided anew.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hub.release.errors import CursorWrong
from schemas.national.errors import SealBroken
from schemas.national.provider import CryptoProvider

TERM: Final = timedelta(hours=24)
_VERSION: Final = 1
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended.

    Args:
        values: of the order's fields of the last record, as PostgreSQL writes them as text; None for NULL.
        instant: the records are those of this moment; None for the newest.
        count: what was told of the matches, so that later pages say the same; None where nothing was.
    """

    values: tuple[str | None, ...]
    instant: datetime | None
    count: int | None


class Cursors:
    """Seals and opens cursors under one key; none is good for longer than the term."""

    def __init__(self, provider: CryptoProvider, key: bytes, term: timedelta = TERM) -> None:
        self._provider = provider
        self._key = key
        self._term = term

    def seal(self, place: Place, caller: str, digest: str, now: datetime) -> str:
        """A cursor for one caller and one query."""
        content = [
            _VERSION,
            int(now.timestamp()),
            list(place.values),
            None if place.instant is None else place.instant.astimezone(UTC).isoformat(),
            place.count,
        ]
        sealed = self._provider.aead_seal(self._key, _JSON(content).encode(), _context(caller, digest))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, cursor: str, caller: str, digest: str, now: datetime) -> Place:
        """The place a cursor holds.

        Raises:
            CursorWrong: it was not made for this caller and query by this hub, or too long ago.
        """
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            content: list[Any] = json.loads(self._provider.aead_open(self._key, sealed, _context(caller, digest)))
        except (SealBroken, binascii.Error, ValueError):
            raise CursorWrong from None
        version, made_at, values, instant, count = content
        age = now - datetime.fromtimestamp(made_at, UTC)
        if version != _VERSION or not -self._term < age < self._term:
            raise CursorWrong
        return Place(tuple(values), None if instant is None else datetime.fromisoformat(instant), count)


def _context(caller: str, digest: str) -> bytes:
    return f"cursor\x1f{caller}\x1f{digest}".encode()
