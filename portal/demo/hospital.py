"""What the demo has a hospital do, through the portal's own services. Each action may be asked again."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.conf import settings

from portal import ledger
from portal.access import selectors as access
from portal.access import services as deciding
from portal.accounts.models import Role, User
from portal.catalogue import manifests
from portal.catalogue import services as catalogue
from portal.catalogue.models import Source
from portal.demo.people import Wish, wishes
from portal.demo.waiting import account, awaited
from portal.governance import selectors as proposals
from portal.governance import services as governance
from portal.patients import services as patients
from portal.patients import texts
from portal.patients.models import Cohort, Grant, Passkey, Patient, Status
from portal.reactor import selectors as mirror
from portal.studies import selectors as studies
from portal.studies import services as study_services

FILE, SLUG = "heart.csv", "heart"
CAP, DELTA = Decimal(10), Decimal("0.0001")
SINGLY = 3  # consents recorded one by one; the others in batches
REASON = "Within what our patients allow, and approved by our ethics committee."


def open_doors() -> dict[str, str]:
    """The steward's account: username -> a new password."""
    return {"steward": account("steward", Role.STEWARD)}


def found(organisations: list[dict[str, Any]]) -> None:
    ledger.submit("steward", "members:Found", {"organisations": organisations})
    ledger.submit("steward", "consents:PublishText", texts.publication())


def propose_disjoint(proposal: str, hospitals: list[str]) -> None:
    """Put to the vote that no patient of these hospitals is a patient of another of them."""
    if mirror.record(f"governance/proposal/{proposal}") is None:
        action = {"kind": "declare-disjoint", "hospitals": sorted(hospitals)}
        governance.propose(proposal=uuid.UUID(proposal), action=action, days=7)


def vote(proposal: str) -> None:
    shown = awaited(lambda: proposals.proposal(proposal), "the proposal")
    if shown["status"] == "open":
        governance.vote(proposal=shown, choice="yes")


def execute(proposal: str) -> None:
    """Carry it out, once this hospital has seen every vote."""

    def decided() -> dict[str, Any] | None:
        shown = proposals.proposal(proposal)
        voted = shown and all(choice for _, _, choice in shown["votes"])
        return shown if voted or (shown and shown["status"] != "open") else None

    shown = awaited(decided, "every hospital's vote")
    if shown["status"] == "open":
        governance.execute(proposal=shown)
    awaited(lambda: mirror.record("budget/disjoint"), "the executed proposal")


def register(seed: int) -> dict[str, Any]:
    """Open the privacy account and register the hospital's file as its data set."""
    catalogue.open_account(cap=CAP, delta=DELTA)
    if not mirror.records(f"catalogue/dataset/{settings.NODE.msp}/{SLUG}/"):
        catalogue.register(
            file=FILE,
            slug=SLUG,
            title="Heart disease",
            permission="DUO:0000006",
            diseases=[],
            modifiers=[],
            conditions=[],
            seed=seed,
        )
    return {"patients": len(manifests.records_of(f"{settings.NODE.msp}/{SLUG}", 1).patients)}


def enrol(seed: int) -> dict[str, int]:
    """Enrol a patient for each record and take consents down, a few singly, the rest in batches; some withdraw."""
    ids = sorted(set(manifests.records_of(f"{settings.NODE.msp}/{SLUG}", 1).patients))
    if not Patient.objects.exists():
        patients.enrol([(record,) for record in ids])
    known = {patient.record_ids[0]: patient for patient in Patient.objects.all()}
    wanted = wishes(ids, settings.NODE.name, seed, datetime.now(UTC).date())
    granted = set(Grant.objects.values_list("patient_id", flat=True))
    missing = [
        patients.Wish(known[one.patient], one.preset, one.valid_from, one.valid_until, document=paper(number, one))
        for number, one in enumerate(wanted)
        if one.preset and known[one.patient].pk not in granted
    ]
    for one in missing[:SINGLY]:
        patients.give(patient=one.patient, preset=one.preset, valid_from=one.valid_from, valid_until=one.valid_until)
    patients.give_all(missing[SINGLY:])
    awaited(lambda: not Grant.objects.filter(status=Status.PENDING).exists(), "the recorded consents")
    for one in wanted:
        if one.withdraws:
            patients.withdraw(grant=Grant.objects.get(patient=known[one.patient]))
    return {"patients": len(ids), "grants": Grant.objects.count()}


