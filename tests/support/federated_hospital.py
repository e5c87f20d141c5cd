"""A hospital of a small consortium in one process: its patients' grants and records, and its stores, in memory."""

from __future__ import annotations

import hashlib
from calendar import monthrange
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from consent import grant as grants
from consent import keys
from consent.decide import ConsentView
from consent.encoding import to_base64url
from consent.grant import Details, Evidence, Statement
from consent.limits import NO_LIMITS, Limits
from consent.mandate import Age, Mandate
from consent.versions import Lapse
from tests.support.memory_ledger import CHANNEL
from training.errors import TrainingError
from training.site import loader
from training.site.split import split
from training.site.stores import TRAINING, Attempt, FrozenCohort, Records, Standing

if TYPE_CHECKING:
    from tests.support.federation import World

INSTITUTE = "InstituteMSP"
TEXT = "heart-2026.1"


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
            gone = "withdrawn" in record.body
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
                    withdrawn_at=record.body.get("withdrawn"),
                    details=made.details,
                    lapse=self.lapse(made.statement.text),
                ),
                attestation=made.attestation,
                secret=made.secret,
                recorded_block=recorded,
                withdrawn_block=record.block if gone else None,
                withdrawn_by=record.body.get("withdrawn_by"),
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
