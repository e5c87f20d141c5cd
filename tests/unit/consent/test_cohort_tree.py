"""The law: under one root each key has exactly one provable answer, whoever built the tree."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from consent.cohort_tree import EMPTY, CohortTree, Proof, leaf_hash, node_hash
from consent.errors import ConsentError, ProofRefused

KEYS = [sha256(bytes([number])).digest() for number in range(49)]
TREE = CohortTree(KEYS)
MEMBER, STRANGER = KEYS[7], sha256(b"stranger").digest()


def test_the_empty_tree_and_the_tree_of_one() -> None:
    assert CohortTree([]).root == EMPTY
    assert CohortTree([MEMBER]).root == leaf_hash(MEMBER)
    absent = CohortTree([]).prove(MEMBER)
    absent.verify(EMPTY)
    assert not absent.present
    elsewhere = CohortTree([MEMBER]).prove(STRANGER)
    elsewhere.verify(leaf_hash(MEMBER))
    assert not elsewhere.present
    assert elsewhere.found == MEMBER


def test_order_and_repetition_change_nothing() -> None:
    assert CohortTree([*reversed(KEYS), *KEYS]).root == TREE.root


def test_keys_that_agree_on_255_bits_are_told_apart() -> None:
    one, other = bytes(32), bytes(31) + b"\x01"
    tree = CohortTree([one, other])
    proof = tree.prove(other)
    proof.verify(tree.root)
    assert proof.present
    assert len(proof.siblings) == 256
    assert tree.root == _chain(node_hash(leaf_hash(one), leaf_hash(other)), 255)


def _chain(node: bytes, depth: int) -> bytes:
    for _ in range(depth):
        node = node_hash(node, EMPTY)
    return node


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)], ids=repr)
def test_keys_of_another_length_are_refused(key: bytes) -> None:
    with pytest.raises(ConsentError) as refusal:
        CohortTree([MEMBER, key])
    assert refusal.value.code == "cohort.key-malformed"


@pytest.mark.parametrize(
    "malformed",
    [
        Proof(MEMBER[:-1], (), None),
        Proof(MEMBER, (), b""),
        Proof(MEMBER, (b"short",), None),
        Proof(MEMBER, (EMPTY,) * 257, None),
    ],
)
def test_a_malformed_proof_is_refused(malformed: Proof) -> None:
    with pytest.raises(ProofRefused) as refusal:
        malformed.verify(TREE.root)
    assert refusal.value.code == "proof.malformed"


def test_a_proof_belongs_to_its_own_tree() -> None:
    with pytest.raises(ProofRefused) as refusal:
        TREE.prove(MEMBER).verify(CohortTree(KEYS[1:]).root)
    assert refusal.value.code == "proof.wrong-root"


def test_a_proof_for_one_key_is_none_for_another() -> None:
    """Under a tree of one the answer for any key is that one leaf; in a larger tree the path is the key's own."""
    true = TREE.prove(MEMBER)
    side = bytes([MEMBER[0] ^ 0x80]) + MEMBER[1:]
    with pytest.raises(ProofRefused):
        replace(true, key=side).verify(TREE.root)


def test_a_node_cannot_be_passed_off_as_a_key() -> None:
    """Leaves and nodes hash apart: the concatenation of two children is no key, and no key hashes to a node."""
    left, right = TREE.prove(bytes(32)), TREE.prove(b"\xff" * 32)
    forged = Proof(STRANGER, (), node_hash(left.siblings[0], right.siblings[0]))
    with pytest.raises(ProofRefused):
        forged.verify(TREE.root)


def test_a_key_out_of_its_place_cannot_be_proven() -> None:
    """A dishonest builder who puts two keys under each other's bits can prove neither."""
    low, high = bytes(32), b"\xff" * 32
    swapped = node_hash(leaf_hash(high), leaf_hash(low))  # each under the other's bit
    for key in (low, high):
        with pytest.raises(ProofRefused):
            Proof(key, (leaf_hash(low if key == high else high),), key).verify(swapped)
