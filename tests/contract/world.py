"""A consortium to try the contracts in: four hospitals, an institute, patients with keys, and the steps of a study.

Everything goes through `ledger.submit(who, function, arguments, evidence)`, whatever ledger that is. Names and ids are
new at each call, so that tests can share one ledger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec

from consent import grant, keys
from consent.encoding import to_base64url
from consent.grant import Paper
from consent.purpose import Purpose
from consent.webauthn import Assertion
from portal.demo.authenticator import Passkey

HOSPITALS = ("AlphaMSP", "BetaMSP", "DeltaMSP", "GammaMSP")
INSTITUTE = "InstituteMSP"
TEXT = "heart-2026.1"
PURPOSE = Purpose.of("DUO:0000007", ["MONDO:0005267"], commercial=False, for_profit=False)
SEAT = {"country": "DE", "sector": "public"}  # of every member
ROLES = {"hospital": ["peer", "registrar", "site", "steward"], "institute": ["auditor", "researcher", "runner"]}


def fresh() -> str:
    """A new digest."""
    return os.urandom(32).hex()


def uuid() -> str:
    return str(uuid4())


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def organisations() -> list[dict[str, Any]]:
    return [
        {"msp": msp, "name": msp.removesuffix("MSP"), "kind": kind, "roles": ROLES[kind], **address(msp), **SEAT}
        for msp, kind in [*((hospital, "hospital") for hospital in HOSPITALS), (INSTITUTE, "institute")]
    ]


def address(msp: str) -> dict[str, Any]:
    """Where an organisation's pages are, and what passkeys made there are bound to."""
    name = msp.removesuffix("MSP").lower()
    return {"origins": [f"https://portal.{name}.example"], "rp_id": f"{name}.example"}


@dataclass
class Patient:
    """A patient of `hospital` with a key; `grant` makes what the registrar submits.

    `passkey`: what signs, if it is one, at the hospital's own page.
    """

    hospital: str = HOSPITALS[0]
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    code: bytes = field(default_factory=lambda: os.urandom(16))
    passkey: Passkey | None = None

    @classmethod
    def with_passkey(cls, hospital: str = HOSPITALS[0]) -> Patient:
        place = address(hospital)
        passkey = Passkey(place["rp_id"], place["origins"][0])
        return cls(hospital, passkey.key, passkey=passkey)

    def sign(self, data: bytes) -> bytes | Assertion:
        return keys.sign(self.key, data) if self.passkey is None else self.passkey.sign(data)

    def grant(self, **changes: Any) -> Signed:
        public = keys.public_bytes(self.key)
        said = {
            "channel": "covenant",
            "hospital": self.hospital,
            "key_digest": sha256(public).hexdigest(),
            "text": TEXT,
            "preset": "heart-disease",
            "valid_from": "2026-01",
            "valid_until": "2027-12",
            "withdrawal_code_digest": grant.withdrawal_code_digest(self.code),
            "details_digest": fresh(),
            "nonce": fresh(),
        }
        statement = grant.Statement(**(said | changes))
        data = grant.statement_bytes(statement)
        return Signed(statement, data, public, self.sign(data), "portal-key" if self.passkey is None else "passkey")

    def take_back(self, signed: Signed) -> bytes | Assertion:
        """What withdraws `signed`, if this patient's key signed it."""
        return self.sign(grant.withdrawal_bytes(bytes.fromhex(signed.commitment)))


