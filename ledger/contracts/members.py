"""Who belongs to the consortium, and which roles each organisation may use.

State: `members/consortium` -> Consortium, `members/org/<msp>` -> Organisation.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta
from msgspec.structs import replace

from consent.canonical import Document
from consent.countries import COUNTRIES
from consent.seats import NOWHERE, Seat, Sector
from consent.webauthn import RelyingParty
from ledger.contracts.constitution import ROLES_OF_A_HOSPITAL, ROLES_OF_AN_INSTITUTE
from ledger.contracts.fields import Country, Msp, Origin, RpId, Title
from ledger.contracts.functions import Contract, Role, query, transaction
from ledger.contracts.state import Ledger, agree
from ledger.errors import Refused

CONSORTIUM = "members/consortium"


class Organisation(Document, frozen=True):
    """One member. `roles`: what its certificates may carry. `origins`: its portal's addresses. Both are kept sorted.

    `rp_id`: what its patients' passkeys are bound to: the host of its addresses, or a domain above them all.
    `country`, `sector`: where it sits and what kind it is, which access is judged over; null: nobody has said, which
    meets no geographical restriction and counts as commercial.
    """

    msp: Msp
    name: Title
    kind: Literal["hospital", "institute"]
    roles: Annotated[tuple[str, ...], Meta(max_length=8)]
    origins: Annotated[tuple[Origin, ...], Meta(max_length=16)]
    rp_id: RpId | None = None
    country: Country | None = None
    sector: Sector | None = None


class Consortium(Document, frozen=True):
    """The MSP ids of all members, each list sorted."""

    hospitals: tuple[str, ...]
    institutes: tuple[str, ...]


class Members(Contract):
    """The members; after the founding, only an executed proposal changes them."""

    name = "members"

    @transaction(role=(), event="members.founded")
    def found(
        self, ledger: Ledger, *, organisations: Annotated[tuple[Organisation, ...], Meta(min_length=1, max_length=64)]
    ) -> Consortium:
        """Found the consortium: once, by a steward of one of its hospitals, with the hospitals of the genesis block.

        Each of them gets every role of a hospital: who founds cannot silence another.
        Refuses `members.no-hospital`, `members.twice`, `members.roles`, `members.rp-id`, `members.country`,
        `role.missing`, `members.genesis`, `members.known-differently` (it stands, with other members).
        """
        organisations = tuple(checked(organisation) for organisation in organisations)
        consortium = consortium_of(organisations)
        founder = next((one for one in organisations if one.msp == ledger.creator.organisation), None)
        if founder is None or not {Role.STEWARD} & ledger.creator.roles & set(founder.roles):
            raise lacking((Role.STEWARD,), "certificate", ledger)
        check_genesis(ledger, consortium, organisations)
        if standing := find_consortium(ledger):
            agree(standing, consortium, "members.known-differently")
            for organisation in organisations:
                agree(require(ledger, organisation.msp), organisation, "members.known-differently")
            return standing
        ledger.put(CONSORTIUM, consortium)
        for organisation in organisations:
            ledger.put(org_key(organisation.msp), organisation)
        return consortium

    @query
    def list(self, ledger: Ledger) -> tuple[Organisation, ...]:
        """All members, by MSP id."""
        return tuple(organisation for _, organisation in ledger.scan("members/org/", Organisation))


def org_key(msp: str) -> str:
    return f"members/org/{msp}"


def find_consortium(ledger: Ledger) -> Consortium | None:
    return ledger.find(CONSORTIUM, Consortium)


def require_consortium(ledger: Ledger) -> Consortium:
    """The consortium; refuses `members.not-founded`."""
    consortium = find_consortium(ledger)
    if consortium is None:
        raise Refused("members.not-founded", "found the consortium first")
    return consortium


def require(ledger: Ledger, msp: str) -> Organisation:
    """The member `msp`; refuses `members.unknown`."""
    organisation = ledger.find(org_key(msp), Organisation)
    if organisation is None:
        raise Refused("members.unknown", "this organisation is not a member of the consortium", organisation=msp)
    return organisation


def require_role(ledger: Ledger, roles: tuple[Role, ...]) -> Organisation:
    """The caller's organisation, if its certificate carries one of `roles` and `members` allows it that role.

    Refuses `members.unknown`, `role.missing`.
    """
    organisation = require(ledger, ledger.creator.organisation)
    carried = ledger.creator.roles.intersection(roles)
    if not carried:
        raise lacking(roles, "certificate", ledger)
    if carried.isdisjoint(organisation.roles):
        raise lacking(roles, "members", ledger)
    return organisation


def carries(ledger: Ledger, role: Role) -> bool:
    """Whether the caller's certificate carries `role` and `members` allows its organisation that role."""
    organisation = ledger.find(org_key(ledger.creator.organisation), Organisation)
    return organisation is not None and role in ledger.creator.roles and role in organisation.roles


