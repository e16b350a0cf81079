"""How deep an EWKB nests, found out without recursion: the library that reads it follows nesting on the C stack.

A multi-geometry inside a multi-geometry inside … of 900 KB ends the process that reads it. Contracts allow one level:
points, lines or polygons in their multi-geometry.
"""

import struct
from typing import Final

# Nine bytes a level: shorter values cannot nest deep enough to do harm, and almost all are shorter.
HARMLESS_BYTES_MAX: Final = 32 * 1024
_HEADER_BYTES, _COUNT_BYTES, _SRID_BYTES, _NUMBER_BYTES = 5, 4, 4, 8
_HAS_Z, _HAS_M, _HAS_SRID, _FLAGS = 0x80000000, 0x40000000, 0x20000000, 0xE0000000
_POINT, _LINE, _POLYGON = 1, 2, 3
_SINGLE_OF: Final = {4: _POINT, 5: _LINE, 6: _POLYGON}


def is_flat(value: bytes) -> bool:
    """Whether it is one geometry or a multi-geometry of single ones; False also where it is cut off."""
    try:
        kind, dimensions, at, order = _header(value, 0)
        if kind in _SINGLE_OF.values():
            return True
        if kind not in _SINGLE_OF:
            return False
        parts = _count(value, at, order)
        at += _COUNT_BYTES
        for _ in range(parts):
            part, dimensions, at, order = _header(value, at)
            if part != _SINGLE_OF[kind]:
                return False
            at = _after(value, part, dimensions, at, order)
    except struct.error:
        return False
    return at <= len(value)


def _header(value: bytes, at: int) -> tuple[int, int, int, str]:
    """Type, numbers a position, where the content begins, byte order."""
    order = "<" if value[at : at + 1] == b"\x01" else ">"
    word: int = struct.unpack_from(f"{order}I", value, at + 1)[0]
    iso, kind = divmod(word & ~_FLAGS, 1_000)  # ISO adds 1000 for Z, 2000 for M, 3000 for both
    dimensions = 2 + (bool(word & _HAS_Z) or iso in {1, 3}) + (bool(word & _HAS_M) or iso in {2, 3})
    return kind, dimensions, at + _HEADER_BYTES + (_SRID_BYTES if word & _HAS_SRID else 0), order


def _count(value: bytes, at: int, order: str) -> int:
    return struct.unpack_from(f"{order}I", value, at)[0]


def _after(value: bytes, kind: int, dimensions: int, at: int, order: str) -> int:
    """Where a single geometry's content ends."""
    position = dimensions * _NUMBER_BYTES
    if kind == _POINT:
        return at + position
    if kind == _LINE:
        return at + _COUNT_BYTES + _count(value, at, order) * position
    rings = _count(value, at, order)
    at += _COUNT_BYTES
    for _ in range(rings):
        at += _COUNT_BYTES + _count(value, at, order) * position
    return at
