"""A real Fabric network under load: four hospitals, each with peer, BFT orderer and host, and the load generator.

    python tests/bench/bench_fabric.py [scale]      scale 1 (default): about a minute for each profile

Every transaction is endorsed by three of four hospitals, ordered by four and validated by four. The baseline is this
machine's own speed in the same run, P-256 verifications a second on one core. Beside each rate stands the CPU time each
kind of process took for one transaction, which other work on the machine disturbs less, and what two cores that do
nothing else would reach by it at the most.
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
from ledger.identity.msp import Identity  # noqa: E402
from ledger.network.network import Network  # noqa: E402
from ledger.network.plan import PROFILES  # noqa: E402
from tests.bench.bench_embedded_ledger import (  # noqa: E402
    HOSPITALS,
    TEXT,
    baseline,
    batch,
    founding,
    record,
    record_batch,
)
from tests.bench.claims import claim  # noqa: E402
from tests.bench.ledger_load import Client, signed_grant, spread  # noqa: E402
from tests.support import fabric  # noqa: E402

CORES = 2  # that the bounds were set for
ENDORSING = 3  # of four hospitals
RATES = {  # the least that a profile promises, a second
    "latency": {"evaluations": 3000.0},
    "throughput": {"single grants at 60": 220.0, "patient-signed grants in batches of 500": 5000.0},
}
WAITS = {"latency": {0.5: 80.0, 0.95: 120.0}}  # part of the transactions at 10 in flight -> milliseconds at the most
UP, MEMORY = 20.0, 1300.0  # seconds, megabytes


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    for profile in PROFILES:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            with fabric.running(Path(folder), HOSPITALS, [], profile) as network:
                took = time.perf_counter() - begin
                clerk = Authority.load(network.layout.folder(network.plan.hospitals[0]) / "ca").issue(
                    "clerk", ["steward", "registrar"]
                )
                print(f"profile {profile}: blocks every {PROFILES[profile]} ms")
                asyncio.run(measure(network, clerk, profile, scale, Report(profile, network, baseline(clerk), took)))
    print(f"load average: {os.getloadavg()[0]:.2f}")


async def measure(network: Network, clerk: Identity, profile: str, scale: float, report: Report) -> None:
    await asyncio.to_thread(found, network, clerk)
    client = client_of(network, clerk)
    grants = [signed_grant(HOSPITALS[0], TEXT) for _ in range(int(1200 * scale))]
    warm, few, many = grants[:50], grants[50 : len(grants) // 4], grants[len(grants) // 4 :]
    await spread([partial(record, client, each) for each in warm], 10)
    await report.rate("single grants at 10", [partial(record, client, each) for each in few], 10)
    await report.rate("single grants at 60", [partial(record, client, each) for each in many], 60)
    query = partial(client.evaluate, "consents:Get", {"commitment": many[0].sealed["commitment"]})
    await report.rate("evaluations", [query] * int(4000 * scale), 50)
    batches = [batch([signed_grant(HOSPITALS[0], TEXT) for _ in range(500)]) for _ in range(max(4, int(10 * scale)))]
    work = [partial(record_batch, client, each) for each in batches]
    await report.rate("patient-signed grants in batches of 500", work, 4, each=500)
    print(f"    sent again, as orderers were overloaded: {client.resubmitted}; refused, but ordered: {client.ordered}")
    report.memory()
    await client.close()


def found(network: Network, clerk: Identity) -> None:
    """The consortium and one consent version; as any client, again when a peer has not yet the block of a step."""
    with fabric.connect(network, HOSPITALS[0], clerk) as door:
        for function, arguments in founding():
            door.contract.submit(function, arguments)


def client_of(network: Network, clerk: Identity) -> Client:
    hospital = network.plan.hospitals[0]
    tls = network.layout.client_tls(hospital)
    shown = (tls / "server.pem").read_bytes(), (tls / "server.key").read_bytes()
    ca = network.layout.tls_ca(hospital).read_bytes()
    return Client(str(hospital.peer), ca, clerk, tls_client=shown, endorsing=tuple(HOSPITALS[:ENDORSING]))


class Report:
    """What a network of one profile, and this process, use and reach."""

    def __init__(self, profile: str, network: Network, verifications: float, up: float) -> None:
        self._profile, self._verifications = profile, verifications
        self._kinds: dict[str, list[psutil.Process]] = {"client": [psutil.Process()]}
        for node in network.nodes:
            for process in node.processes:
                assert process.pid is not None
                kind = process.name.split(".")[1].split("-")[0]
                self._kinds.setdefault(kind, []).append(psutil.Process(process.pid))
        print(f"up from nothing, contracts deployed: {up:.1f} s")
        self._claim("up from nothing", up, "s", at_most=UP, baseline=("bound", UP))

    async def rate(
        self, name: str, work: list[Callable[[], Awaitable[Any]]], concurrency: int, *, each: int = 1
    ) -> None:
        before = self._busy()
        seconds, took = await spread(work, concurrency)
        count = len(work) * each
        rate, waited = count / seconds, {part: took[int(len(took) * part)] * 1e3 for part in (0.5, 0.95)}
        print(f"{name}: {rate:.0f}/s, p50 {waited[0.5]:.0f} ms, p95 {waited[0.95]:.0f} ms")
        used = {kind: (value - before[kind]) / count * 1e3 for kind, value in self._busy().items()}
        total = sum(used.values())
        print(f"    CPU: {total:.2f} ms each: " + ", ".join(f"{kind} {value:.2f}" for kind, value in used.items()))
        print(f"    {CORES} cores that do nothing else: {CORES * 1e3 / total:.0f}/s at the most")
        if each > 1:
            checks = ENDORSING * 1e3 / self._verifications
            print(f"    of it the patients' signatures, checked by {ENDORSING} hosts: {checks:.2f} ms each")
        if least := RATES[self._profile].get(name):
            self._claim(name, rate, "/s", at_least=least, baseline=("P-256 checks", self._verifications))
        if concurrency == 10:
            for part, at_most in WAITS.get(self._profile, {}).items():
                interval = float(PROFILES[self._profile])
                self._claim(
                    f"{name}, p{100 * part:.0f}", waited[part], "ms", at_most=at_most, baseline=("interval", interval)
                )

    def memory(self) -> None:
        """Megabytes of each kind of process, shared pages counted once (PSS)."""
        sizes = {
            kind: sum(each.memory_full_info().pss for each in processes) / 1e6
            for kind, processes in self._kinds.items()
            if kind != "client"
        }
        print("    memory: " + ", ".join(f"{kind} {size:.0f} MB" for kind, size in sizes.items()))
        self._claim("memory after load", sum(sizes.values()), "MB", at_most=MEMORY, baseline=("bound", MEMORY))

    def _claim(self, name: str, measured: float, unit: str, **bound: Any) -> None:
        claim(f"Fabric, {self._profile}: {name}", measured, unit, **bound)

    def _busy(self) -> dict[str, float]:
        return {kind: sum(sum(each.cpu_times()[:2]) for each in processes) for kind, processes in self._kinds.items()}


if __name__ == "__main__":
    main()
