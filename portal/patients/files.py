"""The files a patient takes away: receipt, acknowledgement, proof of being in a round or of not being in it.

Each is checked offline with `covenant receipt verify` and `covenant proof verify`, against an export of the ledger.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop

from consent.cohort import pad_keys
from consent.cohort_tree import CohortTree
from consent.grant import Evidence
from consent.ledger_view import CommittedRoot
from consent.proof import build_proof
from consent.receipt import LedgerHead, build_receipt
from ledger.gateway import GatewayError
from portal import ledger
from portal.errors import PortalError
from portal.patients import proofs, selectors
from portal.patients.models import Cohort, Grant


def receipt(grant: Grant) -> bytes:
    """The receipt of a recorded grant, resting on the ledger's newest block.

    Raises PortalError `patients.not-recorded` while the grant is pending; LedgerUnavailable.
    """
    if grant.recorded_block is None:
        raise PortalError(
            "patients.not-recorded", gettext_noop("your receipt is ready when your consent is recorded: try again soon")
        )
    made = build_receipt(
        evidence(grant),
        grant.opened(),
        secret=bytes(grant.secret),
        code=bytes(grant.code),
        tx_id=grant.tx_id,
        head=head(),
    )
    return made.to_bytes()


def proof(grant: Grant, study: str, round_: int) -> bytes:
    """What this hospital committed about the patient behind `grant` in a round: in it, or not, as the trees show.

    Raises PortalError `patients.no-round` where this hospital committed nothing, `patients.cohort-lost` where a
    restored store no longer holds a cohort that stands on the ledger.
    """
    committed = selectors.committed_roots(study, round_)
    if not committed:
        raise PortalError("patients.no-round", gettext_noop("this hospital took no part in that round"))
    cohorts = {cohort.root: cohort for cohort in Cohort.objects.filter(study=study, round=round_, lost=False)}
    if any(root.root not in cohorts for root in committed):
        raise PortalError(
            "patients.cohort-lost",
            gettext_noop("this hospital no longer holds that round's list, so it cannot prove it"),
        )
    trees: list[tuple[CommittedRoot, CohortTree]] = [(root, tree(cohorts[root.root])) for root in committed]
    made = build_proof(evidence(grant), grant.opened(), bytes(grant.secret), study=study, round_=round_, trees=trees)
    return made.to_bytes()


def tree(cohort: Cohort) -> CohortTree:
    """The tree whose root stands on the ledger: the cohort's keys and its padding."""
    keys = [bytes(key) for key in cohort.entries.values_list("key", flat=True)]
    return CohortTree(pad_keys(keys, bytes(cohort.seed or b""), cohort.bucket))


def evidence(grant: Grant) -> Evidence:
    signature = proofs.read(bytes(grant.signature))
    assert not isinstance(signature, proofs.ByCode)
    return Evidence(bytes(grant.statement), grant.point, signature)


def head() -> LedgerHead:
    """The ledger's height (number of blocks) and the hash of its newest header."""
    try:
        newest = ledger.gateway(ledger.reader()).head()
    except GatewayError as error:
        raise ledger.unavailable(error, "head", ledger.reader()) from error
    return LedgerHead(height=newest.height, header_hash=newest.hash.hex())
