"""A small consortium in one process: real contracts, real signatures, real site agents, real trainer, real Flower.

Only the database, the broker and the clock are replaced: by dictionaries, by a call, by `World.now`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from consent.versions import StillPermits
from tests.support.federated_hospital import INSTITUTE, TEXT, Hospital, fingerprint
from tests.support.memory_ledger import MemoryLedger, MemoryView, MemoryWriter
from training.federation import flower
from training.federation.chain import Chain, MemoryVectors
from training.federation.messages import Request
from training.federation.release import Head, package
from training.federation.rounds import StudyRunner
from training.federation.studies import Plan, Studies, Study
from training.federation.transport import LocalTransport, MemoryBlobs
from training.federation.vectors import Vector, digest, to_bytes
from training.models import registry
from training.site.agent import SiteAgent
from training.site.attempts import FileAttempts
from training.site.code import code_digest
from training.site.stores import Records, Trainer

SEAT = {"country": "US", "sector": "public"}  # of every member
START = 1_793_500_000  # 2026-11-01
HEART = "MONDO:0005267"
INPUTS = 13


class NoNoiseTrainer:
    """For schedules that look at who trains, not at what is learned: a fixed small update, counts of nobody."""

    def rehearse(self, plan: Plan) -> None:
        """Nothing is learned, so nothing is tried."""

    def train(self, weights: Vector, records: Records, plan: Plan, expected_batch: float) -> Vector:
        return np.full(weights.shape, 1e-3, np.float32)

    def measure(self, weights: Vector, records: Records, plan: Plan) -> dict[str, int]:
        return {"correct": 1, "total": 2}


class World:
    """Hospitals, an institute, a ledger, a network. `now`: epoch seconds of everybody's clock."""

    def __init__(
        self,
        folder: Path,
        *,
        hospitals: int = 2,
        patients: int = 30,
        held_out: int = 24,
        trainer: Trainer | None = None,
        still_permits: StillPermits = "no-new-studies",
        unit: str = "patient",
    ) -> None:
        """`still_permits`: what the consent text says of itself, for when a newer one is out. `unit`: of data sets."""
        self.now: float = START
        self.unit = unit
        self.ledger = self.new_ledger(names(hospitals))
        self.view = self.new_view()
        self.recorded: dict[str, int] = {}
        self.certificates: dict[str, bytes] = {}
        self.blobs = MemoryBlobs()
        self.trainer = trainer or NoNoiseTrainer()
        self.hospitals = {name: self._hospital(name, folder, patients, held_out) for name in names(hospitals)}
        self.agents = {name: self.agent(hospital) for name, hospital in self.hospitals.items()}
        self._found(still_permits)

    def new_ledger(self, hospitals: Sequence[str]) -> MemoryLedger:
        return MemoryLedger(lambda: self.now, hospitals)

    def new_view(self) -> MemoryView:
        return MemoryView(self.ledger)

    def _hospital(self, name: str, folder: Path, patients: int, held_out: int) -> Hospital:
        random = np.random.default_rng(int.from_bytes(fingerprint(name)[:4]))
        people = [f"{name[:3].lower()}-{number}" for number in range(patients + held_out)]
        features = {person: random.uniform(-1, 1, INPUTS).astype(np.float32) for person in people}
        labels = {person: int(values[:3].sum() > 0) for person, values in features.items()}
        return Hospital(name, self, features, labels, set(people[patients:]), folder / name)

    def agent(self, hospital: Hospital, **changes: Any) -> SiteAgent:
        """The site of `hospital`; a second one over the same stores is what a restarted worker is."""
        parts: dict[str, Any] = {
            "msp": hospital.msp,
            "code": code_digest(),
            "clock": lambda: self.now,
            "ledger": self.view,
            "writer": MemoryWriter(self.ledger, hospital.msp, "site"),
            "consents": hospital,
            "records": hospital,
            "cohorts": hospital,
            "attempts": FileAttempts(hospital.folder / "attempts"),
            "blobs": self.blobs,
            "chain": Chain(Studies(self.view), self.blobs, MemoryVectors()),
            "trainer": self.trainer,
            "public_weights": hospital.folder / "public-weights",
        }
        return SiteAgent(**(parts | changes))

    def ask(self, msp: str, kind: str, study: str, number: int = 0, attempt: int = 0) -> Any:
        """What a site answers to a message, without any network."""
        request = Request(kind=kind, study=study, round=number, attempt=attempt, height=self.ledger.height)  # type: ignore[arg-type]
        return self.agents[msp].handle(request)

    def run(self, role: str, function: str, arguments: dict[str, Any]) -> Any:
        """A call by the institute."""
        return self.ledger.submit(INSTITUTE, role, function, arguments)[0]

    def _found(self, still_permits: StillPermits) -> None:
        hospitals = list(self.hospitals.values())
        organisations = [
            {
                "msp": one.msp,
                "name": one.msp,
                "kind": "hospital",
                "roles": ["peer", "registrar", "site", "steward"],
                "origins": [],
                **SEAT,
            }
            for one in hospitals
        ]
        institute = {
            "msp": INSTITUTE,
            "name": INSTITUTE,
            "kind": "institute",
            "roles": ["auditor", "researcher", "runner"],
            "origins": [],
            **SEAT,
        }
        hospitals[0].submit("steward", "members:Found", {"organisations": [*organisations, institute]})
        presets = ["cancer", "heart-disease"]
        hospitals[0].submit(
            "steward",
            "consents:PublishText",
            {"text": TEXT, "digests": {"en": "00" * 32}, "presets": presets, "still_permits": still_permits},
        )
        for one in hospitals:
            one.submit("steward", "budget:Open", {"cap": "10", "delta": "0.0001"})
            one.submit("steward", "catalogue:Register", {
                "dataset": one.dataset, "version": 1, "title": "Heart", "root": fingerprint(one.msp, "root").hex(),
                "raw": fingerprint(one.msp, "raw").hex(), "parent": None, "transformation": f"fed-heart-1@{'11' * 32}",
                "schema": "22" * 32, "duo": ["DUO:0000007"], "diseases": [HEART], "modality": "tabular",
                "categories": ["diagnoses", "measurements"],
                "size_bucket": "50-99", "records_per_patient": 1, "croissant": "33" * 32, "unit": self.unit,
            })  # fmt: skip
        if len(hospitals) > 1:
            self.declare_disjoint()

    def supersede(self, text: str) -> None:
        """Publish `text`, which says the same of itself, in the place of the text that everybody agreed to."""
        standing = self.view.entry(f"consents/text/{TEXT}")
        assert standing is not None
        said = {name: standing.body[name] for name in ("digests", "presets", "still_permits")}
        first = next(iter(self.hospitals.values()))
        first.submit("steward", "consents:PublishText", {"text": text, "supersedes": TEXT, **said})

    def declare_disjoint(self) -> None:
        self.enact({"kind": "declare-disjoint", "hospitals": sorted(self.hospitals)})

    def move(self, msp: str, **seat: str | None) -> None:
        """Have the members hold something else of where `msp` sits and what kind it is."""
        standing = self.view.entry(f"members/org/{msp}")
        assert standing is not None
        self.enact({"kind": "set-organisation", "organisation": standing.body | seat})

    def enact(self, action: dict[str, Any]) -> None:
        """Carry `action` out by the votes of all hospitals."""
        first, proposal = next(iter(self.hospitals.values())), str(uuid.UUID(int=7_000 + self.ledger.height))
        standing = first.submit(
            "steward", "governance:Propose", {"proposal": proposal, "action": action, "deadline": int(self.now) + 3600}
        )
        for one in self.hospitals.values():
            one.submit(
                "steward", "governance:Vote", {"proposal": proposal, "digest": standing["digest"], "choice": "yes"}
            )
        first.submit("steward", "governance:Execute", {"proposal": proposal})

    def study(self, name: int = 1, countries: Sequence[str] = (), **changes: Any) -> str:
        """An approved study over every hospital, asked for by who works in `countries`; `changes` to its plan. It
        starts from the seeded weights of its configuration, unless `initial` is given.
        """
        study, request = str(uuid.UUID(int=name)), str(uuid.UUID(int=name + 1000))
        datasets = [{"dataset": one.dataset, "version": 1} for one in self.hospitals.values()]
        purpose = {"duo": "DUO:0000007", "diseases": [HEART], "commercial": False, "for_profit": False,
                   "methods": False, "ancestry": False, "genetic": False,
                   **({"asking": {"countries": sorted(countries)}} if countries else {})}  # fmt: skip
        self.run("researcher", "access:Request", {
            "request": request, "purpose": purpose, "datasets": datasets, "protocol": "44" * 32, "until": "2027-06-30",
        })  # fmt: skip
        for one in self.hospitals.values():
            one.submit("steward", "access:Decide", {
                "request": request, "dataset": one.dataset, "version": 1, "verdict": "permit", "until": "2027-06-30",
                "reason": "55" * 32,
            })  # fmt: skip
        heart = {"model": "heart-fcn", "hidden": 0, "learning_rate": "2", "local_steps": 2, "features": "fed-heart-1"}
        configuration = changes.get("configuration", heart)
        if "initial" not in changes:
            weights = registry.initial_weights(configuration, 42)
            self.blobs.put(to_bytes(weights))
            changes["initial"] = digest(weights)
        plan: dict[str, Any] = {
            "title": "Hearts", "request": request, "code": code_digest(), "configuration": configuration,
            "rounds": 2, "spare_attempts": 2, "quorum": 1, "min_cohort": 20,
            "datasets": [{**one, "weight": 66, "expected_batch": "13.2"} for one in datasets],
            "privacy": {"clip": "1", "sigma": "2", "q": "0.2", "steps": 2, "delta": "0.0001", "records_per_patient": 1,
                        "unit": self.unit},
            "metrics": {"sigma": "20"}, "cohort_seconds": 60, "update_seconds": 60, "on_withdrawal": "finish",
        }  # fmt: skip
        standing = self.run("researcher", "studies:Propose", {"study": study, "plan": plan | changes})
        for one in self.hospitals.values():
            one.submit("steward", "studies:Approve", {"study": study, "plan_digest": standing["plan_digest"]})
        return study

    def runner(self, **changes: Any) -> StudyRunner:
        """The hub's runner over Flower and an in-process network; sleeping moves the clock."""
        sites = {name: self.wire(name) for name in self.hospitals}
        grid = flower.TransportGrid(LocalTransport(sites), self.blobs, sorted(sites))
        parts: dict[str, Any] = {
            "ledger": self.view,
            "writer": MemoryWriter(self.ledger, INSTITUTE, "runner"),
            "federation": flower.FlowerFederation(grid),
            "blobs": self.blobs,
            "chain": Chain(Studies(self.view), self.blobs, MemoryVectors()),
            "certify": self.certify,
            "clock": lambda: self.now,
            "sleep": self.sleep,
        }
        return StudyRunner(**(parts | changes))

    def certify(self, study: Study, model: Vector) -> bytes:
        """The certificate, on the head there is the first time."""
        if study.study not in self.certificates:
            height = self.ledger.height
            head = Head(height, self.view.header_hash(height) or "")
            self.certificates[study.study] = package(self.view, study, model, head).certificate
        return self.certificates[study.study]

    def wire(self, name: str) -> Any:
        def handle(request: Request) -> Any:
            given = self.agents[name].handle(request)
            return given.facts, given.vector

        app = flower.client_app(name, handle)
        return lambda data: flower.deliver(app, self.blobs, data)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def everybody_consents(self) -> None:
        for one in self.hospitals.values():
            for patient in one.features:
                one.grant(patient)


def names(count: int) -> list[str]:
    return ["AlphaMSP", "BetaMSP", "GammaMSP", "DeltaMSP"][:count]


def seed() -> int:
    """A seed for randomised tests: COVENANT_SEED, or a fresh one. Print it."""
    return int(os.environ.get("COVENANT_SEED") or int.from_bytes(os.urandom(4)))
