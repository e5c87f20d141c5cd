"""A released model as three files, and the check that they are what the hospitals signed: offline, from an export.

The signatures are those on the ledger: every hospital that took part confirmed the certificate in a transaction of its
own, the sponsor released it in another, and the certificate names the digests of weights and card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from consent.canonical import decode
from consent.errors import CanonicalRefused
from ledger.verify import Ledger, verify
from portal.errors import PortalError
from portal.records import Verified
from training.federation import card
from training.federation.release import vector
from training.federation.studies import Studies
from training.federation.vectors import digest
from training.site import certified

FILES = ("model.safetensors", "certificate.json", card.NAME)
RUNNABLE = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".keras", ".npy", ".npz", ".onnx"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a bundle has shown on a verified ledger. `facts`: the certificate."""

    facts: Mapping[str, Any]
    sponsor: str
    hospitals: tuple[str, ...]
    released_block: int
    ledger: Ledger

    def sentences(self) -> list[str]:
        privacy = self.facts["privacy"]
        return [
            "The bundle is true.",
            f"Model, certificate and card are those that {self.sponsor} released in block {self.released_block} for "
            f"study {self.facts['study']}.",
            f"Each hospital that took part signed that very certificate: {', '.join(self.hospitals)}.",
            f"Recomputed from the ledger: one {privacy['unit']} is protected with epsilon {privacy['epsilon_pld']} by "
            f"PLD, {privacy['epsilon_rdp']} by RDP, at delta {privacy['delta']}; {privacy['adjacency']}.",
            "Not covered by the certificate:",
            *(f"  - {one}" for one in self.facts["not_covered"]),
            "Not proven by the ledger:",
            *(f"  - {one}" for one in self.ledger.report.not_proven()),
            f"Checked on the ledger {self.ledger.report.channel!r}, head {self.ledger.height}:"
            f"{self.ledger.report.head_hash}.",
        ]

    def as_json(self) -> dict[str, Any]:
        report = self.ledger.report
        told = ("study", "plan", "model", "weights", "card", "privacy")
        return {
            "ok": True,
            **{name: self.facts[name] for name in told},
            "sponsor": self.sponsor,
            "hospitals": list(self.hospitals),
            "released_block": self.released_block,
            "ledger": {"height": report.height, "head_hash": report.head_hash, "genesis": report.genesis},
            "not_covered": list(self.facts["not_covered"]),
            "ledger_not_proven": report.not_proven(),
        }


def verify_bundle(directory: Path, export: Path, genesis: str) -> Shown:
    """What the bundle in `directory` shows on the ledger that `export` holds.

    Raises PortalError `model.*`, TrainingError `certificate.*`, `release.*`, VerificationFailed `verify.*`
    (`verify.head-*` where the ledger is not the one that the certificate rests on).
    """
    files = read(directory)
    facts = opened(files[1])
    head = facts["ledger"]
    return check(files, verify(export, genesis, [(head["height"], str(head["header"]))]))


def check(files: tuple[bytes, bytes, bytes], ledger: Ledger) -> Shown:
    """The same on a verified ledger. `files`: the bytes of FILES."""
    weights, certificate, words = files
    facts = opened(certificate)
    key = f"studies/release/{facts['study']}"
    release = ledger.state(key)
    if release is None:
        raise PortalError("model.not-released", f"this ledger released nothing of study {facts['study']}")
    require(certificate, release["certificate"], "certificate", "certificate.json")
    require(weights, release["weights"], "weights", "model.safetensors")
    require(words, facts["card"], "card", card.NAME)
    view = Verified(ledger, facts["ledger"]["height"])
    studies = Studies(view)
    study = studies.study(facts["study"])
    model = vector(weights, study)
    if digest(model) != release["model"]:
        raise PortalError("model.weights-differ", "these are not the weights that the last round closed with")
    certified.check(view, study, model, certificate)
    signed = Studies(Verified(ledger, ledger.height)).confirmations(study.study)
    part = sorted({site for item in studies.closed(study.study) for site in item.sites})
    if missing := [site for site in part if signed.get(site) != release["certificate"]]:
        raise PortalError("model.unconfirmed", f"{', '.join(missing)} took part and signed no such certificate")
    return Shown(facts, study.sponsor, tuple(part), ledger.history(key)[-1].block, ledger)


def read(directory: Path) -> tuple[bytes, bytes, bytes]:
    """The bytes of FILES. Raises PortalError `model.file-missing`, `model.not-safetensors`."""
    if not directory.is_dir():
        raise PortalError("model.file-missing", f"{directory} is no directory: name the one that holds the bundle")
    if other := sorted(one.name for one in directory.iterdir() if one.suffix.lower() in RUNNABLE):
        raise PortalError(
            "model.not-safetensors", f"nobody has signed {other[0]}, and such a file may run code: remove it"
        )
    try:
        weights, certificate, words = ((directory / name).read_bytes() for name in FILES)
    except OSError as error:
        raise PortalError("model.file-missing", f"{error.filename} cannot be read: {error.strerror}") from None
    return weights, certificate, words


def opened(certificate: bytes) -> Mapping[str, Any]:
    """The certificate's words, with the right places filled. Raises PortalError `model.certificate-malformed`."""
    try:
        facts = decode(certificate)
        height, header = facts["ledger"]["height"], facts["ledger"]["header"]
        fits = type(height) is int and all(isinstance(one, str) for one in (header, facts["study"], facts["card"]))
    except (CanonicalRefused, KeyError, TypeError):
        fits = False
    if not fits:
        raise PortalError("model.certificate-malformed", "certificate.json is no certificate of a released model")
    return dict(facts)


def require(data: bytes, expected: str, what: str, name: str) -> None:
    """Raises PortalError `model.<what>-differs`."""
    if sha256(data).hexdigest() != expected:
        raise PortalError(f"model.{what}-differs", f"{name} is not the file that the hospitals signed: it was changed")
