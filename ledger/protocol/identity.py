"""SerializedIdentity: how Fabric names who signed: the organisation and the certificate, PEM."""

from __future__ import annotations

from fabric_protos.msp import identities_pb2

from ledger.protocol.exact import parse, serialise


def pack(msp_id: str, certificate: bytes) -> bytes:
    """The bytes that stand as creator and endorser. `certificate`: PEM."""
    return serialise(identities_pb2.SerializedIdentity(mspid=msp_id, id_bytes=certificate))


def unpack(data: bytes) -> tuple[str, bytes]:
    """(organisation, PEM certificate). Raises LedgerError `bytes.*`; whether to believe it is for ledger.identity."""
    message = parse(identities_pb2.SerializedIdentity, data, "identity")
    return message.mspid, message.id_bytes
