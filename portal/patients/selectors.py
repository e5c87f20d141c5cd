"""What patient pages show: this hospital's own rows and its mirror of the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from consent.ledger_view import CommittedRoot
from consent.versions import Lapse
from portal.catalogue import selectors as catalogue
from portal.patients import odometer, sending, speaking, words
from portal.patients.models import Cohort, CohortEntry, Grant, HandedIn, Mandate, Patient, Status
from portal.reactor import selectors as mirror
from portal.withdrawals import acknowledging


def country() -> str:
    """Where the members hold that this hospital sits: "only here" is judged by that; "" where nobody has said."""
    return catalogue.seat(settings.NODE.msp).country or ""


@dataclass(frozen=True, slots=True)
class RoundUse:
    """One round of a study here. `used`: this patient was in a cohort of it; `when`: epoch seconds or None."""

    number: int
    kind: str
    used: bool
    attempts: int
    when: int | None


@dataclass(frozen=True, slots=True)
class UsedUp:
    """Epsilon, in thousandths rounded up, at `delta`."""

    epsilon: str
    delta: str


@dataclass(frozen=True, slots=True)
class StudyUse:
    """A study in which this patient's record was used at least once.

    `events`: what was released here of cohorts with the patient, at the rounds spoken of. `epsilon`: what they cost.
    """

    study: str
    title: str
    purpose: str
    rounds: tuple[RoundUse, ...]
    events: tuple[Any, ...]
    delta: str

    @property
    def epsilon(self) -> str:
        return odometer.epsilon(self.events, self.delta)

    @property
    def used(self) -> int:
        return sum(one.used for one in self.rounds)


def studies_here() -> dict[str, str]:
    """Study -> title, of those that this hospital has approved and that have not ended."""
    approved = {
        key.split("/")[2] for key, _ in mirror.items("studies/approval/") if key.endswith(f"/{settings.NODE.msp}")
    }
    return {
        body["study"]: body["plan"]["title"]
        for body in mirror.records("studies/study/")
        if body["study"] in approved and body["status"] in ("approved", "running", "trained")
    }


def titles(wanted: Iterable[str]) -> dict[str, str]:
    """Study -> title, for those of `wanted` that the ledger knows."""
    found = {study: mirror.record(f"studies/study/{study}") for study in wanted}
    return {study: body["plan"]["title"] for study, body in found.items() if body}


def lapses() -> dict[str, Lapse]:
    """Of every consent version that a newer one has superseded: since when, and what it still permits."""
    return {body["text"]: Lapse(body["since"], body["still_permits"]) for body in mirror.records("consents/successor/")}


def published(version: str) -> dict[str, Any] | None:
    """What the ledger says of a consent version, as far as this node has read it."""
    found: dict[str, Any] | None = mirror.record(f"consents/text/{version}")
    return found


def successors() -> dict[str, str]:
    """Superseded consent version -> the one that superseded it."""
    return {body["text"]: body["by"] for body in mirror.records("consents/successor/")}


def patient_of(record: str) -> Patient | None:
    """The patient who has this record; records are sealed, so that all are opened to find one."""
    every = Patient.objects.only("pk", "sealed_records").iterator()
    return next((patient for patient in every if record in patient.record_ids), None)


def grants_of(patient: Patient) -> QuerySet[Grant]:
    """The grants that the patient signed, the newest first, without their secrets."""
    return patient.grants.filter(mandate=None).defer("details", "secret", "code", "statement", "signature")


def said_for(patient: Patient) -> QuerySet[Grant]:
    """What others, under a mandate, signed for the patient."""
    return patient.grants.filter(mandate__isnull=False).defer("details", "secret", "code", "statement", "signature")


def current(grants: list[Grant]) -> Grant | None:
    """The grant that stands, if one does."""
    return next((grant for grant in grants if grant.stands), None)


def newest(patient: Patient, study: str, round_: int) -> Grant | None:
    """The grant a proof about a round rests on: the one that put the patient there, else the newest withdrawn one."""
    cohorts = Cohort.objects.filter(study=study, round=round_)
    entry = CohortEntry.objects.filter(patient=patient, cohort__in=cohorts, grant__isnull=False).first()
    if entry is not None:
        return entry.grant
    recorded = patient.grants.exclude(status__in=(Status.PENDING, Status.REFUSED))
    return recorded.filter(withdrawn_block__isnull=False).order_by("-withdrawn_block").first() or recorded.first()


def uses(patient: Patient) -> list[StudyUse]:
    """Every study in which this patient's record was used, each with all rounds this hospital took part in."""
    entered = CohortEntry.objects.filter(patient=patient).values_list(
        "cohort__study", "cohort__round", "cohort__attempt"
    )
    places = {(str(study), number, attempt) for study, number, attempt in entered}
    return [study_use(study, places) for study in sorted({study for study, _, _ in places})]


