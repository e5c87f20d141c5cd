"""A study runs to its end, or says why not: real contracts, real sites, real Flower in one process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consent.errors import CovenantError
from tests.support.federation import World
from training.errors import TrainingError
from training.federation.release import Head, package
from training.federation.rounds import StudyRunner
from training.federation.studies import Studies
from training.federation.vectors import digest
from training.site.stores import TRAINING, Attempt


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.everybody_consents()
    return made


def told(world, study):
    return [
        (item.round, item.attempt, item.status, item.sites, item.reason) for item in Studies(world.view).rounds(study)
    ]


BOTH = ("AlphaMSP", "BetaMSP")
DISCARDED = {"studies.consent-withdrawn", "site.attempt-discarded"}  # sites may train side by side


class OtherLedger(CovenantError):
    """What a node's own check raises."""


def test_a_study_runs_to_its_last_confirmation(world):
    study = world.study()
    model = world.runner().run(study)
    assert told(world, study) == [(number, 1, "closed", BOTH, None) for number in (1, 2, 3)]
    assert tuple(Studies(world.view).confirmations(study)) == BOTH
    assert Studies(world.view).closed(study)[-1].model == digest(model)


def test_run_again_it_changes_nothing(world):
    study = world.study()
    first = world.runner().run(study)
    calls = len(world.ledger.calls)
    assert (world.runner().run(study) == first).all()
    assert len(world.ledger.calls) == calls


def test_nothing_is_opened_on_a_ledger_that_lacks_what_was_seen_of_it(world):
    study = world.study()

    def restored(number):
        world.view.fault = OtherLedger("portal.ledger-behind", "an older copy answers") if number == 2 else None

    with pytest.raises(OtherLedger, match=r"portal\.ledger-behind"):
        world.runner(before=restored).run(study)
    assert told(world, study) == [(1, 1, "closed", BOTH, None)]
    world.view.fault = None
    world.runner().run(study)
    assert told(world, study) == [(number, 1, "closed", BOTH, None) for number in (1, 2, 3)]


def test_a_site_that_does_not_answer_is_left_out_after_the_deadline(world):
    study = world.study()
    runner = world.runner()
    federation = runner.federation

    class Deaf:
        def ask(self, request, sites, seconds):
            if request.kind != "cohort":
                return federation.ask(request, sites, 1)
            replies = federation.ask(request, [site for site in sites if site != "BetaMSP"], 1)
            world.sleep(seconds)
            return replies

        def train(self, *given):
            return federation.train(*given)

    world.runner(federation=Deaf()).run(study)
    assert told(world, study) == [(number, 1, "closed", ("AlphaMSP",), None) for number in (1, 2, 3)]


def test_too_few_sites_abort_the_attempt_and_use_the_spares_up(world):
    study = world.study(quorum=2)
    world.hospitals["BetaMSP"].submit("steward", "studies:Pause", {"paused": True})
    with pytest.raises(TrainingError, match=r"rounds\.attempts-exhausted"):
        world.runner().run(study)
    assert told(world, study) == [(1, number, "aborted", (), "studies.no-quorum") for number in (1, 2, 3)]


@pytest.mark.parametrize(("kind", "reason"), [("cohort", "studies.consent-withdrawn"), ("train", None)])
def test_a_withdrawal_discards_the_attempt_and_the_next_one_is_without_that_patient(world, kind, reason):
    study = world.study(on_withdrawal="discard")
    hospital, right = world.hospitals["BetaMSP"], world.agents["BetaMSP"]
    gone = next(made for made in hospital.grants.values() if made.patient not in hospital.held_out)

    class Withdrawing:
        """The last to answer; while it does, a patient of this very cohort withdraws elsewhere."""

        done = False

        def handle(self, request):
            answer = right.handle(request)
            if request.kind == kind and not self.done:
                self.done = True
                hospital.withdraw(gone, elsewhere=True)
            return answer

    world.agents["BetaMSP"] = Withdrawing()
    world.runner().run(study)
    first, second, *_ = told(world, study)
    assert first[:3] == (1, 1, "aborted") and first[4] in ({reason} if reason else DISCARDED)
    assert second == (1, 2, "closed", BOTH, None)
    cohorts = [hospital.cohorts[Attempt(study, 1, attempt, TRAINING)] for attempt in (1, 2)]
    assert [gone.patient in {one.patient for one in cohort.members} for cohort in cohorts] == [True, False]


def test_a_refusal_aborts_with_its_reason_and_the_next_attempt_goes_on(world):
    study = world.study()
    right = world.agents["BetaMSP"]
    wrong = world.agent(world.hospitals["BetaMSP"], code="00" * 32)
    calls = []

    class Once:
        def handle(self, request):
            calls.append(request.kind)
            return (wrong if calls.count("cohort") == 1 else right).handle(request)

    world.agents["BetaMSP"] = Once()
    world.runner().run(study)
    assert told(world, study)[:2] == [(1, 1, "aborted", (), "site.wrong-code"), (1, 2, "closed", BOTH, None)]


@pytest.mark.parametrize("code", ["Free text, with a name in it", "y" * 200])
def test_free_text_from_a_site_costs_an_attempt_and_not_the_study(world, code):
    study = world.study()
    agent, failures = world.agents["BetaMSP"], [1]

    class Chatty:
        def handle(self, request):
            if failures and request.kind == "train":
                failures.pop()
                raise TrainingError(code, "whatever")
            return agent.handle(request)

    world.agents["BetaMSP"] = Chatty()
    world.runner().run(study)
    assert told(world, study)[:2] == [(1, 1, "aborted", BOTH, "site.code-odd"), (1, 2, "closed", BOTH, None)]


