"""A study from public weights: each hospital starts from its own copy of the very file, or does not start."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save

from consent.canonical import decode
from tests.support.federation import World
from training.errors import TrainingError
from training.federation.release import Head, package
from training.federation.studies import Studies
from training.federation.vectors import digest, to_bytes
from training.models import public, registry
from training.site.trainer import SiteTrainer

ALPHA, BETA = "AlphaMSP", "BetaMSP"
CONFIGURATION = {"model": "heart-fcn", "hidden": 0, "learning_rate": "2", "local_steps": 2, "features": "fed-heart-1"}
TENSORS = {"output.weight": np.full((1, 13), 0.25, np.float32), "output.bias": np.full(1, -0.5, np.float32)}


@pytest.fixture
def world(tmp_path):
    """Two hospitals that both keep the file; `world.named`: the configuration that names it."""
    made = World(tmp_path, hospitals=2, patients=24, held_out=1, trainer=SiteTrainer())
    made.everybody_consents()
    file = tmp_path / "public.safetensors"
    file.write_bytes(save(TENSORS))
    for one in made.hospitals.values():
        name, _ = public.keep(file, one.folder / "public-weights")
    made.named = CONFIGURATION | {"public_weights": name}
    return made


def begun(world, **changes):
    """A study from the public weights."""
    initial = public.weights(world.hospitals[ALPHA].folder / "public-weights", world.named)
    world.blobs.put(to_bytes(initial))
    return world.study(**{"configuration": world.named, "initial": digest(initial), **changes})


def opened(world, study):
    world.run("runner", "studies:Open", {"study": study, "round": 1, "attempt": 1, "kind": "training"})


def test_a_study_starts_from_the_file_and_its_certificate_and_card_say_so(world):
    study = begun(world)
    final = world.runner().run(study)
    studies = Studies(world.view)
    standing = studies.study(study)
    assert studies.attempt(study, 1, 1)[0].base == digest(np.append(np.full(13, 0.25), -0.5).astype(np.float32))
    made = package(world.view, standing, final, Head(41, "ab" * 32))
    told = decode(made.certificate)
    name = world.named["public_weights"]
    assert told["start"] == {"weights": standing.plan.initial, "public_weights": name}
    assert any("public weights were trained on" in words for words in told["not_covered"])
    assert f"It started from public weights, a file of SHA-256 `{name}`" in made.card.decode()
    assert set(studies.confirmations(study)) == {ALPHA, BETA}


def test_frozen_layers_stay_as_the_public_file_has_them_and_the_others_train(world):
    world.named |= {"frozen": ["output.weight"]}
    study = begun(world)
    final = world.runner().run(study)
    assert final[:13].tolist() == [0.25] * 13 and final[13] != -0.5
    standing = Studies(world.view).study(study)
    words = package(world.view, standing, final, Head(41, "ab" * 32)).card.decode()
    assert "frozen `output.weight`" in words and world.named["public_weights"] in words
    world.run("researcher", "studies:Stop", {"study": study, "reason": "test.stopped"})
    base = Studies(world.view).closed(study)[0].model
    again = world.runner().run(restarted(world, study, 2, initial=base, rounds=1))
    assert again[:13].tolist() == [0.25] * 13 and again[13] not in (-0.5, final[13])


def test_a_study_from_a_seed_says_nothing_of_public_weights(world):
    study = world.study()
    made = package(world.view, Studies(world.view).study(study), world.runner().run(study), Head(41, "ab" * 32))
    told = decode(made.certificate)
    assert told["start"]["public_weights"] is None and b"public weights" not in made.card
    assert not any("public weights" in words for words in told["not_covered"])
    assert any("a seed drew them" in words for words in told["not_covered"])


def test_no_round_goes_on_while_a_hospital_lacks_its_copy_and_the_reason_is_told(world):
    folder = world.hospitals[BETA].folder / "public-weights"
    folder.rename(folder.with_name("away"))
    study = begun(world, rounds=1, spare_attempts=1)
    with pytest.raises(TrainingError, match=r"weights\.missing"):
        world.runner().run(study)
    assert not world.hospitals[BETA].cohorts and not any(one.loads for one in world.hospitals.values())


def test_each_hospital_says_why_in_a_code(world):
    study = begun(world)
    opened(world, study)
    file = next((world.hospitals[BETA].folder / "public-weights").iterdir())
    file.write_bytes(save(TENSORS | {"output.bias": np.zeros(1, np.float32)}))
    with pytest.raises(TrainingError) as refusal:
        world.ask(BETA, "cohort", study, 1, 1)
    assert refusal.value.code == "weights.digest"
    file.unlink()
    with pytest.raises(TrainingError) as refusal:
        world.ask(BETA, "cohort", study, 1, 1)
    assert refusal.value.code == "weights.missing"
    assert not world.hospitals[BETA].cohorts


def other(world):
    """Weights that are not the file's, pinned by a plan that names the file."""
    initial = registry.initial_weights(CONFIGURATION, 7)
    world.blobs.put(to_bytes(initial))
    return world.study(configuration=world.named, initial=digest(initial))


def test_a_plan_that_names_the_file_and_starts_from_other_weights_is_refused(world):
    study = other(world)
    opened(world, study)
    with pytest.raises(TrainingError) as refusal:
        world.ask(ALPHA, "cohort", study, 1, 1)
    assert refusal.value.code == "weights.initial"


def restarted(world, study, number, **changes):
    """The ended `study` anew from its round `number`, approved by both hospitals."""
    plan = world.view.entry(f"studies/study/{study}").body["plan"] | changes
    again = "00000000-0000-0000-0000-0000000000aa"
    standing = world.run("researcher", "studies:Propose", {
        "study": again, "plan": plan | {"restart": {"study": study, "round": number}},
    })  # fmt: skip
    for one in world.hospitals.values():
        one.submit("steward", "studies:Approve", {"study": again, "plan_digest": standing["plan_digest"]})
    return again


def test_nor_does_a_restart_of_such_a_study_get_past(world):
    study = other(world)
    opened(world, study)
    world.run("researcher", "studies:Stop", {"study": study, "reason": "test.stopped"})
    again = restarted(world, study, 1)
    opened(world, again)
    with pytest.raises(TrainingError) as refusal:
        world.ask(ALPHA, "cohort", again, 1, 1)
    assert refusal.value.code == "weights.initial"


def test_a_restart_goes_on_from_a_rounds_weights_and_still_names_the_file(world):
    study = begun(world)
    world.runner().run(study)
    world.run("researcher", "studies:Stop", {"study": study, "reason": "test.stopped"})
    studies = Studies(world.view)
    base = studies.closed(study)[0].model
    again = restarted(world, study, 2, initial=base, rounds=1)
    final = world.runner().run(again)
    told = decode(package(world.view, studies.study(again), final, Head(41, "ab" * 32)).certificate)
    assert told["start"] == {"weights": base, "public_weights": world.named["public_weights"]}
    assert told["restart"]["study"] == study
