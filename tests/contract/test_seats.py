"""Where an organisation sits and what kind it is: the members' word counts, and the requester's cannot bend it.

Every member here is public and sits in Germany.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from consent import duo
from consent.purpose import Asking, Purpose
from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, organisations, uuid, wanted

ALPHA = HOSPITALS[0]
SILENT = Purpose.of("DUO:0000006", commercial=False)


@contextmanager
def moved(world, msp, **seat) -> Iterator[None]:
    """While the members hold something else of one of them, by a vote each way."""
    before = next(one for one in organisations() if one["msp"] == msp)
    world.enact({"kind": "set-organisation", "organisation": before | seat})
    try:
        yield
    finally:
        world.enact({"kind": "set-organisation", "organisation": before})


def bounded(world, *countries, terms=()):
    """A data set that may be used in `countries` alone."""
    conditions = [{"term": duo.GS, "values": sorted(countries)}] if countries else []
    return world.register(duo=["DUO:0000006", *terms, *[one["term"] for one in conditions]], conditions=conditions)


def test_a_region_is_kept_by_who_asks_and_by_the_hospital_that_computes_whatever_the_request_says(world):
    here, elsewhere, both = bounded(world, "DE"), bounded(world, "FR"), bounded(world, "DE", "FR")
    request = world.request([here, elsewhere, both], purpose=SILENT)
    assert world.decide(request, here)["status"] == "live"
    with refused(world.ledger, "access.duo-denied"):
        world.decide(request, elsewhere)
    with moved(world, INSTITUTE, country="FR"):
        with refused(world.ledger, "access.duo-denied"):  # its own hospital computes in Germany
            world.decide(request, elsewhere)
        again = world.request([here], purpose=SILENT)
        with refused(world.ledger, "access.duo-denied"):
            world.decide(again, here)
        assert world.decide(request, both)["status"] == "live"
    with moved(world, ALPHA, country="FR"), refused(world.ledger, "access.duo-denied"):
        world.decide(again, here)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"asking": Asking(countries=("FR",))}, "access.country"),
        ({"for_profit": True}, "access.sector"),
    ],
)
def test_a_request_that_contradicts_the_members_is_refused(world, said, code):
    dataset = world.register()
    purpose = replace(SILENT, **said)
    with refused(world.ledger, code):
        world.request([dataset], purpose=purpose)
    with refused(world.ledger, code):
        world.ledger.submit(f"{INSTITUTE}.researcher", "access:Inquire", {**wanted(dataset), "purpose": purpose})


def test_who_is_commercial_cannot_promise_otherwise(world):
    dataset = bounded(world, terms=[duo.NPU])
    assert world.decide(world.request([dataset], purpose=SILENT), dataset)["status"] == "live"
    earlier = world.request([dataset], purpose=replace(SILENT, for_profit=False))
    with moved(world, INSTITUTE, sector="commercial"):
        with refused(world.ledger, "access.sector"):
            world.request([dataset], purpose=replace(SILENT, for_profit=False))
        with refused(world.ledger, "access.duo-denied"):  # what it said before it changed counts no more
            world.decide(earlier, dataset)
        silent = world.request([dataset], purpose=SILENT)
        with refused(world.ledger, "access.duo-denied"):
            world.decide(silent, dataset)


def test_what_the_members_do_not_hold_is_unknown_whatever_is_said(world):
    """A kind that nobody has said counts as commercial; a country that nobody has said is for a person to judge."""
    strict, region = bounded(world, terms=[duo.NPU]), bounded(world, "FR")
    with moved(world, INSTITUTE, country=None, sector=None):
        said = replace(SILENT, for_profit=False, asking=Asking(countries=("DE",)))
        request = world.request([strict, region], purpose=said)
        with refused(world.ledger, "access.duo-denied"):
            world.decide(request, strict)
        assert world.decide(request, region)["status"] == "live"  # the steward answers for it


def test_a_permit_ends_for_new_plans_when_its_asker_moves_out_of_the_region(world):
    dataset = bounded(world, "DE")
    request = world.request([dataset], purpose=SILENT)
    world.decide(request, dataset)
    plan = world.plan((ALPHA,), quorum=1) | {"request": request["request"]}
    plan["datasets"] = [{**wanted(dataset), "weight": 100, "expected_batch": "10"}]
    study = world.propose_study(plan)
    world.approve(study, ALPHA)
    with moved(world, INSTITUTE, country="US"):
        with refused(world.ledger, "access.duo-denied"):
            world.propose_study(plan)
        with refused(world.ledger, "access.duo-denied"):
            world.open(study, 1)
    assert world.open(study, 1)["status"] == "open"


@pytest.mark.parametrize("country", ["UK", "XX"])
def test_a_country_is_one_of_iso_3166(world, country):
    there = organisations()[0] | {"country": country}
    with refused(world.ledger, "members.country"):
        world.propose({"kind": "set-organisation", "organisation": there})
    with refused(world.ledger, "members.country"):
        listed = [there, *organisations()[1:]]
        world.ledger.submit(f"{ALPHA}.steward", "members:Found", {"organisations": listed})


@pytest.mark.parametrize("seat", [{"country": "de"}, {"country": ""}, {"sector": "charity"}])
def test_a_seat_is_spelled_as_the_format_has_it(world, seat):
    there = {"kind": "set-organisation", "organisation": organisations()[0] | seat}
    with refused(world.ledger, "arguments.invalid"):
        world.ledger.submit(
            f"{ALPHA}.steward",
            "governance:Propose",
            {"proposal": uuid(), "action": there, "deadline": world.ledger.now + 3600},
        )
