"""A plan: its form, its price, what is refused before it is proposed, and what is pinned once it is."""

from __future__ import annotations

import re
import uuid

import numpy as np
import pytest
from safetensors.numpy import save

from portal.grid import hub
from portal.grid.folders import public_weights_folder
from portal.reactor import selectors as mirror
from portal.studies import plans
from portal.studies.forms import PlanForm
from tests.support.desks import HOSPITAL
from tests.support.studies import SMALL, proposed, run_round, values
from training.federation.vectors import from_bytes
from training.models import public, registry
from training.site import failure, images

pytestmark = pytest.mark.django_db


def test_a_plan_starts_from_public_weights_that_the_institute_holds(desks, tmp_path):
    slug = desks.dataset()
    desks.at("researcher")
    tensors = {"output.weight": np.full((1, 13), 0.5, np.float32), "output.bias": np.zeros(1, np.float32)}
    names = []
    for number, other in enumerate(({}, {"output.bias": np.zeros(2, np.float32)})):
        (tmp_path / f"{number}").write_bytes(save(tensors | other))
        names.append(public.keep(tmp_path / f"{number}", public_weights_folder())[0])
    study = proposed(desks, slug, public_weights=names[0])
    plan = mirror.record(f"studies/study/{study}")["plan"]
    assert plan["configuration"]["public_weights"] == names[0]
    desks.at("researcher")
    assert from_bytes(hub.blobs().get(plan["initial"])).tolist() == [0.5] * 13 + [0]
    page = desks.page("steward", f"/studies/{study}/approve/")
    assert names[0] in page and "covenant model keep FILE" in page and "weights.missing" in page
    desks.at("steward")
    copy = public_weights_folder() / f"{names[0]}.safetensors"
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(save({}))
    assert "weights.digest" in desks.page("steward", f"/studies/{study}/approve/")
    public.keep(tmp_path / "0", public_weights_folder())  # the hospital's own copy
    page = desks.page("steward", f"/studies/{study}/approve/")
    assert "Every attempt would end" not in page and "keeps its own copy of the public weights" in page
    asked = desks.permitted(slug)
    for name, words in ((names[1], "weights.names"), ("0" * 64, "choose one of the answers")):
        answers = values(study=str(uuid.uuid4()), title="X", datasets=[f"{HOSPITAL}/{slug}@1"], public_weights=name)
        page = desks.send("researcher", f"/studies/new/{asked}/", answers, status=422).content.decode()
        assert words in page


def test_the_form_starts_with_the_numbers_of_the_network_that_the_data_sets_train(desks):
    hearts = desks.dataset()
    desks.at("steward")
    file = failure.write_csvs(desks.settings.NODE.data / "records", 2)[1]  # a raw file that no other test registers
    survival = f"survival-{uuid.uuid4().hex[:8]}"
    desks.send("steward", "/catalogue/register/", {
        "file": file.name, "slug": survival, "title": "Heart failure", "permission": "DUO:0000006",
    })  # fmt: skip
    asked = desks.request(hearts, datasets=[f"{HOSPITAL}/{hearts}@1", f"{HOSPITAL}/{survival}@1"])
    for slug in (hearts, survival):
        desks.send("steward", f"/access/{asked}/{slug}/1/decide/", {"verdict": "permit", "reason": "It helps."})
    desks.at("researcher")
    for query, slug in (("", hearts), ("?network=failure-hazard", survival), ("?network=heart-fcn", hearts)):
        page = desks.page("researcher", f"/studies/new/{asked}/{query}")
        ticked = re.findall(r'value="([^"]+)"[^>]*checked', page)
        assert ticked == [f"{HOSPITAL}/{slug}@1"] and "?network=" in page
    single = desks.page("researcher", f"/studies/new/{desks.permitted(survival)}/")
    assert "?network=" not in single


