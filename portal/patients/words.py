"""The choices in words for patients (reading age 9 to 11), one spelling for forms, pages and receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from consent import duo, presets
from consent.diseases import DISEASES
from consent.grant import Details
from consent.limits import NO_LIMITS, Limits
from consent.presets import FOR_ALL
from portal.patients.choices import Choices
from portal.patients.models import Grant, Status

PLAIN = {
    "heart-disease": "Only to learn about heart disease",
    "cancer": "Only to learn about cancer",
    "health-research": "To learn about any illness and health",
    "general-research": "For any research, also beyond health",
}
PRESETS = PLAIN | {f"{name}{FOR_ALL}": f"{words}, also to make money" for name, words in PLAIN.items()}
PERMISSIONS = {
    duo.DS: "Research on {}, and on every kind of it.",
    duo.HMB: "Research on any illness, on staying healthy and on the body.",
    duo.GRU: "Any research, also beyond health. Where it is about where families come from, a person decides.",
}
CONDITIONS = {
    duo.NCU: "Nobody may use it to make money.",
    duo.NPU: "Only those who do not work for profit: hospitals, universities, charities.",
    duo.GS: "Only in {}.",
}
CATEGORIES = {
    "diagnoses": "Illnesses that were found",
    "free-text": "What doctors wrote in letters and notes",
    "genomics": "Your genes",
    "images": "Pictures, such as X-rays",
    "measurements": "Measurements, such as blood pressure",
    "medication": "Medicines",
}
CONTACTS = {
    "portal": "Here, when I sign in",
    "letter": "By letter",
    "email": "By e-mail",
    "phone": "By phone",
    "nobody": "Please do not contact me",
}
STILL_PERMITS = {
    "all": "Your old yes still counts for everything that it allowed.",
    "no-new-studies": "Your old yes still counts for studies that had begun before. It does not count for new studies.",
    "nothing": "Your old yes does not count any more. Nothing new is learned from your record until you say yes again.",
}
ATTESTATIONS = {
    "passkey": "With the patient's own passkey",
    "device-key": "With the patient's own key, kept by the patient in a file",
    "portal-key": "By the hospital, with a key that it keeps for the patient",
    "hospital-attested": "The hospital says so; no key of the patient's stands for it",
}
SPOKEN = ATTESTATIONS | {
    "passkey": "With a passkey of the person who spoke for the patient",
    "portal-key": "By the hospital, with a key that it keeps for the person who spoke for the patient",
    "hospital-attested": "The hospital says so; no key of the person who spoke for the patient stands for it",
}
KINDS = {
    "DUO:0000007": "to learn about",
    "DUO:0000006": "to learn about health and illness",
    "DUO:0000042": "for general research",
    "DUO:0000011": "to learn where people's families come from",
}
LAPSES = {
    "consent.expired": "Ended",
    "age.ask-again": "Ended: asked again",
    "mandate.not-held": "Ended: mandate over",
}
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def expansion(preset: str, limits: Limits = NO_LIMITS) -> list[str]:
    """What a preset means under a patient's own limits, a sentence each."""
    terms = presets.preset(preset)
    names = " or ".join(DISEASES[code].plain for code in terms.diseases)
    said = [PERMISSIONS[code].format(names) for code in terms.permissions]
    if all(one.term != duo.NPU for one in limits.conditions):
        said.append("Companies may take part." if terms.modifiers else "Companies may take part, also to make money.")
    return said + [CONDITIONS[code] for code in terms.modifiers]


def exactly(details: Details | Choices, titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """What was chosen beyond purpose and time, as (what, words). `titles`: those of the studies that are known here."""
    limits = details.limits
    said = [("Who may use it", CONDITIONS[one.term]) for one in limits.conditions if one.term == duo.NPU]
    places = [one.values for one in limits.conditions if one.term == duo.GS]
    said.append(("Where", CONDITIONS[duo.GS].format(", ".join(places[0])) if places else "In any country."))
    kinds = [CATEGORIES[one] for one in limits.categories]
    said.append(("Parts of my record", "; ".join(kinds) if kinds else "All parts."))
    said.append(("Studies", studies(limits.studies, titles)))
    if denied := [titles.get(one, one) for denial in limits.denied for one in denial.studies]:
        said.append(("Never in", "; ".join(denied)))
    if details.data_from or details.data_until:
        said.append(("Records made", window(details.data_from, details.data_until)))
    wish = "Yes, I want to hear what was learned." if details.feedback else "No."
    said.append(("Results", wish))
    if details.feedback:
        said.append(("How to reach me", CONTACTS[details.contact]))
    return said


def studies(chosen: Sequence[str] | None, titles: Mapping[str, str]) -> str:
    if chosen is None:
        return "Every study that fits."
    return "Only: " + "; ".join(titles.get(one, one) for one in chosen) if chosen else "None yet: ask me for each."


def window(first: str | None, last: str | None) -> str:
    """The dates of records that may be used: "from 1 March 2020 on"."""
    if first and last:
        return f"from {day(first)} to {day(last)}"
    return f"from {day(first)} on" if first else f"until {day(last or '')}"


def day(text: str) -> str:
    """`2031-03-09` as "9 March 2031"."""
    return f"{int(text[8:])} {month(text)}"


def month(text: str) -> str:
    """`2031-03` as "March 2031"."""
    return f"{MONTHS[int(text[5:7]) - 1]} {text[:4]}"


def signed(grant: Grant) -> str:
    """How `grant` was signed: by the patient, or by somebody who spoke for them."""
    return (ATTESTATIONS if grant.mandate_id is None else SPOKEN)[grant.attestation]


def today_month() -> str:
    return f"{date.today():%Y-%m}"


def purpose(body: dict[str, object] | None) -> str:
    """A purpose of the ledger in words: "to learn about heart disease"."""
    if not body:
        return "for research"
    words = KINDS.get(str(body.get("duo")), "for research")
    codes = body.get("diseases")
    if not isinstance(codes, list) or not codes:
        return words
    return f"{words} {' and '.join(DISEASES[code].plain if code in DISEASES else code for code in codes)}"


def state(grant: Grant) -> tuple[str, str]:
    """A grant's state as (colour of its tag, words). Recorded is said only after the ledger's event."""
    if grant.is_withdrawn:
        if grant.withdrawn_block:
            return ("off", "Stopped and recorded")
        if grant.withdrawal_refusal:
            return ("off", "Stopped here; the hospital looks into recording it")
        return ("wait", "Stopped here, recording it")
    if grant.status == Status.RECORDED:
        rule = grant.lapse or ("consent.expired" if grant.valid_until < today_month() else "")
        return ("off", LAPSES[rule]) if rule else ("right", "Recorded")
    if grant.status == Status.REFUSED:
        return ("wrong", "Not accepted")
    return ("wait", "Pending: being recorded")
