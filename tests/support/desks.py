"""Stewards', researchers' and auditors' desks for functional tests: one process that is now the hospital, now the hub.

Both roles read one database here, which a real node never shares; what each page may show is decided by its settings
and personas, and those are real.
"""

from __future__ import annotations

import datetime
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from msgspec.structs import replace

from ledger.gateway.event import payload_of
from ledger.protocol.block import Block, open_block
from ledger.protocol.envelope import open_envelope
from portal import ledger as portal_ledger
from portal import pages
from portal.accounts.models import User
from portal.config import Broker
from portal.demo.browser import FormReader
from portal.grid import broker
from portal.reactor import projection
from portal.reactor.models import Position
from training.site import heart

HOSPITAL, INSTITUTE = "ClevelandMSP", "InstituteMSP"
HEART = "MONDO:0005267"
NUMBERS = itertools.count()


@dataclass
class Desks:
    """Moves between the nodes and fills in pages as people do. `ledger`: the running ledger."""

    settings: Any
    ledger: Any
    nodes: dict[str, Any]
    people: dict[str, User] = field(default_factory=dict)

    def at(self, role: str) -> Client:
        """Signed in as `role`, at the node where such people are."""
        place = "hospital" if role in ("steward", "patient") else "hub"
        portal_ledger.close()
        self.settings.NODE = self.nodes[place]
        self.settings.ROOT_URLCONF = f"portal.urls.{place}"
        self.settings.ALLOWED_HOSTS = [self.nodes[place].host]
        client = Client(headers={"host": self.nodes[place].host})
        client.force_login(self.person(role), backend="django.contrib.auth.backends.ModelBackend")
        return client

    def person(self, role: str) -> User:
        if role not in self.people:
            self.people[role] = User.objects.create(username=role, role=role, password="!")
        return self.people[role]

    def page(self, role: str, path: str, status: int = 200) -> str:
        """The page as `role` sees it, with the mirror brought up to the ledger first."""
        client = self.at(role)
        self.follow()
        answer = client.get(path)
        assert answer.status_code == status, answer.content.decode()
        return answer.content.decode()

    def send(self, role: str, path: str, values: dict[str, Any] | None = None, status: int = 302) -> Any:
        """Fill in the form at `path` beside what the page itself filled in; the answer must have `status`."""
        filled = Prefilled(self.page(role, path)).values
        answer = self.at(role).post(path, {**filled, **(values or {})})
        assert answer.status_code == status, answer.content.decode()
        self.follow()
        return answer

    def follow(self) -> None:
        """Bring the mirror up to the newest block, from whole blocks: those without an event are not waited for."""
        reached = Position.objects.first() or Position()
        blocks = portal_ledger.gateway(portal_ledger.reader()).blocks(max(1, reached.block))
        projection.apply([event for data in blocks for event in events_of(open_block(data))])

    # What most tests start from

    def dataset(self, **changed: Any) -> str:
        """A registered data set of the hospital with a file of its own; returns its short name."""
        number = next(NUMBERS)
        self.at("steward")
        write_csv(self.settings.NODE.data, f"heart-{number}.csv", number)
        if "Register a data set" not in self.page("steward", "/catalogue/"):
            self.send("steward", "/catalogue/account/", {"cap": "10", "delta": "0.0001"})
        slug = f"heart-{number}-{uuid.uuid4().hex[:8]}"
        values = {"file": f"heart-{number}.csv", "slug": slug, "title": f"Heart disease {number}"}
        self.send("steward", "/catalogue/register/", {**values, "permission": "DUO:0000006", **changed})
        return slug

    def request(self, slug: str, **changed: Any) -> str:
        """A request for access to the data set; returns its id."""
        asked = str(uuid.uuid4())
        values = {
            "request": asked,
            "datasets": [f"{HOSPITAL}/{slug}@1"],
            "permission": "DUO:0000007",
            "diseases": [HEART],
            "until": str(datetime.date.today() + datetime.timedelta(days=90)),
            "protocol": "Find out who needs an angiography.",
        }
        self.send("researcher", "/access/new/", {**values, **changed})
        return asked

    def permitted(self, slug: str) -> str:
        """A request that the hospital has permitted."""
        asked = self.request(slug)
        self.send("steward", f"/access/{asked}/{slug}/1/decide/", {"verdict": "permit", "reason": "It helps."})
        return asked


class Prefilled(FormReader):
    """What a browser would send of a page's inputs if nobody touched them."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        ticked = fields.get("type") not in ("checkbox", "radio") or "checked" in fields
        if tag == "input" and fields.get("name") and fields.get("value") and ticked:
            self.values[str(fields["name"])] = str(fields["value"])


@dataclass(frozen=True)
class Seen:
    """An event as the projection takes it (portal.reactor.projection.Source)."""

    block: int
    index: int
    tx_id: str
    name: str
    payload: bytes


def events_of(block: Block) -> Iterator[Seen]:
    for index, (envelope, flag) in enumerate(zip(block.envelopes, block.flags, strict=True)):
        opened = open_envelope(envelope)
        if flag == 0 and opened.event is not None:
            payload = payload_of(opened.rwset.writes)
            yield Seen(block.number, index, opened.heading.tx_id, opened.event.name, payload)


def write_csv(data: Path, name: str, number: int) -> None:
    """Cleveland's records, with one row fewer for each test: another raw file every time."""
    folder = data / "records"
    source = heart.write_hospital_csvs(folder / "source")["cleveland"]
    lines = source.read_text().splitlines(keepends=True)
    del lines[1 + number % (len(lines) - 1)]
    (folder / name).write_text("".join(lines))


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("desks") / "broker"
    broker.prepare(folder, [HOSPITAL])
    with broker.running(folder):
        yield broker.url(folder, broker.HUB)


@pytest.fixture
def desks(  # noqa: PLR0917  # fixtures
    settings: Any, ledger: Any, db: None, identities: dict[str, Any], broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> Desks:
    monkeypatch.setattr(pages, "PATIENCE", 0)  # the mirror is brought up by the test, not by a reactor beside it
    hub = replace(identities["hub"], broker=Broker(broker_url))
    return Desks(settings, ledger, {"hospital": settings.NODE, "hub": hub})
