"""Writing a release down: files first, then their digests on the ledger."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from django.conf import settings

from consent.canonical import decode
from consent.errors import CovenantError
from ledger.gateway import Gateway
from portal import bundle, ledger
from portal.errors import PortalError
from portal.grid.ledgers import Mirror, Signer
from portal.reactor import selectors as mirror
from portal.reactor import witness
from training.federation.crashpoint import reach
from training.federation.release import Head, Package, package
from training.federation.studies import Studies, Study
from training.federation.vectors import Vector, digest
from training.site.attempts import write

MODEL, CERTIFICATE, CARD = bundle.FILES


def folder(study: str) -> Path:
    """Where the hub keeps what a study released."""
    return Path(settings.NODE.data) / "studies" / study


def certify(study: Study, model: Vector) -> bytes:
    """Write model, certificate and card, and give the certificate for the sites to confirm.

    It names the ledger's head at the time it is first written, so the files of a run cut short are kept.
    """
    place = folder(study.study)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = kept(place, digest(model)) or package(Mirror(), study, model, chain_head())
    write(place / MODEL, made.weights)
    write(place / CERTIFICATE, made.certificate)
    write(place / CARD, made.card)
    reach("hub.packaged")
    return made.certificate


def publish(study: str, model: Vector) -> None:
    """Release the files that the sites have confirmed, by their digests; done before, it changes nothing."""
    if Studies(Mirror()).study(study).status == "released":
        return
    made = kept(folder(study), digest(model))
    if made is None:
        raise PortalError("hub.package-lost", "model and certificate are gone from the hub's disk: run the study again")
    digests = {"model": made.model, "weights": made.weights_digest, "certificate": made.certificate_digest}
    Signer("runner").submit("studies:Release", {"study": study, **digests})
    reach("hub.released")


def kept(place: Path, model: str) -> Package | None:
    """The files of a run that was cut short after writing them: their digests may stand on the ledger already."""
    try:
        found = Package(model, *((place / name).read_bytes() for name in bundle.FILES))
        facts = decode(found.certificate)
    except (OSError, CovenantError):
        return None
    told = tuple(facts[name] for name in ("model", "weights", "card"))
    return found if told == (model, found.weights_digest, sha256(found.card).hexdigest()) else None


def chain_head() -> Head:
    """A head under which all stands that this node's mirror holds: the certificate is checked against what stood there.

    Of several peers one may be some blocks late: then the next one is asked. Raises OtherLedger `portal.ledger-behind`
    where all are, LedgerUnavailable.
    """
    followed = mirror.height()
    for _ in settings.NODE.ledger.places:
        head = ledger.ask("runner", Gateway.head, "head")
        if head.height > followed:
            return Head(head.height, head.hash.hex())
        ledger.turn()
    raise witness.OtherLedger("portal.ledger-behind", witness.FAULTS["portal.ledger-behind"])
