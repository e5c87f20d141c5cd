"""Exact removal over real rounds: what was withdrawn is in no round that the restarted model rests on."""

from __future__ import annotations

import pytest

from consent.canonical import decode, encode
from tests.support.federation import World
from training.errors import TrainingError
from training.federation import removal
from training.federation.release import spent
from training.federation.studies import Studies
from training.site.code import code_digest
from training.site.trainer import SiteTrainer

ALPHA = "AlphaMSP"


@pytest.fixture
def stopped(tmp_path):
    """Three rounds; one patient comes before the second and leaves before the third, which nobody was told to make."""
    world = World(tmp_path, hospitals=2, patients=24, held_out=1, trainer=SiteTrainer())
    world.everybody_consents()
    alpha = world.hospitals[ALPHA]
    late = next(made for made in alpha.grants.values() if made.patient not in alpha.held_out)
    first = next(made for made in alpha.grants.values() if made.patient not in alpha.held_out | {late.patient})
    alpha.withdraw(late)
    study, new = world.study(rounds=3), []

    def before(number):
        world.now += 60
        if number == 2:
            new.append(alpha.grant(late.patient))
            world.now += 60
        if number == 3:
            alpha.withdraw(new[0])
            raise TrainingError("test.held", "no third round")

    with pytest.raises(TrainingError, match=r"test\.held"):
        world.runner(before=before).run(study)
    world.run("researcher", "studies:Stop", {"study": study, "reason": "test.stopped"})
    return world, study, new[0], first


def restarted(world, taken, found, name="00000000-0000-0000-0000-0000000000aa"):
    """The study `taken` anew from its checkpoint `found`, approved by both hospitals."""
    standing = world.view.entry(f"studies/study/{taken.study}").body
    rounds = standing["plan"]["rounds"] - found.round + 1
    restart = {"study": taken.study, "round": found.round}
    plan = standing["plan"] | {"initial": found.base, "rounds": rounds, "restart": restart, "code": code_digest()}
    proposed = world.run("researcher", "studies:Propose", {"study": name, "plan": plan})
    for one in world.hospitals.values():
        one.submit("steward", "studies:Approve", {"study": name, "plan_digest": proposed["plan_digest"]})
    return name


def test_the_checkpoint_stands_before_the_first_round_that_can_have_used_it(stopped):
    world, study, gone, _ = stopped
    studies = Studies(world.view)
    _, found = removal.checkpoint(world.view, studies.study(study), [gone.commitment])
    assert found.round == 2 and found.base == studies.last(study, 1).model
    used = [at.round for at, cohort in world.hospitals[ALPHA].cohorts.items() if gone.patient in patients(cohort)]
    assert used == [2], "the patient's own hospital knows the same"


def test_the_model_that_was_trained_again_never_saw_it_and_its_certificate_counts_all(stopped):
    world, study, gone, _ = stopped
    studies = Studies(world.view)
    taken, found = removal.checkpoint(world.view, studies.study(study), [gone.commitment])
    new = restarted(world, taken, found)
    model = world.runner().run(new)
    cohorts = world.hospitals[ALPHA].cohorts
    rests_on = [one for at, one in cohorts.items() if at.study == new or (at.study == study and at.round < found.round)]
    assert len(rests_on) == 3 and all(gone.patient not in patients(one) for one in rests_on)
    told = decode(world.certify(studies.study(new), model))
    assert told["restart"]["study"] == study and told["restart"]["round"] == 2
    assert [one["round"] for one in told["restart"]["cohorts"]] == [1]
    assert {site: len(events) for site, events in spent(studies, studies.study(new)).items()} == {
        ALPHA: 4, "BetaMSP": 4,
    }  # fmt: skip


def test_several_are_removed_at_the_earliest_of_their_first_rounds(stopped):
    world, study, gone, first = stopped
    standing = Studies(world.view).study(study)
    with pytest.raises(TrainingError, match=r"removal\.not-withdrawn"):
        removal.checkpoint(world.view, standing, [gone.commitment, first.commitment])
    world.hospitals[ALPHA].withdraw(first)
    _, found = removal.checkpoint(world.view, standing, [gone.commitment, first.commitment])
    assert found.round == 1 and found.base == standing.plan.initial


def test_who_was_in_a_round_that_a_restart_keeps_is_removed_there_and_not_from_the_restart_on(stopped):
    world, study, gone, first = stopped
    studies, alpha = Studies(world.view), world.hospitals[ALPHA]
    again = restarted(world, *removal.checkpoint(world.view, studies.study(study), [gone.commitment]))
    world.now += 60
    later = alpha.grant(gone.patient)
    world.now += 60
    world.runner().run(again)
    world.now += 60
    alpha.withdraw(later)
    taken, found = removal.checkpoint(world.view, studies.study(again), [later.commitment])
    assert (taken.study, found.round, found.base) == (again, 1, studies.last(study, 1).model)
    alpha.withdraw(first)  # was in round 1 of the first study, which the restart keeps
    taken, found = removal.checkpoint(world.view, studies.study(again), [later.commitment, first.commitment])
    assert (taken.study, found.round, found.base) == (study, 1, studies.study(study).plan.initial)
    world.now += 60
    anew = restarted(world, taken, found, "00000000-0000-0000-0000-0000000000bb")
    world.runner().run(anew)
    with pytest.raises(TrainingError, match=r"removal\.not-used"):
        removal.checkpoint(world.view, studies.study(anew), [later.commitment, first.commitment])
    seen = [one for at, one in alpha.cohorts.items() if at.study == anew]
    assert len(seen) == 3 and not {gone.patient, first.patient} & {name for one in seen for name in patients(one)}


