"""The tabs of each persona, and which of them a page stands under: sub-pages mark their tab too."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from portal.accounts.models import Role


@dataclass(frozen=True, slots=True)
class Tab:
    """`below`: the views and, ending in a colon, whole namespaces whose pages stand under this tab."""

    title: str
    view: str
    below: tuple[str, ...] = ()


PASSWORD = Tab(_("My password"), "accounts:password", ("accounts:",))
CATALOGUE = Tab("Catalogue", "catalogue:home", ("catalogue:",))
STUDIES = Tab("Studies", "studies:home", ("studies:",))
TABS = {
    Role.PATIENT: (
        Tab(_("My consent"), "patients:home", ("patients:",)),
        Tab(
            _("My passkey"),
            "patients:passkey",
            (
                "patients:device-key",
                "patients:sign-anew",
            ),
        ),
        Tab(_("Where my data was used"), "patients:uses"),
        PASSWORD,
    ),
    Role.PROXY: (Tab(_("Speaking for somebody"), "patients:acting", ("patients:",)), PASSWORD),
    Role.STEWARD: (
        Tab("Waits for you", "desk:home"),
        Tab("Data sets", "catalogue:home", ("catalogue:",)),
        Tab("Requests", "access:home", ("access:",)),
        STUDIES,
        Tab("What left", "studies:left"),
        Tab("Budget", "studies:budget", ("studies:settle",)),
        Tab("Pause", "studies:pause"),
        Tab("Proposals", "governance:home", ("governance:",)),
        Tab("Patients", "patients:desk", ("patients:desk-patient", "patients:desk-paper", "patients:desk-lost")),
        Tab("Withdrawals", "patients:refused-withdrawals"),
        Tab("Who speaks for whom", "patients:mandates", ("patients:mandate-age", "patients:mandate-new")),
        PASSWORD,
    ),
    Role.RESEARCHER: (CATALOGUE, Tab("Access requests", "access:home", ("access:",)), STUDIES, PASSWORD),
    Role.AUDITOR: (
        Tab("Chain", "audit:home", ("audit:",)),
        Tab("Refused", "audit:refused"),
        Tab("Verify", "audit:verify"),
        CATALOGUE,
        Tab("Access requests", "access:home", ("access:",)),
        STUDIES,
        PASSWORD,
    ),
}


def of(request: HttpRequest) -> list[dict[str, str]]:
    """The tabs of whoever is signed in, each with its title, address and `aria-current`: page, true or empty."""
    tabs = TABS.get(getattr(getattr(request, "user", None), "role", None), ())  # type: ignore[call-overload]
    match = request.resolver_match
    marked = parent(match.view_name, tabs) if match else None
    shown = []
    for tab in tabs:
        try:
            address = reverse(tab.view)
        except NoReverseMatch:  # an account of another kind of node
            continue
        current = "" if tab is not marked else "page" if request.path == address else "true"
        shown.append({"title": gettext(tab.title), "address": address, "current": current})
    return shown


def parent(view: str, tabs: tuple[Tab, ...]) -> Tab | None:
    """The tab that `view` is, or else the one that names it, or else the one that names its namespace."""
    space = f"{view.split(':', 1)[0]}:"
    for fits in (lambda tab: tab.view == view, lambda tab: view in tab.below, lambda tab: space in tab.below):
        for tab in tabs:
            if fits(tab):
                return tab
    return None
