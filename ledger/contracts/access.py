"""Who may use which data for what, until when.

State: `access/request/<uuid>` -> Request, `access/entitlement/<uuid>/<dataset>/<version>` -> Entitlement,
`access/inquiry/<dataset>/<version>/<purpose digest>/<month>` -> Inquiry. Every entitlement ends on a date.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from consent import periods
from consent.canonical import Document
from consent.decide import Use
from consent.purpose import Purpose
from consent.ruling import Matching, rule_on
from consent.seats import other_country, other_sector, seated
from consent.terms import DatasetTerms
from ledger.contracts import catalogue, debts, members
from ledger.contracts.constitution import FORBIDDEN_PURPOSES, MAX_ENTITLEMENT_DAYS
from ledger.contracts.fields import DatasetId, Day, Digest, Month, Positive, Seconds, Uuid
from ledger.contracts.functions import ANY_ROLE, Contract, Role, query, transaction
from ledger.contracts.state import Ledger, agree
from ledger.errors import Refused

ENDED: Final = frozenset({"revoked", "expired"})  # for good: a new request may follow


class Wanted(Document, frozen=True):
    """One data set version that a request names."""

    dataset: DatasetId
    version: Positive


class Request(Document, frozen=True):
    """A researcher's request. `protocol`: digest of the protocol's text. `until`: the last day asked for."""

    request: Uuid
    purpose: Purpose
    datasets: tuple[Wanted, ...]
    protocol: Digest
    until: Day
    requester: str
    requested: Seconds


class Entitlement(Document, frozen=True):
    """The owner's decision on one version. `until`: the last day of use. `reason`: digest of the reason's text.

    `matching`: how the data set's own terms were read. Patients' consents are always read strictly.
    """

    request: Uuid
    dataset: str
    version: int
    hospital: str
    purpose: Purpose
    requester: str
    until: Day
    reason: Digest
    decided: Seconds
    status: Literal["live", "denied", "revoked", "expired"]
    matching: Matching = "strict"


class Inquiry(Document, frozen=True):
    """A researcher's question how many patients fit: one answer a version, purpose and month, whoever asks."""

    dataset: str
    version: int
    purpose: Purpose
    purpose_digest: Digest
    month: Month
    requester: str
    inquired: Seconds


