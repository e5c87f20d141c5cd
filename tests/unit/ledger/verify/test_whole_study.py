"""A whole study on a real embedded ledger, from founding to release, verified from its export alone.

Every contract is replayed here without transient data; a patient's receipt and proofs are judged on what was exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consent.cohort import cohort_key, pad_keys
from consent.cohort_tree import CohortTree
from consent.encoding import to_base64url
from consent.errors import ProofRefused
from consent.proof import build_proof
from consent.receipt import LedgerHead, build_receipt
from ledger.contracts.sealed import batched
from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.errors import Refused
from ledger.identity.ca import Authority
from ledger.verify import Ledger, claims, export, verify
from tests.contract.world import HOSPITALS, INSTITUTE, World
from tests.contract.world import Patient as Neighbour
from tests.support.doors import Doors
from tests.unit.consent.examples import Patient

HOME, PATIENT = HOSPITALS[0], Patient()
EVIDENCE = PATIENT.grant(hospital=HOME)


@dataclass
class Story:
    """What happened, and the files that tell of it."""

    ledger: Ledger
    receipt: Path
    proofs: dict[str, Path]


def commit_tree(world: World, study: Any, number: int, keys: list[bytes]) -> CohortTree:
    """The home hospital's cohort of `keys` and others, padded; committed with its true root."""
    others = [bytes([number, place]) * 16 for place in range(60)]
    tree = CohortTree(pad_keys([*others, *keys], bytes([number]) * 32, "50-99"))
    world.commit(HOME, study, number, root=tree.root.hex(), bucket="50-99")
    return tree


def round_with(world: World, study: Any, number: int, keys: list[bytes]) -> CohortTree:
    world.open(study, number)
    tree = commit_tree(world, study, number, keys)
    for hospital in HOSPITALS[1:3]:
        world.commit(hospital, study, number)
    world.decline(HOSPITALS[3], study, number)
    for hospital in world.runner("Fix", study, number)["sites"]:
        world.site(hospital, "Update", study, number, update=f"{number:064x}")
    world.runner("Close", study, number, model=f"{number + 100:064x}")
    return tree


def withdraw(world: World) -> None:
    shown = {"statement": to_base64url(EVIDENCE.statement), "key": to_base64url(EVIDENCE.key)}
    evidence = {**shown, "signature": None, "code": to_base64url(PATIENT.code)}
    arguments = {"commitment": EVIDENCE.commitment.hex(), "by": "code"}
    world.ledger.submit(f"{HOSPITALS[2]}.site", "consents:Withdraw", arguments, evidence)


def record(world: World) -> str:
    """The patient's grant, and her neighbours' in a batch; the transaction that recorded hers."""
    batch = sorted((Neighbour().grant() for _ in range(30)), key=lambda each: each.commitment)
    arguments, evidence = batched(each.sealed() for each in batch), [each.evidence() for each in batch]
    world.ledger.submit(f"{HOME}.registrar", "consents:RecordBatch", arguments, evidence)
    statement = PATIENT.statement(PATIENT.details(), hospital=HOME)
    names = ("hospital", "text", "preset", "valid_from", "valid_until")
    sealed = {"commitment": EVIDENCE.commitment.hex(), "attestation": "portal-key"}
    sealed |= {name: getattr(statement, name) for name in names}
    shown = {name: to_base64url(getattr(EVIDENCE, name)) for name in ("statement", "key", "signature")}
    world.ledger.submit(f"{HOME}.registrar", "consents:Record", {"grant": sealed}, shown)
    return str(world.ledger.last.tx_id)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    home = tmp_path_factory.mktemp("study")
    authorities = {msp: Authority.create(msp, f"ca.{msp}") for msp in (*HOSPITALS, INSTITUTE)}
    genesis = create(home / "ledger", authorities, HOSPITALS, [INSTITUTE])
    with Process.start(home / "ledger") as process:
        doors = Doors(home / "ledger", authorities, process)
        world = World(doors)
        world.found()
        tx_id = record(world)
        head = doors.door(f"{HOME}.site").head()
        receipt = build_receipt(
            EVIDENCE,
            PATIENT.details(),
            secret=PATIENT.secret,
            code=PATIENT.code,
            tx_id=tx_id,
            head=LedgerHead(height=head.height, header_hash=head.hash.hex()),
        )
        (home / "receipt.json").write_bytes(receipt.to_bytes())
        study = world.approved()
        name = study["study"]
        trees = {1: round_with(world, study, 1, [cohort_key(PATIENT.secret, name, 1)])}
        withdraw(world)
        with pytest.raises(Refused):
            world.runner("Close", study, 2, model="00" * 32)
        trees[2] = round_with(world, study, 2, [])
        world.evaluated(study)
        for hospital in HOSPITALS[:3]:
            world.confirm(hospital, study, f"{102:064x}")
        export(doors.door(f"{INSTITUTE}.auditor"), home / "ledger.blocks")
        doors.close()
    ledger = verify(home / "ledger.blocks", genesis, [(head.height, head.hash.hex())])
    proofs = {}
    for number, tree in trees.items():
        root = claims.View(ledger).roots(HOME, name, number)[0]
        proof = build_proof(
            EVIDENCE, PATIENT.details(), PATIENT.secret, study=name, round_=number, trees=[(root, tree)]
        )
        proofs[proof.claim] = home / f"{proof.claim}.json"
        proofs[proof.claim].write_bytes(proof.to_bytes())
    yield Story(ledger, home / "receipt.json", proofs)


def test_every_contract_replays_without_what_only_endorsers_saw(story: Story) -> None:
    report = story.ledger.report
    assert report.invalid == {} and report.replayed == report.transactions > 50
    assert report.attested_by_function == {"consents:Record": 1, "consents:RecordBatch": 1, "consents:Withdraw": 1}
    assert len(report.code_changes) == 1 and report.code_changes[0].version == report.contract_code


def test_the_receipt_and_both_proofs_are_true(story: Story) -> None:
    assert claims.receipt(story.receipt, story.ledger).as_json()["status"] == "withdrawn"
    for claim in ("present", "absent"):
        assert claims.proof(story.proofs[claim], story.ledger).as_json()["claim"] == claim


def test_a_proof_about_another_round_is_not(story: Story, tmp_path: Path) -> None:
    moved = tmp_path / "moved.json"
    moved.write_bytes(story.proofs["absent"].read_bytes().replace(b'"round":2', b'"round":1'))
    with pytest.raises(ProofRefused):
        claims.proof(moved, story.ledger)
