"""Researcher, steward and auditor at their desks in a browser, on a real ledger; every page of theirs is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page

from portal.accounts.services import set_password
from portal.reactor import selectors as mirror
from tests.e2e import walks
from tests.functional.permissions.test_permission_matrix import ALLOWED, PERSONAS, UNRELEASED
from tests.functional.permissions.test_permission_matrix import addresses as desk_addresses
from tests.support.desks import HOSPITAL, Desks

__all__ = ["desk_addresses"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FILES = UNRELEASED | {"audit:export"}
ASKING = ("/accounts/login/", "/access/new/", "/catalogue/register/", "/governance/propose/")


@dataclass
class Visitor:
    """One browser, in which one persona after another signs in."""

    desks: Desks
    page: Page
    base: str

    def turn(self, role: str) -> None:
        self.desks.at(role)
        self.desks.settings.ALLOWED_HOSTS = ["localhost"]
        self.desks.follow()
        self.page.context.clear_cookies()
        walks.sign_in(self.page, self.base, role, set_password(user=self.desks.person(role)))

    def send_empty(self, path: str) -> None:
        """Open the form at `path`, empty it and send it: the answer says what to mend, and is checked."""
        self.page.goto(self.base + path)
        self.page.evaluate("for (const form of document.forms) form.noValidate = true")
        self.page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
        for box in self.page.locator("main input:not([type=hidden], [type=checkbox], [type=radio]), textarea").all():
            box.fill("")
        self.page.locator("main button[type=submit]").click()
        self.page.get_by_role("alert").wait_for()
        walks.check(self.page)


@pytest.fixture
def visitor(
    desks: Desks, live_server: Any, program: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Visitor]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, Django beside it
    with walks.browser(program("chromium")) as page:
        yield Visitor(desks, page, live_server.url)


def test_from_the_catalogue_to_an_approved_study(visitor: Visitor) -> None:
    desks, page, base = visitor.desks, visitor.page, visitor.base
    slug = desks.dataset()
    visitor.turn("researcher")
    walks.look_around(page, base, [*walks.RESEARCHER, f"/catalogue/{HOSPITAL}/{slug}/1/"])
    asked = walks.ask_for_access(page, base, "Find out who needs an angiography.")
    visitor.turn("steward")
    walks.look_around(page, base, walks.STEWARD)
    case = next(one for one in mirror.records(f"access/request/{asked}"))["datasets"]
    assert {"dataset": f"{HOSPITAL}/{slug}", "version": 1} in case
    walks.permit(page, base, asked, "Approved by our committee.")
    visitor.turn("researcher")
    study = walks.plan(page, base, asked, title="Who needs an angiography?", epsilon="2", rounds=2)
    visitor.turn("steward")
    walks.approve(page, base, study)
    visitor.turn("auditor")
    walks.look_around(page, base, walks.AUDITOR)
    desks.at("steward")
    desks.follow()
    assert mirror.record(f"studies/study/{study}")["status"] == "approved"


def test_every_page_of_every_desk_is_accessible(visitor: Visitor, desk_addresses: dict[str, str]) -> None:
    for role in PERSONAS:
        if paths := [desk_addresses[name] for name in sorted(ALLOWED) if role in ALLOWED[name] and name not in FILES]:
            visitor.turn(role)
            walks.look_around(visitor.page, visitor.base, paths)
    visitor.page.goto(f"{visitor.base}/nowhere/")
    walks.check(visitor.page)


def test_a_form_that_needs_mending_is_accessible(visitor: Visitor, desk_addresses: dict[str, str]) -> None:
    for role, paths in (("researcher", ASKING[1:2]), ("steward", ASKING[2:])):
        visitor.turn(role)
        for path in paths:
            visitor.send_empty(path)
    visitor.page.context.clear_cookies()
    visitor.send_empty(ASKING[0])
