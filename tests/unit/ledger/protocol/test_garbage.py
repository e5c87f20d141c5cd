"""Whatever bytes arrive, a reader answers or refuses with LedgerError: nothing else leaves it."""

from __future__ import annotations

import os
import time

import pytest
from fabric_protos.common import common_pb2
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError
from ledger.identity.ca import Authority
from ledger.identity.validation import Validator
from ledger.protocol import block, envelope, genesis, identity, proposal, rwset, seek
from ledger.verify import fabric, reconfigure

AUTHORITIES = [Authority.create(f"H{number}MSP", "ca") for number in range(3)]
WHO = AUTHORITIES[0].issue("clerk", ["steward"]).serialized
VALIDATOR = Validator({each.msp_id: each.msp for each in AUTHORITIES})
FIRST = genesis.build(
    channel="covenant",
    hospitals=[each.msp for each in AUTHORITIES],
    institutes=[],
    orderer=Authority.create("OrdererMSP", "ca").msp,
    seconds=1,
    nonce=b"n" * 24,
)
PROPOSAL = proposal.build(
    channel="covenant",
    chaincode="covenant",
    args=[b"a:B", b"{}"],
    creator=WHO,
    nonce=os.urandom(24),
    seconds=1,
    transient={"evidence": b"secret"},
)
RESULTS = rwset.build("covenant", {"a": None, "b": (3, 1)}, {"a": b"1", "b": None})
PAYLOAD = envelope.assemble(
    proposal.open_proposal(PROPOSAL),
    envelope.endorsed_bytes(proposal.open_proposal(PROPOSAL), RESULTS, b"{}", envelope.Event("a.b", b"{}"), "v"),
    [envelope.Endorsement(WHO, b"signature")],
)
SEEK = seek.build(channel="covenant", start=0, stop=None, wait=True, creator=WHO, nonce=b"n" * 24, seconds=1)
READERS = {
    "proposal": (proposal.open_proposal, PROPOSAL),
    "envelope": (envelope.open_envelope, envelope.seal(PAYLOAD, b"signature")),
    "payload": (lambda data: envelope.open_transaction(data, b""), PAYLOAD),
    "rwset": (rwset.read, RESULTS),
    "block": (block.open_block, FIRST),
    "genesis": (genesis.read, FIRST),
    "identity": (identity.unpack, WHO),
    "member": (lambda data: VALIDATOR.member(data, time.time()), WHO),
    "seek": (seek.open_seek, SEEK),
    "header": (lambda data: proposal.open_heading(common_pb2.Header(channel_header=data)), PROPOSAL),
}


@pytest.mark.parametrize("name", READERS)
@given(st.data())
def test_only_ledger_errors_leave_a_reader(name, data):
    read, true = READERS[name]
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(true)))
        end = data.draw(st.integers(start, min(len(true), start + 20)))
        given_bytes = true[:start] + data.draw(st.binary(max_size=20)) + true[end:]
    else:
        given_bytes = data.draw(st.binary(max_size=200))
    try:
        read(given_bytes)
    except LedgerError as error:
        assert error.code.split(".")[0] in {
            "bytes",
            "proposal",
            "envelope",
            "rwset",
            "block",
            "genesis",
            "identity",
            "seek",
            "policy",
        }


def test_the_true_bytes_are_read():
    for name, (read, true) in READERS.items():
        if name != "header":
            read(true)


@given(st.binary(max_size=300))
def test_what_an_envelope_claims_can_always_be_asked(data):
    assert isinstance(fabric.claimed(data), str)
    assert isinstance(reconfigure.is_config(data), bool)