class Access(Contract):
    """Researchers ask, owners decide; the contract refuses what the data set's own terms deny."""

    name = "access"

    @transaction(role=Role.RESEARCHER, event="access.inquired")
    def inquire(self, ledger: Ledger, *, dataset: DatasetId, version: Positive, purpose: Purpose) -> Inquiry:
        """Ask how many patients of a data set version fit a purpose; the hospital answers with `budget:Answer`.

        Refuses `access.purpose-forbidden`, `access.institution`, `access.country`, `access.sector`,
        `catalogue.unknown`, `catalogue.retired`.
        """
        check_asking(ledger, purpose)
        catalogue.require_live(ledger, dataset, version)
        inquiry = Inquiry(
            dataset=dataset,
            version=version,
            purpose=purpose,
            purpose_digest=purpose.digest(),
            month=periods.month_of(ledger.now),
            requester=ledger.creator.organisation,
            inquired=ledger.now,
        )
        key = inquiry_key(dataset, version, inquiry.purpose_digest, inquiry.month)
        if standing := ledger.find(key, Inquiry):
            return standing
        ledger.put(key, inquiry)
        return inquiry

    @transaction(role=Role.RESEARCHER, event="access.requested")
    def request(
        self,
        ledger: Ledger,
        *,
        request: Uuid,
        purpose: Purpose,
        datasets: Annotated[tuple[Wanted, ...], Meta(min_length=1, max_length=64)],
        protocol: Digest,
        until: Day,
    ) -> Request:
        """Ask for access to data set versions, for one purpose, until a day at most 730 days ahead.

        Refuses `access.purpose-forbidden`, `access.institution` (not the caller's), `access.country`, `access.sector`
        (`members` holds something else of the caller's), `access.known-differently`, `access.until-past`,
        `access.until-too-far`, `access.dataset-twice`, `catalogue.unknown`, `catalogue.retired`.
        """
        check_asking(ledger, purpose)
        offered = Request(
            request=request,
            purpose=purpose,
            datasets=datasets,
            protocol=protocol,
            until=until,
            requester=ledger.creator.organisation,
            requested=ledger.now,
        )
        if standing := ledger.find(request_key(request), Request):
            agree(standing, offered, "access.known-differently", "requested")
            return standing
        check_until(ledger, until)
        names = [wanted.dataset for wanted in datasets]
        if len(set(names)) != len(names):
            raise Refused("access.dataset-twice", "name each data set once, in one version")
        for wanted in datasets:
            catalogue.require_live(ledger, wanted.dataset, wanted.version)
        ledger.put(request_key(request), offered)
        return offered

    @transaction(role=Role.STEWARD, event="access.decided")
    def decide(
        self,
        ledger: Ledger,
        *,
        request: Uuid,
        dataset: DatasetId,
        version: Positive,
        verdict: Literal["permit", "deny"],
        until: Day,
        reason: Digest,
        matching: Matching = "strict",
    ) -> Entitlement:
        """Decide on a data set of the caller's hospital; a permit ends on `until`, never after the day asked for.

        `matching`: how the hospital reads its data set's own terms; "compatible" as a large portal would.

        Refuses `catalogue.not-owner`, `access.unknown`, `access.not-requested`, `access.known-differently`,
        `access.until-past`, `access.until-too-far`, `catalogue.retired`, `access.duo-denied` (the data set's own
        terms), `studies.return-overdue` (the requester owes results).
        """
        hospital = catalogue.require_owner(ledger, dataset)
        asked = require_request(ledger, request)
        if Wanted(dataset=dataset, version=version) not in asked.datasets:
            raise Refused("access.not-requested", "the request does not name this data set version", dataset=dataset)
        offered = Entitlement(
            request=request,
            dataset=dataset,
            version=version,
            hospital=hospital,
            purpose=asked.purpose,
            requester=asked.requester,
            until=until,
            reason=reason,
            decided=ledger.now,
            status="live" if verdict == "permit" else "denied",
            matching=matching,
        )
        if standing := ledger.find(entitlement_key(request, dataset, version), Entitlement):
            undone = replace(standing, status="live") if standing.status in ENDED else standing
            agree(undone, offered, "access.known-differently", "decided")
            return standing
        if verdict == "permit":
            check_permit(ledger, asked, offered)
        ledger.put(entitlement_key(request, dataset, version), offered)
        return offered

    @transaction(role=Role.STEWARD, event="access.revoked")
    def revoke(self, ledger: Ledger, *, request: Uuid, dataset: DatasetId, version: Positive) -> Entitlement:
        """End an entitlement of the caller's hospital now. It is no ban: a new request may follow.

        Refuses `catalogue.not-owner`, `access.no-entitlement`.
        """
        catalogue.require_owner(ledger, dataset)
        standing = ledger.find(entitlement_key(request, dataset, version), Entitlement)
        if standing is None or standing.status == "denied":
            raise Refused("access.no-entitlement", "there is nothing to revoke", request=request, dataset=dataset)
        if standing.status in ENDED:
            return standing
        revoked = replace(standing, status="revoked")
        ledger.put(entitlement_key(request, dataset, version), revoked)
        return revoked

    @transaction(role=ANY_ROLE, event="access.expired")
    def expire(self, ledger: Ledger, *, request: Uuid, dataset: DatasetId, version: Positive) -> Entitlement:
        """Say that an entitlement's last day is over: anybody may, and it permits nothing from that moment anyway.

        One that was revoked stays revoked. Refuses `access.no-entitlement`, `access.not-over`.
        """
        standing = ledger.find(entitlement_key(request, dataset, version), Entitlement)
        if standing is None or standing.status == "denied":
            raise Refused("access.no-entitlement", "there is nothing to end", request=request, dataset=dataset)
        if standing.status in ENDED:
            return standing
        if is_live(standing, ledger.now):
            raise Refused("access.not-over", "the last day of use is not over (UTC): wait", until=standing.until)
        expired = replace(standing, status="expired")
        ledger.put(entitlement_key(request, dataset, version), expired)
        return expired

    @query
    def get(self, ledger: Ledger, *, request: Uuid) -> Request | None:
        """The request, or null."""
        return ledger.find(request_key(request), Request)

    @query
    def entitlements(self, ledger: Ledger, *, request: Uuid) -> tuple[Entitlement, ...]:
        """The decisions on a request."""
        return tuple(decision for _, decision in ledger.scan(f"access/entitlement/{request}/", Entitlement))


