"""Offline verification: signatures and hashes a second, by one process and by all cores; the contracts' replay apart.

The baseline is the bare OpenSSL check of as many signatures over messages of the same size, in the same run. Figures
of one process are also given a second of CPU, which other work on the cores disturbs less.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

from ledger.protocol import genesis, signing  # noqa: E402
from ledger.verify import framing, verify  # noqa: E402
from ledger.verify.parallel import sealed  # noqa: E402
from tests.bench.claims import claim  # noqa: E402
from tests.unit.ledger.verify.forge import Forge  # noqa: E402

BLOCKS, EACH = 30, 50


def build() -> Forge:
    """1,500 single grants, each endorsed by all four hospitals, 50 to a block."""
    forge = Forge(1)
    forge.seal(forge.found())
    forge.seal(forge.publish())
    for _ in range(BLOCKS):
        forge.seal(*(forge.record(endorsers=forge.peers) for _ in range(EACH)))
    return forge


def seconds(work: Callable[[], object]) -> float:
    """The best of three: other work shares the cores."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    forge, cores = build(), os.cpu_count() or 1
    with TemporaryDirectory() as folder:
        path = forge.write(Path(folder) / "ledger.blocks")
        size = path.stat().st_size
        blocks = list(framing.read(path))
        config = genesis.read(blocks[0])
        report = verify(path, forge.genesis, workers=1).report
        count = report.transactions

        def own() -> float:
            """Transactions a second of this process' own CPU time."""
            began = time.process_time()
            deque(sealed(iter(blocks[1:]), config, "covenant", 1), 0)
            return count / (time.process_time() - began)

        def check(workers: int) -> float:
            return count / seconds(lambda: deque(sealed(iter(blocks[1:]), config, "covenant", workers), 0))

        bare = count / seconds(lambda: openssl(forge, report.signatures))
        one = check(1)
        all_cores = check(cores)
        print(f"P-256 verifications on one core: {bare * report.signatures / count:.0f} /s")
        print(f"ledger: {count} transactions, {report.signatures} signatures, {size / count:.0f} bytes a transaction")
        print(f"verify signatures and hashes, 1 process: {own():.0f} transactions a CPU second")
        said = f"(baseline bare OpenSSL checks: {bare:.0f}, ratio {one / bare:.2f})"
        print(f"verify signatures and hashes, 1 process: {one:.0f} transactions/s {said}")
        said = f"(baseline 1 process: {one:.0f}, ratio {all_cores / one:.2f})"
        print(f"verify signatures and hashes, {cores} processes: {all_cores:.0f} transactions/s {said}")
        claim("verify signatures and hashes", one, "tx/s", at_least=3000, baseline=("bare OpenSSL checks", bare))
        claim(f"verify, {cores} processes", all_cores, "tx/s", at_least=one, baseline=("1 process", one))
        replay = count / min(verify(path, forge.genesis, workers=1).report.seconds["replay"] for _ in range(3))
        said = f"(baseline 1 process: {one:.0f}, ratio {replay / one:.2f})"
        print(f"replay of the contracts alone: {replay:.0f} transactions/s {said}")
        whole = count / seconds(lambda: verify(path, forge.genesis, workers=cores))
        said = f"(baseline 1 process, no replay: {one:.0f}, ratio {whole / one:.2f})"
        print(f"verify everything, {cores} processes: {whole:.0f} transactions/s {said}")


def openssl(forge: Forge, signatures: int) -> None:
    peer, message = forge.peers[0], bytes(1500)
    signature = peer.sign(message)
    key = peer.key.public_key()
    for _ in range(signatures):
        signing.verify(key, signature, message)


if __name__ == "__main__":
    main()
