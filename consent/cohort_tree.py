"""Compact sparse Merkle trees over 32-byte keys: who was in a cohort, and who was not.

A key's place in the tree is its own bits, and leaves, nodes and emptiness hash apart, so under one root a key has
exactly one provable answer, whoever built the tree. A proof's length tells the tree's size roughly, and `found` may be
another key of the cohort: pad to the bucket before building.

    >>> tree = CohortTree(bytes([n]) * 32 for n in (1, 3, 5))
    >>> proof = tree.prove(bytes([4]) * 32)
    >>> proof.verify(tree.root), proof.present
    (None, False)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from consent.errors import ConsentError, ProofRefused

EMPTY = bytes(32)  # no leaf or node hashes to this
BITS = 256
KEY_BYTES = BITS // 8


@dataclass(frozen=True, slots=True)
class Proof:
    """The way down to where `key` belongs: `siblings` from the root on, then `found`, the key standing there.

    `siblings`: at most 256 hashes of 32 bytes; `found`: None where nothing stands. Nothing is shown before `verify`.
    """

    key: bytes
    siblings: tuple[bytes, ...]
    found: bytes | None

    @property
    def present(self) -> bool:
        return self.found == self.key

    def verify(self, root: bytes) -> None:
        """Return quietly, or raise ProofRefused `proof.malformed`, `proof.wrong-root`: then `present` means nothing."""
        parts = (self.key, *self.siblings, *([] if self.found is None else [self.found]))
        if len(self.siblings) > BITS or any(len(part) != KEY_BYTES for part in parts):
            raise ProofRefused("proof.malformed", "a proof has at most 256 siblings, and every part is 32 bytes")
        node = EMPTY if self.found is None else leaf_hash(self.found)
        for depth in reversed(range(len(self.siblings))):
            sibling = self.siblings[depth]
            node = node_hash(sibling, node) if bit(self.key, depth) else node_hash(node, sibling)
        if node != root:
            raise ProofRefused("proof.wrong-root", "this proof belongs to another tree")


class CohortTree:
    """The tree over `keys` (32 bytes each, uniformly distributed; duplicates count once). Building is O(n log n).

    Raises ConsentError `cohort.key-malformed` for a key of another length.
    """

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys = sorted(set(keys))
        if any(len(key) != KEY_BYTES for key in self._keys):
            raise ConsentError("cohort.key-malformed", "every key of a cohort has 32 bytes: derive it with cohort_key")
        self._places = [int.from_bytes(key) for key in self._keys]  # as numbers: quicker to split
        self._nodes: dict[tuple[int, int, int], bytes] = {}  # (depth, first, last) -> hash
        self.root = self._hash(0, 0, len(self._keys))

    def prove(self, key: bytes) -> Proof:
        """The proof that `key` (32 bytes) is, or is not, in this tree: `Proof.present` says which."""
        siblings: list[bytes] = []
        first, last = 0, len(self._keys)
        while last - first > 1:
            depth = len(siblings)
            middle = self._split(depth, first, last)
            near, far = (first, middle), (middle, last)
            if bit(key, depth):
                near, far = far, near
            siblings.append(self._hash(depth + 1, *far))
            first, last = near
        return Proof(key, tuple(siblings), self._keys[first] if first < last else None)

    def _hash(self, depth: int, first: int, last: int) -> bytes:
        if last == first:
            return EMPTY
        if last - first == 1:
            return leaf_hash(self._keys[first])
        node = self._nodes.get((depth, first, last))
        if node is None:
            middle = self._split(depth, first, last)
            node = node_hash(self._hash(depth + 1, first, middle), self._hash(depth + 1, middle, last))
            self._nodes[depth, first, last] = node
        return node

    def _split(self, depth: int, first: int, last: int) -> int:
        """Where the keys with bit `depth` set begin among keys[first:last], which agree on all bits before."""
        below = BITS - 1 - depth
        return bisect_left(self._places, (self._places[first] >> below | 1) << below, first, last)


def leaf_hash(key: bytes) -> bytes:
    return sha256(b"\x00" + key).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def bit(key: bytes, depth: int) -> int:
    """Bit number `depth` of `key`, the highest first."""
    return key[depth // 8] >> (7 - depth % 8) & 1
