"""The choices in words for patients (reading age 9 to 11), one spelling for forms, pages and receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consent import duo, presets
from consent.diseases import DISEASES
from consent.grant import Details
from consent.limits import NO_LIMITS, Limits
from consent.presets import FOR_ALL
from portal.patients.choices import Choices
from portal.patients.models import Grant, Status

PLAIN = {
    "heart-disease": _("Only to learn about heart disease"),
    "cancer": _("Only to learn about cancer"),
    "health-research": _("To learn about any illness and health"),
    "general-research": _("For any research, also beyond health"),
}
PRESETS = PLAIN | {f"{name}{FOR_ALL}": format_lazy(_("{}, also to make money"), words) for name, words in PLAIN.items()}
PERMISSIONS = {
    duo.DS: _("Research on {}, and on every kind of it."),
    duo.HMB: _("Research on any illness, on staying healthy and on the body."),
    duo.GRU: _("Any research, also beyond health. Where it is about where families come from, a person decides."),
}
CONDITIONS = {
    duo.NCU: _("Nobody may use it to make money."),
    duo.NPU: _("Only those who do not work for profit: hospitals, universities, charities."),
    duo.GS: _("Only in {}."),
}
CATEGORIES = {
    "diagnoses": _("Illnesses that were found"),
    "free-text": _("What doctors wrote in letters and notes"),
    "genomics": _("Your genes"),
    "images": _("Pictures, such as X-rays"),
    "measurements": _("Measurements, such as blood pressure"),
    "medication": _("Medicines"),
}
CONTACTS = {
    "portal": _("Here, when I sign in"),
    "letter": _("By letter"),
    "email": _("By e-mail"),
    "phone": _("By phone"),
    "nobody": _("Please do not contact me"),
}
STILL_PERMITS = {
    "all": _("Your old yes still counts for everything that it allowed."),
    "no-new-studies": _(
        "Your old yes still counts for studies that had begun before. It does not count for new studies."
    ),
    "nothing": _(
        "Your old yes does not count any more. Nothing new is learned from your record until you say yes again."
    ),
}
ATTESTATIONS = {
    "passkey": _("With the patient's own passkey"),
    "device-key": _("With the patient's own key, kept by the patient in a file"),
    "portal-key": _("By the hospital, with a key that it keeps for the patient"),
    "hospital-attested": _("The hospital says so; no key of the patient's stands for it"),
}
OWN = {  # as the patient reads of it
    "passkey": _("With your own passkey"),
    "device-key": _("With your own key, which you keep in a file"),
    "portal-key": _("By the hospital, with a key that it keeps for you"),
    "hospital-attested": _("The hospital says so; no key of yours stands for it"),
}
SPOKEN = ATTESTATIONS | {
    "passkey": _("With a passkey of the person who spoke for the patient"),
    "portal-key": _("By the hospital, with a key that it keeps for the person who spoke for the patient"),
    "hospital-attested": _("The hospital says so; no key of the person who spoke for the patient stands for it"),
}
KINDS = {
    duo.DS: _("to learn about {}"),
    duo.HMB: _("to learn about health and illness"),
    duo.GRU: _("for general research"),
    duo.POA: _("to learn where people's families come from"),
}
LAPSES = {
    "consent.expired": _("Ended"),
    "age.ask-again": _("Ended: asked again"),
    "mandate.not-held": _("Ended: mandate over"),
}
MONTHS = (
    *(_("January"), _("February"), _("March"), _("April"), _("May"), _("June")),
    *(_("July"), _("August"), _("September"), _("October"), _("November"), _("December")),
)


def expansion(preset: str, limits: Limits = NO_LIMITS) -> list[str]:
    """What a preset means under a patient's own limits, a sentence each."""
    terms = presets.preset(preset)
    names = gettext(" or ").join(gettext(DISEASES[code].plain) for code in terms.diseases)
    said = [str(PERMISSIONS[code]).format(names) for code in terms.permissions]
    if all(one.term != duo.NPU for one in limits.conditions):
        gain = gettext("Companies may take part, also to make money.")
        said.append(gettext("Companies may take part.") if terms.modifiers else gain)
    return said + [str(CONDITIONS[code]) for code in terms.modifiers]


