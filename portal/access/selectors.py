"""Requests, what each hospital decided, and questions about counts: all from the reactor's mirror of the ledger."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from consent import diseases, duo
from portal.access.promises import promises
from portal.catalogue import selectors as catalogue
from portal.reactor import selectors as mirror

REQUESTS = "access/request/"


@dataclass(frozen=True, slots=True)
class Case:
    """One data set of one request, and what its hospital decided. `status`: waiting, live, ended, denied or revoked."""

    request: dict[str, Any]
    dataset: dict[str, Any]
    entitlement: dict[str, Any] | None
    status: str

    @property
    def until(self) -> str:
        return (self.entitlement or self.request)["until"]

    @property
    def requester_title(self) -> str:
        return str(self.request["requester_title"])

    @property
    def overdue(self) -> list[str]:
        return overdue(self.request["requester"])

    @property
    def promises(self) -> list[str]:
        """What rests on the asker's word alone."""
        return promises(self.request["purpose"], catalogue.seat(self.request["requester"]))

    @property
    def worker_words(self) -> str:
        return catalogue.seat_words(self.dataset["owner"])

    @property
    def protocol_url(self) -> str:
        """Where the asking institute shows its protocol to whoever has the digest; empty where that is not known."""
        for peer in settings.NODE.peers:
            if peer.msp == self.request["requester"]:
                return f"{peer.url}/access/protocol/{self.request['protocol']}/"
        return ""

    @property
    def latest(self) -> datetime.date:
        return datetime.date.fromisoformat(self.request["until"])

    @property
    def is_past(self) -> bool:
        """Whether the last day asked for is over: the ledger takes no decision any more."""
        return self.request["until"] < today()


def requests() -> list[dict[str, Any]]:
    """All requests, newest first, each with its purpose in words and its cases."""
    with mirror.loaded("members/org/", "catalogue/dataset/", "access/entitlement/"):
        found = [described(row.body, row.block) for row in mirror.standing(REQUESTS)]
    return sorted(found, key=lambda one: one["block"], reverse=True)


def request(pk: UUID | str) -> dict[str, Any] | None:
    found = mirror.standing(f"{REQUESTS}{pk}").first()
    return None if found is None else described(found.body, found.block)


def described(body: dict[str, Any], block: int) -> dict[str, Any]:
    found = {
        **body,
        "block": block,
        "purpose_words": catalogue.purpose_words(body["purpose"]),
        "purpose_meaning": purpose_meaning(body["purpose"]),
        "seat_words": catalogue.seat_words(body["requester"]),
        "requester_title": catalogue.organisation_title(body["requester"]),
    }
    found["cases"] = [case(found, one["dataset"], one["version"]) for one in body["datasets"]]
    found["permitted"] = any(one.status == "live" for one in found["cases"])
    return found


def case(body: dict[str, Any], dataset: str, version: int) -> Case:
    """How the request stands with one of its data sets."""
    entitlement = mirror.record(f"access/entitlement/{body['request']}/{dataset}/{version}")
    known = catalogue.dataset(dataset, version)
    if known is None:
        raise LookupError(f"{dataset} version {version} stands in a request and not in the catalogue")
    return Case(body, known, entitlement, status(entitlement))


def status(entitlement: dict[str, Any] | None) -> str:
    if entitlement is None:
        return "waiting"
    if entitlement["status"] == "expired" or (entitlement["status"] == "live" and entitlement["until"] < today()):
        return "ended"
    return entitlement["status"]


def overdue(msp: str) -> list[str]:
    """The results that institution `msp` owes and has kept back too long, a sentence each: nothing new is permitted."""
    found = mirror.record(f"studies/debts/{msp}") or {"owed": []}
    return [debt_words(one) for one in found["owed"] if one["due"] < today()]


def debt_words(debt: dict[str, Any]) -> str:
    title = catalogue.study_title(debt["study"])
    hospitals = ", ".join(map(catalogue.organisation_title, debt["hospitals"]))
    return f"{title}: owed to {hospitals} until {debt['due']}."


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def cases_of(msp: str) -> list[Case]:
    """Every case about a data set of hospital `msp`: those that wait for it first."""
    found = [one for body in requests() for one in body["cases"] if one.dataset["owner"] == msp]
    return sorted(found, key=lambda one: one.status != "waiting")


def purpose_meaning(purpose: dict[str, Any]) -> list[str]:
    """What saying yes would mean, in plain sentences."""
    plain = " or ".join(diseases.disease(code).plain for code in purpose["diseases"])
    kinds = {
        duo.DS: f"The records would be used for research into {plain}, and for nothing else.",
        duo.HMB: "The records would be used for research into health, medicine or biology.",
        duo.GRU: "The records would be used for any research.",
        duo.POA: "The records would be used for research into origins or ancestry.",
    }
    return [
        kinds[purpose["duo"]],
        *(said(purpose.get(name, False), yes, no) for name, (yes, no) in SAID.items()),
        *asking_words(purpose.get("asking") or {}),
    ]


def said(answer: bool | None, yes: str, no: str) -> str:
    """`answer` in words; None is silence, which counts as yes."""
    return f"Nobody says whether this is so, which counts as yes: {yes}" if answer is None else yes if answer else no


def asking_words(asking: dict[str, Any]) -> list[str]:
    """Who asks, as far as they say, a sentence each."""
    ethics = asking.get("ethics") or {}
    facts = (
        ("It says it works in", ", ".join(asking.get("countries", ()))),
        ("Users", ", ".join(asking.get("users", ()))),
        ("Project", asking.get("project")),
        ("Ethics approval valid until", ethics.get("until")),
        ("Accepted", ", ".join(catalogue.term_words(code) for code in asking.get("accepts", ()))),
        ("Results published from", asking.get("publishes_from")),
    )
    return [f"{name}: {value}." for name, value in facts if value]


SAID = {
    "commercial": ("It is for gain.", "It is not for gain."),
    "for_profit": (
        "The organisation that asks works for profit.",
        "The organisation that asks does not work for profit.",
    ),
    "methods": ("It also develops general methods.", "It develops no general methods beyond this."),
    "ancestry": ("It touches origins or ancestry.", "It does not touch origins or ancestry."),
    "genetic": ("It is a genetic study.", "It is not a genetic study."),
    "care": ("It is for treating people, beyond research.", "It is for research, not for treating people."),
}
