"""What a follower reads out of a block: the valid transactions' events, each with exactly what was written."""

from __future__ import annotations

from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2

from consent import canonical
from ledger.gateway.event import announced
from ledger.protocol import proposal, rwset
from ledger.protocol.envelope import Event, assemble, endorsed_bytes, seal

VALID, STALE = int(transaction_pb2.VALID), int(transaction_pb2.MVCC_READ_CONFLICT)
WRITES = {"consents/ab": canonical.encode({"b": 1, "a": "ü"}), "consents/cd": None}


def transaction(number: int, event: Event | None, chaincode: str = "covenant", namespace: str = "covenant") -> bytes:
    data = proposal.build(
        channel="covenant", chaincode=chaincode, args=[b"x"], creator=b"who", nonce=b"%024d" % number, seconds=1
    )
    opened = proposal.open_proposal(data)
    endorsed = endorsed_bytes(opened, rwset.build(namespace, {}, WRITES), b"{}", event, "v")
    return seal(assemble(opened, endorsed, []), b"")


def block(*envelopes: bytes, codes: list[int], number: int = 7) -> Any:
    made = common_pb2.Block(header={"number": number}, data={"data": envelopes})
    made.metadata.metadata.extend([b"", b"", bytes(codes), b"", b""])
    return made


def test_an_event_carries_what_its_transaction_wrote() -> None:
    (found,) = announced(block(transaction(1, Event("consents.recorded", b"")), codes=[VALID]), "covenant")
    assert (found.block, found.index, found.name) == (7, 0, "consents.recorded")
    assert found.tx_id == proposal.transaction_id(b"%024d" % 1, b"who")
    assert found.payload == canonical.encode({"records": {"consents/ab": {"a": "ü", "b": 1}, "consents/cd": None}})


def test_events_are_counted_and_those_of_invalid_transactions_never_told() -> None:
    one, two, three = (transaction(number, Event(f"n{number}", b"")) for number in range(3))
    found = announced(block(one, two, three, codes=[VALID, STALE, VALID]), "covenant")
    assert [(each.index, each.name) for each in found] == [(0, "n0"), (1, "n2")]


def test_what_an_event_says_of_itself_is_not_believed() -> None:
    loud = transaction(1, Event("consents.recorded", b'{"records":{"consents/ef":{}}}'))
    (found,) = announced(block(loud, codes=[VALID]), "covenant")
    assert set(canonical.decode(found.payload)["records"]) == set(WRITES)


def test_other_chaincodes_silent_transactions_and_configurations_announce_nothing() -> None:
    other, silent = transaction(1, Event("x", b""), "_lifecycle", "_lifecycle"), transaction(2, None)
    elsewhere = transaction(3, Event("x", b""), namespace="other")
    header = common_pb2.ChannelHeader(type=common_pb2.CONFIG).SerializeToString()
    payload = common_pb2.Payload(header={"channel_header": header}, data=b"\xff").SerializeToString()
    config = seal(payload, b"")
    found = announced(block(other, silent, config, elsewhere, codes=[VALID] * 4), "covenant")
    assert [canonical.decode(each.payload) for each in found] == [{"records": {}}]
    assert announced(block(config, codes=[], number=0), "covenant") == []
