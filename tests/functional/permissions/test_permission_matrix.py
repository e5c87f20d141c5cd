"""Every page of the desks, for every persona, at both kinds of node. A new address without an entry here fails.

The pages are asked for with things that exist and are in the state that the page needs, so that 404 means "not yours".
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from consent import duo
from portal import ledger as portal_ledger
from portal.accounts.models import ROLES_OF
from portal.reactor import selectors as mirror
from tests.functional.node import SEAT
from tests.support.desks import HOSPITAL
from tests.support.studies import approved, proposed, run_round

pytestmark = pytest.mark.django_db

PERSONAS = ("patient", "steward", "researcher", "auditor")
DESKS = {"catalogue", "access", "studies", "governance", "audit"}
STEWARD, RESEARCHER, AUDITOR = {"steward"}, {"researcher"}, {"auditor"}
ALL = STEWARD | RESEARCHER | AUDITOR
ALLOWED: dict[str, set[str]] = {
    "catalogue:home": ALL,
    "catalogue:dataset": ALL,
    "catalogue:register": STEWARD,
    "catalogue:account": STEWARD,
    "catalogue:count": RESEARCHER,
    "catalogue:retire": STEWARD,
    "access:home": ALL,
    "access:new": RESEARCHER,
    "access:request": RESEARCHER | AUDITOR,
    "access:case": STEWARD,
    "access:decide": STEWARD,
    "access:revoke": STEWARD,
    "studies:home": ALL,
    "studies:study": ALL,
    "studies:left": STEWARD,
    "studies:budget": STEWARD,
    "studies:pause": STEWARD,
    "studies:settle": STEWARD,
    "studies:receive": STEWARD,
    "studies:approve": STEWARD,
    "studies:new": RESEARCHER,
    "studies:start": RESEARCHER,
    "studies:stop": RESEARCHER,
    "studies:restart": RESEARCHER,
    "studies:close-out": RESEARCHER,
    "studies:file": RESEARCHER,
    "governance:home": STEWARD,
    "governance:propose": STEWARD,
    "governance:proposal": STEWARD,
    "governance:vote": STEWARD,
    "governance:execute": STEWARD,
    "audit:home": AUDITOR,
    "audit:refused": AUDITOR,
    "audit:verify": AUDITOR,
    "audit:export": AUDITOR,
}
OPEN = {"access:protocol"}  # for whoever has the digest: stewards read it at the hub, where they have no account
UNRELEASED = {"studies:file"}  # the matrix releases no model: 404 for its researcher too


def pages_of(node: str) -> dict[str, Any]:
    """The desks' addresses at a kind of node: name -> view."""

    def walk(resolver: URLResolver, space: str) -> Iterator[tuple[str, Any]]:
        for entry in resolver.url_patterns:
            if isinstance(entry, URLResolver):
                yield from walk(entry, entry.namespace or space)
            elif space in DESKS:
                yield f"{space}:{entry.name}", entry.callback

    return dict(walk(get_resolver(f"portal.urls.{node}"), ""))


@pytest.mark.parametrize("node", ROLES_OF)
def test_every_address_has_an_entry_and_its_view_says_the_same(node):
    pages = pages_of(node)
    assert pages.keys() == ALLOWED.keys() | OPEN
    said = {name: set(getattr(view, "personas", ())) for name, view in pages.items()}
    assert said == {**ALLOWED, **{name: set() for name in OPEN}}


@pytest.fixture
def addresses(desks) -> dict[str, str]:
    """The address of every page, about something for which it can be used now."""
    slug, waiting = desks.dataset(modifiers=[duo.RTN]), desks.dataset()
    undecided, live = desks.request(waiting), desks.permitted(slug)
    new, ready, ended = proposed(desks, slug), approved(desks, slug), approved(desks, slug)
    run_round(desks, ended, 1)
    desks.send("researcher", f"/studies/{ended}/stop/", {"reason": "sponsor.concern"})
    proposal = desks.ledger.submit("steward", "governance:Propose", voted())
    desks.follow()
    case, done = {"pk": undecided, "slug": waiting, "version": 1}, {"pk": live, "slug": slug, "version": 1}
    dataset, ballot = {"owner": HOSPITAL, "slug": slug, "version": 1}, {"pk": proposal["proposal"]}
    about: dict[str, dict[str, Any]] = {
        **dict.fromkeys(["catalogue:dataset", "catalogue:count", "catalogue:retire"], dataset),
        **dict.fromkeys(["access:case", "access:decide"], case),
        "access:revoke": done,
        "access:request": {"pk": undecided},
        "access:protocol": {"digest": mirror.record(f"access/request/{live}")["protocol"]},
        **dict.fromkeys(["studies:study", "studies:approve", "studies:stop"], {"pk": new}),
        "studies:new": {"pk": live},
        "studies:start": {"pk": ready},
        **dict.fromkeys(["studies:settle", "studies:receive", "studies:close-out", "studies:restart"], {"pk": ended}),
        "studies:file": {"pk": ready, "name": "weights"},
        **dict.fromkeys(["governance:proposal", "governance:vote", "governance:execute"], ballot),
    }
    return {name: reverse(name, "portal.urls.hub", kwargs=about.get(name)) for name in ALLOWED.keys() | OPEN}


def voted() -> dict[str, Any]:
    organisation = {"msp": HOSPITAL, "name": HOSPITAL, "kind": "hospital", "origins": [], **SEAT}
    organisation["roles"] = ["peer", "registrar", "site", "steward"]
    action = {"kind": "set-organisation", "organisation": organisation}
    return {"proposal": str(uuid.uuid4()), "action": action, "deadline": int(time.time()) + 3600}


@pytest.mark.parametrize("node", ROLES_OF)
def test_who_is_let_in(desks, addresses, node):
    wrong = {}
    visitors = {"anonymous": visitor(desks, node), **{who: visitor(desks, node, who) for who in PERSONAS}}
    for who, client in visitors.items():
        for name, path in sorted(addresses.items()):
            expected = status(name, who, node)
            answers = {"get": client.get(path).status_code}
            if expected in (302, 404):
                answers["post"] = client.post(path).status_code
            if answers["get"] != expected or answers.get("post", 405) not in (expected, 405):
                wrong[f"{who} {name}"] = (expected, answers)
    assert not wrong


def status(name: str, who: str, node: str) -> int:
    """200, 302 (to the sign-in page) or 404."""
    if name in OPEN:
        return 200
    if who == "anonymous":
        return 302
    let_in = who in ALLOWED[name] and who in ROLES_OF[node]
    return 200 if let_in and name not in UNRELEASED else 404


def visitor(desks, node: str, who: str | None = None) -> Client:
    """A browser at a node of this kind, which need not be where such people have accounts."""
    portal_ledger.close()
    desks.settings.NODE = desks.nodes[node]
    desks.settings.ROOT_URLCONF = f"portal.urls.{node}"
    desks.settings.ALLOWED_HOSTS = [desks.nodes[node].host]
    client = Client(headers={"host": desks.nodes[node].host})
    if who is not None:
        client.force_login(desks.person(who), backend="django.contrib.auth.backends.ModelBackend")
    return client
