"""The one place where an error becomes a gRPC answer (docs/formats/ledger.md, Refusals)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any, NoReturn

import grpc
from fabric_protos.gateway import gateway_pb2

from ledger.errors import LedgerError, Refused
from ledger.gateway import rpc_status

log = logging.getLogger(__name__)

STATUS = {
    "identity": grpc.StatusCode.PERMISSION_DENIED,
    "signature": grpc.StatusCode.PERMISSION_DENIED,
    "endorsement": grpc.StatusCode.FAILED_PRECONDITION,
    "proposal.duplicate": grpc.StatusCode.ALREADY_EXISTS,
    "channel.unknown": grpc.StatusCode.NOT_FOUND,
    "chaincode.unknown": grpc.StatusCode.NOT_FOUND,
    "ledger.disk-full": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "ledger.stopping": grpc.StatusCode.UNAVAILABLE,
    "ledger": grpc.StatusCode.INTERNAL,
}


async def abort(context: Any, error: LedgerError, refused: grpc.StatusCode, address: str, msp_id: str) -> NoReturn:
    """End a call with `error`; a contract's refusal has gRPC status `refused`, as the step demands."""
    if isinstance(error, Refused):
        status, text = refused, f"chaincode response 500, {error}"
    else:
        area = error.code.split(".", maxsplit=1)[0]
        status = STATUS.get(error.code) or STATUS.get(area) or grpc.StatusCode.INVALID_ARGUMENT
        text = str(error)
    detail = gateway_pb2.ErrorDetail(address=address, msp_id=msp_id, message=text)
    packed = rpc_status.pack(status.value[0], text, [detail])
    await context.abort(status, text, ((rpc_status.METADATA_KEY, packed),))
    raise AssertionError("abort returned")  # it raises; this tells the type checker


def fault(method: Any) -> LedgerError:
    """For an error of the server itself: what it was goes to the log, not to the client."""
    log.exception("%s failed", method.__name__)
    return LedgerError("ledger.failed", "the ledger failed; its log says more")


Call = Callable[[Any, Any, Any], Awaitable[Any]]
Stream = Callable[[Any, Any, Any], AsyncIterator[Any]]


def answered(refused: grpc.StatusCode) -> Callable[[Call], Call]:
    """A servicer's method whose LedgerErrors become gRPC answers; the servicer has `address` and `msp_id`."""

    def decorate(method: Call) -> Call:
        @wraps(method)
        async def call(service: Any, request: Any, context: Any) -> Any:
            try:
                return await method(service, request, context)
            except LedgerError as error:
                await abort(context, error, refused, service.address, service.msp_id)
            except Exception:
                await abort(context, fault(method), refused, service.address, service.msp_id)

        return call

    return decorate


def streamed(method: Stream) -> Stream:
    """The same for a method that answers with a stream."""

    @wraps(method)
    async def stream(service: Any, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            async for answer in method(service, request, context):
                yield answer
        except LedgerError as error:
            await abort(context, error, grpc.StatusCode.ABORTED, service.address, service.msp_id)
        except Exception:
            await abort(context, fault(method), grpc.StatusCode.ABORTED, service.address, service.msp_id)

    return stream
