"""Offline verification of what a real Fabric network wrote: transactions a second, by one process. bench_verify.py
measures what more processes bring.

Each transaction has a client's signature and three endorsements, each block those of three of four BFT orderers. The
baseline is the bare OpenSSL check of as many signatures in the same run.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

from ledger.identity.ca import Authority  # noqa: E402
from ledger.identity.msp import Identity  # noqa: E402
from ledger.network.network import Network  # noqa: E402
from ledger.protocol import genesis  # noqa: E402
from ledger.verify import export, framing, verify  # noqa: E402
from ledger.verify.parallel import sealed  # noqa: E402
from tests.bench.bench_embedded_ledger import HOSPITALS, TEXT, baseline, record  # noqa: E402
from tests.bench.bench_fabric import client_of, found  # noqa: E402
from tests.bench.bench_verify import seconds  # noqa: E402
from tests.bench.ledger_load import signed_grant, spread  # noqa: E402
from tests.support import fabric  # noqa: E402

GRANTS, IN_FLIGHT = 600, 60


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.blocks"
        with fabric.running(Path(folder) / "network", HOSPITALS, []) as network:
            authority = Authority.load(network.layout.folder(network.plan.hospitals[0]) / "ca")
            clerk = authority.issue("clerk", ["steward", "registrar"])
            asyncio.run(load(network, clerk, int(GRANTS * scale)))
            with fabric.connect(network, HOSPITALS[0], clerk) as door:
                began = time.perf_counter()
                blocks = export(door, path)
                took = time.perf_counter() - began
        print(f"export: {blocks} blocks, {path.stat().st_size / 1e6:.1f} MB in {took:.2f} s")
        measure(path, baseline(clerk))


async def load(network: Network, clerk: Identity, count: int) -> None:
    await asyncio.to_thread(found, network, clerk)
    client = client_of(network, clerk)
    await spread([partial(record, client, signed_grant(HOSPITALS[0], TEXT)) for _ in range(count)], IN_FLIGHT)
    await client.close()


def measure(path: Path, bare: float) -> None:
    """`bare`: P-256 verifications a second of one core."""
    first, *rest = framing.read(path)
    config = genesis.read(first)
    report = verify(path, config.digest, workers=1).report
    count, each = report.transactions, report.signatures / report.transactions
    print(f"ledger: {count} transactions in {report.height} blocks, {each:.1f} signatures a transaction")
    one = count / seconds(lambda: deque(sealed(iter(rest), config, "covenant", 1), 0))
    said = f"(baseline bare OpenSSL checks: {bare / each:.0f}, ratio {one * each / bare:.2f})"
    print(f"verify signatures and hashes, 1 process: {one:.0f} transactions/s {said}")
    whole = count / seconds(lambda: verify(path, config.digest, workers=1))
    print(f"verify everything, 1 process: {whole:.0f} transactions/s (baseline without replay: {one:.0f})")


if __name__ == "__main__":
    main()
