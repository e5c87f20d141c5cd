"""A cohort proof is true only if all of it is: each missing, changed or foreign part is refused under its own code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from consent import proof
from consent.cohort import cohort_key, pad_keys
from consent.cohort_tree import CohortTree
from consent.encoding import to_base64url
from consent.errors import ProofRefused
from consent.ledger_view import CommittedRoot, Standing
from consent.proof import CohortProof, RootProof
from tests.unit.consent.examples import OTHER_TERMS, STUDY, TERMS, Chain, Patient

HOSPITAL, DATASET = "ClevelandMSP", "ClevelandMSP/heart"
PATIENT, STRANGER = Patient(), Patient(2)
GRANT, COMMITMENT = PATIENT.grant(), PATIENT.grant().commitment.hex()


@dataclass
class Round:
    """One round at one hospital: its trees, and the ledger that knows of their roots."""

    number: int
    trees: list[tuple[CommittedRoot, CohortTree]] = field(default_factory=list)

    def commit(self, *, member: bool, opened: int, attempt: int = 1, dataset: str = DATASET) -> Round:
        keys = [sha256(f"{self.number} {attempt} {dataset} {number}".encode()).digest() for number in range(24)]
        keys += [cohort_key(PATIENT.secret, STUDY, self.number)] if member else []
        tree = CohortTree(pad_keys(keys, sha256(dataset.encode()).digest(), "20-49"))
        root = CommittedRoot(attempt, "training", dataset, tree.root.hex(), opened)
        return Round(self.number, [*self.trees, (root, tree)])

    def chain(self, **changed: Any) -> Chain:
        standing = Standing(
            HOSPITAL,
            recorded_block=4,
            recorded_tx="ab" * 32,
            withdrawn_block=20,
            withdrawn_tx="cd" * 32,
            terms=TERMS,
        )
        return Chain(
            {COMMITMENT: replace(standing, **changed)},
            {(HOSPITAL, STUDY, self.number): [root for root, _ in self.trees]},
        )

    def prove(self) -> CohortProof:
        return proof.build_proof(
            GRANT, PATIENT.details(), PATIENT.secret, study=STUDY, round_=self.number, trees=self.trees
        )


BEFORE = Round(1).commit(member=False, opened=10).commit(member=True, opened=12, attempt=2)
AFTER = Round(2).commit(member=False, opened=30).commit(member=False, opened=33, attempt=2)


def refusal(proof_: CohortProof, ledger: Chain) -> str:
    with pytest.raises(ProofRefused) as raised:
        proof.verify_proof(proof_, ledger)
    return raised.value.code


def changed(proof_: CohortProof, **parts: Any) -> CohortProof:
    return msgspec.structs.replace(proof_, **parts)


def test_presence_is_shown_with_its_place() -> None:
    report = proof.verify_proof(BEFORE.prove(), BEFORE.chain())
    assert (report.claim, report.commitment, report.hospital, report.roots) == ("present", COMMITMENT, HOSPITAL, 2)
    assert [(place.attempt, place.kind, place.dataset) for place in report.present_in] == [(2, "training", DATASET)]
    assert report.opened_blocks == (10, 12)


def test_presence_needs_no_withdrawal() -> None:
    assert proof.verify_proof(BEFORE.prove(), BEFORE.chain(withdrawn_block=None)).withdrawn_block is None


@pytest.mark.parametrize(("name", "value"), OTHER_TERMS)
def test_a_ledger_that_recorded_other_terms_makes_the_proof_false(name: str, value: str) -> None:
    for round_ in (BEFORE, AFTER):
        assert refusal(round_.prove(), round_.chain(terms=TERMS._replace(**{name: value}))) == "proof.terms-mismatch"


def test_absence_is_shown_for_all_attempts() -> None:
    report = proof.verify_proof(AFTER.prove(), AFTER.chain())
    assert (report.claim, report.roots, report.present_in, report.withdrawn_block) == ("absent", 2, (), 20)


def test_a_tombstone_shows_absence_as_well() -> None:
    tombstone = AFTER.chain(hospital=None, recorded_block=None, recorded_tx=None)
    assert proof.verify_proof(AFTER.prove(), tombstone).claim == "absent"


def test_a_proof_comes_back_from_its_file() -> None:
    assert proof.read_proof(AFTER.prove().to_bytes()) == AFTER.prove()


def test_another_file_is_refused() -> None:
    data = AFTER.prove().to_bytes()
    for other in (
        b"",
        b"{}",
        data[:-1],
        data + b"\n",
        data.replace(b"proof.v1", b"proof.v2"),
        data.replace(b'"round":2', b'"round":-2'),
    ):
        with pytest.raises(ProofRefused) as raised:
            proof.read_proof(other)
        assert raised.value.code == "proof.malformed"


def test_a_commitment_that_does_not_stand_for_this_hospital_is_refused() -> None:
    assert refusal(AFTER.prove(), replace(AFTER.chain(), standings={})) == "proof.commitment-unknown"
    assert refusal(AFTER.prove(), AFTER.chain(hospital="HungaryMSP")) == "proof.commitment-unknown"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"details": PATIENT.details(ends="2027-03-19")}, "proof.details-mismatch"),
        ({"details": STRANGER.details()}, "proof.details-mismatch"),
        ({"secret": STRANGER.secret.hex()}, "proof.secret-mismatch"),
        ({"statement": to_base64url(STRANGER.grant().statement)}, "proof.details-mismatch"),
        ({"statement": to_base64url(b"nothing")}, "proof.malformed"),
        ({"statement": "Q"}, "proof.malformed"),
        ({"key": to_base64url(STRANGER.grant().key)}, "proof.commitment-unknown"),
        ({"key": to_base64url(b"\x02" + GRANT.key[1:33])}, "proof.malformed"),
        ({"round": 3}, "proof.root-missing"),
        ({"study": "6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c12"}, "proof.root-missing"),
        ({"proofs": ()}, "proof.root-missing"),
        ({"claim": "present"}, "proof.not-present"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_changed_part_is_refused(parts: dict[str, Any], code: str) -> None:
    assert refusal(changed(AFTER.prove(), **parts), AFTER.chain()) == code


def test_someone_elses_details_and_secret_under_my_statement_are_refused() -> None:
    stolen = changed(AFTER.prove(), details=STRANGER.details(), secret=STRANGER.secret.hex())
    assert refusal(stolen, AFTER.chain()) == "proof.details-mismatch"


def test_a_root_left_out_is_found_when_the_patient_was_in_it() -> None:
    """A hospital that hides the attempt which used the record cannot claim absence."""
    whole = BEFORE.prove()
    hidden = changed(whole, claim="absent", proofs=whole.proofs[:1])
    assert refusal(hidden, BEFORE.chain(withdrawn_block=1)) == "proof.root-missing"


def test_a_root_that_was_never_committed_is_refused() -> None:
    whole, more = AFTER.prove(), AFTER.commit(member=False, opened=34, attempt=3).prove()
    assert refusal(more, AFTER.chain()) == "proof.root-extra"
    assert refusal(changed(whole, proofs=whole.proofs + whole.proofs[:1]), AFTER.chain()) == "proof.root-extra"


@pytest.mark.parametrize(
    "parts", [{"attempt": 9}, {"kind": "evaluation"}, {"dataset": "ClevelandMSP/other"}, {"root": "00" * 32}]
)
def test_a_proof_about_another_place_leaves_a_root_unproven(parts: dict[str, Any]) -> None:
    first, *rest = AFTER.prove().proofs
    moved = changed(AFTER.prove(), proofs=(msgspec.structs.replace(first, **parts), *rest))
    assert refusal(moved, AFTER.chain()) == "proof.root-missing"


def test_a_changed_way_down_is_refused() -> None:
    first, *rest = BEFORE.prove().proofs
    assert first.siblings
    for parts in (
        {"siblings": first.siblings[:-1]},
        {"siblings": ("00" * 32, *first.siblings[1:])},
        {"found": None},
        {"found": cohort_key(PATIENT.secret, STUDY, 1).hex()},
    ):
        forged = changed(BEFORE.prove(), proofs=(msgspec.structs.replace(first, **parts), *rest))
        assert refusal(forged, BEFORE.chain()) == "proof.wrong-root"


def test_absence_is_not_shown_where_the_patient_was() -> None:
    assert refusal(changed(BEFORE.prove(), claim="absent"), BEFORE.chain(withdrawn_block=1)) == "proof.not-absent"


@pytest.mark.parametrize("withdrawn", [None, 30, 31, 32, 33, 40])
def test_absence_needs_the_withdrawal_before_every_open(withdrawn: int | None) -> None:
    assert refusal(AFTER.prove(), AFTER.chain(withdrawn_block=withdrawn)) == "proof.withdrawal-late"
    assert proof.verify_proof(AFTER.prove(), AFTER.chain(withdrawn_block=29)).claim == "absent"


def test_a_round_without_a_committed_root_shows_nothing() -> None:
    assert refusal(Round(7).prove(), Round(7).chain()) == "proof.root-missing"


def test_another_tree_cannot_be_proven_about() -> None:
    root, _ = AFTER.trees[0]
    with pytest.raises(ProofRefused, match=r"proof\.wrong-root"):
        RootProof.of(root, CohortTree([]), cohort_key(PATIENT.secret, STUDY, 2))
