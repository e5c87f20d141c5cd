"""A client's proposal: what is asked, by whom, when; and how transient data is taken out of it.

    peer.Proposal { header: common.Header { channel_header, signature_header }, payload: ChaincodeProposalPayload }

The transaction id is SHA-256(nonce + creator), the proposal hash SHA-256(channel header + signature header + payload
without transient data): Fabric's protoutil.ComputeTxID and GetProposalHash1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2

from ledger.errors import LedgerError
from ledger.protocol.exact import parse, read, serialise

NONCE_BYTES = 24


@dataclass(frozen=True, slots=True)
class Heading:
    """What the two headers of a proposal, or of the transaction made of it, say. `seconds`, `nanos`: the client's
    time.
    """

    channel: str
    chaincode: str
    tx_id: str
    seconds: int
    nanos: int
    creator: bytes
    nonce: bytes
    channel_header: bytes
    signature_header: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    """An opened proposal. `payload` is its payload as blocks keep it: without the `transient` data."""

    heading: Heading
    args: tuple[bytes, ...]
    transient: dict[str, bytes]
    payload: bytes

    @property
    def hash(self) -> bytes:
        return proposal_hash(self.heading, self.payload)


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """64 lower-case hex characters."""
    return sha256(nonce + creator).hexdigest()


def proposal_hash(heading: Heading, payload: bytes) -> bytes:
    """What endorsers sign for: both headers as they came, and the payload without transient data (32 bytes)."""
    return sha256(heading.channel_header + heading.signature_header + payload).digest()


def build(
    *,
    channel: str,
    chaincode: str,
    args: Sequence[bytes],
    creator: bytes,
    nonce: bytes,
    seconds: int,
    nanos: int = 0,
    transient: Mapping[str, bytes] | None = None,
) -> bytes:
    """The bytes a client signs. `creator`: its SerializedIdentity; `nonce`: 24 random bytes; time in UTC since 1970."""
    name = chaincode_pb2.ChaincodeID(name=chaincode)
    channel_header = common_pb2.ChannelHeader(
        type=common_pb2.ENDORSER_TRANSACTION,
        channel_id=channel,
        tx_id=transaction_id(nonce, creator),
        timestamp={"seconds": seconds, "nanos": nanos},
        extension=serialise(proposal_pb2.ChaincodeHeaderExtension(chaincode_id=name)),
    )
    specification = chaincode_pb2.ChaincodeSpec(
        type=chaincode_pb2.ChaincodeSpec.NODE,  # what Fabric's own gateway clients send; peers ignore it
        chaincode_id=name,
        input=chaincode_pb2.ChaincodeInput(args=list(args)),
    )
    header = common_pb2.Header(
        channel_header=serialise(channel_header),
        signature_header=serialise(common_pb2.SignatureHeader(creator=creator, nonce=nonce)),
    )
    payload = proposal_pb2.ChaincodeProposalPayload(
        input=serialise(chaincode_pb2.ChaincodeInvocationSpec(chaincode_spec=specification)),
        TransientMap=transient or {},
    )
    return serialise(proposal_pb2.Proposal(header=serialise(header), payload=serialise(payload)))


def open_proposal(data: bytes) -> Proposal:
    """Read a proposal strictly. Signatures are not checked here.

    Raises LedgerError `bytes.*`, `proposal.type`, `proposal.tx-id`, `proposal.header`, `proposal.chaincode`.
    """
    message = parse(proposal_pb2.Proposal, data, "proposal")
    heading = open_heading(parse(common_pb2.Header, message.header, "proposal header"))
    payload = read(proposal_pb2.ChaincodeProposalPayload, message.payload, "proposal payload")
    args = open_input(payload.input, heading.chaincode)
    return Proposal(heading, args, dict(payload.TransientMap), strip(payload))


def open_heading(header: Any) -> Heading:
    """Read both headers of a common.Header. Raises as `open_proposal`."""
    channel = parse(common_pb2.ChannelHeader, header.channel_header, "channel header")
    signature = parse(common_pb2.SignatureHeader, header.signature_header, "signature header")
    if channel.type != common_pb2.ENDORSER_TRANSACTION:
        raise LedgerError("proposal.type", "only endorser transactions can be proposed")
    if len(signature.nonce) != NONCE_BYTES or not signature.creator:
        raise LedgerError("proposal.header", "a proposal names its creator and carries a nonce of 24 bytes")
    if channel.version or channel.epoch or channel.tls_cert_hash or not channel.HasField("timestamp"):
        raise LedgerError("proposal.header", "version and epoch are 0, no TLS binding is used, the time is given")
    if channel.tx_id != transaction_id(signature.nonce, signature.creator):
        raise LedgerError("proposal.tx-id", "the transaction id is not the digest of nonce and creator")
    extension = parse(proposal_pb2.ChaincodeHeaderExtension, channel.extension, "header extension")
    return Heading(
        channel.channel_id,
        extension.chaincode_id.name,
        channel.tx_id,
        channel.timestamp.seconds,
        channel.timestamp.nanos,
        signature.creator,
        signature.nonce,
        header.channel_header,
        header.signature_header,
    )


def open_input(data: bytes, chaincode: str) -> tuple[bytes, ...]:
    """The arguments in a ChaincodeInvocationSpec that must name `chaincode`. Raises `bytes.*`, `proposal.chaincode`."""
    specification = parse(chaincode_pb2.ChaincodeInvocationSpec, data, "invocation").chaincode_spec
    if specification.chaincode_id.name != chaincode or not chaincode:
        raise LedgerError("proposal.chaincode", "header and invocation name different chaincodes")
    return tuple(specification.input.args)


def strip(payload: Any) -> bytes:
    """A ChaincodeProposalPayload's bytes without its transient data: what endorsers bind to and blocks keep."""
    return serialise(proposal_pb2.ChaincodeProposalPayload(input=payload.input))
