"""The Gateway service spoken to by hand, as an attacker would: every byte of a request can be changed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2, gateway_pb2_grpc
from fabric_protos.peer import proposal_pb2

from consent import canonical
from ledger.identity.msp import Identity
from ledger.protocol import proposal

TEXT = {"digests": {"en": "00" * 32}, "presets": ["heart-disease"]}


@dataclass
class Wire:
    """A connection and an identity."""

    stub: Any
    identity: Identity

    @classmethod
    def to(cls, server: Any, who: str | Identity = "steward") -> Wire:
        channel = grpc.secure_channel(server.process.address, grpc.ssl_channel_credentials(server.process.tls_ca))
        identity = server.identities[who] if isinstance(who, str) else who
        return cls(gateway_pb2_grpc.GatewayStub(channel), identity)

    def propose(self, function: str, arguments: Any, *, seconds: int | None = None, **changes: Any) -> tuple[str, Any]:
        nonce = os.urandom(24)
        given = {
            "channel": "covenant",
            "chaincode": "covenant",
            "args": [function.encode(), canonical.encode(arguments)],
            "creator": self.identity.serialized,
            "nonce": nonce,
            "seconds": int(time.time()) if seconds is None else seconds,
        }
        data = proposal.build(**{**given, **changes})
        signed = proposal_pb2.SignedProposal(proposal_bytes=data, signature=self.identity.sign(data))
        return proposal.transaction_id(nonce, self.identity.serialized), signed

    def publish(self, name: str, **changes: Any) -> tuple[str, Any]:
        return self.propose("consents:PublishText", {"text": name, **TEXT}, **changes)

    def evaluate(self, tx_id: str, signed: Any, channel: str = "covenant") -> bytes:
        request = gateway_pb2.EvaluateRequest(transaction_id=tx_id, channel_id=channel, proposed_transaction=signed)
        return bytes(self.stub.Evaluate(request, timeout=10).result.payload)

    def endorse(self, tx_id: str, signed: Any, channel: str = "covenant") -> Any:
        """The envelope, signed by the client."""
        request = gateway_pb2.EndorseRequest(transaction_id=tx_id, channel_id=channel, proposed_transaction=signed)
        return self.seal(self.stub.Endorse(request, timeout=10).prepared_transaction.payload)

    def seal(self, payload: bytes) -> Any:
        return common_pb2.Envelope(payload=payload, signature=self.identity.sign(payload))

    def submit(self, tx_id: str, envelope: Any) -> None:
        request = gateway_pb2.SubmitRequest(transaction_id=tx_id, channel_id="covenant", prepared_transaction=envelope)
        self.stub.Submit(request, timeout=10)

    def status(self, tx_id: str) -> tuple[int, int]:
        """(validation code, block)"""
        asked = gateway_pb2.CommitStatusRequest(
            transaction_id=tx_id, channel_id="covenant", identity=self.identity.serialized
        ).SerializeToString()
        request = gateway_pb2.SignedCommitStatusRequest(request=asked, signature=self.identity.sign(asked))
        answer = self.stub.CommitStatus(request, timeout=10)
        return answer.result, answer.block_number