def said_uses(mandate: Mandate) -> list[StudyUse]:
    """The same for whoever speaks under `mandate`, and no more than is theirs to know.

    Studies in which the record was used on their word; in these, rounds of their time that rest on no other's word.
    """
    entries = CohortEntry.objects.filter(patient=mandate.patient_id)
    own = entries.filter(grant__mandate=mandate).values_list("cohort__study", "cohort__round", "cohort__attempt")
    places = {(str(study), number, attempt) for study, number, attempt in own}
    studies = sorted({study for study, _, _ in places})
    over = datetime.fromtimestamp(speaking.over_from(mandate), UTC)
    theirs = Cohort.objects.filter(study__in=studies, frozen__gte=mandate.made, frozen__lt=over)
    others = theirs.filter(entries__in=entries.exclude(grant__mandate=mandate))
    told = rounds_of(theirs) - (rounds_of(others) - {(study, number) for study, number, _ in places})
    return [study_use(study, places, told) for study in studies]


def used_up(studies: Sequence[StudyUse]) -> UsedUp | None:
    """What several studies cost together, at the smallest of their deltas; None where fewer than two cost anything."""
    costing = [one for one in studies if one.events]
    if len(costing) < 2:
        return None
    delta = min((one.delta for one in costing), key=float)
    return UsedUp(odometer.epsilon([event for one in costing for event in one.events], delta), delta)


def rounds_of(cohorts: QuerySet[Cohort]) -> set[tuple[str, int]]:
    return {(str(study), number) for study, number in cohorts.values_list("study", "round")}


def newest_said(mandate: Mandate, study: str, round_: int) -> Grant | None:
    """The grant, given under `mandate`, that a proof about a round rests on; None for a round that is not theirs."""
    uses = {(one.study, of.number) for one in said_uses(mandate) for of in one.rounds}
    if (study, round_) not in uses:
        return None
    used = CohortEntry.objects.filter(cohort__study=study, cohort__round=round_, grant__mandate=mandate).first()
    if used is not None:
        return used.grant
    recorded = mandate.grants.exclude(status__in=(Status.PENDING, Status.REFUSED))
    return recorded.filter(withdrawn_block__isnull=False).order_by("-withdrawn_block").first() or recorded.first()


def answer(grant: Grant) -> datetime | None:
    """When this hospital acknowledged the withdrawal of `grant`, as its signed answer says; None where it did not.

    Raises PortalError `withdrawals.acknowledgement-invalid`.
    """
    if grant.acknowledgement is None:
        return None
    said = acknowledging.read_back(bytes(grant.acknowledgement), grant.commitment)
    return datetime.fromtimestamp(said.received_at, UTC)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one hospital says of a withdrawal: when and in which block it acknowledged it; None while it has not."""

    title: str
    when: datetime | None
    block: int | None


def heard_by(commitment: str) -> list[Hearing]:
    """Every hospital of the consortium, with its word on the ledger that the withdrawal has arrived there."""
    rows = {row.body["hospital"]: row for row in mirror.standing(f"consents/heard/{commitment}/")}
    found = []
    for body in mirror.records("members/org/"):
        if body["kind"] == "hospital":
            row = rows.get(body["msp"])
            when = None if row is None else datetime.fromtimestamp(row.body["heard"], UTC)
            found.append(Hearing(body["name"], when, None if row is None else row.block))
    return found


@dataclass(frozen=True, slots=True)
class RefusedWithdrawal:
    """A withdrawal that counts here and that the ledger refused, with the ledger's code."""

    commitment: str
    when: datetime
    how: str
    refusal: str


