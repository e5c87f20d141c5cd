"""Load for an embedded ledger: grants signed beforehand, and an asynchronous client that sends them."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import grpc
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fabric_protos.gateway import gateway_pb2, gateway_pb2_grpc
from fabric_protos.peer import proposal_pb2

from consent import canonical, grant
from consent.encoding import to_base64url
from ledger.gateway.errors import SubmitError, translate
from ledger.identity.msp import Identity
from ledger.protocol import proposal

ATTEMPTS = 6
OPTIONS = [("grpc.max_receive_message_length", 1 << 26), ("grpc.max_send_message_length", 1 << 26)]


@dataclass(frozen=True)
class SignedGrant:
    """A sealed grant and its evidence, as the contract's arguments want them."""

    sealed: dict[str, Any]
    evidence: dict[str, str]


def signed_grant(hospital: str, text: str) -> SignedGrant:
    """A grant by a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    statement = grant.Statement(
        channel="covenant",
        hospital=hospital,
        key_digest=sha256(point).hexdigest(),
        text=text,
        preset="heart-disease",
        valid_from="2026-01",
        valid_until="2036-12",
        withdrawal_code_digest=os.urandom(32).hex(),
        details_digest=os.urandom(32).hex(),
        nonce=os.urandom(32).hex(),
    )
    data = grant.statement_bytes(statement)
    signature = key.sign(data, ec.ECDSA(hashes.SHA256()))
    sealed = {
        "commitment": grant.commitment(data, point).hex(),
        "attestation": "portal-key",
        **{name: getattr(statement, name) for name in ("hospital", "text", "preset", "valid_from", "valid_until")},
    }
    parts = {"statement": data, "key": point, "signature": signature}
    return SignedGrant(sealed, {name: to_base64url(value) for name, value in parts.items()})


class Client:
    """The Gateway client of one identity on an event loop, with no more in it than a load generator needs.

    `tls_client`: certificate and key (PEM) to show; `endorsing`: the MSP ids that shall endorse, else the peer plans.
    `answered`: bytes of the last answer, or of the last transaction that came back to be signed.
    """

    def __init__(
        self,
        address: str,
        tls_ca: bytes,
        identity: Identity,
        *,
        tls_client: tuple[bytes, bytes] | None = None,
        endorsing: tuple[str, ...] = (),
    ) -> None:
        certificate, key = tls_client or (None, None)
        credentials = grpc.ssl_channel_credentials(tls_ca, key, certificate)
        self.resubmitted = self.ordered = self.answered = 0
        self._endorsing = endorsing
        self._channel = grpc.aio.secure_channel(address, credentials, options=OPTIONS)
        self._stub = gateway_pb2_grpc.GatewayStub(self._channel)
        self._identity = identity

    async def close(self) -> None:
        await self._channel.close()

    async def evaluate(self, function: str, arguments: Any) -> bytes:
        tx_id, signed = self._proposal(function, arguments, None)
        request = gateway_pb2.EvaluateRequest(transaction_id=tx_id, channel_id="covenant", proposed_transaction=signed)
        answer = bytes((await self._stub.Evaluate(request)).result.payload)
        self.answered = len(answer)
        return answer

    async def submit(self, function: str, arguments: Any, evidence: Any = None) -> int:
        """The validation code."""
        tx_id, signed = self._proposal(function, arguments, evidence)
        names = {"transaction_id": tx_id, "channel_id": "covenant"}
        asking = gateway_pb2.EndorseRequest(
            proposed_transaction=signed, endorsing_organizations=self._endorsing, **names
        )
        answer = await self._stub.Endorse(asking)
        envelope = answer.prepared_transaction
        self.answered = len(envelope.payload)
        envelope.signature = self._identity.sign(envelope.payload)
        await self._order(gateway_pb2.SubmitRequest(prepared_transaction=envelope, **names))
        asked = gateway_pb2.CommitStatusRequest(identity=self._identity.serialized, **names).SerializeToString()
        status = gateway_pb2.SignedCommitStatusRequest(request=asked, signature=self._identity.sign(asked))
        return int((await self._stub.CommitStatus(status)).result)

    async def _order(self, request: Any) -> None:
        """Submit, and again while the orderers are overloaded, as ledger.gateway does."""
        for attempt in range(ATTEMPTS):
            try:
                await self._stub.Submit(request)
                return
            except grpc.aio.AioRpcError as error:
                failed = translate(error, SubmitError)
                if isinstance(failed, SubmitError) and failed.ordered:
                    self.ordered += 1
                    return
                if error.code() is not grpc.StatusCode.UNAVAILABLE or attempt == ATTEMPTS - 1:
                    raise
            self.resubmitted += 1
            await asyncio.sleep(0.05 * 2**attempt)

    def _proposal(self, function: str, arguments: Any, evidence: Any) -> tuple[str, Any]:
        nonce, creator = os.urandom(24), self._identity.serialized
        data = proposal.build(
            channel="covenant",
            chaincode="covenant",
            args=[function.encode(), canonical.encode(arguments)],
            creator=creator,
            nonce=nonce,
            seconds=int(time.time()),
            transient={} if evidence is None else {"evidence": canonical.encode(evidence)},
        )
        signed = proposal_pb2.SignedProposal(proposal_bytes=data, signature=self._identity.sign(data))
        return proposal.transaction_id(nonce, creator), signed


async def spread(work: list[Any], concurrency: int) -> tuple[float, list[float]]:
    """Call every function of `work`, `concurrency` at a time; seconds in all, and for each."""
    waiting, took = iter(work), []

    async def worker() -> None:
        for call in waiting:
            begin = time.perf_counter()
            await call()
            took.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    await asyncio.gather(*[worker() for _ in range(concurrency)])
    return time.perf_counter() - begin, sorted(took)
