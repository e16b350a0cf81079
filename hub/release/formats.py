"""Representations: which are offered, which one a caller accepts, and how a page is put together in each.

JSON, NDJSON, GeoJSON and CSV are made of what PostgreSQL wrote, as bytes; Parquet and Avro (``columnar``) of values.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from hub.release.errors import FormatNotOffered, QueryWrong

FormatName = Literal["json", "ndjson", "csv", "geojson", "parquet", "avro"]
Form = Literal["json", "feature", "text", "typed"]


@dataclass(frozen=True, slots=True)
class Format:
    """One representation.

    Args:
        name: for ``?format=``.
        media_type: for ``Accept`` and ``Content-Type``.
        form: what a row's statement shows (``shaped``).
    """

    name: FormatName
    media_type: str
    form: Form

    @property
    def content_type(self) -> str:
        """With its charset where it is text without one of its own."""
        return f"{self.media_type}; charset=utf-8; header=present" if self.name == "csv" else self.media_type


JSON: Final = Format("json", "application/json", "json")
FORMATS: Final = (
    JSON,
    Format("geojson", "application/geo+json", "feature"),
    Format("ndjson", "application/x-ndjson", "json"),
    Format("csv", "text/csv", "text"),
    Format("parquet", "application/vnd.apache.parquet", "typed"),
    Format("avro", "application/avro", "typed"),
)
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
ACCEPT_CHARACTERS_MAX: Final = 1_000
_QUALITY: Final = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


@lru_cache(1_000)  # a caller accepts the same each time
def chosen_format(accept: str, named: str | None, formats: tuple[Format, ...] = FORMATS) -> Format:
    """The representation of an answer: the one named, else the one best accepted (RFC 9110 §12.5.1).

    Raises:
        FormatNotOffered: listing what there is.
    """
    if named is not None:
        found = next((one for one in formats if one.name == named), None)
        if found is None:
            raise FormatNotOffered(offered=offered(formats))
        return found
    if not accept.strip():
        return formats[0]
    weights = [(_weight(accept, one.media_type), one) for one in formats]
    best = max(weight for weight, _ in weights)
    if best <= 0:
        raise FormatNotOffered(offered=offered(formats))
    return next(one for weight, one in weights if weight == best)


def offered(formats: Sequence[Format]) -> str:
    """What there is, for people."""
    return ", ".join(f"{one.name} ({one.media_type})" for one in formats)


def _weight(accept: str, media_type: str) -> float:
    """The quality of the most specific range that names the type; 0 where none does."""
    kind = media_type.partition("/")[0]
    ranks = {media_type: 3, f"{kind}/*": 2, "*/*": 1}
    found, rank = 0.0, 0
    for item in accept[:ACCEPT_CHARACTERS_MAX].split(","):
        given, *parameters = item.split(";")
        specific = ranks.get(given.strip().lower(), 0)
        if specific > rank:
            qualities = [match[1] for one in parameters if (match := _QUALITY.fullmatch(one))]
            found, rank = float(qualities[0]) if qualities else 1.0, specific
    return found


def for_spreadsheet(purpose: str | None, chosen: Format) -> bool:
    """Whether a CSV is opened by people: ``?for=spreadsheet``.

    Raises:
        QueryWrong: another value, or another format.
    """
    if purpose is None:
        return False
    if purpose != "spreadsheet" or chosen.name != "csv":
        raise QueryWrong("for", "只能是 spreadsheet,且只用于 csv", "it may only be spreadsheet, and only of csv")
    return True


# Putting together ----------------------------------------------------------------------------------------------------


def json_page(records: Sequence[bytes], members: Mapping[str, Any]) -> bytes:
    """A page as JSON; ``members`` stand after the records."""
    tail = _JSON(members)[1:].encode()
    return b'{"records":[' + b",".join(records) + b"]," + tail


def ndjson_page(records: Sequence[bytes]) -> bytes:
    """A record a line."""
    return b"".join([record + b"\n" for record in records])


def geojson_page(features: Sequence[bytes], members: Mapping[str, Any]) -> bytes:
    """RFC 7946, longitude first."""
    tail = _JSON(members)[1:].encode()
    return b'{"type":"FeatureCollection","features":[' + b",".join(features) + b"]," + tail


_QUOTED: Final = re.compile(rb'[",\r\n]')
# What a spreadsheet takes for a formula (security: OWASP's list and the full-width forms).
_FORMULA: Final = tuple(sign.encode() for sign in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
_BOM: Final = b"\xef\xbb\xbf"


def csv_page(
    names: Sequence[str], records: Sequence[Sequence[bytes | None]], texts: Sequence[bool], *, spreadsheet: bool
) -> bytes:
    """RFC 4180 with a header. No value is an empty cell, an empty text is ``""``, as PostgreSQL writes it.

    Args:
        names: of the columns.
        records: their values in text form.
        texts: which columns are texts; only these can hold a formula.
        spreadsheet: for people to open: a byte order mark, and ``'`` before what would be taken for a formula. Else the
            bytes are the values, and a program reads back what was stored.
    """
    lines = [",".join(names).encode()]
    for record in records:
        cells = zip(record, texts, strict=True)
        lines.append(b",".join([_cell(value, guarded=spreadsheet and text) for value, text in cells]))
    return (_BOM if spreadsheet else b"") + b"".join([line + b"\r\n" for line in lines])


def _cell(value: bytes | None, *, guarded: bool) -> bytes:
    if value is None:
        return b""
    if guarded and value.startswith(_FORMULA):
        value = b"'" + value
    if not value or _QUOTED.search(value):
        return b'"' + value.replace(b'"', b'""') + b'"'
    return value
