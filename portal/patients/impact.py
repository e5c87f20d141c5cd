"""What rests on a patient's consents here (consent.impact): from this hospital's rows and its mirror of the ledger."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings
from msgspec import structs

from consent.errors import CovenantError
from consent.impact import LIVE, Facts, Impact, Last, Licence, Model, Resting, Use, resting
from portal.catalogue import manifests
from portal.catalogue.selectors import organisation_title
from portal.errors import PortalError
from portal.grid.ledgers import Mirror
from portal.grid.stores import NOW, Consents
from portal.patients import speaking, words
from portal.patients.models import CohortEntry, Grant, Patient
from portal.patients.odometer import epsilon, events
from portal.patients.services import Wish
from portal.patients.signing import last_day
from portal.reactor import selectors as mirror
from training.federation.studies import Studies
from training.site.gate import Gate
from training.site.stores import Standing


def of_commitment(commitment: str) -> Impact:
    """The report of one consent by its name on the ledger (hex); PortalError `patients.grant-unknown`."""
    grant = Grant.objects.filter(commitment=commitment.lower()).select_related("patient").first()
    if grant is None:
        raise PortalError("patients.grant-unknown", "no consent of this hospital has that name: give its 64 digits")
    return report(grant.patient, [grant])


def of_giver(grant: Grant) -> Impact:
    """What rests on the word of whoever gave `grant`: the patient, or one who spoke for them."""
    if grant.mandate is None:
        return of_patient(grant.patient)
    said = list(grant.mandate.grants.only("commitment", "patient_id"))
    return report(grant.patient, said, alone=not speaking.in_force(grant.mandate))


def of_patient(patient: Patient) -> Impact:
    """The report of all that a patient ever consented to here: what was learned does not end with the consent."""
    return report(patient, list(patient.grants.only("commitment", "patient_id")))


def report(patient: Patient, grants: Sequence[Grant], *, alone: bool = True) -> Impact:
    """`alone`: a study waits for the record only where one of `grants` lets it in. Of several who speak for a patient
    the gate names one; without any of them nobody is let in, so that each stops all of it.
    """
    entered = CohortEntry.objects.filter(grant__in=[grant.pk for grant in grants]).values_list(
        "cohort__study", "cohort__round", "cohort__attempt", "cohort__kind"
    )
    uses: dict[str, list[Use]] = defaultdict(list)
    for study, *place in entered:
        uses[str(study)].append(Use(*place))
    standings = list(Consents().standings([str(patient.pk)]))
    resting_on = {grant.commitment for grant in grants} if alone else {one.commitment for one in standings}
    coming = would_use(patient, standings, resting_on)
    spent = {study: events((study, one.round, one.attempt) for one in found) for study, found in uses.items()}
    names = (*sorted(uses), *(study for study in coming if study not in uses))
    found = [of_study(study, uses.get(study, []), spent.get(study, []), waits=study in coming) for study in names]
    studies = tuple(one for one in found if one is not None)
    delta = min((one.facts.delta for one in studies if one.used), key=float, default="")
    together = [event for study in spent.values() for event in study]
    return Impact(
        hospital=settings.NODE.msp,
        commitments=tuple(sorted(grant.commitment for grant in grants)),
        studies=studies,
        epsilon=epsilon(together, delta),
        delta=delta,
    )


def of_less(grant: Grant, wish: Wish) -> Impact:
    """What `wish` in the place of `grant` stops: the report, of those studies alone that would use the record no more.

    `stays` speaks of the same studies; what others have learned stays as it is, and goes on.
    """
    whole, standings = of_giver(grant), list(Consents().standings([str(grant.patient_id)]))
    then = [instead(one, wish) if one.commitment == grant.commitment else one for one in standings]
    every = {one.commitment for one in standings}
    before, after = (set(would_use(grant.patient, known, every)) for known in (standings, then))
    return structs.replace(whole, studies=tuple(one for one in whole.studies if one.facts.study in before - after))


def instead(standing: Standing, wish: Wish) -> Standing:
    """The consent of `standing` as it would be recorded if it said `wish`."""
    view, chosen = standing.view, wish.choices
    if view.details is None:
        return standing
    details = structs.replace(
        view.details,
        ends=last_day(wish.valid_until),
        data_from=chosen.data_from,
        data_until=chosen.data_until,
        limits=chosen.limits,
    )
    view = structs.replace(view, preset=wish.preset, valid_until=wish.valid_until, details=details)
    return replace(standing, view=view)


def would_use(patient: Patient, standings: Sequence[Standing], commitments: set[str]) -> list[str]:
    """The studies under way into whose next cohort here one of the consents lets the patient, as the gate decides.

    `standings`: all of the patient's consents.
    """
    studies, now = Studies(Mirror()), int(time.time())
    found = []
    for body in mirror.records("studies/study/"):
        if body["status"] not in LIVE or not holds(patient, body["plan"]):
            continue
        study = studies.study(body["study"])
        try:
            purpose = studies.entitlement(study.plan, study.plan.dataset(settings.NODE.msp), now).purpose
        except CovenantError:  # its permission has ended: no round opens
            continue
        admitted = Gate(purpose, now, NOW, studies.occasion(study, settings.NODE.msp)).admit(standings)
        if {one.commitment for one in admitted} & commitments:
            found.append(study.study)
    return found


def holds(patient: Patient, plan: dict[str, Any]) -> bool:
    """Whether this hospital's data set in the plan has a record of the patient."""
    own = next((one for one in plan["datasets"] if one["dataset"].startswith(f"{settings.NODE.msp}/")), None)
    if own is None:
        return False
    try:
        parts = manifests.split_of(own["dataset"], own["version"])
    except CovenantError:  # the file is gone: nothing is read of it
        return False
    return bool({*parts.training, *parts.held_out} & set(patient.record_ids))


def of_study(study: str, uses: Sequence[Use], spent: Sequence[Any], *, waits: bool) -> Resting | None:
    """What of one study rests on `uses`; `waits`: its next round here would, too.

    None for a study that the mirror does not hold: a rebuild is under way.
    """
    record = mirror.record(f"studies/study/{study}")
    if record is None:
        return None
    plan, head = record["plan"], mirror.record(f"studies/head/{study}")
    request = mirror.record(f"access/request/{plan['request']}") or {}
    release = mirror.record(f"studies/release/{study}")
    delta = plan["privacy"]["delta"]
    facts = Facts(
        study=study,
        title=plan["title"],
        purpose=words.purpose(request.get("purpose")),
        status=record["status"],
        planned=plan["rounds"],
        last=None if head is None else Last(round=head["round"], status=head["status"]),
        on_withdrawal=plan["on_withdrawal"],
        epsilon=epsilon(spent, delta),
        delta=delta,
        model=None if release is None else Model(model=release["model"], certificate=release["certificate"]),
        licences=tuple(licences(record)),
    )
    return resting(facts, uses, waits=waits)


def licences(study: dict[str, Any]) -> Iterable[Licence]:
    """What this hospital permitted for the study's request: its own data sets of the plan alone."""
    plan = study["plan"]
    for one in plan["datasets"]:
        if one["dataset"].startswith(f"{settings.NODE.msp}/"):
            found = mirror.record(f"access/entitlement/{plan['request']}/{one['dataset']}/{one['version']}")
            if found is not None:
                yield Licence(
                    holder=organisation_title(study["sponsor"]),
                    dataset=one["dataset"],
                    version=one["version"],
                    request=plan["request"],
                    until=found["until"],
                    status=found["status"],
                )