def test_a_plan_over_images_that_name_no_patients_says_image_wherever_it_counts(desks):
    desks.dataset()  # the account is open
    desks.at("steward")
    slug = f"chest-{uuid.uuid4().hex[:8]}"
    file = desks.settings.NODE.data / "records" / f"{slug}.npz"
    pixels = np.random.default_rng().integers(0, 256, (60, 28, 28)).astype(np.uint8)
    images.write(file, [f"image-{place}" for place in range(60)], pixels, np.arange(60, dtype=np.uint8) % 2, "image")
    registered = {"file": file.name, "slug": slug, "title": "Chest X-rays", "permission": "DUO:0000006"}
    desks.send("steward", "/catalogue/register/", registered)
    assert mirror.record(f"catalogue/dataset/{HOSPITAL}/{slug}/1")["unit"] == "image"
    page = desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")
    assert "an image is what a study of them protects" in page and "How many images fit a purpose" in page
    chest = {name: str(value) for name, value in plans.defaults("chest-densenet").items()} | SMALL | {"quorum": "1"}
    path = f"/studies/new/{desks.permitted(slug)}/"
    form = desks.page("researcher", path)
    assert "(50-99 images)" in form and "8 was chosen for chest-densenet with features frozen" in form
    answers = values(study=str(uuid.uuid4()), title="X", datasets=[f"{HOSPITAL}/{slug}@1"], **chest)
    for frozen, warned in (("features", False), ("", True)):
        page = desks.send("researcher", path, answers | {"frozen": frozen}, status=200).content.decode()
        assert "What it costs" in page and ("This plan trains other weights at 8." in page) is warned
    study = proposed(desks, slug, **chest)
    desks.send("steward", f"/studies/{study}/approve/")
    run_round(desks, study, 1)
    page = desks.page("researcher", f"/studies/{study}/")
    assert "the unit is the image" in page and "20 images a hospital" in page and "(100-199 images)" in page


@pytest.mark.parametrize(
    ("changes", "warned"),
    [({}, False), ({"learning_rate": "4"}, False), ({"frozen": ""}, True), ({"hidden": "8"}, True)],
)
def test_a_plan_whose_learning_rate_was_chosen_for_other_weights_is_warned_of_before_it_is_proposed(changes, warned):
    tuned = registry.DESCRIPTIONS["chest-densenet"].defaults.configuration()
    asked = tuned | changes | {"hidden": int(changes.get("hidden", tuned["hidden"]))}
    words = plans.untried({"configuration": asked | {"frozen": str(changes.get("frozen", "features")).split()}})
    assert ("was chosen for chest-densenet" in words) is warned


@pytest.mark.parametrize("model", registry.DESCRIPTIONS)
def test_every_networks_numbers_fit_the_form_and_the_network(model):
    tuned = plans.defaults(model)
    form = PlanForm({name: str(value) for name, value in tuned.items()}, datasets=[], network=model)
    form.is_valid()
    assert set(form.errors) == {"study", "title", "datasets"}
    assert {name: str(tuned[name]) for name in ("hidden", "q", "clip", "rounds")} == {
        name: str(getattr(registry.DESCRIPTIONS[model].defaults, name)) for name in ("hidden", "q", "clip", "rounds")
    }
    assert tuned["frozen"].split() == list(registry.DESCRIPTIONS[model].defaults.frozen)


def test_the_price_is_shown_before_and_the_plan_is_pinned_with_its_weights_beside_it(desks):
    study = proposed(desks, desks.dataset())
    record = mirror.record(f"studies/study/{study}")
    assert record["plan_digest"] == plans.plan_digest(record["plan"])
    desks.at("researcher")
    size = 4 * registry.parameters(record["plan"]["configuration"])
    assert len(hub.blobs().get(record["plan"]["initial"])) == size
    page = desks.page("researcher", f"/studies/{study}/")
    assert "waiting for the approval of" in page and "No round has begun, so nothing is spent yet." in page


def test_a_plan_that_no_noise_keeps_within_epsilon_is_refused(desks):
    slug = desks.dataset()
    asked = desks.permitted(slug)
    answers = values(study=str(uuid.uuid4()), title="Too much", datasets=[f"{HOSPITAL}/{slug}@1"], metric_sigma="0.5")
    page = desks.send("researcher", f"/studies/new/{asked}/", answers, status=422)
    assert "calibration.unreachable" in page.content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"q": "0"}, "“Sampling rate q”: write 0.001 or more."),
        ({"q": "1.5"}, "“Sampling rate q”: write 1 or less."),
        ({"min_cohort": "5"}, "“Smallest cohort”: write 20 or more."),
        ({"quorum": "2"}, "at most 1"),
        ({"delta": "0.005"}, "studies.plan-delta"),
    ],
)
def test_a_plan_that_protects_nobody_is_refused(desks, wrong, words):
    slug = desks.dataset()
    asked = desks.permitted(slug)
    answers = values(study=str(uuid.uuid4()), title="Wrong", datasets=[f"{HOSPITAL}/{slug}@1"], **wrong)
    page = desks.send("researcher", f"/studies/new/{asked}/", {**answers, "confirm": "yes"}, status=422)
    assert words in page.content.decode()
