"""A steward registers data sets; researchers find them; nobody sees more than their persona may."""

from __future__ import annotations

import uuid
from decimal import Decimal

import numpy as np
import pytest
import sqlalchemy as sql

from portal.catalogue import manifests
from portal.catalogue.models import Source
from portal.errors import PortalError
from portal.reactor import selectors as mirror
from portal.studies import plans
from tests.support.desks import HOSPITAL
from training.site import cdm, cdm_example, failure, images, omop, volumes
from training.site.report import reported

pytestmark = pytest.mark.django_db(transaction=False)


def test_a_registered_data_set_stands_in_the_catalogue_with_its_terms_in_words(desks):
    slug = desks.dataset(modifiers=["DUO:0000046"])
    for role in ("steward", "researcher", "auditor"):
        page = desks.page(role, f"/catalogue/{HOSPITAL}/{slug}/1/")
        assert "health or medical or biomedical research" in page and "non-commercial use only" in page
    record = mirror.record(f"catalogue/dataset/{HOSPITAL}/{slug}/1")
    assert record["size_bucket"] == "200-499" and record["parent"] is None
    assert record["transformation"].startswith("fed-heart-1@")


def test_the_records_of_a_registered_version_are_exactly_those_that_were_registered(desks):
    slug = desks.dataset()
    desks.at("steward")
    records = manifests.records_of(f"{HOSPITAL}/{slug}", 1)
    parts = manifests.split_of(f"{HOSPITAL}/{slug}", 1)
    assert set(parts.training) | set(parts.held_out) == set(records.patients)
    file = desks.settings.NODE.data / "records" / Source.objects.get(dataset=f"{HOSPITAL}/{slug}").file
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))  # one patient less: a good file still
    with pytest.raises(PortalError, match=r"catalogue\.file-changed"):
        manifests.records_of(f"{HOSPITAL}/{slug}", 1)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: "", "is empty"),
        (lambda text: text[:-5], "ends in the middle of a line"),
        (lambda text: text.replace("chol", "fat", 1), "chol"),
        (lambda text: text + text.splitlines(keepends=True)[-1], "line"),
        (lambda text: text.replace("typical angina", "sometimes", 1), "line 2: column cp"),
    ],
)
def test_a_damaged_file_is_refused_naming_the_place_and_nothing_is_registered(desks, damage, words):
    desks.dataset()  # the account is open
    desks.at("steward")
    file = desks.settings.NODE.data / "records" / "damaged.csv"
    good = (file.parent / "source" / "cleveland.csv").read_text()
    file.write_text(damage(good))
    before = (Source.objects.count(), len(mirror.records("catalogue/dataset/")))
    values = {"file": "damaged.csv", "slug": "damaged", "title": "Damaged", "permission": "DUO:0000006"}
    answer = desks.send("steward", "/catalogue/register/", values, status=422)
    assert words in answer.content.decode() and "(data." in answer.content.decode()
    assert (Source.objects.count(), len(mirror.records("catalogue/dataset/"))) == before


