"""A small consortium in one process: real contracts, real signatures, real site agents, real trainer, real Flower.

Only the database, the broker and the clock are replaced: by dictionaries, by a call, by `World.now`.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from calendar import monthrange
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from consent import grant as grants
from consent import keys
from consent.decide import ConsentView
from consent.encoding import to_base64url
from consent.grant import Details, Evidence, Statement
from consent.limits import NO_LIMITS, Limits
from consent.mandate import Age, Mandate
from consent.versions import Lapse, StillPermits
from tests.support.memory_ledger import CHANNEL, MemoryLedger, MemoryView, MemoryWriter
from training.errors import TrainingError
from training.federation import flower
from training.federation.chain import Chain, MemoryVectors
from training.federation.messages import Request
from training.federation.release import Head, package
from training.federation.rounds import StudyRunner
from training.federation.studies import Plan, Studies, Study
from training.federation.transport import LocalTransport, MemoryBlobs
from training.federation.vectors import Vector, digest, to_bytes
from training.models import registry
from training.site import loader
from training.site.agent import SiteAgent
from training.site.attempts import FileAttempts
from training.site.code import code_digest
from training.site.split import split
from training.site.stores import TRAINING, Attempt, FrozenCohort, Records, Standing, Trainer

INSTITUTE = "InstituteMSP"
SEAT = {"country": "US", "sector": "public"}  # of every member
TEXT = "heart-2026.1"
START = 1_793_500_000  # 2026-11-01
HEART = "MONDO:0005267"
INPUTS = 13


def fingerprint(*parts: object) -> bytes:
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()


@dataclass
class Grant:
    """One signed consent, and what its hospital keeps of it."""

    patient: str
    key: ec.EllipticCurvePrivateKey
    evidence: Evidence
    statement: Statement
    details: Details
    secret: bytes
    attestation: str
    handed_in: bool = False
    speaker: str = ""

    @property
    def commitment(self) -> str:
        return self.evidence.commitment.hex()


@dataclass
class Hospital:
    """One hospital: its patients with their records, their grants, its stores. Implements the stores' protocols."""

    msp: str
    world: World
    features: dict[str, np.ndarray]
    labels: dict[str, Any]
    held_out: set[str]
    folder: Path
    grants: dict[str, Grant] = field(default_factory=dict)
    cohorts: dict[Attempt, FrozenCohort] = field(default_factory=dict)
    trained: dict[Attempt, tuple[str, ...]] = field(default_factory=dict)
    loads: list[tuple[str, ...]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def dataset(self) -> str:
        return f"{self.msp}/heart"

    def hold(self, records: loader.Records) -> None:
        """Have these records, one a patient, instead of those it was made with."""
        self.features = dict(zip(records.patients, records.features, strict=True))
        self.labels = dict(zip(records.patients, records.labels, strict=True))
        self.held_out = set(split(records, 42).held_out)

    def submit(self, role: str, function: str, arguments: dict[str, Any], evidence: object | None = None) -> Any:
        return self.world.ledger.submit(self.msp, role, function, arguments, evidence)[0]

    def grant(
        self,
        patient: str,
        *,
        preset: str = "heart-disease",
        months: tuple[str, str] = ("2026-01", "2027-12"),
        attestation: str = "portal-key",
        limits: Limits = NO_LIMITS,
        age: Age | None = None,
        mandate: Mandate | None = None,
        speaker: str = "",
        text: str = TEXT,
    ) -> Grant:
        """Sign and record a new grant about `patient`, by `speaker` under `mandate` or by the patient."""
        number = len(self.grants)
        scalar = int.from_bytes(fingerprint("key", self.msp, patient + speaker)) % (2**255)
        key = ec.derive_private_key(scalar, ec.SECP256R1())
        secret = fingerprint("secret", self.msp, patient)
        details = Details(
            salt=fingerprint("salt", patient, number).hex(),
            text_digest="00" * 32,
            language="en",
            starts=f"{months[0]}-01",
            ends=f"{months[1]}-{monthrange(*map(int, months[1].split('-')))[1]}",
            retrospective=True,
            limits=limits,
            age=age,
            mandate=mandate,
            secret_digest=grants.secret_digest(secret),
        )
        statement = Statement(
            channel=CHANNEL,
            hospital=self.msp,
            key_digest=hashlib.sha256(keys.public_bytes(key)).hexdigest(),
            text=text,
            preset=preset,
            valid_from=months[0],
            valid_until=months[1],
            withdrawal_code_digest=grants.withdrawal_code_digest(fingerprint("code", patient, number)[:16]),
            details_digest=details.digest(),
            nonce=fingerprint("nonce", self.msp, patient, number).hex(),
        )
        evidence = grants.new_grant(statement, details, key)
        if attestation == "hospital-attested":
            evidence = replace(evidence, signature=grants.Paper())
        made = Grant(patient, key, evidence, statement, details, secret, attestation, speaker=speaker)
        sealed = {
            "commitment": made.commitment,
            "hospital": self.msp,
            "text": text,
            "preset": preset,
            "valid_from": months[0],
            "valid_until": months[1],
            "attestation": attestation,
        }
        parts = {"statement": evidence.statement, "key": evidence.key, "signature": evidence.signature}
        shown = {name: to_base64url(part) if isinstance(part, bytes) else part for name, part in parts.items()}
        self.submit("registrar", "consents:Record", {"grant": sealed}, shown)
        self.grants[made.commitment] = made
        return made

    def withdraw(self, made: Grant, *, elsewhere: bool = False) -> None:
        """On the ledger, signed by the patient; `elsewhere`: on another member's page, so that a block brings it."""
        signature = grants.sign_withdrawal(made.evidence.commitment, made.key)
        shown = {
            "statement": to_base64url(made.evidence.statement),
            "key": to_base64url(made.evidence.key),
            "signature": to_base64url(signature),
            "code": None,
        }
        org, role = (INSTITUTE, "auditor") if elsewhere else (self.msp, "registrar")
        arguments = {"commitment": made.commitment, "by": "signature"}
        self.world.ledger.submit(org, role, "consents:Withdraw", arguments, shown)

    # training.site.stores: ConsentStore, RecordStore, CohortStore

    def standings(self, patients: Collection[str]) -> Iterable[Standing]:
        ledger = self.world.ledger
        for made in self.grants.values():
            if made.patient not in patients:
                continue
            record = self.world.view.entry(f"consents/{made.commitment}")
            assert record is not None
            gone = record.body["withdrawn"] is not None
            # the block of recording: a withdrawal rewrites the record, so it is remembered apart
            recorded = self.world.recorded.setdefault(made.commitment, ledger.blocks[f"consents/{made.commitment}"])
            yield Standing(
                patient=made.patient,
                commitment=made.commitment,
                view=ConsentView(
                    status="withdrawn" if gone else "active",
                    preset=made.statement.preset,
                    valid_from=made.statement.valid_from,
                    valid_until=made.statement.valid_until,
                    recorded_at=record.body["recorded"],
                    withdrawn_at=record.body["withdrawn"],
                    details=made.details,
                    lapse=self.lapse(made.statement.text),
                ),
                attestation=made.attestation,
                secret=made.secret,
                recorded_block=recorded,
                withdrawn_block=record.block if gone else None,
                withdrawn_by=record.body["withdrawn_by"],
                withdrawn_here=made.handed_in,
                speaker=made.speaker,
            )

    def lapse(self, text: str) -> Lapse | None:
        """Whether a newer text than `text` is out."""
        newer = self.world.view.entry(f"consents/successor/{text}")
        return None if newer is None else Lapse(newer.body["since"], newer.body["still_permits"])

    def patients(self, dataset: str, version: int, kind: str) -> Sequence[str]:
        return [name for name in self.features if (name in self.held_out) != (kind == TRAINING)]

    def failed(self, dataset: str, version: int) -> dict[str, int]:
        return dict(self.failures)

    def load(self, dataset: str, version: int, patients: Collection[str]) -> Records:
        chosen, shape = list(patients), next(iter(self.features.values())).shape
        self.loads.append(tuple(chosen))
        return Records(
            np.array([self.features[name] for name in chosen], dtype=np.float32).reshape(len(chosen), *shape),
            np.array([self.labels[name] for name in chosen], dtype=np.int64),
            np.arange(len(chosen), dtype=np.int64),
        )

    def frozen(self, attempt: Attempt) -> FrozenCohort | None:
        return self.cohorts.get(attempt)

    def freeze(self, attempt: Attempt, cohort: FrozenCohort) -> None:
        if attempt in self.cohorts:
            raise TrainingError("site.cohort-known", "this attempt's cohort is frozen already")
        self.cohorts[attempt] = cohort


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
    ) -> None:
        """`still_permits`: what the consent text says of itself, for when a newer one is out."""
        self.now: float = START
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
                "size_bucket": "50-99", "records_per_patient": 1, "croissant": "33" * 32,
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
        """An approved study over every hospital, asked for by who works in `countries`; `changes` to its plan."""
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
        configuration = {"model": "heart-fcn", "hidden": 0, "learning_rate": "2", "local_steps": 2,
                         "features": "fed-heart-1"}  # fmt: skip
        initial = registry.initial_weights(configuration, 42)
        self.blobs.put(to_bytes(initial))
        plan: dict[str, Any] = {
            "title": "Hearts", "request": request, "code": code_digest(), "configuration": configuration,
            "initial": digest(initial), "rounds": 2, "spare_attempts": 2, "quorum": 1, "min_cohort": 20,
            "datasets": [{**one, "weight": 66, "expected_batch": "13.2"} for one in datasets],
            "privacy": {"clip": "1", "sigma": "2", "q": "0.2", "steps": 2, "delta": "0.0001", "records_per_patient": 1,
                        "unit": "patient"},
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