@dataclass(frozen=True)
class Signed:
    """A signed statement, as arguments and evidence of the contract."""

    statement: grant.Statement
    data: bytes
    key: bytes
    signature: bytes | Assertion | Paper
    attestation: str = "portal-key"

    @property
    def commitment(self) -> str:
        return grant.commitment(self.data, self.key).hex()

    def sealed(self, **changes: Any) -> dict[str, Any]:
        public = ("hospital", "text", "preset", "valid_from", "valid_until")
        said = {name: getattr(self.statement, name) for name in public}
        return {"commitment": self.commitment, "attestation": self.attestation, **said} | changes

    def evidence(self, **changes: Any) -> dict[str, Any]:
        return shown({"statement": self.data, "key": self.key, "signature": self.signature} | changes)

    def withdrawal(
        self, *, signature: Any = None, code: bytes | None = None, replacement: bytes | None = None
    ) -> dict[str, Any]:
        parts = {"statement": self.data, "key": self.key, "signature": signature, "code": code}
        return shown(parts | ({} if replacement is None else {"replacement": replacement}))


def shown(parts: dict[str, Any]) -> dict[str, Any]:
    """Evidence as it is sent: bytes in base64url, everything else as it is."""
    return {name: to_base64url(part) if isinstance(part, bytes) else part for name, part in parts.items()}


