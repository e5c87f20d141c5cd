"""A receipt shows a grant on the ledger, or nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from consent import canonical, keys, receipt
from consent.encoding import to_base64url
from consent.errors import ProofRefused
from consent.grant import Evidence, Paper
from consent.ledger_view import Standing
from consent.receipt import Acknowledgement, LedgerHead, Receipt
from consent.webauthn import RelyingParty
from portal.demo.authenticator import Passkey
from tests.unit.consent.examples import IN_2026, OTHER_TERMS, TERMS, Chain, Patient

PARTY = RelyingParty("cleveland.localhost", ("http://cleveland.localhost:8001",))

PATIENT = Patient()
GRANT = PATIENT.grant()
COMMITMENT = GRANT.commitment.hex()
TX, HEADERS = "ab" * 32, [f"{number:064x}" for number in range(10)]
RECEIPT = receipt.build_receipt(
    GRANT,
    PATIENT.details(),
    secret=PATIENT.secret,
    code=PATIENT.code,
    tx_id=TX,
    head=LedgerHead(height=5, header_hash=HEADERS[4]),
)


def chain(headers: int = 10, **changed: Any) -> Chain:
    standing = Standing(
        "ClevelandMSP", recorded_block=4, recorded_tx=TX, withdrawn_block=None, withdrawn_tx=None, terms=TERMS,
        attestation="portal-key", attested_now="portal-key",
    )  # fmt: skip
    return Chain({COMMITMENT: replace(standing, **changed)}, headers=HEADERS[:headers])


def of(evidence: Evidence) -> Receipt:
    """The receipt of PATIENT's grant with another signature."""
    return receipt.build_receipt(
        evidence, PATIENT.details(), secret=PATIENT.secret, code=PATIENT.code, tx_id=TX, head=RECEIPT.head
    )


def refusal(receipt_: Receipt, ledger: Chain) -> str:
    with pytest.raises(ProofRefused) as raised:
        receipt.verify_receipt(receipt_, ledger)
    return raised.value.code


def test_a_receipt_shows_the_grant_and_what_became_of_it() -> None:
    report = receipt.verify_receipt(RECEIPT, chain())
    assert (report.commitment, report.hospital, report.status, report.recorded_block) == (
        COMMITMENT,
        "ClevelandMSP",
        "active",
        4,
    )
    withdrawn = receipt.verify_receipt(RECEIPT, chain(withdrawn_block=8, withdrawn_tx="cd" * 32))
    assert (withdrawn.status, withdrawn.withdrawn_block) == ("withdrawn", 8)


def test_a_passkeys_receipt_shows_where_it_signed() -> None:
    passkey = Passkey(PARTY.rp_id, PARTY.origins[0], PATIENT.key)
    made = of(Evidence(GRANT.statement, GRANT.key, passkey.sign(GRANT.statement)))
    assert receipt.read_receipt(made.to_bytes()) == made
    ledger = chain(attestation="passkey", attested_now="passkey")
    ledger.parties["ClevelandMSP"] = PARTY
    report = receipt.verify_receipt(made, ledger)
    assert (report.attestation, report.rekeyed) == ("passkey", False)
    elsewhere = Passkey("hungary.localhost", PARTY.origins[0], PATIENT.key)
    for wrong, cause in (
        (passkey.sign(b"another statement"), "grant.passkey-challenge"),
        (elsewhere.sign(GRANT.statement), "grant.passkey-rp-id"),
        (Passkey(PARTY.rp_id, PARTY.origins[0]).sign(GRANT.statement), "grant.signature-invalid"),
    ):
        with pytest.raises(ProofRefused) as raised:
            receipt.verify_receipt(of(Evidence(GRANT.statement, GRANT.key, wrong)), ledger)
        assert (raised.value.code, raised.value.context["cause"]) == ("receipt.signature-invalid", cause)


def test_a_receipt_on_paper_says_so_and_a_new_key_is_told() -> None:
    paper = of(Evidence(GRANT.statement, GRANT.key, Paper()))
    assert receipt.read_receipt(paper.to_bytes()) == paper
    attested = {"attestation": "hospital-attested", "attested_now": "hospital-attested"}
    assert receipt.verify_receipt(paper, chain(**attested)).attestation == "hospital-attested"
    report = receipt.verify_receipt(RECEIPT, chain(attested_now="hospital-attested"))
    assert (report.attestation, report.rekeyed) == ("portal-key", True)


