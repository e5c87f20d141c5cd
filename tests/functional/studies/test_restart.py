"""From an ended study's page to its restart: the price first, and nothing unless the ledger holds the withdrawal."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from portal import study_cli
from portal.grid import hub
from portal.reactor import selectors as mirror
from portal.reactor.models import Record
from tests.support.desks import HOSPITAL
from tests.support.studies import approved, run_round

pytestmark = pytest.mark.django_db
CONSENT = "ab" * 32


@pytest.fixture
def ended(desks):
    """A stopped study with one round, and a consent that stood in it and was withdrawn after."""
    study = approved(desks, desks.dataset())
    run_round(desks, study, 1)
    desks.send("researcher", f"/studies/{study}/stop/", {"reason": "sponsor.concern"})
    opened = mirror.record(f"studies/round/{study}/1/1")["opened"]
    withdrawn(opened)
    return study


def withdrawn(opened, **changes):
    body = {"commitment": CONSENT, "status": "withdrawn", "hospital": HOSPITAL, "recorded": opened - 9,
            "withdrawn": opened + 9, **changes}  # fmt: skip
    last = Record.objects.latest("block").block  # withdrawn after all that happened
    Record.objects.update_or_create(key=f"consents/{CONSENT}", defaults={"body": body, "block": last, "tx_id": "t"})


def test_the_price_is_shown_and_the_restart_is_proposed_as_a_study_of_its_own(desks, ended):
    assert f"/studies/{ended}/restart/" in desks.page("researcher", f"/studies/{ended}/")
    path, before = f"/studies/{ended}/restart/", len(mirror.items("studies/study/"))
    shown = desks.send("researcher", path, {"consents": CONSENT}, status=200).content.decode()
    assert "round 1 for the first time" in shown and "What it costs" in shown
    assert len(mirror.items("studies/study/")) == before, "nothing is sent before it is confirmed"
    answer = desks.send("researcher", path, {"consents": CONSENT, "title": "Anew", "confirm": "yes"})
    new = answer.url.strip("/").rsplit("/", 1)[1]
    plan = mirror.record(f"studies/study/{new}")["plan"]
    assert plan["restart"] == {"study": ended, "round": 1} and plan["rounds"] == 2
    assert plan["initial"] == mirror.record(f"studies/study/{ended}")["plan"]["initial"]
    assert "at its round 1" in desks.page("steward", f"/studies/{new}/approve/")


def test_of_a_restart_the_study_before_is_taken_up_where_its_kept_rounds_used_the_consent(desks, monkeypatch):
    class Everything:
        def get(self, digest):
            return b""

        def put(self, data):
            pass

    monkeypatch.setattr(hub, "blobs", Everything)
    study = approved(desks, desks.dataset())
    run_round(desks, study, 1)
    run_round(desks, study, 2)
    desks.send("researcher", f"/studies/{study}/stop/", {"reason": "sponsor.concern"})
    first = Record.objects.get(key=f"studies/round/{study}/1/1")
    first.body["opened"] -= 100  # both were opened in one second here
    first.save()
    opened = first.body["opened"]
    withdrawn(opened + 100)  # used in round 2 for the first time
    answer = desks.send("researcher", f"/studies/{study}/restart/", {"consents": CONSENT, "confirm": "yes"})
    again = answer.url.strip("/").rsplit("/", 1)[1]
    assert mirror.record(f"studies/study/{again}")["plan"]["restart"] == {"study": study, "round": 2}
    desks.send("researcher", f"/studies/{again}/stop/", {"reason": "sponsor.concern"})
    withdrawn(opened)  # in round 1, which the restart keeps
    path = f"/studies/{again}/restart/"
    shown = desks.send("researcher", path, {"consents": CONSENT}, status=200).content.decode()
    assert f"in round 1 of study {study}, which this one took up" in shown and "no round before it stays" in shown
    answer = desks.send("researcher", path, {"consents": CONSENT, "confirm": "yes"})
    plan = mirror.record(f"studies/study/{answer.url.strip('/').rsplit('/', 1)[1]}")["plan"]
    assert plan["restart"] == {"study": study, "round": 1} and plan["rounds"] == 2


@pytest.mark.parametrize(
    ("consents", "changes", "code"),
    [
        ("ab", {}, "removal.commitments"),
        ("cd" * 32, {}, "removal.unknown"),
        (CONSENT, {"withdrawn": None}, "removal.not-withdrawn"),
        (CONSENT, {"hospital": "OtherMSP"}, "removal.not-in-study"),
        (CONSENT, {"recorded": 2**31}, "removal.not-used"),
    ],
)
def test_what_cannot_be_removed_is_refused_with_its_reason(desks, ended, consents, changes, code):
    withdrawn(mirror.record(f"studies/round/{ended}/1/1")["opened"], **changes)
    answer = desks.send("researcher", f"/studies/{ended}/restart/", {"consents": consents}, status=422)
    assert code in answer.content.decode()


def test_a_checkpoint_that_is_not_kept_any_more_is_refused(desks, ended, monkeypatch):
    class Nothing:
        def get(self, digest):
            from training.federation.transport import missing

            raise missing(digest)

    monkeypatch.setattr(hub, "blobs", Nothing)
    answer = desks.send("researcher", f"/studies/{ended}/restart/", {"consents": CONSENT}, status=422)
    assert "blob.missing" in answer.content.decode()


def test_a_study_that_goes_on_is_not_restarted(desks):
    study = approved(desks, desks.dataset())
    desks.page("researcher", f"/studies/{study}/restart/", status=404)


def test_the_command_says_the_same_and_sends_only_when_told(desks, ended, monkeypatch):
    desks.at("researcher")
    monkeypatch.setattr(study_cli, "start", lambda node: None)
    asked = [ended, "--consent", CONSENT, "--node", "node.json"]
    told = CliRunner().invoke(study_cli.app, ["restart", *asked])
    assert told.exit_code == 0 and "round 1 for the first time" in told.stdout and "Proposed" not in told.stdout
    done = CliRunner().invoke(study_cli.app, ["restart", *asked, "--propose"])
    assert done.exit_code == 0 and "Proposed as" in done.stdout
