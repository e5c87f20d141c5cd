"""What finer choices and a newer text do to a site's cohorts: the site reads study, day and data for itself."""

from __future__ import annotations

import pytest

from consent import duo
from consent.limits import Denial, Limits
from consent.occasion import Occasion
from consent.terms import Condition
from tests.support.federated_hospital import INSTITUTE, TEXT
from tests.support.federation import World
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
    chosen = chooses(hospital, limits(study))
    assert cohort(world, study) == (everybody if admitted else everybody - {chosen})


def chooses(hospital, limits):
    """One patient, who says so instead of a plain yes."""
    chosen = min(hospital.patients(hospital.dataset, 1, TRAINING))
    for made in [one for one in hospital.grants.values() if one.patient == chosen]:
        hospital.withdraw(made)
    hospital.grant(chosen, limits=limits)
    return chosen


HERE = Limits(conditions=(Condition(term=duo.GS, values=("US",)),))  # where every member of this world sits
NO_COMPANY = Limits(conditions=(Condition(term=duo.NPU),))


@pytest.mark.parametrize(
    ("limits", "moved", "admitted"),
    [
        (HERE, {}, True),
        (HERE, {INSTITUTE: {"country": "DE"}}, False),
        (HERE, {INSTITUTE: {"country": None}}, False),
        (HERE, {ALPHA: {"country": None}}, False),
        (HERE, {"BetaMSP": {"country": "DE"}}, True),  # it learns beside; who asks, and where the record is, count
        (HERE, {INSTITUTE: {"sector": "commercial"}}, True),
        (NO_COMPANY, {}, True),
        (NO_COMPANY, {INSTITUTE: {"sector": "commercial"}}, False),
        (NO_COMPANY, {INSTITUTE: {"sector": None}}, False),
        (NO_COMPANY, {INSTITUTE: {"country": "DE"}}, True),
    ],
)
def test_where_and_for_whom_is_held_against_what_the_members_hold_when_the_round_opens(world, limits, moved, admitted):
    study, hospital = world.study(), world.hospitals[ALPHA]
    everybody = set(hospital.patients(hospital.dataset, 1, TRAINING))
    chosen = chooses(hospital, limits)
    for msp, seat in moved.items():
        world.move(msp, **seat)
    assert cohort(world, study) == (everybody if admitted else everybody - {chosen})


def test_whoever_asks_and_works_elsewhere_too_is_elsewhere_for_patients_who_say_only_here(world):
    study, hospital = world.study(countries=("FR", "US")), world.hospitals[ALPHA]
    everybody = set(hospital.patients(hospital.dataset, 1, TRAINING))
    chosen = chooses(hospital, HERE)
    assert cohort(world, study) == everybody - {chosen}


def test_a_newer_text_leaves_running_studies_their_patients_and_new_ones_none(world):
    running = world.study(1)
    world.now += 10
    arguments = {"text": "heart-2027.1", "digests": {"en": "00" * 32}, "presets": ["heart-disease"], "supersedes": TEXT}
    next(iter(world.hospitals.values())).submit("steward", "consents:PublishText", arguments)
    world.now += 10
    later = world.study(2)
    assert cohort(world, running) and not cohort(world, later)
