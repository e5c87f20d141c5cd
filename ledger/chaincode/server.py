"""Serving the contracts to a peer: mutual TLS, until asked to stop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from fabric_protos.peer import chaincode_shim_pb2_grpc

from ledger import serving
from ledger.chaincode import operations
from ledger.chaincode.config import Config, credentials, split
from ledger.chaincode.metrics import Metrics
from ledger.chaincode.service import ChaincodeService
from ledger.contracts import host
from ledger.errors import LedgerError

LARGEST_MESSAGE = 100 * 1024 * 1024  # bytes, as the peer's own
GRACE = 5.0  # seconds that transactions under way get when the host stops
OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.so_reuseport", 0),  # a second host on this port is an error, not a competitor
    ("grpc.keepalive_permit_without_calls", 1),  # the peer pings an idle connection
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
]


def run(config: Path, ready: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Serve as `config` says until SIGTERM or SIGINT. `ready` is told the addresses in use.

    Raises LedgerError `host.config`, `host.wrong-source`, `host.port-in-use`, `host.certificate-expired`, `identity.*`.
    """
    settings = Config.load(config)
    own = host.source_digest()
    if own != settings.digest:
        raise LedgerError(
            "host.wrong-source",
            f"the package was made of the contracts {settings.digest[:16]}, installed here are {own[:16]}: install the"
            " code that the hospitals agreed on, or deploy what is installed",
        )
    key, certificate, peer_ca = credentials(settings.tls, config.parent)
    secret = grpc.ssl_server_credentials([(key, certificate)], peer_ca, require_client_auth=True)
    serving.run(serve(settings, secret, ready))


async def serve(settings: Config, secret: Any, ready: Callable[[dict[str, Any]], None]) -> None:
    """As `run`, on the running loop."""
    stop = serving.stop_signal()
    metrics = Metrics()
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1), "signatures") as threads:
        service = ChaincodeService(settings.package_id, settings.hospitals, threads, metrics)
        server = grpc.aio.server(options=OPTIONS)
        chaincode_shim_pb2_grpc.add_ChaincodeServicer_to_server(service, server)
        address, _ = split(settings.listen)
        said: dict[str, Any] = {"listen": f"{address}:{_bind(server, settings.listen, secret)}", "metrics": None}
        page = None
        if settings.metrics is not None:
            page = await _page(settings.metrics, service, metrics)
            said["metrics"] = "{}:{}".format(*page.sockets[0].getsockname()[:2])
        await server.start()
        serving.settle()
        ready({**said, "pid": os.getpid()})
        await stop.wait()
        await service.stop(GRACE)
        await server.stop(GRACE)
        if page is not None:
            page.close()


def _bind(server: Any, listen: str, secret: Any) -> int:
    """The port in use. Raises LedgerError `host.port-in-use`."""
    try:
        bound: int = server.add_secure_port(listen, secret)
    except RuntimeError as error:
        raise _taken(listen) from error
    return bound


async def _page(address: str, service: ChaincodeService, metrics: Metrics) -> asyncio.Server:
    try:
        return await operations.serve(*split(address), service, metrics)
    except OSError as error:
        raise _taken(address) from error


def _taken(address: str) -> LedgerError:
    return LedgerError("host.port-in-use", f"{address} is taken or not this machine's: choose another address")
