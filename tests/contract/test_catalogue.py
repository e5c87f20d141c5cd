"""Data sets: owners only, known terms, and a lineage from which no budget escapes."""

from __future__ import annotations

import pytest

from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS, fresh, wanted

ALPHA, BETA = HOSPITALS[:2]


def register(world, arguments, hospital=ALPHA):
    return world.ledger.submit(f"{hospital}.steward", "catalogue:Register", arguments)


def test_a_version_is_registered_once_and_never_changes(world):
    arguments = world.dataset()
    registered = register(world, arguments)
    assert registered["status"] == "live" and registered["lineage"] == arguments["dataset"]
    assert register(world, arguments) == registered
    with refused(world.ledger, "catalogue.known-differently"):
        register(world, arguments | {"root": fresh()})


def test_only_the_owner_registers_and_retires(world):
    arguments = world.dataset(ALPHA)
    with refused(world.ledger, "catalogue.not-owner"):
        register(world, arguments, BETA)
    register(world, arguments)
    with refused(world.ledger, "catalogue.not-owner"):
        world.ledger.submit(f"{BETA}.steward", "catalogue:Retire", {"dataset": arguments["dataset"], "version": 1})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"duo": ["DUO:9999999"]}, "catalogue.duo-unknown"),
        ({"duo": ["disease specific research"]}, "catalogue.duo-unknown"),
        ({"duo": ["DUO:0000007", "DUO:0000022"]}, "catalogue.duo-value"),  # no country
        ({"conditions": [{"term": "DUO:0000022", "values": ["DE"]}]}, "catalogue.duo-value"),  # not among the terms
        ({"conditions": [{"term": "DUO:0000046", "values": ["DE"]}]}, "duo.value-unwanted"),
        ({"conditions": [{"term": "DUO:0000022", "values": ["Germany"]}]}, "duo.value-malformed"),
        ({"duo": ["DUO:0000005"]}, "catalogue.duo-unknown"),  # obsolete
        ({"diseases": ["MONDO:9999999"]}, "catalogue.disease-unknown"),
        ({"size_bucket": "10-19"}, "catalogue.size-bucket"),
        ({"size_bucket": "740"}, "catalogue.size-bucket"),
        ({"size_bucket": "5000-9999"}, None),
        ({"size_bucket": "10000-19999"}, "budget.delta"),  # the account's delta is 1 / 10,000
        ({"unit": "image"}, None),
        ({"unit": "image", "records_per_patient": 2}, "catalogue.unit"),
        ({"unit": "record"}, "arguments.invalid"),
        ({"version": 0}, "arguments.invalid"),
        ({"version": 2}, "catalogue.version-gap"),
        ({"transformation": "some script"}, "arguments.invalid"),
        ({"parent": {"dataset": f"{ALPHA}/nothing", "version": 1}}, "catalogue.parent-unknown"),
    ],
)  # fmt: skip
def test_what_is_not_registered(world, change, code):
    if code is None:
        register(world, world.dataset(**change))
    else:
        with refused(world.ledger, code):
            register(world, world.dataset(**change))


def test_the_same_raw_file_is_no_new_root(world):
    first = world.register(ALPHA)
    with refused(world.ledger, "catalogue.raw-known"):
        world.register(ALPHA, raw=first["raw"])
    with refused(world.ledger, "catalogue.raw-known"):
        world.register(BETA, raw=first["raw"])


def test_new_versions_and_derived_sets_keep_their_lineage_root(world):
    first = world.register(ALPHA)
    second = world.register(ALPHA, dataset=first["dataset"], version=2, raw=first["raw"])
    derived = world.register(ALPHA, raw=first["raw"], parent={"dataset": first["dataset"], "version": 2})
    assert first["lineage"] == second["lineage"] == derived["lineage"]
    other = world.register(ALPHA)
    with refused(world.ledger, "catalogue.lineage-mismatch"):
        parent = {"dataset": other["dataset"], "version": 1}
        world.register(ALPHA, dataset=first["dataset"], version=3, parent=parent)
    with refused(world.ledger, "catalogue.raw-known"):
        world.register(ALPHA, raw=first["raw"], parent={"dataset": other["dataset"], "version": 1})


def test_what_was_made_of_patients_data_counts_patients(world):
    patients, images = world.register(ALPHA), world.register(ALPHA, unit="image")
    for made in ({"dataset": patients["dataset"], "version": 2}, {"parent": wanted(patients)}):
        with refused(world.ledger, "catalogue.unit"):
            world.register(ALPHA, unit="image", raw=patients["raw"], **made)
    assert world.register(ALPHA, unit="image", dataset=images["dataset"], version=2)["unit"] == "image"
    assert world.register(ALPHA, parent=wanted(images))["unit"] == "patient"


def test_a_parent_of_another_hospital_is_unknown(world):
    first = world.register(BETA)
    with refused(world.ledger, "catalogue.parent-unknown"):
        world.register(ALPHA, parent={"dataset": first["dataset"], "version": 1})


def test_a_retired_version_takes_no_request(world):
    dataset = world.register()
    arguments = {"dataset": dataset["dataset"], "version": 1}
    retired = world.ledger.submit(f"{ALPHA}.steward", "catalogue:Retire", arguments)
    assert retired["status"] == "retired"
    assert world.ledger.submit(f"{ALPHA}.steward", "catalogue:Retire", arguments) == retired
    with refused(world.ledger, "catalogue.retired"):
        world.request([dataset])
