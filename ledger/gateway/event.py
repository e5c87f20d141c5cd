"""What the valid transactions of a block announced, each with what it wrote.

A chaincode's event names what happened and repeats nothing: the records stand in the transaction's own write set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fabric_protos.peer import chaincode_event_pb2, proposal_pb2, proposal_response_pb2, transaction_pb2

from ledger.gateway.checkpointer import Position
from ledger.protocol.block import TRANSACTIONS_FILTER

VALID = int(transaction_pb2.VALID)


@dataclass(frozen=True, slots=True)
class Event:
    """What a valid transaction announced. `index` counts the events of block `block` from 0; `payload` is canonical
    JSON, `{"records": {<state key>: <record, or null where it was deleted>}}`: all that the transaction wrote.
    """

    block: int
    tx_id: str
    index: int
    name: str
    payload: bytes

    @property
    def position(self) -> Position:
        return Position(self.block, self.tx_id)


def announced(block: Any, chaincode: str) -> list[Event]:
    """The events of `chaincode` in `block`, a common.Block of a peer that is believed: its flags say what is valid.

    Read leniently, as a follower must go on whatever another member may get into a block. Whether a chain is what it
    should be, the verifier tells (ledger.verify).
    """
    number, found = block.header.number, list[Event]()
    if number == 0:  # the configuration that the channel was founded with
        return found
    for envelope, code in zip(block.data.data, block.metadata.metadata[TRANSACTIONS_FILTER], strict=True):
        if code == VALID:
            for tx_id, name, writes in _acts(envelope, chaincode):
                found.append(Event(number, tx_id, len(found), name, payload_of(writes)))
    return found


def payload_of(writes: Iterable[tuple[str, bytes | None]]) -> bytes:
    """An event's payload. `writes`: key -> canonical JSON, None for a deletion."""
    records = {key: None if value is None else msgspec.Raw(value) for key, value in writes}
    return _ENCODER.encode({"records": records})


def _acts(envelope: bytes, chaincode: str) -> Iterator[tuple[str, str, Iterator[tuple[str, bytes | None]]]]:
    """Each event of a transaction (a peer lets one pass at most): transaction id, name, writes."""
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
    heading = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    if heading.type != common_pb2.ENDORSER_TRANSACTION:
        return
    for each in transaction_pb2.Transaction.FromString(payload.data).actions:
        endorsed = transaction_pb2.ChaincodeActionPayload.FromString(each.payload).action.proposal_response_payload
        response = proposal_response_pb2.ProposalResponsePayload.FromString(endorsed)
        action = proposal_pb2.ChaincodeAction.FromString(response.extension)
        event = chaincode_event_pb2.ChaincodeEvent.FromString(action.events)
        if event.event_name and event.chaincode_id == chaincode:
            yield heading.tx_id, event.event_name, _writes(action.results, chaincode)


def _writes(results: bytes, namespace: str) -> Iterator[tuple[str, bytes | None]]:
    for each in rwset_pb2.TxReadWriteSet.FromString(results).ns_rwset:
        if each.namespace == namespace:
            for write in kv_rwset_pb2.KVRWSet.FromString(each.rwset).writes:
                yield write.key, None if write.is_delete else write.value


_ENCODER = msgspec.json.Encoder(order="sorted")
