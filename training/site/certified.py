"""What a site looks at before it confirms a study: does the certificate say what this hospital's own ledger says?

The site makes the certificate and the card that it names itself, from its own projection and the model it recomputed,
and compares. It takes two things from the certificate: the ledger's head, which its own ledger must hold, and the last
digits of both epsilons, since two machines may round them apart.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from consent.canonical import decode
from consent.errors import CanonicalRefused
from training.errors import TrainingError
from training.federation.card import card
from training.federation.release import Head, carded, certificate, safetensors
from training.federation.studies import LedgerView, Study
from training.federation.vectors import Vector, digest

EPSILONS = ("epsilon_rdp", "epsilon_pld")
APART = 2e-6  # both are rounded up to six digits


def check(view: LedgerView, study: Study, model: Vector, data: bytes) -> str:
    """The SHA-256 (hex) of the certificate `data` of `study`'s final `model`, if every word of it is so.

    Raises TrainingError `certificate.malformed`, `certificate.head` (the ledger has no such head),
    `certificate.differs` (the message names what does).
    """
    try:
        told = decode(data)
        head = Head(told["ledger"]["height"], told["ledger"]["header"])
        offered = {name: float(told["privacy"][name]) for name in EPSILONS}
    except (CanonicalRefused, KeyError, TypeError, ValueError):
        raise TrainingError(
            "certificate.malformed", "this is no certificate of a study: nothing is confirmed"
        ) from None
    if type(head.height) is not int or view.header_hash(head.height) != head.hash:
        raise TrainingError("certificate.head", "this hospital's ledger holds no such head: nothing is confirmed")
    weights = sha256(safetensors(model, study)).hexdigest()
    made = certificate(view, study, digest(model), weights, head)
    for name in EPSILONS:
        if abs(float(made["privacy"][name]) - offered[name]) <= APART:
            made["privacy"][name] = told["privacy"][name]
    made = carded(made, card(view, study, made))
    if other := differing(made, told):
        message = f"the certificate says otherwise than this hospital's ledger about {', '.join(other)}"
        raise TrainingError("certificate.differs", message, fields=other)
    return sha256(data).hexdigest()


def differing(made: dict[str, Any], told: dict[str, Any]) -> list[str]:
    """The fields that one has and the other has not, or has otherwise."""
    return sorted(name for name in made.keys() | told.keys() if name not in made or made[name] != told.get(name))
