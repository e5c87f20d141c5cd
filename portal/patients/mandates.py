"""What changes who may speak for a patient: registering an age, appointing, ending; and speaking under a mandate."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop

from consent import canonical, periods
from consent.limits import Denial, Limits
from consent.mandate import Age, Ages, Office, reaches
from consent.mandate import Mandate as Right
from portal.accounts import services as accounts
from portal.accounts.models import Role
from portal.errors import PortalError
from portal.patients import sending, services, signing, speaking, texts, words
from portal.patients.choices import Choices
from portal.patients.models import Grant, Mandate, Patient

ENDLESS = date(2199, 1, 1)  # an office that ends with an event, not with a day: a guardian's ends with childhood


def rules_of_age() -> Ages:
    """This hospital's rules of age; PortalError `mandates.no-ages`."""
    ages: Ages | None = settings.NODE.ages
    if ages is None:
        raise PortalError("mandates.no-ages", "this hospital has set no ages: add `ages` to node.json first")
    return ages


def midnight(day: date, zone: str) -> str:
    """The first instant of `day` in `zone`, written with its offset."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")  # some days begin at one


def age_of(born: date, ages: Ages, evidence: bytes) -> Age:
    """From when on somebody born on `born` is asked, and decides alone. `evidence`: the document's bytes."""
    days = (
        date.fromisoformat(reaches(born.isoformat(), years, ages.leap_day)) for years in (ages.assent, ages.majority)
    )
    assents, of_age = (midnight(day, ages.zone) for day in days)
    return Age(assents_from=assents, of_age_from=of_age, policy=ages.name, evidence=sha256(evidence).hexdigest())


def register_age(*, patient: Patient, born: date, evidence: bytes) -> Patient:
    """Keep from when on `patient` is asked and decides alone, never the birthday's document.

    Raises PortalError `mandates.no-ages`, `mandates.born`.
    """
    if born > datetime.now(UTC).date():
        raise PortalError("mandates.born", "nobody is born tomorrow: look at the date of birth again")
    patient.sealed_age = canonical.encode(age_of(born, rules_of_age(), evidence))
    patient.save(update_fields=["sealed_age"])
    return patient


@transaction.atomic
def appoint(
    *,
    patient: Patient,
    office: Office,
    called: str,
    until: date | None,
    presets: tuple[str, ...],
    evidence: bytes,
    username: str,
) -> tuple[Mandate, str | None]:
    """Let the account `username` speak for `patient` from now on, through the day `until`, about `presets` (none: all).

    Returns the mandate, and a password where the account is new. Raises PortalError `mandates.age-first`,
    `mandates.of-age`, `mandates.end-missing`, `mandates.self`, GrantRefused `mandate.reversed`.
    """
    check_office(patient, office, until)
    account, password = proxy_account(username)
    if patient.account_id == account.pk:
        raise PortalError("mandates.self", "nobody speaks for themselves under a mandate: name somebody else")
    zone = settings.NODE.ages.zone if settings.NODE.ages else "UTC"
    last = ENDLESS if until is None else date.fromordinal(until.toordinal() + 1)
    right = Right(
        office=office,
        starts=datetime.now(UTC).replace(microsecond=0).isoformat(),
        ends=midnight(last, zone),
        presets=presets,
        evidence=sha256(evidence).hexdigest(),
    )
    key = signing.new_key(patient)
    made = Mandate.objects.create(
        patient=patient,
        account=account,
        called=called.encode(),
        sealed=canonical.encode(right),
        private=key.private,
        public=key.public,
    )
    return made, password


def check_office(patient: Patient, office: Office, until: date | None) -> None:
    """Raises PortalError `mandates.age-first`, `mandates.of-age`, `mandates.end-missing`."""
    if office == "guardian" and patient.age is None:
        raise PortalError("mandates.age-first", "register the child's date of birth first")
    if office == "guardian" and not speaking.is_child(patient):
        raise PortalError("mandates.of-age", "this patient is of age: nobody is their guardian")
    if office == "representative" and until is None:
        raise PortalError("mandates.end-missing", "a representative's mandate ends on a day: write which")


def proxy_account(username: str) -> tuple[accounts.User, str | None]:
    known = accounts.User.objects.filter(username=username).first()
    if known is None:
        return accounts.create_user(username=username, role=Role.PROXY)
    if known.role not in (Role.PROXY, Role.PATIENT):
        raise PortalError("accounts.taken", "this username is taken: choose another")
    return known, None


def end(*, mandate: Mandate) -> Mandate:
    """End a mandate before its time. What was said under it counts no more; nothing of that goes to the ledger."""
    Mandate.objects.filter(pk=mandate.pk, ended=None).update(ended=datetime.now(UTC))
    mandate.refresh_from_db()
    return mandate


def speak(*, mandate: Mandate, wish: services.Wish | None, text: str, language: str, how: services.How = None) -> Grant:
    """Sign and send what the holder of `mandate` says: `wish`, or, where that is None, no to everything.

    `how`: as in `services.give`. It takes the place of what they said before. Raises PortalError
    `mandates.not-in-force`, `mandates.scope`, `patients.preset-unknown`, and what a touch is refused with, GrantRefused
    `mandate.*`; Refused when the ledger says no.
    """
    with transaction.atomic():
        mandate = Mandate.objects.select_for_update(of=("self",)).select_related("patient").get(pk=mandate.pk)
        wish = wish or refusal_of(mandate)
        speaking.check_right(mandate, wish.preset)
        earlier = [grant for grant in mandate.grants.all() if grant.stands]
        grant = services.prepare(wish, texts.text(text, language), how, mandate)
        grant.replaces = earlier[0] if earlier else None
        grant.save()
        for old in earlier:
            services.take_back(old)
    sending.send_withdrawals(earlier)
    sending.send_grants([grant])
    return grant


def refusal_of(mandate: Mandate) -> services.Wish:
    """A document that says no: in its months and preset like anybody's."""
    month, nothing = services.this_month(), Choices(limits=Limits(denied=(Denial(),)))
    return services.Wish(mandate.patient, offered(mandate)[0], month, periods.shift_months(month, 60), nothing)


def offered(mandate: Mandate) -> list[str]:
    """What may be agreed to under `mandate`, of what the current text offers; PortalError `mandates.nothing-left`."""
    names = texts.text(texts.current()).front.presets
    found = [name for name in names if name in words.PLAIN and mandate.opened().allows(name)]
    if not found:
        raise PortalError(
            "mandates.nothing-left", gettext_noop("the text of today offers nothing that your mandate reaches: ask us")
        )
    return found
