"""What comes of a study: released files, and results that have to come back to a hospital."""

from __future__ import annotations

import hashlib
import uuid
from io import BytesIO
from zipfile import ZipFile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from consent import canonical, duo
from portal.reactor import selectors as mirror
from portal.reactor.models import Record
from tests.functional.node import HOSPITALS
from tests.support.desks import HOSPITAL
from tests.support.studies import approved, run_round

pytestmark = pytest.mark.django_db


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
