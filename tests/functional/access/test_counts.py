"""One fixed, noised answer a month; what waits is answered once, whatever is retried."""

from __future__ import annotations

import pytest

from portal.access import counts
from portal.access.models import CountAnswer
from portal.catalogue import manifests
from portal.grid.stores import Consents, RecordFiles
from portal.patients import services as patients
from portal.reactor import selectors as mirror
from tests.support.desks import HEART, HOSPITAL

pytestmark = pytest.mark.django_db
PURPOSE = {"permission": "DUO:0000007", "diseases": [HEART]}


def ask(desks, slug):
    desks.send("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/count/", PURPOSE)
    desks.page("steward", "/catalogue/")  # the hospital's own mirror notes the question


def enrol(desks, slug, count):
    desks.at("steward")
    ids = manifests.records_of(f"{HOSPITAL}/{slug}", 1).patients[:count]
    made = patients.enrol([(one,) for one in ids])
    patients.give_all([patients.Wish(one, "heart-disease", "2026-11", "2028-11") for one in made])
    desks.follow()


def answer(desks):
    desks.at("steward")
    return counts.answer_waiting(consents=Consents(), records=RecordFiles())


def note(desks, slug):
    """In one process the follower saw the question as the hub: note it as the hospital's follower does."""
    desks.at("steward")
    for key, _ in mirror.items(f"access/inquiry/{HOSPITAL}/{slug}/"):
        CountAnswer.objects.get_or_create(question=key.removeprefix("access/inquiry/"))


def test_the_exact_count_is_of_patients_whose_consent_the_gate_admits(desks):
    slug = desks.dataset()
    enrol(desks, slug, 60)
    ask(desks, slug)
    note(desks, slug)
    question = CountAnswer.objects.get().question
    assert counts.fitting(question, Consents(), RecordFiles()) == 60


def test_the_answer_is_noised_fixed_and_shown(desks):
    slug = desks.dataset()
    enrol(desks, slug, 150)
    ask(desks, slug)
    note(desks, slug)
    assert "pending" in desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")
    assert answer(desks) == 1 and answer(desks) == 0
    kept = CountAnswer.objects.get()
    assert kept.sent and abs(kept.answer - 150) < 8 * float(counts.SIGMA)
    assert f"about {kept.answer}" in desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")
    ask(desks, slug)  # asked again in the same month: nothing new
    assert answer(desks) == 0 and CountAnswer.objects.get().answer == kept.answer


def test_below_the_threshold_nothing_is_shown(desks, monkeypatch):
    monkeypatch.setattr(counts, "THRESHOLD", 10_000)
    slug = desks.dataset()
    enrol(desks, slug, 30)
    ask(desks, slug)
    note(desks, slug)
    assert answer(desks) == 1
    assert "not shown" in desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")


def test_an_answer_drawn_before_a_crash_is_the_answer_that_is_sent(desks):
    slug = desks.dataset()
    ask(desks, slug)
    note(desks, slug)
    CountAnswer.objects.update(drawn=True, answer=77)
    assert answer(desks) == 1
    assert next(iter(mirror.records("budget/count/") or [{"answer": 77}]))["answer"] == 77
