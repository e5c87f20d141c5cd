"""A patient's page tells what the rounds with their record cost, not what was spent on others; all studies compose."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import pytest

from portal.catalogue import manifests
from portal.patients import selectors, services
from portal.reactor import selectors as mirror
from tests.functional.patients.test_impact import entered
from tests.support.desks import HOSPITAL
from tests.support.studies import approved, run_round
from training.privacy.accountants import rdp_epsilon
from training.privacy.events import PoissonSampledGaussian

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_studies(desks, new_patient):
    """Two studies of two rounds over one data set; the patient is in round 1 of the first and round 2 of the second."""
    slug = desks.dataset()
    studies = [approved(desks, slug), approved(desks, slug)]
    desks.at("steward")
    patient = new_patient(records=(manifests.split_of(f"{HOSPITAL}/{slug}", 1).training[0],))
    grant = services.give(
        patient=patient, preset="heart-disease", valid_from=services.this_month(), valid_until="2040-01"
    )
    for study in studies:
        for number in (1, 2):
            run_round(desks, study, number)
    desks.follow()
    desks.at("steward")
    grant.refresh_from_db()
    entered(grant, studies[0], 1)
    entered(grant, studies[1], 2)
    return patient, studies


def cost(*studies):
    """Of one round of each, by RDP, as pages write it."""
    events = []
    for study in studies:
        privacy = mirror.record(f"studies/study/{study}")["plan"]["privacy"]
        events.append(PoissonSampledGaussian(float(privacy["sigma"]), float(privacy["q"]), privacy["steps"]))
    return str(Decimal(rdp_epsilon(events, 1e-4)).quantize(Decimal("0.001"), ROUND_CEILING))


def test_only_rounds_with_the_record_cost_the_patient(two_studies):
    patient, studies = two_studies
    found = {one.study: one for one in selectors.uses(patient)}
    assert {study: found[study].epsilon for study in studies} == {study: cost(study) for study in studies}
    assert all(len(one.rounds) == 2 and one.used == 1 for one in found.values())
    assert Decimal(found[studies[0]].epsilon) < Decimal(cost(studies[0], studies[0]))
    assert selectors.used_up([found[studies[0]]]) is None, "one study has nothing to add up"
    entered(patient.grants.get(), studies[0], 3)  # a round that released nothing
    again = {one.study: one for one in selectors.uses(patient)}
    assert again[studies[0]].epsilon == cost(studies[0])


def test_studies_together_compose_to_less_than_their_sum(two_studies, visitor):
    patient, studies = two_studies
    together = cost(*studies)
    assert Decimal(cost(studies[0])) < Decimal(together) < 2 * Decimal(cost(studies[0]))
    page = " ".join(visitor(patient.account).get("/consent/uses/").content.decode().split())
    assert f"all these studies have used up together: <strong>{together}</strong>" in page
    assert page.count(f"rounds with your record have used up here so far: <strong>{cost(studies[0])}</strong>") == 2
