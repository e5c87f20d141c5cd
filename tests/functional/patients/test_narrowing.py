"""Allowing less in the finer parts: who, where, which parts, which studies, which days; and wishes about results."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from consent import duo
from consent.limits import Denial, Limits
from consent.terms import Condition
from portal.catalogue import manifests
from portal.patients import leaving, services
from portal.patients.choices import Choices
from portal.patients.models import Grant, Status
from portal.reactor.models import Record
from tests.functional.patients.test_giving import ALL_KINDS, PLAINLY
from tests.support.desks import HOSPITAL
from tests.support.studies import approved

pytestmark = pytest.mark.django_db
NO = Denial(studies=("6f1c3a52-9a0e-4a6e-8d0b-1f6f5f2b7c11",))
FINE = Choices(
    "2020-01-01",
    "2024-12-31",
    Limits(conditions=(Condition(term=duo.NPU),), denied=(NO,), categories=("images", "measurements")),
    True,
    "letter",
)


@pytest.fixture
def at_hospital(ledger, catch_up):
    catch_up()


def given(patient, choices: Choices, preset: str = "heart-disease") -> Grant:
    now = services.this_month()
    return services.give(patient=patient, preset=preset, valid_from=now, valid_until="2040-01", choices=choices)


def test_each_finer_choice_can_be_made_smaller_by_the_page(at_hospital, catch_up, as_patient):
    patient, client = as_patient
    old = given(patient, Choices(), "heart-disease-for-all")
    catch_up()
    path = f"/consent/{old.pk}/narrow"
    assert "Here you can only allow less" in client.get(f"{path}/check/").content.decode()
    said = PLAINLY | {
        "recipients": "non-profit",
        "countries": "here",
        "categories": ["images", "measurements"],
        "studies": "listed",
        "data_from": "2020-02-29",
        "feedback": "on",
        "contact": "letter",
    }
    assert client.post(f"{path}/exactly/", said).status_code == 302
    page = client.get(f"{path}/check/").content.decode()
    for words in ("do not work for profit", "Only in US.", "Pictures", "ask me for each", "29 February", "By letter"):
        assert words in page
    assert "Until then your record is not used" in page and "Nobody may use it to make money" in page
    assert Grant.objects.get() == old  # nothing is done by looking
    assert client.post(f"{path}/check/").status_code == 302
    catch_up()
    old.refresh_from_db()
    new = Grant.objects.get(replaces=old)
    assert (old.status, new.status, new.preset) == (Status.WITHDRAWN, Status.RECORDED, "heart-disease")
    conditions = (Condition(term=duo.GS, values=("US",)), Condition(term=duo.NPU))
    limits = Limits(conditions=conditions, categories=("images", "measurements"), studies=())
    assert Choices.of(new.opened()) == Choices("2020-02-29", None, limits, True, "letter")


def test_nothing_wider_is_on_offer_and_what_was_denied_stays_denied(at_hospital, catch_up, as_patient):
    patient, client = as_patient
    old = given(patient, FINE)
    catch_up()
    path = f"/consent/{old.pk}/narrow"
    form = client.get(f"{path}/exactly/").context["form"]
    assert "recipients" not in form.fields
    assert [name for name, _ in form.fields["categories"].choices] == ["images", "measurements"]
    said = {"countries": "anywhere", "studies": "any", "contact": "nobody", "data_from": "2020-01-01"}
    said |= {"data_until": "2024-12-31", "categories": ["images"]}
    for wider, words in (
        ({"categories": ALL_KINDS}, "choose one of the answers that this page offers"),
        ({"data_from": "2019-12-31"}, "on. Choose that day or a later one"),
        ({"data_from": ""}, "on. Choose that day or a later one"),
        ({"data_until": "2025-01-01"}, "Choose that day or an earlier one"),
        ({"data_until": ""}, "Choose that day or an earlier one"),
    ):
        answer = client.post(f"{path}/exactly/", said | wider)
        assert answer.status_code == 422 and words in answer.content.decode()
    assert client.post(f"{path}/exactly/", said | {"recipients": "all"}).status_code == 302  # not asked, not heard
    assert client.post(f"{path}/check/").status_code == 302
    new = Grant.objects.get(replaces=old)
    limits = replace(FINE.limits, categories=("images",))
    assert Choices.of(new.opened()) == Choices("2020-01-01", "2024-12-31", limits, False, "nobody")


@pytest.mark.parametrize("now", ["DE", None])
def test_who_said_only_here_still_allows_less_once_the_members_hold_the_hospital_elsewhere(
    at_hospital, catch_up, as_patient, now
):
    patient, client = as_patient
    here = Condition(term=duo.GS, values=("US",))
    old = given(patient, Choices(limits=Limits(conditions=(here,))))
    catch_up()
    own = Record.objects.get(key=f"members/org/{HOSPITAL}")
    own.body["country"] = now
    own.save()
    path = f"/consent/{old.pk}/narrow"
    assert "countries" not in client.get(f"{path}/exactly/").context["form"].fields
    client.post(f"{path}/exactly/", PLAINLY | {"recipients": "not-for-gain", "categories": ["images"]})
    assert client.post(f"{path}/check/").status_code == 302
    limits = Grant.objects.get(replaces=old).opened().limits
    assert (limits.conditions, limits.categories) == ((here,), ("images",))


def test_a_wish_about_results_alone_is_a_new_consent_too(at_hospital, as_patient):
    patient, _ = as_patient
    old = given(patient, FINE)
    other = Choices(FINE.data_from, FINE.data_until, FINE.limits, False, "portal")
    new = services.narrow(grant=old, preset=old.preset, valid_until=old.valid_until, choices=other)
    assert Choices.of(new.opened()) == other


@pytest.mark.parametrize(
    "wider",
    [
        Choices(None, FINE.data_until, FINE.limits),
        Choices(FINE.data_from, "2025-01-01", FINE.limits),
        Choices(FINE.data_from, FINE.data_until, replace(FINE.limits, conditions=())),
        Choices(FINE.data_from, FINE.data_until, replace(FINE.limits, denied=())),
        Choices(FINE.data_from, FINE.data_until, replace(FINE.limits, categories=())),
        FINE,
    ],
)
def test_what_allows_more_or_the_same_is_refused_and_nothing_is_done(at_hospital, as_patient, wider):
    old = given(as_patient[0], FINE)
    with pytest.raises(Exception, match=r"patients\.not-narrower"):
        services.narrow(grant=old, preset=old.preset, valid_until=old.valid_until, choices=wider)
    assert Grant.objects.get() == old and Grant.objects.get().stands


def test_the_page_says_first_which_studies_stop(desks, new_patient, visitor):
    slug = desks.dataset()
    study = approved(desks, slug)
    desks.at("steward")
    patient = new_patient(records=(manifests.split_of(f"{HOSPITAL}/{slug}", 1).training[0],))
    grant = given(patient, Choices(), "health-research")
    desks.follow()
    client, path = visitor(patient.account), f"/consent/{grant.pk}/narrow"
    client.post(f"{path}/", {"preset": "cancer"})
    found = client.get(f"{path}/check/")
    assert [one.facts.study for one in found.context["impact"].stops] == [study]
    assert "from round 1 of 2 on it is without your record" in " ".join(found.content.decode().split())
    client.post(f"{path}/", {"preset": "heart-disease"})
    found = client.get(f"{path}/check/")
    assert found.context["impact"].studies == () and "No study that is waiting" in found.content.decode()
    client.post(f"{path}/exactly/", PLAINLY | {"categories": ALL_KINDS, "studies": "listed", "listed": [study]})
    assert client.get(f"{path}/check/").context["impact"].studies == ()
    client.post(f"{path}/exactly/", PLAINLY | {"categories": ALL_KINDS, "studies": "listed"})
    assert [one.facts.study for one in client.get(f"{path}/check/").context["impact"].stops] == [study]
    assert leaving.left(grant.opened().limits) == set()
