"""The Merkle tree of RFC 9162 §2.1 with SM3, kept as tiles. Pure: no I/O.

leaf = SM3(0x00 ‖ record), node = SM3(0x01 ‖ left ‖ right), MTH({}) = SM3(""), split at the largest power of two below
the size. The last leaf is never doubled.

A tile (level, number) holds the hashes of complete subtrees of 256^level leaves, from 256 · number on, 256 at most.
Tiles only grow, so what is stored for a large tree serves every smaller one. Hashes between two tile levels are made
from a tile, at most 255 nodes.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
LEVELS_MAX: Final = 8  # of tiles: 2^64 leaves
EMPTY_ROOT: Final = bytes.fromhex("1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b")  # SM3("")

Place = tuple[int, int]  # of a tile: (level, number)
NodeOf = Callable[[int, int], bytes]  # hash of the complete subtree of 2^level leaves that begins at index * 2^level


def leaf_hash(record: bytes) -> bytes:
    """SM3(0x00 ‖ record)."""
    return hashlib.new("sm3", b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SM3(0x01 ‖ left ‖ right)."""
    return hashlib.new("sm3", b"\x01" + left + right).digest()


def leaf_hashes(records: Iterable[bytes | memoryview]) -> list[bytes]:
    """Of many records. A copied hash object is a third faster than one looked up by name each time."""
    start = hashlib.new("sm3", b"\x00")
    hashes: list[bytes] = []
    for record in records:
        one = start.copy()
        one.update(record)
        hashes.append(one.digest())
    return hashes


def fold(hashes: list[bytes]) -> bytes:
    """The root over a power of two of neighbouring hashes."""
    start = hashlib.new("sm3")
    while len(hashes) > 1:
        above: list[bytes] = []
        for at in range(0, len(hashes), 2):
            one = start.copy()
            one.update(b"\x01" + hashes[at] + hashes[at + 1])
            above.append(one.digest())
        hashes = above
    return hashes[0]


def split(hashes: bytes) -> list[bytes]:
    """Concatenated hashes, one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def node_from_tile(tile: bytes, level: int, index: int) -> bytes:
    """The node (level, index) of the whole tree from the tile that spans it."""
    height = level % TILE_HEIGHT
    first = ((index << height) % TILE_WIDTH) * HASH_BYTES
    return fold(split(tile[first : first + (HASH_BYTES << height)]))


def place_of(level: int, index: int) -> Place:
    """The tile that spans a node."""
    return level // TILE_HEIGHT, (index << (level % TILE_HEIGHT)) // TILE_WIDTH


def edge_of(size: int) -> list[Place]:
    """The tiles that are begun and not full in a tree of this size: what is needed to go on from it."""
    places: list[Place] = []
    for level in range(LEVELS_MAX):
        count = size >> (TILE_HEIGHT * level)
        if count % TILE_WIDTH:
            places.append((level, count // TILE_WIDTH))
    return places


def range_root(first: int, end: int, node_of: NodeOf) -> bytes:
    """MTH(D[first:end]) where ``first`` is where a subtree of RFC 9162 begins; of nothing, SM3("")."""
    count = end - first
    if count == 0:
        return EMPTY_ROOT
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node_of(level, first >> level)
    middle = first + split_at(count)
    return node_hash(range_root(first, middle, node_of), range_root(middle, end, node_of))


def split_at(count: int) -> int:
    """The largest power of two below ``count``; ``count`` is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


class Tree:
    """A tree that grows, holding only its right edge: at most eight unfinished tiles."""

    def __init__(self, size: int = 0, edge: Mapping[Place, bytes] | None = None) -> None:
        """Go on from a size, with the tiles ``edge_of(size)`` names.

        Raises:
            ValueError: a tile is missing or holds fewer hashes than the size says.
        """
        self.size = size
        self._open: list[list[bytes]] = [[] for _ in range(LEVELS_MAX)]
        for level, number in edge_of(size):
            count = (size >> (TILE_HEIGHT * level)) % TILE_WIDTH
            hashes = split((edge or {}).get((level, number), b"")[: count * HASH_BYTES])
            if len(hashes) != count:
                raise ValueError(f"tile {level}/{number} has {len(hashes)} hashes, a tree of {size} needs {count}")
            self._open[level] = hashes

    def extend(self, hashes: list[bytes]) -> dict[Place, bytes]:
        """Add leaf hashes; the tiles that changed, whole."""
        changed: dict[Place, bytes] = {}
        self._extend(0, hashes, changed)
        self.size += len(hashes)
        return changed

    def root(self) -> bytes:
        """MTH of all leaves so far."""
        # From the small subtrees at the right end upwards: the set bits of the size, the lowest first.
        root: bytes | None = None
        for level, hashes in enumerate(self._open):
            end = len(hashes)
            for height in range(TILE_HEIGHT):
                if (self.size >> (TILE_HEIGHT * level + height)) & 1:
                    subtree = fold(hashes[end - (1 << height) : end])
                    end -= 1 << height
                    root = subtree if root is None else node_hash(subtree, root)
        return EMPTY_ROOT if root is None else root

    def _extend(self, level: int, hashes: list[bytes], changed: dict[Place, bytes]) -> None:
        held = self._open[level]
        number = (self.size >> (TILE_HEIGHT * level)) // TILE_WIDTH
        at, full = 0, list[bytes]()
        while at < len(hashes):
            taken = hashes[at : at + TILE_WIDTH - len(held)]
            at += len(taken)
            held.extend(taken)
            changed[level, number] = b"".join(held)
            if len(held) == TILE_WIDTH:
                full.append(fold(held))
                held = self._open[level] = []
                number += 1
        if full:
            self._extend(level + 1, full, changed)
