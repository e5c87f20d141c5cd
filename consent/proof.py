"""A patient's proof of having been in a round's cohorts, or of not having been, checked offline against the ledger.

It shows what was committed, not what a dishonest trainer read. It speaks for the one grant whose secret it opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from consent import canonical, grant
from consent.cohort import cohort_key
from consent.cohort_tree import BITS, CohortTree, Proof
from consent.encoding import Hex32, to_base64url
from consent.errors import ProofRefused
from consent.ledger_view import CommittedRoot, Kind, LedgerView, Standing
from consent.opening import Opening

Claim = Literal["present", "absent"]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", description="a UUID, lower case")]
Number = Annotated[int, Meta(ge=0, lt=2**32)]


class RootProof(canonical.Document, frozen=True, kw_only=True):
    """The way down one committed tree; the key is not written: it follows from the secret."""

    attempt: Number
    kind: Kind
    dataset: str
    root: Hex32
    found: Hex32 | None
    siblings: Annotated[tuple[Hex32, ...], Meta(max_length=BITS)]

    @classmethod
    def of(cls, committed: CommittedRoot, tree: CohortTree, key: bytes) -> RootProof:
        """The proof about `key` (32 bytes) under one root; raises ProofRefused `proof.wrong-root` for another tree."""
        if tree.root.hex() != committed.root:
            raise ProofRefused("proof.wrong-root", "this is not the tree that was committed", dataset=committed.dataset)
        proof = tree.prove(key)
        return cls(
            attempt=committed.attempt,
            kind=committed.kind,
            dataset=committed.dataset,
            root=committed.root,
            found=None if proof.found is None else proof.found.hex(),
            siblings=tuple(sibling.hex() for sibling in proof.siblings),
        )

    @property
    def place(self) -> Place:
        return Place(self.attempt, self.kind, self.dataset, self.root)

    def shows_presence(self, key: bytes) -> bool:
        """Whether `key` stands under the root; raises ProofRefused `proof.wrong-root`."""
        found = None if self.found is None else bytes.fromhex(self.found)
        proof = Proof(key, tuple(bytes.fromhex(sibling) for sibling in self.siblings), found)
        proof.verify(bytes.fromhex(self.root))
        return proof.present


class CohortProof(Opening, frozen=True, kw_only=True):
    """The proof file: what a patient shows. It opens the details and the secret to whoever reads it."""

    area: ClassVar[str] = "proof"

    format: Literal["covenant.cohort-proof.v1"] = "covenant.cohort-proof.v1"
    claim: Claim
    study: Uuid
    round: Number
    proofs: tuple[RootProof, ...]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a root was committed: one place has one proof."""

    attempt: int
    kind: Kind
    dataset: str
    root: str


@dataclass(frozen=True, slots=True)
class ProofReport:
    """What a proof has shown. `present_in`: the places where the patient stands; `roots`: how many were checked.

    `withdrawn_block`: None where the grant is not withdrawn. `opened_blocks`: of the attempts proven about, in order.
    """

    claim: Claim
    commitment: str
    hospital: str
    study: str
    round: int
    roots: int
    present_in: tuple[Place, ...]
    withdrawn_block: int | None
    opened_blocks: tuple[int, ...]


def build_proof(
    evidence: grant.Evidence,
    details: grant.Details,
    secret: bytes,
    *,
    study: str,
    round_: int,
    trees: Iterable[tuple[CommittedRoot, CohortTree]],
) -> CohortProof:
    """The proof about the patient behind `evidence` and every tree of the round; it claims what the trees show.

    `trees`: every root that the hospital committed for (`study`, `round_`), each with its tree (padding included).
    Raises ProofRefused `proof.wrong-root`, ConsentError `cohort.key-malformed`.
    """
    key = cohort_key(secret, study, round_)
    proofs = tuple(sorted((RootProof.of(root, tree, key) for root, tree in trees), key=lambda proof: proof.place))
    return CohortProof(
        claim="present" if any(proof.shows_presence(key) for proof in proofs) else "absent",
        statement=to_base64url(evidence.statement),
        key=to_base64url(evidence.key),
        details=details,
        secret=secret.hex(),
        study=study,
        round=round_,
        proofs=proofs,
    )


def read_proof(data: bytes) -> CohortProof:
    """The proof in the file's bytes; raises ProofRefused `proof.malformed`."""
    return CohortProof.read(data)


def verify_proof(proof: CohortProof, ledger: LedgerView) -> ProofReport:
    """Return what `proof` has shown, or raise ProofRefused; then it has shown nothing.

    Codes, in the order of the checks: `proof.malformed`, `proof.details-mismatch`, `proof.secret-mismatch`,
    `proof.commitment-unknown`, `proof.terms-mismatch` (the ledger has another text, preset or months than were
    signed), `proof.root-missing` (a committed root without a proof), `proof.root-extra`, `proof.wrong-root`,
    `proof.not-present`, `proof.not-absent`, `proof.withdrawal-late`.
    """
    statement, commitment = proof.opened()
    standing = _require_standing(ledger.standing(commitment), statement.hospital)
    proof.check_terms(statement, standing)
    roots = ledger.roots(statement.hospital, proof.study, proof.round)
    _check_places(proof.proofs, roots)
    key = proof.well_formed(lambda: cohort_key(bytes.fromhex(proof.secret), proof.study, proof.round))
    present_in = tuple(sorted(one.place for one in proof.proofs if one.shows_presence(key)))
    opened = tuple(sorted({root.opened_block for root in roots}))
    if proof.claim == "present" and not present_in:
        raise ProofRefused("proof.not-present", "this patient was in no cohort of this round")
    if proof.claim == "absent":
        _check_absence(present_in, standing, opened)
    return ProofReport(
        claim=proof.claim,
        commitment=commitment,
        hospital=statement.hospital,
        study=proof.study,
        round=proof.round,
        roots=len(roots),
        present_in=present_in,
        withdrawn_block=standing.withdrawn_block,
        opened_blocks=opened,
    )


def _require_standing(standing: Standing | None, hospital: str) -> Standing:
    """What stands on the ledger, for this hospital; a tombstone names none, and the opened statement does."""
    if standing is None or standing.hospital not in {hospital, None}:
        raise ProofRefused("proof.commitment-unknown", "no such grant stands on this ledger for this hospital")
    return standing


def _check_places(proofs: Sequence[RootProof], roots: Sequence[CommittedRoot]) -> None:
    committed = {Place(root.attempt, root.kind, root.dataset, root.root) for root in roots}
    proven = {proof.place for proof in proofs}
    if not committed:
        raise ProofRefused("proof.root-missing", "this hospital committed no cohort in this round")
    if missing := committed - proven:
        message = "this hospital committed more than the proof speaks about: ask it for the whole proof"
        raise ProofRefused("proof.root-missing", message, places=sorted(missing))
    if proven - committed or len(proofs) != len(proven):
        raise ProofRefused("proof.root-extra", "this hospital did not commit each of these roots once")


def _check_absence(present_in: Sequence[Place], standing: Standing, opened: Sequence[int]) -> None:
    if present_in:
        raise ProofRefused("proof.not-absent", "this patient was in a cohort of this round", places=list(present_in))
    if standing.withdrawn_block is None or standing.withdrawn_block >= min(opened):
        raise ProofRefused("proof.withdrawal-late", "no withdrawal stands in a block before the round was opened")