def exactly(details: Details | Choices, titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """What was chosen beyond purpose and time, as (what, words). `titles`: those of the studies that are known here."""
    limits, everywhere = details.limits, gettext("In any country.")
    profit = [CONDITIONS[one.term] for one in limits.conditions if one.term == duo.NPU]
    said = [(gettext("Who may use it"), str(one)) for one in profit]
    places = [one.values for one in limits.conditions if one.term == duo.GS]
    said.append((gettext("Where"), str(CONDITIONS[duo.GS]).format(", ".join(places[0])) if places else everywhere))
    kinds = [str(CATEGORIES[one]) for one in limits.categories]
    said.append((gettext("Parts of the record"), "; ".join(kinds) if kinds else gettext("All parts.")))
    said.append((gettext("Studies"), studies(limits.studies, titles)))
    if denied := [titles.get(one, one) for denial in limits.denied for one in denial.studies]:
        said.append((gettext("Never in"), "; ".join(denied)))
    if details.data_from or details.data_until:
        said.append((gettext("Records made"), window(details.data_from, details.data_until)))
    wish = gettext("Yes, I want to hear what was learned.") if details.feedback else gettext("No.")
    said.append((gettext("Results"), wish))
    if details.feedback:
        said.append((gettext("How to reach me"), str(CONTACTS[details.contact])))
    return said


def studies(chosen: Sequence[str] | None, titles: Mapping[str, str]) -> str:
    if chosen is None:
        return gettext("Every study that fits.")
    names = "; ".join(titles.get(one, one) for one in chosen)
    return gettext("Only: {}").format(names) if chosen else gettext("None yet: ask me for each.")


def window(first: str | None, last: str | None) -> str:
    """The dates of records that may be used: "from 1 March 2020 on"."""
    if first and last:
        return gettext("from {first} to {last}").format(first=day(first), last=day(last))
    return gettext("from {} on").format(day(first)) if first else gettext("until {}").format(day(last or ""))


def day(text: str) -> str:
    """`2031-03-09` as "9 March 2031"."""
    return gettext("{day} {month}").format(day=int(text[8:]), month=month(text))


def month(text: str) -> str:
    """`2031-03` as "March 2031"."""
    return f"{MONTHS[int(text[5:7]) - 1]} {text[:4]}"


def signed(grant: Grant) -> str:
    """How `grant` was signed: by the patient, or by somebody who spoke for them."""
    return str((ATTESTATIONS if grant.mandate_id is None else SPOKEN)[grant.attestation])


def signed_by_you(grant: Grant) -> str:
    """The same, for whoever it was."""
    return str(OWN[grant.attestation])


def today_month() -> str:
    return f"{date.today():%Y-%m}"


def purpose(body: dict[str, object] | None) -> str:
    """A purpose of the ledger in words: "to learn about heart disease"."""
    plain, kind = gettext("for research"), KINDS.get(str(body.get("duo"))) if body else None
    if body is None or kind is None:
        return plain
    codes = body.get("diseases")
    if not isinstance(codes, list) or not codes:
        return plain if "{}" in kind else str(kind)
    names = gettext(" and ").join(gettext(DISEASES[code].plain) if code in DISEASES else code for code in codes)
    return str(kind).format(names)


def state(grant: Grant) -> tuple[str, str]:
    """A grant's state as (colour of its tag, words). Recorded is said only after the ledger's event."""
    if grant.is_withdrawn:
        if grant.withdrawn_block:
            return ("off", gettext("Stopped and recorded"))
        if grant.withdrawal_refusal:
            return ("off", gettext("Stopped here; the hospital looks into recording it"))
        return ("wait", gettext("Stopped here, recording it"))
    if grant.status == Status.RECORDED:
        rule = grant.lapse or ("consent.expired" if grant.valid_until < today_month() else "")
        return ("off", str(LAPSES[rule])) if rule else ("right", gettext("Recorded"))
    if grant.status == Status.REFUSED:
        return ("wrong", gettext("Not accepted"))
    return ("wait", gettext("Pending: being recorded"))