def request_key(request: str) -> str:
    return f"access/request/{request}"


def entitlement_key(request: str, dataset: str, version: int) -> str:
    return f"access/entitlement/{request}/{dataset}/{version}"


def inquiry_key(dataset: str, version: int, purpose_digest: str, month: str) -> str:
    return f"access/inquiry/{dataset}/{version}/{purpose_digest}/{month}"


def require_request(ledger: Ledger, request: str) -> Request:
    """The request; refuses `access.unknown`."""
    asked = ledger.find(request_key(request), Request)
    if asked is None:
        raise Refused("access.unknown", "there is no such request", request=request)
    return asked


def is_live(entitlement: Entitlement | None, now: int) -> bool:
    """Whether the entitlement stands and its last day has not ended."""
    return (
        entitlement is not None
        and entitlement.status == "live"
        and now < periods.days(entitlement.until, entitlement.until).end
    )


def check_asking(ledger: Ledger, purpose: Purpose) -> None:
    """Refuses `access.purpose-forbidden`, `access.institution`, `access.country`, `access.sector`."""
    check_purpose(purpose)
    named = "" if purpose.asking is None else purpose.asking.institution
    if named not in {"", ledger.creator.organisation}:
        raise Refused("access.institution", "nobody asks in another institution's name", institution=named)
    asker = members.seat(ledger, ledger.creator.organisation)
    if other_country(purpose, asker):
        raise Refused(
            "access.country",
            f"the members hold that your organisation sits in {asker.country}: name it among the countries, or none",
            country=asker.country,
        )
    if other_sector(purpose, asker):
        raise Refused(
            "access.sector",
            f"the members hold that your organisation is {asker.sector}: say the same about profit, or nothing",
            sector=asker.sector,
        )


def check_purpose(purpose: Purpose) -> None:
    """Refuses `access.purpose-forbidden`."""
    if purpose.duo in FORBIDDEN_PURPOSES:
        raise Refused("access.purpose-forbidden", FORBIDDEN_PURPOSES[purpose.duo], purpose=purpose.duo)


def check_until(ledger: Ledger, until: str) -> None:
    """Refuses `access.until-past`, `access.until-too-far`."""
    end = periods.days(until, until).end
    if end <= ledger.now:
        raise Refused("access.until-past", "access ends on a day to come", until=until)
    if end > ledger.now + (MAX_ENTITLEMENT_DAYS + 1) * 86400:
        raise Refused("access.until-too-far", f"access lasts at most {MAX_ENTITLEMENT_DAYS} days", until=until)


def check_permit(ledger: Ledger, asked: Request, offered: Entitlement) -> None:
    """Refuses `access.until-too-far`, `access.until-past`, `catalogue.retired`, `access.duo-denied`,
    `studies.return-overdue`.
    """
    debts.check(ledger, asked.requester)
    if offered.until > asked.until:
        raise Refused("access.until-too-far", "a permit ends no later than what was asked for", until=asked.until)
    check_until(ledger, offered.until)
    check_purpose(asked.purpose)
    dataset = catalogue.require_live(ledger, offered.dataset, offered.version)
    check_terms(ledger, dataset.terms, offered)


def check_terms(ledger: Ledger, written: DatasetTerms, entitlement: Entitlement) -> None:
    """Ask the rules of today about an entitlement, over the days it is for. Refuses `access.duo-denied`.

    Where requester and hospital sit, and whether the requester works for profit, is what `members` holds today.
    """
    use = Use(periods.day_of(entitlement.decided), entitlement.until)
    asker, worker = members.seat(ledger, entitlement.requester), members.seat(ledger, entitlement.hospital)
    purpose = seated(entitlement.purpose, asker=asker, worker=worker)
    decision = rule_on(written, purpose, use, entitlement.matching)
    if decision.verdict == "deny":
        raise Refused(
            "access.duo-denied",
            f"the data set's own terms deny this purpose: {decision.reasons[0]}",
            rule=decision.rule,
            dataset=entitlement.dataset,
        )
