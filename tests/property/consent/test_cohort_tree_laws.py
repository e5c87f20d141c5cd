"""The law: under one root each key has exactly one provable answer, whoever built the tree."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consent.cohort_tree import EMPTY, CohortTree, Proof, leaf_hash, node_hash
from consent.errors import ProofRefused

MANY = settings(max_examples=3_000 if os.environ.get("COVENANT_SOAK") == "1" else 100, print_blob=True)

keys = st.binary(min_size=32, max_size=32)
close = st.integers(0, 255).map(lambda number: bytes(31) + bytes([number]))  # keys that share 248 bits
cohorts = st.sets(keys | close, max_size=60)


@MANY
@given(cohorts, keys | close)
def test_what_is_proven_is_what_is_so(members: set[bytes], key: bytes) -> None:
    tree = CohortTree(members)
    for candidate in members | {key}:
        proof = tree.prove(candidate)
        proof.verify(tree.root)
        assert proof.present == (candidate in members)


@MANY
@given(cohorts.filter(bool), st.data())
def test_a_member_cannot_be_proven_absent(members: set[bytes], data: st.DataObject) -> None:
    tree, key = CohortTree(members), data.draw(st.sampled_from(sorted(members)))
    true = tree.prove(key)
    found = data.draw(st.sampled_from([None, *sorted(members - {key})]) | keys.filter(lambda other: other != key))
    forged = Proof(key, true.siblings[: data.draw(st.integers(0, len(true.siblings)))], found)
    with pytest.raises(ProofRefused):
        forged.verify(tree.root)


@MANY
@given(cohorts, keys | close, st.data())
def test_a_stranger_cannot_be_proven_present(members: set[bytes], key: bytes, data: st.DataObject) -> None:
    assume(key not in members)
    tree = CohortTree(members)
    lent = tree.prove(data.draw(st.sampled_from(sorted(members)))) if members else tree.prove(key)
    for siblings in (tree.prove(key).siblings, lent.siblings, lent.siblings + (EMPTY,), lent.siblings[:-1]):
        with pytest.raises(ProofRefused):
            Proof(key, siblings, key).verify(tree.root)


@MANY
@given(cohorts.filter(lambda members: len(members) > 1), st.data())
def test_one_changed_bit_is_found(members: set[bytes], data: st.DataObject) -> None:
    tree, key = CohortTree(members), data.draw(st.sampled_from(sorted(members)))
    proof = tree.prove(key)
    place, bit = data.draw(st.integers(0, len(proof.siblings) - 1)), data.draw(st.integers(0, 255))
    sibling = bytearray(proof.siblings[place])
    sibling[bit // 8] ^= 1 << bit % 8
    forged = replace(proof, siblings=(*proof.siblings[:place], bytes(sibling), *proof.siblings[place + 1 :]))
    with pytest.raises(ProofRefused):
        forged.verify(tree.root)


@MANY
@given(cohorts, st.randoms(use_true_random=False))
def test_the_root_depends_on_the_keys_alone(members: set[bytes], order: object) -> None:
    shuffled = sorted(members) * 2
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert CohortTree(shuffled).root == CohortTree(members).root


@MANY
@given(cohorts, cohorts)
def test_other_cohorts_have_other_roots(one: set[bytes], other: set[bytes]) -> None:
    assert (CohortTree(one).root == CohortTree(other).root) == (one == other)


class DishonestTree:
    """Any tree at all: leaves wherever the builder likes, of whatever keys, the same key in several places."""

    def __init__(self, shape: object) -> None:
        self.shape = shape

    def hash(self, shape: object) -> bytes:
        if shape is None:
            return EMPTY
        if isinstance(shape, bytes):
            return leaf_hash(shape)
        left, right = shape  # type: ignore[misc]
        return node_hash(self.hash(left), self.hash(right))

    def answer(self, key: bytes) -> Proof:
        """The one way down along the key's own bits: all that a prover of this tree can offer."""
        siblings: list[bytes] = []
        shape = self.shape
        while isinstance(shape, tuple):
            right = key[len(siblings) // 8] >> (7 - len(siblings) % 8) & 1
            siblings.append(self.hash(shape[1 - right]))
            shape = shape[right]
        return Proof(key, tuple(siblings), shape)  # type: ignore[arg-type]


shapes = st.recursive(st.none() | keys, lambda inner: st.tuples(inner, inner), max_leaves=30)


@MANY
@given(shapes, keys, st.data())
def test_even_a_dishonest_builder_has_one_answer_for_a_key(shape: object, key: bytes, data: st.DataObject) -> None:
    tree = DishonestTree(shape)
    root, true = tree.hash(shape), tree.answer(key)
    true.verify(root)
    depth = data.draw(st.integers(0, len(true.siblings) + 2))
    siblings = (*true.siblings, EMPTY, EMPTY)[:depth]
    found = data.draw(st.none() | st.just(key) | st.just(true.found) | keys)
    other = Proof(key, siblings, found)
    assume(other != true)
    with pytest.raises(ProofRefused):
        other.verify(root)