@pytest.mark.parametrize("attestation", ["passkey", "hospital-attested", "", "another"])
def test_a_ledger_that_says_it_was_signed_in_another_way_makes_the_receipt_false(attestation: str) -> None:
    assert refusal(RECEIPT, chain(attestation=attestation)) == "receipt.attestation-mismatch"


def test_a_receipt_comes_back_from_its_file() -> None:
    assert receipt.read_receipt(RECEIPT.to_bytes()) == RECEIPT


@pytest.mark.parametrize(
    "data", [b"", b"{}", RECEIPT.to_bytes()[:-1], RECEIPT.to_bytes() + b"\n", RECEIPT.to_bytes().replace(b"v1", b"v2")]
)
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(ProofRefused) as raised:
        receipt.read_receipt(data)
    assert raised.value.code == "receipt.malformed"


STRANGER = Patient(2)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"statement": to_base64url(STRANGER.grant().statement)}, "receipt.malformed"),
        ({"statement": to_base64url(b"nothing")}, "receipt.malformed"),
        ({"statement": "Q"}, "receipt.malformed"),
        ({"key": to_base64url(STRANGER.grant().key)}, "receipt.malformed"),
        ({"signature": to_base64url(STRANGER.grant().signature)}, "receipt.signature-invalid"),
        ({"details": PATIENT.details(ends="2027-03-19")}, "receipt.details-mismatch"),
        ({"secret": STRANGER.secret.hex()}, "receipt.secret-mismatch"),
        ({"withdrawal_code": STRANGER.code.hex()}, "receipt.code-mismatch"),
        ({"head": LedgerHead(height=5, header_hash=HEADERS[5])}, "receipt.head-mismatch"),
        ({"head": LedgerHead(height=11, header_hash=HEADERS[9])}, "receipt.head-mismatch"),
        ({"head": LedgerHead(height=4, header_hash=HEADERS[3])}, "receipt.transaction-mismatch"),
        ({"tx_id": "cd" * 32}, "receipt.transaction-mismatch"),
    ],
    ids=str,
)
def test_a_changed_receipt_shows_nothing(changed: dict[str, Any], code: str) -> None:
    assert refusal(msgspec.structs.replace(RECEIPT, **changed), chain()) == code


def test_a_ledger_cut_short_or_rewritten_is_found() -> None:
    assert refusal(RECEIPT, chain(headers=4)) == "receipt.head-mismatch"
    rewritten = chain()
    rewritten.headers[4] = "ff" * 32
    assert refusal(RECEIPT, rewritten) == "receipt.head-mismatch"


@pytest.mark.parametrize(("name", "value"), OTHER_TERMS)
def test_a_ledger_that_recorded_other_terms_makes_the_receipt_false(name: str, value: str) -> None:
    with pytest.raises(ProofRefused, match=name) as raised:
        receipt.verify_receipt(RECEIPT, chain(terms=TERMS._replace(**{name: value})))
    assert (raised.value.code, raised.value.context["fields"]) == ("receipt.terms-mismatch", [name])


def test_a_grant_that_does_not_stand_is_not_shown() -> None:
    assert refusal(RECEIPT, Chain(headers=HEADERS)) == "receipt.commitment-unknown"
    assert refusal(RECEIPT, chain(hospital="HungaryMSP")) == "receipt.commitment-unknown"
    tombstone = chain(hospital=None, recorded_block=None, recorded_tx=None, withdrawn_block=3, withdrawn_tx=TX)
    assert refusal(RECEIPT, tombstone) == "receipt.commitment-unknown"


def test_an_acknowledgement_stands_under_the_hospitals_own_key_alone() -> None:
    hospital = ec.derive_private_key(99, ec.SECP256R1())
    word = Acknowledgement(commitment=COMMITMENT, received_by="ClevelandMSP", received_at=IN_2026, how="code")
    signed = receipt.sign_acknowledgement(word, hospital, "a certificate in PEM")
    receipt.verify_acknowledgement(signed, keys.public_bytes(hospital))
    assert canonical.decode_as(canonical.encode(signed), receipt.SignedAcknowledgement) == signed
    later = msgspec.structs.replace(word, received_at=IN_2026 + 1)
    for forged, key in (
        (signed, keys.public_bytes(PATIENT.key)),
        (signed, b"no key"),
        (msgspec.structs.replace(signed, acknowledgement=later), keys.public_bytes(hospital)),
        (msgspec.structs.replace(signed, signature="Q"), keys.public_bytes(hospital)),
    ):
        with pytest.raises(ProofRefused) as raised:
            receipt.verify_acknowledgement(forged, key)
        assert raised.value.code == "receipt.acknowledgement-invalid"
