"""A proof is true only whole: whatever a hospital leaves out, adds, turns round or garbles, it shows nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import proof, receipt
from consent.cohort import cohort_key, pad_keys
from consent.cohort_tree import CohortTree
from consent.errors import ProofRefused
from consent.ledger_view import CommittedRoot, LedgerView, Standing
from consent.proof import CohortProof
from consent.receipt import LedgerHead
from tests.unit.consent.examples import STUDY, TERMS, Chain, Patient

MANY = settings(max_examples=1_000 if os.environ.get("COVENANT_SOAK") == "1" else 50, print_blob=True)
PATIENT, HOSPITAL = Patient(), "ClevelandMSP"
GRANT, COMMITMENT = PATIENT.grant(), PATIENT.grant().commitment.hex()
KEY = cohort_key(PATIENT.secret, STUDY, 1)
OTHERS = [sha256(bytes([number])).digest() for number in range(24)]


@dataclass(frozen=True)
class Attempt:
    """What happened in one attempt: was the patient in its cohort, and which block opened it."""

    member: bool
    opened: int


attempts = st.lists(st.builds(Attempt, st.booleans(), st.integers(5, 50)), min_size=1, max_size=4)
withdrawals = st.none() | st.integers(4, 50)


def world(history: list[Attempt], withdrawn: int | None) -> tuple[CohortProof, Chain]:
    trees = []
    for number, attempt in enumerate(history, start=1):
        seed = sha256(f"attempt {number}".encode()).digest()
        tree = CohortTree(pad_keys(OTHERS + [KEY] * attempt.member, seed, "20-49"))
        trees.append((CommittedRoot(number, "training", f"{HOSPITAL}/heart", tree.root.hex(), attempt.opened), tree))
    made = proof.build_proof(GRANT, PATIENT.details(), PATIENT.secret, study=STUDY, round_=1, trees=trees)
    standing = Standing(
        HOSPITAL, 4, "ab" * 32, withdrawn, None if withdrawn is None else "cd" * 32, TERMS, "portal-key"
    )
    headers = [f"{number:064x}" for number in range(60)]
    return made, Chain({COMMITMENT: standing}, {(HOSPITAL, STUDY, 1): [root for root, _ in trees]}, headers)


def shows(made: CohortProof, ledger: LedgerView) -> bool:
    try:
        proof.verify_proof(made, ledger)
    except ProofRefused:
        return False
    return True


@MANY
@given(attempts, withdrawals)
def test_a_proof_shows_what_happened_and_nothing_else(history: list[Attempt], withdrawn: int | None) -> None:
    made, ledger = world(history, withdrawn)
    used = any(attempt.member for attempt in history)
    before_all = withdrawn is not None and all(withdrawn < attempt.opened for attempt in history)
    assert made.claim == ("present" if used else "absent")
    assert shows(msgspec.structs.replace(made, claim="present"), ledger) == used
    assert shows(msgspec.structs.replace(made, claim="absent"), ledger) == (not used and before_all)


@MANY
@given(attempts, st.data())
def test_nothing_can_be_left_out_or_repeated(history: list[Attempt], data: st.DataObject) -> None:
    made, ledger = world(history, withdrawn=4)
    chosen = data.draw(st.lists(st.sampled_from(made.proofs), max_size=5))
    whole = sorted(one.place for one in chosen) == [one.place for one in made.proofs]
    claim = data.draw(st.sampled_from(["present", "absent"]))
    partial = msgspec.structs.replace(made, proofs=tuple(chosen), claim=claim)
    assert shows(partial, ledger) == (whole and claim == made.claim)


@MANY
@given(attempts, st.data())
def test_a_file_with_one_changed_byte_shows_nothing(history: list[Attempt], data: st.DataObject) -> None:
    made, ledger = world(history, withdrawn=4)
    kept = receipt.build_receipt(
        GRANT,
        PATIENT.details(),
        secret=PATIENT.secret,
        code=PATIENT.code,
        tx_id="ab" * 32,
        head=LedgerHead(height=55, header_hash=ledger.headers[54]),
    )
    receipt.verify_receipt(receipt.read_receipt(kept.to_bytes()), ledger)
    for file in (made.to_bytes(), kept.to_bytes()):
        place, bit = data.draw(st.integers(0, len(file) - 1)), data.draw(st.integers(0, 7))
        garbled = file[:place] + bytes([file[place] ^ 1 << bit]) + file[place + 1 :]
        with pytest.raises(ProofRefused):
            if file == made.to_bytes():
                proof.verify_proof(proof.read_proof(garbled), ledger)
            else:
                receipt.verify_receipt(receipt.read_receipt(garbled), ledger)
