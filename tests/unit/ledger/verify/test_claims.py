"""Receipts and proofs against a verified ledger; the state's layout is taken from the contracts' own records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from consent import canonical
from consent.cohort import cohort_key, pad_keys
from consent.cohort_tree import CohortTree
from consent.errors import ProofRefused
from consent.proof import build_proof
from consent.receipt import LedgerHead, build_receipt
from ledger.contracts import round as rounds
from ledger.contracts.grants import Record
from ledger.contracts.grants import key as consent_key
from ledger.verify import Ledger, VerificationFailed, claims, verify
from ledger.verify.state import State
from tests.unit.consent.examples import OTHER_TERMS, STUDY, Patient
from tests.unit.ledger.verify.forge import Forge

HOSPITAL, DATASET = "ClevelandMSP", "ClevelandMSP/heart"
PATIENT = Patient()


def recorded(forge: Forge) -> str:
    """Record the example patient's grant in the next block; its transaction id."""
    from ledger.protocol.envelope import open_envelope

    evidence, statement = PATIENT.grant(), PATIENT.statement(PATIENT.details())
    sealed = {
        "commitment": evidence.commitment.hex(),
        "hospital": HOSPITAL,
        "text": statement.text,
        "preset": statement.preset,
        "valid_from": statement.valid_from,
        "valid_until": statement.valid_until,
        "attestation": "portal-key",
    }
    data = forge.transact(forge.client("registrar"), "consents:Record", {"grant": sealed}, evidence_json())
    forge.seal(data)
    return open_envelope(data).heading.tx_id


def evidence_json() -> dict[str, str]:
    from consent.encoding import to_base64url

    evidence = PATIENT.grant()
    return {name: to_base64url(getattr(evidence, name)) for name in ("statement", "key", "signature")}


def receipt_file(forge: Forge, path: Path, tx_id: str, **head: Any) -> Path:
    at = {"height": len(forge.blocks), "header_hash": forge.hash.hex(), **head}
    receipt = build_receipt(
        PATIENT.grant(), PATIENT.details(), secret=PATIENT.secret, code=PATIENT.code, tx_id=tx_id, head=LedgerHead(**at)
    )
    path.write_bytes(receipt.to_bytes())
    return path


@pytest.fixture
def shown(forge: Forge, tmp_path: Path) -> tuple[Forge, Path, Path]:
    """A ledger with the patient's grant, its export, and her receipt."""
    file = receipt_file(forge, tmp_path / "receipt.json", recorded(forge))
    return forge, forge.write(tmp_path / "ledger.blocks"), file


def test_a_true_receipt_is_shown_with_its_block(shown: tuple[Forge, Path, Path]) -> None:
    forge, export, file = shown
    found = claims.receipt(file, verify(export, forge.genesis))
    assert found.as_json()["recorded_block"] == 3 and found.as_json()["status"] == "active"
    assert found.sentences[0] == "The receipt is true."
    assert json.dumps(found.as_json()) and found.lines()


def test_a_withdrawal_shows_in_the_receipt(shown: tuple[Forge, Path, Path], tmp_path: Path) -> None:
    forge, _, file = shown
    commitment = {"commitment": PATIENT.grant().commitment.hex()}
    forge.seal(forge.transact(forge.client("registrar"), "consents:WithdrawByRegistrar", commitment))
    found = claims.receipt(file, verify(forge.write(tmp_path / "l"), forge.genesis))
    assert found.as_json()["status"] == "withdrawn" and "withdrawn in block 4" in found.sentences[1]


def test_a_chain_cut_short_against_a_receipt_is_found(shown: tuple[Forge, Path, Path], tmp_path: Path) -> None:
    forge, _, file = shown
    forge.blocks.pop()
    with pytest.raises(ProofRefused) as error:
        claims.receipt(file, verify(forge.write(tmp_path / "l"), forge.genesis))
    assert error.value.code == "receipt.head-mismatch"


