"""Whoever shows a certificate is judged by the channel's own authorities, at the time of the transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.errors import LedgerError
from ledger.identity.ca import Authority
from ledger.identity.validation import Validator
from ledger.protocol import identity

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("AliceMSP", "ca.alice", now=NOW - timedelta(days=30))


def code(validator: Validator, serialized: bytes, when: float = NOW.timestamp()) -> str:
    with pytest.raises(LedgerError) as refusal:
        validator.member(serialized, when)
    return refusal.value.code


def test_a_member_carries_its_organisation_unit_and_roles(authority):
    shown = authority.issue("clerk", ["registrar", "steward"], "client")
    member = Validator({"AliceMSP": authority.msp}).member(shown.serialized, NOW.timestamp())
    assert member.creator.organisation == "AliceMSP"
    assert member.creator.roles == {"registrar", "steward"}
    assert (member.creator.common_name, member.ou) == ("clerk", "client")


def test_a_foreign_authority_of_the_same_name_is_refused(authority):
    foreign = Authority.create("AliceMSP", "ca.alice")
    assert code(Validator({"AliceMSP": authority.msp}), foreign.issue("clerk").serialized) == "identity.foreign-ca"


def test_an_identity_of_one_member_cannot_speak_for_another(authority):
    bob = Authority.create("BobMSP", "ca.bob")
    validator = Validator({"AliceMSP": authority.msp, "BobMSP": bob.msp})
    assert code(validator, identity.pack("BobMSP", authority.issue("clerk").pem)) == "identity.foreign-ca"


def test_an_organisation_outside_the_channel_is_refused(authority):
    assert code(Validator({}), authority.issue("clerk").serialized) == "identity.unknown-organisation"


@pytest.mark.parametrize(("begin", "end", "expected"), [(-9, -2, "identity.expired"), (2, 9, "identity.not-yet-valid")])
def test_validity_is_judged_at_the_transactions_time(authority, begin, end, expected):
    days = [NOW + timedelta(days=each) for each in (begin, end)]
    shown = authority.issue("clerk", not_before=days[0], not_after=days[1])
    validator = Validator({"AliceMSP": authority.msp})
    assert code(validator, shown.serialized) == expected
    assert validator.member(shown.serialized, (days[0] + timedelta(days=1)).timestamp()).ou == "client"


def test_what_the_authority_revoked_is_refused_and_nothing_else(authority):
    lost, kept = authority.issue("lost"), authority.issue("kept")
    validator = Validator({"AliceMSP": authority.revoke(lost).msp})
    assert code(validator, lost.serialized) == "identity.revoked"
    assert validator.member(kept.serialized, NOW.timestamp())


def test_a_revocation_list_of_another_authority_is_an_error(authority):
    other = Authority.create("AliceMSP", "ca.alice")
    forged = Authority(authority.msp_id, authority.certificate, other.key).revoke(authority.issue("victim"))
    with pytest.raises(LedgerError, match=r"identity\.malformed"):
        Validator({"AliceMSP": forged.msp})


def test_the_authority_itself_cannot_sign_transactions(authority):
    root = identity.pack("AliceMSP", authority.pem)
    assert code(Validator({"AliceMSP": authority.msp}), root) in ("identity.malformed", "identity.foreign-ca")


SPELLINGS = [lambda pem: pem + b"\n", lambda pem: b"note\n" + pem, lambda pem: pem * 2, lambda _: b""]


@pytest.mark.parametrize("change", SPELLINGS)
def test_a_certificate_in_another_spelling_is_no_second_identity(authority, change):
    shown = identity.pack("AliceMSP", change(authority.issue("clerk").pem))
    assert code(Validator({"AliceMSP": authority.msp}), shown) == "identity.malformed"


def test_units_and_roles_are_words(authority):
    with pytest.raises(LedgerError, match=r"identity\.ou"):
        authority.issue("clerk", ou="king")
    with pytest.raises(LedgerError, match=r"identity\.role"):
        authority.issue("clerk", ["steward,registrar"])
