"""Grants and withdrawals, attacked as an attacker would: every refusal leaves nothing behind."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consent import grant, keys
from consent.encoding import to_base64url
from ledger.contracts.sealed import batched
from tests.contract.ecdsa import N, recovered
from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, Patient, Signed, fresh

ALPHA, BETA = HOSPITALS[:2]


def submit(world, signed, evidence=None, who=None, **changes):
    arguments = {"grant": signed.sealed(**changes)}
    return world.ledger.submit(who or f"{ALPHA}.registrar", "consents:Record", arguments, evidence or signed.evidence())


def withdraw(world, signed, *, by="signature", who=f"{BETA}.site", commitment=None, **shown):
    arguments = {"commitment": commitment or signed.commitment, "by": by}
    return world.ledger.submit(who, "consents:Withdraw", arguments, signed.withdrawal(**shown))


def signature(patient, signed):
    return grant.sign_withdrawal(bytes.fromhex(signed.commitment), patient.key)


def record_batch(world, batch, evidence=None):
    arguments = batched(one.sealed() for one in batch)
    evidence = [one.evidence() for one in batch] if evidence is None else evidence
    return world.ledger.submit(f"{ALPHA}.registrar", "consents:RecordBatch", arguments, evidence)


def batch_of(size):
    return sorted((Patient().grant() for _ in range(size)), key=lambda one: one.commitment)


def get(world, commitment):
    return world.ledger.evaluate(f"{INSTITUTE}.auditor", "consents:Get", {"commitment": commitment})


def test_a_grant_is_recorded_and_can_be_read(world):
    signed = Patient().grant()
    recorded = submit(world, signed)
    assert recorded["status"] == "active" and recorded["hospital"] == ALPHA
    assert get(world, signed.commitment) == recorded


def test_the_same_grant_again_is_the_record_that_stands(world):
    signed = Patient().grant()
    assert submit(world, signed) == submit(world, signed)


def test_the_high_s_twin_is_the_same_grant(world):
    signed = Patient().grant()
    recorded = submit(world, signed)
    r, s = decode_dss_signature(signed.signature)
    assert submit(world, signed, signed.evidence(signature=encode_dss_signature(r, N - s))) == recorded


def test_other_content_under_the_same_commitment(world):
    signed = Patient().grant()
    submit(world, signed)
    with refused(world.ledger, "consents.known-differently"):
        submit(world, signed, attestation="device-key")


def test_a_signature_by_another_key(world):
    signed, stranger = Patient().grant(), Patient()
    with refused(world.ledger, "consents.signature-invalid"):
        submit(world, signed, signed.evidence(signature=keys.sign(stranger.key, signed.data)))


def test_a_signature_over_another_text(world):
    patient = Patient()
    signed, other = patient.grant(), patient.grant(text="heart-2025.9")
    with refused(world.ledger, "consents.signature-invalid"):
        submit(world, signed, signed.evidence(signature=other.signature))


def test_a_statement_over_another_text_than_is_sealed(world):
    signed = Patient().grant(text="heart-2025.9")
    with refused(world.ledger, "consents.statement-mismatch"):
        submit(world, signed, text="heart-2026.1")


def test_an_unpublished_text(world):
    with refused(world.ledger, "consents.text-unknown"):
        submit(world, Patient().grant(text="heart-2025.9"))


def test_a_preset_that_the_text_does_not_offer(world):
    with refused(world.ledger, "consents.preset-unknown"):
        submit(world, Patient().grant(preset="general-research"))


def test_a_grant_for_another_hospital(world):
    with refused(world.ledger, "consents.wrong-hospital"):
        submit(world, Patient(BETA).grant())


def test_a_grant_signed_for_another_hospital_than_is_sealed(world):
    with refused(world.ledger, "consents.wrong-hospital"):
        submit(world, Patient(BETA).grant(), hospital=ALPHA)


def test_a_grant_for_another_channel(world):
    with refused(world.ledger, "consents.wrong-channel"):
        submit(world, Patient().grant(channel="elsewhere"))


def test_the_same_bytes_under_the_second_key_that_ecdsa_allows(world):
    signed = Patient().grant()
    submit(world, signed)
    second = next(key for key in recovered(signed.data, signed.signature) if key != signed.key)
    assert keys.verifies(keys.load(second), signed.signature, signed.data)  # the attack is real
    forged = Signed(signed.statement, signed.data, second, signed.signature)
    with refused(world.ledger, "consents.key-mismatch"):
        submit(world, forged)


def test_the_key_in_another_encoding(world):
    signed = Patient().grant()
    compressed = keys.load(signed.key).public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    with refused(world.ledger, "consents.key-encoding"):
        submit(world, signed, signed.evidence(key=compressed))


def test_a_commitment_made_up(world):
    with refused(world.ledger, "consents.commitment-mismatch"):
        submit(world, Patient().grant(), commitment=fresh())


def test_bytes_that_are_no_statement(world):
    with refused(world.ledger, "consents.malformed"):
        submit(world, Patient().grant(), Patient().grant().evidence(statement=b"covenant.grant.v1\n{}"))


def test_evidence_that_is_no_base64url(world):
    signed = Patient().grant()
    with refused(world.ledger, "consents.evidence-invalid"):
        submit(world, signed, signed.evidence() | {"key": "****"})


def test_no_evidence(world):
    with refused(world.ledger, "consents.evidence-missing"):
        world.ledger.submit(f"{ALPHA}.registrar", "consents:Record", {"grant": Patient().grant().sealed()})


def test_a_grant_that_ends_before_it_starts(world):
    with refused(world.ledger, "consents.validity-reversed"):
        submit(world, Patient().grant(valid_from="2026-06", valid_until="2026-05"))


def test_a_grant_long_past(world):
    with refused(world.ledger, "consents.validity-past"):
        submit(world, Patient().grant(valid_from="2020-01", valid_until="2021-12"))


def test_a_steward_does_not_record(world):
    with refused(world.ledger, "role.missing"):
        submit(world, Patient().grant(), who=f"{ALPHA}.steward")


@pytest.mark.parametrize("by", ["signature", "code"])
def test_a_patient_withdraws_on_any_members_page(world, by):
    patient = Patient()
    signed = patient.grant()
    submit(world, signed)
    shown = {"signature": signature(patient, signed)} if by == "signature" else {"code": patient.code}
    withdrawn = withdraw(world, signed, by=by, **shown)
    assert withdrawn["status"] == "withdrawn"
    assert withdrawn["withdrawn_by"] == {"signature": "patient", "code": "code"}[by]
    assert withdraw(world, signed, by=by, **shown) == withdrawn


def test_a_withdrawn_grant_is_not_recorded_again_in_any_form(world):
    patient = Patient()
    signed = patient.grant()
    submit(world, signed)
    withdraw(world, signed, signature=signature(patient, signed))
    r, s = decode_dss_signature(signed.signature)
    twin = signed.evidence(signature=encode_dss_signature(r, N - s))
    signed_again = signed.evidence(signature=keys.sign(patient.key, signed.data))
    for evidence in (signed.evidence(), twin, signed_again):
        with refused(world.ledger, "consents.withdrawn"):
            submit(world, signed, evidence)
    with refused(world.ledger, "consents.withdrawn"):
        submit(world, signed, attestation="device-key")
    second = next(key for key in recovered(signed.data, signed.signature) if key != signed.key)
    with refused(world.ledger, "consents.key-mismatch"):
        submit(world, Signed(signed.statement, signed.data, second, signed.signature))
    with refused(world.ledger, "consents.withdrawn"):
        record_batch(world, [signed])


def test_a_grant_handed_in_after_its_withdrawal_meets_the_tombstone(world):
    patient = Patient()
    signed = patient.grant()
    tombstone = withdraw(world, signed, code=patient.code, by="code")
    assert tombstone["status"] == "tombstone" and tombstone["hospital"] is None
    with refused(world.ledger, "consents.tombstone"):
        submit(world, signed)
    assert get(world, signed.commitment) == tombstone


def test_a_stranger_does_not_withdraw(world):
    signed, stranger = Patient().grant(), Patient()
    submit(world, signed)
    with refused(world.ledger, "consents.withdrawal-invalid"):
        withdraw(world, signed, signature=signature(stranger, signed))
    with refused(world.ledger, "consents.withdrawal-invalid"):
        withdraw(world, signed, by="code", code=os.urandom(16))
    with refused(world.ledger, "consents.withdrawal-invalid"):
        withdraw(world, signed, by="code", signature=signature(stranger, signed))


def test_a_stranger_with_a_statement_of_their_own_does_not_withdraw_another_grant(world):
    signed, stranger = Patient().grant(), Patient()
    submit(world, signed)
    own = stranger.grant()
    with refused(world.ledger, "consents.withdrawal-invalid"):
        withdraw(world, own, signature=signature(stranger, own), commitment=signed.commitment)
    with refused(world.ledger, "consents.withdrawal-invalid"):  # the stranger's key over the patient's very statement
        forged = Signed(signed.statement, signed.data, own.key, own.signature)
        withdraw(world, forged, signature=signature(stranger, signed), commitment=signed.commitment)


def test_an_organisation_that_is_no_member_does_not_withdraw(world):
    patient = Patient()
    signed = patient.grant()
    with refused(world.ledger, "members.unknown"):
        withdraw(world, signed, signature=signature(patient, signed), who="StrangerMSP.site")


def test_a_registrar_withdraws_the_own_hospitals_grants_only(world):
    signed = Patient().grant()
    submit(world, signed)
    arguments = {"commitment": signed.commitment}
    with refused(world.ledger, "consents.wrong-hospital"):
        world.ledger.submit(f"{BETA}.registrar", "consents:WithdrawByRegistrar", arguments)
    with refused(world.ledger, "consents.unknown"):
        world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", {"commitment": fresh()})
    withdrawn = world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", arguments)
    assert withdrawn["withdrawn_by"] == "registrar"
    assert world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", arguments) == withdrawn


@pytest.mark.parametrize("by", ["signature", "code"])
def test_a_patients_own_withdrawal_counts_as_such_after_the_registrars(world, by):
    patient = Patient()
    signed = patient.grant()
    submit(world, signed)
    arguments = {"commitment": signed.commitment}
    first = world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", arguments)
    shown = {"signature": signature(patient, signed)} if by == "signature" else {"code": patient.code}
    raised = withdraw(world, signed, by=by, **shown)
    assert raised == first | {"withdrawn_by": {"signature": "patient", "code": "code"}[by]}
    assert world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", arguments) == raised
    assert withdraw(world, signed, by="code", code=patient.code) == raised


def test_a_batch_records_all_of_its_grants(world):
    batch = batch_of(40)
    assert record_batch(world, batch) == {"recorded": 40, "known": 0}
    assert record_batch(world, batch) == {"recorded": 0, "known": 40}
    assert get(world, batch[17].commitment)["status"] == "active"


def test_a_batch_with_one_bad_entry_is_refused_whole_and_the_entry_named(world):
    batch = batch_of(30)
    evidence = [one.evidence() for one in batch]
    evidence[23]["signature"] = to_base64url(batch[22].signature)
    with refused(world.ledger, "consents.signature-invalid") as caught:
        record_batch(world, batch, evidence)
    assert "entry 23" in caught.value.message
    assert get(world, batch[0].commitment) is None


def test_a_batch_with_a_withdrawn_entry_is_refused_whole_and_the_entry_named(world):
    patient = Patient()
    batch = sorted([*batch_of(9), gone := patient.grant()], key=lambda one: one.commitment)
    submit(world, gone)
    withdraw(world, gone, signature=signature(patient, gone))
    with refused(world.ledger, "consents.withdrawn") as caught:
        record_batch(world, batch)
    assert f"entry {batch.index(gone)}" in caught.value.message


def test_a_batch_in_another_order_or_with_a_double(world):
    batch = batch_of(3)
    for wrong in (batch[::-1], [batch[0], batch[0]]):
        with refused(world.ledger, "consents.not-sorted"):
            record_batch(world, wrong)


def test_a_batch_of_none_or_too_many(world):
    one = Patient().grant()
    for size in (0, 501):
        with refused(world.ledger, "consents.batch-size"):
            record_batch(world, [one] * size)


def test_a_batch_says_once_what_its_grants_say_alike(world):
    patients = [Patient() for _ in range(6)]
    batch = [each.grant(valid_until=f"203{number % 2}-01") for number, each in enumerate(patients)]
    batch.sort(key=lambda one: one.commitment)
    assert len(batched(one.sealed() for one in batch)["terms"]) == 2
    assert record_batch(world, batch) == {"recorded": 6, "known": 0}
    for one in batch:
        recorded = get(world, one.commitment)
        assert {name: recorded[name] for name in one.sealed()} == one.sealed()


def test_a_batch_with_terms_that_no_grant_has_or_without_a_grants(world):
    batch = batch_of(3)
    good, evidence = batched(one.sealed() for one in batch), [one.evidence() for one in batch]
    (terms,) = good["terms"]
    beyond = [*good["grants"][:2], [good["grants"][2][0], 1]]
    for wrong in ({"terms": [terms, {**terms, "text": "other"}]}, {"terms": []}, {"grants": beyond}):
        with refused(world.ledger, "consents.batch-terms"):
            world.ledger.submit(f"{ALPHA}.registrar", "consents:RecordBatch", {**good, **wrong}, evidence)


def test_a_batch_with_less_evidence_than_grants(world):
    batch = batch_of(3)
    with refused(world.ledger, "consents.evidence-missing"):
        record_batch(world, batch, [one.evidence() for one in batch[:2]])


def test_a_text_never_changes(world):
    with refused(world.ledger, "consents.known-differently"):
        world.publish("heart-2026.1", presets=("cancer",))
    with refused(world.ledger, "consents.preset-unknown"):
        world.publish("heart-2026.2", presets=("anything-goes",))


def heard(world, *commitments, who=f"{BETA}.site"):
    return world.ledger.submit(who, "consents:Acknowledge", {"commitments": list(commitments)})


def test_every_hospital_says_that_it_has_heard_of_a_withdrawal(world):
    patient = Patient()
    ended, never_given = patient.grant(), patient.grant()
    submit(world, ended)
    for signed in (ended, never_given):
        withdraw(world, signed, by="code", code=patient.code)
    both = sorted((ended.commitment, never_given.commitment))
    for hospital in (ALPHA, BETA):
        assert heard(world, *both, who=f"{hospital}.site") == {"acknowledged": 2, "known": 0}
    assert heard(world, *both) == {"acknowledged": 0, "known": 2}


def test_nobody_hears_of_what_was_not_withdrawn(world):
    signed = Patient().grant()
    submit(world, signed)
    for commitment in (signed.commitment, fresh()):
        with refused(world.ledger, "consents.not-withdrawn"):
            heard(world, commitment)
    with refused(world.ledger, "role.missing"):
        heard(world, signed.commitment, who=f"{INSTITUTE}.runner")


def test_what_is_heard_is_sorted_and_not_without_end(world):
    for names, code in (
        ((), "consents.batch-size"),
        ([f"{number:064x}" for number in range(501)], "consents.batch-size"),
        (("11" * 32, "11" * 32), "consents.not-sorted"),
        (("22" * 32, "11" * 32), "consents.not-sorted"),
    ):
        with refused(world.ledger, code):
            heard(world, *names)
