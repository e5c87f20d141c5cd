"""Versions of a consent text: unchangeable once published, superseded once, by their own publisher."""

from __future__ import annotations

from msgspec.structs import asdict

from ledger.contracts.grants import Successor
from tests.contract.refusals import refused
from tests.contract.test_consents import get, record_batch, submit
from tests.contract.world import HOSPITALS, INSTITUTE, TEXT, Patient, fresh

ALPHA, BETA = HOSPITALS[:2]


def names(count):
    series = fresh()[:12]
    return [f"{series}-{number}" for number in range(1, count + 1)]


def ask(world, what, text):
    return world.ledger.evaluate(f"{INSTITUTE}.auditor", f"consents:{what}", {"text": text})


def test_a_newer_version_ends_the_older_one_for_new_grants(world):
    old, new = names(2)
    world.publish(old, still_permits="no-new-studies")
    before = Patient().grant(text=old)
    standing = submit(world, before)
    newer = world.publish(new, supersedes=old, still_permits="all")
    assert ask(world, "Successor", old) == asdict(
        Successor(text=old, by=new, since=newer["published"], still_permits="no-new-studies")
    )
    assert ask(world, "Successor", new) is None
    with refused(world.ledger, "consents.text-superseded"):
        submit(world, Patient().grant(text=old))
    with refused(world.ledger, "consents.text-superseded") as caught:
        record_batch(world, [Patient().grant(text=old)])
    assert "entry 0" in caught.value.message
    assert submit(world, before) == standing, "the same grant again is answered with the record that stands"
    assert get(world, before.commitment)["text"] == old, "no grant is moved to the newer version"
    assert submit(world, Patient().grant(text=new))["text"] == new


def test_publishing_again_changes_nothing(world):
    old, new = names(2)
    world.publish(old)
    newer = world.publish(new, supersedes=old)
    assert world.publish(new, supersedes=old) == newer
    with refused(world.ledger, "consents.known-differently"):
        world.publish(new)
    with refused(world.ledger, "consents.known-differently"):
        world.publish(old, still_permits="all")


def test_a_version_has_one_successor(world):
    first, second, third = names(3)
    world.publish(first)
    world.publish(second, supersedes=first)
    with refused(world.ledger, "consents.text-superseded"):
        world.publish(third, supersedes=first)
    assert world.publish(third, supersedes=second)["supersedes"] == second


def test_what_is_not_published_is_not_superseded(world):
    missing, new = names(2)
    for older in (missing, new):
        with refused(world.ledger, "consents.text-unknown"):
            world.publish(new, supersedes=older)


def test_nobody_ends_another_hospitals_version(world):
    with refused(world.ledger, "consents.not-publisher"):
        world.publish(names(1)[0], who=f"{BETA}.steward", supersedes=TEXT)


def test_a_rule_that_does_not_exist(world):
    with refused(world.ledger, "arguments.invalid"):
        world.publish(names(1)[0], still_permits="some")


def test_a_grant_under_a_superseded_text_narrows_one_that_stands_and_once(world):
    old, new = names(2)
    world.publish(old, still_permits="all")
    patient = Patient()
    standing, withdrawn = patient.grant(text=old), Patient().grant(text=old)
    for one in (standing, withdrawn):
        submit(world, one)
    world.ledger.submit(f"{ALPHA}.registrar", "consents:WithdrawByRegistrar", {"commitment": withdrawn.commitment})
    narrower = patient.grant(text=old, valid_until="2027-06")
    assert replacing(world, narrower, fresh())["status"] == "active", "under a current text nothing is replaced"
    narrower = patient.grant(text=old, valid_until="2027-06")
    world.publish(new, supersedes=old)
    other = submit(world, Patient().grant(text=new))["commitment"]
    for replaced in (fresh(), other):
        with refused(world.ledger, "consents.replaces-unknown"):
            replacing(world, narrower, replaced)
    for wider in ({"valid_until": "2028-01"}, {"valid_from": "2025-12"}, {"preset": "cancer"}):
        with refused(world.ledger, "consents.replaces-wider"):
            replacing(world, patient.grant(text=old, **wider), standing.commitment)
    recorded = replacing(world, narrower, standing.commitment)
    assert recorded["text"] == old and replacing(world, narrower, standing.commitment) == recorded
    with refused(world.ledger, "consents.replaced"):
        replacing(world, patient.grant(text=old), standing.commitment)
    again = patient.grant(text=old, valid_until="2027-05")
    assert replacing(world, again, narrower.commitment)["status"] == "active"
    whose = replacing(world, Patient().grant(text=old), withdrawn.commitment)
    assert whose["status"] == "active", "the withdrawal may arrive before what takes its place"
    with refused(world.ledger, "consents.text-superseded"):
        submit(world, patient.grant(text=old))


def replacing(world, signed, replaced):
    arguments = {"grant": signed.sealed(), "replaces": replaced}
    return world.ledger.submit(f"{ALPHA}.registrar", "consents:Record", arguments, signed.evidence())
