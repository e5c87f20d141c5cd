"""Access: a request, a decision by the owner, an end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from consent.purpose import Asking, Purpose
from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, fresh, uuid, wanted

ALPHA, BETA = HOSPITALS[:2]
HEALTH = Purpose.of("DUO:0000006", commercial=False, for_profit=False)


def test_a_request_is_permitted_by_its_owner(world):
    dataset = world.register()
    request = world.request([dataset])
    entitlement = world.decide(request, dataset)
    assert entitlement["status"] == "live" and entitlement["requester"] == INSTITUTE
    assert world.decide(request, dataset) == entitlement
    listed = world.ledger.evaluate(f"{ALPHA}.steward", "access:Entitlements", {"request": request["request"]})
    assert listed == [entitlement]
    with refused(world.ledger, "access.known-differently"):
        world.decide(request, dataset, verdict="deny")


def test_a_request_is_repeated_or_refused(world):
    dataset = world.register()
    request = world.request([dataset])
    again = {"request": request["request"], "until": request["until"]}
    assert world.request([dataset], **again) == request
    with refused(world.ledger, "access.known-differently"):
        world.request([dataset], **again, protocol=fresh())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": {"duo": "DUO:0000011", "diseases": []}}, "access.purpose-forbidden"),
        ({"purpose": {"duo": "DUO:0000004", "diseases": []}}, "purpose.kind"),
        ({"purpose": {"duo": "DUO:0000007", "diseases": []}}, "purpose.diseases"),
        ({"purpose": {"duo": "DUO:0000007", "diseases": ["MONDO:9999999"]}}, "diseases.unknown"),
        ({"until": "2020-01-01"}, "access.until-past"),
        ({"until": "2199-01-01"}, "access.until-too-far"),
        ({"until": "2027-02-31"}, "periods.malformed"),
        ({"datasets": []}, "arguments.invalid"),
        ({"datasets": [{"dataset": f"{ALPHA}/nothing", "version": 1}]}, "catalogue.unknown"),
        ({"request": "42"}, "arguments.invalid"),
    ],
)  # fmt: skip
def test_what_nobody_can_ask(world, changes, code):
    arguments = {"datasets": [wanted(world.register())]} | changes
    with refused(world.ledger, code):
        world.request([], **arguments)


def test_each_data_set_is_named_once(world):
    dataset = world.register()
    with refused(world.ledger, "access.dataset-twice"):
        world.request([dataset, dataset])


def test_only_the_owner_decides(world):
    dataset = world.register(ALPHA)
    request = world.request([dataset])
    arguments = {
        "request": request["request"], "dataset": dataset["dataset"], "version": 1, "verdict": "permit",
        "until": request["until"], "reason": fresh(),
    }  # fmt: skip
    with refused(world.ledger, "catalogue.not-owner"):
        world.ledger.submit(f"{BETA}.steward", "access:Decide", arguments)
    for role in ("researcher", "runner", "steward"):
        with refused(world.ledger, "role.missing"):
            world.ledger.submit(f"{INSTITUTE}.{role}", "access:Decide", arguments)


def test_a_steward_cannot_permit_what_the_data_sets_terms_deny(world):
    dataset = world.register()  # heart disease only
    request = world.request([dataset], purpose=HEALTH)
    with refused(world.ledger, "access.duo-denied"):
        world.decide(request, dataset)
    assert world.decide(request, dataset, verdict="deny")["status"] == "denied"


def test_a_steward_may_permit_what_a_program_cannot_judge(world):
    dataset = world.register(duo=["DUO:0000007", "DUO:0000021"])  # ethics approval required
    assert world.decide(world.request([dataset], purpose=PURPOSE), dataset)["status"] == "live"


def test_a_decision_is_about_what_was_asked(world):
    dataset, other = world.register(), world.register()
    request = world.request([dataset])
    with refused(world.ledger, "access.not-requested"):
        world.decide(request, other)
    with refused(world.ledger, "access.unknown"):
        world.decide(request | {"request": uuid()}, dataset)
    with refused(world.ledger, "access.until-too-far"):
        world.decide(request, dataset, until=world.day(301))
    with refused(world.ledger, "access.until-past"):
        world.decide(request, dataset, until=world.day(-2))


def test_a_revocation_ends_it_and_is_no_ban(world):
    dataset = world.register()
    request = world.request([dataset])
    arguments = {"request": request["request"], "dataset": dataset["dataset"], "version": 1}
    with refused(world.ledger, "access.no-entitlement"):
        world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", arguments)
    world.decide(request, dataset)
    revoked = world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", arguments)
    assert revoked["status"] == "revoked"
    assert world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", arguments) == revoked
    assert world.decide(request, dataset) == revoked  # the old permit does not come back
    assert world.decide(world.request([dataset]), dataset)["status"] == "live"


def test_nobody_asks_in_the_name_of_an_institution_that_may(world) -> None:
    dataset = world.register(duo=["DUO:0000006", "DUO:0000028"], conditions=[{"term": "DUO:0000028", "values": [BETA]}])
    as_another = replace(HEALTH, asking=Asking(institution=BETA))
    with refused(world.ledger, "access.institution"):
        world.request([dataset], purpose=as_another)
    with refused(world.ledger, "access.institution"):
        arguments = {"dataset": dataset["dataset"], "version": 1, "purpose": as_another}
        world.ledger.submit(f"{INSTITUTE}.researcher", "access:Inquire", arguments)
    request = world.request([dataset], purpose=replace(HEALTH, asking=Asking(institution=INSTITUTE)))
    with refused(world.ledger, "access.duo-denied"):
        world.decide(request, dataset)


def test_an_entitlement_expires_no_sooner_than_its_day_is_over(world):
    dataset = world.register()
    request = world.request([dataset])
    with refused(world.ledger, "access.no-entitlement"):
        world.expire(request["request"], dataset)
    world.decide(request, dataset)
    with refused(world.ledger, "access.not-over"):
        world.expire(request["request"], dataset)
    arguments = {"request": request["request"], "dataset": dataset["dataset"], "version": 1}
    revoked = world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", arguments)
    assert world.expire(request["request"], dataset) == revoked


def test_the_owner_may_read_its_own_terms_as_large_portals_do_and_it_stands_on_the_ledger(world) -> None:
    dataset = world.register(duo=["DUO:0000007"])
    general = Purpose.of("DUO:0000042", commercial=False, for_profit=False)
    request = world.request([dataset], purpose=general)
    with refused(world.ledger, "access.duo-denied"):
        world.decide(request, dataset)
    assert world.decide(request, dataset, matching="compatible")["matching"] == "compatible"


def test_what_is_said_of_who_asks_is_held_against_the_terms(world) -> None:
    dataset = world.register(
        duo=["DUO:0000006", "DUO:0000022", "DUO:0000025"],
        conditions=[{"term": "DUO:0000022", "values": ["DE"]}, {"term": "DUO:0000025", "values": ["1"]}],
    )
    abroad = world.request([dataset], purpose=replace(HEALTH, asking=Asking(countries=("DE", "US"))))
    with refused(world.ledger, "access.duo-denied"):
        world.decide(abroad, dataset, until=world.day(20))
    at_home = world.request([dataset], purpose=replace(HEALTH, asking=Asking(countries=("DE",))))
    with refused(world.ledger, "access.duo-denied"):
        world.decide(at_home, dataset, until=world.day(32))
    assert world.decide(at_home, dataset, until=world.day(28))["status"] == "live"
