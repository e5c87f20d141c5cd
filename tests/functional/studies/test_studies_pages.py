"""From a plan with its price to results: what each desk sees is what the contracts recorded."""

from __future__ import annotations

import hashlib
import re
import uuid
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from safetensors.numpy import save

from consent import canonical, duo
from portal.catalogue import manifests
from portal.grid import hub
from portal.grid.folders import attempts_folder, public_weights_folder
from portal.grid.models import State, StudyRun
from portal.grid.stores import RecordFiles
from portal.reactor import selectors as mirror
from portal.reactor.models import Record
from portal.studies import departures, plans, progress
from portal.studies.forms import PlanForm
from tests.functional.node import HOSPITALS
from tests.support.desks import HOSPITAL, INSTITUTE
from training.federation.vectors import from_bytes
from training.models import public, registry
from training.site import failure, images
from training.site.attempts import FileAttempts
from training.site.stores import Attempt, Tally

pytestmark = pytest.mark.django_db
SMALL = {"epsilon": "0.5", "rounds": "2", "spare_attempts": "1", "metric_sigma": "60"}


def values(**changed):
    """A plan's form as the browser would send it back."""
    return {**{name: str(value) for name, value in plans.defaults().items()}, **SMALL, "quorum": "1", **changed}


def proposed(desks, slug, **changed):
    """A proposed study; returns its id."""
    asked = desks.permitted(slug)
    study = str(uuid.uuid4())
    answers = values(study=study, title="Who needs an angiography?", datasets=[f"{HOSPITAL}/{slug}@1"], **changed)
    page = desks.send("researcher", f"/studies/new/{asked}/", answers, status=200).content.decode()
    assert "What it costs" in page and mirror.record(f"studies/study/{study}") is None
    desks.send("researcher", f"/studies/new/{asked}/", {**answers, "confirm": "yes"})
    return study


def approved(desks, slug):
    study = proposed(desks, slug)
    desks.send("steward", f"/studies/{study}/approve/")
    return study


def run_round(desks, study, number, kind="training"):
    """One attempt, as the runner and the site would: returns nothing; every step is the contracts' own."""
    place = {"study": study, "round": number, "attempt": 1}
    plan = mirror.record(f"studies/study/{study}")["plan"]
    source = plan["datasets"][0]
    root = hashlib.sha256(f"{study}{number}".encode()).hexdigest()
    cohort = {"dataset": source["dataset"], "version": 1, "root": root, "bucket": "100-199", "declined": False}
    desks.ledger.submit("runner", "studies:Open", {**place, "kind": kind}, INSTITUTE)
    desks.ledger.submit("site", "studies:Commit", {**place, **cohort})
    desks.ledger.submit("runner", "studies:Fix", place, INSTITUTE)
    if kind == "training":
        desks.ledger.submit("site", "studies:Update", {**place, "update": root})
        desks.ledger.submit("runner", "studies:Close", {**place, "model": root}, INSTITUTE)
    else:
        desks.ledger.submit("site", "studies:Measure", {**place, "correct": 78, "total": 101})
        desks.ledger.submit("runner", "studies:Close", {**place, "model": None}, INSTITUTE)


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


def test_approving_shows_the_accounts_figures_and_reserves(desks):
    study = proposed(desks, desks.dataset())
    page = desks.page("steward", f"/studies/{study}/approve/")
    assert "Its patients before" in page and mirror.record(f"studies/study/{study}")["plan_digest"] in page
    desks.send("steward", f"/studies/{study}/approve/")
    assert mirror.record(f"studies/study/{study}")["status"] == "approved"
    assert "Who needs an angiography?" in desks.page("steward", "/studies/budget/")
    desks.page("steward", f"/studies/{study}/approve/", status=404)


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


def test_no_file_is_handed_out_that_the_ledger_does_not_name(desks):
    study = approved(desks, desks.dataset())
    desks.at("researcher")
    folder = desks.settings.NODE.data / "studies" / study
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"not released")
    desks.page("researcher", f"/studies/{study}/model/", status=404)


