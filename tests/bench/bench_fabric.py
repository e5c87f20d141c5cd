"""A real Fabric network under load: four hospitals, each with peer, BFT orderer and host, and the load generator.

    python tests/bench/bench_fabric.py [scale]      scale 1 (default): about a minute

Every transaction is endorsed by three of four hospitals, ordered by four and validated by four. The baseline is this
machine's own speed in the same run, P-256 verifications a second on one core. Beside each rate stands the CPU time each
kind of process took for one transaction, which other work on the machine disturbs less.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from ledger.identity.ca import Authority  # noqa: E402
from ledger.network import binaries  # noqa: E402
from ledger.network.errors import NetworkError  # noqa: E402
from ledger.network.network import Network  # noqa: E402
from tests.bench.bench_embedded_ledger import HOSPITALS, TEXT, baseline, batch, found, record, record_batch  # noqa: E402
from tests.bench.ledger_load import Client, signed_grant, spread  # noqa: E402
from tests.support import fabric  # noqa: E402

PROFILES = {"latency": 50, "throughput": 200}  # milliseconds that an orderer waits for a fuller block


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    try:
        binaries.find()
    except NetworkError as error:
        print(error)
        return
    for profile, interval in PROFILES.items():
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            with fabric.running(Path(folder), HOSPITALS, [], interval) as network:
                print(f"profile {profile}, blocks every {interval} ms")
                print(f"up from nothing, contracts deployed: {time.perf_counter() - begin:.1f} s")
                asyncio.run(measure(network, scale))
    print(f"load average: {os.getloadavg()[0]:.2f}")


async def measure(network: Network, scale: float) -> None:
    hospital = network.plan.hospitals[0]
    clerk = Authority.load(network.layout.folder(hospital) / "ca").issue("clerk", ["steward", "registrar"])
    tls = network.layout.client_tls(hospital)
    client = Client(
        str(hospital.peer),
        network.layout.tls_ca(hospital).read_bytes(),
        clerk,
        tls_client=((tls / "server.pem").read_bytes(), (tls / "server.key").read_bytes()),
        endorsing=tuple(HOSPITALS[:3]),
    )
    print(f"baseline: {baseline(clerk):.0f} P-256 verifications/s on one core")
    await found(client)
    meter = Meter(network)
    grants = [signed_grant(HOSPITALS[0], TEXT) for _ in range(int(600 * scale))]
    few, many = grants[: len(grants) // 4], grants[len(grants) // 4 :]
    await meter.rate("single grants at 10 in flight", [partial(record, client, each) for each in few], 10)
    await meter.rate("single grants at 60 in flight", [partial(record, client, each) for each in many], 60)
    query = partial(client.evaluate, "consents:Get", {"commitment": many[0].sealed["commitment"]})
    await meter.rate("evaluations at 50 in flight", [query] * int(1600 * scale), 50)
    batches = [batch([signed_grant(HOSPITALS[0], TEXT) for _ in range(500)]) for _ in range(max(4, int(6 * scale)))]
    work = [partial(record_batch, client, each) for each in batches]
    await meter.rate("patient-signed grants in batches of 500, 4 in flight", work, 4, each=500)
    print(f"    sent again because the orderers were overloaded: {client.resubmitted}")
    print("    memory: " + ", ".join(f"{kind} {size:.0f} MB" for kind, size in meter.memory().items()))
    await client.close()


class Meter:
    """What the processes of a network, and this one, use."""

    def __init__(self, network: Network) -> None:
        self._kinds: dict[str, list[psutil.Process]] = {"client": [psutil.Process()]}
        for node in network.nodes:
            for process in node.processes:
                assert process.pid is not None
                kind = process.name.split(".")[1].split("-")[0]
                self._kinds.setdefault(kind, []).append(psutil.Process(process.pid))

    async def rate(
        self, name: str, work: list[Callable[[], Awaitable[Any]]], concurrency: int, *, each: int = 1
    ) -> None:
        before = self._busy()
        seconds, took = await spread(work, concurrency)
        count = len(work) * each
        p50, p95 = (took[int(len(took) * part)] * 1e3 for part in (0.5, 0.95))
        print(f"{name}: {count / seconds:.0f}/s, p50 {p50:.0f} ms, p95 {p95:.0f} ms")
        used = {kind: (value - before[kind]) / count * 1e3 for kind, value in self._busy().items()}
        total = sum(used.values())
        print(f"    CPU: {total:.2f} ms each: " + ", ".join(f"{kind} {value:.2f}" for kind, value in used.items()))

    def memory(self) -> dict[str, float]:
        """Megabytes that each kind of process holds alone (USS)."""
        return {
            kind: sum(each.memory_full_info().uss for each in processes) / 1e6
            for kind, processes in self._kinds.items()
            if kind != "client"
        }

    def _busy(self) -> dict[str, float]:
        return {kind: sum(sum(each.cpu_times()[:2]) for each in processes) for kind, processes in self._kinds.items()}


if __name__ == "__main__":
    main()
