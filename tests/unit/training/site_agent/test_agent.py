"""A site believes nothing it is told: every refusal has its code, and a step done once is never done twice."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from consent.errors import CovenantError
from tests.support.federated_hospital import INSTITUTE
from tests.support.federation import World
from tests.support.memory_ledger import MemoryWriter
from tests.unit.training.site_agent.rounds import ALPHA, fixed, opened, refused, trained
from training.errors import ModelRefused, TrainingError
from training.federation.messages import Request
from training.federation.studies import Studies
from training.site.stores import Attempt
from training.site.trainer import SiteTrainer, rehearsed


def test_the_cohort_is_frozen_before_it_is_committed_and_answered_from_the_ledger(world, study):
    opened(world, study)
    first = world.ask(ALPHA, "cohort", study, 1, 1)
    frozen = world.hospitals[ALPHA].cohorts[Attempt(study, 1, 1, "training")]
    assert first.facts == {"declined": "no", "root": frozen.root, "bucket": "20-49"} and len(frozen.members) == 30
    calls = len(world.ledger.calls)
    assert world.ask(ALPHA, "cohort", study, 1, 1).facts == first.facts
    assert len(world.ledger.calls) == calls


def test_a_crash_between_freezing_and_committing_commits_the_same_root(world, study):
    opened(world, study)
    hospital = world.hospitals[ALPHA]

    class Cut:
        def submit(self, *_):
            raise TrainingError("portal.ledger-unavailable", "the ledger is away")

    with refused("portal.ledger-unavailable"):
        world.agent(hospital, writer=Cut()).handle(
            Request(kind="cohort", study=study, round=1, attempt=1, height=world.ledger.height)
        )
    frozen = hospital.cohorts[Attempt(study, 1, 1, "training")].root
    assert world.ask(ALPHA, "cohort", study, 1, 1).facts["root"] == frozen


@pytest.mark.parametrize("kind", ["cohort", "train", "evaluate"])
def test_a_round_that_is_not_open_is_refused(world, study, kind):
    with refused("site.round-not-open"):
        world.ask(ALPHA, kind, study, 1, 1)


def test_training_before_the_sites_are_fixed_is_refused(world, study):
    opened(world, study)
    world.ask(ALPHA, "cohort", study, 1, 1)
    with refused("site.round-not-open"):
        world.ask(ALPHA, "train", study, 1, 1)
    assert world.hospitals[ALPHA].loads == []


def test_a_training_round_is_not_evaluated(world, study):
    fixed(world, study)
    with refused("site.round-not-open"):
        world.ask(ALPHA, "evaluate", study, 1, 1)


def test_an_aborted_attempt_is_refused(world, study):
    fixed(world, study)
    world.run("runner", "studies:Abort", {"study": study, "round": 1, "attempt": 1, "reason": "hub.test"})
    with refused("site.round-not-open"):
        world.ask(ALPHA, "train", study, 1, 1)


def test_a_ledger_left_behind_is_refused(world, study, monkeypatch):
    monkeypatch.setattr("training.site.agent.PATIENCE", 0.01)
    with refused("site.ledger-stale"):
        world.agents[ALPHA].handle(
            Request(kind="cohort", study=study, round=1, attempt=1, height=world.ledger.height + 1)
        )


@pytest.mark.parametrize("kind", ["cohort", "train"])
def test_nothing_is_begun_on_a_full_disk(world, study, kind, monkeypatch):
    (opened if kind == "cohort" else fixed)(world, study)
    calls = len(world.ledger.calls)
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
        with refused("site.disk-full"):
            world.ask(ALPHA, kind, study, 1, 1)
    assert len(world.ledger.calls) == calls and world.hospitals[ALPHA].loads == []
    world.ask(ALPHA, kind, study, 1, 1)  # there is room again: nothing of the attempt is lost


def test_nothing_is_done_on_a_ledger_that_lacks_what_was_seen(world, study):
    opened(world, study)
    world.view.fault = CovenantError("portal.ledger-behind", "this ledger is older than what was seen")
    with refused("portal.ledger-behind"):
        world.ask(ALPHA, "cohort", study, 1, 1)
    world.view.fault = None
    for name in world.agents:
        world.ask(name, "cohort", study, 1, 1)
    world.run("runner", "studies:Fix", {"study": study, "round": 1, "attempt": 1})
    world.view.fault = CovenantError("portal.ledger-other", "this ledger has another history")
    with refused("portal.ledger-other"):
        world.ask(ALPHA, "train", study, 1, 1)
    hospital = world.hospitals[ALPHA]
    assert hospital.loads == [] and not world.agents[ALPHA].attempts.result(Attempt(study, 1, 1, "training"))


def test_other_code_is_refused(world, study):
    opened(world, study)
    with refused("site.wrong-code"):
        world.agent(world.hospitals[ALPHA], code="00" * 32).handle(
            Request(kind="cohort", study=study, round=1, attempt=1, height=0)
        )


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_round_opened_at_another_time_is_refused(world, study, minutes):
    opened(world, study)
    hospital = world.hospitals[ALPHA]
    with refused("site.clock-skew"):
        world.agent(hospital, clock=lambda: world.now + 60 * minutes).handle(
            Request(kind="cohort", study=study, round=1, attempt=1, height=0)
        )
    assert not hospital.cohorts


def test_weights_that_were_not_closed_with_are_refused(world, study):
    from msgspec import json

    opened(world, study)
    key = f"studies/round/{study}/1/1"
    world.ledger.state[key] = json.encode(json.decode(world.ledger.state[key]) | {"base": "ab" * 32}, order="sorted")
    with refused("chain.base"):
        world.ask(ALPHA, "cohort", study, 1, 1)


def test_a_revoked_entitlement_is_refused(world, study):
    opened(world, study)
    plan = Studies(world.view).study(study).plan
    hospital = world.hospitals[ALPHA]
    hospital.submit("steward", "access:Revoke", {"request": plan.request, "dataset": hospital.dataset, "version": 1})
    with refused("site.no-entitlement"):
        world.ask(ALPHA, "cohort", study, 1, 1)


def test_a_paused_site_declines(world, study):
    opened(world, study)
    world.hospitals[ALPHA].submit("steward", "studies:Pause", {"paused": True})
    assert world.ask(ALPHA, "cohort", study, 1, 1).facts == {"declined": "yes"}


def test_a_cohort_below_the_minimum_declines_without_saying_why(tmp_path):
    world = World(tmp_path, patients=19)
    world.everybody_consents()
    study = world.study()
    opened(world, study)
    assert world.ask(ALPHA, "cohort", study, 1, 1).facts == {"declined": "yes"}
    record = world.view.entry(f"studies/cohort/{study}/1/1/{ALPHA}").body
    assert record["declined"] and record["root"] is None and record["bucket"] is None
    assert not world.hospitals[ALPHA].cohorts


def test_training_reads_exactly_the_frozen_list_and_spends_before_it_answers(world, study):
    fixed(world, study)
    answer = world.ask(ALPHA, "train", study, 1, 1)
    hospital = world.hospitals[ALPHA]
    frozen = hospital.cohorts[Attempt(study, 1, 1, "training")]
    assert hospital.loads == [tuple(member.patient for member in frozen.members)]
    assert Studies(world.view).updates(Studies(world.view).last(study, 1)) == {ALPHA: answer.facts["update"]}
    assert answer.vector is not None


def test_a_repeated_message_is_answered_from_the_record(world, study):
    fixed(world, study)
    first = world.ask(ALPHA, "train", study, 1, 1)
    world.agents[ALPHA] = world.agent(world.hospitals[ALPHA])  # a worker that was started again
    again = world.ask(ALPHA, "train", study, 1, 1)
    assert again.facts == first.facts and (again.vector == first.vector).all()
    assert len(world.hospitals[ALPHA].loads) == 1


def test_nothing_is_sent_when_the_spend_is_refused(world, study):
    fixed(world, study)

    class Refusing(MemoryWriter):
        def submit(self, function, arguments):
            raise TrainingError("budget.reservation-spent", "nothing is left")

    agent = world.agent(world.hospitals[ALPHA], writer=Refusing(world.ledger, ALPHA, "site"))
    with refused("budget.reservation-spent"):
        agent.handle(Request(kind="train", study=study, round=1, attempt=1, height=0))
    assert Studies(world.view).updates(Studies(world.view).last(study, 1)) == {}


def test_a_started_attempt_without_a_result_is_lost(world, study):
    fixed(world, study)
    assert world.agents[ALPHA].attempts.start(Attempt(study, 1, 1, "training"))
    with refused("site.attempt-lost"):
        world.ask(ALPHA, "train", study, 1, 1)
    assert world.hospitals[ALPHA].loads == []


def test_a_restored_store_never_reuses_a_spend_or_a_cohort(world, study):
    fixed(world, study)
    world.ask(ALPHA, "train", study, 1, 1)
    hospital = world.hospitals[ALPHA]
    hospital.folder = hospital.folder / "restored"
    world.agents[ALPHA] = world.agent(hospital)
    with refused("site.attempt-lost"):
        world.ask(ALPHA, "train", study, 1, 1)
    hospital.cohorts.clear()
    with refused("site.attempt-lost"):
        world.ask("AlphaMSP", "train", study, 1, 1)


def test_another_attempt_at_the_evaluation_repeats_what_was_measured(world):
    study = world.study(rounds=1, spare_attempts=1)
    trained(world, study)
    fixed(world, study, 2, kind="evaluation")
    hospital = world.hospitals[ALPHA]
    first, read = world.ask(ALPHA, "evaluate", study, 2, 1), len(hospital.loads)
    world.run("runner", "studies:Abort", {"study": study, "round": 2, "attempt": 1, "reason": "measurement-missing"})
    fixed(world, study, 2, 2, kind="evaluation")
    assert world.ask(ALPHA, "evaluate", study, 2, 2).facts == first.facts and len(hospital.loads) == read
    for name in world.agents:
        world.ask(name, "evaluate", study, 2, 2)
    world.run("runner", "studies:Close", {"study": study, "round": 2, "attempt": 2, "model": None})
    studies = Studies(world.view)
    assert {attempt.attempt: sorted(studies.measures(attempt)) for attempt in studies.rounds(study)[1:]} == {
        1: [ALPHA],
        2: sorted(set(world.agents) - {ALPHA}),
    }
    assert sorted(studies.measured(studies.rounds(study)[-1])) == sorted(world.agents)


def test_a_network_that_fails_the_dry_run_gets_no_cohort(world, study, monkeypatch):
    def mixes(*_):
        raise ModelRefused("model.mixes-records", "a layer mixes records of a batch")

    rehearsed.cache_clear()
    monkeypatch.setattr("training.site.trainer.preflight.check", mixes)
    opened(world, study)
    agent = world.agent(world.hospitals[ALPHA], trainer=SiteTrainer())
    with refused("model.mixes-records"):
        agent.handle(Request(kind="cohort", study=study, round=1, attempt=1, height=0))
    assert not world.hospitals[ALPHA].cohorts
    monkeypatch.undo()
    agent.handle(Request(kind="cohort", study=study, round=1, attempt=1, height=0))
    assert rehearsed.cache_info().currsize == 1


def test_a_stranger_study_is_refused(world):
    with refused("study.unknown"):
        world.ask(ALPHA, "confirm", "00000000-0000-0000-0000-00000000ffff")


def test_confirming_before_the_end_is_refused(world, study):
    with refused("chain.unfinished"):
        world.ask(ALPHA, "confirm", study)


def test_describing_says_which_code_runs(world, study):
    assert world.ask(ALPHA, "describe", study).facts == {
        "code": world.agents[ALPHA].code,
        "height": str(world.ledger.height),
    }


def test_the_hub_cannot_speak_for_a_site(world, study):
    """With the institute's keys alone no cohort, update or confirmation gets committed."""
    opened(world, study)
    place = {"study": study, "round": 1, "attempt": 1}
    for role in ("runner", "researcher", "auditor"):
        for function, arguments in (
            ("studies:Commit", {**place, "dataset": "AlphaMSP/heart", "version": 1, "root": "00" * 32,
                                "bucket": "20-49", "declined": False}),
            ("studies:Update", {**place, "update": "00" * 32}),
            ("studies:Confirm", {"study": study, "model": "00" * 32, "certificate": "00" * 32}),
        ):  # fmt: skip
            with refused("role.missing"):
                world.ledger.submit(INSTITUTE, role, function, arguments)


def test_a_site_keeps_its_own_ceiling_whatever_the_contracts_let_through(world, monkeypatch):
    monkeypatch.setattr("ledger.contracts.exposure.check", lambda account, exposure, delta: None)
    loud = {"clip": "1", "sigma": "0.1", "q": "1", "steps": 2, "delta": "0.0001", "records_per_patient": 1,
            "unit": "patient"}  # fmt: skip
    study = world.study(privacy=loud)
    opened(world, study)
    with refused("site.over-ceiling"):
        world.ask(ALPHA, "cohort", study, 1, 1)
    assert not world.hospitals[ALPHA].cohorts and not world.hospitals[ALPHA].loads
