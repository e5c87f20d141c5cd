"""What is still owed when a study has ended: results that have to come back (DUO RTN), and the close-out they hold up.

State: `studies/return/<uuid>/<msp>` -> Return, `studies/closeout/<uuid>` -> CloseOut. A hospital is owed results if it
took part in a closed round, and either its data set's terms want them back or the request promised them.
"""

from __future__ import annotations

from consent import duo, terms
from consent.canonical import Document
from ledger.contracts import access, catalogue, debts
from ledger.contracts import study as studies
from ledger.contracts.fields import Digest, Seconds, Uuid
from ledger.contracts.functions import Contract, Role, transaction
from ledger.contracts.state import Ledger, agree
from ledger.contracts.study import Head, Study
from ledger.errors import Refused


class Return(Document, frozen=True):
    """A hospital's word that the results it was owed are there. `results`: the digest of what it was given; null where
    the consortium waived them by a vote.
    """

    study: Uuid
    hospital: str
    results: Digest | None
    returned: Seconds


class CloseOut(Document, frozen=True):
    """A study with nothing left to do. `returns`: hospital -> the digest of the results that came back to it; without
    those that were waived.
    """

    study: Uuid
    returns: dict[str, Digest]
    closed_out: Seconds


class Closings(Contract):
    """Whoever is owed says that the debt is paid; nobody can say so of themselves."""

    name = "studies"

    @transaction(role=Role.STEWARD, event="studies.returned")
    def receive(self, ledger: Ledger, *, study: Uuid, results: Digest) -> Return:
        """Say that the results which a study owed to the caller's hospital have come back.

        Refuses `studies.unknown`, `studies.wrong-status` (it has not ended), `studies.nothing-owed`,
        `studies.known-differently`.
        """
        standing, hospital = studies.require(ledger, study), ledger.creator.organisation
        offered = Return(study=study, hospital=hospital, results=results, returned=ledger.now)
        known = ledger.find(return_key(study, hospital), Return)
        if known is not None and known.results is not None:
            agree(known, offered, "studies.known-differently", "returned")
            return known
        studies.require_status(standing, "released", "stopped")
        if hospital not in owed(ledger, standing):
            raise Refused("studies.nothing-owed", "this study owes this hospital no results", hospital=hospital)
        ledger.put(return_key(study, hospital), offered)
        debts.settle(ledger, standing.sponsor, study, hospital)
        return offered

    @transaction(role=(Role.RESEARCHER, Role.RUNNER), event="studies.closed-out")
    def close_out(self, ledger: Ledger, *, study: Uuid) -> CloseOut:
        """Close a released or stopped study out, once every hospital that is owed results says that it has them.

        Refuses `studies.unknown`, `studies.not-sponsor`, `studies.wrong-status`, `studies.return-owed` (names the
        hospitals).
        """
        standing = studies.require(ledger, study)
        studies.require_sponsor(ledger, standing)
        if known := ledger.find(closeout_key(study), CloseOut):
            return known
        studies.require_status(standing, "released", "stopped")
        given = {site: ledger.find(return_key(study, site), Return) for site in owed(ledger, standing)}
        if missing := [site for site, one in given.items() if one is None]:
            message = f"results are owed to {', '.join(missing)}: return them, and ask their stewards to say so"
            raise Refused("studies.return-owed", message, hospitals=missing)
        returns = {site: one.results for site, one in given.items() if one is not None and one.results is not None}
        closed = CloseOut(study=study, returns=returns, closed_out=ledger.now)
        ledger.put(closeout_key(study), closed)
        return closed


def owed(ledger: Ledger, study: Study) -> tuple[str, ...]:
    """The hospitals that the study owes results to, whether or not they have come back, sorted.

    Patients' own wish that results come back is in no block; the gate lets them in only where the request promises it.
    """
    head = ledger.find(studies.head_key(study.study), Head)
    asking = access.require_request(ledger, study.plan.request).purpose.asking
    promised = asking is not None and duo.RTN in asking.accepts
    took_part = () if head is None else head.participants
    return tuple(site for site in took_part if promised or wants_back(ledger, study, site))


def incur(ledger: Ledger, study: Study) -> None:
    """Note what a study that ends now owes, and until when: the last day of the access that it rested on."""
    due = access.require_request(ledger, study.plan.request).until
    debts.incur(ledger, study.sponsor, debts.Debt(study=study.study, hospitals=owed(ledger, study), due=due))


def check_waiver(ledger: Ledger, study: str, hospital: str) -> None:
    """Refuses `studies.unknown`, `studies.wrong-status`, `studies.nothing-owed`."""
    standing = studies.require(ledger, study)
    studies.require_status(standing, "released", "stopped")
    given = ledger.find(return_key(study, hospital), Return)
    if given is not None or hospital not in owed(ledger, standing):
        raise Refused("studies.nothing-owed", "this study owes this hospital no results", hospital=hospital)


def waive(ledger: Ledger, study: str, hospital: str) -> None:
    """Let the study go without returning results to the hospital; it has been checked."""
    waived = Return(study=study, hospital=hospital, results=None, returned=ledger.now)
    ledger.put(return_key(study, hospital), waived)
    debts.settle(ledger, studies.require(ledger, study).sponsor, study, hospital)


def wants_back(ledger: Ledger, study: Study, hospital: str) -> bool:
    """Whether the terms of the hospital's data set in the study want results back."""
    source = study.plan.source(hospital)
    if source is None:
        return False
    written = catalogue.require(ledger, source.dataset, source.version).terms
    return duo.RTN in terms.of_dataset(written).modifiers


def return_key(study: str, hospital: str) -> str:
    return f"studies/return/{study}/{hospital}"


def closeout_key(study: str) -> str:
    return f"studies/closeout/{study}"
