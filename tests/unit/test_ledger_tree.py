import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.ledger import tree
from hub.ledger.errors import ProofWrong
from hub.ledger.proof import consistency_path, inclusion_path, verify_consistency, verify_inclusion
from hub.ledger.tree import EMPTY_ROOT, Tree, edge_of, leaf_hash, leaf_hashes, node_from_tile, node_hash, place_of

SIZES = st.one_of(st.integers(0, 70), st.sampled_from([255, 256, 257, 511, 512, 513, 700]))


def records(size: int) -> list[bytes]:
    return [f"record {number}".encode() for number in range(size)]


def recursive_root(hashes: list[bytes]) -> bytes:
    """MTH as RFC 9162 §2.1.1 defines it."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(recursive_root(hashes[:k]), recursive_root(hashes[k:]))


class Grown:
    """A tree grown in steps of any size, and its tiles."""

    def __init__(self, size: int, steps: list[int] | None = None) -> None:
        self.hashes = leaf_hashes(records(size))
        self.tree = Tree()
        self.tiles: dict[tuple[int, int], bytes] = {}
        ends = sorted({min(step, size) for step in steps or []} | {size})
        for first, end in zip([0, *ends], ends, strict=False):
            self.tiles |= self.tree.extend(self.hashes[first:end])

    def node(self, level: int, index: int) -> bytes:
        return node_from_tile(self.tiles[place_of(level, index)], level, index)

    def root(self, size: int) -> bytes:
        return tree.range_root(0, size, self.node)


def test_the_root_of_nothing_is_the_digest_of_nothing():
    assert Tree().root() == EMPTY_ROOT == recursive_root([])


def test_a_leaf_and_a_node_are_hashed_under_different_prefixes():
    assert leaf_hash(b"a") == leaf_hashes([b"a"])[0] != node_hash(b"", b"a")


@given(SIZES, st.lists(st.integers(0, 700), max_size=5))
def test_the_incremental_root_is_the_recursive_one(size: int, steps: list[int]):
    grown = Grown(size, steps)
    assert grown.tree.root() == recursive_root(grown.hashes)
    assert grown.root(size) == grown.tree.root()


@given(SIZES, st.data())
def test_tiles_of_a_large_tree_serve_every_smaller_one(size: int, data: st.DataObject):
    grown = Grown(size)
    smaller = data.draw(st.integers(0, size))
    assert grown.root(smaller) == recursive_root(grown.hashes[:smaller])


@given(SIZES, st.integers(0, 300))
def test_a_tree_goes_on_from_its_edge(size: int, more: int):
    whole = Grown(size + more)
    first = Grown(size)
    again = Tree(size, {place: first.tiles[place] for place in edge_of(size)})
    assert again.root() == first.tree.root()
    again.extend(whole.hashes[size:])
    assert again.root() == whole.tree.root()


def test_a_tree_over_three_levels_of_tiles_has_the_recursive_root():
    grown = Grown(65_536 + 257, [1, 40_000, 65_536])
    assert grown.tree.root() == recursive_root(grown.hashes)
    assert {level for level, _ in grown.tiles} == {0, 1, 2}
    for index in (0, 65_535, 65_536, 65_792):
        path = inclusion_path(index, grown.tree.size, grown.node)
        verify_inclusion(grown.hashes[index], index, grown.tree.size, path, grown.tree.root())


def test_an_edge_that_is_not_whole_is_refused():
    with pytest.raises(ValueError, match="a tree of 300 needs 44"):
        Tree(300, {(1, 0): Grown(300).tiles[1, 0]})


@given(st.integers(1, 300), st.data())
def test_every_leaf_is_proven_and_only_at_its_own_index(size: int, data: st.DataObject):
    grown = Grown(size)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, grown.node)
    verify_inclusion(grown.hashes[index], index, size, path, grown.root(size))
    for other in {0, 1, index - 1, index + 1, index ^ 1, size - 1, size, size * 2} - {index}:
        with pytest.raises(ProofWrong):
            verify_inclusion(grown.hashes[index], other, size, path, grown.root(size))


def test_a_proof_holds_at_no_other_index_of_its_tree_and_for_no_other_size():
    grown = Grown(23)
    for index in range(23):
        path = inclusion_path(index, 23, grown.node)
        holds: list[tuple[int, int]] = []
        for other in range(24):
            for size in (22, 23, 24):
                try:
                    verify_inclusion(grown.hashes[index], other, size, path, grown.root(min(size, 23)))
                except ProofWrong:
                    continue
                holds.append((other, size))
        # Of another size only with the root of 23: which is why the size is taken from the signed text.
        assert (index, 23) in holds
        assert [one for one in holds if one[1] == 23] == [(index, 23)]


@given(st.integers(1, 300), st.data())
def test_a_changed_path_or_leaf_proves_nothing(size: int, data: st.DataObject):
    grown = Grown(size)
    index = data.draw(st.integers(0, size - 1))
    path, root = inclusion_path(index, size, grown.node), grown.root(size)
    with pytest.raises(ProofWrong):
        verify_inclusion(leaf_hash(b"other"), index, size, path, root)
    with pytest.raises(ProofWrong):
        verify_inclusion(grown.hashes[index], index, size, [*path, root], root)
    if path:
        with pytest.raises(ProofWrong):
            verify_inclusion(grown.hashes[index], index, size, path[:-1], root)
        at = data.draw(st.integers(0, len(path) - 1))
        flipped = bytes([path[at][0] ^ 1]) + path[at][1:]
        with pytest.raises(ProofWrong):
            verify_inclusion(grown.hashes[index], index, size, [*path[:at], flipped, *path[at + 1 :]], root)


@given(SIZES, st.data())
def test_a_grown_tree_is_proven_to_go_on_from_every_earlier_one(size: int, data: st.DataObject):
    grown = Grown(size)
    earlier = data.draw(st.integers(0, size))
    path = consistency_path(earlier, size, grown.node)
    verify_consistency(earlier, grown.root(earlier), size, grown.root(size), path)


@given(st.integers(2, 300), st.data())
def test_a_tree_with_another_past_is_not_consistent(size: int, data: st.DataObject):
    grown = Grown(size)
    earlier = data.draw(st.integers(1, size))
    path = consistency_path(earlier, size, grown.node)
    with pytest.raises(ProofWrong):
        verify_consistency(earlier, leaf_hash(b"another past"), size, grown.root(size), path)
    with pytest.raises(ProofWrong):
        verify_consistency(earlier, grown.root(earlier), size, leaf_hash(b"another present"), path)
    with pytest.raises(ProofWrong):
        verify_consistency(size + 1, grown.root(size), size, grown.root(size), [])
    if path:
        with pytest.raises(ProofWrong):
            verify_consistency(earlier, grown.root(earlier), size, grown.root(size), path[:-1])


@settings(max_examples=30)
@given(st.integers(1, 10**18), st.data())
def test_a_proof_reads_no_more_tiles_than_the_tree_is_high(size: int, data: st.DataObject):
    asked: set[tuple[int, int]] = set()

    def node(level: int, index: int) -> bytes:
        asked.add(place_of(level, index))
        return bytes(32)

    index = data.draw(st.integers(0, size - 1))
    assert len(inclusion_path(index, size, node)) <= 60
    # A tile on the way up and one at the right edge for each level.
    assert len(asked) <= 2 * 8


def test_sealing_in_memory_keeps_the_order():
    shuffled = random.Random(1).sample(range(40), 40)
    hashes = leaf_hashes([bytes([one]) for one in shuffled])
    grown = Tree()
    grown.extend(hashes)
    assert grown.root() == recursive_root(hashes) != recursive_root(hashes[::-1])
