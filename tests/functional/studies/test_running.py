"""A study from its approval to its end: what each desk sees is what the contracts recorded."""

from __future__ import annotations

import pytest

from portal.catalogue import manifests
from portal.grid.folders import attempts_folder
from portal.grid.models import State, StudyRun
from portal.grid.stores import RecordFiles
from portal.reactor import selectors as mirror
from portal.studies import departures, progress
from tests.support.desks import HOSPITAL
from tests.support.studies import approved, proposed, run_round
from training.site.attempts import FileAttempts
from training.site.stores import Attempt, Tally

pytestmark = pytest.mark.django_db


def test_approving_shows_the_accounts_figures_and_reserves(desks):
    study = proposed(desks, desks.dataset())
    page = desks.page("steward", f"/studies/{study}/approve/")
    assert "Its patients before" in page and mirror.record(f"studies/study/{study}")["plan_digest"] in page
    desks.send("steward", f"/studies/{study}/approve/")
    assert mirror.record(f"studies/study/{study}")["status"] == "approved"
    assert "Who needs an angiography?" in desks.page("steward", "/studies/budget/")
    desks.page("steward", f"/studies/{study}/approve/", status=404)


def test_a_study_page_follows_the_rounds_and_shows_the_noised_result(desks):
    study = approved(desks, desks.dataset())
    run_round(desks, study, 1)
    assert "1 of 2 training rounds closed" in desks.page("researcher", "/studies/")
    run_round(desks, study, 2)
    page = desks.page("researcher", f"/studies/{study}/")
    assert "2 of 2 training rounds closed" in page and "<svg" in page and "(100-199 patients)" in page
    assert "No round has begun" not in page
    run_round(desks, study, 3, "evaluation")
    page = desks.page("researcher", f"/studies/{study}/")
    assert "77.2 %" in page and "standard deviation 84.9" in page
    found = progress.of(mirror.record(f"studies/study/{study}"))
    assert [one.label for one in found.attempts] == ["1", "2", "test"]
    assert 0 < found.attempts[0].epsilon < found.attempts[2].epsilon <= found.planned <= 0.5
    left = desks.page("steward", "/studies/left/")
    assert "78 right of 101" in left and ">noised update<" in left
    own = [one for one in departures.of(HOSPITAL).results if one.study == study]  # other tests share this ledger
    assert [one.what for one in own].count("noised update") == 2


def test_what_became_of_the_records_stands_on_the_stewards_page_and_on_no_other(desks):
    slug = desks.dataset()
    study = approved(desks, slug)
    desks.at("steward")
    tally = Tally(73, 17, {"data.no-pixels": 4321})
    FileAttempts(attempts_folder()).note(Attempt(study, 1, 1, "training"), tally)
    assert [one.tally for one in departures.of(HOSPITAL).stayed if one.study == study] == [tally]
    page = desks.page("steward", "/studies/left/")
    assert ">73</td>" in page and ">17</td>" in page and "4321 data.no-pixels" in page
    for role in ("steward", "researcher", "auditor"):
        assert "4321" not in desks.page(role, f"/studies/{study}/")


def test_records_that_failed_or_belong_to_nobody_are_counted_by_reason(desks):
    slug = desks.dataset()
    desks.at("steward")
    name = f"{HOSPITAL}/{slug}"
    unowned = RecordFiles().failed(name, 1)["site.not-enrolled"]
    assert 0 < unowned <= len(manifests.records_of(name, 1).people)
    report = manifests.path(manifests.find(name, 1).file).with_suffix(".report.json")
    report.write_text('{"failed": {"a.dcm": "data.empty", "b.dcm": "data.empty", "c.dcm": "data.no-pixels"}}')
    assert RecordFiles().failed(name, 1) == {"data.empty": 2, "data.no-pixels": 1, "site.not-enrolled": unowned}
    report.write_text("{")
    assert RecordFiles().failed(name, 1)["data.report-unreadable"] == 1


def test_the_live_part_is_the_part_of_the_same_page(desks):
    study = approved(desks, desks.dataset())
    client = desks.at("researcher")
    part = client.get(f"/studies/{study}/", headers={"HX-Request": "true", "HX-Target": "live"}).content.decode()
    assert part.lstrip().startswith("<section") and "<html" not in part and 'hx-trigger="every 2s"' in part


def test_a_study_that_its_worker_was_asked_for_is_not_offered_to_be_started_again(desks):
    study = approved(desks, desks.dataset())
    assert "Start the study" in desks.page("researcher", f"/studies/{study}/")
    StudyRun.objects.create(study=study)
    page = desks.page("researcher", f"/studies/{study}/")
    assert "the first round opens in a moment" in page and "Start the study" not in page
    StudyRun.objects.update(state=State.FAILED, reason="hub.failed", message="the study stopped")
    page = desks.page("researcher", f"/studies/{study}/")
    assert "the first round opens in a moment" not in page and "Start the study" in page


def test_a_paused_hospital_says_so_and_takes_part_again(desks):
    desks.dataset()
    desks.send("steward", "/studies/pause/")
    assert "commits no new cohort" in desks.page("steward", "/studies/pause/")
    desks.send("steward", "/studies/pause/")
    assert "takes part in the studies" in desks.page("steward", "/studies/pause/")


def test_a_stopped_study_gives_back_what_it_did_not_spend(desks):
    study = approved(desks, desks.dataset())
    desks.send("researcher", f"/studies/{study}/stop/", {"reason": "sponsor.concern"})
    desks.send("steward", f"/studies/{study}/settle/")
    assert mirror.record(f"budget/reservation/{HOSPITAL}/{study}")["status"] == "released"
    desks.page("steward", f"/studies/{study}/settle/", status=404)


@pytest.mark.parametrize(
    ("role", "path"),
    [("steward", "start/"), ("auditor", "start/"), ("researcher", "approve/"), ("patient", ""), ("auditor", "stop/")],
)
def test_nobody_does_what_is_not_theirs(desks, role, path):
    study = approved(desks, desks.dataset())
    desks.page(role, f"/studies/{study}/{path}", status=404)
