"""Keys may be elsewhere: everything signable shows bytes and digest, and is rebuilt from bytes and signature."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ledger.errors import LedgerError
from ledger.gateway import EndorseError, OfflineSigner
from ledger.protocol.signing import sign_digest


def test_a_whole_write_is_signed_by_someone_who_sees_digests_only(ledger: SimpleNamespace) -> None:
    key = ledger.steward.key
    with ledger.server.connect(OfflineSigner(ledger.steward.serialized)) as gateway:
        text = {"text": "offline-1", "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
        unsigned = gateway.contract.proposal("consents:PublishText", text)
        proposal = gateway.signed_proposal(unsigned.bytes, sign_digest(key, unsigned.digest))
        assert (proposal.tx_id, proposal.digest) == (unsigned.tx_id, unsigned.digest)
        prepared = proposal.endorse()
        transaction = gateway.signed_transaction(prepared.bytes, sign_digest(key, prepared.digest))
        assert transaction.result == prepared.result
        commit = transaction.submit()
        status = gateway.signed_commit(commit.bytes, sign_digest(key, commit.digest)).status()
    assert status.valid and status.tx_id == unsigned.tx_id


def test_without_a_signature_nothing_is_sent(ledger: SimpleNamespace) -> None:
    offline = ledger.server.connect(OfflineSigner(ledger.steward.serialized))
    with offline as gateway, pytest.raises(LedgerError) as error:
        gateway.contract.evaluate("members:List", {})
    assert error.value.code == "gateway.unsigned"


def test_a_signature_over_other_bytes_is_refused(ledger: SimpleNamespace) -> None:
    with ledger.server.connect(OfflineSigner(ledger.steward.serialized)) as gateway:
        unsigned = gateway.contract.proposal("members:List", {})
        forged = gateway.signed_proposal(unsigned.bytes, sign_digest(ledger.steward.key, bytes(32)))
        with pytest.raises(EndorseError) as error:
            forged.endorse()
    assert error.value.code == "signature.invalid"
