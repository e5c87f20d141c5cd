"""The embedded ledger under load: four hospitals sign, every check is on, the load generator has the same cores.

    python tests/bench/bench_embedded_ledger.py [scale]      scale 1 (default): about a minute

Two baselines, both of the same run, tell a slow machine from a slow ledger. Bare gRPC: a server in a process of its own
that answers the same client's messages over TLS at once, with as many bytes, and does nothing (bare_gateway.py). P-256
checks alone: verifications a second on one core; for a transaction the server verifies four signatures (proposal,
envelope, status request, the patient's grant) and makes four and a share of the block's; the endorsements that come
back in an envelope are compared with those it made a moment before, byte for byte, and verified only when they differ
(ledger/embedded/prepared.py). Each figure is also given as the server's own CPU time, which other work on the machine
disturbs less.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from ledger.contracts.sealed import batched  # noqa: E402
from ledger.embedded.create import create  # noqa: E402
from ledger.embedded.layout import Layout  # noqa: E402
from ledger.embedded.process import Process  # noqa: E402
from ledger.identity.ca import Authority  # noqa: E402
from ledger.identity.msp import Identity  # noqa: E402
from ledger.protocol import signing  # noqa: E402
from tests.bench.bare_gateway import bare  # noqa: E402
from tests.bench.claims import claim  # noqa: E402
from tests.bench.ledger_load import Client, SignedGrant, signed_grant, spread  # noqa: E402

HOSPITALS = ["AlphaMSP", "BetaMSP", "DeltaMSP", "GammaMSP"]
TEXT = "heart-2026.1"
BARE = "bare gRPC over TLS"


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "ledger"
        authorities = {name: Authority.create(name, f"ca.{name}") for name in HOSPITALS}
        create(directory, authorities, HOSPITALS, [])
        clerk = authorities[HOSPITALS[0]].issue("clerk", ["steward", "registrar"])
        verifications = baseline(clerk)
        with Process.start(directory) as process:
            asyncio.run(measure(Bench(process, Layout(directory).tls, clerk, verifications), scale))


def baseline(identity: Identity) -> float:
    """P-256 verifications a second, one core."""
    signature, key = identity.sign(b"message"), identity.key.public_key()
    begin = time.perf_counter()
    for _ in range(5000):
        signing.verify(key, signature, b"message")
    return 5000 / (time.perf_counter() - begin)


Work = Callable[[Client], list[Any]]


@dataclass(frozen=True)
class Bench:
    """A ledger, who asks it, and `verifications`: P-256 checks a second on one core."""

    process: Process
    tls: Path
    clerk: Identity
    verifications: float

    async def alone(self, client: Client, work: Work) -> None:
        _, took = await spread(work(client), 1)
        async with self._bare(client) as (_, empty):
            _, bare = await spread(work(empty), 1)
        for part, name, at_most in ((0.5, "p50", 3.5), (0.95, "p95", 5.0)):
            said = f"confirmed submit alone, {name}"
            transport, checks = bare[int(len(bare) * part)] * 1e3, 4e3 / self.verifications
            value = took[int(len(took) * part)] * 1e3
            claim(said, value, "ms", at_most=at_most, baseline=(BARE, transport))
            say(said, value, "ms", transport, checks)

    async def rate(
        self,
        client: Client,
        name: str,
        unit: str,
        work: Work,
        *,
        at_least: float,
        concurrency: int = 50,
        each: int = 1,
        checks: int = 1,
    ) -> None:
        """`each`: how many of what is counted there are in one call; `checks`: signatures verified for one."""

        async def run(calls: list[Any], server: psutil.Process) -> tuple[float, float]:
            begin = busy(server)
            seconds, _ = await spread(calls, concurrency)
            count = len(calls) * each
            return count / seconds, (busy(server) - begin) / count * 1e6

        measured, used = await run(work(client), psutil.Process(self.process.popen.pid))
        async with self._bare(client) as (server, empty):
            transport, idle = await run(work(empty), server)
        claim(name, measured, f"{unit}/s", at_least=at_least, baseline=(BARE, transport))
        say(name, measured, f"{unit}/s", transport, self.verifications / checks)
        signatures = checks * 1e6 / self.verifications
        print(f"    server CPU: {used:.0f} us each ({BARE}: {idle:.0f}; P-256 checks: {signatures:.0f})")

    @asynccontextmanager
    async def _bare(self, client: Client) -> AsyncIterator[tuple[psutil.Process, Client]]:
        """A server that does nothing, whose answers are as long as the last one to `client`; and a client of it."""
        with bare(self.tls, client.answered) as (process, address):
            empty = Client(address, self.process.tls_ca, self.clerk)
            yield psutil.Process(process.pid), empty
            await empty.close()


async def measure(bench: Bench, scale: float) -> None:
    client = Client(bench.process.address, bench.process.tls_ca, bench.clerk)
    await found(client)
    grants = [signed_grant(HOSPITALS[0], TEXT) for _ in range(int(6000 * scale))]
    warm, alone, many = grants[:200], grants[200:400], grants[400:]
    await spread([partial(record, client, each) for each in warm], 10)
    print(f"load average before: {os.getloadavg()[0]:.2f}, verifications: {bench.verifications:.0f} /s on one core")
    await bench.alone(client, lambda of: [partial(record, of, each) for each in alone])

    def singles(of: Client) -> list[Any]:
        return [partial(record, of, each) for each in many]

    def queries(of: Client) -> list[Any]:
        asked = {"commitment": many[0].sealed["commitment"]}
        return [partial(of.evaluate, "consents:Get", asked)] * int(6000 * scale)

    batches = [batch([signed_grant(HOSPITALS[0], TEXT) for _ in range(500)]) for _ in range(max(2, int(20 * scale)))]

    def full(of: Client) -> list[Any]:
        return [partial(record_batch, of, each) for each in batches]

    await bench.rate(client, "committed single grants at 50", "tx", singles, at_least=800, checks=4)
    await bench.rate(client, "evaluate at 50", "calls", queries, at_least=3000)
    name = "patient-signed grants in batches of 500"
    await bench.rate(client, name, "grants", full, at_least=12000, concurrency=4, each=500)
    await client.close()


def busy(process: psutil.Process) -> float:
    """CPU seconds that `process` and its helpers have used."""
    times = [each.cpu_times() for each in (process, *process.children())]
    return float(sum(each.user + each.system for each in times))


async def found(client: Client) -> None:
    for function, arguments in founding():
        await client.submit(function, arguments)


def founding() -> list[tuple[str, dict[str, Any]]]:
    """The consortium's first transactions: its members, and a consent version."""
    roles = ["peer", "registrar", "site", "steward"]
    organisations = [
        {"msp": name, "name": name, "kind": "hospital", "roles": roles, "origins": []} for name in HOSPITALS
    ]
    text = {"text": TEXT, "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
    return [("members:Found", {"organisations": organisations}), ("consents:PublishText", text)]


async def record(client: Client, each: SignedGrant) -> None:
    code = await client.submit("consents:Record", {"grant": each.sealed}, each.evidence)
    assert code == 0, code


def batch(grants: list[SignedGrant]) -> list[SignedGrant]:
    return sorted(grants, key=lambda each: str(each.sealed["commitment"]))


async def record_batch(client: Client, grants: list[SignedGrant]) -> None:
    arguments = batched(each.sealed for each in grants)
    code = await client.submit("consents:RecordBatch", arguments, [each.evidence for each in grants])
    assert code == 0, code


def say(name: str, value: float, unit: str, transport: float, checks: float) -> None:
    print(
        f"{name}: {value:.1f} {unit} (baseline {BARE}: {transport:.1f}, ratio {value / transport:.2f}; "
        f"baseline P-256 checks alone: {checks:.1f}, ratio {value / checks:.2f})"
    )


if __name__ == "__main__":
    main()
