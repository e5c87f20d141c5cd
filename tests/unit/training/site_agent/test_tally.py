"""What became of a data set's records is told at the hospital, exactly, and nowhere else."""

from __future__ import annotations

from tests.support.federation import World
from training.site.attempts import FileAttempts
from training.site.stores import Attempt, Tally

ALPHA, REASON, COUNT = "AlphaMSP", "data.canary-reason", 987_654_321


def test_used_excluded_and_failed_are_noted_and_no_message_ledger_or_blob_holds_them(tmp_path):
    world = World(tmp_path)
    world.everybody_consents()
    hospital, sent = world.hospitals[ALPHA], []
    hospital.failures[REASON] = COUNT
    training = [made for made in hospital.grants.values() if made.patient not in hospital.held_out]
    for made in training[:6]:
        hospital.withdraw(made)
    connected = world.wire

    def wire(name):
        deliver = connected(name)

        def delivered(data):
            sent.append(deliver(data))
            return sent[-1]

        return delivered

    world.wire = wire
    study = world.study()
    world.runner().run(study)
    failed = {REASON: COUNT}
    assert world.agents[ALPHA].attempts.tallies(study) == {
        Attempt(study, 1, 1, "training"): Tally(24, 6, failed),
        Attempt(study, 2, 1, "training"): Tally(24, 6, failed),
        Attempt(study, 3, 1, "evaluation"): Tally(24, 0, failed),
    }
    assert len(sent) > 6
    outside = [*sent, *world.ledger.state.values(), *map(repr, world.ledger.state), repr(vars(world.blobs))]
    for part in outside:
        said = part if isinstance(part, bytes) else part.encode()
        assert b"canary" not in said and str(COUNT).encode() not in said and COUNT.to_bytes(4, "little") not in said


def test_a_hospital_that_declines_still_knows_why(tmp_path):
    world = World(tmp_path)
    world.everybody_consents()
    hospital = world.hospitals[ALPHA]
    training = [made for made in hospital.grants.values() if made.patient not in hospital.held_out]
    for made in training[:15]:
        hospital.withdraw(made)
    study = world.study()
    world.runner().run(study)
    told = world.agents[ALPHA].attempts.tallies(study)
    assert told[Attempt(study, 1, 1, "training")] == Tally(15, 15, {})


def test_a_tally_does_not_begin_an_attempt_and_the_last_one_stands(tmp_path):
    store, attempt = (
        FileAttempts(tmp_path / "attempts"),
        Attempt("00000000-0000-0000-0000-000000000001", 1, 1, "training"),
    )
    for used in (21, 22):
        store.note(attempt, Tally(used, 1, {}))
    assert store.tallies(attempt.study) == {attempt: Tally(22, 1, {})} and store.start(attempt)
    assert not store.tallies("00000000-0000-0000-0000-000000000002")
    kept = [*(tmp_path / "attempts").rglob("*")]
    assert kept and [path for path in kept if path.stat().st_mode & 0o077] == []
