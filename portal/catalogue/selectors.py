"""What the catalogue shows: data set versions, counts and owners, all from the reactor's mirror of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from consent import diseases, duo
from consent.seats import Seat
from portal.reactor import selectors as mirror

DATASETS = "catalogue/dataset/"


@dataclass(frozen=True, slots=True)
class Answer:
    """The fixed answer to one question about a data set: `answer` None means below the threshold, or not shown."""

    month: str
    words: str
    answered: bool
    answer: int | None
    sigma: str | None


def datasets(owner: str | None = None) -> list[dict[str, Any]]:
    """All data set versions, or those of one hospital; newest version of each first."""
    prefix = f"{DATASETS}{owner}/" if owner else DATASETS
    with mirror.loaded("members/org/"):
        found = [described(body) for body in mirror.records(prefix)]
    return sorted(found, key=lambda one: (one["dataset"], -one["version"]))


def dataset(name: str, version: int) -> dict[str, Any] | None:
    """One version with its words; `name` is `<msp>/<slug>`. None when the ledger does not know it."""
    found = mirror.record(f"{DATASETS}{name}/{version}")
    return None if found is None else described(found)


def described(body: dict[str, Any]) -> dict[str, Any]:
    """The record and what its codes mean in words."""
    owner, slug = body["dataset"].split("/", 1)
    return {
        **body,
        "owner": owner,
        "owner_title": organisation_title(owner),
        "slug": slug,
        "terms": terms_words(body),
        "disease_words": [disease_words(code) for code in body["diseases"]],
        "live": body.get("status", "live") == "live" and not body.get("retired"),
    }


def counts(name: str, version: int) -> list[Answer]:
    """Every question asked about this version, newest month first, with its answer when it has come."""
    found = []
    answers = dict(mirror.items(f"budget/count/{name}/{version}/"))
    for key, body in mirror.items(f"access/inquiry/{name}/{version}/"):
        answer = answers.get(f"budget/count/{key.removeprefix('access/inquiry/')}")
        found.append(
            Answer(
                month=key.rsplit("/", 1)[1],
                words=purpose_words(body["purpose"]),
                answered=answer is not None,
                answer=(answer or {}).get("answer"),
                sigma=(answer or {}).get("sigma"),
            )
        )
    return sorted(found, key=lambda one: one.month, reverse=True)


def purpose_words(purpose: dict[str, Any]) -> str:
    """The purpose as a sentence part: "disease specific research (DUO:0000007) into heart disorder (MONDO:0005267)"."""
    words = term_words(purpose["duo"])
    if purpose["diseases"]:
        words += " into " + ", ".join(disease_words(code) for code in purpose["diseases"])
    return words


def enrolment() -> list[tuple[str, int]]:
    """How this hospital's patients stand: patients, and their consents by state. Shown to its own stewards alone."""
    from portal.patients.models import Grant, Patient, Status  # hospitals only

    consents = dict(Grant.objects.order_by().values_list("status").annotate(Count("pk")))
    return [
        ("Patients enrolled", Patient.objects.count()),
        ("Consents recorded", consents.get(Status.RECORDED, 0)),
        ("Consents on their way to the ledger", consents.get(Status.PENDING, 0)),
        ("Consents withdrawn", consents.get(Status.WITHDRAWN, 0)),
        ("Consents refused by the ledger", consents.get(Status.REFUSED, 0)),
    ]


def organisation_title(msp: str) -> str:
    """The organisation's own name as `members` has it, else its MSP id."""
    found = mirror.record(f"members/org/{msp}")
    return found["name"] if found else msp


def study_title(study: str) -> str:
    """What the study's plan calls it, else its id."""
    found = mirror.record(f"studies/study/{study}")
    return found["plan"]["title"] if found else study


def seat(msp: str) -> Seat:
    """Where the organisation sits and what kind it is, as far as `members` holds it."""
    found = mirror.record(f"members/org/{msp}") or {}
    return Seat(found.get("country"), found.get("sector"))


def seat_words(msp: str) -> str:
    """The same in words that say whose they are."""
    held = seat(msp)
    where = f"sits in {held.country}" if held.country else "sits nobody has said where"
    kind = f"is {held.sector}" if held.sector else "counts as commercial, since nobody has said what kind it is"
    return f"{organisation_title(msp)} {where} and {kind}: so the members hold it, changed by vote alone."


def has_account(msp: str) -> bool:
    return mirror.record(f"budget/account/{msp}") is not None


def term_words(code: str) -> str:
    """`DUO:0000007` as "disease specific research (DUO:0000007)"."""
    return f"{duo.term(code).label} ({code})"


def terms_words(body: dict[str, Any]) -> list[str]:
    """A data set's own terms, each with its values."""
    values = {one["term"]: one["values"] for one in body.get("conditions", ())}
    return [condition_words(code, values.get(code, ())) for code in body["duo"]]


def condition_words(code: str, values: Sequence[str]) -> str:
    """`DUO:0000022` with DE and FR as "geographical restriction (DUO:0000022): DE, FR"."""
    return f"{term_words(code)}: {', '.join(values)}" if values else term_words(code)


def disease_words(code: str) -> str:
    return f"{diseases.disease(code).label} ({code})"
