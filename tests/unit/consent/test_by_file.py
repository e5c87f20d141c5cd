"""A file to sign says what it is, opens what it says, and nothing else is signed with a key in a file."""

from __future__ import annotations

import msgspec
import pytest

from consent import canonical, grant, keys
from consent.by_file import ToSign
from consent.encoding import to_base64url
from consent.errors import GrantRefused
from tests.unit.consent.examples import Patient

ADA, BOB = Patient(1), Patient(2)
OWN = keys.public_bytes(ADA.key)


def made(act: str = "consent", **changed) -> ToSign:
    details = ADA.details()
    statement = grant.statement_bytes(ADA.statement(details))
    plain = {"act": act, "statement": to_base64url(statement), "key": to_base64url(OWN), "details": details}
    return ToSign(**(plain | changed))


def test_what_is_signed_is_the_statement_or_the_withdrawal_of_its_grant():
    asked = ToSign.read(canonical.encode(made()))
    signature = keys.sign(ADA.key, asked.message(OWN))
    evidence = grant.Evidence(grant.statement_bytes(ADA.statement(ADA.details())), OWN, signature)
    assert evidence.verify() == ADA.statement(ADA.details())
    message = made("withdrawal").message(OWN)
    withdrawn = grant.verify_withdrawal(evidence.statement, OWN, signature=keys.sign(ADA.key, message))
    assert withdrawn.preset == "heart-disease"
    assert made("withdrawal").message(keys.public_bytes(BOB.key)) == message  # with the key in a lost one's place


def test_the_reader_sees_what_was_chosen_and_no_secret():
    said = "\n".join(made().lines())
    assert "Gives consent at ClevelandMSP on covenant: heart-disease under the text heart-2026.1" in said
    assert 'contact: "portal"' in said and "retrospective: true" in said and ADA.details().salt not in said
    assert "Withdraws the consent" in made("withdrawal").lines()[0]


@pytest.mark.parametrize(
    ("changed", "own", "code"),
    [
        ({"details": ADA.details(contact="email")}, OWN, "grant.details-mismatch"),
        ({}, keys.public_bytes(BOB.key), "to-sign.other-key"),
        ({"key": to_base64url(keys.public_bytes(BOB.key))}, OWN, "grant.key-mismatch"),
        ({"statement": to_base64url(b"anything else")}, OWN, "grant.malformed"),
        ({"statement": "A"}, OWN, "to-sign.malformed"),
    ],
)
def test_a_file_that_does_not_say_what_it_is_is_not_signed(changed, own, code):
    with pytest.raises(GrantRefused, match=code):
        made(**changed).message(own)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", canonical.encode(made())[:-1] + b',"more":1}'])
def test_what_is_no_such_file_is_refused(data):
    with pytest.raises(GrantRefused, match=r"to-sign\.malformed"):
        ToSign.read(data)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"act": "anything"}, ToSign)
