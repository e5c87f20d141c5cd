"""Who speaks for a patient at present, and what they have said together, for the pages and for whoever signs next."""

from __future__ import annotations

import secrets
import time

from django.utils.translation import gettext, gettext_noop

from consent import diseases, duo, periods, presets
from consent.decide import read_all
from consent.decision import Decision
from consent.errors import GrantRefused
from consent.grant import SECRET_BYTES
from consent.purpose import Purpose
from consent.voices import PATIENT, Spoken, Together, together
from portal.errors import PortalError
from portal.patients.models import Grant, Mandate, Patient, Status

NOW = 2**62  # a height above every block: what is known at present


def said(patient: Patient, preset: str) -> Together:
    """What all documents about `patient` say today to research of the kind that `preset` allows."""
    when, purpose = int(time.time()), purpose_of(preset)
    grants = list(patient.grants.exclude(status=Status.REFUSED).select_related("mandate"))
    views = [grant.view(NOW) for grant in grants]
    answers = read_all(views, purpose, when)
    spoken = [
        Spoken(
            view,
            answer,
            str(grant.mandate_id or PATIENT),
            taken_back=grant.patient_withdrew,
            ended=grant.mandate.ended_at if grant.mandate else None,
        )
        for grant, view, answer in zip(grants, views, answers, strict=True)
    ]
    return together(spoken, purpose, when, patient.age)


def together_now(patient: Patient, grant: Grant) -> Decision | None:
    """What all say together to what `grant` allows, where others than the patient have a say; else None."""
    if patient.age is None and not patient.mandates.exists():
        return None
    return said(patient, grant.preset).decision


def purpose_of(preset: str) -> Purpose:
    """The widest research that is not for gain and that `preset` allows."""
    terms = presets.preset(preset)
    wanted = terms.diseases or (diseases.HEART,)
    return Purpose.of(
        terms.permissions[0], wanted if duo.DS in terms.permissions else (), commercial=False, for_profit=False
    )


def is_child(patient: Patient) -> bool:
    return patient.age is not None and time.time() < periods.instant(patient.age.of_age_from)


def is_asked(patient: Patient) -> bool:
    """Whether the patient's own yes counts for something: it is needed beside a guardian's, or alone suffices."""
    return patient.age is None or time.time() >= periods.instant(patient.age.assents_from)


def in_force(mandate: Mandate) -> bool:
    """Whether whoever holds `mandate` may speak now."""
    opened, now = mandate.opened(), int(time.time())
    if mandate.ended is not None or not opened.holds(now):
        return False
    return opened.office != "guardian" or is_child(mandate.patient)


def check_right(mandate: Mandate, preset: str) -> None:
    """Raises PortalError `mandates.not-in-force`, `mandates.scope` where `mandate` does not reach `preset` now."""
    if not in_force(mandate):
        raise PortalError("mandates.not-in-force", gettext_noop("your right to speak here has ended: ask the hospital"))
    if not mandate.opened().allows(preset):
        message = gettext_noop("your right to speak does not reach so far: choose something else")
        raise PortalError("mandates.scope", message)


def over_from(mandate: Mandate) -> int:
    """The instant (epoch seconds) from which on `mandate` gives no right any more, as far as is known today."""
    opened, age = mandate.opened(), mandate.patient.age
    ends = [periods.instant(opened.ends)]
    ends += [] if mandate.ended_at is None else [mandate.ended_at]
    ends += [periods.instant(age.of_age_from)] if opened.office == "guardian" and age is not None else []
    return min(ends)


def says_no(grant: Grant) -> bool:
    """Whether `grant`, which whoever speaks for a patient gave, is their no to everything."""
    return any(not (denial.studies or denial.diseases) for denial in grant.opened().limits.denied)


def check_own(patient: Patient) -> None:
    """Raises GrantRefused `mandate.child-alone`, `mandate.represented` where the patient's own yes would not count."""
    others = [one for one in patient.mandates.filter(ended=None).select_related("patient") if in_force(one)]
    if any(one.opened().office == "representative" for one in others):
        message = gettext_noop("somebody represents you at present: ask the hospital, if you can decide again yourself")
        raise GrantRefused("mandate.represented", message)
    if not is_child(patient):
        return
    given = Grant.objects.filter(mandate__in=others)
    if not is_asked(patient) or not any(grant.stands for grant in given):
        message = gettext_noop("a grown-up who may speak for you says yes first; then we ask you")
        raise GrantRefused("mandate.child-alone", message)


def barred(patient: Patient) -> str:
    """Why the patient's own yes would not count now, in a sentence; empty where it would."""
    try:
        check_own(patient)
    except GrantRefused as refusal:
        return gettext(refusal.message)
    return ""


def secret_for(patient: Patient, mandate: Mandate | None) -> bytes:
    """The patient's secret; a new one where they speak for themselves after others have: those hold the old one."""
    earlier = Grant.objects.filter(patient=patient).order_by("-made").only("secret", "mandate", "made").first()
    if earlier is None:
        return secrets.token_bytes(SECRET_BYTES)
    if mandate is None and not is_child(patient):
        grown = None if patient.age is None else periods.instant(patient.age.of_age_from)
        if earlier.mandate_id is not None or (grown is not None and earlier.made.timestamp() < grown):
            return secrets.token_bytes(SECRET_BYTES)
    return bytes(earlier.secret)
