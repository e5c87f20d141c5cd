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
    """`below`: the views and, ending in a colon, whole namespaces whose pages stand under this tab.

    `inside`: the tabs of a second row, shown under this one alone; the first of them is where it leads.
    """

    title: str
    view: str
    below: tuple[str, ...] = ()
    inside: tuple[Tab, ...] = ()


PASSWORD = Tab(_("My password"), "accounts:password", ("accounts:",))
CATALOGUE = Tab("Catalogue", "catalogue:home", ("catalogue:",))
STUDIES = Tab("Studies", "studies:home", ("studies:",))
DESK = ("patients:desk-patient", "patients:desk-account", "patients:desk-paper", "patients:desk-lost")
MANDATES = ("patients:mandate-age", "patients:mandate-new", "patients:mandate-end", "patients:mandate-lost")
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
        Tab(
            "Studies",
            "studies:home",
            inside=(
                Tab("All studies", "studies:home", ("studies:",)),
                Tab("What left", "studies:left"),
                Tab("Budget", "studies:budget", ("studies:settle",)),
                Tab("Pause", "studies:pause"),
            ),
        ),
        Tab("Proposals", "governance:home", ("governance:",)),
        Tab(
            "Patients",
            "patients:desk",
            inside=(
                Tab("At the desk", "patients:desk", DESK),
                Tab("To ask again", "patients:ask-again"),
                Tab("Who speaks for whom", "patients:mandates", MANDATES),
                Tab("Refused withdrawals", "patients:refused-withdrawals"),
            ),
        ),
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


Shown = dict[str, str]  # a tab as pages show it: its title, address and `aria-current`: page, true or empty


def of(request: HttpRequest) -> tuple[list[Shown], list[Shown]]:
    """The tabs of whoever is signed in, and the second row, under the one of them where this page stands."""
    tabs = TABS.get(getattr(getattr(request, "user", None), "role", None), ())  # type: ignore[call-overload]
    match = request.resolver_match
    every = tuple(one for tab in tabs for one in (tab.inside or (tab,)))
    marked = parent(match.view_name, every) if match else None
    upper = next((tab for tab in tabs if marked is tab or marked in tab.inside), None)
    return row(request, tabs, upper), row(request, upper.inside if upper else (), marked)


def row(request: HttpRequest, tabs: tuple[Tab, ...], marked: Tab | None) -> list[Shown]:
    shown = []
    for tab in tabs:
        try:
            address = reverse(tab.view)
        except NoReverseMatch:  # an account of another kind of node
            continue
        here = request.path == address and not tab.inside
        current = "" if tab is not marked else "page" if here else "true"
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
