"""Serving an embedded ledger: TLS on loopback, until asked to stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from fabric_protos.gateway import gateway_pb2_grpc
from fabric_protos.peer import events_pb2_grpc

from ledger import serving
from ledger.embedded.deliver_service import DeliverService
from ledger.embedded.gateway_service import GatewayService
from ledger.embedded.layout import Layout
from ledger.embedded.node import Node
from ledger.errors import LedgerError
from ledger.identity import files

HOST = "127.0.0.1"
LARGEST_MESSAGE = 64 * 1024 * 1024  # bytes
GRACE = 2.0  # seconds that calls under way get when the server stops
OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.so_reuseport", 0),  # a second server on this port is an error, not a competitor
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),  # idle followers ping
]


def run(directory: Path, port: int = 0, ready: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Serve `directory` until SIGTERM or SIGINT. `port` 0: any free one; `ready` is told what address.json says.

    Raises LedgerError `ledger.no-directory`, `ledger.directory-in-use`, `ledger.port-in-use`, and others that say why
    the directory cannot be served.
    """
    serving.run(serve(directory, port, ready))


async def serve(directory: Path, port: int, ready: Callable[[dict[str, Any]], None]) -> None:
    """As `run`, on the running loop."""
    stop = serving.stop_signal()
    layout = Layout(directory)
    lock = layout.lock()
    try:
        node = Node(layout)
        server = grpc.aio.server(options=OPTIONS)
        try:
            bound = _bind(server, layout, port)
            node.address = f"{HOST}:{bound}"
            gateway_pb2_grpc.add_GatewayServicer_to_server(GatewayService(node), server)
            events_pb2_grpc.add_DeliverServicer_to_server(DeliverService(node), server)
            await server.start()
            serving.settle()
            ready(layout.announce(HOST, bound))
            await stop.wait()
        finally:
            layout.retract()
            node.stopping = True
            await server.stop(GRACE)
            await node.close()
    finally:
        os.close(lock)


def _bind(server: Any, layout: Layout, port: int) -> int:
    """The port in use. Raises LedgerError `ledger.port-in-use`."""
    key, certificate = files.read(layout.tls / "server.key"), files.read(layout.tls / "server.pem")
    credentials = grpc.ssl_server_credentials([(key, certificate)])
    try:
        bound: int = server.add_secure_port(f"{HOST}:{port}", credentials)
    except RuntimeError as error:
        reason = f"port {port} of {HOST} is taken: choose another, or stop who uses it"
        raise LedgerError("ledger.port-in-use", reason) from error
    return bound
