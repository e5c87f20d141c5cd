"""The embedded ledger under load: four hospitals sign, every check is on, the load generator has the same cores.

    python tests/bench/bench_embedded_ledger.py [scale]      scale 1 (default): about half a minute

The baseline is this machine's own speed in the same run: P-256 verifications a second on one core. For a transaction
the server verifies four signatures (proposal, envelope, status request, the patient's grant) and makes four and a
share of the block's; the endorsements that come back in an envelope are compared with those it made a moment before,
byte for byte, and verified only when they differ (ledger/embedded/prepared.py). Each figure is also given as the
server's own CPU time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from ledger.embedded.create import create  # noqa: E402
from ledger.embedded.process import Process  # noqa: E402
from ledger.identity.ca import Authority  # noqa: E402
from ledger.identity.msp import Identity  # noqa: E402
from ledger.protocol import signing  # noqa: E402
from tests.bench.claims import claim  # noqa: E402
from tests.bench.ledger_load import Client, SignedGrant, signed_grant, spread  # noqa: E402

HOSPITALS = ["AlphaMSP", "BetaMSP", "DeltaMSP", "GammaMSP"]
TEXT = "heart-2026.1"


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "ledger"
        authorities = {name: Authority.create(name, f"ca.{name}") for name in HOSPITALS}
        create(directory, authorities, HOSPITALS, [])
        clerk = authorities[HOSPITALS[0]].issue("clerk", ["steward", "registrar"])
        verifications = baseline(clerk)
        with Process.start(directory) as process:
            asyncio.run(measure(process, clerk, scale, verifications))


def baseline(identity: Identity) -> float:
    """P-256 verifications a second, one core."""
    signature, key = identity.sign(b"message"), identity.key.public_key()
    begin = time.perf_counter()
    for _ in range(5000):
        signing.verify(key, signature, b"message")
    return 5000 / (time.perf_counter() - begin)


async def measure(process: Process, clerk: Identity, scale: float, verifications: float) -> None:
    client, server = Client(process.address, process.tls_ca, clerk), psutil.Process(process.popen.pid)
    await found(client)
    grants = [signed_grant(HOSPITALS[0], TEXT) for _ in range(int(6000 * scale))]
    warm, alone, many = grants[:200], grants[200:400], grants[400:]
    await spread([partial(record, client, each) for each in warm], 10)
    print(f"load average before: {os.getloadavg()[0]:.2f}, verifications: {verifications:.0f} /s on one core")

    _, took = await spread([partial(record, client, each) for each in alone], 1)
    for part, name, at_most in ((0.5, "p50", 3.5), (0.95, "p95", 5.0)):
        say(
            f"confirmed submit alone, {name}",
            took[int(len(took) * part)] * 1e3,
            "ms",
            4e3 / verifications,
            at_most=at_most,
        )

    async def rate(
        name: str, unit: str, work: list[Any], at_least: float, *, concurrency: int, each: int = 1, checks: int = 1
    ) -> None:
        begin = busy(server)
        seconds, _ = await spread(work, concurrency)
        count = len(work) * each
        say(name, count / seconds, f"{unit}/s", verifications / checks, at_least=at_least)
        print(f"    server CPU: {(busy(server) - begin) / count * 1e6:.0f} us each")

    singles = [partial(record, client, each) for each in many]
    await rate("committed single grants at 50", "tx", singles, 800, concurrency=50, checks=4)
    query = partial(client.evaluate, "consents:Get", {"commitment": many[0].sealed["commitment"]})
    await rate("evaluate at 50", "calls", [query] * int(6000 * scale), 3000, concurrency=50)
    batches = [batch([signed_grant(HOSPITALS[0], TEXT) for _ in range(500)]) for _ in range(max(2, int(20 * scale)))]
    work = [partial(record_batch, client, each) for each in batches]
    await rate("patient-signed grants in batches of 500", "grants", work, 12000, concurrency=4, each=500)
    await client.close()


def busy(process: psutil.Process) -> float:
    """CPU seconds that `process` has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


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
    arguments = {"grants": [each.sealed for each in grants]}
    code = await client.submit("consents:RecordBatch", arguments, [each.evidence for each in grants])
    assert code == 0, code


def say(name: str, value: float, unit: str, reference: float, **bound: float) -> None:
    claim(name, value, unit, baseline=("P-256 checks alone", reference), **bound)
    print(f"{name}: {value:.1f} {unit} (baseline P-256 checks alone: {reference:.1f}, ratio {value / reference:.2f})")


if __name__ == "__main__":
    main()
