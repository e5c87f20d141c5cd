"""What is owed at a study's end: results go back where the terms, or a promise, say so, and hold up the close-out."""

from __future__ import annotations

from msgspec.structs import replace

from consent import duo
from consent.purpose import Asking
from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, INSTITUTE, PURPOSE, digest, uuid, wanted

ALPHA, BETA = HOSPITALS[:2]
TWO = (ALPHA, BETA)


def ended(world, *, terms=(), asking=None, declining=()):
    """A released study of two hospitals; the first one's data set has `terms` besides its permission."""
    datasets = [world.register(ALPHA, duo=["DUO:0000007", *terms]), world.register(BETA)]
    request = world.request(datasets, purpose=replace(PURPOSE, asking=asking))
    for dataset in datasets:
        world.decide(request, dataset)
    plan = world.plan(TWO, rounds=1, quorum=1) | {"request": request["request"]}
    plan["datasets"] = [{**wanted(one), "weight": 100, "expected_batch": "10"} for one in datasets]
    study = world.propose_study(plan)
    for hospital in TWO:
        world.approve(study, hospital)
    sites = world.fixed(study, 1, declining=declining)["sites"]
    for hospital in sites:
        world.site(hospital, "Update", study, 1, update=digest(f"{hospital}{study['study']}"))
    model = world.runner("Close", study, 1, model=digest(study["study"]))["model"]
    for hospital in sites:
        world.confirm(hospital, study, model)
    world.release(study, model)
    return study


def test_a_return_that_the_terms_ask_for_holds_up_the_close_out(world):
    study = ended(world, terms=[duo.RTN], asking=Asking(accepts=(duo.RTN,)), declining=(BETA,))
    with refused(world.ledger, "studies.return-owed") as caught:
        world.close_out(study)
    assert ALPHA in caught.value.message and BETA not in caught.value.message
    with refused(world.ledger, "role.missing"):  # nobody pays a debt by saying so
        world.ledger.submit(
            f"{INSTITUTE}.researcher", "studies:Receive", {"study": study["study"], "results": digest("results")}
        )
    with refused(world.ledger, "studies.nothing-owed"):  # it took part in no round
        world.receive(BETA, study)
    returned = world.receive(ALPHA, study)
    assert returned["results"] == digest("results") and world.receive(ALPHA, study) == returned
    with refused(world.ledger, "studies.known-differently"):
        world.receive(ALPHA, study, "other results")
    closed = world.close_out(study)
    assert closed["returns"] == {ALPHA: digest("results")} and world.close_out(study) == closed


def test_a_promise_is_owed_to_every_hospital_that_took_part(world):
    study = ended(world, asking=Asking(accepts=(duo.RTN,)))
    world.receive(BETA, study)
    with refused(world.ledger, "studies.return-owed") as caught:
        world.close_out(study)
    assert ALPHA in caught.value.message and BETA not in caught.value.message
    world.receive(ALPHA, study)
    assert set(world.close_out(study)["returns"]) == set(TWO)


def test_a_study_that_owes_nothing_is_closed_out_by_its_sponsor_once_it_has_ended(world):
    running = world.approved((ALPHA,), quorum=1)
    with refused(world.ledger, "studies.wrong-status"):
        world.close_out(running)
    with refused(world.ledger, "studies.wrong-status"):
        world.receive(ALPHA, running)
    reason = {"study": running["study"], "reason": "sponsor.concern"}
    world.ledger.submit(f"{INSTITUTE}.researcher", "studies:Stop", reason)
    with refused(world.ledger, "role.missing"):
        world.close_out(running, f"{ALPHA}.steward")
    assert world.close_out(running)["returns"] == {}
    with refused(world.ledger, "studies.unknown"):
        world.close_out({"study": uuid()})


def test_hospitals_waive_by_vote_what_one_of_them_cannot_say_it_has(world):
    study = ended(world, asking=Asking(accepts=(duo.RTN,)))
    waiver = {"kind": "waive-return", "study": study["study"], "hospital": ALPHA}
    with refused(world.ledger, "studies.nothing-owed"):  # it took no part
        world.propose(waiver | {"hospital": HOSPITALS[2]})
    with refused(world.ledger, "studies.unknown"):
        world.propose(waiver | {"study": uuid()})
    world.enact(waiver)
    with refused(world.ledger, "studies.return-owed") as caught:
        world.close_out(study)
    assert BETA in caught.value.message and ALPHA not in caught.value.message
    with refused(world.ledger, "studies.nothing-owed"):  # once is enough
        world.propose(waiver)
    world.receive(BETA, study)
    assert world.close_out(study)["returns"] == {BETA: digest("results")}
    assert world.receive(ALPHA, study)["results"] == digest("results")  # better late than never


def test_nothing_is_waived_of_a_study_that_goes_on(world):
    running = world.approved((ALPHA,), quorum=1)
    with refused(world.ledger, "studies.wrong-status"):
        world.propose({"kind": "waive-return", "study": running["study"], "hospital": ALPHA})