def paper(number: int, one: Wish) -> str | None:
    """The digest of the scan for every tenth patient, who signed on paper: made up, as the wishes are."""
    return sha256(f"the scan of {one.patient}'s paper".encode()).hexdigest() if number % 10 == 9 else None


def personas(count: int, seed: int) -> dict[str, str]:
    """Accounts for `count` patients whose records train if they consent: username -> a new password."""
    source = Source.objects.get(version=1)
    training = set(manifests.split_of(source.dataset, source.version).training)
    fitting = Grant.objects.filter(status=Status.RECORDED, preset="heart-disease", local_withdrawn_at=None)
    fitting = fitting.filter(attestation="portal-key")
    able = [grant.patient for grant in fitting.filter(valid_until__gte=f"{date.today():%Y-%m}").order_by("pk")]
    chosen = [one for one in able if set(one.record_ids) & training]
    made = {}
    for number in range(1, count + 1):
        username = f"patient{number}"
        if User.objects.filter(username=username).exists():
            made[username] = account(username, Role.PATIENT)
        else:
            patient = next(one for one in chosen if one.account_id is None)
            made[username] = patients.open_account(patient=patient, username=username)
            chosen.remove(patient)
    return made


def decide(request: str) -> str:
    """The steward permits this hospital's part of the request, if the data set's own terms do."""
    shown = awaited(lambda: access.request(request), "the request")
    case = next(one for one in shown["cases"] if one.dataset["owner"] == settings.NODE.msp)
    if case.entitlement is None:
        deciding.decide(case=case, verdict="permit", until=case.latest, reason=REASON)
    return case.status


def approve(study: str) -> None:
    """Approve the plan and reserve its budget."""
    shown = awaited(lambda: studies.study(study), "the plan")
    study_services.approve(study=shown, plan_digest=shown["plan_digest"])


def settle(study: str) -> None:
    shown = awaited(lambda: (found := studies.study(study)) and found["status"] == "released" and found, "the release")
    study_services.settle(study=shown)


def cohort_size(study: str) -> int:
    """How many patients trained in the study's last training round here: known to this hospital alone."""
    last = Cohort.objects.filter(study=study, kind="training").order_by("-round", "-attempt").first()
    return last.entries.count() if last else 0


def grant_of(username: str) -> str:
    """The id in the portal's addresses of the consent that `username` gave last."""
    return str(newest(username).pk)


def newest(username: str) -> Grant:
    return Grant.objects.filter(patient__account__username=username).order_by("-made")[0]


def has_passkey(username: str) -> bool:
    return Passkey.objects.filter(patient__account__username=username, mandate=None, lost=None).exists()


def signed_with(username: str) -> str:
    return newest(username).attestation


def await_signed(username: str) -> None:
    """Return once the consent that `username` signed with a passkey is recorded."""

    def recorded() -> bool:
        grant = newest(username)
        return grant.attestation == "passkey" and grant.status == Status.RECORDED

    awaited(recorded, "the consent signed with a passkey")


def await_withdrawn(grant: str) -> None:
    """Return once the withdrawal of `grant` is recorded on the ledger."""
    awaited(lambda: Grant.objects.filter(pk=grant, status=Status.WITHDRAWN).exists(), "the recorded withdrawal")


def rounds_of(username: str, study: str) -> list[int]:
    """The training rounds of the study in whose cohort the patient was."""
    entries = Cohort.objects.filter(study=study, kind="training", entries__patient__account__username=username)
    return sorted(set(entries.values_list("round", flat=True)))


def patient_count() -> int:
    return Patient.objects.count()