def test_a_receipt_of_another_transaction_is_refused(shown: tuple[Forge, Path, Path], tmp_path: Path) -> None:
    forge, export, _ = shown
    other = receipt_file(forge, tmp_path / "other.json", "00" * 32)
    with pytest.raises(ProofRefused) as error:
        claims.receipt(other, verify(export, forge.genesis))
    assert error.value.code == "receipt.transaction-mismatch"


@pytest.mark.parametrize(("content", "code"), [(b"", "verify.file-empty"), (b"{}", "receipt.malformed")])
def test_a_file_that_is_no_receipt_is_named(
    shown: tuple[Forge, Path, Path], tmp_path: Path, content: bytes, code: str
) -> None:
    forge, export, _ = shown
    (tmp_path / "odd").write_bytes(content)
    ledger = verify(export, forge.genesis)
    with pytest.raises((ProofRefused, VerificationFailed)) as error:
        claims.receipt(tmp_path / "odd", ledger)
    assert error.value.code == code
    for path, expected in ((tmp_path, "verify.not-a-file"), (tmp_path / "none", "verify.file-missing")):
        with pytest.raises(VerificationFailed) as error:
            claims.proof(path, ledger)
        assert error.value.code == expected


# proofs: a state as the contracts' own records make it


def ledger_with(honest: Forge, tmp_path: Path, writes: list[tuple[str, Any, int]]) -> Ledger:
    """A ledger object over a state of `writes` (key, record, block)."""
    report = verify(honest.write(tmp_path / "l"), honest.genesis).report
    state, ids = State(), {}
    for place, (key, record, block) in enumerate(writes):
        state.write(key, canonical.encode(record), (block, place))
        ids[block, place] = f"{place:064x}"
    return Ledger(report, state, [bytes(32)], ids)


def attempt(number: int, tries: int, status: str = "open") -> rounds.Round:
    return rounds.Round(
        study=STUDY,
        round=number,
        attempt=tries,
        kind="training",
        status=status,
        opened=1,
        cohort_deadline=2,
        update_deadline=3,
        sites=(),
        base="00" * 32,
        model=None,
        reason=None,
        withdrawals={},
    )


def cohort(number: int, tries: int, root: str | None, hospital: str = HOSPITAL) -> rounds.Cohort:
    return rounds.Cohort(
        study=STUDY,
        round=number,
        attempt=tries,
        hospital=hospital,
        dataset=DATASET,
        version=1,
        root=root,
        bucket=None if root is None else "20-49",
        declined=root is None,
        committed=2,
    )


def grant_writes() -> list[tuple[str, Any, int]]:
    commitment = PATIENT.grant().commitment.hex()
    record = Record(
        commitment=commitment,
        status="active",
        hospital=HOSPITAL,
        text="heart-2026.1",
        preset="heart-disease",
        valid_from="2026-01",
        valid_until="2027-03",
        attestation="portal-key",
        recorded=1,
        withdrawn=None,
        withdrawn_by=None,
    )
    taken_back = replace(record, status="withdrawn", withdrawn=9, withdrawn_by="patient")
    return [(consent_key(commitment), record, 4), (consent_key(commitment), taken_back, 20)]


def tree(number: int, *, member: bool) -> CohortTree:
    keys = [bytes([number, place]) * 16 for place in range(24)]
    keys += [cohort_key(PATIENT.secret, STUDY, number)] if member else []
    return CohortTree(pad_keys(keys, bytes(32), "20-49"))


