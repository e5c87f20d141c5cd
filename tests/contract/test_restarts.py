"""A study that takes up an ended one at a checkpoint: what the contract lets through, and what it refuses."""

from __future__ import annotations

import pytest

from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, fresh, uuid

ALPHA = HOSPITALS[0]


@pytest.fixture
def ended(world):
    """A study of two rounds at one hospital that was stopped in its second; with the model of the first."""
    study = world.approved((ALPHA,), quorum=1)
    model = world.trained(study, 1)["model"]
    world.open(study, 2)
    stop(world, study)
    return study, model


def stop(world, study):
    arguments = {"study": study["study"], "reason": "test.stopped"}
    world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Stop", arguments)


def again(study, number, base, **changes):
    restart = {"study": study["study"], "round": number}
    rounds = study["plan"]["rounds"] - number + 1
    return study["plan"] | {"initial": base, "rounds": rounds, "restart": restart} | changes


@pytest.mark.parametrize("number", [1, 2])
def test_it_keeps_the_plan_pays_anew_and_trains_from_the_checkpoint(world, ended, number):
    study, model = ended
    base = study["plan"]["initial"] if number == 1 else model
    restarted = world.propose_study(again(study, number, base, title="Again", spare_attempts=0))
    before = world.account(ALPHA)["epsilon_reserved"]
    world.approve(restarted, ALPHA)
    assert float(world.account(ALPHA)["epsilon_reserved"]) > float(before)
    assert world.open(restarted, 1)["base"] == base
    view = world.ledger.evaluate(f"{INSTITUTE}.auditor", "studies:Get", {"study": study["study"]})
    assert view["study"]["status"] == "stopped" and view["head"]["base"] == model  # what was, stays


def test_a_checkpoint_of_another_plan_is_refused(world, ended):
    study, model = ended
    other = world.approved((ALPHA,), quorum=1, initial="ab" * 32)
    theirs = world.trained(other, 1)["model"]
    for number, base in ((1, theirs), (2, theirs), (1, model), (2, study["plan"]["initial"]), (2, fresh())):
        with refused(world.ledger, "studies.plan-checkpoint"):
            world.propose_study(again(study, number, base))


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": 2}, {"min_cohort": 21}, {"on_withdrawal": "discard"}, {"metrics": {"sigma": "60"}},
        {"configuration": "hidden"}, {"privacy": "sigma"}, {"datasets": "weight"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_a_restart_changes_nothing_else(world, ended, change):
    study, model = ended
    plan = again(study, 2, model)
    for name, value in change.items():
        match name:
            case "configuration":
                plan[name] = plan[name] | {value: 8}
            case "privacy":
                plan[name] = plan[name] | {value: "30"}
            case "datasets":
                plan[name] = [one | {value: 7} for one in plan[name]]
            case _:
                plan[name] = value
    with refused(world.ledger, "studies.plan-restart") as caught:
        world.propose_study(plan)
    assert next(iter(change)) in caught.value.message


def test_only_an_ended_study_of_the_same_sponsor_at_a_round_that_was_opened(world, ended):
    study, model = ended
    running = world.approved((ALPHA,), quorum=1)
    world.open(running, 1)
    with refused(world.ledger, "studies.wrong-status"):
        world.propose_study(again(running, 1, running["plan"]["initial"]))
    with refused(world.ledger, "studies.round-unknown"):
        world.propose_study(again(study, 3, model, rounds=1))
    with refused(world.ledger, "studies.unknown"):
        world.propose_study(again(study, 2, model, restart={"study": uuid(), "round": 2}))


def test_the_evaluation_is_no_place_to_restart(world):
    study = world.approved((ALPHA,), quorum=1)
    model = world.finished(study)
    stop(world, study)
    with refused(world.ledger, "studies.plan-restart"):
        world.propose_study(again(study, 3, model, rounds=1))


def test_what_does_not_fit_the_cap_is_not_restarted(world):
    study = world.approved((ALPHA,), quorum=1, privacy__sigma="8")
    model = world.trained(study, 1)["model"]
    world.open(study, 2)
    stop(world, study)
    with refused(world.ledger, "budget.over-cap"):
        world.propose_study(again(study, 2, model, spare_attempts=10_000))
