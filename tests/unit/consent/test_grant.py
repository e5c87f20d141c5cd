"""A grant stands only under the patient's own signature, key and words; each attack is written as an attacker would."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consent import canonical, grant, keys
from consent.errors import ConsentError, GrantRefused
from tests.unit.consent.examples import Patient

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (SEC 2, section 2.4.2)
PATIENT = Patient()
GRANT = PATIENT.grant()


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(GrantRefused) as raised:
        call(*arguments, **named)
    return raised.value.code


def test_a_grant_verifies_and_says_what_was_signed() -> None:
    statement = grant.verify_grant(GRANT.statement, GRANT.key, GRANT.signature)
    assert statement == GRANT.verify() == PATIENT.statement(PATIENT.details())
    grant.check_details(statement, PATIENT.details())


def test_signing_is_deterministic() -> None:
    assert PATIENT.grant() == GRANT


def test_a_signature_by_another_key_is_refused() -> None:
    stranger = Patient(2)
    signature = keys.sign(stranger.key, GRANT.statement)
    assert refusal(grant.verify_grant, GRANT.statement, GRANT.key, signature) == "grant.signature-invalid"
    assert (
        refusal(grant.verify_grant, GRANT.statement, keys.public_bytes(stranger.key), signature) == "grant.key-mismatch"
    )


@pytest.mark.parametrize(
    "changed",
    [{"text": "heart-2026.2"}, {"hospital": "HungaryMSP"}, {"channel": "other"}, {"preset": "general-research"},
     {"valid_until": "2031-12"}, {"nonce": "00" * 32}],
    ids=str,
)  # fmt: skip
def test_a_signature_over_other_words_is_refused(changed: dict[str, str]) -> None:
    other = grant.statement_bytes(PATIENT.statement(PATIENT.details(), **changed))
    assert refusal(grant.verify_grant, other, GRANT.key, GRANT.signature) == "grant.signature-invalid"


def test_a_key_in_another_encoding_is_refused_everywhere() -> None:
    point = PATIENT.key.public_key()
    compressed = point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    hybrid = bytes([6 + (GRANT.key[-1] & 1)]) + GRANT.key[1:]
    der = point.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for key in (compressed, hybrid, der, GRANT.key + b"\x00", GRANT.key[:-1], b"", b"\x00"):
        assert refusal(grant.verify_grant, GRANT.statement, key, GRANT.signature) == "grant.key-encoding"
        assert refusal(grant.commitment, GRANT.statement, key) == "grant.key-encoding"
        assert refusal(grant.verify_withdrawal, GRANT.statement, key, code=PATIENT.code) == "grant.key-encoding"


def test_a_key_off_the_curve_is_refused() -> None:
    off = GRANT.key[:-1] + bytes([GRANT.key[-1] ^ 1])
    assert refusal(grant.verify_grant, GRANT.statement, off, GRANT.signature) == "grant.key-encoding"


def test_the_twin_with_the_other_s_is_the_same_grant() -> None:
    r, s = decode_dss_signature(GRANT.signature)
    twin = grant.Evidence(GRANT.statement, GRANT.key, encode_dss_signature(r, ORDER - s))
    assert twin.signature != GRANT.signature
    assert twin.verify() == GRANT.verify()
    assert twin.commitment == GRANT.commitment


@pytest.mark.parametrize(
    "signature", [b"", b"\x30\x00", b"\x00" * 64, GRANT.signature + b"\x00", GRANT.signature[:-1]], ids=repr
)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    assert refusal(grant.verify_grant, GRANT.statement, GRANT.key, signature) == "grant.signature-invalid"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GRANT.statement[len(grant.GRANT_TAG) :],
        b"covenant.grant.v2\n" + GRANT.statement[len(grant.GRANT_TAG) :],
        GRANT.statement + b"\n",
        GRANT.statement.replace(b'"text":', b'"text" :'),
        GRANT.statement.replace(b'"nonce":', b'"more":1,"nonce":'),
        GRANT.statement.replace(b"2027-03", b"2027-13"),
        GRANT.statement.replace(b"2027-03", b"2027-3"),
        GRANT.statement.replace(b"ClevelandMSP", b"Cleveland MSP"),
        GRANT.statement.replace(b"ClevelandMSP", b""),
        grant.GRANT_TAG + b"[]",
    ],
)
def test_a_malformed_statement_is_refused_before_anything_else(data: bytes) -> None:
    assert refusal(grant.verify_grant, data, b"", b"") == "grant.malformed"


def test_a_statement_that_names_another_key_cannot_be_signed() -> None:
    details = PATIENT.details()
    statement = PATIENT.statement(details, key_digest=sha256(keys.public_bytes(Patient(2).key)).hexdigest())
    assert refusal(grant.new_grant, statement, details, PATIENT.key) == "grant.key-mismatch"


def test_other_details_than_the_signed_ones_are_refused() -> None:
    statement = GRANT.verify()
    for changed in ({"ends": "2027-03-21"}, {"salt": "11" * 32}, {"diseases": ("MONDO:0005010",)}, {"language": "de"}):
        assert refusal(grant.check_details, statement, PATIENT.details(**changed)) == "grant.details-mismatch"


@pytest.mark.parametrize("changed", [{"starts": "2025-12-31"}, {"ends": "2027-04-01"}], ids=str)
def test_days_outside_the_signed_months_are_refused(changed: dict[str, str]) -> None:
    details = PATIENT.details(**changed)
    assert refusal(grant.new_grant, PATIENT.statement(details), details, PATIENT.key) == "grant.dates-outside"


def test_a_grant_that_ends_before_it_starts_cannot_be_made() -> None:
    details = PATIENT.details()
    statement = PATIENT.statement(details, valid_from="2027-04", valid_until="2027-03")
    with pytest.raises(ConsentError, match=r"periods\.reversed"):
        grant.new_grant(statement, details, PATIENT.key)


def test_the_patient_withdraws_by_signature_or_by_code() -> None:
    signature = grant.sign_withdrawal(GRANT.commitment, PATIENT.key)
    assert grant.verify_withdrawal(GRANT.statement, GRANT.key, signature=signature) == GRANT.verify()
    assert grant.verify_withdrawal(GRANT.statement, GRANT.key, code=PATIENT.code) == GRANT.verify()


def test_a_stranger_cannot_withdraw() -> None:
    stranger = Patient(2)
    by_stranger = grant.sign_withdrawal(GRANT.commitment, stranger.key)
    of_another_grant = grant.sign_withdrawal(PATIENT.grant(nonce="22" * 32).commitment, PATIENT.key)
    for shown in (
        {"signature": by_stranger}, {"signature": of_another_grant}, {"signature": GRANT.signature}, {"signature": b""},
        {"code": stranger.code}, {"code": PATIENT.code[:-1]}, {"code": b""}, {},
        {"signature": grant.sign_withdrawal(GRANT.commitment, PATIENT.key), "code": PATIENT.code},
    ):  # fmt: skip
        assert refusal(grant.verify_withdrawal, GRANT.statement, GRANT.key, **shown) == "grant.withdrawal-invalid"
    foreign_key = keys.public_bytes(stranger.key)
    assert refusal(grant.verify_withdrawal, GRANT.statement, foreign_key, signature=by_stranger) == "grant.key-mismatch"


def test_a_withdrawal_is_no_grant_and_a_grant_no_withdrawal() -> None:
    signature = keys.sign(PATIENT.key, grant.withdrawal_bytes(GRANT.commitment))
    assert refusal(grant.verify_grant, GRANT.statement, GRANT.key, signature) == "grant.signature-invalid"


@pytest.mark.parametrize(
    "call",
    [
        lambda: grant.secret_digest(b"short"),
        lambda: grant.withdrawal_code_digest(b"x" * 32),
        lambda: grant.withdrawal_bytes(b""),
    ],
)
def test_lengths_are_checked(call: Any) -> None:
    assert refusal(call) == "grant.malformed"


def test_the_signed_bytes_hold_neither_details_nor_secrets() -> None:
    for private in (PATIENT.secret, PATIENT.code, PATIENT.bytes("salt")):
        assert private.hex().encode() not in GRANT.statement
    assert set(canonical.decode(GRANT.statement[len(grant.GRANT_TAG) :])) == set(grant.Statement.__struct_fields__)


class P256:
    """The group of P-256 in affine coordinates (SEC 1, section 2.2.1), for the attacker's arithmetic."""

    PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
    B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    BASE = (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    )

    @classmethod
    def add(cls, one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
        if one is None or other is None:
            return one or other
        (x, y), (u, v) = one, other
        if x == u and (y + v) % cls.PRIME == 0:
            return None
        slope = (3 * x * x - 3) * pow(2 * y, -1, cls.PRIME) if one == other else (v - y) * pow(u - x, -1, cls.PRIME)
        third = (slope * slope - x - u) % cls.PRIME
        return third, (slope * (x - third) - y) % cls.PRIME

    @classmethod
    def times(cls, scalar: int, point: tuple[int, int] | None) -> tuple[int, int] | None:
        total = None
        while scalar:
            if scalar & 1:
                total = cls.add(total, point)
            point, scalar = cls.add(point, point), scalar >> 1
        return total


def recover_keys(message: bytes, signature: bytes) -> set[bytes]:
    """Every public key under which `signature` verifies: Q = r^-1 (s R - z G), for both points R with x = r.

    SEC 1, section 4.1.6 (x = r + n is left out: it needs r < p - n, one signature in 2**128).
    """
    r, s = decode_dss_signature(signature)
    z = int.from_bytes(sha256(message).digest())
    y = pow(r**3 - 3 * r + P256.B, (P256.PRIME + 1) // 4, P256.PRIME)
    found = set()
    for root in (y, P256.PRIME - y):
        point = P256.add(P256.times(s, (r, root)), P256.times(-z % ORDER, P256.BASE))
        key = P256.times(pow(r, -1, ORDER), point)
        assert key is not None
        found.add(b"\x04" + key[0].to_bytes(32) + key[1].to_bytes(32))
    return found


@pytest.mark.parametrize("number", range(1, 6))
def test_the_second_key_recovered_from_a_signature_makes_no_second_grant(number: int) -> None:
    evidence = Patient(number).grant()
    recovered = recover_keys(evidence.statement, evidence.signature)
    assert evidence.key in recovered
    (second,) = recovered - {evidence.key}
    assert keys.verifies(keys.load(second), evidence.signature, evidence.statement), "the attack is real"
    assert grant.commitment(evidence.statement, second) != evidence.commitment
    assert refusal(grant.verify_grant, evidence.statement, second, evidence.signature) == "grant.key-mismatch"


def test_naming_the_second_key_in_the_statement_does_not_help() -> None:
    (second,) = recover_keys(GRANT.statement, GRANT.signature) - {GRANT.key}
    statement = PATIENT.statement(PATIENT.details(), key_digest=sha256(second).hexdigest())
    changed = grant.statement_bytes(statement)
    for key in {second, GRANT.key, *recover_keys(changed, GRANT.signature)}:
        assert refusal(grant.verify_grant, changed, key, GRANT.signature) in {
            "grant.signature-invalid",
            "grant.key-mismatch",
        }


def test_keys_of_other_curves_are_refused() -> None:
    other = ec.derive_private_key(7, ec.SECP256K1()).public_key()
    key = other.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert refusal(grant.verify_grant, GRANT.statement, key, GRANT.signature) == "grant.key-encoding"
