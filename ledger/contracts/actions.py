"""What a proposal can do: the four actions, the limits on each, and their effects.

Spelled in JSON as `{"kind": "declare-disjoint", "hospitals": [..]}`, `{"kind": "set-cap", "hospital": .., "cap":
".."}`, `{"kind": "set-organisation", "organisation": {..}}`, `{"kind": "waive-return", "study": .., "hospital": ..}`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from consent.canonical import Document
from ledger.contracts import accounts, closings, members
from ledger.contracts.fields import DecimalText, Msp, Uuid
from ledger.contracts.members import Organisation
from ledger.contracts.state import Ledger
from ledger.errors import Refused


class DeclareDisjoint(Document, frozen=True, tag="declare-disjoint", tag_field="kind"):
    """From now on the patients of these hospitals count as different people: no spend of one is charged to another."""

    hospitals: Annotated[tuple[Msp, ...], Meta(min_length=2, max_length=64)]


class SetCap(Document, frozen=True, tag="set-cap", tag_field="kind"):
    """Another cap for a hospital's account, never over the constitution's ceiling."""

    hospital: Msp
    cap: DecimalText


class SetOrganisation(Document, frozen=True, tag="set-organisation", tag_field="kind"):
    """Admit an organisation, or change the roles, origins, RP id, country and sector of one; its kind stays."""

    organisation: Organisation


class WaiveReturn(Document, frozen=True, tag="waive-return", tag_field="kind"):
    """Let a study go without returning results to a hospital, which may be unable, or unwilling, to say it has them."""

    study: Uuid
    hospital: Msp


Action = DeclareDisjoint | SetCap | SetOrganisation | WaiveReturn


def check(ledger: Ledger, action: Action) -> None:
    """Return quietly if `action` may be carried out now.

    Refuses `governance.hospital-unknown`, `governance.disjoint`, `budget.no-account`, `budget.cap`, `members.roles`,
    `members.rp-id`, `members.country`, `members.kind`, `studies.unknown`, `studies.wrong-status`,
    `studies.nothing-owed`.
    """
    match action:
        case DeclareDisjoint(hospitals=hospitals):
            if len(set(hospitals)) != len(hospitals):
                raise Refused("governance.disjoint", "name each hospital once")
            known = members.require_consortium(ledger).hospitals
            if unknown := sorted(set(hospitals).difference(known)):
                raise Refused("governance.hospital-unknown", "name hospitals of the consortium", hospitals=unknown)
        case SetCap(hospital=hospital, cap=cap):
            accounts.require(ledger, hospital)
            accounts.check_cap(cap)
        case SetOrganisation(organisation=organisation):
            members.checked(organisation)
            standing = ledger.find(members.org_key(organisation.msp), Organisation)
            if standing is not None and standing.kind != organisation.kind:
                raise Refused("members.kind", "an organisation does not change between hospital and institute")
        case WaiveReturn(study=study, hospital=hospital):
            closings.check_waiver(ledger, study, hospital)


def execute(ledger: Ledger, proposal: str, action: Action) -> None:
    """Write what `action` does; it has been checked."""
    match action:
        case DeclareDisjoint(hospitals=hospitals):
            ledger.put(accounts.DISJOINT, accounts.Disjoint(hospitals=tuple(sorted(hospitals)), proposal=proposal))
        case SetCap(hospital=hospital, cap=cap):
            ledger.put(accounts.key(hospital), replace(accounts.require(ledger, hospital), cap=cap))
        case SetOrganisation(organisation=organisation):
            organisation = members.checked(organisation)
            ledger.put(members.org_key(organisation.msp), organisation)
            standing = members.require_consortium(ledger)
            consortium = members.admit(standing, organisation)
            if consortium != standing:
                ledger.put(members.CONSORTIUM, consortium)
        case WaiveReturn(study=study, hospital=hospital):
            closings.waive(ledger, study, hospital)