def refused_withdrawals() -> list[RefusedWithdrawal]:
    """Those that somebody has to look into, the newest first."""
    grants = Grant.objects.filter(sending.refused_here())
    signed = grants.values_list("commitment", "local_withdrawn_at", "withdrawal_refusal")
    handed = HandedIn.objects.filter(withdrawn_block=None).exclude(refusal="")
    without = handed.values_list("commitment", "received", "refusal", "signature")
    found = [RefusedWithdrawal(commitment, when, "signature", code) for commitment, when, code in signed]
    found += [
        RefusedWithdrawal(commitment, when, "code" if signature is None else "signature", code)
        for commitment, when, code, signature in without
    ]
    return sorted(found, key=lambda one: one.when, reverse=True)


def study_use(
    study: str, places: set[tuple[str, int, int]], told: Collection[tuple[str, int]] | None = None
) -> StudyUse:
    """`places`: the (study, round, attempt) with the patient; `told`: the only rounds to speak of, None for all."""
    record = mirror.record(f"studies/study/{study}") or {}
    plan = record.get("plan", {})
    request = mirror.record(f"access/request/{plan.get('request')}") or {}
    rounds: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for body in own_cohorts(study):
        if told is None or (study, body["round"]) in told:
            rounds[body["round"]].append(body)
    opened = {(body["round"], body["attempt"]): body for body in mirror.records(f"studies/round/{study}/")}
    spoken = {(study, number) for number in rounds}
    return StudyUse(
        study=study,
        title=plan.get("title", "A study"),
        purpose=words.purpose(request.get("purpose")),
        rounds=tuple(round_use(study, number, rounds[number], opened, places) for number in sorted(rounds)),
        events=tuple(odometer.events(place for place in places if place[:2] in spoken)),
        delta=plan.get("privacy", {}).get("delta", ""),
    )


def round_use(
    study: str,
    number: int,
    cohorts: list[dict[str, Any]],
    opened: dict[tuple[int, int], dict[str, Any]],
    places: set[tuple[str, int, int]],
) -> RoundUse:
    last = opened.get((number, max(body["attempt"] for body in cohorts)), {})
    return RoundUse(
        number=number,
        kind=last.get("kind", "training"),
        used=any((study, number, body["attempt"]) in places for body in cohorts),
        attempts=len(cohorts),
        when=last.get("opened"),
    )


def own_cohorts(study: str, round_: int | None = None) -> list[dict[str, Any]]:
    """The cohorts that this hospital committed in `study` (declined rounds have no root)."""
    prefix = f"studies/cohort/{study}/" if round_ is None else f"studies/cohort/{study}/{round_}/"
    found = []
    for key, body in mirror.items(prefix):
        number, attempt, msp = key.split("/")[-3:]
        if msp == settings.NODE.msp and body.get("root"):
            found.append({**body, "round": int(number), "attempt": int(attempt)})
    return found


def committed_roots(study: str, round_: int) -> list[CommittedRoot]:
    """Every root this hospital committed for a round, over all its attempts."""
    opened = {body["attempt"]: body for body in mirror.records(f"studies/round/{study}/{round_}/")}
    return [
        CommittedRoot(
            attempt=body["attempt"],
            kind=opened.get(body["attempt"], {}).get("kind", "training"),
            dataset=body["dataset"],
            root=body["root"],
            opened_block=0,  # a proof does not carry it: whoever verifies reads it from the chain
        )
        for body in own_cohorts(study, round_)
    ]
