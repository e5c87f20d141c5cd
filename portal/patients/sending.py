"""Bringing grants and withdrawals to the ledger, now or later. Nothing here decides; what stands is told by events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet

from consent.encoding import to_base64url
from consent.grant import replacement_digest
from ledger.contracts.sealed import batched
from ledger.errors import Refused
from ledger.gateway import Committed
from portal import ledger
from portal.errors import LedgerUnavailable
from portal.patients import proofs
from portal.patients.models import Grant, HandedIn, Key, Mandate, Status
from portal.withdrawals.handed import Handed, evidence
from training.site.gate import BY_PATIENT

log = structlog.get_logger(__name__)
BATCH = 500  # ledger.contracts.constitution.MAX_BATCH
SETTLED = timedelta(seconds=10)  # younger than this is being sent by whoever made it
MOST = 2_000
MENDABLE = frozenset({"role.missing", "members.unknown", "members.not-founded"})  # said of us, not of what we send


def send_grants(grants: Sequence[Grant]) -> None:
    """Send `grants`; what the ledger cannot take now stays pending. One refused grant raises Refused and is kept so."""
    points = points_of(grants)
    for batch in batches(sorted(grants, key=lambda grant: grant.commitment)):
        try:
            send_batch(batch, points)
        except LedgerUnavailable:
            return
        except Refused as refusal:
            if len(batch) == 1:
                mark_refused(batch[0], refusal)
                raise
            send_singly(batch, points)


def points_of(grants: Sequence[Grant]) -> dict[Any, bytes]:
    """The public key that each statement names, by the grant's id."""
    owners = {grant.patient_id for grant in grants if grant.mandate_id is None}
    mandates = Mandate.objects.in_bulk({grant.mandate_id for grant in grants if grant.mandate_id is not None})
    patients = {key.patient_id: key for key in Key.objects.filter(patient__in=owners)}
    return {
        grant.pk: bytes((mandates[grant.mandate_id] if grant.mandate_id else patients[grant.patient_id]).public)
        for grant in grants
    }


def send_batch(batch: Sequence[Grant], points: dict[Any, bytes]) -> None:
    shown_of = [shown(grant, points[grant.pk]) for grant in batch]
    if len(batch) == 1:
        done = send_one(batch[0], shown_of[0])
    else:
        entries = batched(sealed(grant) for grant in batch)
        done = ledger.submit("registrar", "consents:RecordBatch", entries, shown_of, timeout=120)
    Grant.objects.filter(pk__in=[grant.pk for grant in batch]).update(tx_id=done.tx_id)


def send_one(grant: Grant, seen: dict[str, Any]) -> Committed:
    """Send `grant`. Which one it replaces is said only where its text has a successor: the whole ledger reads it.

    One that was replaced before it arrived never stood there: then it is the one before.
    """
    wanted, old = {"grant": sealed(grant)}, grant.replaces
    try:
        return ledger.submit("registrar", "consents:Record", wanted, seen)
    except Refused as refusal:
        if refusal.code != "consents.text-superseded":
            raise
        superseded = refusal
    while old is not None and old.text == grant.text:
        try:
            return ledger.submit("registrar", "consents:Record", wanted | {"replaces": old.commitment}, seen)
        except Refused as refusal:
            if refusal.code != "consents.replaces-unknown":
                raise
        old = old.replaces
    raise superseded


def send_singly(batch: Sequence[Grant], points: dict[Any, bytes]) -> None:
    """A batch is refused whole: send its grants one by one, so that one bad entry holds up nobody else."""
    for grant in batch:
        try:
            send_batch([grant], points)
        except Refused as refusal:
            mark_refused(grant, refusal)


def mark_refused(grant: Grant, refusal: Refused) -> None:
    log.warning("grant refused", code=refusal.code)
    Grant.objects.filter(pk=grant.pk, status=Status.PENDING).update(status=Status.REFUSED, refusal=refusal.code)


def send_withdrawals(grants: Iterable[Grant]) -> None:
    """Send the patients' signed withdrawals; what the ledger cannot take now is sent again by the sweep."""
    for grant in grants:
        if grant.withdrawal_signature is None or grant.withdrawn_by in BY_PATIENT:
            continue
        try:
            withdraw(grant.commitment, *taken_back(grant))
        except LedgerUnavailable:
            return
        except Refused as refusal:
            keep_refusal(Grant.objects.filter(pk=grant.pk), "withdrawal_refusal", refusal)


