"""One fixed, noised answer a month; what waits is answered once, whatever is retried."""

from __future__ import annotations

from itertools import islice, product

import pytest

from consent.diseases import DISEASES
from ledger.contracts.constitution import COUNTS_PER_MONTH
from portal.access import counts
from portal.access.models import CountAnswer
from portal.catalogue import manifests
from portal.catalogue.models import Source
from portal.grid.stores import Consents, RecordFiles
from portal.patients import services as patients
from portal.reactor import selectors as mirror
from tests.support.desks import HEART, HOSPITAL

pytestmark = pytest.mark.django_db
PURPOSE = {"permission": "DUO:0000007", "diseases": [HEART]}


def ask(desks, slug):
    desks.send("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/count/", PURPOSE)
    note(desks, slug)


def note(desks, slug):
    desks.at("steward")
    for key, _ in mirror.items(f"access/inquiry/{HOSPITAL}/{slug}/"):  # as the hospital's own follower notes it
        CountAnswer.objects.get_or_create(question=key.removeprefix("access/inquiry/"))


def enrol(desks, slug, count):
    desks.at("steward")
    ids = manifests.records_of(f"{HOSPITAL}/{slug}", 1).patients[:count]
    made = patients.enrol([(one,) for one in ids])
    patients.give_all([patients.Wish(one, "heart-disease", "2026-11", "2028-11") for one in made])
    desks.follow()


def answer(desks, slug):
    """The worker's turn; returns the kept answer about `slug`. Other tests' questions wait beside it."""
    answer_all(desks)
    return own(slug).get()


def answer_all(desks):
    desks.at("steward")
    counts.answer_waiting(consents=Consents(), records=RecordFiles())


def own(slug):
    return CountAnswer.objects.filter(question__startswith=f"{HOSPITAL}/{slug}/")


def test_the_exact_count_is_of_patients_whose_consent_the_gate_admits(desks):
    slug = desks.dataset()
    enrol(desks, slug, 60)
    ask(desks, slug)
    assert counts.fitting(own(slug).get().question, Consents(), RecordFiles()) == 60


def test_the_answer_is_noised_fixed_and_shown(desks):
    slug = desks.dataset()
    enrol(desks, slug, 150)
    ask(desks, slug)
    assert "pending" in desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")
    kept = answer(desks, slug)
    assert kept.sent and abs(kept.answer - 150) < 8 * float(counts.SIGMA)
    assert f"about {kept.answer}" in desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")
    ask(desks, slug)  # asked again in the same month: the answer stands
    assert answer(desks, slug).answer == kept.answer


def test_below_the_threshold_nothing_is_shown(desks, monkeypatch):
    monkeypatch.setattr(counts, "THRESHOLD", 10_000)
    slug = desks.dataset()
    enrol(desks, slug, 30)
    ask(desks, slug)
    assert answer(desks, slug).answer is None
    assert "not shown" in desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")


@pytest.mark.parametrize(("exact", "noise", "told"), [(25, -1.0, None), (15, 1.0, 25), (30, -1.0, 20)])
def test_the_threshold_looks_at_the_noised_count_alone(desks, monkeypatch, exact, noise, told):
    """One on the exact count would tell whether one more patient fits."""
    monkeypatch.setattr(counts, "fitting", lambda *_: exact)
    monkeypatch.setattr(counts.Keystream, "normals", lambda *_: [noise])
    slug = desks.dataset()
    ask(desks, slug)
    assert answer(desks, slug).answer == told


def test_after_a_months_answers_one_more_is_not_shown(desks):
    slug = desks.dataset()
    for how, disease in islice(product(([], ["methods"]), DISEASES), COUNTS_PER_MONTH + 1):  # each another purpose
        purpose = PURPOSE | {"how": how, "diseases": [disease]}
        desks.send("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/count/", purpose)
    note(desks, slug)
    own(slug).update(drawn=True, answer=77)
    answer_all(desks)
    answers = list(own(slug).order_by("question").values_list("answer", "sent"))
    assert answers == [(77, True)] * COUNTS_PER_MONTH + [(None, True)]
    desks.follow()
    kept = mirror.records(f"budget/count/{HOSPITAL}/{slug}/")
    assert sorted(one["charged"] for one in kept) == [False] + [True] * COUNTS_PER_MONTH


def test_an_answer_drawn_before_a_crash_is_the_answer_that_is_sent(desks):
    slug = desks.dataset()
    ask(desks, slug)
    own(slug).update(drawn=True, answer=77)
    assert answer(desks, slug).sent
    desks.follow()
    assert [one["answer"] for one in mirror.records(f"budget/count/{HOSPITAL}/{slug}/")] == [77]


def test_a_question_whose_records_are_missing_holds_up_no_other(desks):
    lost, slug = desks.dataset(), desks.dataset()
    ask(desks, lost)
    ask(desks, slug)
    Source.objects.filter(dataset=f"{HOSPITAL}/{lost}").delete()
    assert answer(desks, slug).sent and not own(lost).get().drawn
