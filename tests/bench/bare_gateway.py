"""A Gateway service that does nothing: what gRPC over TLS costs by itself, on this machine, in the same run.

    python tests/bench/bare_gateway.py TLS BYTES      TLS: folder with server.key and server.pem

It answers the messages of a ledger at once with as many bytes as the ledger answered with: nobody is checked, nothing
is run or kept. What a ledger does more slowly than this, it spends on its own work; what both do slowly is the machine.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2, gateway_pb2_grpc

sys.path.insert(0, str(Path(__file__).parents[2]))

from ledger import serving  # noqa: E402
from ledger.embedded.server import HOST, OPTIONS  # noqa: E402


@contextmanager
def bare(tls: Path, answered: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The serving process, which ends with the block, and its address. `answered`: bytes an answer."""
    command = [sys.executable, __file__, str(tls), str(answered)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


class BareGateway(gateway_pb2_grpc.GatewayServicer):  # type: ignore[misc]  # generated code is untyped
    """Answers everything with `answer`."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def Evaluate(self, request: Any, context: Any) -> Any:
        return gateway_pb2.EvaluateResponse(result={"status": 200, "payload": self._answer})

    async def Endorse(self, request: Any, context: Any) -> Any:
        return gateway_pb2.EndorseResponse(prepared_transaction=common_pb2.Envelope(payload=self._answer))

    async def Submit(self, request: Any, context: Any) -> Any:
        return gateway_pb2.SubmitResponse()

    async def CommitStatus(self, request: Any, context: Any) -> Any:
        return gateway_pb2.CommitStatusResponse(result=0, block_number=1)


async def serve(tls: Path, answered: int) -> None:
    stop = serving.stop_signal()
    server = grpc.aio.server(options=OPTIONS)
    pair = (tls / "server.key").read_bytes(), (tls / "server.pem").read_bytes()
    port = server.add_secure_port(f"{HOST}:0", grpc.ssl_server_credentials([pair]))
    gateway_pb2_grpc.add_GatewayServicer_to_server(BareGateway(bytes(answered)), server)
    await server.start()
    print(f"{HOST}:{port}", flush=True)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    serving.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
