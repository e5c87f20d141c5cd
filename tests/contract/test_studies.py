"""A study from plan to release, and every way in which a plan or an approval is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from consent.purpose import Asking
from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, fresh, uuid, wanted

ALPHA, BETA, DELTA, GAMMA = HOSPITALS
ONE = (ALPHA,)
MOR = "DUO:0000024"


def spent(world, hospital=ALPHA):
    return Decimal(world.account(hospital)["epsilon_spent"])


def promised(world, hospital=ALPHA):
    return Decimal(world.account(hospital)["epsilon_reserved"])


def held(world, study, hospital=ALPHA):
    return world.ledger.submit(f"{hospital}.steward", "budget:Release", {"study": study["study"]})


def stop(world, study, who=f"{INSTITUTE}.runner"):
    return world.ledger.submit(who, "studies:Stop", {"study": study["study"], "reason": "no-longer-needed"})


def test_a_study_from_plan_to_release(world):
    before = spent(world)
    study = world.approved()
    reserved = promised(world)
    assert reserved > before == spent(world)
    model = world.finished(study)
    with refused(world.ledger, "studies.confirmation-missing"):
        world.release(study, model)
    for hospital in HOSPITALS:
        with refused(world.ledger, "studies.model-differs"):
            world.confirm(hospital, study, fresh())
        assert world.confirm(hospital, study, model) == world.confirm(hospital, study, model)
    with refused(world.ledger, "studies.model-differs"):
        world.release(study, fresh())
    world.confirm(HOSPITALS[0], study, model, "another certificate")
    with refused(world.ledger, "studies.certificate-differs"):
        world.release(study, model)
    world.confirm(HOSPITALS[0], study, model)
    with refused(world.ledger, "studies.wrong-status"):
        held(world, study)
    released = world.release(study, model)
    assert released["model"] == model
    assert world.release(study, model) == released
    with refused(world.ledger, "studies.wrong-status"):
        world.confirm(HOSPITALS[0], study, model, "another certificate")
    assert held(world, study)["status"] == "released"
    assert spent(world) > before and promised(world) < reserved  # the spare attempt was not needed
    with refused(world.ledger, "studies.wrong-status"):
        stop(world, study)
    view = world.ledger.evaluate(f"{INSTITUTE}.auditor", "studies:Get", {"study": study["study"]})
    assert view["study"]["status"] == "released" and view["head"]["participants"] == list(HOSPITALS)
    assert len(view["approvals"]) == 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"privacy__sigma": "0"}, "studies.plan-sigma"),
        ({"privacy__sigma": "0.09"}, "studies.plan-sigma"),
        ({"privacy__sigma": "-1"}, "arguments.invalid"),
        ({"metrics__sigma": "0"}, "studies.plan-sigma"),
        ({"privacy__q": "0"}, "studies.plan-q"),
        ({"privacy__q": "1.01"}, "studies.plan-q"),
        ({"privacy__clip": "0"}, "studies.plan-clip"),
        ({"privacy__steps": 3}, "studies.plan-steps"),
        ({"privacy__delta": "0"}, "studies.plan-delta"),
        ({"privacy__delta": "0.00200401"}, "studies.plan-delta"),  # 1/499 is 0.002004008...
        ({"privacy__delta": "0.05"}, "studies.plan-delta"),
        ({"privacy__unit": "record"}, "arguments.invalid"),
        ({"privacy__unit": "image"}, "studies.plan-unit"),
        ({"configuration__averaging": "1"}, "studies.plan-averaging"),
        ({"configuration__schedule": "stepwise"}, "arguments.invalid"),
        ({"min_cohort": 19}, "studies.plan-min-cohort"),
        ({"quorum": 2}, "studies.plan-quorum"),
        ({"quorum": 0}, "arguments.invalid"),
        ({"rounds": 0}, "arguments.invalid"),
        ({"datasets": []}, "arguments.invalid"),
        ({"cohort_seconds": 31 * 86400}, "arguments.invalid"),
        ({"request": uuid()}, "access.unknown"),
        ({"privacy__sigma": "0.5", "privacy__q": "1"}, "budget.over-cap"),
        ({"rounds": 10_000, "spare_attempts": 10_000, "privacy__sigma": "10"}, "budget.over-cap"),
    ],
)  # fmt: skip
def test_a_plan_that_is_refused(world, changes, code):
    plan = world.plan(ONE, **({"quorum": 1} | changes))
    with refused(world.ledger, code) as caught:
        world.propose_study(plan)
    if code == "budget.over-cap":
        assert "cap" in caught.value.message


def test_a_delta_right_below_one_patient_is_allowed(world):
    assert world.propose_study(world.plan(ONE, quorum=1, privacy__delta="0.002004"))["status"] == "proposed"


def test_a_plan_over_images_protects_an_image_and_says_so(world):
    request, datasets = world.entitled((ALPHA, BETA), unit="image")
    sources = [{"dataset": one["dataset"], "version": 1, "weight": 1, "expected_batch": "1"} for one in datasets]
    plan = world.plan((ALPHA, BETA), request=request["request"], datasets=sources, quorum=1)
    with refused(world.ledger, "studies.plan-unit"):
        world.propose_study(plan)
    plan["privacy"]["unit"] = "image"
    assert world.propose_study(plan)["plan"]["privacy"]["unit"] == "image"


def test_a_plan_takes_one_data_set_a_hospital(world):
    request, datasets = world.entitled((ALPHA, ALPHA))
    plan = world.plan((ALPHA, BETA), request=request["request"], quorum=1)
    plan["datasets"] = [
        {"dataset": one["dataset"], "version": 1, "weight": 1, "expected_batch": "1"} for one in datasets
    ]
    with refused(world.ledger, "studies.plan-dataset"):
        world.propose_study(plan)


def test_a_plan_rests_on_live_entitlements(world):
    plan = world.plan(ONE, quorum=1)
    source = plan["datasets"][0]
    denied = world.register(ALPHA)
    request = world.request([denied])
    world.decide(request, denied, verdict="deny")
    for wrong in (
        plan | {"datasets": [source | {"version": 2}]},
        plan | {"request": request["request"], "datasets": [source | {"dataset": denied["dataset"]}]},
        plan | {"request": request["request"]},
    ):
        with refused(world.ledger, "studies.entitlement-missing"):
            world.propose_study(wrong)
    arguments = {"request": plan["request"], "dataset": source["dataset"], "version": 1}
    world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", arguments)
    with refused(world.ledger, "studies.entitlement-missing"):
        world.propose_study(plan)


def test_a_retired_data_set_takes_no_new_study_approval_or_round(world):
    proposed, approved = world.propose_study(world.plan(ONE, quorum=1)), world.approved(ONE, quorum=1)
    for study in (proposed, approved):
        arguments = {"dataset": study["plan"]["datasets"][0]["dataset"], "version": 1}
        world.ledger.submit(f"{ALPHA}.steward", "catalogue:Retire", arguments)
    with refused(world.ledger, "catalogue.retired"):
        world.propose_study(proposed["plan"])
    with refused(world.ledger, "catalogue.retired"):
        world.approve(proposed, ALPHA)
    with refused(world.ledger, "catalogue.retired"):
        world.open(approved, 1)


def ready_to_evaluate(world):
    study = world.approved(ONE, quorum=1, rounds=1)
    world.trained(study, 1)
    return study


def test_an_evaluation_opens_under_the_same_rules_as_a_training_round(world):
    ended, retired = ready_to_evaluate(world), ready_to_evaluate(world)
    source = {"dataset": ended["plan"]["datasets"][0]["dataset"], "version": 1}
    arguments = {"request": ended["plan"]["request"], **source}
    world.ledger.submit(f"{ALPHA}.steward", "access:Revoke", arguments)
    with refused(world.ledger, "studies.entitlement-missing"):
        world.open(ended, 2)
    source = {"dataset": retired["plan"]["datasets"][0]["dataset"], "version": 1}
    world.ledger.submit(f"{ALPHA}.steward", "catalogue:Retire", source)
    with refused(world.ledger, "catalogue.retired"):
        world.open(retired, 2)


def test_the_same_study_again_stands_and_another_under_its_id_does_not(world):
    plan = world.plan(ONE, quorum=1)
    study = world.propose_study(plan)
    arguments = {"study": study["study"], "plan": plan}
    assert world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Propose", arguments) == study
    with refused(world.ledger, "studies.known-differently"):
        changed = {"study": study["study"], "plan": plan | {"title": "Another one"}}
        world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Propose", changed)


def test_an_approval_names_the_plan_and_reserves_once(world):
    study = world.propose_study(world.plan((ALPHA, BETA)))
    with refused(world.ledger, "studies.digest-mismatch"):
        world.approve(study | {"plan_digest": fresh()}, ALPHA)
    with refused(world.ledger, "studies.not-a-site"):
        world.approve(study, GAMMA)
    with refused(world.ledger, "studies.unknown"):
        world.approve(study | {"study": uuid()}, ALPHA)
    before = promised(world)
    approval = world.approve(study, ALPHA)
    after = promised(world)
    assert world.approve(study, ALPHA) == approval
    assert before < after == promised(world)
    with refused(world.ledger, "studies.wrong-status"):  # not everybody has approved
        world.open(study, 1)


def test_the_institute_approves_nothing(world):
    study = world.propose_study(world.plan(ONE, quorum=1))
    arguments = {"study": study["study"], "plan_digest": study["plan_digest"]}
    for role in ("researcher", "runner", "steward", "site"):
        with refused(world.ledger, "role.missing"):
            world.ledger.submit(f"{INSTITUTE}.{role}", "studies:Approve", arguments)


def test_accounts_are_not_escaped_by_derived_data_or_a_second_study(world):
    """Every data set of a hospital, whatever its lineage, draws on the one account."""
    costly = {"quorum": 1, "privacy__sigma": "1.1", "privacy__q": "0.2", "rounds": 8, "spare_attempts": 0}
    study = world.approved(ONE, **costly)
    plan = world.plan(ONE, **costly)  # over a newly registered data set, with a raw file of its own
    with refused(world.ledger, "budget.over-cap"):
        world.propose_study(plan)
    stop(world, study)
    held(world, study)
    world.propose_study(world.plan(ONE, **costly))


def test_two_proposals_that_fit_alone_are_not_both_approved(world):
    costly = {"quorum": 1, "privacy__sigma": "1.1", "privacy__q": "0.2", "rounds": 8, "spare_attempts": 0}
    one, other = (world.propose_study(world.plan(ONE, **costly)) for _ in range(2))
    world.approve(one, ALPHA)
    with refused(world.ledger, "budget.over-cap"):
        world.approve(other, ALPHA)
    stop(world, one)
    held(world, one)


def quoted(world, plan, *approving):
    arguments = {"plan": plan, "approving": list(approving)}
    return world.ledger.evaluate(f"{ALPHA}.steward", "budget:Quote", arguments)


def exposed(world, hospital):
    return Decimal(world.account(hospital)["epsilon_exposure"])


def test_a_quote_is_what_an_approval_does(world):
    plan = world.plan((ALPHA, BETA))
    quote = quoted(world, plan, ALPHA)
    assert list(quote) == [ALPHA]  # all are declared disjoint
    assert Decimal(quote[ALPHA]["epsilon_before"]) == promised(world)
    world.approve(world.propose_study(plan), ALPHA)
    assert Decimal(quote[ALPHA]["epsilon_after"]) == promised(world) == exposed(world, ALPHA)
    with refused(world.ledger, "studies.not-a-site"):
        quoted(world, plan, GAMMA)


def test_patients_count_as_shared_unless_declared_disjoint(world):
    """What a plan promises at one hospital counts for the patients of all that are not set apart from it."""
    world.declare_disjoint([ALPHA, BETA])
    try:
        plan = world.plan((ALPHA, DELTA))
        quote = quoted(world, plan, ALPHA)
        assert set(quote) == {ALPHA, DELTA, GAMMA}
        own, charged = promised(world, DELTA), exposed(world, DELTA)
        study = world.propose_study(plan)
        world.approve(study, ALPHA)
        assert promised(world, DELTA) == own == Decimal(quote[DELTA]["epsilon_after"])
        assert exposed(world, DELTA) == Decimal(quote[DELTA]["exposure_after"]) > charged
        assert exposed(world, ALPHA) == Decimal(quote[ALPHA]["exposure_after"])
        stop(world, study)
        held(world, study)
        assert exposed(world, DELTA) == charged  # nothing was spent, so nobody was exposed
    finally:
        world.declare_disjoint(list(HOSPITALS))


def test_single_hospital_plans_together_do_not_overspend_a_patient_whom_two_hospitals_share(world):
    costly = {"quorum": 1, "privacy__sigma": "1.1", "privacy__q": "0.2", "rounds": 8, "spare_attempts": 0}
    here, there = (world.propose_study(world.plan((hospital,), **costly)) for hospital in (GAMMA, DELTA))
    world.declare_disjoint([ALPHA, BETA])
    try:
        world.approve(here, GAMMA)
        for apart in ([ALPHA, BETA], [GAMMA, DELTA]):  # in the end ALPHA may share patients with both
            world.declare_disjoint(apart)
            with refused(world.ledger, "budget.over-cap"):
                world.approve(there, DELTA)
        world.declare_disjoint(list(HOSPITALS))
        world.approve(there, DELTA)
        world.declare_disjoint([ALPHA, BETA])  # taken back: what was promised is over the caps now
        with refused(world.ledger, "budget.over-cap"):
            world.open(here, 1)
        world.declare_disjoint(list(HOSPITALS))
        world.open(here, 1)
    finally:
        world.declare_disjoint(list(HOSPITALS))
        for study, hospital in ((here, GAMMA), (there, DELTA)):
            stop(world, study)
            held(world, study, hospital)


def test_the_cap_is_checked_at_the_smaller_delta_of_plan_and_account(world):
    costly = {"quorum": 1, "privacy__sigma": "1.1", "privacy__q": "0.2", "rounds": 6, "spare_attempts": 0}
    strict = world.plan(ONE, **costly, privacy__delta="0.00000000001")
    quote = quoted(world, strict, ALPHA)[ALPHA]
    assert quote["delta"] == "0.00000000001" and Decimal(quote["exposure_after"]) > Decimal(quote["cap"])
    with refused(world.ledger, "budget.over-cap"):
        world.propose_study(strict)
    study = world.propose_study(strict | {"privacy": strict["privacy"] | {"delta": "0.001"}})
    assert quoted(world, study["plan"], ALPHA)[ALPHA]["delta"] == "0.0001"


@pytest.mark.parametrize(
    ("terms", "promised", "held"), [(-2, -1, False), (-2, 2, True), (None, 2, True), (None, -1, False), (2, 3, True)]
)
def test_a_model_is_not_released_before_the_day_of_an_embargo(world, terms, promised, held):
    """The data set's own day, and the day that the researcher promised: the later counts."""
    own = {} if terms is None else {
        "duo": ["DUO:0000007", MOR], "conditions": [{"term": MOR, "values": [world.day(terms)]}],
    }  # fmt: skip
    dataset = world.register(ALPHA, **own)
    asking = Asking(publishes_from=world.day(promised))
    request = world.request([dataset], purpose=replace(PURPOSE, asking=asking))
    world.decide(request, dataset)
    plan = world.plan(ONE, quorum=1) | {"request": request["request"]}
    plan["datasets"] = [{**wanted(dataset), "weight": 100, "expected_batch": "10"}]
    study = world.propose_study(plan)
    world.approve(study, ALPHA)
    model = world.finished(study)
    world.confirm(ALPHA, study, model)
    if held:
        with refused(world.ledger, "studies.embargo"):
            world.release(study, model)
    else:
        assert world.release(study, model)["model"] == model


def test_only_the_sponsor_stops_a_study(world):
    study = world.approved(ONE, quorum=1)
    for who in (f"{ALPHA}.steward", f"{INSTITUTE}.auditor"):
        with refused(world.ledger, "studies.not-sponsor" if who.startswith(ALPHA) else "role.missing"):
            stop(world, study, who)
    stopped = stop(world, study)
    assert stopped["status"] == "stopped" and stop(world, study) == stopped
    with refused(world.ledger, "studies.wrong-status"):
        world.open(study, 1)
    before = promised(world)
    given_back = held(world, study)
    assert promised(world) < before and held(world, study) == given_back
    with refused(world.ledger, "budget.no-reservation"):
        held(world, study, BETA)
