"""No site confirms a certificate that says anything else than its own ledger and its own arithmetic."""

from __future__ import annotations

import hashlib
import json

import pytest

from consent.canonical import encode
from consent.errors import CovenantError
from tests.support.federation import World
from training.federation.card import card
from training.federation.messages import Request
from training.federation.studies import Studies
from training.site import certified

ALPHA = "AlphaMSP"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    world.everybody_consents()
    study = world.study()
    return world, Studies(world.view).study(study), world.runner().run(study)


def checked(finished, change=lambda facts: None):
    world, study, model = finished
    facts = json.loads(world.certificates[study.study])
    change(facts)
    return certified.check(world.view, study, model, encode(facts))


def test_a_true_certificate_is_confirmed_by_its_digest(finished):
    world, study, _ = finished
    given = Studies(world.view).confirmations(study.study)
    assert set(given.values()) == {checked(finished)} and len(given) == 2


def put(*path):
    """A change: the last of `path` is written at the place that the others name."""

    def change(facts):
        *way, name, value = path
        for step in way:
            facts = facts[step]
        facts[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put("plan", "00" * 32), "plan"),
        (put("model", "00" * 32), "model"),
        (put("weights", "00" * 32), "weights"),
        (put("study", "other"), "study"),
        (put("format", "covenant.certificate.v1"), "format"),
        (put("privacy", "epsilon_rdp", "0.500000"), "privacy"),
        (put("privacy", "epsilon_pld", "0.500000"), "privacy"),
        (put("privacy", "delta", "0.1"), "privacy"),
        (put("privacy", "hospitals_disjoint", False), "privacy"),
        (put("privacy", "mechanisms", "AlphaMSP", []), "privacy"),
        (put("privacy", "mechanisms", "AlphaMSP", 0, "steps", 1), "privacy"),
        (put("cohorts", 0, "sites", "BetaMSP", "root", "00" * 32), "cohorts"),
        (put("cohorts", 0, "status", "aborted"), "cohorts"),
        (put("metrics", "sites", "AlphaMSP", "correct", 1000), "metrics"),
        (put("datasets", 0, "root", "00" * 32), "datasets"),
        (put("not_covered", []), "not_covered"),
        (put("card", "00" * 32), "card"),
        (put("praise", "the best model"), "praise"),
        (lambda facts: facts.pop("metrics"), "metrics"),
    ],
)
def test_a_certificate_that_says_otherwise_is_refused_and_named(finished, change, field):
    with pytest.raises(CovenantError, match=r"certificate\.differs") as refused:
        checked(finished, change)
    assert refused.value.context["fields"] == [field]


@pytest.mark.parametrize(
    "change", [put("ledger", "header", "00" * 32), put("ledger", "height", 10**6), put("ledger", "height", True)]
)
def test_a_head_that_the_ledger_does_not_hold_is_refused(finished, change):
    with pytest.raises(CovenantError, match=r"certificate\.head"):
        checked(finished, change)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"not json", b'{"ledger":{}}'])
def test_what_is_no_certificate_is_refused(finished, data):
    world, study, model = finished
    with pytest.raises(CovenantError, match=r"certificate\.malformed"):
        certified.check(world.view, study, model, data)


def test_digits_that_another_machine_may_round_otherwise_are_let_pass(finished):
    """With the card that the other machine made from its own digits; any other card is refused."""
    world, study, _ = finished

    def nudge(facts):
        facts["privacy"]["epsilon_rdp"] = f"{float(facts['privacy']['epsilon_rdp']) + 1e-6:.6f}"

    def nudge_and_tell(facts):
        nudge(facts)
        facts["card"] = hashlib.sha256(card(world.view, study, facts)).hexdigest()

    assert checked(finished, nudge_and_tell)
    with pytest.raises(CovenantError, match=r"certificate\.differs.*card"):
        checked(finished, nudge)


@pytest.mark.parametrize("name", certified.EPSILONS)
@pytest.mark.parametrize("apart", [3e-6, -3e-6, -0.01])
def test_digits_further_apart_are_refused_even_with_a_card_of_their_own(finished, name, apart):
    world, study, _ = finished

    def tell(facts):
        facts["privacy"][name] = f"{float(facts['privacy'][name]) + apart:.6f}"
        facts["card"] = hashlib.sha256(card(world.view, study, facts)).hexdigest()

    with pytest.raises(CovenantError, match=r"certificate\.differs.*privacy"):
        checked(finished, tell)


def test_a_hub_that_certifies_less_than_was_spent_gets_no_confirmation(tmp_path):
    world = World(tmp_path)
    world.everybody_consents()
    study = world.study()

    def flattering(standing, model):
        facts = json.loads(world.certify(standing, model))
        facts["privacy"]["epsilon_rdp"] = facts["privacy"]["epsilon_pld"] = "0.100000"
        return encode(facts)

    with pytest.raises(CovenantError, match=r"rounds\.unconfirmed") as refused:
        world.runner(certify=flattering).run(study)
    assert set(refused.value.context["refused"].values()) == {"certificate.differs"}
    assert Studies(world.view).confirmations(study) == {}


def test_a_site_that_is_given_no_certificate_confirms_nothing(finished):
    world, study, _ = finished
    with pytest.raises(CovenantError, match=r"blob\.missing"):
        world.agents[ALPHA].handle(Request(kind="confirm", study=study.study, round=0, attempt=0, height=0))