def test_the_very_seconds_of_the_recording_and_of_the_withdrawal_count(stopped, monkeypatch):
    world, study, gone, _ = stopped
    studies, key = Studies(world.view), f"consents/{gone.commitment}"
    opened, body = studies.last(study, 2).opened, world.view.entry(key).body
    late = removal.APART
    for times, number in (((0, -late), 2), ((1, 1), None), ((-1, -late - 1), None)):
        stood = {"recorded": opened + times[0], "withdrawn": opened + times[1]}
        monkeypatch.setitem(world.ledger.state, key, encode({**body, **stood}))
        before = studies.study(study)
        place = removal.first_use(world.view, before, removal.attempts(studies, before), gone.commitment)
        assert (None if place is None else studies.rounds(study)[place].round) == number


def test_a_withdrawal_whose_clock_is_behind_the_rounds_is_no_reason_to_call_a_consent_unused(tmp_path):
    world = World(tmp_path, hospitals=2, patients=24, held_out=1)
    world.everybody_consents()
    alpha, studies, study = world.hospitals[ALPHA], Studies(world.view), world.study(rounds=2)
    gone = next(made for made in alpha.grants.values() if made.patient not in alpha.held_out)

    def before(number):
        world.now += 290 if number == 1 else -580  # the hub's clock is ahead, the patient's hospital behind
        if number == 2:
            alpha.withdraw(gone)
            raise TrainingError("test.held", "no second round")

    with pytest.raises(TrainingError, match=r"test\.held"):
        world.runner(before=before).run(study)
    body = world.view.entry(f"consents/{gone.commitment}").body
    assert body["withdrawn"] < studies.last(study, 1).opened
    assert any(member.patient == gone.patient for cohort in alpha.cohorts.values() for member in cohort.members)
    _, found = removal.checkpoint(world.view, studies.study(study), [gone.commitment])
    assert found.round == 1


def test_rounds_that_were_opened_soon_after_a_withdrawal_are_known_by_their_blocks_not_to_have_used_it(stopped):
    world, study, gone, _ = stopped
    studies = Studies(world.view)
    new = restarted(world, *removal.checkpoint(world.view, studies.study(study), [gone.commitment]))
    world.runner().run(new)
    withdrawn = world.view.entry(f"consents/{gone.commitment}").body["withdrawn"]
    assert all(item.opened < withdrawn + removal.APART for item in studies.rounds(new))
    with pytest.raises(TrainingError, match=r"removal\.not-used"):
        removal.checkpoint(world.view, studies.study(new), [gone.commitment])


def test_a_round_that_its_hospital_sat_out_and_an_evaluation_use_no_consent(stopped, monkeypatch):
    world, study, gone, _ = stopped
    studies, standing = Studies(world.view), Studies(world.view).study(study)
    used = studies.last(study, 2)
    for key, changes in (
        (f"studies/cohort/{study}/2/1/{ALPHA}", {"declined": True, "root": None, "bucket": None}),
        (f"studies/round/{study}/2/{used.attempt}", {"kind": "evaluation"}),
    ):
        with monkeypatch.context() as patched:
            patched.setitem(world.ledger.state, key, encode({**world.view.entry(key).body, **changes}))
            with pytest.raises(TrainingError, match=r"removal\.not-used"):
                removal.checkpoint(world.view, standing, [gone.commitment])
    elsewhere = {**world.view.entry(f"consents/{gone.commitment}").body, "hospital": "GammaMSP"}
    monkeypatch.setitem(world.ledger.state, f"consents/{gone.commitment}", encode(elsewhere))
    with pytest.raises(TrainingError, match=r"removal\.not-in-study"):
        removal.checkpoint(world.view, standing, [gone.commitment])


def test_what_was_never_used_or_is_not_there_is_refused(stopped):
    world, study, _, _ = stopped
    standing, alpha = Studies(world.view).study(study), world.hospitals[ALPHA]
    unused = alpha.grant(next(iter(alpha.features)))
    world.now += 60
    alpha.withdraw(unused)
    for commitment, code in ((unused.commitment, "removal.not-used"), ("ab" * 32, "removal.unknown")):
        with pytest.raises(TrainingError) as refusal:
            removal.checkpoint(world.view, standing, [commitment])
        assert refusal.value.code == code


def patients(cohort):
    return {member.patient for member in cohort.members}