def test_roots_cover_every_attempt_and_keep_the_block_that_opened_it(honest: Forge, tmp_path: Path) -> None:
    writes = [
        (rounds.round_key(STUDY, 1, 1), attempt(1, 1), 10),
        (rounds.cohort_key(STUDY, 1, 1, HOSPITAL), cohort(1, 1, "aa" * 32), 11),
        (rounds.cohort_key(STUDY, 1, 1, "VaMSP"), cohort(1, 1, "bb" * 32, "VaMSP"), 11),
        (rounds.round_key(STUDY, 1, 1), attempt(1, 1, "aborted"), 12),
        (rounds.round_key(STUDY, 1, 2), attempt(1, 2), 13),
        (rounds.cohort_key(STUDY, 1, 2, HOSPITAL), cohort(1, 2, None), 14),
        (rounds.round_key(STUDY, 10, 1), attempt(10, 1), 15),
        (rounds.cohort_key(STUDY, 10, 1, HOSPITAL), cohort(10, 1, "cc" * 32), 16),
    ]
    view = claims.View(ledger_with(honest, tmp_path, writes))
    found = view.roots(HOSPITAL, STUDY, 1)
    assert [(each.attempt, each.root, each.opened_block) for each in found] == [(1, "aa" * 32, 10)]
    assert [each.root for each in view.roots(HOSPITAL, STUDY, 10)] == ["cc" * 32]
    assert view.roots(HOSPITAL, STUDY, 3) == []
    assert view.standing("00" * 32) is None


def test_presence_before_and_absence_after_a_withdrawal(honest: Forge, tmp_path: Path) -> None:
    trees = {1: tree(1, member=True), 2: tree(2, member=False)}
    writes = grant_writes()[:1]
    writes += [(rounds.round_key(STUDY, 1, 1), attempt(1, 1), 10)]
    writes += [(rounds.cohort_key(STUDY, 1, 1, HOSPITAL), cohort(1, 1, trees[1].root.hex()), 11)]
    writes += grant_writes()[1:]
    writes += [(rounds.round_key(STUDY, 2, 1), attempt(2, 1), 21)]
    writes += [(rounds.cohort_key(STUDY, 2, 1, HOSPITAL), cohort(2, 1, trees[2].root.hex()), 22)]
    ledger = ledger_with(honest, tmp_path, writes)
    view = claims.View(ledger)
    for number, claim in ((1, "present"), (2, "absent")):
        root = view.roots(HOSPITAL, STUDY, number)[0]
        proof = build_proof(
            PATIENT.grant(),
            PATIENT.details(),
            PATIENT.secret,
            study=STUDY,
            round_=number,
            trees=[(root, trees[number])],
        )
        file = tmp_path / f"{claim}.json"
        file.write_bytes(proof.to_bytes())
        found = claims.proof(file, ledger)
        assert found.as_json()["claim"] == claim and found.as_json()["ok"]
        assert json.dumps(found.as_json()) and "The proof is true." in found.lines()


@pytest.mark.parametrize(("name", "value"), OTHER_TERMS)
def test_receipt_and_proof_are_false_where_the_ledger_says_otherwise(
    honest: Forge, tmp_path: Path, name: str, value: str
) -> None:
    """Records that no honest contract would write: what a majority that colludes could."""
    (key, record, block), committed = grant_writes()[0], tree(1, member=True)
    root = committed.root.hex()
    writes = [
        (key, replace(record, **{name: value}), block),
        (rounds.round_key(STUDY, 1, 1), attempt(1, 1), 10),
        (rounds.cohort_key(STUDY, 1, 1, HOSPITAL), cohort(1, 1, root), 11),
    ]
    ledger = ledger_with(honest, tmp_path, writes)
    ledger._hashes *= 30
    receipt = build_receipt(
        PATIENT.grant(),
        PATIENT.details(),
        secret=PATIENT.secret,
        code=PATIENT.code,
        tx_id=f"{0:064x}",
        head=LedgerHead(height=20, header_hash="00" * 32),
    )
    places = claims.View(ledger).roots(HOSPITAL, STUDY, 1)
    proof = build_proof(
        PATIENT.grant(), PATIENT.details(), PATIENT.secret, study=STUDY, round_=1, trees=[(places[0], committed)]
    )
    for made, claim in ((receipt, claims.receipt), (proof, claims.proof)):
        file = tmp_path / f"{made.area}.json"
        file.write_bytes(made.to_bytes())
        with pytest.raises(ProofRefused, match=name) as error:
            claim(file, ledger)
        assert error.value.code == f"{made.area}.terms-mismatch"
