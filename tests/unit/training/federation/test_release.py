"""A certificate says what was spent, by whom, and what that leaves out; the model is a readable safetensors file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from consent.canonical import encode
from tests.support.federation import World
from training.errors import TrainingError
from training.federation.release import Head, are_disjoint, package, safetensors, vector
from training.federation.studies import Studies
from training.privacy.accountants import pld_epsilon, rdp_epsilon
from training.privacy.events import Gaussian, PoissonSampledGaussian

HEAD = Head(41, "ab" * 32)


@pytest.fixture
def finished(tmp_path):
    world = World(tmp_path)
    world.everybody_consents()
    study = world.study()
    return world, study, world.runner().run(study)


def test_the_certificate_names_every_event_and_every_root(finished):
    world, study, model = finished
    made = json.loads(package(world.view, Studies(world.view).study(study), model, HEAD).certificate)
    privacy = made["privacy"]
    spent = [PoissonSampledGaussian(2.0, 0.2, 4), Gaussian(20.0)]
    assert [len(one) for one in privacy["mechanisms"].values()] == [3, 3]
    assert float(privacy["epsilon_rdp"]) == pytest.approx(rdp_epsilon(spent, 1e-4), abs=2e-6)
    assert float(privacy["epsilon_pld"]) == pytest.approx(pld_epsilon(spent, 1e-4), abs=2e-6)
    assert privacy["unit"] == "patient" and privacy["delta"] == "0.0001" and privacy["hospitals_disjoint"]
    roots = {site["root"] for item in made["cohorts"] for site in item["sites"].values()}
    committed = world.view.entries(f"studies/cohort/{study}/").values()
    assert roots == {entry.body["root"] for entry in committed} and len(roots) == 6
    assert made["ledger"] == {"height": 41, "header": "ab" * 32} and made["not_covered"]


@pytest.mark.parametrize("apart", [None, ("AlphaMSP", "GammaMSP")])
def test_hospitals_that_may_share_patients_compose(finished, apart):
    world, study, model = finished
    del world.ledger.state["budget/disjoint"]
    if apart is not None:  # a hospital that this study has not, and one that it has
        world.ledger.state["budget/disjoint"] = encode({"hospitals": list(apart), "proposal": "p"})
    assert are_disjoint(world.view, ("AlphaMSP",)) == (apart is not None)
    made = json.loads(package(world.view, Studies(world.view).study(study), model, HEAD).certificate)
    assert made["privacy"]["adjacency"] == "add or remove one patient, at all hospitals together"
    both = [PoissonSampledGaussian(2.0, 0.2, 8), Gaussian(20.0), Gaussian(20.0)]
    assert float(made["privacy"]["epsilon_rdp"]) == pytest.approx(rdp_epsilon(both, 1e-4), abs=2e-6)


def test_an_aborted_attempt_is_certified_too(tmp_path):
    world = World(tmp_path)
    world.everybody_consents()
    study = world.study()
    world.run("runner", "studies:Open", {"study": study, "round": 1, "attempt": 1, "kind": "training"})
    for name in world.agents:
        world.ask(name, "cohort", study, 1, 1)
    world.run("runner", "studies:Fix", {"study": study, "round": 1, "attempt": 1})
    world.ask("AlphaMSP", "train", study, 1, 1)
    world.run("runner", "studies:Abort", {"study": study, "round": 1, "attempt": 1, "reason": "hub.test"})
    model = world.runner().run(study)
    made = json.loads(package(world.view, Studies(world.view).study(study), model, HEAD).certificate)
    assert {site: len(one) for site, one in made["privacy"]["mechanisms"].items()} == {"AlphaMSP": 4, "BetaMSP": 3}


def test_the_model_file_holds_the_network_by_name(finished):
    world, study, model = finished
    made = package(world.view, Studies(world.view).study(study), model, HEAD)
    tensors = load(made.weights)
    assert {name: value.shape for name, value in tensors.items()} == {"output.weight": (1, 13), "output.bias": (1,)}
    assert np.concatenate([tensors["output.weight"].ravel(), tensors["output.bias"]]).tolist() == model.tolist()


def test_the_model_file_has_the_same_bytes_whenever_it_is_made(finished):
    world, study, model = finished
    standing = Studies(world.view).study(study)
    assert len({safetensors(model, standing) for _ in range(30)}) == 1


def test_the_weights_are_read_back_as_they_were_and_nothing_else_is_read(finished):
    world, study, model = finished
    standing = Studies(world.view).study(study)
    data = safetensors(model, standing)
    assert vector(data, standing).tolist() == model.tolist()
    for other, code in (
        (b"\x80\x04a pickle", "release.unreadable"),
        (data[:-1], "release.unreadable"),
        (save({**load(data), "more": np.zeros(1, np.float32)}), "release.shape"),
        (save({name: value.astype(np.float64) for name, value in load(data).items()}), "release.shape"),
    ):
        with pytest.raises(TrainingError) as refused:
            vector(other, standing)
        assert refused.value.code == code
