"""The privacy account: what one spend costs on the embedded ledger, and how long the report of a long history takes.

    python tests/bench/bench_odometer.py

A spend is `studies:Update` as a site sends it: reservation checked, account written, event emitted, committed. One
promise is `studies:Approve`, which holds the exposure of every hospital against its cap. Baseline: a transaction that
writes one small record. The report is of 60 studies, each with noise of its own, at the tighter accountant (PLD);
baseline: dp-accounting composing six of them in the same process, at its own default grid.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from ledger.embedded.create import create  # noqa: E402
from ledger.embedded.process import Process  # noqa: E402
from ledger.gateway import Gateway, connect  # noqa: E402
from ledger.identity.ca import Authority  # noqa: E402
from tests.bench.claims import claim  # noqa: E402
from tests.contract.world import HOSPITALS, INSTITUTE, World, uuid  # noqa: E402
from training.privacy import losses  # noqa: E402
from training.privacy.accountants import rdp_epsilon, reported_epsilon  # noqa: E402
from training.privacy.events import PoissonSampledGaussian  # noqa: E402

STUDIES, DELTA = 60, 1e-5
EVENTS = [PoissonSampledGaussian(1.6 + place / 20, 0.2, 60) for place in range(STUDIES)]
FEW = 6
PROMISES, ROUNDS = 4, 6


class Doors:
    """A served ledger as World wants it, and how long each function took, in ms."""

    def __init__(self, process: Process, authorities: dict[str, Authority]) -> None:
        self._process, self._authorities = process, authorities
        self._doors: dict[str, Gateway] = {}
        self.taken: dict[str, list[float]] = {}

    @property
    def now(self) -> int:
        return int(time.time())

    def submit(self, who: str, function: str, arguments: Any, evidence: Any = None) -> Any:
        if who not in self._doors:
            msp, _, role = who.partition(".")
            identity = self._authorities[msp].issue(who.lower(), [role])
            self._doors[who] = connect(self._process.address, self._process.tls_ca, identity)
        began = time.perf_counter()
        done = self._doors[who].contract.submit(function, arguments, evidence=evidence).result
        self.taken.setdefault(function, []).append((time.perf_counter() - began) * 1000)
        return done

    def close(self) -> None:
        for door in self._doors.values():
            door.close()


def main() -> None:
    spends()
    reports()


def spends() -> None:
    """Noise that the ledger has not seen costs the curve anew: the first of each study is among the figures."""
    authorities = {msp: Authority.create(msp, f"ca.{msp}") for msp in (*HOSPITALS, INSTITUTE)}
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder) / "ledger", authorities, HOSPITALS, [INSTITUTE])
        with Process.start(Path(folder) / "ledger") as process:
            doors = Doors(process, authorities)
            world = World(doors)
            world.found()
            for place in range(PROMISES):
                study = world.approved(rounds=ROUNDS, privacy__sigma=f"{20 + place}")
                for number in range(1, ROUNDS + 1):
                    world.trained(study, number)
            for _ in range(20):
                world.publish(f"text-{uuid()}")
            doors.close()
    baseline = statistics.median(doors.taken["consents:PublishText"])
    for name, function in (("spend", "studies:Update"), ("promise", "studies:Approve")):
        taken = doors.taken[function]
        print(f"{name}: {statistics.median(taken):.1f} ms, at most {max(taken):.1f} ms of {len(taken)} "
              f"(baseline a small write: {baseline:.1f} ms)")  # fmt: skip
        claim(f"odometer: append and check ({name}), the slowest", max(taken), "ms", at_most=50,
              baseline=("a small write", baseline))  # fmt: skip


def reports() -> None:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
    from dp_accounting.pld import PLDAccountant

    began = time.perf_counter()
    theirs = PLDAccountant()
    for event in EVENTS[:FEW]:
        step = PoissonSampledDpEvent(event.q, GaussianDpEvent(event.sigma))
        theirs.compose(SelfComposedDpEvent(step, event.steps))
    expected = theirs.get_epsilon(DELTA)
    baseline = time.perf_counter() - began
    few = reported_epsilon(EVENTS[:FEW], DELTA)
    if not expected <= few <= 1.003 * expected:
        sys.exit(f"the report says {few} of {FEW} studies, dp-accounting {expected}")
    for kept in (losses._composed, losses._of):
        kept.cache_clear()
    began = time.perf_counter()
    most = reported_epsilon(EVENTS[:-1], DELTA)
    cold = time.perf_counter() - began
    began = time.perf_counter()
    epsilon = reported_epsilon(EVENTS, DELTA)
    warm = time.perf_counter() - began
    added = sum(rdp_epsilon([event], DELTA) for event in EVENTS)
    print(f"{STUDIES} studies: epsilon {epsilon:.2f} by PLD (of one less {most:.2f}), "
          f"{rdp_epsilon(EVENTS, DELTA):.2f} by RDP, {added:.1f} added up")  # fmt: skip
    print(f"report: {cold:.2f} s anew, {warm:.3f} s with one more study (baseline {FEW} of them: {baseline:.2f} s)")
    compared = f"dp-accounting, {FEW} of the studies"
    claim(f"PLD report of {STUDIES - 1} studies, anew", cold, "s", at_most=5, baseline=(compared, baseline))
    claim(f"PLD report of {STUDIES} studies, one of them new", warm, "s", at_most=5, baseline=(compared, baseline))


if __name__ == "__main__":
    main()