def test_an_update_of_another_shape_costs_an_attempt_and_not_the_study(world):
    study = world.study()
    agent, failures = world.agents["BetaMSP"], [1]

    class Odd:
        def handle(self, request):
            answer = agent.handle(request)
            if failures and request.kind == "train":
                failures.pop()
                return replace(answer, vector=answer.vector[:-1])
            return answer

    world.agents["BetaMSP"] = Odd()
    world.runner().run(study)
    assert told(world, study)[:2] == [(1, 1, "aborted", BOTH, "aggregate.shape"), (1, 2, "closed", BOTH, None)]


def test_a_lost_attempt_keeps_its_spend(world):
    study = world.study()
    beta = world.hospitals["BetaMSP"]
    lost = world.agent(beta)

    class Dies:
        """A worker that is killed while it trains, and comes back."""

        def __init__(self):
            self.dead = False

        def handle(self, request):
            if request.kind == "train" and not self.dead:
                self.dead = True
                assert lost.attempts.start(Attempt(request.study, request.round, request.attempt, TRAINING))
            return lost.handle(request)

    world.agents["BetaMSP"] = Dies()
    world.runner().run(study)
    assert told(world, study)[:2] == [(1, 1, "aborted", BOTH, "site.attempt-lost"), (1, 2, "closed", BOTH, None)]
    spent = world.view.entries(f"studies/update/{study}/1/1/")
    assert [key.rpartition("/")[2] for key in spent] == ["AlphaMSP"]


def test_an_evaluation_without_a_quorum_does_not_hold_the_model_back(tmp_path):
    world = World(tmp_path, held_out=5)
    world.everybody_consents()
    study = world.study()
    model = world.runner().run(study)
    assert {reason for number, *_, reason in told(world, study) if number == 3} == {"studies.no-quorum"}
    made = package(world.view, Studies(world.view).study(study), model, Head(1, "00" * 32))
    assert b'"AlphaMSP":null' in made.certificate


def test_an_evaluation_without_access_does_not_hold_the_model_back(world, monkeypatch):
    study, measure = world.study(), StudyRunner._measure

    def revoked_first(runner, standing):
        hospital = world.hospitals["AlphaMSP"]
        named = {"request": standing.plan.request, "dataset": hospital.dataset, "version": 1}
        hospital.submit("steward", "access:Revoke", named)
        measure(runner, standing)

    monkeypatch.setattr(StudyRunner, "_measure", revoked_first)
    world.runner().run(study)
    assert [number for number, *_ in told(world, study)] == [1, 2]
    assert len(Studies(world.view).confirmations(study)) == 2


@pytest.mark.parametrize("code", ["portal.ledger-unavailable", "site.disk-full"])
def test_a_site_whose_ledger_was_away_or_disk_was_full_is_asked_again(world, code):
    study = world.study()
    agent, failures = world.agents["AlphaMSP"], [1, 1]

    class Shaky:
        def handle(self, request):
            if failures and request.kind in {"train", "cohort"}:
                failures.pop()
                raise TrainingError(code, "for a moment")
            return agent.handle(request)

    world.agents["AlphaMSP"] = Shaky()
    world.runner().run(study)
    assert told(world, study) == [(number, 1, "closed", BOTH, None) for number in (1, 2, 3)]


def test_a_disk_that_stays_full_ends_the_attempt_with_that_reason_and_its_spend_stays(world):
    study = world.study()
    agent, full = world.agents["AlphaMSP"], [True]

    class Full:
        def handle(self, request):
            if full and request.kind == "train":
                world.sleep(20)
                if world.now > deadline(1):
                    full.clear()
                raise TrainingError("site.disk-full", "make room")
            return agent.handle(request)

    def deadline(attempt):
        return Studies(world.view).attempt(study, 1, attempt)[0].update_deadline

    world.agents["AlphaMSP"] = Full()
    world.runner().run(study)
    assert told(world, study)[:2] == [(1, 1, "aborted", BOTH, "site.disk-full"), (1, 2, "closed", BOTH, None)]
    updates = [len(Studies(world.view).updates(Studies(world.view).attempt(study, 1, one)[0])) for one in (1, 2)]
    assert updates == [1, 2]  # what Beta released in the attempt that failed is spent


def test_nothing_is_opened_without_weights_to_start_from(world):
    study = world.study(initial="ab" * 32)
    with pytest.raises(CovenantError, match=r"blob\.missing"):
        world.runner().run(study)
    assert told(world, study) == []


def test_a_lost_lease_stops_before_the_next_step(world):
    study = world.study()

    def lost():
        raise CovenantError("hub.lease-lost", "another process runs this study now")

    with pytest.raises(CovenantError, match=r"hub\.lease-lost"):
        world.runner(alive=lost).run(study)


def test_a_hub_that_announces_another_model_is_found_out(world):
    """The hub closes round 1 with weights of its own: no site enters round 2."""
    study = world.study()
    runner = world.runner()
    federation = runner.federation

    class Cheat:
        def ask(self, *given):
            return federation.ask(*given)

        def train(self, *given):
            replies, model = federation.train(*given)
            return replies, model + 1

    with pytest.raises(CovenantError, match=r"aggregate\.mismatch|attempts-exhausted"):
        world.runner(federation=Cheat()).run(study)
    assert not any(item.model for item in Studies(world.view).rounds(study) if item.round == 2)
