"""The rules of the house hold for a call over a peer's state as over the embedded store (embedded/test_store.py)."""

from __future__ import annotations

import pytest
from fabric_protos.peer import chaincode_shim_pb2

from ledger.chaincode.simulation import Offer, Simulation
from ledger.contracts.stub import Creator
from ledger.errors import LedgerError
from ledger.protocol import proposal
from tests.unit.ledger.chaincode.peer import Message
from tests.unit.ledger.misuse import MISUSE

SINGLE = Offer()


@pytest.fixture
def asked():
    return []


@pytest.fixture
def simulation(asked):
    data = proposal.build(
        channel="covenant",
        chaincode="covenant",
        args=[b"a:B", b"{}"],
        creator=b"creator",
        nonce=b"n" * 24,
        seconds=1,
        transient={"evidence": b"e"},
    )

    def ask(kind, request):
        asked.append(Message.Type.Name(kind))
        if kind == Message.GET_STATE_MULTIPLE:
            return chaincode_shim_pb2.GetStateMultipleResult(values=[b""] * len(request.keys)).SerializeToString()
        return b"1" if kind == Message.GET_STATE and request.key == "a" else b""

    opened, creator = proposal.open_proposal(data), Creator("AlphaMSP", frozenset(), "")
    return lambda offer=SINGLE: Simulation(ask, offer, opened, creator, hospitals=(), ranging=False)


def test_what_stands_is_found_and_what_is_absent_is_none(simulation):
    made = simulation()
    assert (made.get("a"), made.get("b"), made.evidence()) == (b"1", None, b"e")


@pytest.mark.parametrize(("code", "misuse"), MISUSE)
def test_misuse_is_refused(simulation, asked, code, misuse):
    with pytest.raises(LedgerError) as refusal:
        misuse(simulation())
    assert refusal.value.code == code
    assert asked == []


@pytest.mark.parametrize(
    ("offer", "kinds"),
    [
        (SINGLE, ["PUT_STATE", "DEL_STATE", "PUT_STATE"]),
        (Offer(writes=2), ["WRITE_BATCH_STATE", "WRITE_BATCH_STATE"]),
    ],
)
def test_writes_are_sent_when_the_call_is_done(simulation, asked, offer, kinds):
    made = simulation(offer)
    made.put("a", b"1")
    made.delete("b")
    made.put("c", b"3")
    assert asked == []
    made.commit()
    assert asked == kinds


def test_expected_keys_are_fetched_together_and_not_again(simulation, asked):
    made = simulation(Offer(reads=2))
    made.expect(["x", "y", "z"])
    assert [made.get(key) for key in ("x", "y", "z")] == [None, None, None]
    made.commit()
    assert asked == ["GET_STATE_MULTIPLE", "GET_STATE_MULTIPLE"]


def test_expected_keys_must_be_read(simulation):
    """Else the blocks would hold reads that no auditor's replay makes."""
    made = simulation(Offer(reads=2))
    made.expect(["x", "y"])
    made.get("x")
    with pytest.raises(LedgerError, match=r"host\.expected-unread"):
        made.commit()
