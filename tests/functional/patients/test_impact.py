"""What rests on a consent, on the page before withdrawing and on the command line, over what contracts recorded."""

from __future__ import annotations

import json
import os
import uuid

import pytest
from typer.testing import CliRunner

from consent import canonical
from consent.impact import Impact
from consent.limits import Limits
from portal import consent_cli
from portal.catalogue import manifests
from portal.patients import impact, leaving, services
from portal.patients.models import Cohort, CohortEntry, Grant
from portal.reactor import selectors as mirror
from tests.support.desks import HOSPITAL
from tests.support.studies import approved, run_round

pytestmark = pytest.mark.django_db


@pytest.fixture
def consenting(desks, new_patient):
    """An approved study of two rounds, and a patient with a record in its data set whose consent fits it."""
    slug = desks.dataset()
    study = approved(desks, slug)
    desks.at("steward")
    training = manifests.split_of(f"{HOSPITAL}/{slug}", 1).training
    patient = new_patient(records=(training[0],))
    now = services.this_month()
    grant = services.give(patient=patient, preset="heart-disease", valid_from=now, valid_until="2040-01")
    desks.follow()
    grant.refresh_from_db()
    return patient, grant, study


def entered(grant: Grant, study: str, number: int, kind: str = "training") -> None:
    """The hospital's own row of a cohort with this patient in it."""
    row = Cohort.objects.create(study=study, round=number, attempt=1, kind=kind, root=f"{number:064x}")
    CohortEntry.objects.create(cohort=row, patient=grant.patient, grant=grant, key=bytes(32))


def page(visitor, grant: Grant) -> tuple[str, Impact]:
    answer = visitor(grant.patient.account).get(f"/consent/{grant.pk}/withdraw/")
    return " ".join(answer.content.decode().split()), answer.context["impact"]


def test_a_study_that_waits_for_the_record_stops_and_nothing_needs_undoing(consenting, visitor):
    _, grant, study = consenting
    text, found = page(visitor, grant)
    assert [(one.facts.study, one.next_round, one.used) for one in found.stops] == [(study, 1, False)]
    assert "from round 1 of 2 on it is without your record" in text and "There is nothing to undo" in text
    assert found.licences == ()


def test_what_was_learned_stays_with_its_price_and_the_permission_behind_it(desks, consenting, visitor, settings):
    _, grant, study = consenting
    run_round(desks, study, 1)
    desks.follow()
    entered(grant, study, 1)
    desks.at("steward")
    text, found = page(visitor, grant)
    (one,) = found.studies
    assert (one.rounds, one.next_round, one.running, one.facts.model) == ((1,), 2, None, None)
    assert 0 < float(one.facts.epsilon) < 0.5 and found.epsilon == one.facts.epsilon
    assert f"your record helped in 1 round. Privacy used up: {one.facts.epsilon}" in text
    assert "Your stop is for all that comes." in text and "Whatever it says, no new round uses your record." in text
    plan = mirror.record(f"studies/study/{study}")["plan"]
    assert [(one.dataset, one.request, one.status) for one in found.licences] == [
        (plan["datasets"][0]["dataset"], plan["request"], "live")
    ]
    said = CliRunner().invoke(consent_cli.app, ["impact", grant.commitment, "--node", os.environ["COVENANT_NODE"]])
    assert said.exit_code == 0 and f"epsilon {one.facts.epsilon}" in said.output, said.output
    as_json = CliRunner().invoke(
        consent_cli.app, ["impact", grant.commitment, "--json", "--node", os.environ["COVENANT_NODE"]]
    )
    assert canonical.convert(json.loads(as_json.output), Impact).studies == found.studies


def test_a_round_that_was_not_released_cost_nothing(desks, consenting, visitor):
    _, grant, study = consenting
    place = {"study": study, "round": 1, "attempt": 1, "kind": "training"}
    desks.ledger.submit("runner", "studies:Open", place, "InstituteMSP")
    desks.follow()
    entered(grant, study, 1)
    desks.at("steward")
    text, found = page(visitor, grant)
    (one,) = found.studies
    assert (one.running, one.next_round, one.facts.epsilon) == (1, 2, "0")
    assert "The round that runs right now goes on." in text


def test_a_consent_that_does_not_fit_or_has_no_record_there_is_not_waited_for(desks, consenting, new_patient):
    _, grant, study = consenting
    services.withdraw(grant=grant)
    elsewhere = new_patient(records=("row of no data set",))
    now = services.this_month()
    other = services.give(patient=elsewhere, preset="heart-disease", valid_from=now, valid_until="2040-01")
    desks.follow()
    for one in (grant, other):
        one.refresh_from_db()
        assert impact.of_patient(one.patient).studies == ()


def test_one_study_is_left_and_the_consent_goes_on_for_others(desks, consenting, visitor, settings):
    patient, grant, study = consenting
    client = visitor(patient.account)
    page = client.get(f"/consent/{grant.pk}/withdraw/{study}/")
    assert "Stop using my record for" in page.content.decode() and len(page.context["impact"].studies) == 1
    answer = client.post(f"/consent/{grant.pk}/withdraw/{study}/")
    new = Grant.objects.get(replaces=grant)
    assert answer["location"] == f"/consent/{new.pk}/"
    desks.follow()
    for one in (grant, new):
        one.refresh_from_db()
    assert (grant.status, new.status, new.preset, new.valid_until) == (
        "withdrawn", "recorded", grant.preset, grant.valid_until,
    )  # fmt: skip
    assert leaving.left(new.opened().limits) == {study}
    assert impact.of_patient(patient).stops == ()
    assert client.get(f"/consent/{new.pk}/withdraw/{study}/").status_code == 404
    assert leaving.leave(grant=new, study=study) == new and Grant.objects.count() == 2
    other = approved(desks, mirror.record(f"studies/study/{study}")["plan"]["datasets"][0]["dataset"].split("/")[1])
    desks.at("steward")
    assert [one.facts.study for one in impact.of_patient(patient).stops] == [other]


def test_narrowing_keeps_the_no_to_a_study(desks, consenting):
    _, grant, study = consenting
    new = leaving.leave(grant=grant, study=study)
    desks.follow()
    less = services.narrow(grant=new, preset=new.preset, valid_until=services.this_month())
    assert leaving.left(less.opened().limits) == {study}


def test_nobody_else_leaves_a_study_for_a_patient(consenting, visitor, new_patient):
    _, grant, study = consenting
    stranger = visitor(new_patient(records=("another row",)).account)
    for path in (f"/consent/{grant.pk}/withdraw/", f"/consent/{grant.pk}/withdraw/{study}/"):
        assert (stranger.get(path).status_code, stranger.post(path).status_code) == (404, 404)
    grant.refresh_from_db()
    assert grant.stands


def test_many_studies_are_left_in_as_few_denials_as_fit():
    limits, names = Limits(), [str(uuid.UUID(int=number)) for number in range(40)]
    for name in names:
        limits = leaving.without(limits, name)
    assert leaving.left(limits) == set(names) and [len(one.studies) for one in limits.denied] == [32, 8]


def test_a_consent_of_no_patient_here_is_refused_by_name(db):
    with pytest.raises(Exception, match=r"patients\.grant-unknown"):
        impact.of_commitment("00" * 32)
