"""Whole blocks, over the Deliver service that Fabric's peers and the embedded ledger both serve."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import grpc
from fabric_protos.common import common_pb2

from ledger.gateway.connection import Connection
from ledger.gateway.errors import BlocksError, translate
from ledger.protocol import block, seek


def blocks(connection: Connection, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes of each block from number `start` to `stop` inclusive; without `stop`, to the newest there is now.

    Raises BlocksError: `blocks.missing` when a block is not there, `blocks.denied`, or `gateway.blocks-failed`.
    """
    yield from _deliver(connection, start, stop)


def newest(connection: Connection) -> bytes:
    """The bytes of the newest block. Raises as `blocks`."""
    return next(_deliver(connection, None, None))


def _deliver(connection: Connection, start: int | None, stop: int | None) -> Iterator[bytes]:
    call: Any = connection.deliver.Deliver(iter([request(connection, start, stop, wait=False)]))
    try:
        for answer in call:
            if answer.WhichOneof("Type") == "block":
                yield block.shared(answer.block)
            elif answer.status == common_pb2.SUCCESS:
                return
            else:
                raise refused(answer.status)
        raise BlocksError("gateway.blocks-failed", "the stream of blocks ended before its last block: try again")
    except grpc.RpcError as error:
        raise translate(error, BlocksError) from error
    finally:
        call.cancel()


def request(connection: Connection, start: int | None, stop: int | None, *, wait: bool) -> common_pb2.Envelope:
    """What the Deliver service is sent. `start`, `stop`: None for the newest block there is. `wait`: for the others."""
    payload = seek.build(
        channel=connection.channel,
        start=start,
        stop=stop,
        wait=wait,
        creator=connection.signer.serialized,
        nonce=os.urandom(24),
        seconds=int(time.time()),
        tls_hash=connection.tls_hash,
    )
    return common_pb2.Envelope(payload=payload, signature=connection.signer.sign(payload))


def refused(status: int) -> BlocksError:
    """Why there are no blocks, or no more of them."""
    name = common_pb2.Status.Name(status)
    if status == common_pb2.NOT_FOUND:
        return BlocksError("blocks.missing", "the ledger does not have this block yet", status=name)
    if status == common_pb2.FORBIDDEN:
        return BlocksError("blocks.denied", "this identity may not read the channel's blocks", status=name)
    return BlocksError("gateway.blocks-failed", f"the ledger answered {name}", status=name)
