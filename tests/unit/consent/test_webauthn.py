"""A passkey's assertion counts for one message, at one hospital's page, under one key, with its user checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from consent import keys
from consent.encoding import from_base64url, to_base64url
from consent.errors import GrantRefused
from consent.webauthn import (
    ATTESTED,
    BACKED_UP,
    ELIGIBLE,
    EXTENDED,
    LONGEST,
    PRESENT,
    VERIFIED,
    Assertion,
    RelyingParty,
)
from portal.demo.authenticator import SEEN, Passkey
from tests.contract.ecdsa import N

PARTY = RelyingParty("cleveland.localhost", ("http://cleveland.localhost:8001", "https://cleveland.localhost"))
MESSAGE = b"covenant.grant.v1\n{}"
PASSKEY = Passkey(PARTY.rp_id, PARTY.origins[0])
GOOD = PASSKEY.sign(MESSAGE)


def refusal(assertion: Assertion, *, message: bytes = MESSAGE, key: bytes = PASSKEY.public, party: Any = PARTY) -> str:
    with pytest.raises(GrantRefused) as raised:
        assertion.verify(keys.load(key), message, party)
    return raised.value.code


def accepted(assertion: Assertion, message: bytes = MESSAGE) -> None:
    assertion.verify(keys.load(PASSKEY.public), message, PARTY)


def changed(name: str, change: Callable[[bytes], bytes]) -> Assertion:
    return msgspec.structs.replace(GOOD, **{name: to_base64url(change(from_base64url(getattr(GOOD, name))))})


@pytest.mark.parametrize(
    "assertion",
    [
        GOOD,
        PASSKEY.sign(MESSAGE, origin=PARTY.origins[1]),
        PASSKEY.sign(MESSAGE, flags=SEEN | ELIGIBLE),
        PASSKEY.sign(MESSAGE, flags=SEEN | ELIGIBLE | BACKED_UP),
        PASSKEY.sign(MESSAGE, other_keys_can_be_added_here="do not compare clientDataJSON against a template"),
    ],
)
def test_what_a_passkey_signs_at_the_hospitals_page_counts(assertion: Assertion) -> None:
    accepted(assertion)


def test_the_high_s_twin_counts_as_half_of_all_signatures_are_high() -> None:
    def twin(signature: bytes) -> bytes:
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, N - s)

    accepted(changed("signature", twin))


@pytest.mark.parametrize(
    ("assertion", "code"),
    [
        (PASSKEY.sign(b"another statement"), "grant.passkey-challenge"),
        (PASSKEY.sign(MESSAGE, challenge=to_base64url(MESSAGE)), "grant.passkey-challenge"),
        (PASSKEY.sign(MESSAGE, type="webauthn.create"), "grant.passkey-type"),
        (PASSKEY.sign(MESSAGE, type="payment.get"), "grant.passkey-type"),
        (PASSKEY.sign(MESSAGE, origin="http://cleveland.localhost"), "grant.passkey-origin"),
        (PASSKEY.sign(MESSAGE, origin="http://cleveland.localhost:8001.evil.example"), "grant.passkey-origin"),
        (PASSKEY.sign(MESSAGE, origin="http://hungary.localhost:8002"), "grant.passkey-origin"),
        (PASSKEY.sign(MESSAGE, crossOrigin=True), "grant.passkey-cross-origin"),
        (PASSKEY.sign(MESSAGE, topOrigin="https://evil.example"), "grant.passkey-cross-origin"),
        (PASSKEY.sign(MESSAGE, rp_id="hungary.localhost"), "grant.passkey-rp-id"),
        (PASSKEY.sign(MESSAGE, rp_id="localhost"), "grant.passkey-rp-id"),
        (PASSKEY.sign(MESSAGE, flags=VERIFIED), "grant.passkey-not-present"),
        (PASSKEY.sign(MESSAGE, flags=PRESENT), "grant.passkey-not-verified"),
        (PASSKEY.sign(MESSAGE, flags=SEEN | BACKED_UP), "grant.passkey-malformed"),
        (PASSKEY.sign(MESSAGE, flags=SEEN | ATTESTED), "grant.passkey-malformed"),
        (PASSKEY.sign(MESSAGE, flags=SEEN | EXTENDED), "grant.passkey-malformed"),
        (changed("authenticator_data", lambda data: data + b"\xa0"), "grant.passkey-malformed"),
        (changed("authenticator_data", lambda data: data[:-1]), "grant.passkey-malformed"),
        (changed("authenticator_data", lambda data: data[:33] + b"\xff\xff\xff\xff"), "grant.signature-invalid"),
        (changed("client_data", lambda data: b""), "grant.passkey-malformed"),
        (changed("client_data", lambda data: b"[]"), "grant.passkey-malformed"),
        (changed("client_data", lambda data: b"\xef\xbb\xbf" + data), "grant.passkey-malformed"),
        (changed("client_data", lambda data: data + b"{}"), "grant.passkey-malformed"),
        (changed("client_data", lambda data: data.replace(b"false", b"null")), "grant.passkey-malformed"),
        (changed("client_data", lambda data: b"[" * 1_500), "grant.passkey-malformed"),
        (changed("client_data", lambda data: data + b" "), "grant.signature-invalid"),
        (changed("signature", lambda _: b""), "grant.signature-invalid"),
        (changed("signature", lambda data: data + b"\x00"), "grant.signature-invalid"),
        (changed("signature", lambda data: b"\x30\x80" + data[2:]), "grant.signature-invalid"),
        (changed("signature", lambda _: encode_dss_signature(0, 0)), "grant.signature-invalid"),
        (changed("signature", lambda _: encode_dss_signature(N, 1)), "grant.signature-invalid"),
        (msgspec.structs.replace(GOOD, signature="Q"), "grant.passkey-malformed"),
        (Passkey(PARTY.rp_id, PARTY.origins[0]).sign(MESSAGE), "grant.signature-invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "assertion",  # signatures differ from process to process
)  # fmt: skip
def test_each_thing_that_is_wrong_has_its_code(assertion: Assertion, code: str) -> None:
    assert refusal(assertion) == code


def test_a_hospital_without_an_address_for_passkeys_takes_none() -> None:
    assert refusal(GOOD, party=None) == "grant.passkey-unknown"


def test_the_keys_own_signature_over_the_same_bytes_is_no_assertion_nor_the_other_way() -> None:
    raw = keys.sign(PASSKEY.key, MESSAGE)
    assert refusal(msgspec.structs.replace(GOOD, signature=to_base64url(raw))) == "grant.signature-invalid"
    assert not keys.verifies(keys.load(PASSKEY.public), from_base64url(GOOD.signature), MESSAGE)


def test_parts_longer_than_any_browsers_are_refused_before_they_are_read() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**msgspec.to_builtins(GOOD), "client_data": "A" * (LONGEST + 1)}, Assertion)


def test_the_counter_is_read() -> None:
    passkey = Passkey(PARTY.rp_id, PARTY.origins[0])
    assert [passkey.sign(MESSAGE).counter for _ in range(3)] == [1, 2, 3]
    assert Passkey(PARTY.rp_id, PARTY.origins[0], counter=None).sign(MESSAGE).counter == 0


@given(st.sampled_from(["authenticator_data", "client_data", "signature"]), st.data())
def test_no_bit_of_an_assertion_can_be_turned_over_unnoticed(name: str, data: st.DataObject) -> None:
    size = len(from_base64url(getattr(GOOD, name)))
    bit = data.draw(st.integers(0, 8 * size - 1))

    def flipped(part: bytes) -> bytes:
        return (int.from_bytes(part) ^ (1 << bit)).to_bytes(size)

    assert refusal(changed(name, flipped)).startswith("grant.")


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_whatever_is_sent_is_refused_with_a_code_and_nothing_else(data: bytes, client: bytes, signature: bytes) -> None:
    made = Assertion(
        authenticator_data=to_base64url(data), client_data=to_base64url(client), signature=to_base64url(signature)
    )
    assert refusal(made).startswith("grant.")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_an_assertion_counts_for_its_own_message_alone(one: bytes, other: bytes) -> None:
    assertion = PASSKEY.sign(one)
    accepted(assertion, one)
    if one != other:
        assert refusal(assertion, message=other) == "grant.passkey-challenge"
