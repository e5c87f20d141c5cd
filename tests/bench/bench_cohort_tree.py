"""The cohort tree: 100,000 keys to a root, and one proof, in seconds of one core."""

from __future__ import annotations

import sys
import time
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from consent.cohort_tree import CohortTree, leaf_hash, node_hash
from tests.bench.claims import claim

KEYS, PROOFS = 100_000, 1_000


def main() -> None:
    keys = [sha256(number.to_bytes(4)).digest() for number in range(KEYS)]
    started = time.process_time()
    tree = CohortTree(keys)
    build = time.process_time() - started

    started = time.process_time()  # the hashes that no tree of so many keys can do without
    leaves = [leaf_hash(key) for key in keys]
    for left, right in zip(leaves, leaves[1:], strict=False):
        node_hash(left, right)
    floor = time.process_time() - started
    print(
        f"cohort tree, {KEYS:,} keys to the root: {build:.3f} s of one core "
        f"(baseline its hashes alone: {floor:.3f} s, ratio {build / floor:.1f})"
    )
    claim("cohort tree of 100,000 keys", build, "CPU s", at_most=0.5, baseline=("its hashes alone", floor))

    started = time.process_time()
    proofs = [tree.prove(key) for key in keys[:PROOFS]]
    prove = (time.process_time() - started) / PROOFS
    started = time.process_time()
    for proof in proofs:
        proof.verify(tree.root)
    verify = (time.process_time() - started) / PROOFS
    depth = max(len(proof.siblings) for proof in proofs)
    print(
        f"cohort proof, deepest of {depth} siblings: {prove * 1e6:.0f} us "
        f"(baseline verifying it: {verify * 1e6:.0f} us, ratio {prove / verify:.1f})"
    )


if __name__ == "__main__":
    main()
