"""The embedded ledger under load: four hospitals sign, every check is on, the load generator has the same cores.

    python tests/bench/bench_embedded_ledger.py [scale]      scale 1 (default): about half a minute

The baseline is this machine's own speed in the same run: P-256 verifications a second on one core. A transaction needs eight
(proposal, envelope, status request, patient's grant, four endorsements) and six signatures.
"""
from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from ledger_load import Client, SignedGrant, signed_grant, spread

from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from ledger.protocol import signing

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
            asyncio.run(measure(process.address, process.tls_ca, clerk, scale, verifications))


def baseline(identity: Identity) -> float:
    """P-256 verifications a second, one core."""
    signature, key = identity.sign(b"message"), identity.key.public_key()
    begin = time.perf_counter()
    for _ in range(5000):
        signing.verify(key, signature, b"message")
    return 5000 / (time.perf_counter() - begin)


async def measure(address: str, tls_ca: bytes, clerk: Identity, scale: float, verifications: float) -> None:
    client = Client(address, tls_ca, clerk)
    await found(client)
    grants = [signed_grant(HOSPITALS[0], TEXT) for _ in range(int(6000 * scale))]
    warm, alone, many = grants[:200], grants[200:400], grants[400:]
    await spread([partial(record, client, each) for each in warm], 10)
    print(f"load average before: {os.getloadavg()[0]:.2f}, verifications: {verifications:.0f} /s on one core")

    _, took = await spread([partial(record, client, each) for each in alone], 1)
    say("confirmed submit alone, p50", took[len(took) // 2] * 1e3, "ms", 8e3 / verifications)
    say("confirmed submit alone, p95", took[int(len(took) * 0.95)] * 1e3, "ms", 8e3 / verifications)
    seconds, _ = await spread([partial(record, client, each) for each in many], 50)
    say("committed single grants at 50", len(many) / seconds, "tx/s", verifications / 8)
    query = partial(client.evaluate, "consents:Get", {"commitment": many[0].sealed["commitment"]})
    seconds, _ = await spread([query] * int(6000 * scale), 50)
    say("evaluate at 50", 6000 * scale / seconds, "/s", verifications)

    batches = [batch([signed_grant(HOSPITALS[0], TEXT) for _ in range(500)]) for _ in range(int(20 * scale) or 2)]
    seconds, _ = await spread([partial(record_batch, client, each) for each in batches], 4)
    say("patient-signed grants in batches of 500", 500 * len(batches) / seconds, "grants/s", verifications)
    await client.close()


async def found(client: Client) -> None:
    roles = ["peer", "registrar", "site", "steward"]
    organisations = [
        {"msp": name, "name": name, "kind": "hospital", "roles": roles, "origins": []} for name in HOSPITALS
    ]
    await client.submit("members:Found", {"organisations": organisations})
    text = {"text": TEXT, "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
    await client.submit("consents:PublishText", text)


async def record(client: Client, each: SignedGrant) -> None:
    code = await client.submit("consents:Record", {"grant": each.sealed}, each.evidence)
    assert code == 0, code


def batch(grants: list[SignedGrant]) -> list[SignedGrant]:
    return sorted(grants, key=lambda each: str(each.sealed["commitment"]))


async def record_batch(client: Client, grants: list[SignedGrant]) -> None:
    arguments = {"grants": [each.sealed for each in grants]}
    code = await client.submit("consents:RecordBatch", arguments, [each.evidence for each in grants])
    assert code == 0, code


def say(name: str, value: float, unit: str, reference: float) -> None:
    print(f"{name}: {value:.1f} {unit} (baseline P-256 checks alone: {reference:.1f}, ratio {value / reference:.2f})")


if __name__ == "__main__":
    main()
