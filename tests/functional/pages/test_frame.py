"""What is around every page: the tab a page stands under, and what it says while the mirror is behind."""

from __future__ import annotations

import re

import pytest

from ledger.gateway import CommitStatusError
from portal import ledger as portal_ledger
from portal import tabs
from portal.reactor import selectors as mirror
from tests.support.desks import HOSPITAL

pytestmark = pytest.mark.django_db


def current(page: str) -> list[tuple[str, str]]:
    """The tabs marked as current: (page or true, title)."""
    return re.findall(r'aria-current="(\w+)">([^<]+)</a>', page)


def test_what_stands_on_the_ledger_and_not_yet_here_is_said_to_be_so(desks):
    """With the reactor stopped: no page passes an older state off as the present one."""
    slug = desks.dataset()
    steward = desks.at("steward")
    desks.follow()
    reached = mirror.height()
    path = f"/catalogue/{HOSPITAL}/{slug}/1/"
    answer = steward.post(f"{path}retire/", follow=True)
    page = answer.content.decode()
    said = f"Recorded in block {reached + 1}. This page still shows what was before, up to block {reached}"
    assert said in page and ">live<" in page
    assert 'hx-trigger="every 2s"' in page
    for other in ("/catalogue/", "/studies/", "/catalogue/register/"):
        assert said in steward.get(other).content.decode(), "every page reads the same mirror"
    assert "hx-trigger" not in steward.get("/catalogue/register/").content.decode(), "nothing typed is swept away"

    desks.follow()  # the reactor is back
    page = steward.get(path).content.decode()
    assert "Recorded in block" not in page and ">retired<" in page


def test_a_page_that_shows_what_was_recorded_says_nothing_of_it(desks, monkeypatch):
    slug = desks.dataset()
    steward = desks.at("steward")
    desks.follow()
    monkeypatch.setattr("portal.pages.mirror.height", lambda: 10**9)
    page = steward.post(f"/catalogue/{HOSPITAL}/{slug}/1/retire/", follow=True).content.decode()
    assert "Recorded in block" not in page


def test_before_the_commit_it_is_pending(desks, monkeypatch):
    slug = desks.dataset()
    steward = desks.at("steward")

    def unanswered(*_: object, **__: object) -> None:
        raise CommitStatusError("gateway.commit-status-failed", "no answer in time")

    monkeypatch.setattr(type(portal_ledger.contract("steward")), "submit", unanswered)
    answer = steward.post(f"/catalogue/{HOSPITAL}/{slug}/1/retire/")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "This is pending" in page and "Recorded" not in page


def test_a_sub_page_marks_the_tab_it_stands_under(desks):
    slug = desks.dataset()
    for role, path, marked in (
        ("steward", "/catalogue/", [("page", "Data sets")]),
        ("steward", f"/catalogue/{HOSPITAL}/{slug}/1/", [("true", "Data sets")]),
        ("steward", "/governance/propose/", [("true", "Proposals")]),
        ("steward", "/studies/", [("true", "Studies"), ("page", "All studies")]),
        ("steward", "/studies/budget/", [("true", "Studies"), ("page", "Budget")]),
        ("steward", "/withdrawals/", [("true", "Patients"), ("page", "Refused withdrawals")]),
        ("steward", "/mandates/new/", [("true", "Patients"), ("true", "Who speaks for whom")]),
        ("researcher", "/access/new/", [("true", "Access requests")]),
        ("researcher", "/studies/", [("page", "Studies")]),
        ("auditor", "/audit/verify/", [("page", "Verify")]),
        ("patient", "/accounts/password/", [("page", "My password")]),
    ):
        assert current(desks.page(role, path)) == marked, path


@pytest.mark.parametrize("role", tabs.TABS)
def test_every_tab_of_a_second_row_is_reached_from_the_first(role):
    for tab in tabs.TABS[role]:
        assert not tab.inside or (tab.inside[0].view == tab.view and not tab.below), tab.title
        assert all(not one.inside for one in tab.inside), "there are two rows, no more"


def test_every_page_says_who_is_signed_in(desks, visitor):
    name = desks.person("steward").username
    assert f'Signed in as </span><span class="account">{name}<' in desks.page("steward", "/desk/")
    assert "Signed in as" not in visitor().get("/").content.decode()


def test_the_most_particular_tab_wins():
    steward = next(tab.inside for tab in tabs.TABS["steward"] if tab.title == "Studies")
    named = {view: tabs.parent(view, steward) for view in ("studies:settle", "studies:left", "studies:approve")}
    assert [tab.title for tab in named.values() if tab] == ["Budget", "What left", "All studies"]
    assert tabs.parent("home", steward) is None
