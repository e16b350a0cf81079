"""What a GeoJSON file says of its coordinate system, read without the file.

RFC 7946 knows one system, WGS 84 in longitude, latitude. Files written before it, and by many programs since, have a
member ``crs``. GDAL takes a name it does not know, and ``null``, for WGS 84 without a word, and may follow a link over
the network; so the member is read here, from the beginning or the end of the file, where it stands beside ``features``.
"""

import json
import re
from pathlib import Path
from typing import BinaryIO, cast

from connectors.sources.errors import ItemTruncated, ItemUnreadable
from connectors.sources.spatial_errors import CoordinateSystemMissing, CoordinateSystemUnusable

RFC7946 = "OGC:CRS84"
_LOOK_BYTES = 1 << 16
_MEMBER = re.compile(r'"crs"\s*:\s*(?=null|\{)')
_FEATURES_END = re.compile(r"\}\s*\]")


def declared_system(file: Path) -> str:
    """The name of the coordinate system, WGS 84 where the file says nothing.

    Raises:
        ItemTruncated: the file does not end as JSON does.
        ItemUnreadable: it does not begin as JSON does.
        CoordinateSystemMissing: ``"crs": null``, which says "unknown".
        CoordinateSystemUnusable: a link, or a form nobody uses.
    """
    with file.open("rb") as stream:
        start, end = _both_ends(stream)
    if not start.lstrip("\ufeff \t\r\n").startswith("{"):
        raise ItemUnreadable(file.name, "它不是 GeoJSON(应以“{”开头)", "it is no GeoJSON, which begins with {")
    if not end.rstrip().endswith("}"):
        raise ItemTruncated(file.name, file.name)
    return _system(file.name, start.split('"features"', 1)[0], _after_features(end))


def _both_ends(stream: BinaryIO) -> tuple[str, str]:
    start = stream.read(_LOOK_BYTES)
    stream.seek(0, 2)
    stream.seek(max(0, stream.tell() - _LOOK_BYTES))
    return start.decode("utf-8", "replace"), stream.read().decode("utf-8", "replace")


def _after_features(end: str) -> str:
    """What follows the array of features; nothing where there is none, as the beginning has been looked at then."""
    ends = list(_FEATURES_END.finditer(end))
    return end[ends[-1].end() :] if ends else ""


def _system(item: str, *places: str) -> str:
    for place in places:
        found = _MEMBER.search(place)
        if found is not None:
            return _name(item, json.JSONDecoder().raw_decode(place, found.end())[0])
    return RFC7946


def _name(item: str, member: object) -> str:
    if member is None:
        raise CoordinateSystemMissing(item)
    parts = cast("dict[str, object]", member)
    properties = parts.get("properties")
    if parts.get("type") == "name" and isinstance(properties, dict):
        return str(cast("dict[str, object]", properties).get("name"))
    raise CoordinateSystemUnusable(item, f"crs.type = {parts.get('type')}")