def taken_back(grant: Grant) -> tuple[str, dict[str, Any]]:
    """How the patient withdrew `grant` here, and what endorsers see of it."""
    proof = proofs.read(bytes(grant.withdrawal_signature or b""))
    if isinstance(proof, proofs.ByCode):
        return "code", evidence(bytes(grant.statement), grant.point, code=bytes(grant.code), signature=None)
    seen = {"statement": to_base64url(bytes(grant.statement)), "key": to_base64url(grant.point), "code": None}
    seen |= {"signature": proofs.shown(bytes(grant.withdrawal_signature or b""))}
    if grant.replacement is not None and grant.rekeyed_at is not None:
        seen |= {"replacement": to_base64url(bytes(grant.replacement.public))}
    return "signature" if isinstance(proof, bytes) else "passkey", seen


def send_rekeys(grants: Iterable[Grant]) -> None:
    """Say on the ledger which key took a lost one's place, for grants that stand there."""
    for grant in grants:
        if grant.replacement is None or grant.recorded_block is None or not grant.stands:
            continue
        named = replacement_digest(bytes.fromhex(grant.commitment), bytes(grant.replacement.public))
        try:
            ledger.submit("registrar", "consents:Rekey", {"commitment": grant.commitment, "replacement": named})
        except LedgerUnavailable:
            return
        except Refused as refusal:
            log.error("replacement of a key refused", code=refusal.code)


def send_handed_in(rows: Iterable[HandedIn]) -> None:
    """As `send_withdrawals`, for those that were handed in without an account."""
    for one in rows:
        code, signature = (None if part is None else bytes(part) for part in (one.code, one.signature))
        handed = Handed(bytes(one.statement), bytes(one.key), code, signature)
        try:
            withdraw(one.commitment, handed.how, handed.evidence)
        except LedgerUnavailable:
            return
        except Refused as refusal:
            keep_refusal(HandedIn.objects.filter(pk=one.pk), "refusal", refusal)


def keep_refusal(row: QuerySet[Any], field: str, refusal: Refused) -> None:
    """A withdrawal refused for good waits for the steward, not for the sweep. It counts at this hospital all the same.

    What the ledger refused because of who sent it is sent again: its cause is mended elsewhere.
    """
    log.error("withdrawal refused", code=refusal.code)
    if refusal.code not in MENDABLE:
        row.update(**{field: refusal.code})


def send_refused() -> None:
    """Send every refused withdrawal once more, because a steward asked to."""
    grants = list(Grant.objects.filter(refused_here()).defer("details", "secret", "code"))
    handed = list(HandedIn.objects.filter(withdrawn_block=None).exclude(refusal=""))
    Grant.objects.filter(pk__in=[grant.pk for grant in grants]).update(withdrawal_refusal="")
    HandedIn.objects.filter(pk__in=[one.pk for one in handed]).update(refusal="")
    send_withdrawals(grants)
    send_handed_in(handed)


def refused_here() -> Q:
    return ~Q(withdrawn_by__in=BY_PATIENT) & ~Q(withdrawal_refusal="")


def withdraw(commitment: str, by: str, evidence: dict[str, Any]) -> None:
    ledger.submit("registrar", "consents:Withdraw", {"commitment": commitment, "by": by}, evidence)


def sweep() -> None:
    """Send what did not arrive: withdrawals first."""
    before = datetime.now(UTC) - SETTLED
    unsent = Q(local_withdrawn_at__lt=before, withdrawal_signature__isnull=False, withdrawal_refusal="")
    unsent &= ~Q(withdrawn_by__in=BY_PATIENT)
    send_withdrawals(Grant.objects.filter(unsent).defer("details", "secret", "code")[:MOST])
    send_handed_in(HandedIn.objects.filter(received__lt=before, withdrawn_block=None, refusal="")[:MOST])
    send_rekeys(Grant.objects.filter(replacement__isnull=False, rekeyed_at=None, status=Status.RECORDED)[:MOST])
    waiting = Grant.objects.filter(status=Status.PENDING, made__lt=before, local_withdrawn_at=None)
    if found := list(waiting.defer("details", "secret", "code")[:MOST]):
        try:
            send_grants(found)
        except Refused:  # kept as refused, and shown to the patient
            return


def sealed(grant: Grant) -> dict[str, Any]:
    """What the block keeps of `grant`."""
    names = ("commitment", "text", "preset", "valid_from", "valid_until")
    attestation = proofs.attested(bytes(grant.signature), own=grant.passkey_id is not None)
    how = {"hospital": settings.NODE.msp, "attestation": attestation}
    return how | {name: getattr(grant, name) for name in names}


def shown(grant: Grant, key: bytes) -> dict[str, Any]:
    """What endorsers see of a grant, and no block holds. `key`: the one kept here, where no passkey signed."""
    point = key if grant.passkey is None else bytes(grant.passkey.public)
    named = {"statement": to_base64url(bytes(grant.statement)), "key": to_base64url(point)}
    return named | {"signature": proofs.shown(bytes(grant.signature))}


def batches(grants: Sequence[Grant]) -> Iterator[Sequence[Grant]]:
    for first in range(0, len(grants), BATCH):
        yield grants[first : first + BATCH]
