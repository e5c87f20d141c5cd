"""Whole blocks, over the peer's Deliver service."""
from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2

from ledger.gateway.connection import Connection
from ledger.gateway.errors import BlocksError, translate


def blocks(connection: Connection, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes of each block from number `start` to `stop` inclusive; without `stop`, to the newest there is now.

    Raises BlocksError: `blocks.missing` when a block is not there, `blocks.denied`, or `gateway.blocks-failed`.
    """
    last = ab_pb2.SeekPosition(newest=ab_pb2.SeekNewest()) if stop is None else _at(stop)
    yield from _deliver(connection, _at(start), last)


def newest(connection: Connection) -> bytes:
    """The bytes of the newest block."""
    position = ab_pb2.SeekPosition(newest=ab_pb2.SeekNewest())
    return next(_deliver(connection, position, position))


def _deliver(connection: Connection, start: ab_pb2.SeekPosition, stop: ab_pb2.SeekPosition) -> Iterator[bytes]:
    seek = ab_pb2.SeekInfo(start=start, stop=stop, behavior=ab_pb2.SeekInfo.FAIL_IF_NOT_READY)
    call: Any = connection.deliver.Deliver(iter([_signed(connection, seek)]))
    try:
        for answer in call:
            if answer.WhichOneof("Type") == "block":
                yield bytes(answer.block.SerializeToString(deterministic=True))
            elif answer.status == common_pb2.SUCCESS:
                return
            else:
                raise _refused(answer.status)
        raise BlocksError("gateway.blocks-failed", "the stream of blocks ended before its last block: try again")
    except grpc.RpcError as error:
        raise translate(error, BlocksError) from error
    finally:
        call.cancel()


def _signed(connection: Connection, seek: ab_pb2.SeekInfo) -> common_pb2.Envelope:
    channel_header = common_pb2.ChannelHeader(type=common_pb2.DELIVER_SEEK_INFO, channel_id=connection.channel)
    channel_header.timestamp.GetCurrentTime()
    signature_header = common_pb2.SignatureHeader(creator=connection.signer.serialized, nonce=os.urandom(24))
    header = common_pb2.Header(
        channel_header=channel_header.SerializeToString(), signature_header=signature_header.SerializeToString()
    )
    payload = common_pb2.Payload(header=header, data=seek.SerializeToString()).SerializeToString()
    return common_pb2.Envelope(payload=payload, signature=connection.signer.sign(payload))


def _at(number: int) -> ab_pb2.SeekPosition:
    return ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=number))


def _refused(status: int) -> BlocksError:
    name = common_pb2.Status.Name(status)
    if status == common_pb2.NOT_FOUND:
        return BlocksError("blocks.missing", "the ledger does not have this block yet", status=name)
    if status == common_pb2.FORBIDDEN:
        return BlocksError("blocks.denied", "this identity may not read the channel's blocks", status=name)
    return BlocksError("gateway.blocks-failed", f"the ledger answered {name}", status=name)
