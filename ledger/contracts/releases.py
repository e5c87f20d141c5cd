"""The end of a study: every site that took part confirms the model, then the sponsor releases it.

State: `studies/confirmation/<uuid>/<msp>` -> Confirmation, `studies/release/<uuid>` -> Release.
"""

from __future__ import annotations

from msgspec.structs import replace

from consent.canonical import Document
from ledger.contracts import closings, embargoes
from ledger.contracts import study as studies
from ledger.contracts.fields import Digest, Seconds, Uuid
from ledger.contracts.functions import Contract, Role, transaction
from ledger.contracts.state import Ledger, agree
from ledger.contracts.study import Head
from ledger.errors import Refused


class Confirmation(Document, frozen=True):
    """A site has checked that the final model is what the released updates give, and what its certificate says."""

    study: Uuid
    hospital: str
    model: Digest
    certificate: Digest
    confirmed: Seconds


class Release(Document, frozen=True):
    """A released model: its digest as trained, the digest of the weights file, the digest of its certificate."""

    study: Uuid
    model: Digest
    weights: Digest
    certificate: Digest
    released: Seconds


class Releases(Contract):
    """A model leaves the consortium only with every participant's confirmation."""

    name = "studies"

    @transaction(role=Role.SITE, event="studies.confirmed")
    def confirm(self, ledger: Ledger, *, study: Uuid, model: Digest, certificate: Digest) -> Confirmation:
        """Confirm the final model of a trained study in which the caller's hospital took part, and its certificate.

        Before the release a site may confirm another certificate instead.
        Refuses `studies.unknown`, `studies.wrong-status`, `studies.not-a-site`, `studies.model-differs`.
        """
        standing = studies.require(ledger, study)
        head, hospital = require_head(ledger, study), ledger.creator.organisation
        if hospital not in head.participants:
            raise Refused(
                "studies.not-a-site", "this hospital took part in no closed round of the study", hospital=hospital
            )
        if model != head.base:
            raise Refused(
                "studies.model-differs",
                "this is not the model that the last training round closed with",
                model=head.base,
            )
        known = ledger.find(confirmation_key(study, hospital), Confirmation)
        if known is not None and known.certificate == certificate:
            return known
        studies.require_status(standing, "trained")
        confirmation = Confirmation(
            study=study, hospital=hospital, model=model, certificate=certificate, confirmed=ledger.now
        )
        ledger.put(confirmation_key(study, hospital), confirmation)
        return confirmation

    @transaction(role=Role.RUNNER, event="studies.released")
    def release(self, ledger: Ledger, *, study: Uuid, model: Digest, weights: Digest, certificate: Digest) -> Release:
        """Release the trained model; nothing of the study changes afterwards.

        Refuses `studies.unknown`, `studies.not-sponsor`, `studies.known-differently`, `studies.wrong-status`,
        `studies.model-differs`, `studies.round-open`, `studies.embargo` (names the first day),
        `studies.confirmation-missing`, `studies.certificate-differs`.
        """
        standing = studies.require(ledger, study)
        studies.require_sponsor(ledger, standing)
        offered = Release(study=study, model=model, weights=weights, certificate=certificate, released=ledger.now)
        if known := ledger.find(release_key(study), Release):
            agree(known, offered, "studies.known-differently", "released")
            return known
        studies.require_status(standing, "trained")
        head = require_head(ledger, study)
        if model != head.base:
            raise Refused(
                "studies.model-differs", "release the model that the last training round closed with", model=head.base
            )
        if head.status not in {"closed", "aborted"}:
            raise Refused("studies.round-open", "close or abort the evaluation first")
        embargoes.check(ledger, standing.plan)
        given = {site: confirmed(ledger, study, site) for site in head.participants}
        if missing := [site for site, file in given.items() if file is None]:
            raise Refused(
                "studies.confirmation-missing", "every site that took part confirms the model first", hospitals=missing
            )
        if other := [site for site, file in given.items() if file != certificate]:
            raise Refused(
                "studies.certificate-differs", "these sites have confirmed another certificate", hospitals=other
            )
        ledger.put(release_key(study), offered)
        ledger.put(studies.key(study), replace(standing, status="released"))
        closings.incur(ledger, standing)
        return offered


def confirmation_key(study: str, hospital: str) -> str:
    return f"studies/confirmation/{study}/{hospital}"


def confirmed(ledger: Ledger, study: str, hospital: str) -> str | None:
    """The certificate that `hospital` has confirmed, if any."""
    confirmation = ledger.find(confirmation_key(study, hospital), Confirmation)
    return None if confirmation is None else confirmation.certificate


def release_key(study: str) -> str:
    return f"studies/release/{study}"


def require_head(ledger: Ledger, study: str) -> Head:
    """Refuses `studies.wrong-status`: no round was ever opened."""
    head = ledger.find(studies.head_key(study), Head)
    if head is None:
        raise Refused("studies.wrong-status", "no round of this study was opened yet")
    return head