def test_a_released_model_comes_with_certificate_and_card_as_they_were_signed(desks):
    study = approved(desks, desks.dataset())
    desks.at("researcher")
    card, weights = b"# Model card", b"weights"
    digests = {"card": hashlib.sha256(card).hexdigest(), "weights": hashlib.sha256(weights).hexdigest()}
    certificate = canonical.encode({**digests, "study": study, "ledger": {"height": 1, "header": "00"}})
    folder = desks.settings.NODE.data / "studies" / study
    folder.mkdir(parents=True)
    files = {"model.safetensors": weights, "certificate.json": certificate, "model-card.md": card}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    released = {"weights": digests["weights"], "certificate": hashlib.sha256(certificate).hexdigest()}
    Record.objects.create(key=f"studies/release/{study}", body=released, block=1, tx_id="")
    standing = Record.objects.get(key=f"studies/study/{study}")
    standing.body["status"] = "released"
    standing.save()

    page = desks.page("researcher", f"/studies/{study}/")
    for name in ("model", "certificate", "card", "bundle"):
        assert f'href="/studies/{study}/{name}/"' in page
    assert "covenant model verify" in page
    given = desks.at("researcher").get(f"/studies/{study}/bundle/")
    with ZipFile(BytesIO(given.getvalue())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files

    (folder / "model-card.md").write_bytes(b"# A better model card")
    for name, status in (("card", 404), ("bundle", 404), ("certificate", 200), ("model", 200)):
        assert desks.at("researcher").get(f"/studies/{study}/{name}/").status_code == status


@pytest.mark.parametrize(
    ("role", "path"),
    [("steward", "start/"), ("auditor", "start/"), ("researcher", "approve/"), ("patient", ""), ("auditor", "stop/")],
)
def test_nobody_does_what_is_not_theirs(desks, role, path):
    study = approved(desks, desks.dataset())
    desks.page(role, f"/studies/{study}/{path}", status=404)


def test_results_that_are_overdue_are_named_to_who_owes_them_and_to_who_decides(desks, monkeypatch):
    slug = desks.dataset(modifiers=[duo.RTN])
    study = approved(desks, slug)
    run_round(desks, study, 1)
    desks.send("researcher", f"/studies/{study}/stop/", {"reason": "sponsor.concern"})
    request = mirror.record(f"studies/study/{study}")["plan"]["request"]
    seen = (("researcher", "/access/"), ("researcher", "/access/new/"), ("steward", f"/access/{request}/{slug}/1/"))
    until = mirror.record(f"access/request/{request}")["until"]
    monkeypatch.setattr("portal.access.selectors.today", lambda: until)
    assert not any("overdue" in desks.page(*where) for where in seen)
    monkeypatch.setattr("portal.access.selectors.today", lambda: "9999-12-31")
    words = f"owed to {HOSPITAL} until {until}."  # of other tests' studies too: they share this ledger
    before = [desks.page(*where).count(words) for where in seen]
    assert all(before)
    desks.send(
        "steward", f"/studies/{study}/results/", {"results": SimpleUploadedFile("results.zip", b"what came back")}
    )
    assert [desks.page(*where).count(words) for where in seen] == [count - 1 for count in before]


def test_results_that_a_vote_waived_are_owed_no_more(desks):
    study = approved(desks, desks.dataset(modifiers=[duo.RTN]))
    run_round(desks, study, 1)
    desks.send("researcher", f"/studies/{study}/stop/", {"reason": "sponsor.concern"})
    proposal = {"proposal": str(uuid.uuid4())}
    asked = proposal | {"kind": "waive-return", "days": "7"}
    nothing = desks.send("steward", "/governance/propose/", asked, status=422)
    assert "Choose the results that need not come back." in nothing.content.decode()
    desks.send("steward", "/governance/propose/", asked | {"waived": f"{study}@{HOSPITAL}"})
    page = desks.page("steward", f"/governance/{proposal['proposal']}/")
    title = mirror.record(f"studies/study/{study}")["plan"]["title"]
    assert f"Let the study {title} ({study}) go without returning its results to {HOSPITAL}." in page
    made = mirror.record(f"governance/proposal/{proposal['proposal']}")
    for msp in HOSPITALS[:3]:
        desks.ledger.submit("steward", "governance:Vote", {**proposal, "digest": made["digest"], "choice": "yes"}, msp)
    desks.send("steward", f"/governance/{proposal['proposal']}/execute/")
    assert f'href="/studies/{study}/results/"' not in desks.page("steward", "/desk/")
    assert "waits for them" not in desks.page("researcher", f"/studies/{study}/")
    desks.send("researcher", f"/studies/{study}/close/")
    desks.follow()
    assert f"{study}@{HOSPITAL}" not in desks.page("steward", "/governance/propose/")


def test_results_that_have_to_come_back_hold_the_close_out_up(desks):
    study = approved(desks, desks.dataset(modifiers=[duo.RTN]))
    run_round(desks, study, 1)
    page = desks.page("researcher", f"/studies/{study}/")
    assert "Results that go back" not in page and "Close the study out" not in page
    desks.send("researcher", f"/studies/{study}/stop/", {"reason": "sponsor.concern"})
    assert "waits for them" in desks.page("researcher", f"/studies/{study}/")
    refused = desks.send("researcher", f"/studies/{study}/close/", status=422)
    assert "studies.return-owed" in refused.content.decode()
    address = f"/studies/{study}/results/"
    assert f'href="{address}"' in desks.page("steward", "/desk/")
    desks.send("steward", address, status=422)  # no file
    desks.send("steward", address, {"results": SimpleUploadedFile("results.zip", b"what came back")})
    named = mirror.record(f"studies/return/{study}/{HOSPITAL}")["results"]
    assert named == hashlib.sha256(b"what came back").hexdigest()
    assert f'href="{address}"' not in desks.page("steward", "/desk/")
    desks.page("steward", address, status=404)
    desks.send("researcher", f"/studies/{study}/close/")
    assert "Closed out" in desks.page("steward", f"/studies/{study}/")
    desks.page("researcher", f"/studies/{study}/close/", status=404)