@dataclass
class World:
    """The consortium on `ledger`."""

    ledger: Any
    counter: int = 0

    def found(self) -> None:
        """Members, the hospitals' patients declared disjoint, a consent text, an account each."""
        self.ledger.submit(f"{HOSPITALS[0]}.steward", "members:Found", {"organisations": organisations()})
        self.declare_disjoint(list(HOSPITALS))
        for hospital in HOSPITALS:
            self.ledger.submit(f"{hospital}.steward", "budget:Open", {"cap": "8", "delta": "0.0001"})
        self.publish(TEXT)

    def publish(
        self,
        text: str,
        presets: tuple[str, ...] = ("heart-disease", "cancer"),
        who: str = f"{HOSPITALS[0]}.steward",
        **more: Any,
    ) -> Any:
        content = {"text": text, "digests": {"en": digest(text)}, "presets": sorted(presets), **more}
        return self.ledger.submit(who, "consents:PublishText", content)

    def declare_disjoint(self, hospitals: list[str]) -> None:
        self.enact({"kind": "declare-disjoint", "hospitals": hospitals})

    def enact(self, action: dict[str, Any], voters: int = 3) -> Any:
        """Propose, vote, execute."""
        proposal = self.propose(action)
        for hospital in HOSPITALS[:voters]:
            self.vote(hospital, proposal)
        return self.ledger.submit(f"{HOSPITALS[0]}.steward", "governance:Execute", {"proposal": proposal["proposal"]})

    def propose(self, action: dict[str, Any]) -> Any:
        arguments = {"proposal": uuid(), "action": action, "deadline": self.ledger.now + 3600}
        return self.ledger.submit(f"{HOSPITALS[0]}.steward", "governance:Propose", arguments)

    def vote(self, hospital: str, proposal: Any, choice: str = "yes") -> Any:
        arguments = {"proposal": proposal["proposal"], "digest": proposal["digest"], "choice": choice}
        return self.ledger.submit(f"{hospital}.steward", "governance:Vote", arguments)

    def record(self, signed: Signed, who: str | None = None, **changes: Any) -> Any:
        who = who or f"{signed.statement.hospital}.registrar"
        return self.ledger.submit(who, "consents:Record", {"grant": signed.sealed(**changes)}, signed.evidence())

    def day(self, ahead: int) -> str:
        return f"{datetime.fromtimestamp(self.ledger.now, UTC) + timedelta(days=ahead):%Y-%m-%d}"

    def dataset(self, hospital: str = HOSPITALS[0], **changes: Any) -> dict[str, Any]:
        """The arguments that register a new data set."""
        return {
            "dataset": f"{hospital}/heart-{uuid()[:13]}",
            "version": 1,
            "title": "Heart disease",
            "root": fresh(),
            "raw": fresh(),
            "parent": None,
            "transformation": f"fed-heart@{digest('fed-heart')}",
            "schema": digest("schema"),
            "duo": ["DUO:0000007"],
            "diseases": ["MONDO:0005267"],
            "modality": "tabular",
            "size_bucket": "200-499",
            "records_per_patient": 1,
            "croissant": digest("croissant"),
        } | changes

    def register(self, hospital: str = HOSPITALS[0], **changes: Any) -> Any:
        return self.ledger.submit(f"{hospital}.steward", "catalogue:Register", self.dataset(hospital, **changes))

    def request(self, named: list[Any], **changes: Any) -> Any:
        arguments = {
            "request": uuid(),
            "purpose": PURPOSE,
            "datasets": [wanted(one) for one in named],
            "protocol": digest("protocol"),
            "until": self.day(300),
        } | changes
        return self.ledger.submit(f"{INSTITUTE}.researcher", "access:Request", arguments)

    def decide(self, request: Any, dataset: Any, **changes: Any) -> Any:
        arguments = {
            "request": request["request"],
            **wanted(dataset),
            "verdict": "permit",
            "until": request["until"],
            "reason": digest("reason"),
        } | changes
        return self.ledger.submit(f"{dataset['hospital']}.steward", "access:Decide", arguments)

    def entitled(
        self, hospitals: tuple[str, ...] = HOSPITALS, purpose: Purpose = PURPOSE, **registered: Any
    ) -> tuple[Any, list[Any]]:
        """A request that every one of `hospitals` has permitted, and its data sets (as `registered`)."""
        datasets = [self.register(hospital, **registered) for hospital in hospitals]
        request = self.request(datasets, purpose=purpose)
        for dataset in datasets:
            self.decide(request, dataset)
        return request, datasets

    def plan(
        self, hospitals: tuple[str, ...] = HOSPITALS, purpose: Purpose = PURPOSE, **changes: Any
    ) -> dict[str, Any]:
        """A small plan over newly entitled data sets; `changes` replace its parts, inner ones as `privacy__sigma`."""
        request, datasets = self.entitled(hospitals, purpose)
        plan: dict[str, Any] = {
            "title": "Heart disease across four hospitals",
            "request": request["request"],
            "code": digest("code"),
            "configuration": {
                "model": "heart-fcn", "hidden": 16, "learning_rate": "0.1", "local_steps": 4, "features": "fed-heart-1",
            },
            "initial": digest("initial"),
            "rounds": 2,
            "spare_attempts": 1,
            "quorum": 2,
            "min_cohort": 20,
            "datasets": [{**wanted(one), "weight": 100, "expected_batch": "10"} for one in datasets],
            "privacy": {
                "clip": "1", "sigma": "20", "q": "0.1", "steps": 4, "delta": "0.0001", "records_per_patient": 1,
                "unit": "patient",
            },
            "metrics": {"sigma": "50"},
            "cohort_seconds": 600,
            "update_seconds": 600,
            "on_withdrawal": "finish",
        }  # fmt: skip
        for path, value in changes.items():
            *outer, name = path.split("__")
            part = plan
            for step in outer:
                part = part[step]
            part[name] = value
        return plan

    def propose_study(self, plan: dict[str, Any]) -> Any:
        return self.ledger.submit(f"{INSTITUTE}.researcher", "studies:Propose", {"study": uuid(), "plan": plan})

    def approve(self, study: Any, hospital: str) -> Any:
        arguments = {"study": study["study"], "plan_digest": study["plan_digest"]}
        return self.ledger.submit(f"{hospital}.steward", "studies:Approve", arguments)

    def approved(self, hospitals: tuple[str, ...] = HOSPITALS, **changes: Any) -> Any:
        """A study that all its sites have approved."""
        study = self.propose_study(self.plan(hospitals, **changes))
        for hospital in hospitals:
            self.approve(study, hospital)
        return study

    def runner(self, function: str, study: Any, number: int, attempt: int = 1, **more: Any) -> Any:
        arguments = {"study": study["study"], "round": number, "attempt": attempt, **more}
        return self.ledger.submit(f"{INSTITUTE}.runner", f"studies:{function}", arguments)

    def open(self, study: Any, number: int, attempt: int = 1) -> Any:
        kind = "evaluation" if number > study["plan"]["rounds"] else "training"
        return self.runner("Open", study, number, attempt, kind=kind)

    def site(self, hospital: str, function: str, study: Any, number: int, attempt: int = 1, **more: Any) -> Any:
        arguments = {"study": study["study"], "round": number, "attempt": attempt, **more}
        return self.ledger.submit(f"{hospital}.site", f"studies:{function}", arguments)

    def commit(self, hospital: str, study: Any, number: int, attempt: int = 1, **changes: Any) -> Any:
        source = next(one for one in study["plan"]["datasets"] if one["dataset"].startswith(f"{hospital}/"))
        cohort = {**wanted(source), "root": fresh(), "bucket": "50-99", "declined": False} | changes
        return self.site(hospital, "Commit", study, number, attempt, **cohort)

    def decline(self, hospital: str, study: Any, number: int, attempt: int = 1) -> Any:
        return self.commit(hospital, study, number, attempt, root=None, bucket=None, declined=True)

    def fixed(self, study: Any, number: int, attempt: int = 1, declining: tuple[str, ...] = ()) -> Any:
        """An attempt opened, answered by all, fixed."""
        self.open(study, number, attempt)
        for source in study["plan"]["datasets"]:
            hospital = source["dataset"].partition("/")[0]
            (self.decline if hospital in declining else self.commit)(hospital, study, number, attempt)
        return self.runner("Fix", study, number, attempt)

    def trained(self, study: Any, number: int, attempt: int = 1) -> Any:
        """A whole training round, closed with a new model."""
        for hospital in self.fixed(study, number, attempt)["sites"]:
            self.site(hospital, "Update", study, number, attempt, update=fresh())
        return self.runner("Close", study, number, attempt, model=fresh())

    def evaluated(self, study: Any) -> Any:
        number = study["plan"]["rounds"] + 1
        for hospital in self.fixed(study, number)["sites"]:
            self.site(hospital, "Measure", study, number, correct=31, total=-4)
        return self.runner("Close", study, number, model=None)

    def finished(self, study: Any) -> str:
        """All training rounds, then the evaluation; the final model's digest."""
        model = ""
        for number in range(1, study["plan"]["rounds"] + 1):
            model = self.trained(study, number)["model"]
        self.evaluated(study)
        return model

    def confirm(self, hospital: str, study: Any, model: str, certificate: str = "certificate") -> Any:
        arguments = {"study": study["study"], "model": model, "certificate": digest(certificate)}
        return self.ledger.submit(f"{hospital}.site", "studies:Confirm", arguments)

    def release(self, study: Any, model: str) -> Any:
        digests = {"model": model, "weights": digest("file"), "certificate": digest("certificate")}
        arguments = {"study": study["study"], **digests}
        return self.ledger.submit(f"{INSTITUTE}.runner", "studies:Release", arguments)

    def expire(self, request: str, dataset: Any, who: str = f"{HOSPITALS[1]}.site") -> Any:
        return self.ledger.submit(who, "access:Expire", {"request": request, **wanted(dataset)})

    def receive(self, hospital: str, study: Any, results: str = "results") -> Any:
        arguments = {"study": study["study"], "results": digest(results)}
        return self.ledger.submit(f"{hospital}.steward", "studies:Receive", arguments)

    def close_out(self, study: Any, who: str = f"{INSTITUTE}.researcher") -> Any:
        return self.ledger.submit(who, "studies:CloseOut", {"study": study["study"]})

    def account(self, hospital: str) -> Any:
        return self.ledger.evaluate(f"{hospital}.steward", "budget:Account", {"hospital": hospital})


def wanted(dataset: Any) -> dict[str, Any]:
    return {"dataset": dataset["dataset"], "version": dataset["version"]}
