"""Requests to Fabric's Deliver service: from which block to which, as a signed envelope."""

from __future__ import annotations

from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2

from ledger.errors import LedgerError
from ledger.protocol.exact import parse, serialise


@dataclass(frozen=True, slots=True)
class Seek:
    """Blocks `start` to `stop`, both included; None for the newest. `wait`: for blocks that do not yet exist.

    `seconds`: the client's time; `payload`: the bytes that `creator` signed.
    """

    channel: str
    start: int | None
    stop: int | None
    wait: bool
    creator: bytes
    seconds: int
    payload: bytes


def build(
    *,
    channel: str,
    start: int | None,
    stop: int | None,
    wait: bool,
    creator: bytes,
    nonce: bytes,
    seconds: int,
    tls_hash: bytes = b"",
) -> bytes:
    """The payload of the envelope, for its creator to sign. `tls_hash`: SHA-256 of the certificate that the creator's
    connection shows, if any.
    """
    info = ab_pb2.SeekInfo(
        start=_position(start),
        stop=_position(stop),
        behavior=ab_pb2.SeekInfo.BLOCK_UNTIL_READY if wait else ab_pb2.SeekInfo.FAIL_IF_NOT_READY,
    )
    header = common_pb2.ChannelHeader(
        type=common_pb2.DELIVER_SEEK_INFO,
        channel_id=channel,
        timestamp={"seconds": seconds},
        tls_cert_hash=tls_hash,
    )
    signer = common_pb2.SignatureHeader(creator=creator, nonce=nonce)
    parts = {"channel_header": serialise(header), "signature_header": serialise(signer)}
    return serialise(common_pb2.Payload(header=parts, data=serialise(info)))


def open_seek(payload: bytes) -> Seek:
    """Read such a payload. Raises LedgerError `bytes.*`, `seek.malformed`."""
    outer = parse(common_pb2.Payload, payload, "seek payload")
    header = parse(common_pb2.ChannelHeader, outer.header.channel_header, "channel header")
    signer = parse(common_pb2.SignatureHeader, outer.header.signature_header, "signature header")
    info = parse(ab_pb2.SeekInfo, outer.data, "seek request")
    if header.type != common_pb2.DELIVER_SEEK_INFO or not info.HasField("start") or not info.HasField("stop"):
        raise LedgerError("seek.malformed", "a seek request names where to start and where to stop")
    if info.content_type != ab_pb2.SeekInfo.BLOCK:
        raise LedgerError("seek.malformed", "only whole blocks are delivered")
    wait = info.behavior == ab_pb2.SeekInfo.BLOCK_UNTIL_READY
    start, stop = _number(info.start), _number(info.stop)
    return Seek(header.channel_id, start, stop, wait, signer.creator, header.timestamp.seconds, payload)


def _position(number: int | None) -> ab_pb2.SeekPosition:
    if number is None:
        return ab_pb2.SeekPosition(newest=ab_pb2.SeekNewest())
    return ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=number))


def _number(position: ab_pb2.SeekPosition) -> int | None:
    kind = position.WhichOneof("Type")
    if kind == "specified":
        return int(position.specified.number)
    if kind == "oldest":
        return 0
    if kind == "newest":
        return None
    raise LedgerError("seek.malformed", "start and stop are oldest, newest or a block's number")
