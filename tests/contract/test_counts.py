"""Counts: one fixed, noised answer a version, purpose and month, from an account of their own."""

from __future__ import annotations

import pytest

from consent.purpose import Purpose
from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE

ALPHA, BETA, GAMMA = HOSPITALS[:3]


def inquire(world, dataset, purpose=PURPOSE):
    arguments = {"dataset": dataset["dataset"], "version": 1, "purpose": purpose}
    return world.ledger.submit(f"{INSTITUTE}.researcher", "access:Inquire", arguments)


def answer(world, inquiry, count, sigma="20", hospital=ALPHA, **changes):
    arguments = {name: inquiry[name] for name in ("dataset", "version", "purpose_digest", "month")}
    arguments |= {"sigma": sigma, "answer": count} | changes
    return world.ledger.submit(f"{hospital}.site", "budget:Answer", arguments)


def test_one_question_has_one_answer(world):
    inquiry = inquire(world, world.register())
    assert inquire(world, inquiry) == inquiry
    given = answer(world, inquiry, 117)
    assert given["charged"] and answer(world, inquiry, 117) == given
    with refused(world.ledger, "budget.known-differently"):
        answer(world, inquiry, 118)


def test_what_is_no_answer(world):
    inquiry = inquire(world, world.register())
    with refused(world.ledger, "budget.sigma"):
        answer(world, inquiry, 117, sigma="0")
    with refused(world.ledger, "access.inquiry-unknown"):
        answer(world, inquiry, 117, month="2020-01")
    with refused(world.ledger, "catalogue.not-owner"):
        answer(world, inquiry, 117, hospital=BETA)


def test_after_twenty_answers_a_month_nothing_more_is_shown_and_no_study_pays(world):
    dataset = world.register()
    kinds = ["MONDO:0005267", "MONDO:0005010", "MONDO:0005252", "MONDO:0004994", "MONDO:0005015", "MONDO:0005147"]
    purposes = [
        Purpose.of("DUO:0000007", [kind], methods=methods, genetic=genetic)
        for kind in kinds
        for methods in (False, True)
        for genetic in (False, True)
    ]
    before = world.account(ALPHA)
    for purpose in purposes[:20]:
        assert answer(world, inquire(world, dataset, purpose), None, sigma="40")["charged"]
    inquiry = inquire(world, dataset, purposes[20])
    with refused(world.ledger, "budget.counts-exhausted"):
        answer(world, inquiry, 117, sigma="40")
    assert not answer(world, inquiry, None, sigma="40")["charged"]
    assert world.account(ALPHA) == before


def test_a_sub_account_that_is_used_up_shows_nothing(world):
    inquiry = inquire(world, world.register())
    with refused(world.ledger, "budget.counts-exhausted"):
        answer(world, inquiry, 117, sigma="0.5")
    assert not answer(world, inquiry, None, sigma="0.5")["charged"]


def test_a_derived_data_set_gets_no_new_sub_account(world):
    base = world.register()
    parent = {"dataset": base["dataset"], "version": 1}
    derived = [world.register(parent=parent, raw=base["raw"]) for _ in range(3)]
    assert answer(world, inquire(world, base), 117, sigma="1.2")["charged"]
    for inquiry in [inquire(world, one) for one in derived]:
        with refused(world.ledger, "budget.counts-exhausted"):
            answer(world, inquiry, 117, sigma="1.2")


def test_a_data_set_of_its_own_gets_no_new_sub_account_either_and_another_hospital_has_its_own(world):
    first, second = (inquire(world, world.register(GAMMA)) for _ in range(2))
    assert answer(world, first, 117, sigma="1.2", hospital=GAMMA)["charged"]
    with refused(world.ledger, "budget.counts-exhausted"):
        answer(world, second, 117, sigma="1.2", hospital=GAMMA)
    assert answer(world, inquire(world, world.register(BETA)), 117, sigma="1.2", hospital=BETA)["charged"]


@pytest.mark.parametrize(
    ("cap", "delta", "code"),
    [("0", "0.0001", "budget.cap"), ("10.01", "0.0001", "budget.cap"), ("8", "0", "budget.delta"),
     ("8", "0.021", "budget.delta"), ("7", "0.0001", "budget.known-differently")],
)  # fmt: skip
def test_an_account_keeps_to_the_ceiling_and_is_opened_once(world, cap, delta, code):
    with refused(world.ledger, code):
        world.ledger.submit(f"{ALPHA}.steward", "budget:Open", {"cap": cap, "delta": delta})
