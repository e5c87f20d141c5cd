"""The peer's side of a stream, over real gRPC: it does what Fabric's core/chaincode/handler.go does to each message.

State is a dictionary. Like a peer, it drops a second request of a transaction while the first is under way, limits the
results of one query, and keeps what a transaction writes apart until it has ended.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import grpc
from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import (
    chaincode_pb2,
    chaincode_shim_pb2,
    chaincode_shim_pb2_grpc,
    proposal_pb2,
    proposal_response_pb2,
)

from consent import canonical
from ledger.identity.msp import Identity
from ledger.protocol import proposal

Message = chaincode_shim_pb2.ChaincodeMessage


@dataclass
class Outcome:
    """How a transaction ended: status, payload or message, event; what it read and wrote; each message it sent."""

    status: int = 0
    payload: bytes = b""
    message: str = ""
    event: tuple[str, bytes] | None = None
    writes: dict[str, bytes | None] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    done: Future[Outcome] = field(default_factory=Future)


class Peer:
    """A connection to a host. `offers`: write batches and many-key reads, as READY tells; `limit`: results a query."""

    def __init__(
        self, address: str, credentials: Any, state: dict[str, bytes], *, offers: bool = True, limit: int = 100_000
    ) -> None:
        self.state, self.limit, self.broken = state, limit, False
        self.delay = 0.0  # seconds before each answer
        self.registered: Future[str] = Future()
        self.ended: Future[grpc.StatusCode] = Future()
        self._ready = chaincode_pb2.ChaincodeAdditionalParams(
            use_write_batch=offers,
            max_size_write_batch=100 if offers else 0,
            use_get_multiple_keys=offers,
            max_size_get_multiple_keys=100 if offers else 0,
        )
        self._saying: SimpleQueue[Any] = SimpleQueue()
        self._running: dict[str, Outcome] = {}
        self._channel = grpc.secure_channel(address, credentials)
        self._call = chaincode_shim_pb2_grpc.ChaincodeStub(self._channel).Connect(iter(self._saying.get, None))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def transact(self, signed: Any, args: list[bytes], tx_id: str, channel: str = "covenant") -> Outcome:
        """Begin a transaction; its `done` tells when it has ended."""
        outcome = self._running[tx_id] = Outcome()
        payload = chaincode_pb2.ChaincodeInput(args=args).SerializeToString()
        self._saying.put(
            Message(type=Message.TRANSACTION, txid=tx_id, channel_id=channel, payload=payload, proposal=signed)
        )
        return outcome

    def call(self, identity: Identity, function: str, arguments: Any, evidence: Any = None, **changes: Any) -> Outcome:
        """A transaction from its proposal to its end, committed if it may be."""
        outcome = self.begin(identity, function, arguments, evidence, **changes).done.result(20)
        for key, value in outcome.writes.items() if outcome.status == 200 else ():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        return outcome

    def begin(self, identity: Identity, function: str, arguments: Any, evidence: Any = None, **changes: Any) -> Outcome:
        nonce = os.urandom(24)
        given: dict[str, Any] = {
            "channel": "covenant",
            "chaincode": "covenant",
            "args": [function.encode(), canonical.encode(arguments)],
            "creator": identity.serialized,
            "nonce": nonce,
            "seconds": int(time.time()),
            "transient": {} if evidence is None else {"evidence": canonical.encode(evidence)},
        } | changes
        data = proposal.build(**given)
        signed = proposal_pb2.SignedProposal(proposal_bytes=data, signature=identity.sign(data))
        return self.transact(signed, given["args"], proposal.transaction_id(nonce, identity.serialized))

    def say(self, message: Any) -> None:
        self._saying.put(message)

    def close(self) -> None:
        self._saying.put(None)
        self._call.cancel()
        self._channel.close()
        self._reader.join(10)

    def _read(self) -> None:
        try:
            for message in self._call:
                self._handle(message)
            self.ended.set_result(grpc.StatusCode.OK)
        except grpc.RpcError as error:
            self.ended.set_result(error.code())

    def _handle(self, message: Any) -> None:
        kind = Message.Type.Name(message.type)
        if kind == "REGISTER":
            self.registered.set_result(chaincode_pb2.ChaincodeID.FromString(message.payload).name)
            self._saying.put(Message(type=Message.REGISTERED))
            self._saying.put(Message(type=Message.READY, payload=self._ready.SerializeToString()))
        elif kind == "COMPLETED":
            self._completed(message)
        elif kind != "KEEPALIVE":
            self._running[message.txid].kinds.append(kind)
            threading.Timer(self.delay, self._answer, [kind, message]).start() if self.delay else self._answer(
                kind, message
            )

    def _answer(self, kind: str, message: Any) -> None:
        reply = Message(type=Message.RESPONSE, txid=message.txid, channel_id=message.channel_id)
        if self.broken:
            reply.type, reply.payload = Message.ERROR, b"GET_STATE failed: secret-key: leveldb: closed"
        else:
            reply.payload = getattr(self, f"_{kind.lower()}")(message.payload, self._running[message.txid].writes)
        self._saying.put(reply)

    def _completed(self, message: Any) -> None:
        outcome = self._running.pop(message.txid)
        response = proposal_response_pb2.Response.FromString(message.payload)
        outcome.status, outcome.payload, outcome.message = response.status, response.payload, response.message
        if message.HasField("chaincode_event"):
            outcome.event = message.chaincode_event.event_name, message.chaincode_event.payload
        outcome.done.set_result(outcome)

    def _get_state(self, payload: bytes, _: Any) -> bytes:
        return self.state.get(chaincode_shim_pb2.GetState.FromString(payload).key, b"")

    def _get_state_multiple(self, payload: bytes, _: Any) -> bytes:
        keys = chaincode_shim_pb2.GetStateMultiple.FromString(payload).keys
        assert len(keys) <= 100
        values = [self.state.get(key, b"") for key in keys]
        return chaincode_shim_pb2.GetStateMultipleResult(values=values).SerializeToString()

    def _put_state(self, payload: bytes, writes: dict[str, bytes | None]) -> bytes:
        put = chaincode_shim_pb2.PutState.FromString(payload)
        writes[put.key] = put.value
        return b""

    def _del_state(self, payload: bytes, writes: dict[str, bytes | None]) -> bytes:
        writes[chaincode_shim_pb2.DelState.FromString(payload).key] = None
        return b""

    def _write_batch_state(self, payload: bytes, writes: dict[str, bytes | None]) -> bytes:
        records = chaincode_shim_pb2.WriteBatchState.FromString(payload).rec
        assert len(records) <= 100
        for each in records:
            writes[each.key] = each.value if each.type == each.PUT_STATE else None
        return b""

    def _get_state_by_range(self, payload: bytes, _: Any) -> bytes:
        wanted = chaincode_shim_pb2.GetStateByRange.FromString(payload)
        paging = chaincode_shim_pb2.QueryMetadata.FromString(wanted.metadata)
        start = paging.bookmark or wanted.startKey
        pairs = sorted((key, value) for key, value in self.state.items() if start <= key < wanted.endKey)
        page = pairs[: min(paging.pageSize, self.limit)]
        results = [
            chaincode_shim_pb2.QueryResultBytes(
                resultBytes=kv_query_result_pb2.KV(namespace="covenant", key=key, value=value).SerializeToString()
            )
            for key, value in page
        ]
        following = pairs[len(page)][0] if len(pairs) > len(page) else ""
        metadata = chaincode_shim_pb2.QueryResponseMetadata(fetched_records_count=len(page), bookmark=following)
        return chaincode_shim_pb2.QueryResponse(
            results=results, has_more=False, id="1", metadata=metadata.SerializeToString()
        ).SerializeToString()