def lacking(roles: tuple[Role, ...], where: str, ledger: Ledger) -> Refused:
    return Refused(
        "role.missing",
        "this needs a certificate with one of the named roles, from an organisation that members allows it",
        roles=[str(role) for role in roles],
        lacking_in=where,
        organisation=ledger.creator.organisation,
    )


def check_genesis(ledger: Ledger, consortium: Consortium, organisations: tuple[Organisation, ...]) -> None:
    """Refuses `members.genesis` (other hospitals than the channel's), `members.roles` (a hospital with one missing)."""
    if consortium.hospitals != ledger.hospitals:
        raise Refused(
            "members.genesis",
            "a consortium is founded by exactly the hospitals of the channel's genesis block",
            named=list(consortium.hospitals),
            genesis=list(ledger.hospitals),
        )
    for one in organisations:
        if one.kind == "hospital" and one.roles != ROLES_OF_A_HOSPITAL:
            raise Refused(
                "members.roles",
                f"a founding hospital has every role: {', '.join(ROLES_OF_A_HOSPITAL)}",
                organisation=one.msp,
            )


def consortium_of(organisations: tuple[Organisation, ...]) -> Consortium:
    """Refuses `members.twice`, `members.no-hospital`."""
    names = [organisation.msp for organisation in organisations]
    if len(set(names)) != len(names):
        raise Refused("members.twice", "name each organisation once")
    hospitals = tuple(sorted(one.msp for one in organisations if one.kind == "hospital"))
    if not hospitals:
        raise Refused("members.no-hospital", "a consortium has at least one hospital")
    return Consortium(
        hospitals=hospitals, institutes=tuple(sorted(one.msp for one in organisations if one.kind == "institute"))
    )


def relying_party(ledger: Ledger, msp: str) -> RelyingParty | None:
    """Where passkeys of the patients of `msp` sign; None where `members` holds no RP id for it."""
    organisation = ledger.find(org_key(msp), Organisation)
    if organisation is None or organisation.rp_id is None:
        return None
    return RelyingParty(organisation.rp_id, organisation.origins)


def seat(ledger: Ledger, msp: str) -> Seat:
    """Where `msp` sits and what kind it is, as far as `members` holds it."""
    organisation = ledger.find(org_key(msp), Organisation)
    return NOWHERE if organisation is None else Seat(organisation.country, organisation.sector)


def check_country(organisation: Organisation) -> None:
    """Refuses `members.country`."""
    if organisation.country is not None and organisation.country not in COUNTRIES:
        raise Refused(
            "members.country",
            "this is no country: write the two letters that ISO 3166-1 gives it, like DE",
            organisation=organisation.msp,
            country=organisation.country,
        )


def check_rp_id(organisation: Organisation) -> None:
    """Refuses `members.rp-id`: browsers give a passkey to an address below its RP id alone, and not over plain HTTP."""
    if organisation.rp_id is None:
        return
    addresses = [urlsplit(origin) for origin in organisation.origins]
    below = all(f".{address.hostname}".endswith(f".{organisation.rp_id}") for address in addresses)
    secure = all(one.scheme == "https" or f".{one.hostname}".endswith(".localhost") for one in addresses)
    if not (addresses and below and secure):
        raise Refused(
            "members.rp-id",
            "an RP id is the host of each of the origins, or a domain above them; they are https, or on localhost",
            organisation=organisation.msp,
        )


def checked(organisation: Organisation) -> Organisation:
    """The organisation with its lists in order; refuses `members.roles` (one that its kind cannot have),
    `members.rp-id`, `members.country`.
    """
    check_rp_id(organisation)
    check_country(organisation)
    allowed = ROLES_OF_A_HOSPITAL if organisation.kind == "hospital" else ROLES_OF_AN_INSTITUTE
    if alien := set(organisation.roles).difference(allowed):
        raise Refused(
            "members.roles",
            f"a {organisation.kind} may have these roles: {', '.join(allowed)}",
            organisation=organisation.msp,
            roles=sorted(alien),
        )
    roles, origins = tuple(sorted(set(organisation.roles))), tuple(sorted(set(organisation.origins)))
    return replace(organisation, roles=roles, origins=origins)


def admit(consortium: Consortium, organisation: Organisation) -> Consortium:
    """The consortium with `organisation` in it."""
    if organisation.kind == "hospital":
        return replace(consortium, hospitals=tuple(sorted({*consortium.hospitals, organisation.msp})))
    return replace(consortium, institutes=tuple(sorted({*consortium.institutes, organisation.msp})))
