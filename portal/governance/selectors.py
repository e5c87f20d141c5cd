"""Proposals and votes, from the reactor's mirror of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portal.catalogue.selectors import organisation_title, study_title
from portal.reactor import selectors as mirror

PROPOSALS = "governance/proposal/"


def proposals() -> list[dict[str, Any]]:
    """All proposals, newest first."""
    with mirror.loaded("members/org/", "governance/vote/"):
        return [described(row.body) for row in mirror.standing(PROPOSALS).order_by("-block", "key")]


def proposal(pk: UUID | str) -> dict[str, Any] | None:
    found = mirror.record(f"{PROPOSALS}{pk}")
    return None if found is None else described(found)


def described(body: dict[str, Any]) -> dict[str, Any]:
    """The proposal, what it does in words, each hospital's vote and whether a strict majority says yes."""
    votes = {
        key.rsplit("/", 1)[1]: vote["choice"] for key, vote in mirror.items(f"governance/vote/{body['proposal']}/")
    }
    deadline = datetime.fromtimestamp(body["deadline"], UTC)
    yes = sum(votes.get(msp) == "yes" for msp in body["snapshot"])
    return {
        **body,
        "words": action_words(body["action"]),
        "deadline_at": deadline,
        "open": body["status"] == "open" and deadline > datetime.now(UTC),
        "votes": [(msp, organisation_title(msp), votes.get(msp)) for msp in body["snapshot"]],
        "yes": yes,
        "needed": len(body["snapshot"]) // 2 + 1,
        "carried": yes > len(body["snapshot"]) // 2,
        "proposer_title": organisation_title(body["proposer"]),
    }


def action_words(action: dict[str, Any]) -> str:
    """What executing the proposal does, as one sentence."""
    if action["kind"] == "declare-disjoint":
        names = ", ".join(organisation_title(msp) for msp in action["hospitals"])
        return f"Declare that no patient is at more than one of these hospitals: {names}."
    if action["kind"] == "set-cap":
        return f"Set the privacy cap of {organisation_title(action['hospital'])} to epsilon {action['cap']}."
    if action["kind"] == "set-organisation":
        one = action["organisation"]
        roles = ", ".join(one["roles"])
        seat = f"country {one.get('country') or 'not said'}, {one.get('sector') or 'of a kind not said'}"
        return f"Set the organisation {one['name']} ({one['msp']}): {one['kind']}, {seat}, roles {roles}."
    if action["kind"] == "waive-return":
        hospital = organisation_title(action["hospital"])
        study = f"{study_title(action['study'])} ({action['study']})"
        return f"Let the study {study} go without returning its results to {hospital}."
    return f"An action of a kind this page does not know ({action['kind']}): read its record before you vote."


def hospitals() -> list[tuple[str, str]]:
    """The consortium's hospitals: (MSP id, name)."""
    found = mirror.record("members/consortium")
    return [(msp, organisation_title(msp)) for msp in found["hospitals"]] if found else []


def owed() -> list[tuple[str, str]]:
    """What studies that have ended owe, hospital by hospital, as (`<study>@<MSP id>`, words)."""
    return [
        (
            f"{debt['study']}@{msp}",
            f"{study_title(debt['study'])}: owed to {organisation_title(msp)} until {debt['due']}",
        )
        for debts in mirror.records("studies/debts/")
        for debt in debts["owed"]
        for msp in debt["hospitals"]
    ]


def organisations() -> list[tuple[str, str]]:
    """All members, hospitals or not: (MSP id, name)."""
    return [(one["msp"], one["name"]) for one in mirror.records("members/org/")]


def organisation(msp: str) -> dict[str, Any]:
    """The member's whole record, which a proposal to change it repeats."""
    return mirror.record(f"members/org/{msp}") or {}
