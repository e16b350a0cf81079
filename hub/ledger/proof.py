"""Proofs over the tree: that a leaf is in it (RFC 9162 §2.1.3), and that one tree goes on from another (§2.1.4). Pure.

Who verifies takes sizes and roots from signed checkpoints, never from the proof. For one size only one index leads
from a leaf to the root, so an index that came with the proof is bound by the checkpoint's size.
"""

from collections.abc import Sequence
from typing import Final

from hub.ledger.errors import ProofWrong
from hub.ledger.tree import HASH_BYTES, NodeOf, node_hash, range_root, split_at

PATH_MAX: Final = 64


def inclusion_path(index: int, size: int, node_of: NodeOf) -> list[bytes]:
    """PATH(index, D[size]) of RFC 9162 §2.1.3.1: the neighbours from the leaf up to the root.

    Raises:
        ValueError: there is no such leaf in a tree of this size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + split_at(end - first)
        if index < middle:
            path.append(range_root(middle, end, node_of))
            end = middle
        else:
            path.append(range_root(first, middle, node_of))
            first = middle
    return path[::-1]


def consistency_path(earlier: int, size: int, node_of: NodeOf) -> list[bytes]:
    """PROOF(earlier, D[size]) of RFC 9162 §2.1.4.1; empty where the sizes are equal or the earlier one is 0.

    Raises:
        ValueError: the earlier tree is the larger one.
    """
    if not 0 <= earlier <= size:
        raise ValueError(f"a tree of {size} does not go on from one of {earlier}")
    if earlier in {0, size}:
        return []
    path: list[bytes] = []
    first, end, known = 0, size, True  # known: the verifier has the root of D[first:earlier] already
    while earlier != end:
        middle = first + split_at(end - first)
        if earlier <= middle:
            path.append(range_root(middle, end, node_of))
            end = middle
        else:
            path.append(range_root(first, middle, node_of))
            first, known = middle, False
    if not known:
        path.append(range_root(first, end, node_of))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash stands at ``index`` of the tree of ``size`` and ``root`` (RFC 9162 §2.1.3.2).

    Raises:
        ProofWrong: it does not, or the path is no path.
    """
    _check_path(path)
    if not 0 <= index < size:
        raise ProofWrong("序号不在树内", "the index lies outside the tree")
    found = leaf
    for neighbour, on_the_left in zip(path, _sides(index, size - 1, len(path)), strict=True):
        found = node_hash(neighbour, found) if on_the_left else node_hash(found, neighbour)
    if found != root:
        raise ProofWrong("算得的根与检查点不同", "the root it leads to is not the checkpoint's")


def verify_consistency(earlier: int, earlier_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree of ``size`` begins with the tree of ``earlier`` (RFC 9162 §2.1.4.2).

    Raises:
        ProofWrong: it does not, or the path is no path.
    """
    _check_path(path)
    if not 0 <= earlier <= size:
        raise ProofWrong("新树比旧树小", "the later tree is smaller than the earlier one")
    if earlier in {0, size}:
        if path or (earlier == size and earlier_root != root):
            raise ProofWrong("大小相同而根不同", "the sizes are the same and the roots are not")
        return
    steps = list(path)
    if earlier & (earlier - 1) == 0:
        steps.insert(0, earlier_root)
    if not steps:
        raise ProofWrong("路径为空", "the path is empty")
    number, last = earlier - 1, size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = steps[0]
    for step, on_the_left in zip(steps[1:], _sides(number, last, len(steps) - 1), strict=True):
        if on_the_left:
            old, new = node_hash(step, old), node_hash(step, new)
        else:
            new = node_hash(new, step)
    if old != earlier_root or new != root:
        raise ProofWrong("新树不是旧树的延续", "the later tree does not go on from the earlier one")


def _sides(number: int, last: int, steps: int) -> list[bool]:
    """On which side of the way up each neighbour stands, True for left: the loop of §2.1.3.2 and §2.1.4.2.

    Raises:
        ProofWrong: the way up has another number of steps.
    """
    sides: list[bool] = []
    for _ in range(steps):
        if last == 0:
            raise ProofWrong("路径过长", "the path is too long")
        on_the_left = bool(number & 1) or number == last
        sides.append(on_the_left)
        while on_the_left and number and not number & 1:
            number, last = number >> 1, last >> 1
        number, last = number >> 1, last >> 1
    if last != 0:
        raise ProofWrong("路径过短", "the path is too short")
    return sides


def _check_path(path: Sequence[bytes]) -> None:
    if len(path) > PATH_MAX or any(len(one) != HASH_BYTES for one in path):
        raise ProofWrong("路径格式有误", "the path is not one of 32-byte hashes")