def test_a_file_of_images_stands_in_the_catalogue_and_names_its_network(desks):
    desks.dataset()  # the account is open
    desks.at("steward")
    random = np.random.default_rng()
    pixels = random.integers(0, 256, (90, 28, 28)).astype(np.uint8)
    slug = f"chest-{uuid.uuid4().hex[:8]}"
    file = desks.settings.NODE.data / "records" / f"{slug}.npz"
    images.write(file, [f"p{place // 3}" for place in range(90)], pixels, (np.arange(90) // 3 % 2).astype(np.uint8))
    desks.send("steward", "/catalogue/register/", {
        "file": file.name, "slug": slug, "title": "Chest X-rays", "permission": "DUO:0000006",
    })  # fmt: skip
    record = mirror.record(f"catalogue/dataset/{HOSPITAL}/{slug}/1")
    assert (record["modality"], record["categories"]) == ("images", ["diagnoses", "images"])
    assert (record["size_bucket"], record["records_per_patient"]) == ("20-49", 3)
    parts = manifests.split_of(f"{HOSPITAL}/{slug}", 1)
    assert len(parts.training) + len(parts.held_out) == 30
    made = plans.build(plans.defaults() | {
        "title": "X", "epsilon": Decimal(5), "delta": Decimal("0.0001"), "q": Decimal("0.5"), "clip": Decimal(1),
        "metric_sigma": Decimal(2), "learning_rate": Decimal(1), "hidden": 4, "rounds": 2, "local_steps": 1,
    }, request="r", datasets=[record], code="00" * 32, disjoint=True)  # fmt: skip
    assert (made["configuration"]["model"], made["configuration"]["features"]) == ("chest-densenet", "chest-28")
    assert made["privacy"]["records_per_patient"] == 3


def test_the_same_raw_file_as_a_new_root_is_refused_by_the_ledger(desks):
    slug = desks.dataset()
    desks.at("steward")
    file = Source.objects.get(dataset=f"{HOSPITAL}/{slug}").file
    values = {"file": file, "slug": f"{slug}-again", "title": "Again", "permission": "DUO:0000006"}
    answer = desks.send("steward", "/catalogue/register/", values, status=422)
    assert "catalogue.raw-known" in answer.content.decode()
    assert not Source.objects.filter(dataset=f"{HOSPITAL}/{slug}-again").exists()


def test_a_disease_without_disease_specific_research_is_refused_in_the_form(desks):
    desks.dataset()
    desks.at("steward")
    values = {"file": manifests.files()[0], "slug": "x", "title": "X", "permission": "DUO:0000007"}
    answer = desks.send("steward", "/catalogue/register/", values, status=422)
    assert "needs at least one disease" in answer.content.decode()


def test_a_retired_version_takes_no_new_request(desks):
    slug = desks.dataset()
    desks.send("steward", f"/catalogue/{HOSPITAL}/{slug}/1/retire/")
    assert "retired" in desks.page("researcher", f"/catalogue/{HOSPITAL}/{slug}/1/")
    assert f"{HOSPITAL}/{slug}@1" not in desks.page("researcher", "/access/new/")


def test_a_steward_does_not_see_another_hospitals_data_set(desks):
    desks.page("steward", "/catalogue/HungaryMSP/heart/1/", status=404)


@pytest.mark.parametrize("path", ["register/", "account/"])
def test_only_stewards_change_the_catalogue(desks, path):
    for role in ("researcher", "auditor", "patient"):
        desks.page(role, f"/catalogue/{path}", status=404)


def test_a_file_of_volumes_names_its_network(desks):
    desks.dataset()  # the account is open
    desks.at("steward")
    masks = np.random.default_rng().integers(0, 2, (30, 32, 32, 32)).astype(np.uint8)
    slug = f"ct-{uuid.uuid4().hex[:8]}"
    file = desks.settings.NODE.data / "records" / f"{slug}.volumes.npz"
    volumes.write(file, [f"p{place}" for place in range(30)], masks * 200, masks)
    desks.send("steward", "/catalogue/register/", {
        "file": file.name, "slug": slug, "title": "CT", "permission": "DUO:0000006",
    })  # fmt: skip
    record = mirror.record(f"catalogue/dataset/{HOSPITAL}/{slug}/1")
    assert (record["modality"], record["categories"]) == ("volumes", ["images"])
    made = plans.build(plans.defaults() | {
        "title": "X", "epsilon": Decimal(5), "delta": Decimal("0.0001"), "q": Decimal("0.5"), "clip": Decimal(1),
        "metric_sigma": Decimal(2), "learning_rate": Decimal(1), "hidden": 4, "rounds": 2, "local_steps": 1,
    }, request="r", datasets=[record], code="00" * 32, disjoint=True)  # fmt: skip
    assert (made["configuration"]["model"], made["configuration"]["features"]) == ("ct-unet", "ct-32")


def test_a_table_of_survival_names_its_network(desks):
    desks.dataset()  # the account is open
    desks.at("steward")
    file = failure.write_csvs(desks.settings.NODE.data / "records", 1)[0]
    assert manifests.files().count(file.name) == 1
    slug = f"survival-{uuid.uuid4().hex[:8]}"
    desks.send("steward", "/catalogue/register/", {
        "file": file.name, "slug": slug, "title": "Heart failure", "permission": "DUO:0000006",
    })  # fmt: skip
    record = mirror.record(f"catalogue/dataset/{HOSPITAL}/{slug}/1")
    assert (record["modality"], record["size_bucket"]) == ("tabular", "200-499")
    parts = manifests.split_of(f"{HOSPITAL}/{slug}", 1)
    assert len(parts.held_out) == 102 and len(parts.training) == 197
    made = plans.build(plans.defaults() | {
        "title": "X", "epsilon": Decimal(5), "delta": Decimal("0.0001"), "q": Decimal("0.5"), "clip": Decimal(1),
        "metric_sigma": Decimal(2), "learning_rate": Decimal(1), "rounds": 2, "local_steps": 1,
    }, request="r", datasets=[record], code="00" * 32, disjoint=True)  # fmt: skip
    assert (made["configuration"]["model"], made["configuration"]["hidden"]) == ("failure-hazard", 0)


def test_a_file_made_from_omop_tables_names_its_network_and_who_was_left_out(desks):
    desks.dataset()  # the account is open
    desks.at("steward")
    folder = desks.settings.NODE.data / "records"
    database = cdm_example.write_databases(folder / "omop")[0]
    file = folder / "cleveland.omop.csv"
    engine = sql.create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.execute(sql.delete(cdm.MEASUREMENT).where(cdm.MEASUREMENT.c.person_id == 1))
    engine.dispose()
    reported(lambda path: cdm.extract(f"sqlite:///{database}", path), file, ".omop.csv")
    slug = f"omop-{uuid.uuid4().hex[:8]}"
    desks.send("steward", "/catalogue/register/", {
        "file": file.name, "slug": slug, "title": "Coronary disease", "permission": "DUO:0000006",
    })  # fmt: skip
    record = mirror.record(f"catalogue/dataset/{HOSPITAL}/{slug}/1")
    assert (record["modality"], record["size_bucket"], record["records_per_patient"]) == ("tabular", "200-499", 1)
    assert record["transformation"] == omop.TRANSFORMATION and record["schema"] == omop.SCHEMA
    assert manifests.failures(f"{HOSPITAL}/{slug}", 1) == {"omop.not-measured": 1}
    parts = manifests.split_of(f"{HOSPITAL}/{slug}", 1)
    assert len(parts.held_out) + len(parts.training) == 303
    made = plans.build(plans.defaults() | {
        "title": "X", "epsilon": Decimal(5), "delta": Decimal("0.0001"), "q": Decimal("0.5"), "clip": Decimal(1),
        "metric_sigma": Decimal(2), "learning_rate": Decimal(1), "rounds": 2, "local_steps": 1,
    }, request="r", datasets=[record], code="00" * 32, disjoint=True)  # fmt: skip
    assert (made["configuration"]["model"], made["configuration"]["features"]) == ("coronary-fcn", "omop-coronary-1")


@pytest.mark.parametrize("open_", [True, False])
def test_an_open_privacy_account_is_not_offered_to_be_opened(desks, monkeypatch, open_):
    monkeypatch.setattr("portal.catalogue.selectors.has_account", lambda msp: open_)
    page = desks.page("steward", "/catalogue/account/")
    assert ("It is open already." in page) is open_ and ("Open the account" in page) is not open_
