"""Fabric's Gateway service: evaluate, endorse, submit, commit status, chaincode events."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2, gateway_pb2_grpc

from ledger.embedded.committer import Pending
from ledger.embedded.endorser import check_names
from ledger.embedded.events import follow
from ledger.embedded.faults import answered, streamed
from ledger.embedded.node import Node
from ledger.embedded.store import Reader
from ledger.errors import LedgerError
from ledger.identity.checking import check_client, check_transaction
from ledger.protocol import envelope
from ledger.protocol.exact import parse

TRANSACTION_ID = re.compile("[0-9a-f]{64}")
LARGE = 48 * 1024  # bytes: a proposal beyond this runs in a thread, so that small ones need not wait for it


class GatewayService(gateway_pb2_grpc.GatewayServicer):  # type: ignore[misc]  # generated code is untyped
    """The servicer. Small proposals run on the event loop: handing them to a thread would cost more than they do."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.address, self.msp_id = node.address, node.config.hospitals[0]

    @answered(grpc.StatusCode.UNKNOWN)
    async def Evaluate(self, request: Any, context: Any) -> Any:
        endorser = self._node.endorser
        signed = request.proposed_transaction
        proposal, member = endorser.open(signed, request.transaction_id, request.channel_id)
        answer = await self._run(len(signed.proposal_bytes), lambda reader: endorser.evaluate(reader, proposal, member))
        return gateway_pb2.EvaluateResponse(result={"status": envelope.OK, "payload": answer})

    @answered(grpc.StatusCode.ABORTED)
    async def Endorse(self, request: Any, context: Any) -> Any:
        endorser = self._node.endorser
        signed = request.proposed_transaction
        proposal, member = endorser.open(signed, request.transaction_id, request.channel_id)
        payload = await self._run(len(signed.proposal_bytes), lambda reader: endorser.endorse(reader, proposal, member))
        return gateway_pb2.EndorseResponse(prepared_transaction=common_pb2.Envelope(payload=payload))

    @answered(grpc.StatusCode.ABORTED)
    async def Submit(self, request: Any, context: Any) -> Any:
        """Check everything that can be checked before ordering; what fails here stands in no block."""
        sent = request.prepared_transaction
        pending = self._check(request.transaction_id, sent.payload, sent.signature)
        if self._node.stopping:
            raise LedgerError("ledger.stopping", "the ledger is being stopped: submit again when it is back")
        if not self._node.progress.stands(pending.tx_id):  # else CommitStatus answers for the one that stands
            self._node.progress.expect(pending.tx_id)
            self._node.committer.put(pending)
        return gateway_pb2.SubmitResponse()

    @answered(grpc.StatusCode.ABORTED)
    async def CommitStatus(self, request: Any, context: Any) -> Any:
        asked = parse(gateway_pb2.CommitStatusRequest, request.request, "commit status request")
        self._check_reader(asked.channel_id, asked.identity, request.signature, request.request)
        if TRANSACTION_ID.fullmatch(asked.transaction_id) is None:
            raise LedgerError("request.transaction-id", "a transaction's id is 64 lower-case hex characters")
        code, number = await self._node.progress.outcome(asked.transaction_id)
        return gateway_pb2.CommitStatusResponse(result=code, block_number=number)

    @streamed
    async def ChaincodeEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """One answer a block that has events of valid transactions, from the start position on, for ever."""
        asked = parse(gateway_pb2.ChaincodeEventsRequest, request.request, "chaincode events request")
        self._check_reader(asked.channel_id, asked.identity, request.signature, request.request)
        async for answer in follow(self._node, asked):
            yield answer

    def _check(self, tx_id: str, payload: bytes, signature: bytes) -> Pending:
        node = self._node
        prepared = node.prepared.take(tx_id, payload)
        if prepared is not None:
            heading, outcome = prepared.heading, prepared.rwset
            check_client(node.validator, heading.creator, signature, payload, heading.seconds)
        else:
            transaction = envelope.open_transaction(payload, signature)
            envelope.check_alone(transaction)
            heading, outcome = transaction.heading, transaction.rwset
            check_names(node.config, heading)
            check_transaction(node.validator, transaction, node.config.endorsement)
        if heading.tx_id != tx_id:
            raise LedgerError("request.mismatch", "the request names another transaction than its envelope")
        return Pending(tx_id, envelope.seal(payload, signature), outcome)

    def _check_reader(self, channel: str, identity: bytes, signature: bytes, message: bytes) -> None:
        """Any identity of a member may read. Raises `channel.unknown`, `identity.*`, `signature.*`."""
        if channel != self._node.config.channel:
            raise LedgerError("channel.unknown", f"this ledger serves the channel {self._node.config.channel}")
        self._node.validator.verify(identity, signature, message, time.time())

    async def _run(self, size: int, work: Any) -> bytes:
        if size < LARGE:
            answer: bytes = work(self._node.reader)
            return answer
        return await asyncio.get_running_loop().run_in_executor(self._node.workers, self._aside, work)

    def _aside(self, work: Any) -> bytes:
        reader: Reader = self._node.thread_reader()
        answer: bytes = work(reader)
        return answer
