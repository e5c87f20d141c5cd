"""The host's page for its operator: GET /metrics and GET /healthz, plain HTTP, meant for the machine's own network."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

from ledger.chaincode.metrics import Metrics
from ledger.chaincode.service import ChaincodeService

PATIENCE = 5.0  # seconds for a request to arrive
LONGEST = 8 * 1024  # bytes of a request


async def serve(host: str, port: int, service: ChaincodeService, metrics: Metrics) -> asyncio.Server:
    """Listen. Raises OSError when the port is taken."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            status, body = respond(head.split(b"\r\n", 1)[0], service, metrics)
            plain = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close"
            when = f"Date: {formatdate(time.time(), usegmt=True)}"  # the clock that transactions are held against
            length = f"Content-Length: {len(body)}"
            writer.write(f"HTTP/1.1 {status}\r\n{plain}\r\n{when}\r\n{length}\r\n\r\n".encode() + body)
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=LONGEST)


def respond(request: bytes, service: ChaincodeService, metrics: Metrics) -> tuple[str, bytes]:
    """The status line and body for a request line."""
    if request.startswith(b"GET /metrics "):
        return "200 OK", metrics.text(healthy=service.healthy).encode()
    if request.startswith(b"GET /healthz "):
        return ("200 OK", b"ok\n") if service.healthy else ("503 Service Unavailable", b"no peer is registered\n")
    return "404 Not Found", b"GET /metrics or /healthz\n"
