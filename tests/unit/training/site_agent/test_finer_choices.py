"""What finer choices and a newer text do to a site's cohorts: the site reads study, day and data for itself."""

from __future__ import annotations

import pytest

from consent.limits import Denial, Limits
from consent.occasion import Occasion
from tests.support.federation import TEXT, World
from training.federation.studies import Studies
from training.site.stores import TRAINING, Attempt

ALPHA = "AlphaMSP"


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.everybody_consents()
    return made


def cohort(world, study):
    world.run("runner", "studies:Open", {"study": study, "round": 1, "attempt": 1, "kind": TRAINING})
    world.ask(ALPHA, "cohort", study, 1, 1)
    frozen = world.hospitals[ALPHA].cohorts.get(Attempt(study, 1, 1, TRAINING))
    return {member.patient for member in frozen.members} if frozen else set()


def test_a_site_knows_when_it_agreed_and_what_its_data_set_holds(world):
    study = world.study()
    approval = world.view.entry(f"studies/approval/{study}/{ALPHA}").body
    found = Studies(world.view).occasion(Studies(world.view).study(study), ALPHA)
    assert found == Occasion(study, approval["approved"], ("diagnoses", "measurements"))


@pytest.mark.parametrize(
    ("limits", "admitted"),
    [
        (lambda study: Limits(studies=(study,)), True),
        (lambda study: Limits(studies=()), False),
        (lambda study: Limits(denied=(Denial(studies=(study,)),)), False),
        (lambda study: Limits(categories=("diagnoses", "measurements")), True),
        (lambda study: Limits(categories=("diagnoses", "images")), False),
    ],
)
def test_a_list_of_studies_or_data_decides_at_the_gate(world, limits, admitted):
    study, hospital = world.study(), world.hospitals[ALPHA]
    everybody = set(hospital.patients(hospital.dataset, 1, TRAINING))
    chosen = min(everybody)
    for made in [one for one in hospital.grants.values() if one.patient == chosen]:
        hospital.withdraw(made)
    hospital.grant(chosen, limits=limits(study))
    assert cohort(world, study) == (everybody if admitted else everybody - {chosen})


def test_a_newer_text_leaves_running_studies_their_patients_and_new_ones_none(world):
    running = world.study(1)
    world.now += 10
    arguments = {"text": "heart-2027.1", "digests": {"en": "00" * 32}, "presets": ["heart-disease"], "supersedes": TEXT}
    next(iter(world.hospitals.values())).submit("steward", "consents:PublishText", arguments)
    world.now += 10
    later = world.study(2)
    assert cohort(world, running) and not cohort(world, later)
