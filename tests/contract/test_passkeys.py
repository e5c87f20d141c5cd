"""How a grant was signed: by a passkey at the hospital's own page, by a key, on paper; and by whom it is taken back.

Each refusal leaves nothing behind (`refused`).
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from consent import grant, keys
from consent.grant import Paper
from consent.webauthn import PRESENT, VERIFIED
from portal.demo.authenticator import Passkey
from tests.contract.refusals import refused
from tests.contract.test_consents import get, record_batch, submit, withdraw
from tests.contract.world import HOSPITALS, Patient, address, organisations

ALPHA, BETA, GAMMA = HOSPITALS[0], HOSPITALS[1], HOSPITALS[3]
PAPER = Paper()


def rekey(world: Any, commitment: str, replacement: bytes, who: str = f"{ALPHA}.registrar") -> Any:
    named = grant.replacement_digest(bytes.fromhex(commitment), replacement)
    return world.ledger.submit(who, "consents:Rekey", {"commitment": commitment, "replacement": named})


def test_a_passkey_signs_at_the_hospitals_own_page(world):
    patient = Patient.with_passkey()
    signed = patient.grant()
    recorded = submit(world, signed)
    assert (recorded["attestation"], recorded["status"]) == ("passkey", "active")
    assert submit(world, signed) == recorded  # replayed: nothing but the same answer
    again = signed.evidence(signature=patient.sign(signed.data))  # another counter, other bytes: the same grant
    assert submit(world, signed, again) == recorded


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("passkey-challenge", lambda one, data: one.sign(b"another statement")),
        ("passkey-type", lambda one, data: one.sign(data, type="webauthn.create")),
        ("passkey-origin", lambda one, data: one.sign(data, origin="https://alpha.example")),
        ("passkey-origin", lambda one, data: one.sign(data, origin="https://portal.beta.example")),
        ("passkey-cross-origin", lambda one, data: one.sign(data, crossOrigin=True)),
        ("passkey-rp-id", lambda one, data: one.sign(data, rp_id="beta.example")),
        ("passkey-not-present", lambda one, data: one.sign(data, flags=VERIFIED)),
        ("passkey-not-verified", lambda one, data: one.sign(data, flags=PRESENT)),
        ("signature-invalid", lambda one, data: Passkey(one.rp_id, one.origin).sign(data)),
        ("attestation-mismatch", lambda one, data: keys.sign(one.key, data)),
        ("attestation-mismatch", lambda one, data: PAPER),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_an_assertion_is_named(world, code, made):
    patient = Patient.with_passkey()
    signed = patient.grant()
    with refused(world.ledger, f"consents.{code}"):
        submit(world, signed, signed.evidence(signature=made(patient.passkey, signed.data)))


def test_an_assertion_with_a_part_missing_or_of_no_base64url(world):
    signed = Patient.with_passkey().grant()
    whole = {
        "kind": "webauthn",
        **{name: getattr(signed.signature, name) for name in signed.signature.__struct_fields__},
    }
    for wrong in (
        whole | {"client_data": "****"},
        {n: v for n, v in whole.items() if n != "signature"},
        whole | {"x": 1},
    ):
        with refused(world.ledger, "consents.evidence-invalid"):
            submit(world, signed, signed.evidence(signature=wrong))
    with refused(world.ledger, "consents.passkey-malformed"):
        submit(world, signed, signed.evidence(signature=whole | {"authenticator_data": "AA"}))


def test_a_passkeys_grant_is_not_passed_off_as_another_kind_nor_another_kind_as_a_passkeys(world):
    signed = Patient.with_passkey().grant()
    for other in ("portal-key", "device-key", "hospital-attested"):
        with refused(world.ledger, "consents.attestation-mismatch"):
            submit(world, signed, attestation=other)
    for other in ("passkey", "hospital-attested"):
        with refused(world.ledger, "consents.attestation-mismatch"):
            submit(world, Patient().grant(), attestation=other)


def test_on_paper_the_hospital_alone_attests(world):
    patient = Patient()
    signed = patient.grant()
    recorded = submit(world, signed, signed.evidence(signature=PAPER), attestation="hospital-attested")
    assert recorded["attestation"] == "hospital-attested"
    stranger = Patient().grant()
    with refused(world.ledger, "consents.key-mismatch"):
        evidence = stranger.evidence(signature=PAPER, key=signed.key)
        submit(world, stranger, evidence, attestation="hospital-attested")
    assert withdraw(world, signed, by="code", code=patient.code)["withdrawn_by"] == "code"


def test_a_batch_holds_every_kind_and_names_the_one_that_is_wrong(world):
    batch = [Patient().grant(), *(Patient.with_passkey().grant() for _ in range(3))]
    batch.sort(key=lambda one: one.commitment)
    evidence = [one.evidence() for one in batch]
    wrong = next(place for place, one in enumerate(batch) if one.attestation == "passkey")
    other = next(one for one in batch[::-1] if one.attestation == "passkey")
    with refused(world.ledger, "consents.passkey-challenge") as caught:
        record_batch(
            world, batch, [*evidence[:wrong], batch[wrong].evidence(signature=other.signature), *evidence[wrong + 1 :]]
        )
    assert f"entry {wrong}" in caught.value.message
    assert record_batch(world, batch, evidence) == {"recorded": 4, "known": 0}


def test_a_passkey_withdraws_and_nothing_else_of_it_does(world):
    patient, other = Patient.with_passkey(), Patient.with_passkey()
    signed, elsewhere = patient.grant(), other.grant()
    submit(world, signed)
    submit(world, elsewhere)
    for wrong in (
        signed.signature,  # the grant's own assertion, replayed
        other.take_back(elsewhere),  # another grant's
        other.take_back(signed),  # another passkey
        patient.passkey.sign(grant.withdrawal_bytes(bytes.fromhex(signed.commitment)), flags=PRESENT),
        patient.passkey.sign(grant.withdrawal_bytes(bytes.fromhex(signed.commitment)), origin="https://evil.example"),
        keys.sign(other.key, grant.withdrawal_bytes(bytes.fromhex(signed.commitment))),
    ):
        by = "signature" if isinstance(wrong, bytes) else "passkey"
        with refused(world.ledger, "consents.withdrawal-invalid"):
            withdraw(world, signed, by=by, signature=wrong)
    with refused(world.ledger, "consents.withdrawal-invalid"):  # called something that it is not
        withdraw(world, signed, by="signature", signature=patient.take_back(signed))
    withdrawn = withdraw(world, signed, by="passkey", signature=patient.take_back(signed))
    assert (withdrawn["status"], withdrawn["withdrawn_by"]) == ("withdrawn", "patient")
    assert withdraw(world, signed, by="passkey", signature=patient.take_back(signed)) == withdrawn


def test_a_passkeys_withdrawal_that_comes_before_its_grant_is_taken_at_its_own_hospital(world):
    patient = Patient.with_passkey()
    signed = patient.grant()
    with refused(world.ledger, "consents.withdrawal-invalid"):
        withdraw(world, signed, by="passkey", signature=patient.take_back(signed), who=f"{BETA}.registrar")
    tombstone = withdraw(world, signed, by="passkey", signature=patient.take_back(signed), who=f"{ALPHA}.registrar")
    assert tombstone["status"] == "tombstone"
    with refused(world.ledger, "consents.tombstone"):
        submit(world, signed)


def test_where_passkeys_sign_is_changed_by_a_vote_alone(world):
    old, patient = address(GAMMA), Patient.with_passkey(GAMMA)
    signed = patient.grant()
    gamma = next(one for one in organisations() if one["msp"] == GAMMA)
    new = {"origins": ["https://consent.gamma.example:8443"], "rp_id": "consent.gamma.example"}
    moved = Passkey(new["rp_id"], new["origins"][0], patient.key)
    who = f"{GAMMA}.registrar"
    with refused(world.ledger, "consents.passkey-origin"):
        submit(world, signed, signed.evidence(signature=moved.sign(signed.data)), who)
    try:
        world.enact({"kind": "set-organisation", "organisation": gamma | new})
        with refused(world.ledger, "consents.passkey-origin"):
            submit(world, signed, who=who)
        assert submit(world, signed, signed.evidence(signature=moved.sign(signed.data)), who)["status"] == "active"
        world.enact({"kind": "set-organisation", "organisation": gamma | {"rp_id": None}})
        with refused(world.ledger, "consents.passkey-unknown"):
            submit(world, patient.grant(), who=who)
    finally:
        world.enact({"kind": "set-organisation", "organisation": gamma | old})


@pytest.mark.parametrize(
    "place",
    [
        {"origins": [], "rp_id": "gamma.example"},
        {"origins": ["https://gamma.example.evil.example"], "rp_id": "gamma.example"},
        {"origins": ["https://notgamma.example"], "rp_id": "gamma.example"},
        {"origins": ["https://gamma.example", "https://gamma.test"], "rp_id": "gamma.example"},
        {"origins": ["http://gamma.example"], "rp_id": "gamma.example"},
    ],
)
def test_an_rp_id_is_the_host_of_every_address_or_above_it(world, place):
    gamma = next(one for one in organisations() if one["msp"] == GAMMA)
    with refused(world.ledger, "members.rp-id"):
        world.propose({"kind": "set-organisation", "organisation": gamma | place})


def test_a_lost_key_is_replaced_by_one_that_can_only_withdraw(world):
    patient, new = Patient.with_passkey(), Patient.with_passkey()
    signed = patient.grant()
    recorded = submit(world, signed)
    rekeyed = rekey(world, signed.commitment, new.passkey.public)
    assert rekeyed["attestation"] == "hospital-attested" and rekeyed["status"] == "active"
    assert rekeyed["rekeyed"] is not None and rekeyed["recorded"] == recorded["recorded"]
    assert rekey(world, signed.commitment, new.passkey.public) == rekeyed
    assert submit(world, signed) == rekeyed  # the grant handed in once more changes nothing
    with refused(world.ledger, "consents.key-mismatch"):  # the new key signs no grant that names the old one
        submit(world, signed, signed.evidence(key=new.passkey.public, signature=new.sign(signed.data)))
    stranger = Patient.with_passkey()
    for replacement, signature in (
        (stranger.passkey.public, stranger.take_back(signed)),  # took nobody's place
        (new.passkey.public, stranger.take_back(signed)),
        (None, new.take_back(signed)),  # as if it were the old one
    ):
        with refused(world.ledger, "consents.withdrawal-invalid"):
            withdraw(world, signed, by="passkey", signature=signature, replacement=replacement)
    shown = {"signature": new.take_back(signed), "replacement": new.passkey.public}
    withdrawn = withdraw(world, signed, by="passkey", **shown)
    assert (withdrawn["withdrawn_by"], withdrawn["attestation"]) == ("patient", "hospital-attested")
    with refused(world.ledger, "consents.withdrawn"):
        rekey(world, signed.commitment, stranger.passkey.public)


def test_a_key_lost_twice_leaves_the_last_one_alone_with_the_right(world):
    patient = Patient()
    signed = patient.grant()
    submit(world, signed)
    first, second = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    message = grant.withdrawal_bytes(bytes.fromhex(signed.commitment))
    for key in (first, second):
        rekey(world, signed.commitment, keys.public_bytes(key))
    with refused(world.ledger, "consents.withdrawal-invalid"):
        withdraw(world, signed, signature=keys.sign(first, message), replacement=keys.public_bytes(first))
    done = withdraw(world, signed, signature=keys.sign(second, message), replacement=keys.public_bytes(second))
    assert done["withdrawn_by"] == "patient"


def test_keys_are_replaced_by_the_own_hospitals_registrar_alone_and_where_a_grant_stands(world):
    signed, key = Patient().grant(), Patient.with_passkey().passkey.public
    with refused(world.ledger, "consents.unknown"):
        rekey(world, signed.commitment, key)
    submit(world, signed)
    with refused(world.ledger, "consents.wrong-hospital"):
        rekey(world, signed.commitment, key, who=f"{BETA}.registrar")
    with refused(world.ledger, "role.missing"):
        rekey(world, signed.commitment, key, who=f"{ALPHA}.steward")
    early = Patient()
    gone = early.grant()
    withdraw(world, gone, by="code", code=early.code)
    with refused(world.ledger, "consents.tombstone"):
        rekey(world, gone.commitment, key)
    assert "rekeyed" not in get(world, signed.commitment)
